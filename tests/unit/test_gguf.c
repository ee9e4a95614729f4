/* Made-up weights, and the GGUF file of them read back by the format's description. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "harness/base/mem.h"
#include "harness/model/gguf.h"
#include "tests/unit/scratch.h"

enum { HEADS = 4, KV_HEADS = 2, HEAD_DIM = 8, HIDDEN = 32, MLP = 96, VOCAB = 40, LAYERS = 2 };

static struct model_config small(bool tied)
{
    return (struct model_config){.n_layers = LAYERS,
                                 .hidden = HIDDEN,
                                 .mlp = MLP,
                                 .n_heads = HEADS,
                                 .n_kv_heads = KV_HEADS,
                                 .head_dim = HEAD_DIM,
                                 .vocab = VOCAB,
                                 .max_positions = 77,
                                 .rms_eps = 1e-5,
                                 .rope_theta = 10000,
                                 .rope_factor = 1,
                                 .tied_head = tied};
}

static struct weights *made(const struct model_config *c, enum dtype format, int threads)
{
    struct pool *pool = pool_new(threads);
    struct weights *w = weights_random(c, 9, format, pool);
    pool_free(pool);
    return w;
}

/* ---- a reader of just these files ---- */

struct reader {
    struct text file;
    size_t at;
    size_t data; // where tensors begin
    uint64_t n_tensors, n_values;
    size_t infos; // where the list of tensors begins
};

struct info {
    char name[64];
    uint64_t sizes[2], offset;
    uint32_t n_dims, type;
};

static void take(struct reader *r, void *out, size_t n)
{
    assert_true(r->at + n <= r->file.n);
    memcpy(out, r->file.s + r->at, n);
    r->at += n;
}

static uint32_t take_u32(struct reader *r)
{
    uint32_t x;
    take(r, &x, sizeof x);
    return x;
}

static uint64_t take_u64(struct reader *r)
{
    uint64_t x;
    take(r, &x, sizeof x);
    return x;
}

static void take_string(struct reader *r, char out[64])
{
    uint64_t n = take_u64(r);
    assert_true(n < 64);
    take(r, out, n);
    out[n] = 0;
}

static struct info take_info(struct reader *r)
{
    struct info t = {.sizes = {1, 1}};
    take_string(r, t.name);
    t.n_dims = take_u32(r);
    assert_in_range(t.n_dims, 1, 2);
    for (uint32_t i = 0; i < t.n_dims; i++)
        t.sizes[i] = take_u64(r);
    t.type = take_u32(r);
    t.offset = take_u64(r);
    return t;
}

/* The value of a key as a number or a text; all keys are walked. */
static void check_values(struct reader *r)
{
    char key[64], text[64];
    int seen = 0;
    for (uint64_t i = 0; i < r->n_values; i++) {
        take_string(r, key);
        uint32_t type = take_u32(r), number = 0;
        if (type == 8)
            take_string(r, text);
        else
            number = take_u32(r);
        if (!strcmp(key, "general.architecture"))
            seen += type == 8 && !strcmp(text, "llama");
        if (!strcmp(key, "tokenizer.ggml.model"))
            seen += type == 8 && !strcmp(text, "no_vocab");
        if (!strcmp(key, "llama.context_length"))
            seen += type == 4 && number == 77;
        if (!strcmp(key, "llama.attention.head_count_kv"))
            seen += type == 4 && number == KV_HEADS;
        if (!strcmp(key, "llama.rope.freq_base"))
            seen += type == 6 && number == 0x461C4000; // 10000.0f
        if (!strcmp(key, "general.alignment"))
            seen += type == 4 && number == 32;
    }
    assert_int_equal(seen, 6);
}

static void open_file(struct reader *r, const char *path)
{
    struct err e;
    *r = (struct reader){.at = 4};
    assert_int_equal(file_read(path, &r->file, &e), 0);
    assert_memory_equal(r->file.s, "GGUF", 4);
    assert_int_equal(take_u32(r), 3);
    r->n_tensors = take_u64(r);
    r->n_values = take_u64(r);
    check_values(r);
    r->infos = r->at;
    for (uint64_t i = 0; i < r->n_tensors; i++)
        take_info(r);
    r->data = (r->at + 31) / 32 * 32;
}

static struct info find(struct reader *r, const char *name)
{
    r->at = r->infos;
    for (uint64_t i = 0; i < r->n_tensors; i++) {
        struct info t = take_info(r);
        if (!strcmp(t.name, name))
            return t;
    }
    fail_msg("no tensor %s", name);
    return (struct info){0};
}

static const char *row_of(const struct reader *r, const struct info *t, size_t row_bytes, int row)
{
    size_t at = r->data + t->offset + row_bytes * (size_t)row;
    assert_true(at + row_bytes <= r->file.n);
    return r->file.s + at;
}

/* Each tensor begins on a multiple of 32 where the one before has ended; so does the file end. */
static void check_offsets(struct reader *r, const size_t element[31])
{
    size_t end = 0;
    r->at = r->infos;
    for (uint64_t i = 0; i < r->n_tensors; i++) {
        struct info t = take_info(r);
        assert_int_equal(t.offset, end);
        end += (t.sizes[0] * t.sizes[1] * element[t.type] + 31) / 32 * 32;
    }
    assert_int_equal(r->data + end, r->file.n);
}

/* ---- the tests ---- */

static void stored_matrices(void **state)
{
    (void)state;
    static const struct {
        enum dtype format;
        uint32_t type;
    } all[] = {{DT_F32, 0}, {DT_F16, 1}, {DT_BF16, 30}};
    static const size_t element[31] = {[0] = 4, [1] = 2, [30] = 2};
    struct model_config c = small(false);
    struct err e;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct weights *w = made(&c, all[i].format, 1);
        struct reader r;
        assert_int_equal(gguf_write("m.gguf", &c, w, GGUF_STORED, &e), 0);
        open_file(&r, "m.gguf");
        assert_int_equal(r.n_tensors, 9 * LAYERS + 3);
        check_offsets(&r, element);
        struct info t = find(&r, "blk.1.ffn_down.weight");
        assert_int_equal(t.type, all[i].type);
        assert_int_equal(t.sizes[0], MLP);
        assert_int_equal(t.sizes[1], HIDDEN);
        size_t bytes = MLP * dtype_size(all[i].format);
        assert_memory_equal(row_of(&r, &t, bytes, 0), w->layers[1].down.data, bytes * HIDDEN);
        t = find(&r, "output.weight");
        bytes = HIDDEN * dtype_size(all[i].format);
        assert_memory_equal(row_of(&r, &t, bytes, 0), w->head.data, bytes * VOCAB);
        t = find(&r, "blk.1.ffn_norm.weight");
        assert_int_equal(t.n_dims, 1);
        assert_int_equal(t.type, 0);
        assert_memory_equal(row_of(&r, &t, HIDDEN * 4, 0), w->layers[1].mlp_norm, HIDDEN * 4);
        free((char *)r.file.s);
        weights_close(w);
    }
}

static void heads_are_turned(void **state)
{
    (void)state;
    struct model_config c = small(true);
    struct weights *w = made(&c, DT_BF16, 1);
    struct reader r;
    struct err e;
    assert_int_equal(gguf_write("m.gguf", &c, w, GGUF_STORED, &e), 0);
    open_file(&r, "m.gguf");
    assert_int_equal(r.n_tensors, 9 * LAYERS + 2); // the head is the embedding
    const struct matrix *const both[] = {&w->layers[0].q, &w->layers[0].k};
    const char *const names[] = {"blk.0.attn_q.weight", "blk.0.attn_k.weight"};
    for (int m = 0; m < 2; m++) {
        struct info t = find(&r, names[m]);
        for (int h = 0; h < both[m]->rows / HEAD_DIM; h++)
            for (int i = 0; i < HEAD_DIM / 2; i++)
                for (int j = 0; j < 2; j++)
                    assert_memory_equal(row_of(&r, &t, HIDDEN * 2, h * HEAD_DIM + 2 * i + j),
                                        matrix_row(both[m], h * HEAD_DIM + j * HEAD_DIM / 2 + i),
                                        HIDDEN * 2);
    }
    struct info v = find(&r, "blk.0.attn_v.weight");
    assert_memory_equal(row_of(&r, &v, HIDDEN * 2, 1), matrix_row(&w->layers[0].v, 1), HIDDEN * 2);
    free((char *)r.file.s);
    weights_close(w);
}

static void blocks_of_bytes(void **state)
{
    (void)state;
    struct model_config c = small(true);
    struct weights *w = made(&c, DT_F32, 1);
    struct reader r;
    struct err e;
    assert_int_equal(gguf_write("m.gguf", &c, w, GGUF_Q8_0, &e), 0);
    open_file(&r, "m.gguf");
    struct info t = find(&r, "blk.0.ffn_down.weight");
    assert_int_equal(t.type, 8);
    for (int row = 0; row < HIDDEN; row++) {
        const float *x = matrix_row(&w->layers[0].down, row);
        const char *block = row_of(&r, &t, MLP / 32 * 34, row);
        for (int i = 0; i < MLP; i++) {
            uint16_t half;
            memcpy(&half, block + i / 32 * 34, 2);
            float scale = f16_to_f32(half);
            int8_t code;
            memcpy(&code, block + i / 32 * 34 + 2 + i % 32, 1);
            assert_true(scale > 0);
            /* Half a step, and what the rounded scale moves 127 steps. */
            assert_true(fabsf(x[i] - scale * (float)code) <= scale * 0.57f);
        }
    }
    free((char *)r.file.s);
    weights_close(w);
}

static void seed_alone_decides(void **state)
{
    (void)state;
    struct model_config c = small(false);
    struct weights *a = made(&c, DT_BF16, 1), *b = made(&c, DT_BF16, 3);
    double sum = 0, squares = 0;
    const struct matrix *m = &a->layers[0].gate;
    assert_memory_equal(m->data, b->layers[0].gate.data, (size_t)MLP * HIDDEN * 2);
    assert_memory_equal(a->head.data, b->head.data, (size_t)VOCAB * HIDDEN * 2);
    assert_memory_not_equal(m->data, a->layers[0].up.data, (size_t)MLP * HIDDEN * 2);
    for (int i = 0; i < MLP * HIDDEN; i++) {
        double x = bf16_to_f32(((const uint16_t *)m->data)[i]);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / (MLP * HIDDEN)) < 0.02);
    assert_true(fabs(squares / (MLP * HIDDEN) * HIDDEN - 1) < 0.1);
    weights_close(a);
    weights_close(b);
}

static void no_such_folder(void **state)
{
    (void)state;
    struct model_config c = small(true);
    struct weights *w = made(&c, DT_F32, 1);
    struct err e;
    assert_int_equal(gguf_write("nowhere/m.gguf", &c, w, GGUF_STORED, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_non_null(strstr(e.msg, "nowhere/m.gguf"));
    weights_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_matrices), cmocka_unit_test(heads_are_turned),
        cmocka_unit_test(blocks_of_bytes), cmocka_unit_test(seed_alone_decides),
        cmocka_unit_test(no_such_folder),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
