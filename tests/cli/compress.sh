#!/bin/bash
# What of a prompt goes through the compressed cache: compress_at, decode_tail. Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

config() { # keys of the protocol beside the preset
    cat <<E
{"name": "seen", "model": "mini", "samples": 6, "data": {"seed": 3, "words": 200},
 "tasks": ["mini_retrieval"], "protocol": {"preset": "longbench"$1},
 "settings": [{"name": "full", "chain": ["full"]},
              {"name": "snapkv", "chain": [{"snapkv": {"budget": 24, "window": 16}}]},
              {"name": "all", "chain": [{"recent": {"budget": 100000}}]},
              {"name": "recent", "chain": [{"recent": {"budget": 24}}]}]}
E
}
run() { # DB PROTOCOL
    config "$2" >c.json
    "$KVLAB" run c.json --db "$1" >out 2>err
}
ask() { "$KVLAB" query --db "$1" --format csv "$2" | tail -n +2; }
said() { ask "$1" "SELECT prediction FROM item WHERE setting = '$2' AND compress_at = 'context' ORDER BY sample_index"; }

run a.db ''
is "a run after the whole prompt" 0 $?
cp out first
run b.db ', "compress_at": "prompt", "decode_tail": 0'
is "stated defaults are the same protocol" "$(ask a.db 'SELECT id, identity FROM protocol')" \
    "$(ask b.db 'SELECT id, identity FROM protocol')"
is "no token of a prompt is a step" 0 "$(ask a.db 'SELECT max(tail_tokens) FROM item')"
is "the first tokens of an answer do not see compression" 1 \
    "$(ask a.db "SELECT avg(score) > 50 FROM item WHERE setting = 'recent'")"
like "what left all bytes is flagged" "*all‡*‡ compression was asked for*: all 6 of 6.*" "$(cat first)"
is "and counted" "0,0,6,0" "$("$KVLAB" report table --db a.db --format csv | awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == "unchanged") c = i }
    NR > 1 { s = s (NR > 2 ? "," : "") $c } END { print s }')"

run a.db ', "compress_at": "context"'
is "a run with the question behind the compressed context" 0 $?
like "its caption says so" "*protocol longbench, compress_at context*" "$(cat out)"
is "the question goes step by step" 1 \
    "$(ask a.db "SELECT min(tail_tokens) > 0 FROM item WHERE compress_at = 'context'")"
is "the full cache answers as before" 100 \
    "$(ask a.db "SELECT avg(score) FROM item WHERE compress_at = 'context' AND setting = 'full'")"
is "a budget of all says what the full cache says" "$(said a.db full)" "$(said a.db all)"
is "a window has lost what it dropped" 1 \
    "$(ask a.db "SELECT avg(score) < 50 FROM item WHERE compress_at = 'context' AND setting = 'recent'")"
is "both protocols have their items" 2 "$(ask a.db 'SELECT count(*) FROM protocol')"

run d.db ', "decode_tail": 8'
is "a run whose last tokens are steps" 0 $?
like "its caption says so" "*protocol longbench, decode_tail 8*" "$(cat out)"
is "as many as were asked for" 8,8 "$(ask d.db 'SELECT min(tail_tokens), max(tail_tokens) FROM item')"
run d.db ', "decode_tail": 100000'
is "a tail longer than the prompt leaves one token to the prefill" 1,1 \
    "$(ask d.db 'SELECT min(prompt_tokens - tail_tokens), max(prompt_tokens - tail_tokens)
        FROM item WHERE decode_tail = 100000')"

run e.db ', "compress_at": "question"'
is "an unknown place is refused" 2 $?
like "with what is allowed" "*compress_at*question*prompt*context*" "$(cat err)"
run e.db ', "decode_tail": -1'
is "so is a negative tail" 2 $?

done_testing
