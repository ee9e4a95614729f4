#!/bin/bash
# What a result does not depend on: the settings beside it, the batch, workers, threads, memory,
# being killed, a second run on the same database. Prints TAP. KVLAB_KILLS: how often to kill;
# KVLAB_SEED: which moments.
set -u
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
kills=${KVLAB_KILLS:-6} each=3
case $KVLAB in *asan*) kills=2 each=1 ;; esac # there a run takes half a minute
items=$((18 * each))
whole() { echo "$1|$1|$1.0|0.0|$1|0|ok"; } # ITEMS: what sound() says when all are done

cat >sweep.json <<E
{"name": "sweep", "model": "mini", "samples": $each, "data": {"seed": 7, "words": 260},
 "tasks": ["mini_doc_qa", {"name": "mini_report", "words": 330}, "mini_code"],
 "settings": [{"name": "full", "chain": ["full"]},
              {"name": "q8", "chain": ["q8"]},
              {"name": "kvo", "chain": [{"kvo": {"window": 32, "token_budget": 64}}]},
              {"name": "kvo 4", "chain": [{"kvo": {"window": 32, "token_budget": 64, "key_bits": 4}}]},
              {"name": "kvo 24", "chain": [{"kvo": {"window": 32, "token_budget": 24}}]},
              {"name": "w4", "chain": ["full"], "weights": {"bits": 4, "group": 64}}]}
E

# Everything of a result but times and who computed it: tokens, scores, bytes by class.
results() { # DB
    sqlite3 "$1" "SELECT t.name, j.sample_index, c.name, j.state, j.new_ids, j.prediction, s.value, j.stop,
            j.prompt_tokens, j.kv_bytes, j.kv_read_bytes,
            (SELECT group_concat(class || ':' || held_bytes || ':' || read_bytes || ':' || written_bytes)
               FROM (SELECT * FROM ledger l WHERE l.job = j.id ORDER BY class))
        FROM job j JOIN run r ON r.id = j.run JOIN setting c ON c.id = r.setting JOIN task t ON t.id = j.task
        LEFT JOIN score s ON s.job = j.id ORDER BY 1, 2, 3"
}
sound() { # DB: nothing doubled, nothing lost, nothing left behind
    sqlite3 "$1" "SELECT count(*), count(DISTINCT identity), total(state = 'done'), total(state = 'running'),
        (SELECT count(*) FROM (SELECT job FROM score GROUP BY job)), (SELECT count(*) FROM pragma_foreign_key_check),
        (SELECT * FROM pragma_integrity_check) FROM job"
}
go() { # DB ARGS
    local db=$1
    shift
    "$KVLAB" run sweep.json --db "$db" "$@" >out 2>err
}

go all.db
is "six settings in three classes, together" 0 $?
results all.db >want
is "all items are there and sound" "$(whole $items)" "$(sound all.db)"
is "sequences took steps together" 1 "$(sqlite3 all.db "SELECT max(decode_batch) > 4 FROM item")"

# ---- each setting alone ----
for name in full q8 kvo "kvo 4" "kvo 24" w4; do
    only=$(sed -n "s/.*\({\"name\": \"$name\", .*}\)[],].*/\1/p" sweep.json)
    go alone.db --set "settings=[$only]"
    is "$name runs alone" 0 $?
done
results alone.db >got
is "alone every setting has the same tokens, scores and bytes" "$(cat want)" "$(cat got)"

# ---- workers, threads, memory ----
go w.db --workers 3 --threads 3
results w.db >got
is "three workers give the same" "$(cat want)" "$(cat got)"
go m.db --workers 1 --threads 1 --memory 9M
is "little memory is enough" 0 $?
results m.db >got
is "and gives the same, with groups cut" "$(cat want)" "$(cat got)"
is "which step alone then" 1.0 "$(sqlite3 m.db "SELECT max(decode_batch) FROM item WHERE task = 'mini_code' AND setting = 'full'")"
go n.db --memory 300K
is "too little memory fails the items" 1 $?
like "which have their reason" "*prompt of * tokens needs * MiB for its cache, 0.3 MiB are allowed*" \
    "$("$KVLAB" query --db n.db --format csv "SELECT error FROM item WHERE error IS NOT NULL LIMIT 1")"
for size in 0G x 12 -1M 5Q; do
    "$KVLAB" run sweep.json --db bad.db --memory "$size" >out 2>err
    is "--memory $size is refused" 2 $?
done
like "and said what it must be" "*--memory is '5Q', must be a size above 0 such as 500M or 8G*" "$(cat err)"

# ---- prompts that begin alike: four questions about each of three documents ----
mkdir data
words=(the goat of Mira sleeps near a river and eats green apples while Tom counts blue stones at noon)
for doc in 1 2 3; do
    text=
    for ((i = 0; i < 500; i++)); do text+="${words[(i * doc + i / 7) % ${#words[@]}]} "; done
    for question in who when where why; do
        echo "{\"input\": \"$question?\", \"context\": \"$text\", \"answers\": [\"a goat\"], \"length\": 500,
            \"dataset\": \"qasper\", \"language\": \"en\", \"all_classes\": null, \"_id\": \"$doc-$question\"}" | tr -d '\n'
        echo
    done
done | sort -k 2 >data/qasper.jsonl
printf '%s\n' '{"qasper": "Read.\n\n{context}\n\nQuestion: {input}\n\nAnswer:"}' >data/dataset2prompt.json
echo '{"qasper": 6}' >data/dataset2maxlen.json
head=(--workers 1 --set 'tasks=["qasper"]' --set data='{"data_dir": "data"}' --set samples=0)
go head.db "${head[@]}"
is "questions about one document run" 0 $?
is "of each document all but the first share its tokens" "9|1" \
    "$(sqlite3 head.db "SELECT count(DISTINCT sample) FILTER (WHERE shared_tokens > 0), min(shared_tokens) > 600
        FROM item WHERE setting = 'kvo' AND shared_tokens > 0")"
is "under every setting" "72|54" "$(sqlite3 head.db "SELECT count(*), total(shared_tokens > 0) FROM item" | sed 's/[.]0//')"
results head.db >want_head
sqlite3 head.db "UPDATE job SET head = NULL, state = 'ready', prediction = NULL, finished_at = NULL, build = NULL,
    shared_tokens = NULL; DELETE FROM score; DELETE FROM item_ledger"
go head.db "${head[@]}"
is "without heads nothing is shared" 0 "$(sqlite3 head.db "SELECT max(shared_tokens) FROM item")"
results head.db >got
is "and every token, score and byte is the same" "$(cat want_head)" "$(cat got)"

# ---- a worker that crashes ----
"$KVLAB" run sweep.json --db crash.db --workers 1 --set samples=$((2 * each)) >out 2>err &
pid=$!
child=
for _ in $(seq 100); do
    child=$(pgrep -P $pid | head -n 1)
    [[ -n $child && $(sqlite3 crash.db "SELECT count(*) FROM job WHERE state = 'running'" 2>/dev/null) == [1-9]* ]] && break
    sleep 0.05
done
is "a worker holds locks of its own on the database" 1 "$(grep -c " $child " /proc/locks | sed 's/^[1-9].*/1/')"
kill -SEGV "$child"
wait $pid
is "after a worker crashed another one finishes" 0 $?
like "which is said" "*worker 1 died (*its items are done again*" "$(cat err)" # a sanitizer ends by itself
is "and nothing is lost" "$(whole $((2 * items)))" "$(sound crash.db)"

# ---- two programs at once ----
go two.db &
first=$!
"$KVLAB" run sweep.json --db two.db >out2 2>err2
is "a second run on the same database ends with 0" 0 $?
wait $first
is "and so does the first" 0 $?
results two.db >got
is "together they give the same" "$(cat want)" "$(cat got)"
is "with nothing doubled" "$(whole $items)" "$(sound two.db)"
like "both print the whole table" "*full*kvo 24*w4*" "$(cat out2)"

# ---- a killed parent: its workers go on for some seconds, and what they store stays ----
settled() { # DB: waits until a worker has been given something
    local _
    for _ in $(seq 200); do
        [[ $(sqlite3 "$1" "SELECT count(*) FROM job WHERE state = 'running'" 2>/dev/null) == [1-9]* ]] && return
        sleep 0.05
    done
}
odb=orphan.$$.db
"$KVLAB" run sweep.json --db "$odb" --workers 2 --set samples=$((4 * each)) >/dev/null 2>&1 &
pid=$!
settled "$odb"
mapfile -t crew < <(pgrep -P $pid)
kill -KILL $pid
wait $pid 2>/dev/null
sqlite3 "$odb" "SELECT count(*) FROM job" >/dev/null # comes and goes: the log must stay
for _ in $(seq 150); do
    kill -0 "${crew[@]}" 2>/dev/null || break
    sleep 0.1
done
is "the workers of a killed parent end within 15 s" "" "$(pgrep -f "run sweep.json --db $odb")"
is "and have stored what they had, and given back the rest" "$((4 * items))|1|0" "$(sqlite3 "$odb" \
    "SELECT count(*), total(state = 'done') > 0, sum(state = 'running') FROM job")"

# ---- one worker asked to stop, a lock held by somebody else, a file that goes away ----
"$KVLAB" run sweep.json --db one.db --workers 2 >out 2>err &
pid=$!
settled one.db
kill -TERM "$(pgrep -P $pid | head -n 1)"
(echo "BEGIN EXCLUSIVE;" && sleep 2 && echo "COMMIT;") | sqlite3 -cmd ".timeout 5000" one.db
wait $pid
is "a run whose worker was stopped, and its database locked for 2 s, ends with 0" 0 $?
is "and has everything" "$(whole $items)" "$(sound one.db)"
"$KVLAB" run sweep.json --db gone.db --workers 2 --set samples=$((4 * each)) >out 2>err &
pid=$!
settled gone.db
rm gone.db
wait $pid
is "a database that is deleted ends the run" 3 $?
like "by name" "*gone.db is not the file any more*" "$(cat err)"

# ---- items of another machine, of which nobody here can know ----
sqlite3 one.db "DELETE FROM score WHERE job = 1; DELETE FROM item_ledger WHERE job = 1;
    UPDATE job SET state = 'running', prediction = NULL, finished_at = NULL, owner = 'elsewhere/1/x-1' WHERE id = 1"
go one.db
like "an item of another machine is left to it, and told" "*at work on other machines: 1 of the items*--take-over*" "$(cat err)"
is "it stays that machine's" "elsewhere/1/x-1" "$(sqlite3 one.db "SELECT owner FROM job WHERE id = 1")"
go one.db --take-over
is "until it is taken over" "$(whole $items)" "$(sound one.db)"
results one.db >got
is "with the same result" "$(cat want)" "$(cat got)"

# ---- any process killed, or held for a moment, at any moment ----
RANDOM=${KVLAB_SEED:-1}
kdb=killed.$$.db # a name that no other process has
signals=(KILL KILL TERM SEGV INT)
now() { date +%s%N; }
pause() { sleep "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"; } # MICROSECONDS
random() { echo $(((RANDOM * 32768 + RANDOM) % $1)); }
start=$(now)
go time.db --workers 2
whole=$((($(now) - start) / 1000)) # microseconds of an undisturbed run
interrupted=0 seconds=0
for ((i = 0; i < kills; i++)); do
    ((i % 4 == 0 && i)) && { # a new sweep, when the last one has been looked at
        "$KVLAB" run sweep.json --db "$kdb" --workers 2 --retry >/dev/null 2>&1
        results "$kdb" >got
        cmp -s want got || { cp "$kdb" "bad-$i.db"; break; }
        rm -f "$kdb" "$kdb"-wal "$kdb"-shm
    }
    set -m # a group of its own
    "$KVLAB" run sweep.json --db "$kdb" --workers 2 >/dev/null 2>&1 &
    pid=$!
    second=
    if ((i % 3 == 2)); then
        pause "$(random $((whole / 8)))"
        "$KVLAB" run sweep.json --db "$kdb" --workers 1 >/dev/null 2>&1 &
        second=$! seconds=$((seconds + 1))
    fi
    set +m
    pause "$(random $((whole / 3)))"
    mapfile -t crew < <(pgrep -P $pid)
    if ((${#crew[@]})); then # a process that is held is not dead
        held=${crew[RANDOM % ${#crew[@]}]}
        kill -STOP "$held" 2>/dev/null
        pause "$(random 200000)"
        kill -CONT "$held" 2>/dev/null
    fi
    crew+=("$pid")
    kill -0 $pid 2>/dev/null && interrupted=$((interrupted + 1))
    kill -"${signals[RANDOM % 5]}" "${crew[RANDOM % ${#crew[@]}]}" 2>/dev/null
    pause "$(random 200000)"
    kill -KILL $pid 2>/dev/null
    wait $pid ${second:+"$second"} 2>/dev/null
done
echo "# seed ${KVLAB_SEED:-1}: $kills runs, $interrupted interrupted in the middle, $seconds beside a second one; undisturbed $((whole / 1000)) ms"
is "kills hit runs at work" 1 "$((interrupted * 3 >= kills))"
is "the sweeps in between were complete" "$kills" "$i"
go "$kdb"
rc=$?
is "the run after $kills kills ends with 0, or 1 where a worker was made to crash twice" 1 "$((rc < 2))"
go "$kdb" --retry
results "$kdb" >got
is "and its table is that of an undisturbed one" "$(cat want)" "$(cat got)"
is "with no row doubled or lost" "$(whole $items)" "$(sound "$kdb")"
is "no worker is left behind" "" "$(pgrep -f "run sweep.json --db $kdb")"
done_testing
