/* Jobs: planned, claimed, finished, given back, taken over, crashed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/unit/store_fixture.h"

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
    struct store_layer layers[] = {{0, 0.5, NAN, 0.25}, {0, 0, 0, 0}};
    r.layers = layers;
    r.n_layers = 2; // a layer twice
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, NULL), -1);
    assert_non_null(strstr(e.msg, "layer 0"));
    r.n_layers = 1;
    layers[0].mass_lost = 1.5;
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, NULL), -1);
    assert_int_equal(get(f.s, "SELECT count(*) FROM layer_error"), 0);
    layers[0].mass_lost = 1;
    r.error = "lost its way";
    r.prediction = (struct text){NULL, 0};
    assert_int_equal(finish_one(f.s, c.jobs[0].job, f.build, &r, NULL), 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM ledger"), 0); // of a failed job: none
    assert_int_equal(get(f.s, "SELECT count(*) FROM layer_error"), 0);
    assert_int_equal(get(f.s, "SELECT count(*) FROM job WHERE finished_at IS NOT NULL AND"
                              " coalesce(new_tokens, prompt_tokens, prefill_seconds, kv_bytes,"
                              "  decode_seconds, decode_batch, shared_tokens, replay_tokens,"
                              " replay_seconds) IS NULL"),
                     1); // what is not known is NULL
    store_claim_free(&c);
    store_close(f.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
