#!/bin/bash
# Settings whose method has the prompt replayed: what is counted, and who does not notice. Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

plain='{"name": "full", "chain": ["full"]},
       {"name": "snapkv", "chain": [{"snapkv": {"kept": 0.3, "window": 16}}]}'
zips='{"name": "zip", "chain": [{"kvzip": {"kept": 0.2}}]},
      {"name": "even", "chain": [{"kvzip": {"kept": 0.2, "share": "head"}}]},
      {"name": "bare", "chain": [{"kvzip": {"kept": 0.2, "template": "none", "chunk": 100}}]}'
config() { # SETTINGS [MODEL]
    cat <<E
{"name": "zip", "model": ${2:-\"mini\"}, "samples": 4, "data": {"seed": 3, "words": 200},
 "tasks": ["mini_retrieval"], "protocol": {"preset": "longbench", "compress_at": "context"},
 "settings": [$1]}
E
}
run() { # DB, and config's arguments
    config "${@:2}" >c.json
    "$KVLAB" run c.json --db "$1" >out 2>err
}
ask() { "$KVLAB" query --db "$1" --format csv "$2" | tail -n +2; }
said() { ask "$1" "SELECT sample_index, setting, prediction, score, kv_bytes, kv_read_bytes FROM item
                    WHERE setting IN ('full', 'snapkv') ORDER BY 1, 2"; }

run a.db "$plain"
is "a run without a replay" 0 $?
is "counts none" 0,0 "$(ask a.db 'SELECT max(replay_tokens), max(replay_seconds) FROM item' | sed 's/[.]0//')"
is "and shows none" 0 "$("$KVLAB" report cost --db a.db | grep -c '^Replays')"

run b.db "$plain, $zips"
is "a run with replays" 0 $?
is "the others have what they had" "$(said a.db)" "$(said b.db)"
is "they have none" 0 "$(ask b.db "SELECT max(replay_tokens) FROM item WHERE setting IN ('full', 'snapkv')")"
is "the same replay is shared" 4 "$(ask b.db "SELECT count(*) FROM item a JOIN item b USING (sample_index)
    WHERE a.setting = 'zip' AND b.setting = 'even' AND a.replay_tokens = b.replay_tokens
      AND a.replay_seconds = b.replay_seconds AND a.replay_seconds > 0")"
is "all of the context but 4 tokens is fed" 4 "$(ask b.db "SELECT count(*) FROM item
    WHERE setting = 'bare' AND replay_tokens = prompt_tokens - tail_tokens - 4")"
is "and a request" 4 "$(ask b.db "SELECT count(*) FROM item WHERE setting = 'zip'
    AND replay_tokens BETWEEN prompt_tokens - tail_tokens + 5 AND prompt_tokens - tail_tokens + 60")"
is "answers stay right on a fifth of the context" 100 \
    "$(ask b.db "SELECT min(score) FROM item WHERE setting = 'zip'" | cut -d. -f1)"
is "which is held" 1 "$(ask b.db "SELECT max(kv_ratio) < 0.25 AND min(kv_ratio) > 0.19 FROM item WHERE setting = 'zip'")"
is "results have the mean" 1 "$(ask b.db "SELECT replay_tokens > 100 AND replay_seconds > 0 FROM result WHERE setting = 'zip'")"
cost=$("$KVLAB" report cost --db b.db)
like "the cost has a table of them" "*Replays of the prompt, the mean of an item*zip*" "$cost"
like "each counted once" "*Beside that 8 replays (those shared counted once) in *" "$cost"

config "$plain, $zips" >c.json
"$KVLAB" plan c.json --db none.db >planned 2>&1
like "a plan tells" "*about [34]* to feed again in replays of prompts*" "$(cat planned)"
"$KVLAB" plan c.json --db none.db --json >planned 2>&1
like "in JSON, too" '*"replay":[34][0-9][0-9][0-9],*' "$(cat planned)"

run c.db "$plain, $zips" '{"name": "mini", "max_positions": 700}'
is "a replay that the model has no positions for fails" 1 $?
is "items of those who asked for it" "even,4 zip,4" \
    "$(ask c.db "SELECT setting, count(*) FROM item WHERE state = 'failed' GROUP BY 1 ORDER BY 1" | xargs)"
like "with what would fit" "*kvzip: * tokens fed again behind a prompt of * need * positions, the model has 700: chunk * at most*" \
    "$(ask c.db "SELECT error FROM item WHERE setting = 'zip' LIMIT 1")"
is "the others are done" 12 "$(ask c.db "SELECT count(*) FROM item WHERE state = 'done'")"

"$KVLAB" generate --prompt 'one two three four five six seven' --chain '["kvzip"]' --max-new 2 >out 2>err
is "generate replays" 0 $?
like "and says so" "*tokens were fed again after the prompt*" "$(cat err)"

run d.db '{"name": "x", "chain": ["kvzip", "adakv"]}'
is "who shares heads cannot be shared again" 2 $?
like "which is told" "*kvzip*adakv*allot*" "$(cat err)"

done_testing
