#!/bin/bash
# kvlab query: parameters, formats, limits, where SQL goes wrong, and the example questions. TAP.
set -u
. "${KVLAB_TOP:-.}/tests/cli/lib.sh"
KVLAB=${KVLAB:-./kvlab}
"$(dirname "$KVLAB")/tests/test_views" s.db || exit 1 # the sample database

q() { "$KVLAB" query --db s.db "$@"; }
fails() { # NAME EXIT STDERR-PATTERN -- ARGS
    local name=$1 want=$2 pattern=$3 err rc
    shift 4
    err=$(q "$@" 2>&1 >/dev/null)
    rc=$?
    like "$name" "$want $pattern" "$rc $err"
}

# ---- parameters ----
is "values have types" "integer|real|null|text|text" "$(q --format csv --param a=1 --param 2=2.5 --param @c=null \
    --param d="'7'" --param e=x "SELECT typeof(:a) || '|' || typeof(?2) || '|' || typeof(@c) || '|' || typeof(\$d) || '|' || typeof(:e) AS t" | tail -n 1)"
fails "a value is missing" 2 "*parameter :task has no value*--param task=VALUE" -- "SELECT :task"
fails "a value without a parameter" 2 "*tsk: the SQL has no parameter of that name, did you mean 'task'*" -- \
    "SELECT :task" --param tsk=1
fails "no name" 2 "*--param is 'x', must be name=value" -- "SELECT ?" --param x

# ---- where the SQL comes from, formats ----
is "stdin" 7 "$(echo "SELECT 7 AS x" | q - --format csv | tail -n 1)"
printf -- '-- a comment\nSELECT 8 AS x' >f.sql
is "a file" 8 "$(q -f f.sql --format csv | tail -n 1)"
is "Markdown" $'| x |\n| --: |\n| 1 |' "$(q --format markdown "SELECT 1 AS x")"
fails "one way to ask" 2 "*one of them at a time" -- "SELECT 1" -f f.sql
fails "an unknown format" 2 "*--format is 'cvs', must be*did you mean 'csv'*" -- "SELECT 1" --format cvs

# ---- errors ----
fails "the place of a column" 2 "*scor, did you mean 'score'*line 2: scor FROM item*^" -- $'SELECT\nscor FROM item'
fails "a table" 2 "*no such table: itm, did you mean 'item'*" -- "SELECT 1 FROM itm"
fails "a function" 2 "*no such function: rond, did you mean 'round'*" -- "SELECT rond(1)"
fails "writing behind a comment" 2 "*DROP is refused: this only reads" -- "/* x */ DROP TABLE job"
endless="WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
fails "a time limit" 2 "*stopped after 1 s; --time-limit SECONDS*" -- "$endless" --time-limit 1
"$KVLAB" query --db s.db "$endless" 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
is "stopped by a signal" 130 $?
many="WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 300000) SELECT x FROM c"
q "$many" --format csv 2>err | head -n 1 >/dev/null
is "a reader who leaves ends it quietly" "0 " "${PIPESTATUS[0]} $(cat err)"
is "nothing is left behind" s.db "$(echo s.db*)"

# ---- docs and examples ----
like "the tables" "*comparison *view *item *view *" "$(q --docs)"
like "the columns of one" "result: *run *integer *score *" "$(q --docs result)"
fails "an unknown table" 2 "*no table or view 'reslt', did you mean 'result'*" -- --docs reslt
fails "an unknown example" 2 "*no example 'flps', did you mean 'flips'*" -- --example flps

mapfile -t names < <(q --examples | sed -n 's/^\([a-z_]*\): .*/\1/p')
is "as many examples as files" "$(find "${KVLAB_TOP:-.}/reports/questions" -name '*.sql' | wc -l)" "${#names[@]}"
for name in "${names[@]}"; do
    params=()
    [[ $name == lost_little ]] && params=(--param task=mini_code --param points=20 --param bytes=0.3)
    [[ $name == clear_losses ]] && params=(--param errors=0.5)
    rows=$(q --example "$name" "${params[@]}" --format csv | tail -n +2 | wc -l)
    like "example $name has rows" "[1-9]*" "$rows"
done
# Scores of the four items: full 1 1 1 0, kvo-default 1 1 0.5 0, kvo-2bit 1 0 0 0; the code task's
# last two failed under kvo-2bit.
is "lost_little: 12.5 points at a quarter of the bytes" "kvo-default,-12.5,12.5,4,0,25,10" "$(q --example lost_little \
    --param task=mini_code --param points=20 --param bytes=0.3 --format csv | tail -n +2 | sed 's/\.0\b//g')"
is "lost_little: nothing at that price" 1 "$(q --example lost_little --param task=mini_code --format csv | wc -l)"
is "flips: two items of five tasks and one of the sixth" 11 "$(q --example flips --format json | grep -c mini_)"
is "flips: none at 4 bits" 1 "$(q --example flips --param bits=4 --format csv | wc -l)"
is "recent: three runs today" 3 "$(q --example recent --format json | grep -c kvo)"
is "recent: none of another commit" 1 "$(q --example recent --param commit=abc --format csv | wc -l)"
is "layer_error: what is not known is left out of the mean" "mini,1,full,0,24,25,50,0|mini,1,full,1,24,,,100" "$(q --example layer_error \
    --format csv | grep ',full,' | sed 's/\.0\b//g' | paste -sd '|')"
is "frontier: all three, none dominates" 3 "$(q --example frontier --format json | grep -c mini)"
done_testing
