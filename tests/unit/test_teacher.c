/*
 * Reference answers read in place of the model's own: the metrics against sums written as their
 * definitions, and read token by token against prompts that are longer by one token each.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/model/reading.h"
#include "runner/command.h"
#include "runner/decode.h"

enum { VOCAB = 50, PROMPT = 60, ROOM = 100 };

static struct model *m;
static size_t vocab;

static int open_model(void **state)
{
    (void)state;
    struct err e;
    struct model_options o = {.threads = 1};
    char *dir = command_path_dup("configs/models/mini");
    m = model_open(dir, &o, &e);
    free(dir);
    vocab = m ? (size_t)model_get_config(m)->vocab : 0;
    return m ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    model_close(m);
    return 0;
}

/* ---- by definition ---- */

static void naive_softmax(const float *logits, int n, long double *p)
{
    long double sum = 0;
    for (int i = 0; i < n; i++)
        sum += p[i] = expl((long double)logits[i]);
    for (int i = 0; i < n; i++)
        p[i] /= sum;
}

static void metrics_are_their_definitions(void **state)
{
    (void)state;
    struct rng rng = {7};
    for (int round = 0; round < 50; round++) {
        float a[VOCAB], b[VOCAB], spread = (float)(1 + round);
        long double p[VOCAB], q[VOCAB], kl = 0;
        for (int i = 0; i < VOCAB; i++) {
            a[i] = spread * (float)rng_below(&rng, 1000) / 100;
            b[i] = spread * (float)rng_below(&rng, 1000) / 100;
        }
        naive_softmax(a, VOCAB, p);
        naive_softmax(b, VOCAB, q);
        for (int i = 0; i < VOCAB; i++)
            kl += p[i] * logl(p[i] / q[i]);
        assert_true(fabs(teacher_kl(a, b, VOCAB) - (double)kl) < 1e-9 * (1 + (double)kl));
        for (int i = 0; i < VOCAB; i += 7)
            assert_true(fabs(teacher_nll(a, VOCAB, i) + (double)logl(p[i])) < 1e-9 * spread * 10);
    }
}

static void extreme_logits_are_finite(void **state)
{
    (void)state;
    const float a[3] = {3e4f, -3e4f, 0}, b[3] = {-3e4f, 3e4f, 0};
    assert_true(teacher_nll(a, 3, 0) == 0);
    assert_true(fabs(teacher_nll(a, 3, 1) - 6e4) < 1e-6);
    assert_true(fabs(teacher_kl(a, b, 3) - 6e4) < 1e-6);
    assert_true(teacher_kl(a, a, 3) == 0);
    const float broken[3] = {0, NAN, 1}, lost[3] = {0, -INFINITY, 1};
    float full[3] = {0, 0, 1};
    struct teacher t = {.judge = JUDGE_AGREE, .vocab = 3, .reference = full};
    assert_true(isnan(teacher_nll(broken, 3, 2)) && isnan(teacher_kl(full, broken, 3)));
    assert_true(isnan(teacher_value(&t, 0, broken)) && isinf(teacher_kl(full, lost, 3)));
}

static void of_equal_logits_the_first_counts(void **state)
{
    (void)state;
    float full[4] = {1, 5, 5, 0};
    struct teacher t = {.judge = JUDGE_AGREE, .vocab = 4, .reference = full};
    assert_true(teacher_value(&t, 0, (const float[]){0, 9, 9, 9}) == 1);
    assert_true(teacher_value(&t, 0, (const float[]){0, 8, 9, 0}) == 0);
}

/* ---- through the model ---- */

static void read_chain_of(struct kv_chain *c, const char *text)
{
    struct err e;
    struct json *list = json_read(text_of(text), &e);
    assert_int_equal(kv_chain_read(c, list, "test", &e), 0);
    json_free(list);
}

static void make_prompt(int32_t *ids)
{
    struct rng rng = {11};
    for (int i = 0; i < PROMPT; i++)
        ids[i] = rng_below(&rng, 4000) + 3;
}

/* The sequence's decoded, taught to the end; read of the prompt before compression. */
static struct decoded teach(struct teacher *t, const char *text, const int32_t *ids, int read)
{
    struct kv_chain chain;
    float *logits = mem_aligned(vocab * sizeof *logits);
    struct stop_rules rules = {.max_new = (int)t->ids.n};
    read_chain_of(&chain, text);
    struct kv_cache *c = model_read(m, &chain, ids, read, ROOM, logits);
    struct sequence s = {
        .cache = c, .rules = &rules, .teacher = t, .tail = ids + read, .n_tail = PROMPT - read};
    decoded_init(&s.out);
    decode_greedy(m, &s, logits, logits);
    kv_cache_free(c);
    kv_chain_release(&chain);
    free(logits);
    return s.out;
}

static void open_teacher(struct teacher *t, int judge, const int32_t *ids, int read)
{
    struct err e;
    struct taught_prompt p = {.full = read == PROMPT};
    assert_int_equal(teacher_open(t, judge, m, text_of("The cook keeps a goat."), 30, p, &e), 0);
    assert_true(t->ids.n > 3);
    teacher_read(t, m, ids, read, PROMPT);
}

/* The sum over the tokens that count of -ln p, each from a prefill of all before it. */
static double naive_nll(const struct teacher *t, const int32_t *prompt)
{
    struct kv_chain chain;
    int32_t ids[ROOM];
    double sum = 0;
    float *logits = mem_aligned(vocab * sizeof *logits);
    memcpy(ids, prompt, PROMPT * sizeof *ids);
    read_chain_of(&chain, "[\"full\"]");
    for (int i = 0; i < (int)t->ids.n; i++) {
        long double all = 0;
        kv_cache_free(model_read(m, &chain, ids, PROMPT + i, ROOM, logits));
        for (size_t k = 0; k < vocab; k++)
            all += expl((long double)logits[k]);
        if (i >= t->first)
            sum += (double)(logl(all) - (long double)logits[t->ids.v[i]]);
        ids[PROMPT + i] = t->ids.v[i];
    }
    kv_chain_release(&chain);
    free(logits);
    return sum;
}

static void tokens_are_expected_as_by_a_prefill(void **state)
{
    (void)state;
    int32_t ids[PROMPT];
    make_prompt(ids);
    for (int read = PROMPT - 9; read <= PROMPT; read += 9) {
        struct teacher t;
        open_teacher(&t, JUDGE_NLL, ids, read);
        struct decoded d = teach(&t, "[\"f32\"]", ids, read);
        double want = naive_nll(&t, ids);
        assert_true(want > 1);
        assert_true(fabs(d.taught - want) < 2e-3 * want); // the full cache's rows are f16
        assert_string_equal(d.stop, "taught");
        assert_int_equal(d.ids.n, t.ids.n);
        assert_memory_equal(d.ids.v, t.ids.v, t.ids.n * sizeof *t.ids.v);
        decoded_release(&d);
        teacher_release(&t);
    }
}

static void the_full_cache_agrees_with_itself(void **state)
{
    (void)state;
    int32_t ids[PROMPT];
    make_prompt(ids);
    for (int read = PROMPT - 9; read <= PROMPT; read += 9) {
        struct teacher kl, agree;
        open_teacher(&kl, JUDGE_KL, ids, read);
        open_teacher(&agree, JUDGE_AGREE, ids, read);
        struct decoded a = teach(&kl, "[\"full\"]", ids, read);
        struct decoded b = teach(&agree, "[\"full\"]", ids, read);
        struct decoded c = teach(&kl, "[{\"recent\":{\"budget\":4}}]", ids, read);
        struct decoded d = teach(&kl, "[\"kvo\"]", ids, read); // rounds on arrival
        assert_true(a.taught == 0);
        assert_true(b.taught == (double)((int)agree.ids.n - agree.first));
        assert_true(c.taught > 0.01);
        assert_true(d.taught > 0);
        decoded_release(&a), decoded_release(&b), decoded_release(&c), decoded_release(&d);
        teacher_release(&kl), teacher_release(&agree);
    }
}

/* ---- by layer ---- */

enum { STAY = 4, MANY_LAYERS = 16, MOST_DIM = 128 };

/* What a setting that keeps the last STAY rows of `read` tokens loses in the steps from `first` on,
 * by the full cache's own rows and queries. */
struct loss {
    int read, first, steps;
    double lost[MANY_LAYERS]; // summed over steps, the mean of heads
};

static void lose(void *arg, const struct kv_cache *c, int layer, const float *q)
{
    struct loss *x = arg;
    const struct kv_shape *s = model_shape(m);
    const struct kv_layer *l = kv_cache_layer(c, layer);
    float k[MOST_DIM], v[MOST_DIM];
    int n = kv_cache_length(c) + 1, d = s->head_dim;
    if (n - 1 < x->first)
        return;
    x->steps += layer == 0;
    for (int h = 0; h < s->n_heads; h++) {
        double all = 0, gone = 0;
        for (int t = 0; t < n; t++) {
            double w = 0;
            l->codec->read(l->store, h / (s->n_heads / s->n_kv_heads), t, 1, k, v);
            for (int i = 0; i < d; i++)
                w += (double)q[h * d + i] * (double)k[i];
            w = exp(w / sqrt(d));
            all += w;
            gone += t < x->read - STAY ? w : 0;
        }
        x->lost[layer] += gone / all / s->n_heads;
    }
}

/* The prompt's tokens and the answer's through a cache that is watched before it reads. */
static void feed_watched(const struct teacher *t, struct kv_cache *c, const int32_t *ids, int read)
{
    float *logits = mem_aligned(vocab * sizeof *logits);
    struct reading_replay none;
    reading_run(m, &(struct reading){.ids = ids, .n = read}, &c, 1, logits, &none);
    for (int i = read; i < PROMPT; i++)
        model_step(m, &ids[i], &c, 1, logits);
    for (size_t i = 0; i + 1 < t->ids.n; i++)
        model_step(m, &t->ids.v[i], &c, 1, logits);
    free(logits);
}

static struct kv_cache *new_cache(const struct kv_chain *chain)
{
    return kv_cache_new(chain, model_shape(m), model_engine(m), ROOM);
}

/* Of the answer's tokens those that count, no sooner and no later; the metric stays what it is. */
static void layers_are_of_the_tokens_that_count(void **state)
{
    (void)state;
    int32_t ids[PROMPT];
    make_prompt(ids);
    for (int read = PROMPT - 9; read <= PROMPT; read += 9) {
        struct teacher t, bare;
        struct kv_chain full, recent;
        struct store_layer got[MANY_LAYERS];
        struct err e;
        struct taught_prompt p = {.full = read == PROMPT};
        assert_int_equal(
            teacher_open(&t, JUDGE_KL, m, text_of("The cook keeps a goat."), 30, p, &e), 0);
        t.layers = true;
        teacher_read(&t, m, ids, read, PROMPT);
        open_teacher(&bare, JUDGE_KL, ids, read);
        assert_null(bare.full);
        assert_memory_equal(t.reference, bare.reference, t.ids.n * vocab * sizeof *t.reference);
        struct loss x = {.read = read, .first = PROMPT - 1 + t.first};
        read_chain_of(&full, "[\"full\"]");
        read_chain_of(&recent, "[{\"recent\":{\"budget\":4}}]");
        struct kv_cache *own = new_cache(&full), *c = new_cache(&recent);
        kv_cache_trace(own, lose, &x);
        struct layer_sums *sums = layer_sums_new(t.full, c);
        feed_watched(&t, own, ids, read);
        feed_watched(&t, c, ids, read);
        layer_sums_put(sums, c, got);
        assert_int_equal(x.steps, (int)t.ids.n - t.first);
        for (int l = 0; l < model_shape(m)->n_layers; l++) {
            assert_true(fabs(got[l].mass_lost - x.lost[l] / x.steps) < 1e-5);
            assert_true(got[l].mass_lost > 0.01);
            assert_true(got[l].key_error == 0 && got[l].value_error == 0);
        }
        layer_sums_free(sums);
        kv_cache_free(own), kv_cache_free(c);
        kv_chain_release(&full), kv_chain_release(&recent);
        teacher_release(&t), teacher_release(&bare);
    }
}

/* ---- the answer ---- */

static void answers_that_nothing_can_be_said_of(void **state)
{
    (void)state;
    struct teacher t;
    struct err e;
    struct taught_prompt whole = {.full = true};
    assert_int_equal(teacher_open(&t, JUDGE_KL, m, text_of(""), 9, whole, &e), -1);
    assert_int_equal(e.class, ERR_ITEM);
    teacher_release(&t);
    assert_int_equal(teacher_open(&t, JUDGE_KL, m, text_of("goat"), 1, whole, &e), -1);
    assert_non_null(strstr(e.msg, "compress_at context"));
    teacher_release(&t);
    whole.full = false;
    assert_int_equal(teacher_open(&t, JUDGE_KL, m, text_of("goat"), 1, whole, &e), 0);
    assert_int_equal(t.ids.n, 1);
    teacher_release(&t);
}

/* Behind a newline there is no space before the first word. */
static void answers_go_on_where_a_line_has_ended(void **state)
{
    (void)state;
    for (int line = 0; line < 2; line++) {
        struct teacher t;
        struct err e;
        struct buf text;
        struct tokens all;
        struct taught_prompt p = {.ends_line = line};
        buf_init(&text);
        tokens_init(&all);
        assert_int_equal(teacher_open(&t, JUDGE_NLL, m, text_of("    return goat"), 30, p, &e), 0);
        tokens_add(&all, tokenizer_bos(model_get_tokenizer(m)));
        assert_int_equal(
            tokenizer_encode(model_get_tokenizer(m), text_of(line ? "x\n" : "x"), false, &all, &e),
            0);
        for (size_t i = 0; i < t.ids.n; i++)
            tokens_add(&all, t.ids.v[i]);
        assert_int_equal(tokenizer_decode(model_get_tokenizer(m), all.v, all.n, &text, &e), 0);
        assert_string_equal(text.s, line ? "x\n    return goat" : "x     return goat");
        assert_int_equal(t.ids.v[t.ids.n - 1], model_get_config(m)->eos[0]);
        teacher_release(&t);
        tokens_release(&all);
        buf_release(&text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_their_definitions),
        cmocka_unit_test(extreme_logits_are_finite),
        cmocka_unit_test(of_equal_logits_the_first_counts),
        cmocka_unit_test(tokens_are_expected_as_by_a_prefill),
        cmocka_unit_test(the_full_cache_agrees_with_itself),
        cmocka_unit_test(layers_are_of_the_tokens_that_count),
        cmocka_unit_test(answers_that_nothing_can_be_said_of),
        cmocka_unit_test(answers_go_on_where_a_line_has_ended)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
