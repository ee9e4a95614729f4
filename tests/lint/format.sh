#!/bin/bash
# C files are as clang-format 14 writes them (`make format`). Other versions write differently.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

version=$(clang-format --version 2>/dev/null | sed -n -E 's/.*version ([0-9]+)\..*/\1/p')
if [[ $version != 14 ]]; then
    note "format: skipped, clang-format 14 is wanted, here is ${version:-none} (make deps-dev)"
    exit 0
fi
c_files | xargs -r clang-format --dry-run 2>&1 |
    sed -n -E 's/^([^: ]+:[0-9]+):[0-9]+: warning: code should be clang-formatted.*/\1: not as make format leaves it/p' |
    awk -F: '!seen[$1]++' # one a file: the rest follows from it
exit 0
