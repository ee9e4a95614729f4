/*
 * The ema report over a made-up database: a 32-layer model of 4096 channels, one step an item,
 * whose ledger is the closed form's. So the report must show what the method's description has for
 * these lengths. With an argument it makes the database there and does nothing else: the
 * command-line tests read it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/ema_data.h"
#include "runner/ledger_rows.h"
#include "tests/unit/kvo_bytes.h"
#include "tests/unit/scratch.h"

static struct err e;

#define must(call)                                                                                 \
    do {                                                                                           \
        if (call) {                                                                                \
            fprintf(stderr, "%s\n", e.msg);                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { LAYERS = 32, HEADS = 32, DIM = 128, WINDOW = 64, CHUNKS_MAX = 4096, N_SETTINGS = 4 };

static const struct {
    const char *name, *method;
    int first_layer, budget;
} settings[N_SETTINGS] = {{"kvo, 2 layers dense", "kvo", 2, 384},
                          {"full", "full", STORE_NONE, 0},
                          {"kvo", "kvo", 0, 384},
                          {"kvo, reads all", "kvo", 0, 1000000}};

/* Two items of one length; the last has no step. */
static const int prompts[] = {3500, 512, 32000, 3500, 700};
enum { N_ITEMS = sizeof prompts / sizeof *prompts, NO_STEP = 4 };

/* ---- the ledger of an item, one step ---- */

static void kvo_layer(int n, int budget, uint64_t held[KV_CLASSES], uint64_t read[KV_CLASSES])
{
    static int list[CHUNKS_MAX];
    const int *chosen[HEADS];
    int n_chosen[HEADS];
    struct kvo_bytes_setting s = kvo_bytes_default(HEADS, DIM);
    int compressed = kvo_bytes_compressed(n, WINDOW);
    int m = kvo_bytes_chosen(compressed, budget, s.chunk);
    for (int i = 0; i < m; i++)
        list[i] = i;
    for (int h = 0; h < HEADS; h++)
        chosen[h] = list, n_chosen[h] = m;
    kvo_bytes_held(&s, n, compressed, held);
    kvo_bytes_read(&s, n, compressed, &(struct kvo_bytes_choice){chosen, n_chosen, -1}, read);
}

static void make_ledger(int setting, int n, struct kv_ledger *l)
{
    struct kvo_bytes_setting s = kvo_bytes_default(HEADS, DIM);
    uint64_t held[KV_CLASSES] = {0}, read[KV_CLASSES] = {0}, full = kvo_bytes_full(&s, n);
    uint64_t dense = setting == 1 ? LAYERS : (uint64_t)settings[setting].first_layer;
    *l = (struct kv_ledger){.full = LAYERS * full, .read_full = LAYERS * full};
    if (setting != 1)
        kvo_layer(n, settings[setting].budget, held, read);
    for (int c = 0; c < KV_CLASSES; c++) {
        l->held[c] = (LAYERS - dense) * held[c];
        l->read[c] = (LAYERS - dense) * read[c];
    }
    l->held[KV_ROWS] += dense * full;
    l->read[KV_ROWS] += dense * full;
    l->written[setting == 1 ? KV_ROWS : KV_RECENT] = LAYERS * kvo_bytes_full(&s, 1);
}

/* ---- the database ---- */

struct sample_db {
    struct store *s;
    int64_t experiment, build, model, protocol, task, run[N_SETTINGS];
};

static void put_frame(struct sample_db *d)
{
    struct store_experiment x = {"bytes", "{}", "c0"};
    struct store_model m = {.identity = "m0",
                            .name = "seven",
                            .layers = LAYERS,
                            .heads = HEADS,
                            .kv_heads = HEADS,
                            .head_dim = DIM};
    struct store_protocol p = STORE_PROTOCOL;
    p.identity = "p0", p.json = "{}", p.preset = "kvo";
    struct store_task t = {.identity = "t0",
                           .name = "mini_report",
                           .source = "mini",
                           .category = "summarization",
                           .metric = "rouge_score"};
    must(store_put_experiment(d->s, &x, &d->experiment, &e));
    must(store_put_model(d->s, &m, &d->model, &e));
    must(store_put_protocol(d->s, &p, &d->protocol, &e));
    must(store_put_task(d->s, &t, &d->task, &e));
    must(store_put_build(d->s, &(struct store_build){.version = "1"}, &d->build, &e));
}

static void put_runs(struct sample_db *d)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        struct store_setting c = STORE_SETTING;
        int64_t setting;
        c.identity = c.name = settings[i].name;
        c.chain = c.method = settings[i].method;
        c.json = "{}";
        c.first_layer = settings[i].first_layer;
        must(store_put_setting(d->s, &c, &setting, &e));
        struct store_run r = {.identity = settings[i].name,
                              .model = d->model,
                              .setting = setting,
                              .protocol = d->protocol,
                              .origin = "run",
                              .experiment = d->experiment,
                              .position = i,
                              .name = settings[i].name};
        must(store_put_run(d->s, &r, &d->run[i], &e));
    }
}

static void plan(struct sample_db *d)
{
    for (int item = 0; item < N_ITEMS; item++)
        for (int i = 0; i < N_SETTINGS; i++) {
            char id[16];
            int64_t job;
            snprintf(id, sizeof id, "r-%d", item);
            struct store_job j = {d->experiment, d->run[i], d->task, id, item, "h", "plain", NULL};
            must(store_plan_job(d->s, &j, &job, NULL, &e));
        }
}

static void finish(struct sample_db *d, const struct store_claim *c, int i, bool with_ledger)
{
    int item = c->sample_index, setting = 0;
    struct store_ledger row[LEDGER_ROWS_MAX];
    struct store_result r = STORE_RESULT;
    struct kv_ledger l;
    while (d->run[setting] != c->jobs[i].run)
        setting++;
    make_ledger(setting, prompts[item], &l);
    r.prediction = text_of("x");
    r.prompt_tokens = prompts[item];
    r.new_tokens = item == NO_STEP ? 1 : 2;
    r.kv_bytes = (int64_t)kv_ledger_sum(l.held) / 8;
    r.kv_full_bytes = (int64_t)l.full / 8;
    r.kv_read_bytes = (int64_t)kv_ledger_sum(l.read) / 8;
    r.kv_read_full_bytes = (int64_t)l.read_full / 8;
    r.kv_basis = "held";
    r.ledger = row;
    r.n_ledger = with_ledger ? ledger_rows(&l, 13000000, 13000000, row) : 0;
    struct store_finished done = {.job = c->jobs[i].job, .build = d->build, .result = &r};
    must(store_finish(d->s, &done, 1, &e));
}

static void make_sample_db(struct sample_db *d, const char *path, bool with_ledger)
{
    struct store_claim c;
    must(store_open(path, STORE_CREATE, &d->s, &e));
    must(store_begin(d->s, &e));
    put_frame(d);
    put_runs(d);
    plan(d);
    must(store_commit(d->s, &e));
    for (int n = 0; n < N_ITEMS; n++) {
        must(store_claim(d->s, d->experiment, &c, &e));
        for (int i = 0; i < c.n; i++)
            finish(d, &c, i, with_ledger);
        store_claim_free(&c);
    }
}

/* ---- tests ---- */

static const struct ema_row *row_named(const struct ema_data *d, const char *name)
{
    for (int i = 0; i < d->table[0].n_rows; i++)
        if (!strcmp(d->table[0].row[i].name, name))
            return &d->table[0].row[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void near(double x, double percent)
{
    if (!(fabs(100 * x - percent) < 0.0051))
        fail_msg("%.4f, expected %.2f", 100 * x, percent);
}

static void lengths_have_what_the_description_says(void **state)
{
    (void)state;
    struct sample_db d;
    struct ema_data x;
    make_sample_db(&d, "ema.db", true);
    must(ema_data_load(&x, d.s, &(struct report_request){0}, &e));
    assert_int_equal(x.n_tables, 1);
    assert_int_equal(x.table[0].n_rows, N_SETTINGS);
    assert_string_equal(x.table[0].row[0].name, "full"); // first, wherever it is listed
    assert_int_equal(x.left_out, N_SETTINGS);            // items without a step
    const struct ema_row *kvo = row_named(&x, "kvo"), *dense = row_named(&x, "kvo, 2 layers dense");
    assert_int_equal(kvo->bin[12].items, 2); // 3500 is next to 4096
    assert_int_equal(kvo->bin[9].items, 1);
    near(ema_less(&kvo->bin[9].read, EMA_AS_IS), 74.71);
    near(ema_less(&kvo->bin[12].read, EMA_AS_IS), 92.36);
    near(ema_less(&kvo->bin[15].read, EMA_AS_IS), 96.14);
    near(ema_less(&kvo->bin[15].read, EMA_PACKED), 96.14);
    near(ema_less(&kvo->bin[15].read, EMA_COMPOSED), 90.13);
    /* Two dense layers of 32, measured or composed, are the same; packed layers alone lose nothing.
     */
    near(ema_less(&dense->bin[15].read, EMA_AS_IS), 90.13);
    near(ema_less(&dense->bin[15].read, EMA_PACKED), 96.14);
    near(ema_less(&dense->bin[15].read, EMA_COMPOSED), 90.13);
    near(ema_less(&dense->bin[15].held, EMA_PACKED), 100 * ema_less(&kvo->bin[15].held, EMA_AS_IS));
    near(ema_less(&row_named(&x, "kvo, reads all")->bin[15].read, EMA_AS_IS), 79.77);
    ema_data_release(&x);
    store_close(d.s);
}

static void the_full_cache_is_no_less(void **state)
{
    (void)state;
    struct sample_db d;
    struct ema_data x;
    make_sample_db(&d, "full.db", true);
    must(ema_data_load(&x, d.s, &(struct report_request){.model = "seven"}, &e));
    const struct ema_bin *b = &row_named(&x, "full")->bin[12];
    near(ema_less(&b->read, EMA_AS_IS), 0);
    near(ema_less(&b->held, EMA_NO_METADATA), 0);
    assert_true(isnan(ema_less(&b->read, EMA_PACKED)));
    assert_true(isnan(ema_less(&b->held, EMA_COMPOSED)));
    assert_true(ema_sum(&b->read) == 7000.0 * 32 * 4096 * 4); // weights are not of the cache
    assert_true(b->read.of[EMA_WEIGHTS] == 26e6);
    ema_data_release(&x);
    store_close(d.s);
}

static void metadata_are_pairs_masks_and_index(void **state)
{
    (void)state;
    struct ema_bytes b = {.full = 1000, .dense_full = 200};
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        b.of[c] = 1 << c;
    near(ema_less(&b, EMA_AS_IS), 48.9); // 511 of 1000
    near(ema_less(&b, EMA_NO_METADATA), 100 - 51.1 + 22.4);
    near(ema_less(&b, EMA_PACKED), 100 - 51000.0 / 800);
    b.dense_full = 0; // then rows are how the setting packs
    near(ema_less(&b, EMA_PACKED), 48.9);
    b.full = 0;
    assert_true(isnan(ema_less(&b, EMA_AS_IS)));
}

static void without_a_ledger_it_says_why(void **state)
{
    (void)state;
    struct sample_db d;
    struct ema_data x;
    make_sample_db(&d, "none.db", false);
    assert_int_equal(ema_data_load(&x, d.s, &(struct report_request){0}, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_non_null(strstr(e.msg, "none of the 20 finished items of experiment bytes"));
    assert_int_equal(ema_data_load(&x, d.s, &(struct report_request){.model = "x"}, &e), -1);
    assert_non_null(strstr(e.msg, "experiment bytes has no model 'x'"));
    store_close(d.s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_have_what_the_description_says),
        cmocka_unit_test(the_full_cache_is_no_less),
        cmocka_unit_test(metadata_are_pairs_masks_and_index),
        cmocka_unit_test(without_a_ledger_it_says_why),
    };
    if (argc > 1) {
        struct sample_db d;
        make_sample_db(&d, argv[1], true);
        store_close(d.s);
        return 0;
    }
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
