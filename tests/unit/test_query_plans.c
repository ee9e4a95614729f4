/* What people ask most goes by an index: no plan reads all of table job or score. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "runner/made_up.h"
#include "tests/unit/scratch.h"

static struct err e;
static struct store *store;

static int make_database(void **state)
{
    const struct made_up m = {.settings = 6, .tasks = 3, .items = 20, .seed = 1};
    struct made_up_count count;
    if (scratch_enter(state) || store_open("plans.db", STORE_CREATE, &store, &e) ||
        made_up_fill(store, &m, &count, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return -1;
    }
    return 0;
}

static int leave(void **state)
{
    store_close(store);
    return scratch_leave(state);
}

/* The names that the views and the SQL here give to job and score. */
static bool is_large(struct text step)
{
    static const char *const names[] = {"j", "f", "k", "s", "g", "x", "job", "score"};
    char line[512];
    snprintf(line, sizeof line, "%.*s ", (int)step.n, step.s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char scan[32];
        snprintf(scan, sizeof scan, "SCAN %s ", names[i]);
        if (strstr(line, scan))
            return true;
    }
    return false;
}

static bool scans(const char *sql)
{
    struct buf b;
    struct stmt *q;
    bool found = false;
    buf_init(&b);
    buf_printf(&b, "EXPLAIN QUERY PLAN %s", sql);
    if (stmt_open(store_db(store), b.s, NULL, 0, &q, &e))
        fail_msg("%s: %s", sql, e.msg);
    while (stmt_step(q, &e) == 1)
        found = is_large(stmt_text(q, 3)) || found;
    stmt_close(q);
    buf_release(&b);
    return found;
}

static void test_by_index(void **state)
{
    static const char *const sql[] = {
        "SELECT * FROM item WHERE job = 7",
        "SELECT * FROM item WHERE run = 2 AND task_id = 1 AND sample_index = 3",
        "SELECT * FROM item WHERE run = 2 AND task = 'qasper' AND sample_index = 3",
        "SELECT * FROM item WHERE task_id = 1 AND sample = 'x'",
        "SELECT * FROM result WHERE run = 2",
        "SELECT * FROM result WHERE setting = 'full' AND task = 'qasper'",
        "SELECT * FROM comparison WHERE run = 2",
        "SELECT * FROM item_comparison WHERE run = 2 AND task_id = 1",
        // a value that cannot be NULL makes no inner join of a left one
        "SELECT * FROM item_comparison WHERE full_score = 100",
        "SELECT * FROM item_comparison WHERE full_job = 7",
        "SELECT * FROM item_comparison WHERE score < full_score AND task = 'qasper'",
        "SELECT * FROM item_comparison WHERE difference < 0",
        "SELECT * FROM comparison WHERE difference < 0",
        "SELECT * FROM ledger WHERE job = 7",
    };
    (void)state;
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        if (scans(sql[i]))
            fail_msg("reads a whole table: %s", sql[i]);
}

/* The check itself: this one has no index to go by. */
static void test_a_scan_is_seen(void **state)
{
    (void)state;
    assert_true(scans("SELECT * FROM item WHERE prediction = 'x'"));
}

/* 6 x 3 x 20, of which the last 10 are planned and not made. */
static void test_made_up(void **state)
{
    int64_t n = 0, scored = 0;
    (void)state;
    assert_int_equal(db_get_int(store_db(store), "SELECT count(*) FROM job", NULL, 0, &n, &e), 1);
    assert_int_equal(n, 360);
    db_get_int(store_db(store), "SELECT sum(n) + sum(failed) FROM result", NULL, 0, &scored, &e);
    assert_int_equal(scored, 350);
    db_get_int(store_db(store), "SELECT count(*) FROM experiment_job", NULL, 0, &n, &e);
    assert_int_equal(n, 360);
    db_get_int(store_db(store), "SELECT count(*) FROM pragma_foreign_key_check", NULL, 0, &n, &e);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_index),
        cmocka_unit_test(test_a_scan_is_seen),
        cmocka_unit_test(test_made_up),
    };
    return cmocka_run_group_tests(tests, make_database, leave);
}
