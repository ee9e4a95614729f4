#!/bin/bash
# kvlab report ema over a made-up database (tests/unit/test_ema.c), and experiments over lengths.
# Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
"$(dirname "$KVLAB")/tests/test_ema" m.db || { echo "not ok 1 - the database is made"; exit 1; }

report() {
    "$KVLAB" report ema --db m.db "$@" >out 2>err
}

# ---- the report ----
report
is "the report ends with 0" 0 $?
is "it is as it was" "" "$(diff "$here/data/ema/report.txt" out)"
[[ $(wc -L <out) -le 100 ]]
is "in lines of 100 columns" 0 $?
report --format markdown
like "Markdown repeats the setting" "*| kvo | 3,500 | 2 | 92.36 | 93.98 | 92.36 | 86.59 |*" "$(cat out)"
is "Markdown has a heading a block" 6 "$(grep -c '^#### ' out)"
report --format csv
is "CSV has a line a setting and length" 13 "$(wc -l <out)"
is "and equally many fields in each" 1 "$(sed 's/"[^"]*"//g' out | awk -F, '{print NF}' | sort -u | wc -l)"
like "with all digits" "*seven,kvo,kvo,kvo,3500,2,2,140181504,1835008000,524288,*,92.36071428571428,*,86.58816964285714,*" \
    "$(cat out)"
report --model other
is "a model that is not there" "2 kvlab: the experiment has no model 'other'; it has: seven" "$? $(cat err)"

# ---- one task at several lengths ----
lengths='tasks=[{"name": "mini_doc_qa", "words": 60}, {"name": "mini_doc_qa", "words": 200}]'
settings='settings=[{"name": "full", "chain": ["full"]}]'
ema=${KVLAB_HOME:-.}/configs/ema.json
like "configs/ema.json is a plan" "*of 32500 words*items       48 *" "$("$KVLAB" plan "$ema" 2>&1)"
"$KVLAB" run "$ema" --db l.db --limit 1 --set "$lengths" --set "$settings" >out 2>err
is "a task at two lengths runs" 0 $?
like "its columns say which" "*doc_qa words 60 doc_qa words 200*" "$(tr -s ' \n' ' ' <out)"
is "two prompts" 2 "$("$KVLAB" query --db l.db --format csv "SELECT count(DISTINCT prompt_tokens) FROM item" | tail -n 1)"

# ---- of real caches ----
kvo='settings=[{"name": "full", "chain": ["full"]}, {"name": "kvo", "chain": [{"kvo": {"first_layer": 3, "window": 32}}]}]'
"$KVLAB" run "$ema" --db c.db --limit 1 --set "$lengths" --set "$kvo" >out 2>err
"$KVLAB" report ema --db c.db >out 2>err
is "a run's own bytes are reported" 0 $?
like "of the full cache nothing is less" "*full * 1   0.00      0.00       -      -   0.00 *" "$(cat out)"
ask() {
    "$KVLAB" query --db c.db --format csv "$1" | tail -n 1
}
is "every item has its bytes by class" 4 "$(ask "SELECT count(*) FROM traffic WHERE written_bytes > 0")"
is "classes add up to what the item has" 4 \
    "$(ask "SELECT count(*) FROM traffic t JOIN job j ON j.id = t.job WHERE t.held_bytes - j.kv_bytes BETWEEN 0 AND 9
            AND t.read_bytes - j.kv_read_bytes BETWEEN 0 AND 9")"
is "uncompressed layers are 16-bit rows" 4 \
    "$(ask "SELECT count(*) FROM traffic WHERE method = 'full' AND rows_held_bytes = full_bytes AND
            rows_read_bytes = read_full_bytes OR method = 'kvo' AND rows_held_bytes = full_bytes * dense_share AND
            rows_read_bytes = read_full_bytes * dense_share AND dense_share = 0.375")"

# ---- mistakes ----
"$KVLAB" run "$ema" --db l.db --set "${lengths/60/200}" --set "$settings" >out 2>err
is "the same length twice is refused" 2 $?
like "by name" "*tasks\[1\]: task 'mini_doc_qa' is listed twice with equal words and seed*" "$(cat err)"
done_testing
