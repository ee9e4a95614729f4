/* Merging: in any order the same, twice the same, conflicts named, others get their turn. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <time.h>

#include "harness/base/clock.h"
#include "harness/store/store_care.h"
#include "tests/unit/sql_rows.h"
#include "tests/unit/store_fixture.h"

/* ---- all of a database by names: only the numbers of rows are left out ---- */

#define OF_JOB        "(SELECT identity FROM job WHERE id = "
#define OF_RUN        "(SELECT identity FROM run WHERE id = "
#define OF_TASK       "(SELECT identity FROM task WHERE id = "
#define OF_EXPERIMENT "(SELECT name || config_hash FROM experiment WHERE id = "
#define OF_BUILD      "(SELECT identity FROM build WHERE id = "

/* A table and its columns that are ids; all others are dumped as they are. */
static const struct {
    const char *table, *ids;
} tables[] = {
    {"model", NULL},
    {"task", NULL},
    {"setting", NULL},
    {"setting_option", "(SELECT identity FROM setting WHERE id = setting)"},
    {"protocol", NULL},
    {"protocol_option", "(SELECT identity FROM protocol WHERE id = protocol)"},
    {"build", NULL},
    {"experiment", NULL},
    {"run", "(SELECT identity FROM setting WHERE id = setting)"},
    {"published", OF_RUN "run), " OF_TASK "task)"},
    {"experiment_run", OF_EXPERIMENT "experiment), " OF_RUN "run)"},
    {"experiment_factor", OF_EXPERIMENT "experiment), " OF_RUN "run), " OF_RUN "base)"},
    {"sample", NULL},
    {"job", OF_RUN "run), " OF_TASK "task), " OF_BUILD "build)"},
    {"experiment_job", OF_EXPERIMENT "experiment), " OF_JOB "job)"},
    {"score", OF_JOB "job)"},
    {"item_ledger", OF_JOB "job)"},
    {"layer_error", OF_JOB "job)"},
    {"failure", OF_JOB "job), " OF_BUILD "build)"},
};

static void dump_table(struct db *db, const char *table, const char *ids, struct buf *out)
{
    struct buf columns, sql;
    buf_init(&columns);
    buf_init(&sql);
    buf_printf(&sql,
               "SELECT coalesce(group_concat('quote(\"' || i.name || '\")', ' || ''|'' || '), '0')"
               " FROM pragma_table_info('%s') i LEFT JOIN pragma_foreign_key_list('%s') f ON"
               " f.\"from\" = i.name WHERE f.\"table\" IS NULL AND i.name <> 'id'",
               table, table);
    sql_rows(db, sql.s, &columns);
    buf_reset(&sql);
    buf_printf(&sql, "SELECT %s, %s, '' FROM %s ORDER BY 1, 2, 3", columns.s, ids ? ids : "''",
               table);
    buf_printf(out, "== %s\n", table);
    sql_rows(db, sql.s, out);
    buf_release(&columns);
    buf_release(&sql);
}

static char *dump_dup(const char *path)
{
    struct buf b;
    struct store *s = opened(path, STORE_READONLY);
    buf_init(&b);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        dump_table(store_db(s), tables[i].table, tables[i].ids, &b);
    store_close(s);
    return b.s;
}

static void same_dumps(char *a, char *b)
{
    assert_string_equal(a, b);
    free(a);
    free(b);
}

/* ---- merging ---- */

struct told {
    int n, theirs;
    struct buf text;
};

static void add_conflict(void *arg, const struct store_conflict *c)
{
    struct told *t = arg;
    t->n++;
    t->theirs += c->takes_theirs;
    buf_printf(&t->text, "%s: %s: %s / %s: %s\n", c->what, c->where, c->ours, c->theirs,
               c->takes_theirs ? "theirs" : "ours");
}

static struct store_merged merge(const char *into, const char *from, struct told *told)
{
    struct store_merged m;
    struct told ignored = {0, 0, {0}};
    struct store *s = opened(into, STORE_CREATE);
    buf_init(&ignored.text);
    if (told)
        buf_init(&told->text);
    if (store_merge(s, from, &m, add_conflict, told ? told : &ignored, &e))
        fail_msg("%s", e.msg);
    buf_release(&ignored.text);
    store_close(s);
    return m;
}

static void not_merged(const char *into, const char *from, const char *words)
{
    struct store_merged m;
    struct store *s = opened(into, STORE_CREATE);
    assert_int_equal(store_merge(s, from, &m, add_conflict, NULL, &e), -1);
    store_close(s);
    if (!strstr(e.msg, words) || !strstr(e.msg, from))
        fail_msg("\"%s\" lacks \"%s\" or the file", e.msg, words);
}

static void copy(const char *from, const char *to)
{
    struct text t;
    assert_int_equal(file_read(from, &t, &e), 0);
    scratch_write(to, t);
    free((void *)t.s);
}

/* Three that differ in everything that can: what is done, answers, scores, published numbers,
 * names, times, builds. */
#define EARLY "UPDATE job SET finished_at = '2026-01-01T00:00:00Z';"
#define LATE  "UPDATE job SET finished_at = '2026-02-02T00:00:00Z';"
#define UNDO(which)                                                                                \
    "DELETE FROM score WHERE job IN (SELECT id FROM job WHERE " which                              \
    "); DELETE FROM item_ledger WHERE job IN (SELECT id FROM job WHERE " which                     \
    "); DELETE FROM layer_error WHERE job IN (SELECT id FROM job WHERE " which                     \
    "); UPDATE job SET state = 'ready', prediction = NULL, finished_at = NULL, build = NULL,"      \
    " claimed_at = NULL, kv_bytes = NULL, kv_read_bytes = NULL WHERE " which ";"

static const char sql_a[] =
    EARLY UNDO("id = 6") "UPDATE setting SET name = 'zeta' WHERE id = 2;"
                         "UPDATE run SET created = '2026-01-05T00:00:00Z';"
                         "UPDATE experiment SET created = '2026-01-05T00:00:00Z',"
                         " planned = '2026-03-05T00:00:00Z';"
                         "UPDATE job SET prediction = 'a says' WHERE id = 1;"
                         "UPDATE score SET value = 0.25 WHERE job = 2";
static const char sql_b[] =
    LATE "UPDATE setting SET name = 'beta' WHERE id = 2; UPDATE published SET score = 40.5, n = 7;"
         "UPDATE run SET created = '2026-01-04T00:00:00Z';"
         "UPDATE experiment SET created = '2026-01-06T00:00:00Z',"
         " planned = '2026-03-04T00:00:00Z';"
         "UPDATE build SET host = 'elsewhere', identity = 'other';"
         "UPDATE job SET prediction = 'b says' WHERE id = 1;"
         "UPDATE score SET value = 0.75 WHERE job = 1;"
         "INSERT INTO score VALUES (3, 'f1', 2, 0.125);"
         "INSERT INTO experiment (name, config, config_hash, created, planned, plans) VALUES"
         " ('w', '{}', 'k', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 9)";
static const char sql_c[] =
    LATE UNDO("id = 5") "UPDATE job SET state = 'failed', error = 'no', prediction = NULL,"
                        " kv_bytes = NULL, kv_read_bytes = NULL WHERE id = 4;"
                        "DELETE FROM score WHERE job = 4; DELETE FROM item_ledger WHERE job < 5;"
                        "DELETE FROM layer_error WHERE job = 4; UPDATE layer_error SET"
                        " mass_lost = 0.75;"
                        "INSERT INTO failure (job, finished_at, build, error)"
                        " VALUES (4, '2026-02-02T00:00:00Z', 1, 'no');"
                        "UPDATE model SET layers = 4, name = 'alpha';"
                        "UPDATE protocol SET compute = 'f32';"
                        "UPDATE published SET source = 'Table 1'";

static void make_three(void)
{
    static const char *const paths[] = {"a.db", "b.db", "c.db", "want.db", "got.db"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        unlink(paths[i]);
    make_full("a.db", sql_a);
    make_full("b.db", sql_b);
    make_full("c.db", sql_c);
}

static void into_each_other_gives_the_same(void **state)
{
    (void)state;
    struct told ab = {0, 0, {0}}, ba = {0, 0, {0}};
    make_three();
    copy("a.db", "want.db");
    copy("b.db", "got.db");
    merge("want.db", "b.db", &ab);
    merge("got.db", "a.db", &ba);
    assert_int_equal(ab.n, 3);
    assert_int_equal(ba.n, 3);
    assert_int_equal(ab.theirs + ba.theirs, 3); // either both keep A's or both B's
    same_dumps(dump_dup("want.db"), dump_dup("got.db"));
    buf_release(&ab.text);
    buf_release(&ba.text);
}

static void any_order_gives_the_same(void **state)
{
    (void)state;
    static const char *const orders[][3] = {{"a.db", "b.db", "c.db"}, {"a.db", "c.db", "b.db"},
                                            {"b.db", "a.db", "c.db"}, {"b.db", "c.db", "a.db"},
                                            {"c.db", "a.db", "b.db"}, {"c.db", "b.db", "a.db"}};
    make_three();
    for (int i = 0; i < 6; i++) {
        const char *into = i ? "got.db" : "want.db";
        unlink("got.db");
        for (int k = 0; k < 3; k++)
            merge(into, orders[i][k], NULL);
        if (i)
            same_dumps(dump_dup("want.db"), dump_dup("got.db"));
    }
}

static void again_nothing_changes(void **state)
{
    (void)state;
    make_three();
    merge("want.db", "a.db", NULL);
    merge("want.db", "b.db", NULL);
    merge("want.db", "c.db", NULL);
    copy("want.db", "got.db");
    assert_int_equal(merge("got.db", "c.db", NULL).rows, 0);
    assert_int_equal(merge("got.db", "a.db", NULL).rows, 0);
    assert_int_equal(merge("got.db", "want.db", NULL).rows, 0);
    same_dumps(dump_dup("want.db"), dump_dup("got.db"));
}

static void says(const struct told *t, const char *line)
{
    if (!strstr(t->text.s, line))
        fail_msg("\"%s\" lacks \"%s\"", t->text.s, line);
}

static void conflicts_are_named(void **state)
{
    (void)state;
    struct told t = {0, 0, {0}};
    make_three();
    struct store_merged m = merge("b.db", "a.db", &t);
    assert_int_equal(m.conflicts, 1);
    assert_int_equal(m.score_conflicts, 1);
    assert_int_equal(m.published_conflicts, 1);
    says(&t, "answer: m, full, t, a: 'b says' (2026-02-02T00:00:00Z, 1  elsewhere) / 'a says'"
             " (2026-01-01T00:00:00Z, 1): theirs\n");
    says(&t, "score: m, ");
    says(&t, ", f1 version 1: 0.5 / 0.25: theirs\n");
    says(&t, "published number: m, full, t: 40.5 of 7 items (Table 3) / 41.5 of 200 items"
             " (Table 3): ours\n");
    struct store *s = opened("b.db", STORE_READONLY);
    assert_int_equal(get(s, "SELECT count(*) FROM job j JOIN score s ON s.job = j.id WHERE j.id = 1"
                            " AND prediction = 'a says' AND s.value = 0.5 AND"
                            " finished_at LIKE '2026-01%'"),
                     1); // its score goes with it
    store_close(s);
    buf_release(&t.text);
}

/* ---- files of all kinds ---- */

static void nothing_comes_of_an_empty_one(void **state)
{
    (void)state;
    make_three();
    store_close(opened("blank.db", STORE_CREATE));
    copy("a.db", "want.db");
    assert_int_equal(merge("a.db", "blank.db", NULL).rows, 0);
    same_dumps(dump_dup("a.db"), dump_dup("want.db"));
    scratch_write("zero.db", text_of(""));
    not_merged("a.db", "zero.db", "is empty");
    merge("zero.db", "a.db", NULL); // into it is another thing
    same_dumps(dump_dup("zero.db"), dump_dup("want.db"));
}

static void not_into_itself(void **state)
{
    (void)state;
    make_three();
    unlink("link.db");
    assert_int_equal(symlink("a.db", "link.db"), 0);
    not_merged("a.db", "a.db", "others are merged into");
    not_merged("a.db", "link.db", "others are merged into");
    not_merged("link.db", "a.db", "others are merged into");
}

static void what_is_committed_of_one_that_is_written(void **state)
{
    (void)state;
    make_three();
    struct store *writer = opened("b.db", STORE_READWRITE);
    assert_int_equal(store_begin(writer, &e), 0);
    assert_int_equal(db_exec(store_db(writer), "UPDATE job SET stop = 'not yet'", &e), 0);
    struct store_merged m = merge("want.db", "b.db", NULL);
    assert_int_equal(m.added, 6);
    store_rollback(writer);
    store_close(writer);
    same_dumps(dump_dup("want.db"), (merge("got.db", "b.db", NULL), dump_dup("got.db")));
}

/* ---- many items: others who write, a merge that stops midway ---- */

enum { MANY = 24000 };

static void make_many(void)
{
    make_three();
    struct store *s = opened("a.db", STORE_READWRITE);
    const char *sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24000)"
        " INSERT INTO job (identity, run, task, sample, sample_index, sample_hash, prefill_class,"
        " state, finished_at, build, prediction) SELECT 'job' || i, 1, 1, 's' || i, 100 + i, 'h',"
        " 'plain', 'done', '2026-01-01T00:00:00Z', 1, 'answer' FROM n;"
        "INSERT INTO score SELECT id, 'f1', 1, 0.5 FROM job WHERE sample_index > 100;"
        "INSERT INTO experiment_job SELECT 1, id FROM job WHERE sample_index > 100";
    if (db_exec(store_db(s), sql, &e))
        fail_msg("%s", e.msg);
    store_close(s);
}

/* Writes until it is killed or all is there; 0 when it saw a part of the items, and never waited
 * for 10 seconds. */
static _Noreturn void write_meanwhile(const char *path)
{
    bool saw_part = false;
    double longest = 0;
    int64_t n = 0;
    struct store *s = opened(path, STORE_READWRITE);
    for (int i = 0; n < MANY; i++) {
        const struct timespec wait = {0, 20000000};
        double start = clock_seconds();
        if (store_begin(s, &e) || db_exec(store_db(s), "UPDATE build SET threads = 3", &e) ||
            store_commit(s, &e) ||
            db_get_int(store_db(s), "SELECT count(*) FROM job", NULL, 0, &n, &e) < 0)
            _exit(2);
        longest = clock_seconds() - start > longest ? clock_seconds() - start : longest;
        saw_part = saw_part || (n > 0 && n < MANY);
        nanosleep(&wait, NULL);
    }
    _exit(!saw_part || longest > 10);
}

static void others_write_meanwhile(void **state)
{
    (void)state;
    int how;
    make_many();
    store_close(opened("want.db", STORE_CREATE));
    pid_t pid = fork();
    if (!pid)
        write_meanwhile("want.db");
    merge("want.db", "a.db", NULL);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
}

static void add_bad(void *arg, bool bad, const char *text)
{
    (void)text;
    *(int *)arg += bad;
}

static void stopped_midway_it_is_sound_and_goes_on(void **state)
{
    (void)state;
    int bad = 0;
    make_many();
    struct store *s = opened("got.db", STORE_CREATE);
    assert_int_equal(db_exec(store_db(s),
                             "CREATE TRIGGER stop BEFORE INSERT ON job WHEN new.sample = 's20000'"
                             " BEGIN SELECT RAISE(ABORT, 'stopped here'); END",
                             &e),
                     0);
    store_close(s);
    not_merged("got.db", "a.db", "stopped here");
    s = opened("got.db", STORE_READWRITE);
    assert_true(get(s, "SELECT count(*) FROM job") > 0);
    assert_int_equal(get(s, "SELECT count(*) FROM job j WHERE state = 'done' AND NOT EXISTS"
                            " (SELECT 1 FROM score WHERE job = j.id)"),
                     0);
    assert_int_equal(get(s, "SELECT count(*) FROM experiment"),
                     0); // shows nothing that is not whole
    assert_int_equal(store_check("got.db", add_bad, &bad, &e), 0);
    assert_int_equal(bad, 0);
    assert_int_equal(db_exec(store_db(s), "DROP TRIGGER stop", &e), 0);
    store_close(s);
    merge("got.db", "a.db", NULL);
    merge("want.db", "a.db", NULL);
    same_dumps(dump_dup("want.db"), dump_dup("got.db"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(into_each_other_gives_the_same),
        cmocka_unit_test(any_order_gives_the_same),
        cmocka_unit_test(again_nothing_changes),
        cmocka_unit_test(conflicts_are_named),
        cmocka_unit_test(nothing_comes_of_an_empty_one),
        cmocka_unit_test(not_into_itself),
        cmocka_unit_test(what_is_committed_of_one_that_is_written),
        cmocka_unit_test(others_write_meanwhile),
        cmocka_unit_test(stopped_midway_it_is_sound_and_goes_on),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
