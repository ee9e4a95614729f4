#!/bin/bash
# kvlab query, report, status and list over a small database: what they print, what they refuse.
# Prints TAP.
set -u
KVLAB=${KVLAB:-./kvlab}
maker=$(dirname "$KVLAB")/tests/test_views # makes the sample database
n=0 failed=0

result() { # NAME GOOD
    n=$((n + 1))
    if ((!$2)); then
        echo "ok $n - $1"
    else
        failed=$((failed + 1))
        echo "not ok $n - $1"
        printf '# exit %s\n' "$rc"
        sed 's/^/# stdout: /' out
        sed 's/^/# stderr: /' err
    fi
}

run() {
    "$KVLAB" "$@" >out 2>err
    rc=$?
}

# check NAME EXIT STDOUT-PATTERN STDERR-PATTERN -- ARGS
check() {
    local name=$1 want_rc=$2 want_out=$3 want_err=$4
    shift 5
    run "$@"
    # shellcheck disable=SC2053  # the output is compared with a pattern
    [[ $rc == "$want_rc" && $(cat out) == $want_out && $(cat err) == $want_err ]]
    result "$name" $?
}

"$maker" s.db || { echo "not ok 1 - the sample database is made"; exit 1; }
sum=$(cksum <s.db)

# ---- report ----
run report table --db s.db
diff out - >err <<'END'
sample: mini, protocol kvo, 3 settings

             single-  multi-
              doc QA  doc QA  summary  few-shot  synthetic   code
                      multi_                                          mean of 6         read
setting       doc_qa     hop   report  classify  retrieval   code         tasks   KV %     %  tok/s
-----------  -------  ------  -------  --------  ---------  -----  ------------  -----  ----  -----
full            75.0    75.0     75.0      75.0       75.0  75.0   75.0 ±10.2    100.0  40.0   20.0
kvo-default     62.5    62.5     62.5      62.5       62.5  62.5    62.5 ±9.8†    25.0  10.0   40.0
kvo-2bit        25.0    25.0     25.0      25.0       25.0  50.0*  29.2 ±12.5†*   15.0   6.0   40.0
-----------  -------  ------  -------  --------  ---------  -----  ------------  -----  ----  -----
items              4       4        4         4          4     4

* of fewer items, so not comparable: kvo-2bit mini_code 2 of 4 (2 failed). kvlab report failures
  says why.
† the 95 % interval of the difference to full, paired by item, excludes 0 (percentile bootstrap of
  items, 1000 resamples, seed 1; 2 to 4 pairs a task). Intervals of so few pairs are too narrow.
12 comparisons of a setting and task: 0 have a dagger, about 0.6 would by chance alone; p adjusted
  (BH) is below 0.05 in 0.
The smallest difference in the mean of tasks that so many items show, in 80 of 100 repetitions at
  the 5 % level: 14.3 points (items differ by 25, assumed: too few pairs to measure it).

Scores 0-100, the mean over the items. ±: standard error of the average, by the chance of items; it
  is not that of a difference between rows, which share items.
KV %: bytes of the cache a token at the end, counted from the packed records, as a share of a full
  f16 cache. read %: bytes of it read by a decode step, as a share of the same. tok/s: decoding. All
  three over all finished items.
END
result "the table, full cache first, a cell of fewer items marked" $?
check "CSV has all digits and the counts" 0 \
    $'model,protocol,setting,mini_doc_qa,*mini,kvo,kvo-2bit,25,*,50,29.16666666666666*,12.5,15,6,40,24,22,2,0,0' \
    "" -- report table --db s.db --format csv
check "Markdown has one head" 0 $'### sample*\n| setting | single-doc QA<br>mini\\\\_doc\\\\_qa |*\n| :-- |*' "" \
    -- report table --db s.db --format markdown
check "a file instead of stdout" 0 "" "" -- report table --db s.db --format csv -o t.csv
grep -q '^mini,kvo,full,' t.csv
result "the file holds the table" $?
check "an unwritable file is named" 2 "" "kvlab: no/where.txt: cannot be written*" \
    -- report table --db s.db -o no/where.txt
check "an unknown experiment is named with the nearest" 2 "" \
    "kvlab: s.db has no experiment 'sampel', did you mean 'sample'*" -- report table --db s.db --experiment sampel
check "an unknown model is named with those there are" 2 "" "*no model 'x'; it has: mini" \
    -- report table --db s.db --model x
check "an unknown report" 2 "" "kvlab: there is no report 'tabel', did you mean 'table'*" -- report tabel
check "no report asked" 2 "" "kvlab: report: which one*" -- report --db s.db
check "an unknown format" 2 "" "kvlab: report: --format is 'pdf', must be text, markdown, csv, json, latex or html" \
    -- report table --db s.db --format pdf
check "a missing database" 2 "" "kvlab: there is no database none.db*" -- report table --db none.db

cp s.db wide.db
sqlite3 wide.db "UPDATE experiment_run SET name = 'a-setting-with-quite-a-long-name-for-a-table'"
run report table --db wide.db
[[ $rc == 0 && $(grep -c '^setting' out) == 2 && $(wc -L <out) -le 100 ]]
result "a table that is too wide is broken between categories" $?

# ---- query ----
check "a table" 0 $'setting      n  score\n-----------  -  -----\nfull         4     75\nkvo-default  4   62.5' "" \
    -- query --db s.db "SELECT setting, n, score FROM result WHERE task = 'mini_code' AND failed = 0 ORDER BY score DESC"
check "CSV quotes" 0 $'prediction,x\n"an answer,\nin ""two"" lines",' "" \
    -- query --db s.db "SELECT prediction, NULL AS x FROM item LIMIT 1" --format csv
check "JSON" 0 '\[{"a": 1, "b": 2.5, "c": null, "d": "x\\ny", "e": 0.1}\]' "" \
    -- query --format json --db s.db "SELECT 1 AS a, 2.5 AS b, NULL AS c, 'x
y' AS d, 0.1 AS e"
check "JSON of nothing" 0 '[]' "" -- query --format json --db s.db "SELECT 1 WHERE 0"
check "what a terminal would obey is escaped" 0 $'x*\\x1b\\[31m' "" -- query --db s.db "SELECT char(27) || '[31m' AS x"
check "wide characters are aligned" 0 $'x     y\n----  -\n汉字  1' "" -- query --db s.db "SELECT '汉字' AS x, 1 AS y"
check "cut cells are told" 0 "*…*" "1 cells were cut*" -- query --db s.db "SELECT printf('%.99c', 'x') AS x"
check "REGEXP on answers" 0 "n*1*" "" -- query --db s.db "SELECT '中文 12' REGEXP '^\\w+ \\d{2}$' AS n"
check "REGEXP, a broken pattern" 2 "" "*regular expression 'a(b'*" -- query --db s.db "SELECT 'x' REGEXP 'a(b'"
check "bad SQL" 2 "" $'kvlab: query: near "SELEC": syntax error\n  line 1: SELEC 1\n          ^' -- query --db s.db "SELEC 1"
check "an unknown column" 2 "" "kvlab: query: no such column: colour"* -- query --db s.db "SELECT colour FROM item"
for sql in "DELETE FROM job" "UPDATE score SET value = 1" "INSERT INTO docs VALUES (1, 2, 3)" \
    "DROP TABLE job" "CREATE TABLE x (y)" "ATTACH 'x.db' AS x" "VACUUM" "VACUUM INTO 'x.db'" \
    "PRAGMA user_version = 9" "PRAGMA journal_mode = DELETE" "PRAGMA writable_schema = 1" \
    "BEGIN" "REINDEX" "ANALYZE"; do
    check "refused: $sql" 2 "" "kvlab: query: ${sql%% *}* is refused: this only reads" -- query --db s.db "$sql"
done
check "refused: load_extension" 2 "" "*load_extension*" -- query --db s.db "SELECT load_extension('x')"
check "refused: two statements" 2 "" "*one statement at a time*" -- query --db s.db "SELECT 1; DELETE FROM job"
check "no SQL" 2 "" "kvlab: query: what shall be asked*" -- query --db s.db
check "a missing database is not made" 2 "" "*no database none.db*" -- query --db none.db "SELECT 1"
[[ ! -e none.db && ! -e x.db && $(cksum <s.db) == "$sum" && ! -e s.db-wal ]]
result "nothing was made or changed" $?

# ---- other files ----
echo "not a database, but long enough to be looked at" >text.db
check "not a database" 2 "" "kvlab: text.db is not a kvlab database*" -- status --db text.db
head -c 20000 s.db >cut.db
check "a truncated database" 2 "" "kvlab: cut.db is damaged*" -- report table --db cut.db
cp s.db new.db
sqlite3 new.db "PRAGMA user_version = 42"
check "a newer database" 2 "" "kvlab: new.db is of version 42*" -- query --db new.db "SELECT 1"
sqlite3 alien.db "CREATE TABLE t (x)"
check "another program's database" 2 "" "kvlab: alien.db is another program's*" -- query --db alien.db "SELECT 1"

# ---- status and list ----
check "status with the reasons of failures" 0 \
    $'experiment  done  failed  running  ready*\nsample        70       2        0      0         -          -  *2 failed: prompt of 4200*' "" \
    -- status --db s.db
cp s.db why.db
sqlite3 why.db "UPDATE job SET error = 'qasper[' || id || ']: no room' WHERE error IS NOT NULL"
check "one reason of several items is one" 0 "*sample: 2 failed: no room" "" -- status --db why.db
cp s.db stop.db
sqlite3 stop.db "UPDATE job SET state = 'running', owner = '$(hostname | tr / -)/999999999/x', prediction = NULL,
    finished_at = NULL WHERE id = 1"
check "interrupted jobs are told from running ones" 0 "*sample        69       2        0      1*1 were interrupted*" "" \
    -- status --db stop.db
check "status for programs" 0 '*"done": 69, "failed": 2, "running": 0, "ready": 0, "interrupted": 1*"n": 2*' "" \
    -- status --db stop.db --json
check "list reports" 0 "table *" "" -- list reports
check "list runs" 0 $'run  model  setting*\n  3  mini   kvo-2bit     kvo *6    22       2     0*' "" -- list runs --db s.db

# ---- the examples of reports/README.md ----
before=$n
while read -r sql; do
    run query --db s.db "$sql"
    [[ $rc == 0 && $(wc -l <out) -ge 3 ]] # a head and a row
    result "README: ${sql:0:60}..." $?
done < <(sed -n 's/^    kvlab query "\(SELECT .*\)"$/\1/p' "${KVLAB_TOP:-.}/reports/README.md")
((n - before == 3))
result "README has three examples" $?

echo "1..$n"
((!failed))
