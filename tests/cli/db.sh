#!/bin/bash
# kvlab db: check, merge (also killed), prune, vacuum, over databases of a real run that are cut up. Prints TAP.
set -u
KVLAB=${KVLAB:-./kvlab}
TOP=${KVLAB_TOP:-.}
# shellcheck source=tests/cli/lib.sh
. "$TOP/tests/cli/lib.sh"

cat >db.json <<'J'
{"name": "parts", "model": "mini", "samples": 3,
 "tasks": [{"name": "mini_doc_qa", "words": 120}, {"name": "mini_retrieval", "words": 120}],
 "settings": [{"name": "full", "chain": ["full"]},
              {"name": "base", "chain": [{"kvo": {"window": 32, "token_budget": 64}}]},
              {"ablation": "bits", "base": "base", "vary": {"key_bits": [4]}}]}
J

db() { "$KVLAB" db "$@" >out 2>err; }

# ---- what is compared: everything by name, ids left out ----
dump() { # DB
    local o columns
    for o in item result cell comparison item_comparison provenance ledger traffic experiment_cell; do
        columns=$(sqlite3 "$1" "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info('$o') WHERE name NOT IN
            ('job', 'run', 'full_run', 'full_job', 'task_id', 'build', 'protocol_id', 'experiment')")
        echo "== $o"
        sqlite3 "$1" "SELECT $columns FROM $o" | sort
    done
    echo "== tables"
    sqlite3 "$1" "SELECT e.name, e.config_hash, e.created, e.planned, e.plans, r.identity, r.created, x.position, x.name
            FROM experiment_run x JOIN experiment e ON e.id = x.experiment JOIN run r ON r.id = x.run ORDER BY 1, 2, 6;
        SELECT e.name, r.identity, f.ablation, f.factor, f.value, b.identity FROM experiment_factor f
            JOIN experiment e ON e.id = f.experiment JOIN run r ON r.id = f.run JOIN run b ON b.id = f.base ORDER BY 1, 2, 3, 4;
        SELECT e.name, j.identity FROM experiment_job x JOIN experiment e ON e.id = x.experiment
            JOIN job j ON j.id = x.job ORDER BY 1, 2;
        SELECT j.identity, f.finished_at, f.error FROM failure f JOIN job j ON j.id = f.job ORDER BY 1, 2, 3;
        SELECT j.identity, s.metric, s.metric_version, s.value FROM score s JOIN job j ON j.id = s.job ORDER BY 1, 2, 3;
        SELECT j.identity, l.layer, l.key_error, l.value_error, l.mass_lost FROM layer_error l JOIN job j ON j.id = l.job ORDER BY 1, 2;
        SELECT r.identity, t.identity, p.score, p.n, p.stderr, p.source FROM published p
            JOIN run r ON r.id = p.run JOIN task t ON t.id = p.task ORDER BY 1, 2;
        SELECT c.identity, o.method, o.name, o.value FROM setting_option o JOIN setting c ON c.id = o.setting ORDER BY 1, 2, 3;
        SELECT p.identity, o.name, o.value FROM protocol_option o JOIN protocol p ON p.id = o.protocol ORDER BY 1, 2;
        SELECT * FROM sample ORDER BY 1"
}

# Items by their number in the file are as if they had never been run.
undo() { # DB CONDITION
    sqlite3 "$1" "UPDATE job SET state = 'ready', prediction = NULL, error = NULL, finished_at = NULL, build = NULL, owner = NULL,
            prompt_tokens = NULL, new_tokens = NULL, stop = NULL, kv_bytes = NULL, kv_full_bytes = NULL WHERE $2;
        DELETE FROM score WHERE job IN (SELECT id FROM job WHERE state = 'ready');
        DELETE FROM item_ledger WHERE job IN (SELECT id FROM job WHERE state = 'ready');
        DELETE FROM layer_error WHERE job IN (SELECT id FROM job WHERE state = 'ready')"
}

"$KVLAB" run db.json --db all.db >out 2>err
is "a run to cut up" 0 $?
sqlite3 all.db "INSERT INTO run VALUES (90, 'paper', 1, 1, 1, 'published', '2026-01-01T00:00:00Z');
    INSERT INTO experiment_run VALUES (1, 90, 9, 'paper');
    INSERT INTO published VALUES (90, 1, 41.5, 200, NULL, 'Table 3');
    INSERT INTO layer_error SELECT id, 3, 0.125, NULL, 0.0625 * (id % 8) FROM job;
    INSERT INTO failure (job, finished_at, error) VALUES (2, '2026-01-01T00:00:00Z', 'once')"
items=$(sqlite3 all.db "SELECT count(*) FROM job")
is "of 18 items" 18 "$items"

# ---- check ----
db check all.db
is "a run is sound" "0|all.db: sound" "$?|$(cat out)"
sum=$(cksum <all.db)
db check all.db
is "checking changes nothing" "$sum" "$(cksum <all.db)"
cp all.db bad.db
sqlite3 bad.db "DELETE FROM score WHERE job = 1; UPDATE score SET value = 2 WHERE job = 2;
    UPDATE job SET kv_bytes = kv_bytes + 100, kv_read_bytes = 0 WHERE id = 3; PRAGMA foreign_keys = OFF; DELETE FROM experiment_run WHERE run = 1"
db check bad.db
is "what is wrong is an exit code" 1 $?
like "an item without a score" "*wrong: 1 items are done and have no score*job 1*" "$(cat out)"
like "a score that is none" "*wrong: 1 scores are outside of 0 to 1*job 2*" "$(cat out)"
like "bytes that do not add up" "*wrong: 1 items: bytes by class do not add up*job 3,*" "$(cat out)"
like "nor those that were read" "*wrong: 1 items: bytes read by class do not add up*job 3,*" "$(cat out)"
like "items of no listed run" "*wrong: 6 items belong to an experiment that does not list their run*" "$(cat out)"
like "a run of no experiment" "*note: 1 runs are shown by no experiment*run 1*bad.db: not sound" "$(cat out)"
cp all.db lost.db
sqlite3 lost.db "DELETE FROM task WHERE id = 1"
db check lost.db
like "rows that lead nowhere" "1 wrong: job: 9 rows refer to a row of task that is missing*" "$? $(cat out)"
cp all.db torn.db
dd if=/dev/urandom of=torn.db bs=4096 seek=20 count=10 conv=notrunc 2>/dev/null
db check torn.db
like "a damaged file" "[12] *" "$? $(cat out err)"
like "is called that" "*damaged*" "$(cat out err)"
for file in "$KVLAB" db.json nowhere.db; do
    db check "$file"
    rc=$?
    is "no database of kvlab's: $(basename "$file")" 2 $rc
done
sqlite3 alien.db "CREATE TABLE x (y)"
db check alien.db
like "another program's database" "2 *alien.db is another program's database*" "$? $(cat err)"

# ---- merge ----
cp all.db a.db && cp all.db b.db
undo a.db "id % 3 = 0" # 0: in b alone; 1: in a alone; 2: in both
undo b.db "id % 3 = 1"
sqlite3 b.db "UPDATE job SET state = 'running', owner = 'elsewhere/1/x' WHERE id = 1"
sum=$(cksum <b.db)
db merge ab.db a.db b.db
is "two halves are merged" 0 $?
like "and said how" "a.db: items 18: new 18, more than before 0, the same 0, conflicts 0
b.db: items 18: new 0, more than before 6, the same 6, conflicts 0" "$(cat out)"
is "every table has rows, and all of them" "" "$(for t in $(sqlite3 all.db "SELECT name FROM sqlite_schema WHERE type = 'table'"); do
    sqlite3 ab.db "ATTACH 'all.db' AS a; SELECT '$t' WHERE (SELECT count(*) FROM a.$t) = 0
        OR (SELECT count(*) FROM a.$t) <> (SELECT count(*) FROM main.$t)"; done)"
is "the source is as it was" "$sum" "$(cksum <b.db)"
db merge ba.db b.db a.db
dump all.db >want
dump ab.db >got_ab
dump ba.db >got_ba
is "into what they are halves of" "" "$(diff want got_ab)"
is "in either order" "" "$(diff want got_ba)"
is "what ran there is ready here, if nothing better comes" "1 ready" "$(cp b.db only.db; rm -f from.db; "$KVLAB" db merge from.db b.db >/dev/null
    sqlite3 from.db "SELECT count(*) || ' ready' FROM job WHERE id = 1 AND state = 'ready' AND owner IS NULL")"
db merge ab.db b.db a.db ab.db
is "itself is refused, the others go on" 2 $?
dump ab.db >got
is "merged again nothing changes" "" "$(diff want got)"
db check ab.db
is "it is sound" 0 $?
"$KVLAB" run db.json --db ab.db >out 2>err
is "a run of it finds all done" "0 18" "$? $(sqlite3 ab.db "SELECT count(*) FROM job WHERE state = 'done'")"

# A failed item: less than done, more than ready.
cp all.db f.db
undo f.db "id IN (1, 2)"
sqlite3 f.db "UPDATE job SET state = 'failed', error = 'no', finished_at = '2026-01-01T00:00:00Z' WHERE id IN (1, 2)"
cp a.db g.db
undo g.db "id = 2"
db merge g.db f.db
is "done goes before failed before ready" "done,failed" "$(sqlite3 g.db "SELECT group_concat(state) FROM job WHERE id IN (1, 2)")"
db merge g.db all.db
dump g.db >got
is "and gives way to done" "" "$(diff want got)"

# ---- conflicts ----
cp all.db c.db
sqlite3 c.db "UPDATE job SET prediction = 'something else', finished_at = '2099-01-01T00:00:00Z' WHERE id IN (5, 6)"
cp all.db d.db
db merge d.db c.db
is "another answer is a conflict" 1 $?
is "two of them" 2 "$(grep -c '^conflict: answer: mini, ' out)"
like "named with both, builds and times" "*conflict: answer: mini, *, mini_*, mini_*: here '*' (*), there 'something else' (2099-*): kept the one here
*conflicts 2" "$(cat out)"
dump d.db >got
is "and the earlier answer is kept" "" "$(diff want got)"
db merge c.db all.db
like "also where it comes from the other" "1 *here 'something else' (2099-*), there '*' (*): took the one there*" "$? $(cat out)"
dump c.db >got
is "with the same outcome" "" "$(diff want got)"
cp all.db n.db
sqlite3 n.db "UPDATE published SET score = 41.25; UPDATE score SET value = 0.875 WHERE job = (SELECT min(job) FROM score)"
cp all.db d.db
db merge d.db n.db
like "a score and a published number" "1 *conflict: published number: *: here 41.5 of 200 items (Table 3), there 41.25 of 200 items (Table 3): took the one there
conflict: score: mini, *: here *, there 0.875: *" "$? $(cat out)"

# ---- what cannot be read, what is older ----
sum=$(cksum <torn.db)
rm -f x.db
db merge x.db torn.db alien.db nowhere.db lost.db all.db
is "what cannot be read is refused" 2 $?
for file in torn alien nowhere lost; do
    like "by name: $file" "*$file.db*" "$(cat err)"
done
dump x.db >got
is "and the others are merged" "" "$(diff want got)"
is "a refused file is as it was" "$sum" "$(cksum <torn.db)"
for v in 1 2 3 4 5; do
    sqlite3 "old$v.db" <"$TOP/tests/unit/data/store/version_$v.sql"
    sum=$(cksum <"old$v.db")
    rm -f x.db
    db merge x.db "old$v.db"
    is "version $v is merged" "0|9|0" "$?|$(sqlite3 x.db "SELECT count(*) || '|' || (SELECT count(*) FROM pragma_foreign_key_check) FROM job")"
    is "and stays of version $v" "$sum $v" "$(cksum <"old$v.db") $(sqlite3 "old$v.db" "PRAGMA user_version")"
done
is "no copy is left behind" "" "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'kvlab-??????' -type f -newer all.db 2>/dev/null)"

# ---- merge, killed ----
cp all.db much.db
sqlite3 much.db "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
    INSERT INTO job (identity, run, task, sample, sample_index, sample_hash, prefill_class, state, finished_at, build, prediction)
    SELECT hex(randomblob(32)), 1, 1, 's' || i, 100 + i, 'h' || i, 'plain', 'done', '2026-01-01T00:00:00Z', 1, 'answer ' || i FROM n;
    INSERT INTO score SELECT id, 'qa_f1_score', 1, 0.5 FROM job WHERE sample_index > 100;
    INSERT INTO experiment_job SELECT 1, id FROM job WHERE sample_index > 100"
cp a.db whole.db
"$KVLAB" db merge whole.db much.db >/dev/null
dump whole.db | cksum >want_much
cp a.db killed.db
broken=0
dump a.db | cksum >want_a
for _ in 1 2 3 4 5 6 7 8; do
    "$KVLAB" db merge killed.db much.db >/dev/null 2>&1 &
    pid=$!
    sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    state=$(sqlite3 killed.db "PRAGMA integrity_check; SELECT count(*) FROM experiment_job" | tr '\n' ' ')
    [[ $state == "ok 18 " || $state == "ok 30018 " ]] && db check killed.db || broken=$((broken + 1))
done
is "killed 8 times it is sound, and its experiment shows all of the file or nothing" 0 $broken
"$KVLAB" db merge killed.db much.db >/dev/null
dump killed.db | cksum >got
is "and in the end it is as if nobody had" "$(cat want_much)" "$(cat got)"

# ---- prune ----
cp all.db p.db
sed 's/"parts"/"other"/; s/, {"name": "mini_retrieval", "words": 120}//' db.json >other.json
"$KVLAB" run other.json --db p.db >out 2>err
dump p.db >want_p
sum=$(cksum <p.db)
db prune p.db --experiment parts --dry-run
is "shown only" "0|p.db: would remove: experiments 1, runs 1, items 9 (done: 9)" "$?|$(cat out)"
db prune p.db --experiment parts </dev/null
like "not asked, not removed" "2 *nothing was removed: --yes does it*" "$? $(cat err)"
dump p.db >got
is "nothing is gone" "" "$(diff want_p got)"
db prune p.db --experiment parts --yes
is "an experiment goes" 0 $?
is "what another one asks for stays" "9|9|3|0|1" "$(sqlite3 p.db "SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM score),
    (SELECT count(*) FROM run), (SELECT count(*) FROM published), (SELECT count(*) FROM task)")"
db check p.db
is "and what is left is sound, without a note" "0|p.db: sound" "$?|$(cat out)"
db prune p.db --experiment othr --yes
like "no such experiment" "2 *there is no experiment 'othr', did you mean 'other'?*" "$? $(cat err)"
cp f.db q.db
db prune q.db --failed --yes
is "failed items go" "0|16|0" "$?|$(sqlite3 q.db "SELECT count(*) || '|' || total(state = 'failed') FROM job" | sed 's/[.]0//')"
db prune q.db --published --yes
is "published numbers go" "0|0|3" "$?|$(sqlite3 q.db "SELECT (SELECT count(*) FROM published), (SELECT count(*) FROM run)")"
sqlite3 q.db "DELETE FROM experiment_factor; DELETE FROM experiment_job; DELETE FROM experiment_run WHERE run = 1"
db prune q.db --runs-without-experiment --yes
is "runs of no experiment go, with their items" "0|2" "$?|$(sqlite3 q.db "SELECT count(*) FROM run")"
cp all.db r.db
undo r.db "id = 4"
sqlite3 r.db "UPDATE job SET state = 'running', owner = 'elsewhere/1/x' WHERE id = 4"
db prune r.db --experiment parts --yes
like "not while somebody is at it" "2 *1 of its items are being worked on*" "$? $(cat err)"

# ---- vacuum ----
db vacuum r.db
like "nor vacuum" "2 *1 of its items are being worked on*" "$? $(cat err)"
cp much.db v.db
db prune v.db --experiment parts --yes
db vacuum v.db
like "a file is made small" "0 v.db: * bytes before, * after" "$? $(cat out)"
read -r _ before _ _ after _ < <(tr -d ',' <out)
is "smaller than half" 1 $((after * 2 < before))
db check v.db
is "and is sound" 0 $?

# ---- wrong input ----
db
like "no verb" "2 *db: what? check, merge, prune or vacuum*" "$? $(cat err)"
db merg a.db b.db
like "no such verb" "2 *'merg' is no part of it*did you mean 'merge'?*" "$? $(cat err)"
db merge a.db
like "merge what" "2 *into which database, and which others?*" "$? $(cat err)"
db prune all.db
like "prune what" "2 *what? --experiment NAME*" "$? $(cat err)"
db prune all.db --experimnt parts
like "no such flag" "2 *--experimnt*--experiment*" "$? $(cat err)"
db --help
like "help" "0 *usage: kvlab db check*merge INTO FROM*" "$? $(cat out)"
done_testing
