#!/bin/bash
# kvlab data and kvlab list tasks, from outside: results, exit codes, messages.
set -u
n=0 bad=0
is() { # NAME WANTED GOT
    n=$((n + 1))
    if [[ $2 == "$3" ]]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '# wanted: %s\n# got:    %s\n' "$2" "$3"
        bad=1
    fi
}

"$KVLAB" data generate --task mini_code --n 3 --words 40 >flat.jsonl
is "three records" 3 "$(wc -l <flat.jsonl)"
is "the third is the same alone" "$(sed -n 3p flat.jsonl | sha256sum)" \
    "$("$KVLAB" data generate --task=mini_code --n=3 --words=40 --seed=1 | tail -n 1 | sha256sum)"
is "training text in its parts" 8 \
    "$("$KVLAB" data generate --task mini_qa_zh --train 4 | tr -cd '\037' | wc -c)"

mkdir -p lb/data
sed 's/mini_code/lcc/' flat.jsonl >lb/data/lcc.jsonl
"$KVLAB" data verify lb >out 2>err
is "a short file fails" 1 $?
is "a short file is named" "lcc                      cut or shortened: 3 of 500 records" \
    "$(grep '^lcc ' out)"
is "verify has a line a file" 36 "$(wc -l <out)"
is "the message counts" "kvlab: lb: 1 of 1 files are not the complete ones" "$(cat err)"
is "list counts" "3 of 500" "$("$KVLAB" data list lb | sed -nE 's/^lcc .* code +(.*) +0 of 300$/\1/p' | xargs)"
(cd lb && zip -q data.zip data/lcc.jsonl && rm -r data)
is "a zip is the same" "$(cat out)" "$("$KVLAB" data verify lb 2>/dev/null)"

mkdir -p empty
"$KVLAB" data verify empty >out 2>err
is "nothing there fails" 1 $?
"$KVLAB" data verify nowhere >out 2>err
is "no folder is a mistake" "2 0" "$? $(wc -c <out)"
"$KVLAB" data generate --task mini_cod 2>err
is "unknown task is a mistake" 2 $?
"$KVLAB" data generate --task mini_code --words 0 2>err
is "a length out of range is a mistake" 2 $?
"$KVLAB" data lisst 2>err
is "a typing mistake gets a hint" "2 kvlab: data: what is 'lisst'?, did you mean 'list'?" \
    "$? $(cat err)"
is "29 tasks" 29 "$("$KVLAB" list tasks | sed -n '2,/^$/p' | grep -c .)"
if [[ -e /dev/full ]]; then
    "$KVLAB" data generate --task mini_code >/dev/full 2>err
    is "a full disk is not a success" 3 $?
fi
echo "1..$n"
exit $bad
