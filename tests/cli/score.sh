#!/bin/bash
# kvlab score, import, export: official files in and out, what is refused, scoring again. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

rc=0
run() {
    "$KVLAB" "$@" >out 2>err
    rc=$?
}
line() { # PRED ANSWER LENGTH [CLASSES]
    printf '{"pred": "%s", "answers": ["%s"], "all_classes": %s, "length": %s}\n' "$1" "$2" "${4:-null}" "$3"
}
query() {
    "$KVLAB" query "$1" --db p.db --format csv | tail -n +2
}

# ---- good files ----
mkdir good
{ line "the cat" "a cat" 100 && line "dog" "a cat" 4000 && line "cat dog" "cat" 7999; } >good/qasper.jsonl
classes='["City", "Country"]'
# The first line alone counts, and the classes are those of the last line.
{ line 'City\nCountry' City 8000 '["x"]' && line 'Country' City 8000 "$classes"; } >good/trec.jsonl
line 'Paragraph 3, 4' 'Paragraph 3' 1 >good/passage_retrieval_en.jsonl
line 'ab' 'abc' 1 >good/lcc.v2.jsonl # the task is the name up to the first dot
echo "not read" >good/readme.txt
run score good -o r.json --items i.jsonl
is "a good folder scores" "0 " "$rc $(cat err)"
is "result.json is eval.py's" '{
    "qasper": 55.56,
    "trec": 50.0,
    "passage_retrieval_en": 50.0,
    "lcc": 80.0
}' "$(cat r.json)"
is "result.json has no line end" "}" "$(tail -c 1 r.json)"
is "items, a line each" '{"task": "qasper", "i": 0, "score": 1.0}' "$(head -n 1 i.jsonl)"
is "seven items" 7 "$(wc -l <i.jsonl)"
like "the table has both averages" "*qasper * 3 *55.56*mean of the 6 categories*mean of the tasks *58.89*" "$(cat out)"
run score good -e -o e.json
is "by length, an empty bucket is a bare NaN" '{
    "qasper": {
        "0-4k": 100.0,
        "4-8k": 33.33,
        "8k+": NaN
    },
    "trec": {
        "0-4k": NaN,
        "4-8k": NaN,
        "8k+": 50.0
    },
    "passage_retrieval_en": {
        "0-4k": 50.0,
        "4-8k": NaN,
        "8k+": NaN
    },
    "lcc": {
        "0-4k": 80.0,
        "4-8k": NaN,
        "8k+": NaN
    }
}' "$(cat e.json)"
run score good --json
is "JSON is JSON" 1 "$(sqlite3 :memory: "SELECT json_valid(readfile('out'))")"
like "JSON has the means" '*"mean_of_tasks":58.89*' "$(cat out)"

# ---- bad files: each is named, the others go on ----
cp -r good bad
: >bad/musique.jsonl
line x y 1 >bad/qaspr.jsonl
line x y 1 >bad/hotpotqa_e.jsonl
{ line x y 1 && echo '{"pred": "x", "all_classes": null}'; } >bad/2wikimqa.jsonl
echo '{"pred": ' >bad/narrativeqa.jsonl
printf '{"pred": "\377"}\n' >bad/samsum.jsonl
{ line 3 'Paragraph 3' 1 && line 3 'no number' 1; } >bad/passage_retrieval_en.jsonl
line x y 1 >bad/lcc.jsonl
run score bad -o r2.json
is "bad files give exit 1" 1 "$rc"
is "the good tasks are scored" $'{\n    "qasper": 55.56,\n    "trec": 50.0,\n    "lcc": 0.0\n}' "$(cat r2.json)"
for want in "*musique.jsonl: is empty; eval.py would end with ZeroDivisionError*" \
    "*qaspr.jsonl: unknown task 'qaspr', did you mean 'qasper'?; eval.py would end with KeyError*" \
    "*hotpotqa_e.jsonl: eval.py knows no task 'hotpotqa_e'*file is hotpotqa.jsonl, too*" \
    "*2wikimqa.jsonl:2: key 'answers' is missing; eval.py would end here with KeyError*" \
    "*narrativeqa.jsonl:1: column *: not valid JSON; eval.py would end here with JSONDecodeError*" \
    "*samsum.jsonl:1: byte 11 is not valid UTF-8; eval.py would*" \
    "*passage_retrieval_en.jsonl:2: answer 1: *no 'Paragraph NUMBER'*; eval.py would end here*" \
    "*lcc.v2.jsonl: task lcc has its predictions in lcc.jsonl; of two files eval.py would keep*"; do
    like "named: $want" "$want" "$(cat err)"
done
is "and nothing else is" 8 "$(wc -l <err)"
sed -i 's/, "length": 4000//' good/qasper.jsonl
run score good -e
like "a length is needed with -e only" "1 *qasper.jsonl:2: key 'length' is missing; eval.py -e would*" \
    "$rc $(cat err)"
run score good
is "and not without" 0 "$rc"

mkdir empty
run score empty
like "no files" "2 *holds no file whose name ends in jsonl*" "$rc $(cat err)"
run score nowhere
like "no folder" "2 *nowhere: No such file*" "$rc $(cat err)"
run score good --backend levenstein
like "an unknown back-end" "2 *must be difflib or levenshtein" "$rc $(cat err)"
run score
like "no argument" "2 *which folder*" "$rc $(cat err)"
run score good --rescore
like "two things at once" "2 *--rescore goes with --db alone" "$rc $(cat err)"

# ---- the database ----
run import good --model theirs --setting full --db p.db
is "import" "0 run 1: 7 predictions, 7 scores" "$rc $(cat out)"
sum=$(query 'SELECT count(*), total(score) FROM item')
run import good --model theirs --setting full --db p.db
is "twice adds nothing" "0 run 1: is there already, nothing added" "$rc $(cat out)"
is "nothing was added" "$sum" "$(query 'SELECT count(*), total(score) FROM item')"
is "origin import" import "$(query 'SELECT DISTINCT origin FROM result')"
sed 's/dog/cat/' good/qasper.jsonl >bad/qasper.jsonl
mkdir other && cp bad/qasper.jsonl other
run import other --model theirs --setting full --db p.db
like "other answers of the same name" "2 *run 1 holds other answers*another --setting" "$rc $(cat err)"
run import other --model theirs --setting mine --db p.db
is "under another name" "0 run 2: 3 predictions, 3 scores" "$rc $(cat out)"
run import bad --model x --db p.db
like "a bad file: nothing is imported" "2 *bad: nothing is imported: 7 of its files are refused" \
    "$rc $(cat err)"
run import good --db p.db
like "no model" "2 *--model NAME says it*" "$rc $(cat err)"
run report table --db p.db
like "the table shows them" "imports: theirs*full *55.6*mine *" "$(cat out)"

run export 1 back --db p.db
is "export" "0 4 files, 7 predictions" "$rc $(cat out)"
for task in qasper trec passage_retrieval_en; do
    is "$task comes back as it was" "" "$(cmp good/$task.jsonl back/$task.jsonl 2>&1)"
done
run score back -o r3.json
is "and scores the same" "$(cat r.json)" "$(cat r3.json)"
run export 1 back --db p.db
like "nothing is written over" "2 *is there already*" "$rc $(cat err)"
run export 7 nothing --db p.db
like "an unknown run" "2 *has no run 7" "$rc $(cat err)"
run export 1 nothing -e --db p.db
like "no E tasks" "2 *no predictions of LongBench-E's tasks*" "$rc $(cat err)"
run import good -e --model theirs --db q.db
is "an E folder needs lengths" 2 "$rc"
sed -i 's/null}$/null, "length": 4000}/' good/qasper.jsonl
for id in r1 r1; do line City City 8000 "$classes" | sed 's/}$/, "_id": "'"$id"'"}/'; done >good/trec.jsonl
run import good -e --model theirs --db q.db
like "an id that is twice" "2 *trec.jsonl:2: '_id' r1 was there before" "$rc $(cat err)"
sed -i '2s/r1/r2/' good/trec.jsonl
run import good -e --model theirs --db q.db
is "an E import" "0 run 1: 7 predictions, 7 scores" "$rc $(cat out)"
is "its tasks" "lcc_e passage_retrieval_en_e qasper_e trec_e" \
    "$("$KVLAB" query 'SELECT task FROM result ORDER BY task' --db q.db --format csv | tail -n +2 | xargs)"
run export 1 back_e -e --db q.db
is "ids come back" "" "$(cmp good/trec.jsonl back_e/trec.jsonl 2>&1)"

# ---- scoring again: versions and scores are set back by hand ----
run score --rescore --db p.db
is "nothing to score" "0 0 scores added, 0 items still without one" "$rc $(cat out)"
before=$(query "SELECT task, sample, score, metric_version FROM item ORDER BY 1, 2")
sqlite3 p.db "UPDATE score SET metric_version = 0, value = 0.123 WHERE job IN (SELECT job FROM item WHERE task = 'trec');
    DELETE FROM score WHERE job IN (SELECT job FROM item WHERE task = 'qasper')"
run score --rescore --db p.db
is "older and missing scores are made" "0 8 scores added, 0 items still without one" "$rc $(cat out)"
is "the views have the newest" "$before" \
    "$(query "SELECT task, sample, score, metric_version FROM item ORDER BY 1, 2")"
is "the old ones stay" 2 "$(sqlite3 p.db "SELECT count(*) FROM score WHERE metric_version = 0")"
run score --rescore --db p.db
is "once is enough" "0 0 scores added, 0 items still without one" "$rc $(cat out)"

# ---- a run of our own ----
cat >own.json <<'END'
{"name": "own", "model": "mini", "samples": 2, "data": {"words": 60}, "tasks": ["mini_doc_qa", "mini_code"],
 "settings": [{"name": "full", "chain": ["full"]}]}
END
run run own.json --db o.db
is "our own run" 0 "$rc"
run export 1 own --db o.db
is "is exported" "0 2 files, 4 predictions" "$rc $(cat out)"
run score own --json
want=$("$KVLAB" query "SELECT group_concat(round(score, 2), ' ') FROM (SELECT score FROM result ORDER BY task DESC)" \
    --db o.db --format csv | tail -n 1)
is "and scores as in the database" "$want" \
    "$(sqlite3 :memory: "SELECT group_concat(0.0 + json_extract(value, '$.score'), ' ')
        FROM json_each(readfile('out'), '$.tasks')")"
like "with ids" '*"_id": "*' "$(head -n 1 own/mini_code.jsonl)"
done_testing
