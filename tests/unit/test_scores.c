/* What scores_load makes of a database: the same items at the same places in all rows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/scores.h"
#include "tests/unit/scratch.h"

static struct err e;
static struct store *store;

#define must(call)                                                                                 \
    do {                                                                                           \
        if (call) {                                                                                \
            fprintf(stderr, "%s\n", e.msg);                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Two models, two protocols; settings 1 kvo, 2 full, 3 full with packed weights. Run 4 is of
 * another protocol, run 5 of another model. Task 2 was planned before task 1 and task 3 after, of
 * task 2's category; two tasks have the same name. */
static const char frame[] =
    "INSERT INTO model (id, identity, name) VALUES (1, 'm1', 'one'), (2, 'm2', 'two');"
    "INSERT INTO protocol (id, identity, json, preset) VALUES (1, 'p1', '{}', 'kvo'),"
    " (2, 'p2', '{}', 'longbench');"
    "INSERT INTO setting (id, identity, name, chain, method, json, weights) VALUES"
    " (1, 's1', 'kvo', 'kvo', 'kvo', '{}', NULL), (2, 's2', 'full', 'full', 'full', '{}', NULL),"
    " (3, 's3', 'w4', 'full', 'full', '{}', 'w4g128');"
    "INSERT INTO task (id, identity, name, source, category, metric, data) VALUES"
    " (1, 't1', 'qa', 'mini', 'single', 'f1', 'generated: 100 words, seed 1'),"
    " (2, 't2', 'count', 'mini', 'synthetic', 'exact', NULL),"
    " (3, 't3', 'find', 'mini', 'synthetic', 'exact', NULL),"
    " (4, 't4', 'qa', 'mini', 'single', 'f1', 'generated: 900 words, seed 1');"
    "INSERT INTO run (id, identity, model, setting, protocol, origin, created) VALUES"
    " (1, 'r1', 1, 1, 1, 'run', ''), (2, 'r2', 1, 2, 1, 'run', ''), (3, 'r3', 1, 3, 1, 'run', ''),"
    " (4, 'r4', 1, 1, 2, 'run', ''), (5, 'r5', 2, 2, 1, 'run', '');"
    "INSERT INTO experiment (id, name, config, config_hash, created, planned, plans) VALUES"
    " (1, 'all', '{}', 'c', '', '', 1), (2, 'none', '{}', 'd', '', '', 2);"
    "INSERT INTO experiment_run (experiment, run, position, name) VALUES (1, 3, 1, 'packed'),"
    " (1, 1, 0, 'ours'), (1, 2, 2, 'whole'), (1, 4, 3, 'ours'), (1, 5, 4, 'whole'),"
    " (2, 1, 0, 'ours');"
    "INSERT INTO build (id, identity) VALUES (7, 'b7'), (8, 'b8');";

/* A job in experiment 1 (its number over 900: in none) that is done and scored, or ready. */
static void put(int64_t job, int run, int task, int sample, double score)
{
    struct db *db = store_db(store);
    const struct db_val v[] = {val_int(job),    val_int(run),   val_int(task),
                               val_int(sample), val_num(score), val_int(7 + run % 2)};
    static const char job_sql[] =
        "INSERT INTO job (id, identity, run, task, sample, sample_index, sample_hash,"
        " prefill_class, state, finished_at, prediction, build, new_tokens, decode_seconds,"
        " kv_bytes, kv_full_bytes, kv_basis) SELECT ?1, 'j' || ?1, ?2, ?3, 's' || ?4, ?4, 'h', 'c',"
        " iif(?5 IS NULL, 'ready', 'done'), iif(?5 IS NULL, NULL, 'now'),"
        " iif(?5 IS NULL, NULL, 'answer'), iif(?5 IS NULL, NULL, ?6), iif(?5 IS NULL, NULL, ?1),"
        " iif(?5 IS NULL, NULL, 0.5), iif(?5 IS NULL, NULL, 10), iif(?5 IS NULL, NULL, 40),"
        " iif(?5 IS NULL, NULL, 'held')";
    static const char score_sql[] =
        "INSERT INTO score (job, metric, metric_version, value)"
        " SELECT ?1, metric, 1, ?5 FROM task WHERE id = ?3 AND ?5 IS NOT NULL";
    const char *const sql[] = {
        job_sql, "INSERT INTO experiment_job (experiment, job) SELECT 1, ?1 WHERE ?1 < 900",
        score_sql};
    const int n[] = {6, 1, 5};
    for (int i = 0; i < 3; i++)
        must(db_run(db, sql[i], v, n[i], NULL, &e));
}

static void make(void)
{
    must(store_open("s.db", STORE_CREATE, &store, &e));
    must(db_exec(store_db(store), frame, &e));
    put(20, 1, 2, 5, 0.25); // a task whose samples are 5 and 9
    put(21, 2, 2, 5, 0.5);
    put(22, 2, 2, 9, 1);
    put(30, 1, 1, 1, NAN); // left, before the ones that are done in the index's order
    put(31, 1, 1, 0, 0.75);
    put(32, 1, 1, 2, 0);
    put(33, 2, 1, 0, 1);
    put(40, 2, 3, 0, 1);
    put(50, 1, 4, 0, 1);
    put(60, 4, 1, 0, 0.125);
    put(61, 5, 1, 0, 0.375);
    put(901, 1, 1, 7, 1); // of no experiment
    must(db_exec(store_db(store),
                 "INSERT INTO score VALUES (31, 'f1', 3, 0.5), (31, 'f1', 2, 0.1),"
                 " (31, 'g', 9, 0.9), (22, 'f1', 9, 0.9);"
                 "UPDATE job SET state = 'failed', prediction = NULL, error = 'why' WHERE id = 33;"
                 "DELETE FROM score WHERE job = 33",
                 &e));
}

static int setup(void **state)
{
    int rc = scratch_enter(state);
    if (!rc)
        make();
    return rc;
}

static int teardown(void **state)
{
    store_close(store);
    return scratch_leave(state);
}

static struct scores load(const struct scores_request *r)
{
    struct scores s;
    must(scores_load(&s, store, r, &e));
    return s;
}

/* ---- tables, rows, tasks ---- */

static void tables_are_models_under_protocols(void **state)
{
    (void)state;
    struct scores s = load(&(struct scores_request){.experiment = "all"});
    assert_string_equal(s.name, "all");
    assert_int_equal(s.n_tables, 3);
    const struct scores_table *t = s.table;
    assert_string_equal(t->model_name, "one");
    assert_string_equal(t->protocol_name, "kvo");
    assert_int_equal(t->n_rows, 3);
    assert_string_equal(t->row[0].name, "whole"); // the reference, then as configured
    assert_string_equal(t->row[1].name, "ours");
    assert_string_equal(t->row[2].name, "packed");
    assert_string_equal(t->row[2].weights, "w4g128");
    assert_int_equal(scores_reference(t), 0);
    assert_string_equal(s.table[1].protocol_name, "longbench");
    assert_int_equal(scores_reference(&s.table[1]), -1);
    assert_string_equal(s.table[2].model_name, "two");
    scores_release(&s);
}

static void tasks_are_by_category_as_planned(void **state)
{
    (void)state;
    static const char *const want[] = {"count", "find", "qa 100 words", "qa 900 words"};
    struct scores s = load(&(struct scores_request){.experiment = "all"});
    assert_int_equal(s.table[0].n_tasks, 4);
    for (int k = 0; k < 4; k++)
        assert_string_equal(s.table[0].task[k].name, want[k]);
    assert_string_equal(s.table[0].task[1].category, "synthetic");
    assert_string_equal(s.table[1].task[0].name, "qa"); // there is one of that name
    scores_release(&s);
}

static void tables_may_be_mixed(void **state)
{
    (void)state;
    struct scores s =
        load(&(struct scores_request){.experiment = "all", .tables = SCORES_BY_MODEL});
    assert_int_equal(s.n_tables, 2);
    assert_int_equal(s.table[0].n_rows, 4);
    assert_int_equal(s.table[0].row[3].protocol, 2);
    scores_release(&s);
    s = load(&(struct scores_request){.experiment = "all", .tables = SCORES_TOGETHER});
    assert_int_equal(s.n_tables, 1);
    assert_int_equal(s.table[0].n_rows, 5);
    scores_release(&s);
}

/* ---- items ---- */

static void items_stand_at_the_same_places(void **state)
{
    (void)state;
    struct scores s = load(&(struct scores_request){.experiment = "all"});
    const struct scores_row *whole = &s.table[0].row[0], *ours = &s.table[0].row[1];
    assert_int_equal(s.table[0].task[0].n_items, 2); // count: samples 5 and 9
    assert_int_equal(ours->cell[0].item[0].sample, 5);
    assert_int_equal(ours->cell[0].item[1].sample, 9);
    assert_int_equal(ours->cell[0].item[1].state, SCORES_ABSENT);
    assert_int_equal(ours->cell[0].item[1].job, 0);
    assert_true(ours->cell[0].item[0].score == 25 && isnan(ours->cell[0].item[1].score));
    assert_true(whole->cell[0].item[0].score == 50 && whole->cell[0].item[1].score == 100);
    assert_int_equal(whole->cell[0].item[1].job, 22);
    assert_int_equal(s.table[0].row[2].cell[0].planned, 0); // a setting without items
    scores_release(&s);
}

static void states_are_counted(void **state)
{
    (void)state;
    struct scores s = load(&(struct scores_request){.experiment = "all"});
    const struct scores_cell *c = &s.table[0].row[1].cell[2], *failed = &s.table[0].row[0].cell[2];
    assert_int_equal(s.table[0].task[2].n_items, 3); // not the one outside the experiment
    assert_true(c->planned == 3 && c->done == 2 && c->left == 1 && !c->failed && c->n == 2);
    assert_true(c->item[1].sample == 1 && c->item[1].state == SCORES_LEFT);
    assert_true(failed->planned == 1 && failed->failed == 1 && !failed->n);
    assert_true(isnan(failed->item[0].score));
    scores_release(&s);
}

static void the_newest_version_of_the_tasks_metric_counts(void **state)
{
    (void)state;
    struct scores s = load(&(struct scores_request){.experiment = "all"});
    const struct scores_cell *c = &s.table[0].row[1].cell[2];
    assert_true(c->item[0].score == 50 && c->item[2].score == 0);
    assert_int_equal(c->version, -1); // 3 and 1
    assert_int_equal(s.table[0].row[0].cell[0].version, 1);
    assert_int_equal(s.table[0].row[2].cell[0].version, 0);
    scores_release(&s);
}

static void measures_come_where_asked_for(void **state)
{
    (void)state;
    struct scores s = load(&(struct scores_request){.experiment = "all"});
    const struct scores_item *i = s.table[0].row[1].cell[2].item;
    assert_true(i->kv_bytes == -1 && i->build == -1 && isnan(i->decode_seconds));
    scores_release(&s);
    s = load(&(struct scores_request){.experiment = "all", .measures = true});
    i = s.table[0].row[1].cell[2].item;
    assert_true(i->kv_bytes == 10 && i->kv_full_bytes == 40 && i->kv_read_bytes == -1);
    assert_true(i->basis == SCORES_HELD && i->new_tokens == 31 && i->decode_seconds == 0.5);
    assert_true(i->prompt_tokens == -1 && isnan(i->prefill_seconds) && i->build == 8);
    assert_true(i[1].kv_bytes == -1 && i[1].build == -1); // not finished
    assert_int_equal(scores_builds(&s), 2);
    scores_release(&s);
}

/* ---- what is asked for ---- */

static void runs_may_be_named(void **state)
{
    (void)state;
    const int64_t runs[] = {1, 2};
    struct scores s = load(&(struct scores_request){.run = runs, .n_runs = 2});
    assert_int_equal(s.n_tables, 1);
    assert_int_equal(s.table[0].row[0].run, 1); // as named
    assert_string_equal(s.table[0].row[1].name, "full");
    assert_int_equal(s.table[0].task[2].n_items, 4); // with what no experiment asked for
    assert_true(s.table[0].row[0].cell[2].item[3].score == 100);
    scores_release(&s);
}

static void one_model_may_be_asked_for(void **state)
{
    (void)state;
    struct scores s = load(&(struct scores_request){.experiment = "all", .model = "two"});
    assert_int_equal(s.n_tables, 1);
    assert_true(s.table[0].row[0].cell[0].item[0].score == 37.5);
    scores_release(&s);
}

static void assert_refused(const struct scores_request *r, const char *why)
{
    struct scores s;
    assert_int_equal(scores_load(&s, store, r, &e), -1);
    if (!strstr(e.msg, why))
        fail_msg("%s", e.msg);
}

/* Borrowed where it has all that is asked for: then the items are the same memory. */
static void what_is_loaded_may_be_borrowed(void **state)
{
    (void)state;
    const int64_t run = 1;
    struct scores all = load(&(struct scores_request){.experiment = "all"});
    const struct scores_request asked[] = {
        {.experiment = "all", .loaded = &all},
        {.experiment = "all", .loaded = &all, .measures = true},
        {.experiment = "all", .loaded = &all, .model = "two"},
        {.experiment = "all", .loaded = &all, .tables = SCORES_BY_MODEL},
        {.run = &run, .n_runs = 1, .loaded = &all},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct scores s = load(&asked[i]);
        assert_int_equal(s.borrowed, i == 0);
        assert_int_equal(s.table == all.table, i == 0);
        scores_release(&s);
    }
    assert_string_equal(all.table[0].row[0].name, "whole"); // and stays its owner's
    scores_release(&all);
}

/* One that has more than is asked for will do; of another experiment it will not. */
static void measures_do_no_harm(void **state)
{
    (void)state;
    struct scores all =
        load(&(struct scores_request){.experiment = "all", .measures = true, .model = "two"});
    struct scores s =
        load(&(struct scores_request){.experiment = "all", .model = "two", .loaded = &all});
    assert_true(s.borrowed);
    assert_refused(&(struct scores_request){.experiment = "none", .model = "two", .loaded = &all},
                   "no model 'two'");
    scores_release(&s);
    scores_release(&all);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    const int64_t runs[] = {1, 99}, empty = 3;
    assert_refused(&(struct scores_request){.experiment = "al"}, "did you mean 'all'");
    assert_refused(&(struct scores_request){.experiment = "all", .model = "x"}, "it has: one,two");
    assert_refused(&(struct scores_request){.experiment = "none"},
                   "experiment none has no items; kvlab run CONFIG.json plans them");
    assert_refused(&(struct scores_request){0},
                   "experiment none has no items; kvlab run CONFIG.json plans them");
    assert_refused(&(struct scores_request){.run = runs, .n_runs = 2}, "s.db has no run 99");
    assert_refused(&(struct scores_request){.run = &empty, .n_runs = 1}, "the runs hold no jobs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_models_under_protocols),
        cmocka_unit_test(tasks_are_by_category_as_planned),
        cmocka_unit_test(tables_may_be_mixed),
        cmocka_unit_test(items_stand_at_the_same_places),
        cmocka_unit_test(states_are_counted),
        cmocka_unit_test(the_newest_version_of_the_tasks_metric_counts),
        cmocka_unit_test(measures_come_where_asked_for),
        cmocka_unit_test(runs_may_be_named),
        cmocka_unit_test(one_model_may_be_asked_for),
        cmocka_unit_test(what_is_loaded_may_be_borrowed),
        cmocka_unit_test(measures_do_no_harm),
        cmocka_unit_test(what_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
