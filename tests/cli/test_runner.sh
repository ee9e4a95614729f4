#!/bin/bash
# The test of the test runner: a scratch copy of it runs made-up test programs, and what fails there
# must make it fail.
set -u
. "$KVLAB_TOP/tests/cli/lib.sh"

mkdir -p tests/cli tests/tools build/x/tests build/x/fuzz
cp "$KVLAB_TOP/tests/run.sh" tests/
cp "$KVLAB_TOP/tests/tools/golden_tap.sh" tests/tools/

program() { # PATH SCRIPT
    printf '#!/bin/bash\n%s\n' "$2" >"$1"
    chmod +x "$1"
}

# runner NAME LAST-LINE EXIT: runs the copy.
runner() {
    local out rc
    out=$(B=build/x GOLDEN=none bash tests/run.sh 2>&1)
    rc=$?
    is "$1" "$2; exit $3" "$(tail -n 1 <<<"$out"); exit $rc"
}

fails() { # NAME SCRIPT PASSED: beside two that pass
    program build/x/tests/test_it "$2"
    runner "$1" "$3 passed, 1 failed, 0 skipped" 1
}

program build/x/golden 'echo "all: 2 equal of 2, worst 0"'
runner "a golden group passes" "1 passed, 0 failed, 0 skipped" 0
program build/x/tests/test_good 'echo "1..1"; echo "ok 1 - good"'
runner "what passes passes" "2 passed, 0 failed, 0 skipped" 0
program build/x/tests/test_it 'echo "ok 1 - a # SKIP no data"; echo "not ok 2 - b # SKIP as cmocka"'
runner "skips are counted apart" "2 passed, 0 failed, 2 skipped" 0

fails "a failing TAP line" 'echo "ok 1 - a"; echo "not ok 2 - b"; exit 1' 3
fails "a failing TAP line of a program that exits 0" 'echo "not ok 1 - b"' 2
fails "a failing exit without a failing line" 'echo "ok 1 - a"; exit 3' 3
fails "a program killed" 'echo "ok 1 - a"; kill -SEGV $$' 3
fails "a plan not kept" 'echo "1..2"; echo "ok 1 - a"' 3
fails "no line at all" ':' 2
rm build/x/tests/test_it

program build/x/golden 'echo "all: 1 equal of 2, worst 3"; exit 1'
runner "a golden group that misses" "1 passed, 1 failed, 0 skipped" 1
program build/x/golden 'echo "all: 0 equal of 0, worst 0"'
runner "a golden group that compares nothing" "1 passed, 1 failed, 0 skipped" 1
program build/x/golden 'echo "all: 2 equal of 2, worst 0"; kill -SEGV $$'
runner "golden killed after its first group" "2 passed, 1 failed, 0 skipped" 1
program build/x/golden 'echo "all: skipped, not in none"'
rm build/x/tests/test_good
runner "nothing passed" "0 passed, 0 failed, 1 skipped" 1
done_testing
