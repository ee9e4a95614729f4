#!/bin/bash
# The documents are true: README's commands and experiments run, CONTRIBUTING's method is a registered one, configs/README.md
# is what the program's tables say, every command and report is mentioned. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
top=$(cd "$here/../.." && pwd)
KVLAB=${KVLAB:-$top/kvlab}
readme=$top/README.md

bash "$top/tests/tools/configs_readme.sh" "$KVLAB" >configs.md
is "configs/README.md is what make docs writes" "" "$(diff "$top/configs/README.md" configs.md)"
bash "$top/tests/tools/database_readme.sh" "$top"/harness/store/schema*.sql >database.md
is "reports/DATABASE.md is what make docs writes" "" "$(diff "$top/reports/DATABASE.md" database.md)"

block() { # LANGUAGE FILE [N]: its Nth block in it
    awk -v start="\`\`\`$1" -v n="${3:-1}" '$0 == start && !--n {on = 1; next} /^```/ {if (on) exit} on' "$2"
}
is "CONTRIBUTING's method is the registered one" "" \
    "$(block c "$top/CONTRIBUTING.md" | diff "$top/harness/methods/recent.c" -)"

awk '/^## All methods at equal bytes/, /^```/' "$readme" | grep '^|' >rows
is "README's methods are rows of METHODS.md" "22 rows, 0 others" \
    "$(sed 1,2d rows | wc -l | xargs) rows, $(grep -vcxFf "$top/reports/METHODS.md" rows) others"

ln -s "$KVLAB" kvlab && ln -s "$top/configs" configs
block json "$readme" >mine.json
./kvlab run mine.json --limit 1 --set data.words=150 >out 2>err
is "README's experiment runs" 0 $?
block json "$readme" 2 >sweep.json
./kvlab run sweep.json --limit 1 --set 'tasks=[{"name": "mini_report", "words": 150}]' >out 2>err
is "README's sweep runs" 0 $?
like "in 17 settings" "*settings*17 in 2 prefill classes*" "$(cat err)"
rm kvlab.db*

# A small database stands for the demo's.
./kvlab run configs/demo.json --limit 1 --set 'tasks=["mini_code"]' --set data.words=60 >out 2>err
grep -hE '^\./kvlab ' "$readme" "$top/reports/README.md" | sed -E 's/ +#.*//' >commands
grep -hE '^    kvlab ' "$top/reports/README.md" | sed 's/^    /.\//' >>commands
while IFS= read -r line; do
    case $line in
    */data/longbench*) continue ;; # needs LongBench's files
    *"run configs/compare.json"*) continue ;; # minutes
    *"run configs/demo.json"*) line+=" --set tasks='[\"mini_code\"]' --set data.words=60" ;;
    esac
    bash -c "$line" >out 2>err </dev/null
    is "$line" 0 $?
done <commands

for name in $(./kvlab --help | sed -n -E 's/^  ([a-z]+) .*/\1/p'); do
    like "kvlab $name --help" "usage: kvlab $name*" "$(./kvlab "$name" --help)"
done
done_testing
