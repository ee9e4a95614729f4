/*
 * Errors of layers and attention that is lost, against loops in double that do not know where a row
 * has gone: they find each row that a cache holds by its numbers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "runner/layer_error.h"
#include "tests/unit/sequence.h"

enum { LAYERS = 3, HEADS = 4, KV_HEADS = 2, GROUP = HEADS / KV_HEADS, DIM = 32 };
enum { READ = 110, FIRST = 122, COUNTED = 20, N = 145, COPIES = 4 };

static const struct kv_shape shape = {LAYERS, HEADS, KV_HEADS, DIM};
static const struct layer_span span = {READ, FIRST, COUNTED, N};
static struct kv_engine engines[3]; // two threads, one, one with floats
static struct sequence s;           // of the settings
static struct sequence asked;       // of the full cache: the same rows, other queries
static float *key, *value;          // the full cache's: f16 [N][KV_HEADS][DIM]
static double full[HEADS][N][N];    // what it pays: of each head and token to the tokens up to it

/* ---- by definition ---- */

static const float *row(const float *rows, int kv_head, int t)
{
    return rows + ((size_t)t * KV_HEADS + (size_t)kv_head) * DIM;
}

static void attend_by_definition(int head, int t, double *w)
{
    const float *q = asked.q + ((size_t)t * HEADS + (size_t)head) * DIM;
    double sum = 0;
    for (int j = 0; j <= t; j++) {
        double x = 0;
        for (int i = 0; i < DIM; i++)
            x += (double)q[i] * (double)row(key, head / GROUP, j)[i];
        sum += w[j] = exp(x / sqrt(DIM));
    }
    for (int j = 0; j <= t; j++)
        w[j] /= sum;
}

static int open_all(void **state)
{
    (void)state;
    size_t n = (size_t)N * KV_HEADS * DIM;
    engines[0] = engine_new(2);
    engines[1] = engine_new(1);
    engines[2] = engine_new(1);
    engines[2].floats = true;
    s = sequence_new(shape, N, 71);
    asked = sequence_new(shape, N, 72);
    memcpy(asked.k, s.k, n * sizeof *s.k);
    memcpy(asked.v, s.v, n * sizeof *s.v);
    key = xmalloc(n * sizeof *key);
    value = xmalloc(n * sizeof *value);
    memcpy(key, s.k, n * sizeof *key);
    memcpy(value, s.v, n * sizeof *value);
    kv_rows_halve(engines[0].kernels, key, n);
    kv_rows_halve(engines[0].kernels, value, n);
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < N; t++)
            attend_by_definition(h, t, full[h][t]);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        pool_free(engines[i].pool);
    sequence_release(&s);
    sequence_release(&asked);
    free(key), free(value);
    return 0;
}

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < DIM; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

/* The token whose row this is most like, of the first n. */
static int token_of(int kv_head, const float *k, const float *v, int n)
{
    int best = 0;
    double least = INFINITY;
    for (int t = 0; t < n; t++) {
        double x = distance(k, row(key, kv_head, t)) + distance(v, row(value, kv_head, t));
        if (x < least) {
            least = x;
            best = t;
        }
    }
    return best;
}

/* What is expected of one setting: sums, and then what they come to. */
struct expected {
    double lost[LAYERS], key_error[LAYERS], value_error[LAYERS];
    bool in_place; // rows are those of the tokens in order: too coarse to be found by their numbers
};

/* Tokens of all rows of a KV head. */
static int find_tokens(const struct expected *x, const struct kv_layer *l, int h, int n_tokens,
                       int *token)
{
    float k[N * DIM], v[N * DIM];
    l->codec->read(l->store, h, 0, l->n, k, v);
    for (int j = 0; j < l->n; j++)
        token[j] =
            x->in_place ? j : token_of(l->part->kv_head + h, k + j * DIM, v + j * DIM, n_tokens);
    return l->n;
}

static double lost_by(const struct kv_cache *c, int head, const int *token, int n)
{
    const struct kv_range *r;
    double read[N] = {0}, sum = 0, all = 0;
    int n_ranges = kv_cache_ranges(c, head, &r);
    for (int i = 0; i < n_ranges; i++)
        for (int j = r[i].start; j < r[i].start + r[i].n; j++)
            read[token[j]] = 1;
    for (int t = 0; t < n; t++) {
        sum += read[t] * full[head][n - 1][t];
        all += full[head][n - 1][t];
    }
    assert_true(fabs(all - 1) < 1e-12);
    return 1 - sum;
}

/* A watch of the test's own, of a cache like the others. */
static void expect_step(void *arg, const struct kv_cache *c, int layer, const float *q)
{
    struct expected *x = arg;
    int token[N], n = kv_cache_length(c) + 1;
    assert_memory_equal(q, s.q + (size_t)(n - 1) * HEADS * DIM, HEADS * DIM * sizeof *q);
    if (n - 1 < FIRST || n - 1 >= FIRST + COUNTED)
        return;
    for (int i = 0; i < kv_cache_n_slots(c); i++) {
        const struct kv_layer *l = kv_cache_slot(c, layer, i);
        int heads = l->part->shape.n_kv_heads, group = l->part->shape.n_heads / heads;
        for (int h = 0; h < heads; h++) {
            find_tokens(x, l, h, n, token);
            for (int g = 0; g < group; g++)
                x->lost[layer] += lost_by(c, l->part->head + h * group + g, token, n);
        }
    }
}

static void expect_errors(struct expected *x, const struct kv_cache *c, int layer)
{
    double sum[4] = {0};
    float k[DIM], v[DIM];
    int token[N];
    for (int i = 0; i < kv_cache_n_slots(c); i++) {
        const struct kv_layer *l = kv_cache_slot(c, layer, i);
        for (int h = 0; h < l->part->shape.n_kv_heads; h++) {
            int n = find_tokens(x, l, h, N, token), source = l->part->kv_head + h;
            for (int j = 0; j < n; j++) {
                if (token[j] >= READ)
                    continue;
                float zero[DIM] = {0};
                l->codec->read(l->store, h, j, 1, k, v);
                sum[0] += distance(k, row(key, source, token[j]));
                sum[1] += distance(zero, row(key, source, token[j]));
                sum[2] += distance(v, row(value, source, token[j]));
                sum[3] += distance(zero, row(value, source, token[j]));
            }
        }
    }
    x->key_error[layer] = sqrt(sum[0] / sum[1]); // NaN where there is no row
    x->value_error[layer] = sqrt(sum[2] / sum[3]);
    x->lost[layer] /= COUNTED * HEADS;
}

/* ---- a setting beside the full cache ---- */

static bool about(double is, double want, double off)
{
    return isnan(want) ? isnan(is) : fabs(is - want) <= off;
}

static void same(const char *text, const struct store_layer *got, const struct expected *x)
{
    for (int l = 0; l < LAYERS; l++) {
        assert_int_equal(got[l].layer, l);
        if (!about(got[l].key_error, x->key_error[l], 1e-9) ||
            !about(got[l].value_error, x->value_error[l], 1e-9) ||
            !about(got[l].mass_lost, x->lost[l], 2e-6))
            fail_msg("%s, layer %d: %g %g %g, not %g %g %g", text, l, got[l].key_error,
                     got[l].value_error, got[l].mass_lost, x->key_error[l], x->value_error[l],
                     x->lost[l]);
    }
}

static struct layer_full *read_full(const struct kv_engine *engine)
{
    const struct sequence *one = &asked;
    struct layer_full *f = layer_full_new(&shape, engine, span);
    struct kv_cache *c = layer_full_cache(f);
    float *out = xmalloc((size_t)(N - READ) * LAYERS * HEADS * DIM * sizeof *out);
    sequence_prefill(&asked, engine, &c, 1, READ, NULL);
    sequence_steps(&one, &c, 1, engine, N - READ, out);
    free(out);
    return f;
}

static void open_chain(struct kv_chain *chain, const char *text)
{
    struct err e = {0};
    if (read_chain(chain, text, &e) || kv_chain_check(chain, &shape, true, "here", &e))
        fail_msg("%s: %s", text, e.msg);
}

/* Caches of one setting in one batch: the last has the test's own watch. Those of the others are
 * the same; that of the first into got. */
static void run(const struct kv_engine *engine, const char *text, struct expected *x,
                struct store_layer got[LAYERS])
{
    struct kv_chain chain;
    struct kv_cache *c[COPIES + 1];
    struct layer_sums *sums[COPIES];
    const struct sequence *all[COPIES + 1];
    struct layer_full *f = read_full(engine);
    float *out = xmalloc((size_t)(N - READ) * LAYERS * (COPIES + 1) * HEADS * DIM * sizeof *out);
    open_chain(&chain, text);
    for (int i = 0; i <= COPIES; i++) {
        all[i] = &s;
        c[i] = kv_cache_new(&chain, &shape, engine, N);
        if (i < COPIES)
            sums[i] = layer_sums_new(f, c[i]);
        else
            kv_cache_trace(c[i], expect_step, x);
    }
    sequence_prefill(&s, engine, c, COPIES + 1, READ, NULL);
    sequence_steps(all, c, COPIES + 1, engine, N - READ, out);
    for (int l = 0; l < LAYERS; l++)
        expect_errors(x, c[COPIES], l);
    for (int i = 0; i < COPIES; i++) {
        layer_sums_put(sums[i], c[i], got);
        same(text, got, x);
        layer_sums_free(sums[i]);
    }
    for (int i = 0; i <= COPIES; i++)
        kv_cache_free(c[i]);
    kv_chain_release(&chain);
    layer_full_free(f);
    free(out);
}

static void sums_are_their_definition(void **state)
{
    (void)state;
    static const char *const chains[] = {
        "[{\"recent\":{\"kept\":0.25}}]",
        "[{\"recent\":{\"kept\":0.25}},{\"rtn\":{\"key_bits\":8,\"value_bits\":8}}]",
        "[{\"snapkv\":{\"kept\":0.25,\"window\":8}}]",
        "[{\"snapkv\":{\"kept\":0.25,\"window\":8,\"heads\":\"query\"}}]",
        "[{\"snapkv\":{\"kept\":0.25,\"window\":8}},\"adakv\"]",
        "[{\"snapkv\":{\"budget\":12,\"window\":2}},{\"adakv\":{\"floor\":0}}]",
        "[{\"snapkv\":{\"kept\":0.25,\"window\":8}},\"cam\"]",
        "[{\"snapkv\":{\"kept\":0.25,\"window\":8}},{\"kivi\":{\"residual\":32,\"key_bits\":4}}]",
        ("[{\"snapkv\":{\"kept\":0.5,\"window\":8}},{\"quest\":{\"first_layer\":0,\"page\":4,"
         "\"token_budget\":16}}]"),
        "[{\"h2o-drop\":{\"kept\":0.25}}]",
        "[{\"h2o-drop\":{\"kept\":0.25,\"heads\":\"query\"}},\"f32\"]",
        "[{\"tova\":{\"kept\":0.25}}]",
        "[{\"h2o-sim\":{\"heavy\":0.125,\"recent\":0.125}}]",
        "[{\"streamingllm\":{\"kept\":0.25,\"positions\":\"cache\"}}]",
        "[{\"streamingllm\":{\"budget\":3,\"sinks\":0}}]", // no row of the prompt is left
        "[{\"quest\":{\"first_layer\":1,\"page\":4,\"token_budget\":32}}]",
        "[{\"kvo-select\":{\"first_layer\":1,\"token_budget\":32}}]",
        "[\"kivi\"]",
        "[{\"kivi\":{\"residual\":32,\"key_bits\":4,\"value_bits\":4}}]",
        "[\"turboquant\"]",
        "[{\"turboquant\":{\"key_bits\":2,\"value_bits\":2}}]",
        "[{\"think\":{\"recent\":16,\"window\":8}}]",
        "[{\"think\":{\"recent\":16,\"window\":8,\"heads\":\"query\"}}]",
        "[{\"kvo-order\":{\"window\":16,\"first_layer\":0}}]",
        "[{\"kvo-order\":{\"window\":8}},\"q8\"]",
        ("[{\"kvo\":{\"window\":16,\"first_layer\":1,\"key_bits\":8,\"value_bits\":8,"
         "\"value_group\":16,\"prune_keys\":false,\"prune_values\":false,\"token_budget\":48}}]"),
    };
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        for (int k = 0; k < 3; k++) {
            struct expected x = {.in_place = false};
            struct store_layer got[LAYERS];
            run(&engines[k], chains[i], &x, got);
        }
}

/* ---- what is known without looking ---- */

static void nothing_is_lost_of_the_full_cache(void **state)
{
    (void)state;
    static const char *const chains[] = {"[\"full\"]", "[\"f16\"]"};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) {
            struct expected x = {.in_place = true};
            struct store_layer got[LAYERS];
            run(&engines[k], chains[i], &x, got);
            for (int l = 0; l < LAYERS; l++)
                assert_true(got[l].key_error == 0 && got[l].value_error == 0 &&
                            got[l].mass_lost == 0);
        }
}

/* Rows that are all held, and only coarse: nothing is lost, not even by rounding; and the error is
 * that of numbers of one bit a group, the least and the most of it. */
static void one_bit_is_off_as_its_grid_is(void **state)
{
    (void)state;
    struct expected x = {.in_place = true};
    struct store_layer got[LAYERS];
    double wrong = 0, all = 0;
    run(&engines[0], "[{\"rtn\":{\"key_bits\":1,\"value_bits\":1}}]", &x, got);
    for (int t = 0; t < READ; t++)
        for (int h = 0; h < KV_HEADS; h++) {
            const float *raw = row(s.k, h, t);
            double low = INFINITY, high = -INFINITY;
            for (int i = 0; i < DIM; i++) {
                low = fmin(low, (double)raw[i]);
                high = fmax(high, (double)raw[i]);
            }
            for (int i = 0; i < DIM; i++) {
                double is = (double)raw[i] - low < high - (double)raw[i] ? low : high;
                double should = (double)row(key, h, t)[i];
                wrong += (is - should) * (is - should);
                all += should * should;
            }
        }
    for (int l = 0; l < LAYERS; l++) {
        assert_true(got[l].mass_lost == 0);
        assert_true(fabs(got[l].key_error - sqrt(wrong / all)) < 1e-3); // the pairs are f16
    }
}

/* Four sinks and the token itself are all that a step reads. */
static void all_but_the_sinks_are_lost(void **state)
{
    (void)state;
    struct expected x = {.in_place = false};
    struct store_layer got[LAYERS];
    double lost = 0;
    run(&engines[0], "[{\"streamingllm\":{\"budget\":5,\"sinks\":4}}]", &x, got);
    for (int h = 0; h < HEADS; h++)
        for (int t = FIRST; t < FIRST + COUNTED; t++)
            for (int j = 4; j < t; j++)
                lost += full[h][t][j];
    for (int l = 0; l < LAYERS; l++) {
        assert_true(fabs(got[l].mass_lost - lost / COUNTED / HEADS) < 2e-6);
        assert_true(got[l].mass_lost > 0.5 && got[l].key_error == 0);
    }
}

/* ---- every method ---- */

/* Of each row the position that is kept is that of the token that it is most like. */
static void check_positions(const char *text, const struct kv_cache *c)
{
    for (int l = 0; l < LAYERS; l++)
        for (int i = 0; i < kv_cache_n_slots(c); i++) {
            const struct kv_layer *rows = kv_cache_slot(c, l, i);
            const struct kv_part *p = rows->part;
            for (int h = 0; h < p->shape.n_kv_heads; h++) {
                struct expected any = {.in_place = false};
                int token[N], wrong = 0;
                find_tokens(&any, rows, h, N, token);
                for (int j = 0; j < rows->n; j++)
                    wrong += p->at[(size_t)h * (size_t)p->cap + (size_t)j] != token[j];
                if (wrong)
                    fail_msg("%s: %d of %d rows of layer %d are not where they seem to be", text,
                             wrong, rows->n, l);
            }
        }
}

static void nothing(void *arg, const struct kv_cache *c, int layer, const float *q)
{
    (void)arg, (void)c, (void)layer, (void)q;
}

static void every_method_keeps_positions(void **state)
{
    (void)state;
    for (int m = 0; kv_method_all[m]; m++) {
        struct settings list = {0};
        const struct sequence *one = &s;
        float *out = xmalloc((size_t)(N - READ) * LAYERS * HEADS * DIM * sizeof *out);
        struct kv_chain chain;
        settings_default(&list, kv_method_all[m]);
        open_chain(&chain, list.text[0]);
        struct kv_cache *c = kv_cache_new(&chain, &shape, &engines[0], N);
        kv_cache_trace(c, nothing, NULL);
        sequence_prefill(&s, &engines[0], &c, 1, READ, NULL);
        sequence_steps(&one, &c, 1, &engines[0], N - READ, out);
        check_positions(list.text[0], c);
        kv_cache_free(c);
        kv_chain_release(&chain);
        settings_release(&list);
        free(out);
    }
}

/* ---- the watch ---- */

static int calls;

static void check_queries(void *arg, const struct kv_cache *c, int layer, const float *q)
{
    const struct sequence *own = arg;
    size_t width = (size_t)HEADS * DIM;
    (void)layer;
    assert_memory_equal(q, own->q + (size_t)kv_cache_length(c) * width, width * sizeof *q);
    calls++;
}

/* Of sequences that take a step together, whether threads share caches or heads. */
static void a_watch_gets_its_own_queries(void **state)
{
    (void)state;
    struct sequence *own[] = {&s, &asked, &asked, &s};
    const struct sequence *all[] = {&s, &asked, &asked, &s};
    struct kv_chain chain;
    float *out = xmalloc((size_t)(N - READ) * LAYERS * 4 * HEADS * DIM * sizeof *out);
    open_chain(&chain, "[\"f32\"]");
    for (int n = 2; n <= 4; n += 2) { // of one thread
        struct kv_cache *c[4];
        calls = 0;
        for (int i = 0; i < n; i++) {
            c[i] = kv_cache_new(&chain, &shape, &engines[1], N);
            kv_cache_trace(c[i], check_queries, own[i]);
            sequence_prefill(own[i], &engines[1], &c[i], 1, READ, NULL);
        }
        sequence_steps(all, c, n, &engines[1], N - READ, out);
        assert_int_equal(calls, n * LAYERS * (N - READ));
        for (int i = 0; i < n; i++)
            kv_cache_free(c[i]);
    }
    kv_chain_release(&chain);
    free(out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_their_definition),
        cmocka_unit_test(nothing_is_lost_of_the_full_cache),
        cmocka_unit_test(one_bit_is_off_as_its_grid_is),
        cmocka_unit_test(all_but_the_sinks_are_lost),
        cmocka_unit_test(every_method_keeps_positions),
        cmocka_unit_test(a_watch_gets_its_own_queries),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
