#!/bin/bash
# What a plan says before a run: prompts, tokens, time, memory, the smallest difference; with no database, half of
# one, all of one; text and JSON; that nothing is stored. Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

cat >plan.config <<'E2'
{"name": "plan", "model": "mini", "samples": 4, "data": {"seed": 7},
 "tasks": [{"name": "mini_doc_qa", "words": 150}, {"name": "mini_code", "words": 60, "samples": 8}],
 "settings": [{"name": "kvo", "chain": [{"kvo": {"window": 32, "token_budget": 64}}]},
              {"name": "full", "chain": ["full"]},
              {"name": "kvo 4", "chain": [{"kvo": {"window": 32, "token_budget": 64, "key_bits": 4}}]}]}
E2
plan() { # DB [FLAGS]: as text into out, as JSON into out.json
    local db=$1
    shift
    "$KVLAB" plan plan.config --db "$db" "$@" >out 2>err &&
        "$KVLAB" plan plan.config --db "$db" "$@" --json >out.json 2>>err
}
value() { # PATH
    sqlite3 :memory: "SELECT json_extract(readfile('out.json'), '\$.$1')"
}
type_of() { # PATH
    sqlite3 :memory: "SELECT json_type(readfile('out.json'), '\$.$1')"
}

# ---- without a database ----
plan none.db
is "a plan needs no database" 0 $?
is "and makes none" no "$([[ -e none.db ]] && echo yes || echo no)"
is "JSON is valid" 1 "$(sqlite3 :memory: "SELECT json_valid(readfile('out.json'))")"
is "12 samples under 3 settings" 36 "$(value items_left)"
is "a prompt is read once a class" 24 "$(value prompts)"
prefill=$(value tokens.prefill)
is "alone each setting would read its own" "$((prefill * 3 / 2))" "$(value tokens.prefill_single)"
is "4 answers of 64 and 8 of 64 tokens at most, by 3" "$(value tokens.decode)" "$(value tokens.decode_most)"
is "rates were measured" 1 "$(($(value time.measured_classes) > 0))" # on a slow machine of one class
is "and give a time" real "$(type_of time.seconds)"
like "which the text says" "*time *about *:* on * of * thread* rates measured just now; answers at their longest*" "$(cat out)"
like "the text has the prompts" "*tokens *$prefill to prefill in 24 prompts (*in 36 if each setting read its own)*" \
    "$("$KVLAB" plan plan.config --db none.db | tr '\n' ' ')"
like "and the weights" "*weights 15.0 MiB mapped*" "$(cat out)"
is "bytes in JSON" 15746048 "$(value memory.weights_bytes)"
is "without scores a deviation is assumed" "25.0|2|0" \
    "$(value difference.sd)|$(value difference.tasks_assumed)|$(value difference.stored_pairs)"
is "2.8 x sqrt(625 / 4 + 625 / 8) / 2 points can be shown" 21.4 "$(printf %.1f "$(value difference.points)")"
like "which the text says" \
    "*difference  21.4 points of the mean of 2 tasks can be shown with 12 items (80 % power, 5 % level)*paired with full*25.0 points, assumed*" \
    "$(cat out)"
is "no line is longer than 100 columns" 0 "$(awk 'length > 100' out | wc -l)"

# ---- memory ----
plan none.db --memory 1T --workers 2 --threads 2
is "two workers, as asked" "2|1" "$(value time.workers)|$(value time.threads_each)"
is "with plenty of memory nothing is cut" 0 "$(value memory.cut)"
group=$(value memory.group_bytes)
plan none.db --memory "$((group / 1024))K" --workers 1 --threads 1
is "a little less than the largest group needs cuts it" "1|0" "$(value memory.cut)|$(value memory.fails)"
like "which the text says" "*memory *less than that: such prompts are read more than once*" "$(cat out)"
plan none.db --memory 300K --workers 1
is "less than one setting needs makes items fail" 1 "$(value memory.fails)"
like "which the text says" "*not enough: prompts whose cache needs more than 0.3 MiB fail (--memory, --workers)*" "$(cat out)"
plan none.db --memory 300K --threads 8
is "and leaves one worker" 1 "$(value time.workers)"
plan none.db --threads 64
is "there are no more workers than prompts" 24 "$(value time.workers)"
plan none.db --set 'settings=[{"name": "w", "chain": ["full"], "weights": {"bits": 4}}]'
like "packed weights have their size" "*15.0 MiB mapped, 3.* MiB packed*" "$(cat out)"

# ---- with half of the work done ----
"$KVLAB" run plan.config --db half.db --limit 2 >run.out 2>run.err
is "half a run ends with 0" 0 $?
like "it said how long it would take" "*tokens *time *about *:*memory *difference *database *" "$(cat run.err)"
before=$(sqlite3 half.db .dump | sha256sum)
plan half.db
is "what is done is not left" 24 "$(value items_left)"
is "nor are its prompts" 16 "$(value prompts)"
is "fewer tokens are left" 1 "$(($(value tokens.prefill) < prefill))"
is "12 answers say how long they get" 12 "$(value tokens.stored_answers)"
is "which is shorter than at most" 1 "$(($(value tokens.decode) < $(value tokens.decode_most)))"
like "as the text says" "*about * to decode, as long as 12 stored answers; at most *" "$(cat out)"
is "8 items of a class give its rates, 4 of the other are too few" "8|1" "$(value time.stored_items)|$(value time.measured_classes)"
like "as the text says" "* rates of 8 stored items and others measured just now*" "$(cat out)"
is "2 common items are too few for a deviation" 0 "$(value difference.stored_pairs)"
is "a plan leaves the database as it was" "$before" "$(sqlite3 half.db .dump | sha256sum)"

# ---- with all of it done ----
"$KVLAB" run plan.config --db half.db >run.out 2>run.err
sqlite3 half.db "UPDATE score SET value = (job * job % 11) / 10.0"
plan half.db
is "nothing is left" "0|0|0" "$(value items_left)|$(value prompts)|$(value tokens.prefill)"
is "so it takes no time" 0.0 "$(value time.seconds)"
like "as the text says" "*time *nothing is left to do*" "$(cat out)"
plan half.db --set samples=5 --set tasks.0.samples=5 --set tasks.1.samples=16
is "scores of more samples of the same task are its own" 16 "$(value difference.stored_pairs)"
is "the other task has too few" 1 "$(value difference.tasks_assumed)"
want=$(sqlite3 half.db "WITH d AS (SELECT a.setting AS setting, a.score - b.score AS d FROM item a
        JOIN item b USING (task, sample) WHERE a.setting <> 'full' AND b.setting = 'full' AND task = 'mini_code')
    SELECT printf('%.3f', sqrt((625 + (SELECT sum((d - m) * (d - m)) / 14 FROM d JOIN
        (SELECT setting, avg(d) AS m FROM d GROUP BY setting) USING (setting))) / 2))")
is "the deviation is that around each setting's mean difference to full" "$want" "$(printf %.3f "$(value difference.sd)")"
like "as the text says" "*from 16 stored pairs, 1 task assumed*" "$(cat out)"
is "all 36 items give rates" "36|0" "$(value time.stored_items)|$(value time.measured_classes)"
like "as the text says" "* rates of 36 stored items*" "$(cat out)"
sqlite3 half.db "UPDATE build SET identity = identity || 'x', host = 'elsewhere'"
plan half.db --set samples=5 --set tasks.1.samples=16
is "items of another machine give none" "0|1" "$(value time.stored_items)|$(($(value time.measured_classes) > 0))"

# ---- failed items: done unless they are to be run again ----
sqlite3 half.db "UPDATE job SET state = 'failed', prediction = NULL, error = 'x' WHERE id = 1"
plan half.db
is "a failed item is not left" 0 "$(value items_left)"
plan half.db --retry
is "but for --retry it is" 1 "$(value items_left)"
done_testing
