#!/bin/bash
# Accuracy tables of others: configs/papers can be planned, published numbers are stored and stand beside
# ours, predictions that third parties committed give their tables again. Those are not part of the
# repository: KVLAB_SHARED/golden/predictions, and for Quest's curve KVLAB_QUEST, the folder
# LongBench/pred/longchat-v1.5-7b-32k of thuEcstasy/attn. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
top=$(cd "$here/../.." && pwd)
KVLAB=${KVLAB:-$top/kvlab}
shared=${KVLAB_SHARED:-$top/../shared}
papers=$top/configs/papers
skip() { # NAME WHY
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
rc=0
run() {
    "$KVLAB" "$@" >out 2>err
    rc=$?
}
query() {
    "$KVLAB" query "$1" --db p.db --format csv | tail -n +2
}

# ---- experiments: a plan, or what is missing ----
missing="2 kvlab: *: model '*': name the folder of its checkpoint, as \"dir\" or --model-dir"
for file in "$papers"/*.json; do
    name=${file##*/}
    run plan "$file"
    # shellcheck disable=SC2254
    like "$name says which model is missing" "$missing" "$rc $(cat err)"
    run plan "$file" --model mini
    like "$name says what data is missing" "2 kvlab: *reads LongBench's files: name their folder as data.data_dir*" \
        "$rc $(cat err)"
    [[ $name == kvo_* ]] && continue # tasks of kvo.json
    if [[ -d $shared/golden/longbench ]]; then
        run plan "$file" --model mini --set data.data_dir="$shared/golden/longbench" --limit 1 \
            --set protocol.max_prompt_tokens=200 --db none.db
        like "$name has a plan" "0 *settings *" "$rc $(cat out)"
    else
        skip "$name has a plan" "third-party data is not here (KVLAB_SHARED)"
    fi
done

# ---- published numbers: stored once, corrected as another version ----
run import --published --db p.db
is "all papers" "0 9" "$rc $(grep -c 'of them new' out)"
like "averages that do not come out are told" "*longbench: 6 of 112 stated averages are not what*" "$(cat err)"
is "all numbers" "$(tail -q -n +2 "$papers"/published/*.csv | wc -l)" "$(query 'SELECT count(*) FROM published')"
like "with their source" "20.79|*KIVI docs/long_bench.md, Table 1; 2 bits; group 32; residual 128" "$(query "
    SELECT score || '|' || source FROM result WHERE origin = 'published' AND setting = 'KIVI-2' AND task = 'narrativeqa'
    AND model LIKE 'longchat%'" | tr -d '"')"
sum() {
    query "SELECT count(*) || ' ' || total(score) || ' ' || (SELECT count(*) FROM run) || ' ' ||
        (SELECT max(plans) FROM experiment) FROM published"
}
before=$(sum)
run import --published --db p.db
is "twice changes nothing" "0 9 $before" "$rc $(grep -c 'is there already, nothing added' out) $(sum)"
sed 's/^\(kivi,Table 1.*KIVI-2,qasper,\)28.69/\128.96/' "$papers/published/kivi.csv" >fixed.csv
run import --published fixed.csv --db p.db
is "a corrected number makes one row anew" "0 kivi: 96 numbers, 6 rows, 1 of them new" "$rc $(cat out)"
run report against kivi --db p.db --format csv
like "which is the one that is shown" "*KIVI-2,qasper,0,28.96,*" "$(cat out)"
is "the old one stays" "28.69 28.96" "$(query "SELECT score FROM result WHERE setting = 'KIVI-2' AND task = 'qasper'
    AND model LIKE 'longchat%' AND origin = 'published' ORDER BY 1" | xargs)"
run import --published kivi --db p.db
is "the first version again is nothing new" "0 kivi: 96 numbers, 6 rows, 0 of them new" "$rc $(cat out)"
run report against kivi --db p.db --format csv
like "but shown again" "*KIVI-2,qasper,0,28.69,*" "$(cat out)"

# ---- what is refused ----
run import --published kiwi --db p.db
like "an unknown paper" "2 *no published numbers of 'kiwi', did you mean 'kivi'?*" "$rc $(cat err)"
run import --published nowhere.csv --db p.db
like "no file" "2 *nowhere.csv*" "$rc $(cat err)"
bad() { # NAME SED PATTERN
    sed -e "$2" "$papers/published/kivi.csv" >bad.csv
    run import --published bad.csv --db new.db
    like "$1" "2 kvlab: bad.csv:$3" "$rc $(cat err)"
}
bad "an unknown task" '3s/qasper/qaspar/' "3: task is 'qaspar'*did you mean 'qasper'?"
bad "a score that cannot be" '4s/43.15/431.5/' "4: score is '431.5', must be a number from 0 to 100"
bad "a doubled line" '5{p}' "6: model 'longchat-v1.5-7b-32k'*are in line 5, too"
bad "a cut file" '9s/,fp16.*//' "9: 10 fields, must be 11"
is "nothing of it is stored" 0 "$("$KVLAB" query --db new.db --format csv 'SELECT count(*) FROM run' | tail -n 1)"
run import --published kivi --model x --db p.db
like "numbers have no model" "2 *--published goes with --db alone" "$rc $(cat err)"
run report against kivvi --db p.db
like "a report of an unknown paper" "2 *no published numbers of 'kivvi', did you mean 'kivi'?*" "$rc $(cat err)"
run report against kivi KIVI-3=full --db p.db
like "an unknown setting of theirs" "2 *kivi has no setting or model 'KIVI-3', did you mean 'KIVI-2'?" "$rc $(cat err)"
run report against kivi KIVI-2 --db p.db
like "half a pair" "2 *'KIVI-2' must be THEIRS=OURS*" "$rc $(cat err)"
run report against --db p.db
is "no paper" 2 "$rc"
run report against kivi --db none_at_all.db
is "no database" 2 "$rc"
"$KVLAB" import --published kivi --db only.db >out 2>&1
run report table --db only.db
like "published numbers are no experiment of ours" "2 *holds no experiment yet*" "$rc $(cat err)"
run report against kivi --db only.db
like "nothing of ours: each setting is named" "0 *longchat-v1.5-7b-32k, KIVI-2 (KIVI fp16): none of our runs*" "$rc $(cat out)"

# ---- ours beside theirs: made-up answers ----
mkdir ours
score_of() { # TASK RIGHT WRONG: a file of so many right and wrong answers
    for ((i = 0; i < $2 + $3; i++)); do
        echo "{\"pred\": \"$((i < $2 ? 1 : 2))\", \"answers\": [\"1\"], \"all_classes\": null, \"length\": 1}"
    done >"ours/$1.jsonl"
}
score_of qasper 30 70      # 30 +- 4.606; KIVI's full cache: 29.42
score_of narrativeqa 40 60 # 40 +- 4.924; 20.65
"$KVLAB" import ours --model longchat-v1.5-7b-32k --setting full --db p.db >out
run report against kivi --db p.db
like "a difference in units of our error" "*qasper * 29.42 * 30.00 * 4.61 * 100 * +0.58 * +0.1*" "$(cat out)"
like "a large one is marked" "*narrativeqa * 20.65 * 40.00 * 4.92 * 100 * +19.35† * +3.9*" "$(cat out)"
like "the mean of what both have" "*mean of the 2 tasks of both \* * 25.04 * 35.00 * 3.37 * 200 * +9.96† * +3.0*" "$(cat out)"
like "what is missing is named" "*run * has no score of multifieldqa_en, hotpotqa, *repobench-p.*" "$(tr '\n' ' ' <out | sed 's/  */ /g')"
run report against quest --db p.db --format csv
want=$(awk 'BEGIN { a = 30; b = 28.84; se = 100 * sqrt(0.3 * 0.7 / 99); printf "%.6f %.6f", (a - b) / se, (a - b) / sqrt(se * se + 1.99 * 1.99) }')
is "both errors where both are known" "$want" \
    "$(awk -F, '$4 == "full" && $5 == "qasper" { printf "%.6f %.6f", $(NF - 1), $NF }' out)"
"$KVLAB" import ours --model longchat-v1.5-7b-32k --setting "two bits" --db p.db >out
run report against kivi "KIVI-2=two bits" --db p.db --format csv
like "THEIRS=OURS" "*kivi,longchat-v1.5-7b-32k,KIVI fp16,KIVI-2,qasper,0,28.69,*two bits*" "$(cat out)"
run report against kivi "KIVI-2=too bits" --db p.db
like "an unknown one of ours" "2 *no setting or model of ours 'too bits', did you mean 'two bits'?" "$rc $(cat err)"
for format in text markdown csv json latex html; do
    run report against kivi --db p.db --format "$format"
    cp out first
    run report against kivi --db p.db --format "$format"
    is "$format, twice the same" "0 " "$rc $(cmp first out)"
done

# ---- among very many settings ----
"$(dirname "$KVLAB")/tools/bigdb" many.db --settings 80 --tasks 2 --items 4 >out 2>err
"$KVLAB" import --published kivi --db many.db >out
run report against kivi longchat-v1.5-7b-32k=made-up-7b --db many.db
like "a model behind 80 settings is found" "0 *: made-up-7b, full, longbench*" "$rc $(cat out)"

# ---- third parties' predictions give their tables ----
# Rounded by awk: as Python's round() of the binary value, which SQL's round() is not.
flat() { # FILE: result.json as lines of task, bucket and score
    awk -F'"' '/\{$/ && NF > 1 { task = $2 " "; next } /^    }/ { task = ""; next }
        NF > 1 { gsub(/[:, ]/, "", $3); if ($3 != "NaN") print task $2, $3 + 0 }' "$1" | LC_ALL=C sort
}
# lcc and repobench-p were scored with the back-end that was installed.
declare -A backend=([gal__pred_e__allam]=levenshtein [rwkv__pred__rwkv_6_v2_7b]=levenshtein)
buckets="CASE WHEN a.length < 4000 THEN '0-4k' WHEN a.length < 8000 THEN '4-8k' ELSE '8k+' END"
finer="CASE WHEN a.length < 4000 THEN '0-4k' WHEN a.length < 8000 THEN '4-8k' WHEN a.length < 16000 THEN '8-16k'
    WHEN a.length < 32000 THEN '16-32k' ELSE '32k+' END"
by_length() { # MODEL BUCKETS: as scorer_e
    query "SELECT substr(t.name, 1, length(t.name) - 2) || ' ' || $2 || ' ' || printf('%!.20g', 10000 * avg(s.value)) AS line
        FROM run r JOIN model m ON m.id = r.model JOIN job j ON j.run = r.id JOIN task t ON t.id = j.task
        JOIN sample a ON a.hash = j.sample_hash JOIN score s ON s.job = j.id AND s.metric = t.metric
        WHERE m.name = '$1' GROUP BY t.name, $2" | awk '{ print $1, $2, sprintf("%.0f", $3) / 100 }' | LC_ALL=C sort
}
rm -f p.db
any=
for dir in "$shared"/golden/predictions/*/; do
    [[ -e $dir/result.json ]] || continue
    any=yes name=$(basename "$dir")
    flags=(--backend "${backend[$name]:-difflib}")
    [[ $name == *pred_e* ]] && flags+=(-e)
    run import "$dir" --model "$name" --setting full --db p.db "${flags[@]}"
    is "$name is imported" 0 "$rc"
    flat "$dir/result.json" >want
    if [[ $name != *pred_e* ]]; then
        query "SELECT task || ' ' || printf('%!.20g', score) FROM result WHERE model = '$name'" |
            awk '{ print $1, sprintf("%.2f", $2) + 0 }' | LC_ALL=C sort >got
    elif grep -q 8-16k want; then
        by_length "$name" "$finer" >got
    else
        by_length "$name" "$buckets" >got
    fi
    is "$name: its result.json, $(wc -l <want) numbers" "" "$(diff want got)"
done
[[ $any ]] || skip "tables of third parties" "their predictions are not here (KVLAB_SHARED)"
if [[ $any ]]; then
    run report table --db p.db --experiment imports --model viridis__pred__llama2-7b-chat-4k --format csv
    like "the table has its row" "*18.9*" "$(cat out)"
    rm -f p.db
    "$KVLAB" import "$shared/golden/predictions/viridis__pred__llama2-7b-chat-4k" --model llama2-7b-chat-4k \
        --setting full --db p.db >out
    "$KVLAB" import --published --db p.db >out 2>&1
    run report against viridisgreen --db p.db --format csv
    is "published and regenerated: 22 stated numbers, none differs in its digits" "22 0" "$(awk -F, '
        $1 == "viridisgreen" && $2 == "llama2-7b-chat-4k" && $6 == 0 { n++; d = $(NF - 2); bad += d > 0.00501 || d < -0.00501 }
        END { print n + 0, bad + 0 }' out)"
    run report against longbench --db p.db
    like "the leaderboard's mean" "*mean of 6 categories (en) * 31.00 * 32.74 * 0.47 *" "$(cat out)"
    is "is that of kvlab score" 32.74 "$("$KVLAB" score "$shared/golden/predictions/viridis__pred__llama2-7b-chat-4k" --json |
        grep -oE '"english":.*' | grep -oE '"mean_of_categories":[0-9.]*' | head -n 1 | awk -F: '{ printf "%.2f", $2 }')"
    run report against cakekv --db p.db
    like "the mean of others with its error" "*mean of 16 tasks * 33.06 * 33.06 * 0.49 *" "$(cat out)"
fi

# ---- the paired analysis of Quest's budgets ----
quest=${KVLAB_QUEST:-$shared/golden/quest}
if [[ ! -e $quest/qasper-full.jsonl ]]; then
    skip "Quest's curve, paired" "its predictions are not here (KVLAB_QUEST)"
    done_testing
fi
rm -f p.db
for budget in full 512 1024 2048 4096; do
    mkdir -p "q$budget"
    for task in qasper narrativeqa hotpotqa multifieldqa_en triviaqa gov_report; do
        cp "$quest/$task-$budget.jsonl" "q$budget/$task.jsonl"
    done
    [[ $budget == full ]] && setting=full || setting="Quest $budget"
    "$KVLAB" import "q$budget" --model longchat-v1.5-7b-32k --setting "$setting" --db p.db >out
done
is "differences and their paired standard errors" "$(
    cat <<'END'
512 gov_report -3.01 0.58
512 hotpotqa -1.07 1.97
512 multifieldqa_en +0.12 1.81
512 narrativeqa +0.09 1.29
512 qasper +2.16 1.89
512 triviaqa -5.59 1.96
1024 gov_report -1.10 0.49
1024 hotpotqa +0.62 1.66
1024 multifieldqa_en -0.13 1.54
1024 narrativeqa +0.76 1.28
1024 qasper +1.99 1.78
1024 triviaqa -1.46 1.45
2048 gov_report +0.72 0.37
2048 hotpotqa +3.22 1.60
2048 multifieldqa_en +1.68 1.35
2048 narrativeqa +1.29 0.89
2048 qasper +2.49 1.21
2048 triviaqa -0.17 1.05
4096 gov_report +0.43 0.38
4096 hotpotqa +1.73 1.23
4096 multifieldqa_en +0.17 0.89
4096 narrativeqa +0.82 1.00
4096 qasper +0.77 0.86
4096 triviaqa +0.25 0.38
END
)" "$(query "SELECT substr(setting, 7) || ' ' || task || printf(' %+.2f %.2f', difference, stderr) FROM comparison
    ORDER BY CAST(substr(setting, 7) AS INTEGER), task")"
is "of the five F1 tasks" "512 -0.86 0.81 1024 +0.36 0.69 2048 +1.70 0.56 4096 +0.75 0.41" "$(query "
    SELECT substr(setting, 7) || printf(' %+.2f %.2f', avg(difference), sqrt(sum(stderr * stderr)) / count(*))
    FROM comparison WHERE task <> 'gov_report' GROUP BY setting ORDER BY CAST(substr(setting, 7) AS INTEGER)" | xargs)"
"$KVLAB" import --published quest --db p.db >out
run report against quest --db p.db --format csv
is "and the curve as published" "30 0" "$(awk -F, '$6 == 0 && $1 == "quest" { n++; bad += $(NF - 2) > 0.00501 || $(NF - 2) < -0.00501 }
    END { print n + 0, bad + 0 }' out)"
done_testing
