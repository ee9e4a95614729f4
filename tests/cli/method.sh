#!/bin/bash
# A method is one file and one line: tests/more/sinks.c with its line in methods.def, and nothing else of the
# program, is listed, documented, checked, run, stored and reported. Prints TAP.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
more=$(dirname "${KVLAB:?}")/more

is "the program has one method more" "sinks" \
    "$(comm -13 <("$KVLAB" list methods | grep -o '^[a-z].* ' | awk '{print $1}' | sort) \
        <("$more/kvlab" list methods | grep -o '^[a-z].* ' | awk '{print $1}' | sort))"
like "which says what it is" "*reads the first and the last tokens*hooks: select; after StreamingLLM*" \
    "$("$more/kvlab" list methods)"
like "and its options" "*sinks*0..1000000, default 4; the authors' start_size*recent*1..1000000, default 508*" \
    "$("$more/kvlab" show method sinks)"
is "it keeps the contract of methods" 0 "$("$more/test_contract" >contract 2>&1; echo $?)"

config() { # CHAIN
    echo '{"name": "more", "model": "mini", "samples": 2, "data": {"words": 120}, "tasks": ["mini_code"],
           "settings": [{"name": "full", "chain": ["full"]}, {"name": "it", "chain": '"$1"'}]}' >c.json
}
config '["q8", {"sinks": {"sinks": 2, "recent": 30}}]'
"$more/kvlab" run c.json --db a.db >out 2>err
is "it runs in a chain" 0 $?
is "reads what it says: of every layer 32 tokens" 1 "$("$KVLAB" query --db a.db --format csv \
    "SELECT max(kv_read_ratio) < 0.2 AND min(kv_read_ratio) > 0 FROM item WHERE setting = 'it'" | tail -n 1)"
is "its options are stored" "q8,sinks,2" "$("$KVLAB" query --db a.db --format csv \
    "SELECT c.method, o.method, o.value FROM setting_option o JOIN setting c ON c.id = o.setting
      WHERE o.name = 'sinks'" | tail -n 1)"
config '[{"sinks": {"recnt": 30}}]'
"$more/kvlab" run c.json --db a.db >out 2>err
is "a wrong option is refused" 2 $?
like "with the nearest" "*recnt*recent*" "$(cat err)"
config '["sinks", "quest"]'
"$more/kvlab" run c.json --db a.db >out 2>err
is "so is a hook filled twice" 2 $?
like "with both names" "*sinks*quest*" "$(cat err)"
config '["sinks"]'
"$KVLAB" run c.json --db a.db >out 2>err
is "the program itself does not know it" 2 $?
like "and says so" "*sinks*" "$(cat err)"

done_testing
