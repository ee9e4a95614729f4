/* The database file: made, brought up to date, refused, read only. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/store_fixture.h"

static void refused(const char *path, enum store_mode mode, const char *words)
{
    struct store *s = NULL;
    e = (struct err){0};
    assert_int_equal(store_open(path, mode, &s, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    if (!strstr(e.msg, words) || !strstr(e.msg, path))
        fail_msg("\"%s\" lacks \"%s\" or the path", e.msg, words);
}

/* A file of SQLite's that somebody else wrote. */
static void write_sql(const char *path, const char *sql)
{
    struct db *db;
    assert_int_equal(db_open(path, DB_CREATE, &db, &e), 0);
    assert_int_equal(db_exec(db, sql, &e), 0);
    db_close(db);
}

static void a_new_one_says_what_it_is(void **state)
{
    (void)state;
    struct store *s = opened("new.db", STORE_CREATE);
    assert_int_equal(get(s, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(get(s, "PRAGMA user_version"), 6);
    assert_int_equal(get(s, "PRAGMA foreign_keys"), 1);
    assert_int_equal(get(s, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(get(s, "SELECT count(*) FROM pragma_table_list WHERE type = 'table'"
                            " AND schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"),
                     0);
    store_close(s);
    store_close(opened("new.db", STORE_CREATE));
    store_close(opened("new.db", STORE_READONLY));
    assert_false(file_exists("new.db-wal")); // a reader leaves nothing behind
}

static void a_missing_one_is_not_made_for_reading(void **state)
{
    (void)state;
    refused("none.db", STORE_READONLY, "there is no database");
    refused("none.db", STORE_READWRITE, "there is no database");
    assert_false(file_exists("none.db"));
    refused("no/such/folder/x.db", STORE_CREATE, "folder");
    refused(".", STORE_CREATE, "is a folder");
}

static void an_empty_file_is_filled(void **state)
{
    (void)state;
    scratch_write("empty.db", text_of(""));
    refused("empty.db", STORE_READONLY, "is empty");
    store_close(opened("empty.db", STORE_CREATE));
}

static void what_is_not_ours_is_refused(void **state)
{
    (void)state;
    scratch_write("text.db",
                  text_of("These are the notes of the meeting of Monday, not a database."));
    refused("text.db", STORE_CREATE, "not a kvlab database");
    refused("text.db", STORE_READONLY, "not a kvlab database");
    write_sql("other.db", "CREATE TABLE t (x); PRAGMA application_id = 77");
    refused("other.db", STORE_CREATE, "another program's");
    write_sql("plain.db", "CREATE TABLE t (x)");
    refused("plain.db", STORE_READONLY, "another program's");
}

static void a_newer_one_is_refused(void **state)
{
    (void)state;
    store_close(opened("newer.db", STORE_CREATE));
    write_sql("newer.db", "PRAGMA user_version = 99");
    refused("newer.db", STORE_READWRITE, "is of version 99");
    write_sql("newer.db", "PRAGMA user_version = 0");
    refused("newer.db", STORE_READWRITE, "is damaged");
}

static void cut_file(const char *from, const char *to, size_t keep)
{
    struct text t;
    assert_int_equal(file_read(from, &t, &e), 0);
    assert_true(t.n > keep);
    scratch_write(to, (struct text){t.s, keep});
    free((void *)t.s);
}

static void a_damaged_one_is_refused(void **state)
{
    (void)state;
    struct text t;
    store_close(opened("whole.db", STORE_CREATE));
    cut_file("whole.db", "half.db", 40000);
    refused("half.db", STORE_READONLY, "is damaged");
    refused("half.db", STORE_CREATE, "is damaged");
    cut_file("whole.db", "tiny.db", 50);
    refused("tiny.db", STORE_CREATE, "is damaged");
    assert_int_equal(file_read("whole.db", &t, &e), 0);
    memset((char *)t.s + 8192, 0x5a, 12288);
    scratch_write("holes.db", t);
    refused("holes.db", STORE_READONLY, "is damaged");
    free((void *)t.s);
    write_sql("whole.db", "DROP VIEW result; DROP TABLE failure");
    refused("whole.db", STORE_READONLY, "2 of its tables");
}

/* In a process of its own that is surely not root, which may write everywhere. */
static void a_read_only_folder_can_be_read(void **state)
{
    (void)state;
    int how;
    assert_int_equal(mkdir("ro", 0755), 0);
    store_close(opened("ro/x.db", STORE_CREATE));
    assert_int_equal(chmod("ro/x.db", 0444) | chmod("ro", 0555) | chmod(".", 0755), 0);
    pid_t pid = fork();
    if (!pid) {
        if (!geteuid() && setuid(65534))
            _exit(1);
        struct store *s = opened("ro/x.db", STORE_READONLY);
        assert_int_equal(get(s, "SELECT count(*) FROM job"), 0);
        store_close(s);
        refused("ro/x.db", STORE_CREATE, "no permission to write");
        refused("ro/y.db", STORE_CREATE, "writable");
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
    assert_int_equal(chmod("ro", 0755) | unlink("ro/x.db") | rmdir("ro"), 0);
}

static void an_older_one_is_brought_up_to_date_whole_or_not(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "CREATE TABLE t (x INTEGER) STRICT; INSERT INTO t VALUES (7)",
        "ALTER TABLE t ADD COLUMN y INTEGER; UPDATE t SET y = 2 * x",
        "UPDATE t SET x = 0; UPDATE nowhere SET x = 1"};
    struct db *db;
    int64_t x = 0;
    assert_int_equal(db_open("steps.db", DB_CREATE, &db, &e), 0);
    assert_int_equal(store_migrate(db, (struct store_steps){steps, 1}, &e), 0);
    assert_int_equal(store_migrate(db, (struct store_steps){steps, 2}, &e), 0);
    assert_int_equal(db_get_int(db, "SELECT y FROM t", NULL, 0, &x, &e), 1);
    assert_int_equal(x, 14);
    assert_int_equal(store_migrate(db, (struct store_steps){steps, 3}, &e), -1);
    assert_non_null(strstr(e.msg, "from version 2 to 3"));
    assert_int_equal(db_get_int(db, "SELECT x FROM t", NULL, 0, &x, &e), 1);
    assert_int_equal(x, 7);
    assert_int_equal(db_get_int(db, "PRAGMA user_version", NULL, 0, &x, &e), 1);
    assert_int_equal(x, 2);
    db_close(db);
}

static void a_full_disk_is_told_and_loses_nothing(void **state)
{
    (void)state;
    struct store *s = opened("full.db", STORE_CREATE);
    static char config[200000];
    int64_t id;
    memset(config, 'x', sizeof config - 1);
    assert_int_equal(db_exec(store_db(s), "PRAGMA max_page_count = 1", &e), 0);
    struct store_experiment x = {"big", config, "h"};
    assert_int_equal(store_put_experiment(s, &x, &id, &e), -1);
    assert_int_equal(e.class, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, "full.db"));
    assert_non_null(strstr(e.msg, "free some space"));
    store_close(s);
    s = opened("full.db", STORE_READWRITE);
    assert_int_equal(get(s, "SELECT count(*) FROM experiment"), 0);
    store_close(s);
}

/* ---- reading only ---- */

static void denied(struct store *s, const char *sql, const char *words)
{
    struct stmt *q = NULL;
    int rc = stmt_open(store_db(s), sql, NULL, 0, &q, &e);
    if (!rc && stmt_step(q, &e) >= 0) // some are only refused when they run
        fail_msg("%s was taken", sql);
    stmt_close(q);
    assert_int_equal(e.class, ERR_USER);
    if (!strstr(e.msg, words))
        fail_msg("%s: \"%s\" lacks \"%s\"", sql, e.msg, words);
}

static void a_reader_cannot_change_anything(void **state)
{
    (void)state;
    struct fixture f = fixture_of("read.db");
    store_close(f.s);
    struct store *s = opened("read.db", STORE_READONLY);
    assert_int_equal(db_exec(store_db(s), "DELETE FROM job", &e), -1); // by the connection
    db_only_read(store_db(s));
    denied(s, "DELETE FROM job", "DELETE is refused");
    denied(s, "UPDATE job SET stop = 1", "UPDATE is refused");
    denied(s, "WITH x AS (SELECT 1) INSERT INTO docs SELECT 1, 2, 3", "INSERT is refused");
    denied(s, "CREATE TABLE x (y)", "CREATE is refused");
    denied(s, "CREATE TEMP TABLE x (y)", "CREATE is refused");
    denied(s, "DROP TABLE job", "DROP is refused");
    denied(s, "ATTACH 'other.db' AS o", "ATTACH is refused");
    denied(s, "VACUUM INTO 'copy.db'", "VACUUM is refused");
    denied(s, "BEGIN", "BEGIN is refused");
    denied(s, "PRAGMA user_version = 7", "PRAGMA user_version with a value is refused");
    denied(s, "PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint is refused");
    denied(s, "SELECT load_extension('x')", "load_extension");
    denied(s, "SELECT 1; SELECT 2", "one statement at a time");
    denied(s, "SELECT 1; nonsense", "one statement at a time");
    denied(s, " -- nothing", "no statement");
    denied(s, "SELECT nonsense FROM job", "no such column");
    assert_int_equal(get(s, "SELECT count(*) FROM job; -- with a remark"), 6);
    assert_int_equal(get(s, "PRAGMA user_version"), 6);
    assert_true(get(s, "SELECT count(*) FROM pragma_table_info('job')") > 20);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_says_what_it_is),
        cmocka_unit_test(a_missing_one_is_not_made_for_reading),
        cmocka_unit_test(an_empty_file_is_filled),
        cmocka_unit_test(what_is_not_ours_is_refused),
        cmocka_unit_test(a_newer_one_is_refused),
        cmocka_unit_test(a_damaged_one_is_refused),
        cmocka_unit_test(a_read_only_folder_can_be_read),
        cmocka_unit_test(an_older_one_is_brought_up_to_date_whole_or_not),
        cmocka_unit_test(a_full_disk_is_told_and_loses_nothing),
        cmocka_unit_test(a_reader_cannot_change_anything),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
