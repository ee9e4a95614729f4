#!/bin/bash
# Checks the tree for what a compiler does not: every finding is a line file:line: what. Exit 1 when
# there is one. Notes on stderr say what was skipped. usage: tests/lint/lint.sh [FOLDER]
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}" || exit 2

findings=$(for check in layers registries names text format; do
    bash "$here/$check.sh" || echo "tests/lint/$check.sh:1: stopped with exit $?"
done)
if [[ -n $findings ]]; then
    echo "$findings"
    echo "lint: $(wc -l <<<"$findings") findings" >&2
    exit 1
fi
