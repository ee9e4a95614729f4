#!/bin/bash
# The main job end to end on small generated tasks: run, go on, kill, stop, failed items, mistakes.
# Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

cat >small.json <<'E'
{"name": "small", "model": "mini", "samples": 2, "data": {"seed": 5, "words": 150},
 "tasks": ["mini_doc_qa", {"name": "mini_report", "words": 250}, "mini_code"],
 "settings": [{"name": "full", "chain": ["full"]},
              {"name": "kvo", "chain": [{"kvo": {"window": 32, "token_budget": 64}}]},
              {"name": "kvo 4", "chain": [{"kvo": {"window": 32, "token_budget": 64, "key_bits": 4}}]}]}
E

# What must not depend on how often a run was stopped, nor on threads.
results() {
    "$KVLAB" query --db "$1" --format csv \
        "SELECT task, setting, sample, prediction, score, prompt_tokens, new_tokens, error
         FROM item ORDER BY 1, 2, 3"
}
count() { # DB [WHERE]
    "$KVLAB" query --db "$1" --format csv "SELECT count(*) FROM ${2:-item WHERE score IS NOT NULL}" |
        tail -n 1
}
go() { # DB ARGS
    local db=$1
    shift
    "$KVLAB" run small.json --db "$db" "$@" >out 2>err
}

go a.db
is "a run ends with 0" 0 $?
like "its table names the settings" "*full*kvo*kvo 4*" "$(cat out)"
is "all items are scored" 18 "$(count a.db)"
results a.db >want

go a.db
is "the same again ends with 0" 0 $?
like "and computes nothing" "*0 items done*" "$(cat err)"

go t.db --threads 1
results t.db >got
is "one thread gives the same answers" "$(cat want)" "$(cat got)"

# ---- killed at any moment ----
for wait in 0.15 0.35 0.6 0.9; do
    "$KVLAB" run small.json --db k.db >/dev/null 2>&1 &
    pid=$!
    sleep "$wait"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    if [[ -e k.db ]]; then
        like "after SIGKILL at $wait s the database opens" "[0-9]*" "$(count k.db)"
    else
        ok "after SIGKILL at $wait s there is no database yet"
    fi
done
go k.db
is "the run after the kills ends with 0" 0 $?
results k.db >got
is "and has the table of an undisturbed one" "$(cat want)" "$(cat got)"

# ---- stopped: a background job of a script ignores SIGINT, SIGTERM takes the same way ----
"$KVLAB" run small.json --db c.db --set samples=40 >out 2>err &
pid=$!
for _ in $(seq 100); do
    sleep 0.1
    [[ -e c.db && $(count c.db 2>/dev/null) == [1-9]* ]] && break
done
kill -TERM $pid
wait $pid
is "a stopped run says so with its exit code" 130 $?
like "and how to go on" "*The same command goes on*" "$(cat err)"
is "nothing is left as running" 0 "$(count c.db "job WHERE state = 'running'")"

# ---- items that fail ----
cat >short.json <<'E'
{"name": "short", "model": {"name": "mini", "max_positions": 420}, "samples": 2, "data": {"seed": 5},
 "tasks": [{"name": "mini_doc_qa", "words": 80}, {"name": "mini_report", "words": 900}],
 "settings": [{"name": "full", "chain": ["full"]}]}
E
"$KVLAB" run short.json --db f.db >out 2>err
is "failed items make the exit code 1" 1 $?
is "the others are done" 2 "$(count f.db)"
like "a failed item has its reason" "*the model has 420*" \
    "$("$KVLAB" query --db f.db "SELECT error FROM item WHERE error IS NOT NULL")"
like "the table says that items are missing" "*fail*" "$(cat out)"

# ---- the plan ----
"$KVLAB" plan small.json --db p.db >out 2>err
is "a plan ends with 0" 0 $?
like "it counts items and classes" "*2 prefill classes*18*" "$(cat out)"
is "and makes no database" no "$([[ -e p.db ]] && echo yes || echo no)"
like "on a database it says what is done" "*18 done, 0 failed, 0 to do*" \
    "$("$KVLAB" run small.json --db a.db --dry-run 2>err)"
like "on another plan what is left" "*6 done, 0 failed, 3 to do*" \
    "$("$KVLAB" run small.json --db a.db --dry-run --set 'tasks=["mini_code"]' --set samples=3 2>err)"
is "and leaves it as it was" 18 "$(count a.db job)"
"$KVLAB" plan small.json --db a.db --json >plan.json 2>err
like "as JSON" '{"items":18,"prefill_classes":2,*"done":18,*' "$(cat plan.json)"

# ---- packed caches and the floats that they stand for ----
ids() { "$KVLAB" query --db "$1" --format csv "SELECT t.name, j.sample_index, c.name, j.new_ids FROM job j
    JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting JOIN task t ON t.id = j.task ORDER BY 1, 2, 3"; }
"$KVLAB" run small.json --floats --db floats.db >out 2>err
is "a run on caches of floats ends with 0" 0 $?
is "the packed caches give the same tokens" "$(ids floats.db)" "$(ids a.db)"
held() { "$KVLAB" query --db "$1" --format csv "SELECT sum(kv_bytes) FROM item WHERE setting = 'kvo'" | tail -n 1; }
is "and hold less than half" 1 "$((2 * $(held a.db) < $(held floats.db)))"

# ---- weights of few bits ----
three='settings=[{"name": "all bits", "chain": ["full"], "weights": {"bits": 16}},
 {"name": "eight", "chain": ["full"], "weights": {"bits": 8}},
 {"name": "four", "chain": ["full"], "weights": {"bits": 4, "group": 64}}]'
"$KVLAB" plan small.json --set "$three" >out 2>err
like "the plan shows weights, each a prefill of its own" "*3 prefill classes*full + w8g128*full + w4g64*" "$(cat out)"
"$KVLAB" run small.json --set "$three" --db w.db >out 2>err
is "a run with packed weights ends with 0" 0 $?
like "its table has a column for them" "*weights*all bits*as stored*eight*w8g128*four*w4g64*" "$(cat out)"
is "they are columns of the view" "4|64" \
    "$(sqlite3 w.db "SELECT DISTINCT weight_bits, weight_group FROM result WHERE setting = 'four'")"
is "steps read fewer bytes of them" 1 "$(sqlite3 w.db "SELECT 2 * avg(weights_read_bytes / steps) FILTER (WHERE setting = 'four')
    < avg(weights_read_bytes / steps) FILTER (WHERE setting = 'all bits') FROM traffic WHERE steps > 0")"
"$KVLAB" run small.json --set 'settings=[{"name": "full", "chain": ["full"]}]' --db w.db >out 2>err
like "16 bits are the setting without weights: its results are there" "*0 of * items are new*" "$(cat err)"
"$KVLAB" generate --prompt "The key is 7." --max-new 3 --weights '{"bits": 4}' >out 2>err
is "generate takes weights" 0 $?
like "and says what they hold" "*weights 5.7* MB held*" "$(cat err)"
"$KVLAB" generate --prompt x --weights '{"bits": 4, "group": 7}' >out 2>err
is "or refuses them" 2 $?

# ---- mistakes: one message that names the place, exit code 2, nothing made ----
mistake() { # NAME PATTERN ARGS...
    local name=$1 pattern=$2 rc
    shift 2
    "$KVLAB" run "$@" --db m.db >out 2>err
    rc=$?
    is "$name: exit code" 2 $rc
    like "$name: message" "$pattern" "$(cat err)"
}
chain() { # a configuration's settings with this chain
    echo "settings=[{\"name\": \"x\", \"chain\": [$1]}]"
}
mistake "unknown key" "*small.json*unknown key 'sample'*did you mean 'samples'*" small.json --set sample=3
mistake "unknown option" "*settings?0?: kvo: unknown key 'key_bit'*did you mean 'key_bits'*" \
    small.json --set "$(chain '{"kvo": {"key_bit": 2}}')"
mistake "the authors' name of an option" "*it is called 'key_kept' here*" \
    small.json --set "$(chain '{"kvo": {"kprune_budget": 0.5}}')"
mistake "out of range" "*key 'samples' is -1, must be a whole number from 0*" small.json --set samples=-1
mistake "wrong type" "*key 'samples' is a string, must be a number*" small.json --set samples=many
mistake "options that do not fit" "*setting 'x': kvo: *key_group*" \
    small.json --set "$(chain '{"kvo": {"key_group": 48}}')"
weights() { # a configuration's settings with these weights
    echo "settings=[{\"name\": \"x\", \"chain\": [\"full\"], \"weights\": $1}]"
}
mistake "bits of weights" "*settings?0?: weights: key 'bits' is 9, must be from 2 to 8, or 16*" \
    small.json --set "$(weights '{"bits": 9}')"
mistake "an unknown key of weights" "*settings?0?: weights: unknown key 'grup'*did you mean 'group'*" \
    small.json --set "$(weights '{"grup": 32}')"
mistake "a group that divides no columns" \
    "*setting 'x': weights: key 'group' is 96, must divide the 256 columns of *nearest*is 128*" \
    small.json --set "$(weights '{"bits": 4, "group": 96}')"
mistake "16 bits are the same as none" "*settings 'a' and 'b' are the same*" small.json --set \
    'settings=[{"name": "a", "chain": ["full"]}, {"name": "b", "chain": ["full"], "weights": {"bits": 16}}]'
mistake "two methods in one hook" "*'q8' and 'kvo' both fill the hook 'codec'*" \
    small.json --set "$(chain '"q8", "kvo"')"
mistake "what packs as the reference alone" "*kvo*key_group 128 does not divide the head's 64 channels*64 can be packed*--floats*" \
    small.json --set "$(chain '{"kvo": {"key_group": 128}}')"
mistake "unknown method" "*unknown method 'kv0'*did you mean 'kvo'*" small.json --set "$(chain '"kv0"')"
mistake "unknown task" "*mini_doc_q'*did you mean 'mini_doc_qa'*" small.json --set 'tasks=["mini_doc_q"]'
mistake "unknown model" "*unknown model 'minni'*did you mean 'mini'*" small.json --model minni
mistake "no such folder" "*there is no folder*nowhere*" small.json --model ./nowhere/ \
    --set protocol.max_prompt_tokens=1000
mistake "unknown flag" "*unknown flag '--limits'*did you mean '--limit'*" small.json --limits 3
mistake "no data folder" "*data_dir*" small.json --set 'tasks=["qasper"]'
mistake "no such file" "*nowhere.json*" nowhere.json
printf '{"name": "x",\n "model": }' >broken.json
mistake "not JSON" "*broken.json*line 2*" broken.json
printf '{"name": "x", "name": "y"}' >doubled.json
mistake "doubled key" "*doubled.json*'name' appears twice*" doubled.json
is "no mistake made a database" no "$([[ -e m.db ]] && echo yes || echo no)"

echo "not a database, but long enough to be looked at as if it were one" >text.db
go text.db
is "a file that is no database is refused" 2 $?
like "by name" "*text.db*" "$(cat err)"
go nowhere/x.db
is "a database in no folder is refused" 2 $?

# ---- damaged models ----
model=$(cd "${KVLAB_HOME:-.}/configs/models/mini" && pwd)
fresh() {
    mkdir bad
    cp "$model"/config.json "$model"/tokenizer.model bad/
    ln -s "$model/model.safetensors" bad/
}
damage() { # NAME PATTERN: ./bad holds the damaged copy
    "$KVLAB" run small.json --model ./bad/ --set protocol.max_prompt_tokens=2000 --db m.db >out 2>err
    is "$1: exit code" 2 $?
    like "$1: message" "$2" "$(cat err)"
    rm -rf bad
}
fresh && rm bad/config.json
damage "no config.json" "*config.json*"
fresh && sed -i 's/"llama"/"mamba"/' bad/config.json
damage "another family" "*mamba*"
fresh && rm bad/model.safetensors && head -c 100000 "$model/model.safetensors" >bad/model.safetensors
damage "weights cut short" "*model.safetensors*"
fresh && sed -i 's/"num_hidden_layers": 8/"num_hidden_layers": 9/' bad/config.json
damage "a missing tensor" "*model.layers.8*"
fresh && head -c 5000 "$model/tokenizer.model" >bad/tokenizer.model
damage "a damaged tokenizer" "*tokenizer.model*"
fresh && sed -i 's/"bos_token_id": 1/"bos_token_id": 7/' bad/config.json
damage "a tokenizer that does not fit" "*tokenizer*bos*"

# ---- a full disk: a file size limit of 64 KiB stands for it ----
(
    trap '' XFSZ
    ulimit -f 64
    exec "$KVLAB" run small.json --db full.db >out 2>err
)
is "a full disk ends with 3" 3 $?
like "and names the database" "*full.db*" "$(cat err)"
done_testing
