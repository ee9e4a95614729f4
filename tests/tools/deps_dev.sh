#!/bin/bash
# As deps.sh, with what `make lint`, `make tidy` and CI use.
set -eu
exec bash "$(dirname "$0")/deps.sh" clang clang-format clang-tidy universal-ctags shellcheck chromium chromium-driver
