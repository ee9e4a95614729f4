#!/bin/bash
# clang-tidy over the C files (.clang-tidy says what for) and shellcheck over the scripts. Slower than
# lint: some two minutes. Called by `make tidy`, which gives CFLAGS and JOBS.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/lint/tree.sh
rc=0

if command -v clang-tidy >/dev/null; then
    # The fast kernels need their instruction sets, and hold no branches to follow.
    # shellcheck disable=SC2016  # expanded by the inner shell
    files '*.c' | grep -v '/kernels_avx' |
        xargs -P "${JOBS:-2}" -n 1 bash -c '
            out=$(clang-tidy --quiet "$0" -- -std=c11 -D_POSIX_C_SOURCE=200809L -I. $CFLAGS 2>/dev/null)
            rc=$?
            [[ -z $out ]] || sed "s|$PWD/||" <<<"$out"
            exit $rc' || rc=1
else
    note "clang-tidy: skipped, not installed (make deps-dev)"
fi
if command -v shellcheck >/dev/null; then
    files '*.sh' | xargs shellcheck -x -P tests/lint:tests/cli -e SC1091 || rc=1
else
    note "shellcheck: skipped, not installed (make deps-dev)"
fi
exit "$rc"
