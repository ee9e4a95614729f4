#!/bin/bash
# Runs every test and ends with "N passed, N failed, N skipped". Each test program or script has its
# own process, scratch folder and time limit; the log of a failed one is shown.
# usage: B=build/release GOLDEN=DIR tests/run.sh [PATTERN]
set -u
cd "$(dirname "$0")/.."
B=${B:-build/release} GOLDEN=${GOLDEN:-../shared/golden} pattern=${1:-}
top=$PWD passed=0 failed=0 skipped=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export KVLAB=$top/$B/kvlab KVLAB_TOP=$top KVLAB_HOME=$top CMOCKA_MESSAGE_OUTPUT=TAP
export KVLAB_SHARED=${KVLAB_SHARED:-$top/../shared} LC_ALL=C.UTF-8

# A program that prints TAP: "ok", "not ok", "ok ... # SKIP reason".
tap() {
    local name=$1 limit=$2
    shift 2
    [[ -n $pattern && $name != *$pattern* ]] && return
    local dir=$scratch/$name log=$scratch/$name.log
    mkdir -p "$dir"
    (cd "$dir" && exec timeout "$limit" "$@") >"$log" 2>&1
    local rc=$? good bad skip
    skip=$(grep -ciE '^ok .*# skip' "$log")
    good=$(($(grep -c '^ok ' "$log") - skip))
    bad=$(grep -c '^not ok ' "$log")
    if ((rc != 0 && bad == 0)) || ((good + bad + skip == 0)); then
        bad=$((bad + 1))
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if ((bad)); then
        echo "FAILED  $name (exit $rc)"
        tail -n 40 "$log" | sed 's/^/    /'
    else
        printf '%-28s %d passed%s\n' "$name" "$good" "$( ((skip)) && echo ", $skip skipped")"
        grep -iE '^ok .*# skip' "$log" | sed -E 's/^ok [0-9]+ -? ?/    skipped: /'
    fi
}

for t in "$B"/tests/test_*; do
    [[ -x $t && $t != *.* ]] && tap "$(basename "$t")" 120 "$top/$t"
done
for t in tests/cli/*.sh; do
    [[ -e $t && $t != */lib.sh ]] && tap "$(basename "$t" .sh)" 170 bash "$top/$t"
done
if [[ -d $GOLDEN ]]; then
    tap golden 170 bash "$top/tests/tools/golden_tap.sh" "$top/$B/golden" "$(cd "$GOLDEN" && pwd)"
fi
tap golden_ours 170 bash "$top/tests/tools/golden_tap.sh" "$top/$B/golden" "$top/tests/golden/data"
for t in "$B"/fuzz/fuzz_*; do
    [[ -x $t && $t != *.* ]] && tap "$(basename "$t")" 60 "$top/$t" "$top/tests/fuzz/corpus/$(basename "$t" | sed s/fuzz_//)"
done
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
