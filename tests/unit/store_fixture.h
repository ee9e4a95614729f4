/* Databases of the store's tests: opened or the test fails, and one with two settings, three
 * samples and the six jobs they make. Include after cmocka.h. */
#ifndef KVLAB_TEST_STORE_FIXTURE_H
#define KVLAB_TEST_STORE_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "harness/store/store_int.h"
#include "tests/unit/scratch.h"

static struct err e; // of the last call

static inline struct store *opened(const char *path, enum store_mode mode)
{
    struct store *s = NULL;
    if (store_open(path, mode, &s, &e))
        fail_msg("%s", e.msg);
    return s;
}

static inline int64_t get(struct store *s, const char *sql)
{
    int64_t x = -1;
    assert_int_equal(db_get_int(store_db(s), sql, NULL, 0, &x, &e), 1);
    return x;
}

struct fixture {
    struct store *s;
    int64_t experiment, task, run[2], build;
};

static inline void put_run(struct fixture *f, int i, int64_t model, int64_t protocol)
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

static inline void put_frame(struct fixture *f)
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
static inline void plan(struct fixture *f, bool expect_made)
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

static inline struct fixture fixture_of(const char *path)
{
    struct fixture f = {.s = opened(path, STORE_CREATE)};
    plan(&f, true);
    return f;
}

static inline void counts_are(struct store *s, int64_t experiment, int ready, int running, int done,
                              int failed)
{
    struct store_counts c;
    assert_int_equal(store_count(s, experiment, &c, &e), 0);
    assert_int_equal(c.ready, ready);
    assert_int_equal(c.running, running);
    assert_int_equal(c.done, done);
    assert_int_equal(c.failed, failed);
}

static inline int finish_one(struct store *s, int64_t job, int64_t build,
                             const struct store_result *r, const struct store_score *score)
{
    struct store_finished done = {job, build, r, score, score ? 1 : 0, false};
    return store_finish(s, &done, 1, &e);
}

static inline void finish(struct fixture *f, const struct store_claim *c, const char *error,
                          bool kept_is)
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

/* Every job done, with its score, a ledger of 100 bytes held and 70 read, and two layers. */
static inline void finish_all(struct fixture *f)
{
    struct store_ledger ledger[] = {
        {"rows", 60, 70, 5}, {"recent", 40, 0, 5}, {"weights", 7, 7, 0}};
    struct store_layer layers[] = {{0, 0.5, 0.25, 0.125}, {1, NAN, NAN, 1}};
    struct store_score score = {"f1", 1, 0.5};
    struct store_result r = STORE_RESULT;
    struct store_claim c;
    r.prediction = text_of("answer");
    r.kv_bytes = 100, r.kv_full_bytes = 400, r.kv_basis = "counted";
    r.kv_read_bytes = 70, r.kv_read_full_bytes = 280;
    r.ledger = ledger;
    r.n_ledger = 3;
    r.layers = layers;
    r.n_layers = 2;
    for (;;) {
        assert_int_equal(store_claim(f->s, 0, &c, &e), 0);
        if (!c.n)
            break;
        for (int i = 0; i < c.n; i++)
            assert_int_equal(finish_one(f->s, c.jobs[i].job, f->build, &r, &score), 0);
        store_claim_free(&c);
    }
    store_claim_free(&c);
}

/* A published run of one number, beside the fixture's. */
static inline void put_paper(struct fixture *f)
{
    struct store_run r = {.identity = "paper",
                          .model = 1,
                          .setting = 1,
                          .protocol = 1,
                          .origin = "published",
                          .experiment = f->experiment,
                          .position = 2,
                          .name = "paper"};
    struct store_published p = {.task = f->task, .score = 41.5, .n = 200, .standard_error = NAN};
    p.source = "Table 3";
    assert_int_equal(store_put_run(f->s, &r, &p.run, &e), 0);
    assert_int_equal(store_put_published(f->s, &p, &e), 0);
}

/* A database of six items that are done, a published number and a factor; then the statements. */
static inline void make_full(const char *path, const char *sql)
{
    struct fixture f = fixture_of(path);
    finish_all(&f);
    put_paper(&f);
    struct store_factor x = {f.experiment, f.run[1], f.run[0], "bits", "key_bits", "4"};
    assert_int_equal(store_put_factor(f.s, &x, &e), 0);
    if (db_exec(store_db(f.s), sql, &e))
        fail_msg("%s", e.msg);
    store_close(f.s);
}

#endif
