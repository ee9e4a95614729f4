#!/bin/bash
# As deps.sh, with what `make lint`, `make tidy` and CI use: tests skip where one of them is absent.
set -eu
exec bash "$(dirname "$0")/deps.sh" clang clang-format clang-tidy universal-ctags shellcheck \
    python3-scipy python3-pandas libxml2-utils chromium chromium-driver
