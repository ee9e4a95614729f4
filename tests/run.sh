#!/bin/bash
# Runs every test and ends with "N passed, N failed, N skipped". Each test program or script has its
# own process, scratch folder and time limit; the log of a failed one is shown.
# usage: B=build/release GOLDEN=DIR tests/run.sh [PATTERN]
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build/release} GOLDEN=${GOLDEN:-../shared/golden} pattern=${1:-}
top=$PWD passed=0 failed=0 skipped=0
case $B in *asan* | *tsan*) slower=8 ;; *) slower=1 ;; esac # time limits are stretched
[[ ${KVLAB_KILLS:-} ]] && slower=20
[[ ${LONG:-} ]] && slower=20
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export KVLAB=$top/$B/kvlab KVLAB_TOP=$top KVLAB_HOME=$top CMOCKA_MESSAGE_OUTPUT=TAP
export KVLAB_SHARED=${KVLAB_SHARED:-$top/../shared} LC_ALL=C.UTF-8

# A program that prints TAP: "ok", "not ok", "ok ... # SKIP reason". A failing exit without a
# "not ok", fewer lines than its plan "1..N", or none at all: one more failure.
tap() {
    local name=$1 limit=$(($2 * slower))
    shift 2
    [[ -n $pattern && $name != *$pattern* ]] && return
    local dir=$scratch/$name log=$scratch/$name.log
    mkdir -p "$dir"
    (cd "$dir" && exec timeout "$limit" "$@") </dev/null >"$log" 2>&1
    local rc=$? good bad skip plan
    skip=$(grep -ciE '^(not )?ok .*# skip' "$log") # cmocka's skips are "not ok"
    good=$(grep -E '^ok ' "$log" | grep -viEc '# skip')
    bad=$(grep -E '^not ok ' "$log" | grep -viEc '# skip')
    plan=$(sed -n -E 's/^1\.\.([0-9]+)$/\1/p' "$log" | tail -n 1)
    if ((bad == 0 && (rc != 0 || good + skip == 0 || good + skip < ${plan:-0}))); then
        bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
    if ((bad)); then
        echo "FAILED  $name (exit $rc$( ((rc == 124)) && echo ", over $limit s"))"
        tail -n 40 "$log" | sed 's/^/    /'
    else
        printf '%-28s %d passed%s\n' "$name" "$good" "$( ((skip)) && echo ", $skip skipped")"
        sed -n -E '/# skip/I{s/^(not )?ok [0-9]+ -? ?/    /; s/# SKIP (skipped, )?/skipped: /p}' "$log"
    fi
}

for t in "$B"/tests/test_*; do
    [[ -x $t && $t != *.* ]] && tap "$(basename "$t")" 120 "$top/$t"
done
for t in tests/cli/*.sh; do
    [[ -e $t && $t != */lib.sh ]] && tap "$(basename "$t" .sh)" 170 bash "$top/$t"
done
golden=(bash "$top/tests/tools/golden_tap.sh" "$top/$B/golden")
# Our part of the golden values is in the repository; the whole of them holds it.
if [[ -d $GOLDEN ]]; then
    tap golden 170 "${golden[@]}" "$(cd "$GOLDEN" && pwd)"
else
    tap golden_ours 170 "${golden[@]}" "$top/tests/golden/data"
fi
for t in "$B"/fuzz/fuzz_*; do
    [[ -x $t && $t != *.* ]] && tap "$(basename "$t")" 60 "$top/$t" "$top/tests/fuzz/corpus/$(basename "$t" | sed s/fuzz_//)"
done
echo "$SECONDS s"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
