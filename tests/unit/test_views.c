/*
 * The views against numbers worked out by hand. With an argument it makes the sample database there
 * and does nothing else: the command-line tests read it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/store/store.h"
#include "tests/unit/scratch.h"

/* ---- the sample database ---- */

static struct err e;

#define must(call)                                                                                 \
    do {                                                                                           \
        if (call) {                                                                                \
            fprintf(stderr, "%s\n", e.msg);                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const struct {
    const char *name, *category;
} tasks[] = {{"mini_doc_qa", "single-doc QA"}, {"mini_multi_hop", "multi-doc QA"},
             {"mini_report", "summarization"}, {"mini_classify", "few-shot"},
             {"mini_retrieval", "synthetic"},  {"mini_code", "code"}};

static const struct {
    const char *name, *method;
    int bits, budget;
    int64_t bytes; // of 1000 of the full cache
} settings[] = {{"kvo-default", "kvo", 4, 1024, 250},
                {"full", "full", STORE_NONE, STORE_NONE, 1000},
                {"kvo-2bit", "kvo", 2, 1024, 150}};

enum { N_TASKS = 6, N_SETTINGS = 3, N_ITEMS = 4 };

struct sample_db {
    struct store *s;
    int64_t experiment, build, model, protocol, task[N_TASKS], run[N_SETTINGS];
    int n_tasks;
};

static void put_frame(struct sample_db *d, const char *experiment)
{
    must(store_put_experiment(d->s, &(struct store_experiment){experiment, "{}", "c0"},
                              &d->experiment, &e));
    must(store_put_model(d->s,
                         &(struct store_model){.identity = "m0",
                                               .name = "mini",
                                               .layers = 2,
                                               .heads = 4,
                                               .kv_heads = 2,
                                               .head_dim = 32,
                                               .params = 1000000},
                         &d->model, &e));
    must(store_put_protocol(
        d->s,
        &(struct store_protocol){
            .identity = "p0", .json = "{}", .preset = "kvo", .max_prompt_tokens = 3500},
        &d->protocol, &e));
    must(store_put_build(d->s, &(struct store_build){.version = "0.1", .threads = 2}, &d->build,
                         &e));
}

static void put_tasks(struct sample_db *d)
{
    for (int i = 0; i < d->n_tasks; i++) {
        char identity[16];
        snprintf(identity, sizeof identity, "t%d", i);
        must(store_put_task(d->s,
                            &(struct store_task){.identity = identity,
                                                 .name = tasks[i].name,
                                                 .source = "mini",
                                                 .category = tasks[i].category,
                                                 .metric = "qa_f1_score",
                                                 .metric_version = 1},
                            &d->task[i], &e));
    }
}

static void put_runs(struct sample_db *d)
{
    const struct store_option options[] = {{"kvo", "key_bits", "4"}, {"kvo", "window", "64"}};
    for (int i = 0; i < N_SETTINGS; i++) {
        int64_t setting;
        char identity[16];
        struct store_setting c = STORE_SETTING;
        snprintf(identity, sizeof identity, "s%d", i);
        c.identity = identity;
        c.name = settings[i].name;
        c.chain = c.method = settings[i].method;
        c.json = "{}";
        c.key_bits = c.value_bits = settings[i].bits;
        c.token_budget = settings[i].budget;
        c.options = options;
        c.n_options = i == 1 ? 0 : 2;
        must(store_put_setting(d->s, &c, &setting, &e));
        snprintf(identity, sizeof identity, "r%d", i);
        must(store_put_run(d->s,
                           &(struct store_run){.identity = identity,
                                               .model = d->model,
                                               .setting = setting,
                                               .protocol = d->protocol,
                                               .origin = "run",
                                               .experiment = d->experiment,
                                               .position = i,
                                               .name = settings[i].name},
                           &d->run[i], &e));
    }
}

static void plan(struct sample_db *d)
{
    for (int t = 0; t < d->n_tasks; t++)
        for (int item = 0; item < N_ITEMS; item++)
            for (int i = 0; i < N_SETTINGS; i++) {
                char id[32];
                int64_t job;
                snprintf(id, sizeof id, "%s-%d", tasks[t].name, item);
                must(store_plan_job(d->s,
                                    &(struct store_job){.experiment = d->experiment,
                                                        .run = d->run[i],
                                                        .task = d->task[t],
                                                        .sample_id = id,
                                                        .sample_index = item,
                                                        .sample_hash = "h",
                                                        .prefill_class = "plain"},
                                    &job, NULL, &e));
            }
}

static int setting_of(const struct sample_db *d, int64_t run)
{
    int i = 0;
    while (d->run[i] != run)
        i++;
    return i;
}

/* Scores of the four items: full 1, 1, 1, 0; kvo-default 1, 1, 0.5, 0; kvo-2bit 1, 0, 0, 0. */
static double score_of(int setting, int item)
{
    static const double score[N_SETTINGS][N_ITEMS] = {{1, 1, 0.5, 0}, {1, 1, 1, 0}, {1, 0, 0, 0}};
    return score[setting][item];
}

/* The last task's items fail under kvo-2bit from the third on. */
static void finish(struct sample_db *d, const struct store_claim *c, const struct store_claimed *j)
{
    int setting = setting_of(d, j->run);
    struct store_result r = STORE_RESULT;
    struct store_score score = {"qa_f1_score", 1, score_of(setting, c->sample_index)};
    const struct store_ledger ledger[] = {{"rows", 1000, 4000, 90},
                                          {"bases", 120, 500, 9},
                                          {"masks", 30, 100, 0},
                                          {"weights", 7, 70, 0}};
    const struct store_layer layers[] = {{0, 0.25, 0.5, 0}, {1, NAN, NAN, 1}};
    if (c->task == d->task[d->n_tasks - 1] && setting == 2 && c->sample_index >= 2)
        r.error = "prompt of 4200 tokens is longer than the model's 4096 positions";
    else {
        r.prediction = text_of("an answer,\nin \"two\" lines");
        r.prompt_tokens = 1000 + c->sample_index;
        r.new_tokens = 10;
        r.prefill_seconds = 2;
        r.decode_seconds = setting == 1 ? 0.5 : 0.25;
        r.kv_bytes = settings[setting].bytes * (c->sample_index + 1);
        r.kv_full_bytes = 1000 * (c->sample_index + 1);
        r.kv_basis = "counted";
        r.kv_read_bytes = settings[setting].bytes * 4;
        r.kv_read_full_bytes = 10000;
        r.ledger = setting == 1 ? &ledger[0] : &ledger[1];
        r.n_ledger = setting == 1 ? 1 : 3;
        r.layers = layers;
        r.n_layers = 2;
    }
    struct store_finished done = {j->job, d->build, &r, &score, r.error ? 0 : 1, false};
    must(store_finish(d->s, &done, 1, &e));
}

/* All groups but the last `left`, which stay ready. */
static void work(struct sample_db *d, int left)
{
    struct store_claim c;
    for (int n = d->n_tasks * N_ITEMS - left; n > 0; n--) {
        must(store_claim(d->s, d->experiment, &c, &e));
        assert_int_equal(c.n, N_SETTINGS);
        for (int i = 0; i < c.n; i++)
            finish(d, &c, &c.jobs[i]);
        store_claim_free(&c);
    }
}

static void make_sample_db(struct sample_db *d, const char *path, int n_tasks, int left)
{
    d->n_tasks = n_tasks;
    must(store_open(path, STORE_CREATE, &d->s, &e));
    must(store_begin(d->s, &e));
    put_frame(d, "sample");
    put_tasks(d);
    put_runs(d);
    plan(d);
    must(store_commit(d->s, &e));
    work(d, left);
}

/* ---- tests ---- */

static double number(struct sample_db *d, const char *sql)
{
    struct stmt *q;
    must(stmt_open(store_db(d->s), sql, NULL, 0, &q, &e));
    assert_int_equal(stmt_step(q, &e), 1);
    double x = stmt_num(q, 0);
    stmt_close(q);
    return x;
}

static void is(struct sample_db *d, const char *sql, double expected)
{
    double x = number(d, sql);
    if (!(fabs(x - expected) < 1e-12) && !(isnan(x) && isnan(expected))) {
        fprintf(stderr, "%s: %.17g, expected %.17g\n", sql, x, expected);
        fail();
    }
}

#define RESULT(column, setting, task)                                                              \
    "SELECT " column " FROM result WHERE setting = '" setting "' AND task = '" task "'"

static void result_has_means_and_standard_errors(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "views.db", 2, 0);
    is(&d, "SELECT count(*) FROM result", 6);
    is(&d, RESULT("score", "full", "mini_doc_qa"), 75);
    /* Items 100, 100, 100, 0: squares about 75 sum to 3 * 625 + 5625 = 7500; sqrt(7500 / 3 / 4). */
    is(&d, RESULT("stderr", "full", "mini_doc_qa"), 25);
    is(&d, RESULT("score", "kvo-default", "mini_doc_qa"), 62.5);
    /* 100, 100, 50, 0 about 62.5: 1406.25 * 2 + 156.25 + 3906.25 = 6875. */
    is(&d, RESULT("stderr", "kvo-default", "mini_doc_qa"), sqrt(6875.0 / 12));
    is(&d, RESULT("n", "full", "mini_doc_qa"), 4);
    is(&d, RESULT("kv_ratio", "kvo-2bit", "mini_doc_qa"), 0.15);
    is(&d, RESULT("kv_read_ratio", "kvo-default", "mini_doc_qa"), 0.1);
    is(&d, RESULT("kv_bytes_token", "full", "mini_doc_qa"), 2 * 2 * 2 * 2 * 32);
    is(&d, RESULT("decode_tps", "full", "mini_doc_qa"), 20);
    is(&d, RESULT("prefill_tps", "full", "mini_doc_qa"), 4006.0 / 8);
    is(&d, RESULT("prompt_tokens", "full", "mini_doc_qa"), 1001.5);
    is(&d, RESULT("key_bits", "full", "mini_doc_qa"), NAN);
    is(&d, RESULT("key_bits", "kvo-2bit", "mini_doc_qa"), 2);
    store_close(d.s);
}

static void failed_and_missing_items_are_counted(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "views2.db", 2, 1);
    /* The fourth item of the second task is ready; the third failed under kvo-2bit. */
    is(&d, RESULT("n", "kvo-2bit", "mini_multi_hop"), 2);
    is(&d, RESULT("failed", "kvo-2bit", "mini_multi_hop"), 1);
    is(&d, RESULT("left", "kvo-2bit", "mini_multi_hop"), 1);
    is(&d, RESULT("planned", "kvo-2bit", "mini_multi_hop"), 4);
    is(&d, RESULT("score", "kvo-2bit", "mini_multi_hop"), 50);
    is(&d, RESULT("n", "full", "mini_multi_hop"), 3);
    is(&d, RESULT("stderr", "full", "mini_multi_hop"), 0);
    is(&d, "SELECT count(*) FROM item WHERE error LIKE 'prompt of 4200%'", 1);
    is(&d, "SELECT count(*) FROM item WHERE prediction IS NULL AND score IS NULL", 4);
    store_close(d.s);
}

static void the_newest_version_of_a_score_counts(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "views3.db", 1, 0);
    is(&d, "SELECT metric_version FROM result WHERE setting = 'full'", 1);
    must(store_put_score(d.s, 2, &(struct store_score){"qa_f1_score", 2, 0.25}, &e));
    must(store_put_score(d.s, 2, &(struct store_score){"qa_f1_score", 2, 0.75}, &e));
    must(store_put_score(d.s, 2, &(struct store_score){"rouge_score", 9, 0.5}, &e));
    is(&d, "SELECT score FROM item WHERE job = 2", 25);
    is(&d, "SELECT metric_version = 'mixed' FROM result WHERE setting = 'full'", 1);
    is(&d, "SELECT sum(score) FROM item WHERE setting = 'full'", 225);
    store_close(d.s);
}

static void traffic_has_the_sums_of_an_item(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "views5.db", 2, 0);
#define TRAFFIC(column, setting)                                                                   \
    "SELECT " column " FROM traffic WHERE setting = '" setting "' AND sample = 'mini_doc_qa-2'"
    is(&d, "SELECT count(*) FROM traffic", 22); // the failed have none
    is(&d, TRAFFIC("steps", "full"), 9);
    is(&d, TRAFFIC("context", "full"), 1002 + 4); // steps see 1002 to 1010 tokens
    is(&d, TRAFFIC("rows_read_bytes", "full"), 4000);
    is(&d, TRAFFIC("weights_read_bytes", "full"), NAN);
    is(&d, TRAFFIC("held_bytes", "kvo-2bit"), 150);
    is(&d, TRAFFIC("read_bytes", "kvo-2bit"), 600);
    is(&d, TRAFFIC("written_bytes", "kvo-2bit"), 9);
    is(&d, TRAFFIC("metadata_held_bytes", "kvo-2bit"), 30);
    is(&d, TRAFFIC("metadata_read_bytes", "kvo-2bit"), 100);
    is(&d, TRAFFIC("rows_held_bytes", "kvo-2bit"), 0);
    is(&d, TRAFFIC("weights_read_bytes", "kvo-2bit"), 70);
    is(&d, TRAFFIC("full_bytes", "kvo-2bit"), 3000);
    is(&d, TRAFFIC("read_full_bytes", "kvo-2bit"), 10000);
    is(&d, TRAFFIC("dense_share", "kvo-2bit"), 0);
    must(db_exec(store_db(d.s), "UPDATE setting SET first_layer = 1", &e));
    is(&d, TRAFFIC("dense_share", "kvo-2bit"), 0.5); // of 2 layers
    must(db_exec(store_db(d.s), "UPDATE setting SET first_layer = 9", &e));
    is(&d, TRAFFIC("dense_share", "kvo-2bit"), 1);
    store_close(d.s);
}

/* A second experiment that asks for one item of two of the runs. */
static void an_experiment_counts_its_own_items(void **state)
{
    (void)state;
    struct sample_db d;
    int64_t job;
    bool made = true;
    make_sample_db(&d, "views4.db", 1, 0);
    is(&d,
       "SELECT count(*) FROM cell c JOIN experiment_cell x USING (run, task_id) WHERE"
       " c.planned = x.planned AND c.score = x.score AND c.stderr = x.stderr"
       " AND c.kv_ratio = x.kv_ratio AND c.decode_tps = x.decode_tps AND c.builds = x.builds",
       3);
    put_frame(&d, "second");
    put_runs(&d);
    must(store_plan_job(d.s,
                        &(struct store_job){.experiment = d.experiment,
                                            .run = d.run[1],
                                            .task = d.task[0],
                                            .sample_id = "mini_doc_qa-3",
                                            .sample_index = 3,
                                            .sample_hash = "h",
                                            .prefill_class = "plain"},
                        &job, &made, &e));
    assert_false(made);
    is(&d, "SELECT n FROM experiment_cell WHERE experiment = 2", 1);
    is(&d, "SELECT score FROM experiment_cell WHERE experiment = 2", 0);
    is(&d, "SELECT stderr FROM experiment_cell WHERE experiment = 2", NAN);
    is(&d, RESULT("score", "full", "mini_doc_qa"), 75);
    store_close(d.s);
}

#define COMPARISON(column, setting, task)                                                          \
    "SELECT " column " FROM comparison WHERE setting = '" setting "' AND task = '" task "'"

static void a_run_is_compared_with_the_full_cache(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "compare.db", 2, 0);
    is(&d, "SELECT count(*) FROM comparison", 4); // and not the full cache with itself
    is(&d, "SELECT total(full_run <> 2) FROM comparison", 0);
    is(&d, COMPARISON("difference", "kvo-default", "mini_doc_qa"), -12.5);
    /* 0, 0, -50, 0 about -12.5: 3 * 156.25 + 1406.25 = 1875. */
    is(&d, COMPARISON("stderr", "kvo-default", "mini_doc_qa"), sqrt(1875.0 / 12));
    is(&d, COMPARISON("won", "kvo-default", "mini_doc_qa"), 0);
    is(&d, COMPARISON("lost", "kvo-default", "mini_doc_qa"), 1);
    is(&d, COMPARISON("tied", "kvo-default", "mini_doc_qa"), 3);
    is(&d, COMPARISON("full_score", "kvo-default", "mini_doc_qa"), 75);
    is(&d, COMPARISON("kv_ratio", "kvo-2bit", "mini_doc_qa"), 0.15);
    /* Two items failed: the others are 100 and 0 where the full cache has 100 and 100. */
    is(&d, COMPARISON("n", "kvo-2bit", "mini_multi_hop"), 2);
    is(&d, COMPARISON("missing", "kvo-2bit", "mini_multi_hop"), 2);
    is(&d, COMPARISON("score", "kvo-2bit", "mini_multi_hop"), 50);
    is(&d, COMPARISON("full_score", "kvo-2bit", "mini_multi_hop"), 100);
    is(&d, COMPARISON("stderr", "kvo-2bit", "mini_multi_hop"), 50);
    is(&d,
       "SELECT count(*) FROM item_comparison WHERE key_bits = 2 AND full_score = 100 AND score = 0",
       3);
    store_close(d.s);
}

/* Another full cache, of packed rows, comes before the plain one and is compared with it; another
 * protocol's is none. */
static void the_plain_full_cache_is_the_one(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "plain.db", 1, 0);
    must(db_exec(store_db(d.s),
                 "UPDATE setting SET method = 'full', chain = 'full + q8' WHERE id = 1", &e));
    is(&d, "SELECT count(*) FROM comparison WHERE full_run = 2", 2);
    is(&d, "SELECT count(*) FROM comparison", 2);
    must(db_exec(store_db(d.s), "UPDATE setting SET weights = 'w4g128' WHERE id = 2", &e));
    is(&d, "SELECT count(*) FROM comparison WHERE full_run = 1", 2);
    must(db_exec(store_db(d.s),
                 "INSERT INTO protocol (id, identity, json) VALUES (9, 'p9', '{}');"
                 "UPDATE run SET protocol = 9 WHERE id = 1",
                 &e));
    is(&d, "SELECT count(*) FROM comparison", 0);
    store_close(d.s);
}

static void published_numbers_stand_in_result_and_nowhere_else(void **state)
{
    (void)state;
    struct sample_db d;
    struct store_run r = {.identity = "pub", .origin = "published", .name = "kvo-2bit"};
    int64_t run;
    make_sample_db(&d, "published.db", 2, 0);
    r.model = d.model, r.protocol = d.protocol, r.setting = 3, r.experiment = d.experiment;
    must(store_put_run(d.s, &r, &run, &e));
    struct store_published p = {run, d.task[0], 41.5, 200, NAN, "Table 3, row 2"};
    must(store_put_published(d.s, &p, &e));
    p.score = 99;
    must(store_put_published(d.s, &p, &e)); // what is there stays
    is(&d, "SELECT score FROM result WHERE origin = 'published' AND source = 'Table 3, row 2'",
       41.5);
    is(&d, "SELECT n FROM result WHERE run = 4", 200);
    is(&d, "SELECT stderr FROM result WHERE run = 4", NAN);
    is(&d, "SELECT count(*) FROM result", 7);
    is(&d, "SELECT count(*) FROM cell", 6);
    is(&d, "SELECT count(*) FROM comparison", 4);
    is(&d, "SELECT count(*) FROM experiment_cell", 6);
    p.run = 99;
    assert_int_equal(store_put_published(d.s, &p, &e), -1); // no such run
    store_close(d.s);
}

static void provenance_has_a_row_a_run_and_build(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "provenance.db", 2, 0);
    is(&d, "SELECT count(*) FROM provenance", 3);
    is(&d, "SELECT failed FROM provenance WHERE setting = 'kvo-2bit'", 2);
    is(&d, "SELECT total(items) FROM provenance WHERE tasks = 2 AND threads = 2", 24);
    must(store_put_build(d.s, &(struct store_build){.version = "0.2", .commit = "abc"}, &d.build,
                         &e));
    must(db_exec(store_db(d.s),
                 "UPDATE job SET build = 2, finished_at = '2001-02-03T04:05:06Z' WHERE id = 1",
                 &e));
    is(&d,
       "SELECT items FROM provenance WHERE \"commit\" = 'abc' AND run = 1"
       " AND first_finished = '2001-02-03T04:05:06Z' AND last_finished = first_finished",
       1);
    is(&d, "SELECT count(*) FROM provenance", 4);
    store_close(d.s);
}

static void a_ledger_s_rows_have_names(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "ledger.db", 2, 0);
    is(&d, "SELECT count(*) FROM ledger", 8 + 3 * 14);
    is(&d, "SELECT sum(read_bytes) FROM ledger WHERE setting = 'kvo-2bit' AND class = 'masks'",
       600);
    store_close(d.s);
}

/* The plan of a query, its words in one text. */
static bool plan_has(struct sample_db *d, const char *sql, const char *words)
{
    struct stmt *q;
    char explain[512];
    bool found = false;
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    must(stmt_open(store_db(d->s), explain, NULL, 0, &q, &e));
    while (stmt_step(q, &e) == 1)
        found = found || strstr(stmt_text(q, 3).s, words);
    stmt_close(q);
    return found;
}

/* Whatever is asked of cells is read from job_cell, in its order, and conditions reach it. */
static void cells_are_read_from_their_index(void **state)
{
    (void)state;
    static const char *const asked[] = {
        "SELECT * FROM result",
        "SELECT * FROM result WHERE setting = 'full'",
        "SELECT * FROM result WHERE task = 'mini_doc_qa' AND run = 2",
        "SELECT * FROM experiment_cell WHERE experiment = 1",
        "SELECT * FROM comparison",
        "SELECT * FROM comparison WHERE setting = 'full' AND protocol = 'kvo'"};
    struct sample_db d;
    make_sample_db(&d, "plans.db", 1, 0);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        if (!plan_has(&d, asked[i], "SEARCH j USING COVERING INDEX job_cell (run=? AND task=?)"))
            fail_msg("%s", asked[i]);
        if (plan_has(&d, asked[i], "FOR GROUP BY"))
            fail_msg("%s sorts", asked[i]);
        assert_false(plan_has(&d, asked[i], "AUTOMATIC"));
    }
    assert_true(plan_has(&d, "SELECT * FROM ledger WHERE job = 1", "SEARCH l USING PRIMARY KEY"));
    assert_true(plan_has(&d, "SELECT * FROM item WHERE job = 1", "SEARCH j USING INTEGER PRIMARY"));
    assert_true(plan_has(&d, "SELECT * FROM provenance", "SCAN job USING COVERING INDEX job_cell"));
    store_close(d.s);
}

/* Of every table, view and column, and of nothing that is not there. */
static void everything_is_documented(void **state)
{
    (void)state;
    struct sample_db d;
    make_sample_db(&d, "docs.db", 1, 0);
    is(&d,
       "WITH o AS (SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
       "   AND name NOT LIKE 'sqlite_%'),"
       " c AS (SELECT name AS object, '' AS \"column\" FROM o UNION ALL"
       "   SELECT o.name, i.name FROM o, pragma_table_info(o.name) i)"
       " SELECT count(*) FROM c LEFT JOIN docs USING (object, \"column\")"
       " WHERE coalesce(text, '') = ''",
       0);
    is(&d,
       "SELECT count(*) FROM docs d WHERE \"column\" <> '' AND NOT EXISTS"
       " (SELECT 1 FROM pragma_table_info(d.object) i WHERE i.name = d.\"column\")",
       0);
    is(&d,
       "SELECT count(*) FROM docs WHERE \"column\" = ''"
       " AND object NOT IN (SELECT name FROM sqlite_schema)",
       0);
    store_close(d.s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result_has_means_and_standard_errors),
        cmocka_unit_test(failed_and_missing_items_are_counted),
        cmocka_unit_test(the_newest_version_of_a_score_counts),
        cmocka_unit_test(traffic_has_the_sums_of_an_item),
        cmocka_unit_test(an_experiment_counts_its_own_items),
        cmocka_unit_test(a_run_is_compared_with_the_full_cache),
        cmocka_unit_test(the_plain_full_cache_is_the_one),
        cmocka_unit_test(published_numbers_stand_in_result_and_nowhere_else),
        cmocka_unit_test(provenance_has_a_row_a_run_and_build),
        cmocka_unit_test(a_ledger_s_rows_have_names),
        cmocka_unit_test(cells_are_read_from_their_index),
        cmocka_unit_test(everything_is_documented),
    };
    if (argc > 1) {
        struct sample_db d;
        make_sample_db(&d, argv[1], N_TASKS, 0);
        store_close(d.s);
        return 0;
    }
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
