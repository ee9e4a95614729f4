#!/bin/bash
# Reports table, ablation and compare: their numbers on a made-up database, where they can be said
# by hand, and beside the views; what is missing; what cannot be compared. Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/lib.sh
source "$here/lib.sh"
KVLAB=${KVLAB:-./kvlab}

# Six tasks of four items. Right of the four: full 3, kvo-default 2.5 (one is half right), kvo-2bit 1;
# of mini_code kvo-2bit has two without a score.
"$(dirname "$KVLAB")/tests/test_views" s.db || exit 1

report() {
    "$KVLAB" report "$@" >out 2>err
    rc=$?
}
cells() { # SQL, of the report's data as table c
    rm -f c.db
    sqlite3 c.db ".import --csv out c" "$1"
}
refused() { # NAME PATTERN ARGS
    local name=$1 pattern=$2
    shift 2
    report "$@"
    like "$name" "2 kvlab: $pattern" "$rc $(<err)"
}

# ---- table ----
report table --db s.db --format csv --grid cells
is "a task's score: n, missing, score, standard error by hand" "4|0|75|25.0" \
    "$(cells "SELECT n, missing, score, round(stderr, 9) FROM c WHERE setting = 'full' AND task = 'mini_code'")"
is "beside the full cache: 2 of 4 lost, exact sign test 2/4" "-50|28.8675|0|2|2|0.5|exact sign test" \
    "$(cells "SELECT difference, round(difference_stderr, 4), won, lost, tied, p, test FROM c WHERE setting = 'kvo-2bit' AND task = 'mini_report'")"
is "items without a score make no pairs" "2|2|2|50|-50" \
    "$(cells "SELECT n, missing, pairs, score, difference FROM c WHERE setting = 'kvo-2bit' AND task = 'mini_code'")"
is "the mean of tasks: standard error 25 / sqrt 6" "75|10.2062|24" \
    "$(cells "SELECT score, round(stderr, 4), n FROM c WHERE setting = 'full' AND task = 'mean of 6 tasks'")"
is "and of the difference: sqrt(5 * 28.8675^2 + 50^2) / 6" "-50|13.6083|22|0|11|11" \
    "$(cells "SELECT CAST(round(difference, 9) AS INTEGER), round(difference_stderr, 4), pairs, won, lost, tied FROM c WHERE setting = 'kvo-2bit' AND task LIKE 'mean%'")"
is "Benjamini-Hochberg over 12 comparisons: p 0.5 in 5 of them, then 1" "1" \
    "$(cells "SELECT max(p_adjusted) >= 0.999 AND min(p_adjusted) >= min(p) FROM c WHERE category <> ''")"
is "the baseline is not compared with itself" "|" \
    "$(cells "SELECT DISTINCT p, difference FROM c WHERE setting = 'full'")"
views() { # COLUMNS OF c, OF comparison: the same
    "$KVLAB" query "SELECT task, n, difference, won, lost, tied FROM comparison WHERE setting = 'kvo-2bit' ORDER BY task" --db s.db --format csv | tail -n +2
}
is "differences are those of view comparison" "$(views)" \
    "$(cells "SELECT task || ',' || pairs || ',' || CAST(difference AS REAL) || ',' || won || ',' || lost || ',' || tied FROM c WHERE setting = 'kvo-2bit' AND category <> '' ORDER BY task" | sed 's/\.0,/,/g')"
report table --db s.db
like "a dagger where the interval excludes 0, a star where items are missing" "*kvo-default *62.5 ±9.8† *kvo-2bit *50.0\**29.2 ±12.5†\**" "$(<out)"
like "the note says how" "*† the 95 % interval of the difference to full, paired by item, excludes 0 (percentile bootstrap of?*items, 1000 resamples, seed 1; 2 to 4 pairs a task)*12 comparisons*by chance*" "$(<out)"
is "at most 100 columns" 1 $(($(wc -L <out) <= 100))
report table --db s.db --seed 7 --level 90 --resamples 200
like "seed, level and resamples are said" "*the 90 % interval*200 resamples, seed?*7;*" "$(<out)"
report table --db s.db --baseline kvo-default --format csv --grid cells
is "another baseline" "12.5" "$(cells "SELECT difference FROM c WHERE setting = 'full' AND task = 'mini_code'")"
refused "an unknown baseline" "the experiment has no setting 'kvo-3bit', did you mean 'kvo-2bit'?*" table --db s.db --baseline kvo-3bit

cp s.db nofull.db
sqlite3 nofull.db "UPDATE setting SET method = 'kvo'"
report table --db nofull.db
like "no full cache: nothing is compared, and that is said" "0 *No setting here is the full cache*" "$rc $(<out)"
is "and no dagger stands" 0 "$(grep -c '†' out)"
cp s.db one.db
sqlite3 one.db "DELETE FROM experiment_job WHERE job NOT IN (SELECT id FROM job WHERE sample_index = 0)"
report table --db one.db --format csv --grid cells
is "of one item there is no interval, no test" "1||||||" \
    "$(cells "SELECT n, stderr, low, high, p, difference_low, test FROM c WHERE setting = 'kvo-2bit' AND task = 'mini_doc_qa'")"
cp s.db two.db
sqlite3 two.db "UPDATE task SET category = 'QA' WHERE name IN ('mini_doc_qa', 'mini_multi_hop', 'mini_report', 'mini_classify')"
sqlite3 two.db "UPDATE score SET value = 1 WHERE job IN (SELECT j.id FROM job j JOIN task t ON t.id = j.task WHERE t.name = 'mini_code')"
report table --db two.db --format csv --grid cells
is "both averages: (5 * 75 + 100) / 6 and (75 + 75 + 100) / 3" "mean of 3 categories|83.3333
mean of 6 tasks|79.1667" "$(cells "SELECT task, round(score, 4) FROM c WHERE setting = 'full' AND category = '' ORDER BY task")"

# ---- several protocols ----
cp s.db mix.db
sqlite3 mix.db "INSERT INTO protocol (id, identity, json, preset) SELECT 2, 'other', json, preset FROM protocol WHERE id = 1;
    INSERT INTO protocol_option VALUES (1, 'chat', 'task'), (2, 'chat', 'none') ON CONFLICT (protocol, name) DO UPDATE SET value = excluded.value;
    UPDATE run SET protocol = 2 WHERE id = 3"
report table --db mix.db
is "a block each" 2 "$(grep -c '^setting' out)"
report table --db mix.db --mix-protocols
like "one table, rows named by what differs" "*full (chat=task)*kvo-2bit (chat=none)*" "$(<out)"
like "a row whose protocol has no baseline is not compared, and that is said" \
    "*1 setting here has no baseline of the same protocol and is not compared.*" "$(<out)"
report table --db mix.db --mix-protocols --format csv --grid cells
is "only with its own protocol's baseline" "full (chat=task)|full (chat=task)|
kvo-2bit (chat=none)||
kvo-default (chat=task)|full (chat=task)|-12.5" \
    "$(cells "SELECT setting, baseline, difference FROM c WHERE task = 'mini_code' ORDER BY 1")"
cp mix.db mixed.db
sqlite3 mixed.db "INSERT INTO run (id, model, setting, protocol, identity, origin, created) SELECT 99, model, setting, 2, 'full under 2', origin, created FROM run WHERE id = 2;
    INSERT INTO experiment_run (experiment, run, position, name) SELECT experiment, 99, 99, name FROM experiment_run WHERE run = 2;
    INSERT INTO job (id, identity, run, task, sample, sample_index, sample_hash, prefill_class, state, finished_at, prediction)
      SELECT id + 1000, identity || 'x', 99, task, sample, sample_index, sample_hash, prefill_class, state, finished_at, prediction FROM job WHERE run = 2;
    INSERT INTO experiment_job SELECT 1, id FROM job WHERE run = 99;
    INSERT INTO score SELECT job + 1000, metric, metric_version, 0.25 FROM score WHERE job IN (SELECT id FROM job WHERE run = 2)"
report table --db mixed.db --mix-protocols --format csv --grid cells
is "each with its own protocol's" "full (chat=none)|full (chat=none)|
full (chat=task)|full (chat=task)|
kvo-2bit (chat=none)|full (chat=none)|25
kvo-default (chat=task)|full (chat=task)|-12.5" \
    "$(cells "SELECT setting, baseline, difference FROM c WHERE task = 'mini_code' ORDER BY 1")"
report table --db mixed.db --mix-protocols --baseline full
like "and the note says so" "*difference to the baseline of its own protocol, paired*" "$(tr '\n' ' ' <out | sed 's/  */ /g')"
refused "compare refuses" "report compare: run:2 and run:3 have different protocols (protocol.chat: task and none); --mix-protocols *" \
    compare full kvo-2bit --db mix.db
report compare full kvo-2bit --db mix.db --mix-protocols
like "unless asked" "0 *protocol.chat *task *none*" "$rc $(<out)"

# ---- compare ----
report compare full kvo-2bit --db s.db --format csv
is "B less A, over the pairs" "2|2|100|50|-50|0|1|1" \
    "$(cells "SELECT pairs, missing, score_a, score_b, difference, won, lost, tied FROM c WHERE task = 'mini_code'")"
report compare kvo-2bit full --db s.db --format csv
is "the other way round it is gained" "50|1|0" "$(cells "SELECT difference, won, lost FROM c WHERE task = 'mini_code'")"
report compare run:2 sample:kvo-2bit --db s.db --format csv --grid items
is "every item of both is in the data" "24|11" "$(cells "SELECT count(*), sum(difference = -100) FROM c")"
report compare mini:full '#3' --db s.db --items 1
like "the worst, with both answers" "*Worst: 1 of 11 items on which B is worse*mini_doc_qa, item *: A 100.0, B 0.0 (-100.0)*A?*B?*" "$(<out)"
is "none is better" 0 "$(grep -c '^Best' out)"
refused "an unknown setting" "s.db has no run 'kvo-2bits', did you mean 'kvo-2bit'?*" compare full kvo-2bits --db s.db
refused "an unknown run" "s.db has no run 'run:33', did you mean 'run:3'?*" compare full run:33 --db s.db
refused "a run with itself" "report compare: full and run:2 are the same run" compare full run:2 --db s.db
refused "half of it" "report compare: B is missing *" compare full --db s.db
cp s.db none.db
sqlite3 none.db "DELETE FROM score WHERE job IN (SELECT id FROM job WHERE run = 3)"
refused "no item in both" "report compare: full and kvo-2bit have no item with a score in both" compare full kvo-2bit --db none.db

# ---- ablation ----
refused "nothing declared" "report ablation: experiment sample declares no ablation *--baseline SETTING *" ablation --db s.db
sqlite3 s.db "INSERT INTO experiment_factor VALUES (1, 1, 'bits', 'kvo.key_bits', '4', 1), (1, 3, 'bits', 'kvo.key_bits', '2', 1)"
report ablation --db s.db --format csv
is "the base first, then the difference to it: (5 * -37.5 - 50) / 6, by pairs" "4|kvo-default|62.5|
2|kvo-2bit|29.1667|-39.5833" "$(cells "SELECT value, setting, round(score, 4), iif(difference = '', '', round(difference, 4)) FROM c")"
report ablation --db s.db
like "the base is marked" "*bits: kvo.key_bits, base kvo-default*4 (base) *62.5*2 *29.2*-39.6*" "$(<out)"
report ablation --db s.db --plot plots
is "the plot is of differences, the base at 0 without an interval" "2 -39.5833|4 0 NaN NaN" \
    "$(awk '$1 == 2 {printf "%s %.4f|", $1, $2} $1 == 4' plots/bits_kvo_key_bits.dat)"
like "and says so" "*set title 'kvo.key_bits: difference to kvo-default, 95 % intervals, paired by item'*" "$(cat plots/bits_kvo_key_bits.gp)"
sqlite3 s.db "DELETE FROM experiment_factor; DELETE FROM setting_option;
    INSERT INTO setting_option SELECT r.setting, 'kvo', o.column1, CASE WHEN r.id = 3 AND o.column1 = 'key_bits' THEN '2' ELSE '4' END
      FROM run r, (VALUES ('key_bits'), ('window')) o WHERE r.id <> 2"
report ablation --db s.db --baseline kvo-default --format csv
is "found by the one option that differs" "kvo.key_bits|4|
kvo.key_bits|2|-39.5833" "$(cells "SELECT factor, value, iif(difference = '', '', round(difference, 4)) FROM c")"
sqlite3 s.db "UPDATE setting_option SET value = '8' WHERE name = 'window' AND setting = (SELECT setting FROM run WHERE id = 3)"
refused "two options are no ablation" "report ablation: no setting of experiment sample differs from 'kvo-default' in one option" \
    ablation --db s.db --baseline kvo-default
done_testing
