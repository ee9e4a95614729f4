/* What store_check claims to find: each kind of damage is planted and found, and a sound database
 * passes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/store/store_care.h"
#include "tests/unit/store_fixture.h"

struct found {
    int bad, notes;
    struct buf text;
};

static void add_finding(void *arg, bool bad, const char *text)
{
    struct found *f = arg;
    *(bad ? &f->bad : &f->notes) += 1;
    buf_printf(&f->text, "%s\n", text);
}

static struct found look(const char *path)
{
    struct found f = {0, 0, {0}};
    buf_init(&f.text);
    if (store_check(path, add_finding, &f, &e))
        fail_msg("%s", e.msg);
    return f;
}

/* As somebody with another program might: no keys, no constraints. */
static void plant(const char *path, const char *sql)
{
    struct db *db;
    assert_int_equal(db_open(path, DB_READWRITE, &db, &e), 0);
    if (db_exec(db, "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON", &e) ||
        db_exec(db, sql, &e))
        fail_msg("%s: %s", sql, e.msg);
    db_close(db);
}

static void finds(const char *sql, int bad, int notes, const char *words)
{
    unlink("damaged.db"); // the one before
    make_full("damaged.db", "");
    plant("damaged.db", sql);
    struct found f = look("damaged.db");
    if (f.bad != bad || f.notes != notes || !strstr(f.text.s, words))
        fail_msg("%s\nfound %d wrong and %d to note, wanted %d and %d with \"%s\":\n%s", sql, f.bad,
                 f.notes, bad, notes, words, f.text.s);
    buf_release(&f.text);
}

static void a_sound_one_passes(void **state)
{
    (void)state;
    finds("SELECT 1", 0, 0, "");
    store_close(opened("blank.db", STORE_CREATE));
    struct found f = look("blank.db");
    assert_int_equal(f.bad + f.notes, 0);
    buf_release(&f.text);
}

static void rows_of_one_table(void **state)
{
    (void)state;
    finds("UPDATE job SET prediction = NULL WHERE id = 1", 1, 0, "CHECK constraint failed in job");
    finds("UPDATE job SET owner = 'x' WHERE id = 1", 1, 0, "CHECK constraint failed in job");
    finds("UPDATE item_ledger SET class = 'spare' WHERE job = 1 AND class = 'rows'", 1, 0,
          "CHECK constraint failed in item_ledger");
    finds("UPDATE layer_error SET mass_lost = 1.5 WHERE job = 2 AND layer = 0", 1, 0,
          "CHECK constraint failed in layer_error");
    finds("UPDATE score SET value = 1.5 WHERE job = 2", 1, 0,
          "1 scores are outside of 0 to 1: job 2, f1");
    finds("UPDATE score SET value = -0.1 WHERE job < 3", 1, 0, "2 scores are outside of 0 to 1");
    finds("UPDATE job SET sample_index = 0 WHERE id = 3", 1, 0,
          "1 samples have two items under one run and task: run 1, task 1, sample 0");
}

static void rows_that_lead_nowhere(void **state)
{
    (void)state;
    finds("DELETE FROM task", 2, 0, "job: 6 rows refer to a row of task that is missing");
    finds("DELETE FROM setting WHERE id = 2", 1, 0, "run: 1 rows refer to a row of setting");
    finds("DELETE FROM build", 1, 0, "job: 6 rows refer to a row of build");
    finds("DELETE FROM job WHERE id = 4", 4, 0, "score: 1 rows refer to a row of job");
    finds("UPDATE experiment_factor SET base = 77", 1, 0, "experiment_factor: 1 rows refer to");
    finds("INSERT INTO failure (job, finished_at, error) VALUES (99, 'x', 'y')", 1, 0,
          "failure: 1 rows refer to a row of job that is missing");
}

static void rows_that_are_missing(void **state)
{
    (void)state;
    finds("DELETE FROM score WHERE job = 3", 1, 0,
          "1 items are done and have no score of their task's metric");
    finds("UPDATE score SET metric = 'rouge' WHERE job = 3", 1, 0,
          "no score of their task's metric");
    finds("UPDATE job SET state = 'ready', prediction = NULL, finished_at = NULL WHERE id = 5", 3,
          0,
          "1 items have a score and no answer: job 5\n1 items have bytes by class and no answer: "
          "job 5\n1 items have errors by layer and no answer: job 5");
    finds("DELETE FROM published", 1, 0, "published runs have items of their own, or none");
    finds("DELETE FROM experiment_run WHERE run = 2; DELETE FROM experiment_factor", 1, 1,
          "3 items belong to an experiment that does not list their run");
    finds("DROP VIEW comparison", 1, 0, "table or view comparison is missing");
}

static void rows_that_contradict(void **state)
{
    (void)state;
    finds("UPDATE item_ledger SET held_bytes = 90 WHERE job = 6 AND class = 'rows'", 1, 0,
          "1 items: bytes by class do not add up to those of the cache: job 6, 130 and 100");
    finds("UPDATE job SET kv_read_bytes = 90 WHERE id = 6", 1, 0,
          "1 items: bytes read by class do not add up to those of the cache: job 6, 70 and 90");
    finds("UPDATE item_ledger SET held_bytes = held_bytes + 1 WHERE class <> 'weights'", 0, 0, "");
    finds("UPDATE job SET run = 3 WHERE id = 1", 1, 0, "1 published runs have items of their own");
    finds("UPDATE run SET origin = 'import' WHERE id = 3", 1, 0,
          "1 runs have published numbers and are not published ones: run 3");
    finds("INSERT INTO protocol (identity, json) VALUES ('q', '{}');"
          "UPDATE run SET protocol = 2 WHERE id = 2",
          1, 0, "1 ablations compare with a base of another model or protocol: run 2, key_bits");
}

static void what_is_only_worth_knowing(void **state)
{
    (void)state;
    finds("DELETE FROM experiment_job WHERE job = 1", 0, 1,
          "1 items are asked for by no experiment");
    finds("DELETE FROM experiment_run WHERE run = 3", 0, 1, "1 runs are shown by no experiment");
    finds("INSERT INTO setting (identity, name, chain, method, json)"
          " VALUES ('s', 's', 's', 's', '{}')",
          0, 1, "1 settings have no run: setting 3");
    finds("INSERT INTO model (identity, name) VALUES ('n', 'n')", 0, 1, "1 models have no run");
    finds("INSERT INTO protocol (identity, json) VALUES ('q', '{}')", 0, 1,
          "1 protocols have no run");
    finds("INSERT INTO sample VALUES ('h', '[]', NULL, NULL)", 0, 1, "1 records have no item");
}

/* Of a host that is this one and a process that is none. */
static void items_of_the_dead(void **state)
{
    (void)state;
    char owner[STORE_OWNER_MAX], sql[STORE_OWNER_MAX + 256];
    store_owner_of((long)getpid(), owner);
    snprintf(sql, sizeof sql,
             "DELETE FROM score WHERE job = 1; DELETE FROM item_ledger WHERE job = 1;"
             " DELETE FROM layer_error WHERE job = 1; UPDATE job"
             " SET state = 'running', owner = '%s9', prediction = NULL, finished_at = NULL"
             " WHERE id = 1",
             owner);
    finds(sql, 0, 1, "1 items are marked as running by processes that died");
}

static void a_damaged_file(void **state)
{
    (void)state;
    struct text t;
    make_full("torn.db", "");
    assert_int_equal(file_read("torn.db", &t, &e), 0);
    memset((char *)t.s + t.n - 8192, 0x5a, 8192);
    scratch_write("torn.db", t);
    free((void *)t.s);
    struct found f = {0, 0, {0}};
    buf_init(&f.text);
    if (!store_check("torn.db", add_finding, &f, &e))
        assert_true(f.bad > 0);
    else
        assert_non_null(strstr(e.msg, "torn.db is damaged"));
    buf_release(&f.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_one_passes),     cmocka_unit_test(rows_of_one_table),
        cmocka_unit_test(rows_that_lead_nowhere), cmocka_unit_test(rows_that_are_missing),
        cmocka_unit_test(rows_that_contradict),   cmocka_unit_test(what_is_only_worth_knowing),
        cmocka_unit_test(items_of_the_dead),      cmocka_unit_test(a_damaged_file),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
