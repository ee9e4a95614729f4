#!/bin/bash
# Reports pareto, curve, lengths and cost beside the same numbers by SQL over the tables, over made-up
# scores (tests/unit/test_views.c) and a small run. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}
"$(dirname "$KVLAB")/tests/test_views" m.db >/dev/null || { echo "not ok 1 - the database is made"; exit 1; }
# Items of 3999, 4000, 7999 and 8000 words; answers of several lengths, some cut; a prefill
# for both kvo, run 2 is the full cache's.
sqlite3 m.db "UPDATE job SET sample_hash = task || '/' || sample_index;
    INSERT INTO sample SELECT DISTINCT sample_hash, '[]', NULL, NULL FROM job WHERE true ON CONFLICT DO NOTHING;
    UPDATE sample SET length = (SELECT CASE sample_index % 4 WHEN 0 THEN 3999 WHEN 1 THEN 4000 WHEN 2 THEN 7999 ELSE 8000 END
                                  FROM job WHERE sample_hash = hash LIMIT 1);
    UPDATE job SET new_tokens = 3 + id % 7, stop = iif(id % 5, 'eos', 'length'), decode_batch = 1 + id % 3,
                   shared_tokens = id % 2 * 10, kv_read_bytes = kv_read_bytes + id % 11,
                   prefill_class = iif(run = 2, 'plain', 'kvo'),
                   prefill_seconds = 1 + sample_index + task / 16.0 + (run = 2) WHERE state = 'done'"

report() { # NAME ARGS: table t of c.db has its data
    "$KVLAB" report "$1" --db m.db --format csv -o data.csv "${@:2}" 2>err || cat err
    cp m.db c.db
    sqlite3 c.db ".import --csv data.csv t"
}

ask() { # SQL: over the database and t; s: the items that are done, x: a setting's name
    sqlite3 c.db "CREATE TEMP VIEW s AS
        SELECT x.name AS x, t.name AS task, j.*, (SELECT 100 * value FROM score WHERE job = j.id
               ORDER BY metric_version DESC LIMIT 1) AS points, l.length AS length
          FROM job j JOIN experiment_run x ON x.run = j.run JOIN task t ON t.id = j.task
          JOIN sample l ON l.hash = j.sample_hash WHERE j.state = 'done';
        CREATE TEMP VIEW p AS SELECT a.x, a.task, a.length, a.points - b.points AS d FROM s a
          JOIN s b ON b.task = a.task AND b.sample_index = a.sample_index AND b.x = 'full'
         WHERE a.x <> 'full';
        $1"
}

near="abs(a - b) < 1e-6 * (1 + abs(b))"

# ---- pareto ----
report pareto
is "pareto: a row a setting" 3 "$(ask "SELECT count(*) FROM t")"
is "bytes held a token are those of the items" 3 "$(ask "SELECT count(*) FROM (SELECT t.held_bytes_token AS a,
    (SELECT 1.0 * sum(kv_bytes) / sum(kv_full_bytes) FROM s WHERE x = t.setting)
    * (SELECT 4 * layers * kv_heads * head_dim FROM model LIMIT 1) AS b FROM t) WHERE $near")"
is "and those read a step" 3 "$(ask "SELECT count(*) FROM (SELECT read_bytes_step AS a, (SELECT 1.0 * sum(kv_read_bytes)
    / sum(new_tokens - 1) FROM s WHERE x = t.setting) AS b FROM t) WHERE $near")"
is "scores are the mean of the tasks' means" 3 "$(ask "SELECT count(*) FROM (SELECT t.score AS a, (SELECT avg(m) FROM
    (SELECT avg(points) AS m FROM s WHERE x = t.setting GROUP BY task)) AS b FROM t) WHERE $near")"
is "differences are paired by item" 2 "$(ask "SELECT count(*) FROM (SELECT t.difference AS a, (SELECT avg(m) FROM
    (SELECT avg(d) AS m FROM p WHERE x = t.setting GROUP BY task)) AS b FROM t WHERE t.difference <> '') WHERE $near")"
is "fewer bytes and less score each: all are on the front" 3 "$(ask "SELECT count(*) FROM t WHERE front = 1")"
report pareto --x read --y mini_doc_qa
is "one task's score, and its bytes" 3 "$(ask "SELECT count(*) FROM (SELECT t.score AS a, (SELECT avg(points) FROM s
    WHERE x = t.setting AND task = 'mini_doc_qa') AS b FROM t WHERE abs(read_bytes_step - (SELECT 1.0 * sum(kv_read_bytes)
    / sum(new_tokens - 1) FROM s WHERE x = t.setting AND task = 'mini_doc_qa')) < 1e-6) WHERE $near")"
cp m.db kept.db
sqlite3 m.db "UPDATE job SET kv_bytes = kv_full_bytes / 2 WHERE run = (SELECT run FROM experiment_run WHERE name = 'kvo-2bit')"
report pareto
is "more bytes and less score than another: beaten by it" "kvo-2bit|kvo-default" \
    "$(ask "SELECT setting, dominated_by FROM t WHERE front = 0")"
"$KVLAB" report pareto --db m.db --plot plots >out 2>err
like "the star is at those of the front" "*kvo-default\* *kvo-2bit  *" "$(<out)"
like "its picture has the full cache as a line" "*'full (512 bytes)'*" "$(<plots/pareto.gp)"
like "and names those of the front" "*set label 'kvo-default' at first 128,*" "$(<plots/pareto.gp)"
mv kept.db m.db

# ---- curve ----
report curve --x value_bits
is "curve: the field's values, NULL where it has none" "full|,kvo-default|4,kvo-2bit|2" \
    "$(ask "SELECT group_concat(setting || '|' || x) FROM t")"
is "scores as in pareto" 3 "$(ask "SELECT count(*) FROM (SELECT t.score AS a, (SELECT avg(m) FROM
    (SELECT avg(points) AS m FROM s WHERE x = t.setting GROUP BY task)) AS b FROM t) WHERE $near")"
"$KVLAB" report curve --db m.db --plot plots >out 2>err
like "without --x the field is chosen, and said" "x is key_bits, which varies most; --x takes any of: key_bits (2 values), *" "$(<out)"
like "powers of two are on a log scale" "*set logscale x*" "$(<plots/curve.gp)"
like "the difference is a plot, too" "*no difference*" "$(<plots/curve_difference.gp)"

# ---- lengths ----
report lengths
is "lengths: 1, 2 and 1 items of each task" "0-4k|6,4-8k|12,8k+|6" \
    "$(ask "SELECT group_concat(bucket || '|' || n) FROM t WHERE setting = 'full' AND task = '(mean)'")"
bucket="CASE WHEN length < 4000 THEN '0-4k' WHEN length < 8000 THEN '4-8k' ELSE '8k+' END"
is "scores of each task and bucket" "$(ask "SELECT count(*) FROM (SELECT DISTINCT x, task, $bucket FROM s)")" \
    "$(ask "SELECT count(*) FROM (SELECT t.score AS a, (SELECT avg(points) FROM s WHERE x = t.setting AND s.task = t.task
    AND $bucket = t.bucket) AS b FROM t WHERE t.task <> '(mean)') WHERE $near")"
is "differences of the mean of a bucket" 5 "$(ask "SELECT count(*) FROM (SELECT t.difference AS a, (SELECT avg(m) FROM
    (SELECT avg(d) AS m FROM p WHERE x = t.setting AND $bucket = t.bucket GROUP BY task)) AS b FROM t
    WHERE t.task = '(mean)' AND t.difference <> '') WHERE $near")"
is "where a task has no item done there is no mean" "kvo-2bit|8k+" "$(ask "SELECT setting, bucket FROM t WHERE task = '(mean)' AND score = ''")"
cp m.db kept.db
sqlite3 m.db "UPDATE sample SET length = NULL WHERE hash = (SELECT sample_hash FROM job LIMIT 1)"
"$KVLAB" report lengths --db m.db >out 2>err
like "a task with a record of no length goes by its prompts" "*1 of 6 tasks go by the prompt's tokens*" "$(tr -s '\n ' ' ' <out)"
mv kept.db m.db
"$KVLAB" report lengths full kvo-2bi --db m.db >out 2>err
like "a setting that is not there" "*no setting 'kvo-2bi', did you mean 'kvo-2bit'*" "$(<err)"

# ---- cost ----
report cost
is "cost: seconds, rates, bytes" 3 "$(ask "SELECT count(*) FROM t JOIN (SELECT x, avg(prefill_seconds) AS p,
    sum(prompt_tokens) / sum(prefill_seconds) AS pt, sum(new_tokens) / sum(decode_seconds) AS dt, avg(decode_batch) AS b,
    100.0 * sum(shared_tokens) / sum(prompt_tokens) AS sh, avg(kv_bytes) AS k, 1.0 * sum(kv_full_bytes) / sum(kv_bytes) AS l,
    avg(new_tokens) AS m, 100.0 * avg(stop = 'length') AS c FROM s GROUP BY x) q ON q.x = t.setting
    WHERE abs(prefill_seconds_item - p) + abs(prefill_tokens_second - pt) + abs(decode_tokens_second - dt)
        + abs(t.decode_batch - b) + abs(shared_tokens_percent - sh) + abs(held_bytes_item - k) + abs(held_times_less - l)
        + abs(answer_tokens_mean - m) + abs(cut_at_limit_percent - c) < 1e-6")"
is "the median of the answers" 3 "$(ask "SELECT count(*) FROM (SELECT answer_tokens_median AS a, (SELECT avg(new_tokens) FROM
    (SELECT new_tokens, row_number() OVER (ORDER BY new_tokens) AS r, count(*) OVER () AS n FROM s WHERE x = t.setting)
    WHERE r IN ((n + 1) / 2, (n + 2) / 2)) AS b FROM t) WHERE $near")"
is "bytes by class" "$(ask "SELECT group_concat(v, ',') FROM (SELECT x || '|' || printf('%.6g', 1.0 * sum(held_bytes)
    / count(DISTINCT s.id)) AS v FROM s JOIN item_ledger l ON l.job = s.id AND l.class = 'bases' GROUP BY x ORDER BY x)")" \
    "$(ask "SELECT group_concat(v, ',') FROM (SELECT setting || '|' || printf('%.6g', held_item_bases) AS v FROM t
    WHERE held_item_bases > 0 ORDER BY setting)")"
"$KVLAB" report cost --db m.db >out 2>err
like "a prefill that settings shared counts once" "*items, $(ask "SELECT count(*) || ' prefills (those shared counted once) in '
    || printf('%.1f', sum(v)) FROM (SELECT DISTINCT task, sample_index, prefill_class, prefill_seconds AS v FROM s)") s*" "$(tr -s '\n ' ' ' <out)"
sqlite3 m.db "DELETE FROM item_ledger"
"$KVLAB" report cost --db m.db >out 2>err
like "without a ledger the items are counted" "*70 finished items are without bytes by class*" "$(tr -s '\n ' ' ' <out)"
is "and there is no table of classes" 0 "$(grep -c 'by class$' out)"

# ---- mistakes ----
refused() { # NAME PATTERN ARGS
    "$KVLAB" report "${@:3}" >out 2>err
    is "$1: exit code" 2 $?
    like "$1: message" "kvlab: $2" "$(<err)"
}
refused "an unknown axis" "report pareto: --x 'heldd' must be held, read, ratio or read_ratio, did you mean 'held'?" \
    pareto --x heldd --db m.db
refused "an unknown score" "--y 'mini_doc' is no task or category of experiment sample*; it may be: tasks, categories, *mini_doc_qa*" \
    pareto --y mini_doc --db m.db
refused "an unknown field" "--x 'key_bit' is no field of experiment sample's settings, did you mean 'key_bits'?; these vary: key_bits (2 values), *" \
    curve --x key_bit --db m.db
refused "a field that is no number" "--x chain is no number in experiment sample; these vary: *" curve --x chain --db m.db
refused "a field that does not vary" "--x bos is the same in all settings of experiment sample; *" curve --x bos --db m.db
sqlite3 m.db "UPDATE job SET kv_bytes = NULL, kv_full_bytes = NULL, kv_read_bytes = NULL, kv_read_full_bytes = NULL, kv_basis = NULL"
refused "items without bytes" "experiment sample has no measured bytes for --x held: *" pareto --db m.db
sqlite3 m.db "DELETE FROM experiment_job WHERE job IN (SELECT id FROM job WHERE run <> 2);
    DELETE FROM experiment_run WHERE name <> 'full'"
refused "one setting alone" "experiment sample has no settings that differ in a number: *" curve --db m.db

# ---- two protocols of a small run ----
"$KVLAB" run "${KVLAB_HOME:-.}/configs/grid.json" --db g.db --set samples=1 --set 'tasks=[{"name":"mini_doc_qa","words":150}]' \
    --set 'protocol.max_prompt_tokens=[60,3500]' >out 2>err
is "a small grid runs" 0 $?
refused "an axis of the protocol" "--x max_prompt_tokens is the protocol's: several protocols in one plot want --mix-protocols*" \
    curve --x max_prompt_tokens --db g.db
"$KVLAB" report curve --x max_prompt_tokens --mix-protocols --db g.db --format csv -o data.csv 2>err
is "mixed when asked for: a line a setting over both" "9|60|3500|18" \
    "$(sqlite3 :memory: ".import --csv data.csv t" "SELECT count(DISTINCT line), min(x + 0), max(x + 0), count(*) FROM t")"
"$KVLAB" report pareto --db g.db >out 2>err
is "not mixed: a plot each" 2 "$(grep -c '^Plot ' out)"
"$KVLAB" report pareto --mix-protocols --db g.db >out 2>err
is "mixed: one plot" 1 "$(grep -c '^Plot ' out)"
like "whose rows say which protocol" "*full (max_prompt_tokens 60)*full (max_prompt_tokens 3500)*" "$(<out)"
"$KVLAB" report curve --x key_bits --db g.db >out 2>err
like "a line for each combination of what else differs" "*token_budget 24 *token_budget 64 *token_budget 128 *" "$(<out)"
done_testing
