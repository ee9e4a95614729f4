#!/bin/bash
# Metrics without generation: nll, kl and agree of the reference answers. Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

config() { # METRIC [SETTINGS]
    cat <<C
{"name": "diag", "model": "mini", "samples": 4, "data": {"seed": 5, "words": 200},
 "tasks": ["mini_report", "mini_code"], "protocol": {"preset": "longbench", "metric": $1},
 "settings": [{"name": "full", "chain": ["full"]}, {"name": "recent", "chain": [{"recent": {"kept": 0.25}}]},
              {"name": "rtn {key_bits}", "chain": ["rtn"], "zip": {"key_bits": [8, 4, 1], "value_bits": [8, 4, 1]}},
              {"name": "kvo", "chain": ["kvo"]}]}
C
}
ask() { "$KVLAB" query --db a.db --format csv "$1" | tail -n +2; }

config '["task", "nll", "kl", "agree"]' >c.json
"$KVLAB" run c.json --db a.db >out 2>err
is "a run under four metrics" 0 $?
is "each is a protocol of its own" 4 "$(ask 'SELECT count(*) FROM protocol')"
for metric in nll kl agree; do
    like "$metric stands in a caption" "*protocol longbench, metric $metric,*" "$(cat out)"
done
like "and what the numbers are" "*Metrics nll and kl: hundredths of a nat a token, the less the better.*" "$(cat out)"
is "the full cache agrees with itself" "0,100" "$(ask "SELECT
    (SELECT avg(score) FROM item WHERE setting = 'full' AND metric = 'kl'),
    (SELECT avg(score) FROM item WHERE setting = 'full' AND metric = 'agree')")"
is "it expects its answers" 1 "$(ask "SELECT avg(score) < 5 FROM item WHERE setting = 'full' AND metric = 'nll'")"
mean_kl() { ask "SELECT avg(score) FROM item WHERE setting = '$1' AND metric = 'kl'"; }
is "fewer bits diverge more, and rounding on arrival does" "1 1" "$(awk -v a="$(mean_kl 'rtn 8')" -v b="$(mean_kl 'rtn 4')" \
    -v c="$(mean_kl 'rtn 1')" -v d="$(mean_kl kvo)" 'BEGIN { print (0 < a && a < b && b < c) " " (d > 0) }')"
is "what is lost costs" 1 "$(ask "SELECT avg(score) > 10 FROM item WHERE setting = 'recent' AND metric = 'nll'")"
is "the answers are as long as the references" taught "$(ask "SELECT group_concat(DISTINCT stop) FROM item WHERE metric = 'kl'")"
is "scored as the table says" 1 "$(ask "SELECT count(DISTINCT metric_version) FROM item WHERE metric = 'kl'")"

# Stopped and gone on with: the same numbers.
config '"kl"' >one.json
"$KVLAB" run one.json --db c.db --limit 1 >out 2>err
"$KVLAB" run one.json --db c.db >out 2>err
is "a run that goes on" 0 $?
is "has the same numbers" "$(ask "SELECT setting, task, sample_index, score FROM item WHERE metric = 'kl' ORDER BY 1, 2, 3")" \
    "$("$KVLAB" query --db c.db --format csv "SELECT setting, task, sample_index, score FROM item ORDER BY 1, 2, 3" | tail -n +2)"
like "of lower numbers the lowest is the best" "*rtn 8*|*\*\*0.0\*\**" "$("$KVLAB" report table --db c.db --format markdown | grep 'rtn 8')"

like "and nothing beats the full cache" "full*| 1 | *" "$("$KVLAB" report pareto --db c.db --format csv |
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "setting") s = i; if ($i == "front") f = i } }
             /,full,/ { print $(s + 1) " | " $(f + 1) " | " }')"
like "more is worse" "*Worst: 5 of * items on which B is worse*" "$("$KVLAB" report compare full "rtn 1" --db c.db)"

sed 's/"samples": 4/"samples": 2/; s/"preset"/"max_new_tokens": 1, "preset"/' one.json >short.json
"$KVLAB" run short.json --db d.db >out 2>err
is "answers of one token fail" 1 $?
like "and say what would show them" "*compress_at context*" "$(
    "$KVLAB" query --db d.db --format csv "SELECT DISTINCT error FROM item")"
sed 's/"preset"/"compress_at": "context", "preset"/' short.json >late.json
"$KVLAB" run late.json --db d.db >out 2>err
is "which it does" 0 $?

# Any text: the same windows by awk, where every line is a place to cut at.
words() { awk -v n="$1" -v seed="$2" 'BEGIN { srand(seed); for (i = 1; i <= n; i++)
    printf "%s%s", "w" int(rand() * 900), i % 7 ? " " : "\n" }'; }
words 400 1 >one.txt
words 150 2 >two.txt
text() { # PROTOCOL TASKS
    echo "{\"name\": \"text\", \"model\": \"mini\", \"protocol\": {$1}, \"tasks\": [$2],
        \"settings\": [\"full\", {\"name\": \"recent\", \"chain\": [{\"recent\": {\"kept\": 0.25}}]}]}" |
        sed 's/"full"/{"name": "full", "chain": ["full"]}/'
}
text '"metric": ["nll", "kl"]' '{"name": "text", "file": ["one.txt", "two.txt"], "words": 100, "answer": 20}' >text.json
"$KVLAB" run text.json --db t.db >out 2>err
is "a run over texts" 0 $?
"$KVLAB" run text.json --db t.db >out 2>err
told() { "$KVLAB" query --db t.db --format csv "$1" | tail -n +2; }
is "as many windows as fit" "one.txt 3,two.txt 1" "$(told "SELECT group_concat(f, ',') FROM (SELECT
    substr(t.data, 1, 7) || ' ' || count(DISTINCT i.sample_index) AS f FROM item i JOIN task t ON t.id = i.task_id GROUP BY t.data ORDER BY 1)" | tr -d '"')"
is "of so many tokens each" "20" "$(told "SELECT group_concat(DISTINCT new_tokens) FROM item")"
is "full against itself" 0 "$(told "SELECT max(score) FROM item WHERE setting = 'full' AND metric = 'kl'")"
is "what is lost shows" 1 "$(told "SELECT min(score) > 0 FROM item WHERE setting = 'recent' AND metric = 'kl'")"
is "a reference is what follows" "$(tr '\n' ' ' <one.txt | cut -d' ' -f201-204)" "$(told "SELECT DISTINCT json_extract(answers, '\$[0]') FROM item
    WHERE sample = 'window 1' AND data LIKE 'one.txt%'" | tr '\n"' '  ' | xargs | cut -d' ' -f1-4)"
refuse() { # WHAT PATTERN PROTOCOL TASKS
    text "$3" "$4" >bad.json
    "$KVLAB" run bad.json --db bad.db >out 2>err
    is "$1 is refused" 2 $?
    like "$1: named" "$2" "$(cat err)"
}
printf 'a b c\nd \377 f\n' >latin.txt
kl='"metric": "kl"'
refuse "a text with the tasks' own metric" "*task 'text'*protocol.metric*nll, kl or agree*" '"bos": true' '{"name": "text", "file": "one.txt"}'
refuse "a text without a file" "*tasks?0?*task 'text'*'file'*" "$kl" '"text"'
refuse "a file that is not there" "*nowhere.txt*" "$kl" '{"name": "text", "file": "nowhere.txt"}'
refuse "a text that is none" "*latin.txt:2: byte 0xff is not UTF-8*" "$kl" '{"name": "text", "file": "latin.txt"}'
refuse "a text that is too short" "*two.txt: no 200 words and 64 behind them*" "$kl" '{"name": "text", "file": "two.txt", "words": 200}'
refuse "a file for another task" "*key 'file' is of task 'text', not of 'mini_code'*" "$kl" '{"name": "mini_code", "file": "one.txt"}'
refuse "a seed list of a text" "*key 'seed' is a list*" "$kl" '{"name": "text", "file": "one.txt", "seed": [1, 2]}'
refuse "the same text twice" "*listed twice with equal file, words and answer*" "$kl" '{"name": "text", "file": "one.txt"}, {"name": "text", "file": "one.txt"}'
refuse "an answer of none" "*answer*" "$kl" '{"name": "text", "file": "one.txt", "answer": 0}'

config '"klx"' >bad.json
"$KVLAB" run bad.json --db e.db >out 2>err
is "an unknown metric is refused" 2 $?
like "with those there are" "*metric*klx*nll*" "$(cat err)"
like "kvlab list metrics has them" "*nll*nats*kl*full cache*agree*" "$("$KVLAB" list metrics)"

# ---- by layer ----
layered() { # OPTIONS [METRIC]
    cat <<C
{"name": "layers", "model": "mini", "samples": 3, "data": {"seed": 5, "words": 200},
 "tasks": ["mini_report"], "protocol": {$1, "metric": "${2:-nll}"},
 "settings": [{"name": "full", "chain": ["full"]}, {"name": "recent", "chain": [{"recent": {"kept": 0.25}}]},
              {"name": "rtn", "chain": ["rtn"]}, {"name": "adakv", "chain": ["snapkv", "adakv"]}, {"name": "kvo", "chain": ["kvo"]}]}
C
}
of() { "$KVLAB" query --db "$1" --format csv "$2" | tail -n +2; }
all_layers="SELECT i.setting, i.sample_index, i.score, l.layer, l.key_error, l.value_error, l.mass_lost
    FROM item i LEFT JOIN layer_error l ON l.job = i.job ORDER BY 1, 2, 4"
layered '"layers": true' >layers.json
"$KVLAB" run layers.json --db f.db >out 2>err
is "a run that looks at layers" 0 $?
is "has a row for each item and layer" "120 15 8" "$(of f.db "SELECT count(*) || ' ' || count(DISTINCT job) || ' ' || count(DISTINCT layer) FROM layer_error")"
share() { of f.db "SELECT $2 FROM layer_error l JOIN item i ON i.job = l.job WHERE setting = '$1'"; }
is "nothing is off in the full cache" "0,0,0" "$(share full "max(key_error) + 0, max(value_error) + 0, max(mass_lost) + 0" | sed 's/\.0//g')"
is "rows that stay are whole, and attention is lost" "1,1" "$(share recent "max(key_error) = 0, min(mass_lost) > 0.1")"
is "coarse rows are off, and no attention is lost" "1,1" "$(share rtn "min(key_error) > 0.01 AND max(key_error) < 0.2, max(mass_lost) = 0")"
is "what is chosen by its attention loses less" 1 "$(awk -v a="$(share adakv "avg(mass_lost)")" -v b="$(share recent "avg(mass_lost)")" 'BEGIN { print (0 < a && a < b) }')"
is "layers are the model's, in order: kvo leaves two alone" "0,0|1,0|2,1|3,1|4,1|5,1|6,1|7,1" \
    "$(of f.db "SELECT layer, min(key_error) > 0.01 FROM layer_error l JOIN item i ON i.job = l.job WHERE setting = 'kvo' GROUP BY layer" | paste -sd '|')"
"$KVLAB" query --example layer_error --db f.db >out
is "there is a question about it" 0 $?
like "which it answers" "*model*setting*layer*key error %*value error %*attention lost %*" "$(cat out)"
is "for one task" 0 "$("$KVLAB" query --example layer_error --param task=mini_code --db f.db --format csv | tail -n +2 | wc -l)"

for options in '"layers": false' '"preset": "longbench"'; do
    layered "$options" >plain.json
    "$KVLAB" run plain.json --db g.db >out 2>err
done
is "without it there are no rows, and false says nothing" "0 1 15" \
    "$(of g.db "SELECT (SELECT count(*) FROM layer_error) || ' ' || (SELECT count(*) FROM protocol) || ' ' || (SELECT count(*) FROM job)")"
layered '"layers": [false, true]' kl >both.json
"$KVLAB" run both.json --db both.db >out 2>err
like "two protocols that differ in that alone have names of their own" \
    "0 *protocol longbench, metric kl, 5 settings*protocol longbench, metric kl, layers, 5 settings*" "$? $(cat out)"
is "the scores are the same" "$(of g.db "SELECT setting, sample_index, score FROM item ORDER BY 1, 2")" \
    "$(of f.db "SELECT setting, sample_index, score FROM item ORDER BY 1, 2")"
layered '"layers": true, "decode_tail": 20' agree >tail.json
"$KVLAB" run tail.json --db h.db --threads 1 --workers 1 >out 2>err
is "the prompt's last tokens may be steps, too" "0 120" "$? $(of h.db "SELECT count(*) FROM layer_error WHERE mass_lost IS NOT NULL")"

# Stopped, killed, and gone on with: each row once, and what it was.
"$KVLAB" run layers.json --db i.db --limit 1 >out 2>err
for pause in 0.2 0.3 0.5; do
    "$KVLAB" run layers.json --db i.db >out 2>err &
    pid=$!
    sleep "$pause"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
done
"$KVLAB" run layers.json --db i.db >out 2>err
is "a killed run goes on" 0 $?
of f.db "$all_layers" >want
of i.db "$all_layers" >got
is "with the same rows" "" "$(diff want got)"
"$KVLAB" run layers.json --db j.db --floats >out 2>err
of j.db "SELECT layer, setting, mass_lost > 0.01, key_error > 0.01 FROM layer_error l JOIN item i ON i.job = l.job GROUP BY 1, 2" >got
of f.db "SELECT layer, setting, mass_lost > 0.01, key_error > 0.01 FROM layer_error l JOIN item i ON i.job = l.job GROUP BY 1, 2" >want
is "floats show the same" "" "$(diff want got)"
"$KVLAB" db merge k.db g.db f.db >out
is "a merge takes them along" "0 120" "$? $(of k.db "SELECT count(*) FROM layer_error")"
"$KVLAB" db prune k.db --experiment layers --yes >out
is "and pruning does" "0 0" "$? $(of k.db "SELECT count(*) FROM layer_error")"

layered '"layers": true' task >bad.json
"$KVLAB" run bad.json --db l.db >out 2>err
is "answers of the model's own have no layers" 2 $?
like "which is said" "*layers: true*metric nll, kl or agree*" "$(cat err)"
layered '"layer": true' >bad.json
"$KVLAB" run bad.json --db l.db >out 2>err
like "a slip is named" "2 *layer*layers*" "$? $(cat err)"

done_testing
