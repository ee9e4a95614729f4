/* The database file: made, brought up to date, refused; jobs claimed, finished, taken over. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/store/store_int.h"
#include "tests/unit/scratch.h"

static struct err e;

static struct store *opened(const char *path, enum store_mode mode)
{
    struct store *s = NULL;
    if (store_open(path, mode, &s, &e))
        fail_msg("%s", e.msg);
    return s;
}

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

static int64_t get(struct store *s, const char *sql)
{
    int64_t x = -1;
    assert_int_equal(db_get_int(store_db(s), sql, NULL, 0, &x, &e), 1);
    return x;
}

/* ---- opening ---- */

static void a_new_one_says_what_it_is(void **state)
{
    (void)state;
    struct store *s = opened("new.db", STORE_CREATE);
    assert_int_equal(get(s, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(get(s, "PRAGMA user_version"), 4);
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

/* ---- jobs ---- */

struct fixture {
    struct store *s;
    int64_t experiment, task, run[2], build;
};

static void put_run(struct fixture *f, int i, int64_t model, int64_t protocol)
{
    struct store_setting c = STORE_SETTING;
    int64_t setting;
    c.identity = c.name = c.chain = c.method = i ? "kvo" : "full";
    c.json = "{}";
    assert_int_equal(store_put_setting(f->s, &c, &setting, &e), 0);
    struct store_run r = {.identity = c.name,
                          .model = model,
                          .setting = setting,
                          .protocol = protocol,
                          .origin = "run",
                          .experiment = f->experiment,
                          .position = i,
                          .name = c.name};
    assert_int_equal(store_put_run(f->s, &r, &f->run[i], &e), 0);
}

static void put_frame(struct fixture *f)
{
    int64_t model, protocol;
    struct store_experiment x = {"x", "{}", "h"};
    struct store_model m = {.identity = "m", .name = "m"};
    struct store_protocol p = STORE_PROTOCOL;
    p.identity = "p", p.json = "{}";
    struct store_task t = {
        .identity = "t", .name = "t", .source = "s", .category = "c", .metric = "f1"};
    assert_int_equal(store_put_experiment(f->s, &x, &f->experiment, &e), 0);
    assert_int_equal(store_put_model(f->s, &m, &model, &e), 0);
    assert_int_equal(store_put_protocol(f->s, &p, &protocol, &e), 0);
    assert_int_equal(store_put_task(f->s, &t, &f->task, &e), 0);
    assert_int_equal(store_put_build(f->s, &(struct store_build){.version = "1"}, &f->build, &e),
                     0);
    put_run(f, 0, model, protocol);
    put_run(f, 1, model, protocol);
}

/* Two samples under two settings of one prefill class; a third under another class. */
static void plan(struct fixture *f, bool expect_made)
{
    static const struct {
        int run;
        const char *sample, *prefill_class;
    } jobs[] = {{0, "a", "plain"}, {1, "a", "plain"}, {0, "b", "plain"},
                {1, "b", "plain"}, {0, "c", "plain"}, {1, "c", "int8"}};
    assert_int_equal(store_begin(f->s, &e), 0);
    put_frame(f);
    for (int i = 0; i < 6; i++) {
        struct store_job j = {f->experiment,  f->run[jobs[i].run],   f->task, jobs[i].sample, i / 2,
                              jobs[i].sample, jobs[i].prefill_class, NULL};
        int64_t id;
        bool made;
        assert_int_equal(store_plan_job(f->s, &j, &id, &made, &e), 0);
        assert_int_equal(made, expect_made);
    }
    assert_int_equal(store_commit(f->s, &e), 0);
}

static struct fixture fixture_of(const char *path)
{
    struct fixture f = {.s = opened(path, STORE_CREATE)};
    plan(&f, true);
    return f;
}

static void counts_are(struct store *s, int64_t experiment, int ready, int running, int done,
                       int failed)
{
    struct store_counts c;
    assert_int_equal(store_count(s, experiment, &c, &e), 0);
    assert_int_equal(c.ready, ready);
    assert_int_equal(c.running, running);
    assert_int_equal(c.done, done);
    assert_int_equal(c.failed, failed);
}

static int finish_one(struct store *s, int64_t job, int64_t build, const struct store_result *r,
                      const struct store_score *score)
{
    struct store_finished done = {job, build, r, score, score ? 1 : 0, false};
    return store_finish(s, &done, 1, &e);
}

static void finish(struct fixture *f, const struct store_claim *c, const char *error, bool kept_is)
{
    struct store_score score = {"f1", 1, 0.5};
    for (int i = 0; i < c->n; i++) {
        struct store_result r = STORE_RESULT;
        r.error = error;
        r.prediction = (struct text){"a\0b", 3};
        struct store_finished done = {c->jobs[i].job, f->build,      &r,
                                      &score,         error ? 0 : 1, !kept_is};
        assert_int_equal(store_finish(f->s, &done, 1, &e), 0);
        assert_int_equal(done.kept, kept_is);
    }
}

static void planning_again_finds_what_is_there(void **state)
{
    (void)state;
    struct fixture f = fixture_of("plan.db");
    struct store_claim c;
    assert_int_equal(store_claim(f.s, f.experiment, &c, &e), 0);
    finish(&f, &c, NULL, true);
    store_claim_free(&c);
    plan(&f, false);
    counts_are(f.s, f.experiment, 4, 0, 2, 0);
    counts_are(f.s, 0, 4, 0, 2, 0);
    counts_are(f.s, 12345, 0, 0, 0, 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM experiment"), 1);
    assert_int_equal(get(f.s, "SELECT length(CAST(prediction AS BLOB)) FROM job WHERE id = 1"), 3);
    store_close(f.s);
}

static void two_connections_claim_different_groups(void **state)
{
    (void)state;
    struct fixture f = fixture_of("two.db");
    struct store *other = opened("two.db", STORE_READWRITE);
    struct store_claim a, b, c, d, none;
    assert_int_equal(store_claim(f.s, f.experiment, &a, &e), 0);
    assert_int_equal(store_claim(other, f.experiment, &b, &e), 0);
    assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
    assert_int_equal(store_claim(other, 0, &d, &e), 0);
    assert_int_equal(store_claim(other, 0, &none, &e), 0);
    assert_string_equal(a.sample_id, "a");
    assert_int_equal(a.n, 2);
    assert_int_equal(a.jobs[1].run, f.run[1]);
    assert_string_equal(b.sample_id, "b");
    assert_int_equal(b.sample_index, 1);
    assert_int_equal(c.n, 1); // one sample in two prefill classes is two groups
    assert_string_equal(c.prefill_class, "plain");
    assert_string_equal(d.prefill_class, "int8");
    assert_int_equal(none.n, 0);
    counts_are(f.s, f.experiment, 0, 6, 0, 0);
    finish(&f, &a, NULL, true);
    finish(&f, &a, NULL, false); // a stored result is not overwritten
    assert_int_equal(get(f.s, "SELECT count(*) FROM score"), 2);
    store_claim_free(&a);
    store_claim_free(&b);
    store_claim_free(&c);
    store_claim_free(&d);
    store_claim_free(&none);
    store_close(other);
    store_close(f.s);
}

static void failures_are_kept_when_tried_again(void **state)
{
    (void)state;
    struct fixture f = fixture_of("fail.db");
    struct store_claim c;
    int64_t n;
    assert_int_equal(store_claim(f.s, f.experiment, &c, &e), 0);
    finish(&f, &c, "prompt too long", true);
    store_claim_free(&c);
    counts_are(f.s, f.experiment, 4, 0, 0, 2);
    assert_int_equal(store_retry(f.s, f.experiment, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(store_claim(f.s, f.experiment, &c, &e), 0);
    finish(&f, &c, NULL, true);
    store_claim_free(&c);
    counts_are(f.s, f.experiment, 4, 0, 2, 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM failure WHERE error = 'prompt too long'"), 2);
    store_close(f.s);
}

static void what_was_claimed_can_be_given_back(void **state)
{
    (void)state;
    struct fixture f = fixture_of("back.db");
    struct store_claim c;
    int64_t n;
    assert_int_equal(store_claim(f.s, f.experiment, &c, &e), 0);
    assert_int_equal(store_unclaim(f.s, &n, &e), 0);
    assert_int_equal(n, 2);
    finish(&f, &c, NULL, false);
    counts_are(f.s, f.experiment, 6, 0, 0, 0);
    store_claim_free(&c);
    store_close(f.s);
}

/* A process that claims a group, finishes the first job and is killed in the second. */
static void killed_worker(const char *path)
{
    struct store_claim c;
    struct store_result r = STORE_RESULT;
    struct store *s = opened(path, STORE_READWRITE);
    r.prediction = text_of("x");
    if (store_claim(s, 0, &c, &e) || finish_one(s, c.jobs[0].job, 1, &r, NULL) ||
        db_begin(store_db(s), &e) || db_exec(store_db(s), "UPDATE job SET stop = 'lost'", &e))
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void a_dead_process_loses_its_jobs_and_nothing_else(void **state)
{
    (void)state;
    struct fixture f = fixture_of("dead.db");
    struct store_claim c;
    int64_t n;
    int how;
    store_close(f.s); // no connection crosses a fork
    pid_t pid = fork();
    if (!pid)
        killed_worker("dead.db");
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how));
    f.s = opened("dead.db", STORE_READWRITE);
    counts_are(f.s, 0, 4, 1, 1, 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM job WHERE stop = 'lost'"), 0);
    assert_int_equal(store_claim(f.s, 0, &c, &e), 0); // this process lives: its claim stays
    store_claim_free(&c);
    assert_int_equal(store_reclaim(f.s, false, &n, &e), 0);
    assert_int_equal(n, 1);
    counts_are(f.s, 0, 3, 2, 1, 0);
    store_close(f.s);
}

enum { CROWD = 6, CROWD_JOBS = 60 };

/* Everybody makes, plans and works at once; the same plan makes the same rows. */
static void crowd_member(const char *path)
{
    struct fixture f = {.s = opened(path, STORE_CREATE)};
    struct store_claim c;
    int64_t id;
    if (store_begin(f.s, &e))
        _exit(1);
    put_frame(&f);
    for (int i = 0; i < CROWD_JOBS; i++) {
        char sample[16];
        snprintf(sample, sizeof sample, "s%d", i / 2);
        struct store_job j = {f.experiment, f.run[i % 2], f.task,  sample,
                              i / 2,        "h",          "plain", NULL};
        if (store_plan_job(f.s, &j, &id, NULL, &e))
            _exit(2);
    }
    if (store_commit(f.s, &e))
        _exit(3);
    for (;;) {
        if (store_claim(f.s, 0, &c, &e))
            _exit(4);
        if (!c.n)
            _exit(0);
        finish(&f, &c, NULL, true);
        store_claim_free(&c);
    }
}

static void many_processes_share_one_database(void **state)
{
    (void)state;
    pid_t pid[CROWD];
    for (int i = 0; i < CROWD; i++)
        if (!(pid[i] = fork()))
            crowd_member("crowd.db");
    for (int i = 0; i < CROWD; i++) {
        int how;
        assert_int_equal(waitpid(pid[i], &how, 0), pid[i]);
        assert_int_equal(how, 0);
    }
    struct store *s = opened("crowd.db", STORE_READWRITE);
    counts_are(s, 0, 0, 0, CROWD_JOBS, 0);
    assert_int_equal(get(s, "SELECT count(*) FROM score"), CROWD_JOBS);
    assert_int_equal(get(s, "SELECT count(*) FROM run"), 2);
    store_close(s);
}

static void owners_are_told_apart(void **state)
{
    (void)state;
    char self[STORE_OWNER_MAX], other[STORE_OWNER_MAX + 8];
    store_owner_of((long)getpid(), self);
    assert_int_equal(store_owner_look(self), OWNER_ALIVE);
    snprintf(other, sizeof other, "%s9", self); // same pid, started at another time
    assert_int_equal(store_owner_look(other), OWNER_DEAD);
    snprintf(other, sizeof other, "x%s", self);
    assert_int_equal(store_owner_look(other), OWNER_ELSEWHERE);
    assert_int_equal(store_owner_look("nonsense"), OWNER_ELSEWHERE);
}

static void jobs_of_other_machines_are_taken_over_only_when_asked(void **state)
{
    (void)state;
    struct fixture f = fixture_of("far.db");
    int64_t n;
    assert_int_equal(db_exec(store_db(f.s),
                             "UPDATE job SET state = 'running', owner = 'far-away.host/1/2'"
                             " WHERE id < 4",
                             &e),
                     0);
    assert_int_equal(store_reclaim(f.s, false, &n, &e), 0);
    assert_int_equal(n, 0);
    assert_int_equal(store_reclaim(f.s, true, &n, &e), 0);
    assert_int_equal(n, 3);
    store_close(f.s);
}

/* A result whose score cannot be stored is not stored either. */
static void results_of_one_call_are_stored_together(void **state)
{
    (void)state;
    struct fixture f = fixture_of("together.db");
    struct store_claim c;
    struct store_result r = STORE_RESULT, odd = STORE_RESULT;
    struct store_ledger twice[] = {{"recent", 1, 2, 3}, {"recent", 4, 5, 6}};
    r.prediction = odd.prediction = text_of("x");
    odd.ledger = twice;
    odd.n_ledger = 2;
    assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
    struct store_finished list[] = {{.job = c.jobs[0].job, .build = f.build, .result = &r},
                                    {.job = c.jobs[1].job, .build = f.build, .result = &odd}};
    assert_int_equal(store_finish(f.s, list, 2, &e), -1);
    counts_are(f.s, 0, 4, 2, 0, 0); // the first is not stored without the second
    list[1].result = &r;
    assert_int_equal(store_finish(f.s, list, 2, &e), 0);
    assert_true(list[0].kept && list[1].kept);
    counts_are(f.s, 0, 4, 0, 2, 0);
    store_claim_free(&c);
    store_close(f.s);
}

/* ---- heads, parts of groups, crashes ---- */

static void groups_of_one_head_follow_each_other(void **state)
{
    (void)state;
    struct fixture f = fixture_of("head.db");
    struct store_claim a, b, none;
    int64_t id;
    assert_int_equal(db_exec(store_db(f.s), "UPDATE job SET head = 'h'", &e), 0);
    for (int i = 0; i < 2; i++) { // planned last, of another head
        struct store_job j = {f.experiment, f.run[0], f.task,  i ? "y" : "z",
                              7 + i,        "other",  "plain", i ? "h" : "k"};
        assert_int_equal(store_plan_job(f.s, &j, &id, NULL, &e), 0);
    }
    assert_int_equal(store_claim(f.s, 0, &a, &e), 0);
    assert_string_equal(a.head, "h");
    /* Others take what begins otherwise, as long as there is any. */
    assert_int_equal(store_claim(f.s, 0, &b, &e), 0);
    assert_string_equal(b.prefill_class, "int8");
    store_claim_free(&b);
    assert_int_equal(store_claim(f.s, 0, &b, &e), 0);
    assert_string_equal(b.head, "k");
    store_claim_free(&b);
    assert_int_equal(store_claim(f.s, 0, &b, &e), 0);
    assert_string_equal(b.head, "h");
    assert_int_equal(store_unclaim_from(f.s, &b, 0, &e), 0);
    store_claim_free(&b);
    assert_int_equal(store_claim_like(f.s, 0, &a, &b, &e), 0);
    assert_true(b.n > 0);
    assert_string_equal(b.head, "h");
    assert_string_equal(b.prefill_class, a.prefill_class);
    while (b.n) {
        store_claim_free(&b);
        assert_int_equal(store_claim_like(f.s, 0, &a, &b, &e), 0);
    }
    assert_int_equal(get(f.s, "SELECT count(*) FROM job WHERE state = 'ready'"), 0);
    assert_int_equal(store_claim_like(f.s, f.experiment + 1, &a, &none, &e), 0);
    assert_int_equal(none.n, 0);
    store_claim_free(&a);
    store_close(f.s);
}

static void a_part_of_a_group_is_given_back(void **state)
{
    (void)state;
    struct fixture f = fixture_of("part.db");
    struct store_claim c, rest;
    assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
    assert_int_equal(c.n, 2);
    int64_t second = c.jobs[1].job;
    assert_int_equal(store_unclaim_from(f.s, &c, 1, &e), 0);
    assert_int_equal(c.n, 1);
    counts_are(f.s, 0, 5, 1, 0, 0);
    assert_int_equal(store_claim(f.s, 0, &rest, &e), 0);
    assert_int_equal(rest.n, 1);
    assert_int_equal(rest.jobs[0].job, second);
    store_claim_free(&c);
    store_claim_free(&rest);
    store_close(f.s);
}

static void what_crashes_twice_has_failed(void **state)
{
    (void)state;
    struct fixture f = fixture_of("crash.db");
    struct store_claim c;
    char self[STORE_OWNER_MAX];
    int64_t failed;
    store_owner_of((long)getpid(), self);
    for (int i = 0; i < 3; i++) { // killed from outside: as often as you like
        assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
        assert_int_equal(c.crashes, 0);
        assert_int_equal(store_bury(f.s, self, NULL, f.build, &failed, &e), 0);
        assert_int_equal(failed, 0);
        counts_are(f.s, 0, 6, 0, 0, 0);
        store_claim_free(&c);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
        assert_int_equal(c.crashes, i);
        assert_int_equal(store_bury(f.s, self, "it crashed", f.build, &failed, &e), 0);
        assert_int_equal(failed, i ? c.n : 0);
        store_claim_free(&c);
    }
    counts_are(f.s, 0, 4, 0, 0, 2);
    assert_int_equal(get(f.s, "SELECT count(*) FROM failure WHERE error = 'it crashed'"), 2);
    assert_int_equal(store_retry(f.s, 0, NULL, &e), 0);
    assert_int_equal(get(f.s, "SELECT total(crashes) FROM job"), 0);
    store_close(f.s);
}

static void others_at_work_are_counted(void **state)
{
    (void)state;
    struct fixture f = fixture_of("others.db");
    struct store_claim c, d;
    int64_t here, elsewhere;
    assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
    assert_int_equal(store_claim(f.s, 0, &d, &e), 0);
    assert_int_equal(db_exec(store_db(f.s),
                             "UPDATE job SET owner = 'nowhere/1/x' WHERE id ="
                             " (SELECT min(id) FROM job)",
                             &e),
                     0);
    assert_int_equal(store_count_others(f.s, f.experiment, &here, &elsewhere, &e), 0);
    assert_int_equal(here, c.n + d.n - 1);
    assert_int_equal(elsewhere, 1);
    assert_int_equal(store_count_others(f.s, f.experiment + 1, &here, &elsewhere, &e), 0);
    assert_int_equal(here + elsewhere, 0);
    store_claim_free(&c);
    store_claim_free(&d);
    store_close(f.s);
}

static void a_result_is_stored_whole_or_not(void **state)
{
    (void)state;
    struct fixture f = fixture_of("whole-result.db");
    struct store_claim c;
    struct store_result r = STORE_RESULT;
    struct store_score bad = {NULL, 1, 0.5};
    r.prediction = text_of("x");
    assert_int_equal(store_claim(f.s, 0, &c, &e), 0);
    struct store_ledger ledger[] = {{"recent", 1, 2, 3}, {"recent", 4, 5, 6}};
    r.ledger = ledger;
    r.n_ledger = 1;
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, &bad), -1);
    r.n_ledger = 2; // a class twice
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, NULL), -1);
    r.n_ledger = 1;
    ledger[0].class = "spare";
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, NULL), -1);
    assert_non_null(strstr(e.msg, "class spare"));
    counts_are(f.s, 0, 4, 2, 0, 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM ledger"), 0);
    ledger[0].class = "bases";
    r.error = "lost its way";
    r.prediction = (struct text){NULL, 0};
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, NULL), 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM ledger"), 0); // of a failed job: none
    assert_int_equal(get(f.s, "SELECT count(*) FROM job WHERE finished_at IS NOT NULL AND"
                              " coalesce(new_tokens, prompt_tokens, prefill_seconds, kv_bytes,"
                              " decode_seconds, decode_batch, shared_tokens) IS NULL"),
                     1); // what is not known is NULL
    store_claim_free(&c);
    store_close(f.s);
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
    assert_int_equal(get(s, "PRAGMA user_version"), 4);
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
        cmocka_unit_test(planning_again_finds_what_is_there),
        cmocka_unit_test(two_connections_claim_different_groups),
        cmocka_unit_test(failures_are_kept_when_tried_again),
        cmocka_unit_test(what_was_claimed_can_be_given_back),
        cmocka_unit_test(a_dead_process_loses_its_jobs_and_nothing_else),
        cmocka_unit_test(many_processes_share_one_database),
        cmocka_unit_test(owners_are_told_apart),
        cmocka_unit_test(jobs_of_other_machines_are_taken_over_only_when_asked),
        cmocka_unit_test(results_of_one_call_are_stored_together),
        cmocka_unit_test(groups_of_one_head_follow_each_other),
        cmocka_unit_test(a_part_of_a_group_is_given_back),
        cmocka_unit_test(what_crashes_twice_has_failed),
        cmocka_unit_test(others_at_work_are_counted),
        cmocka_unit_test(a_result_is_stored_whole_or_not),
        cmocka_unit_test(a_reader_cannot_change_anything),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
