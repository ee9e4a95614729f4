/* compute: bf16. How far it moves logits, and that results of before keep their identity. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/mem.h"
#include "harness/model/model.h"
#include "harness/tensor/gemm_bf16.h"
#include "runner/bench_setup.h"
#include "runner/command.h"
#include "runner/protocol.h"

static const char prompt[] =
    "The harbour of the town was built in the year that the bridge fell. The key of the north "
    "gate is kept by the miller, and the key of the south gate by the clerk. When the ships come "
    "in, the bell is rung twice; when they leave it is rung once. Question: who keeps the key of "
    "the south gate? Answer:";

static const char before[] =
    "{\"options\":{\"preset\":\"longbench\",\"max_prompt_tokens\":100,\"truncation\":\"middle\","
    "\"chat\":\"task\",\"bos\":true,\"newline_stop\":true,\"first_may_stop\":true,"
    "\"max_new_tokens\":0,\"path\":\"fast\"},\"wrapper\":\"none\"}";

static bool can(void)
{
    struct err e;
    if (!gemm_bf16_check(&e))
        return true;
    print_message("%s\n", e.msg);
    skip();
    return false;
}

static void an_option_left_out_changes_no_identity(void **state)
{
    struct model_spec spec = {.max_prompt_longbench = 100, .chat = CHAT_NONE};
    struct protocol p;
    struct err e;
    struct buf text;
    (void)state;
    assert_int_equal(protocol_read(&p, NULL, &spec, "test", &e), 0);
    buf_init(&text);
    protocol_canonical(&p, &spec, &text);
    assert_string_equal(text.s, before);
    buf_reset(&text);
    p.compute = COMPUTE_BF16;
    protocol_canonical(&p, &spec, &text);
    assert_non_null(strstr(text.s, ",\"compute\":\"bf16\"}"));
    buf_release(&text);
}

static struct model *open_mini(const struct model_options *o, struct err *e)
{
    char *dir = command_path_dup("configs/models/mini");
    struct model *m = model_open(dir, o, e);
    free(dir);
    return m;
}

/* Logits [vocab] behind the prompt. */
static float *logits_new(int compute, int threads, int *vocab)
{
    struct model_options o = {.threads = threads, .compute = compute};
    struct kv_chain chain;
    struct tokens ids;
    struct err e;
    struct model *m = open_mini(&o, &e);
    assert_non_null(m);
    assert_int_equal(bench_open_chain(&chain, &(struct bench_setting){"", "[\"full\"]"}, &e), 0);
    tokens_init(&ids);
    assert_int_equal(tokenizer_encode(model_get_tokenizer(m), text_of(prompt), true, &ids, &e), 0);
    *vocab = model_get_config(m)->vocab;
    float *logits = xcalloc((size_t)*vocab, sizeof *logits);
    kv_cache_free(model_read(m, &chain, ids.v, (int)ids.n, (int)ids.n + 1, logits));
    tokens_release(&ids);
    kv_chain_release(&chain);
    model_close(m);
    return logits;
}

/* Standard deviation of a - b over n numbers; b NULL: of a. */
static double spread(const float *a, const float *b, int n)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        double x = (double)a[i] - (b ? b[i] : 0);
        sum += x;
        squares += x * x;
    }
    return sqrt(squares / n - sum / n * (sum / n));
}

static void logits_stay_near(void **state)
{
    int n;
    (void)state;
    if (!can())
        return;
    float *f32 = logits_new(COMPUTE_F32, 1, &n), *bf16 = logits_new(COMPUTE_BF16, 1, &n);
    float *again = logits_new(COMPUTE_BF16, 2, &n);
    double off = spread(bf16, f32, n) / spread(f32, NULL, n);
    print_message("bf16: logits off by %.5f of their spread\n", off);
    assert_memory_equal(bf16, again, (size_t)n * sizeof *bf16); // whatever the threads
    assert_true(off > 0 && off < 0.02);
    free(f32), free(bf16), free(again);
}

static void paths_that_contradict_are_refused(void **state)
{
    struct model_options o = {.threads = 1, .compute = COMPUTE_BF16, .reference = true};
    struct err e;
    (void)state;
    assert_null(open_mini(&o, &e));
    assert_non_null(strstr(e.msg, "compute 'bf16'"));
}

/* Rows of x do not depend on each other; weights of every format are rounded alike. */
static void formats_and_cuts_agree(void **state)
{
    enum { ROWS = 300, COLS = 96, TOKENS = 150 };
    static float wide[ROWS * COLS], x[TOKENS * COLS], out[3][TOKENS * ROWS];
    static uint16_t half[ROWS * COLS];
    const struct matrix stored = {half, DT_BF16, ROWS, COLS, NULL};
    const struct matrix floats = {wide, DT_F32, ROWS, COLS, NULL};
    struct gemm g;
    (void)state;
    if (!can())
        return;
    for (int i = 0; i < ROWS * COLS; i++)
        half[i] = bf16_from_f32(wide[i] = sinf((float)i * 0.7f));
    for (int i = 0; i < TOKENS * COLS; i++)
        x[i] = bf16_to_f32(bf16_from_f32(cosf((float)i * 0.3f)));
    struct pool *pool = pool_new(2);
    gemm_init(&g, pool, kernels_best(), false, COLS);
    gemm_use(&g, COMPUTE_BF16, TOKENS);
    gemm_weights(&g, &(struct product){out[0], &stored}, 1, x, TOKENS);
    gemm_weights(&g, &(struct product){out[1], &floats}, 1, x, TOKENS);
    gemm_weights(&g, &(struct product){out[2], &stored}, 1, x + 140 * COLS, 10);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(out[0] + 140 * ROWS, out[2], 10 * ROWS * sizeof(float));
    for (int i = 0; i < TOKENS; i++)
        for (int j = 0; j < ROWS; j++) {
            double sum = 0;
            for (int l = 0; l < COLS; l++)
                sum += (double)x[i * COLS + l] * bf16_to_f32(half[j * COLS + l]);
            assert_true(fabs(sum - out[0][i * ROWS + j]) < 1e-4);
        }
    gemm_release(&g);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_left_out_changes_no_identity),
        cmocka_unit_test(logits_stay_near),
        cmocka_unit_test(paths_that_contradict_are_refused),
        cmocka_unit_test(formats_and_cuts_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
