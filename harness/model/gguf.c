#include "harness/model/gguf.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* Numbers of the format's description. Everything is little-endian, as x86 is. */
enum { VERSION = 3, ALIGNMENT = 32, NAME_MAX_BYTES = 64 };
enum { VALUE_U32 = 4, VALUE_F32 = 6, VALUE_STRING = 8 };
enum { TYPE_F32 = 0, TYPE_F16 = 1, TYPE_Q8_0 = 8, TYPE_BF16 = 30 };
enum { Q8_BLOCK = 32, Q8_BYTES = 2 + Q8_BLOCK };

struct entry {
    char name[NAME_MAX_BYTES];
    const float *norm; // one row of f32, or
    struct matrix m;   // a matrix
    int turned;        // rows of a head whose order changes, 0: none
    uint32_t type;
    size_t row_bytes, bytes;
};

struct writer {
    const struct model_config *c;
    enum gguf_format format;
    struct entry *entries;
    size_t n;
    struct buf head;
    uint32_t n_values;
};

/* ---- the list of tensors ---- */

static uint32_t type_of(const struct writer *w, const struct matrix *m)
{
    if (w->format == GGUF_Q8_0 && m->cols % Q8_BLOCK == 0)
        return TYPE_Q8_0;
    return m->dtype == DT_F32 ? TYPE_F32 : m->dtype == DT_F16 ? TYPE_F16 : TYPE_BF16;
}

static struct entry *add_entry(struct writer *w, int layer, const char *name)
{
    struct entry *t = &w->entries[w->n++];
    if (layer < 0)
        snprintf(t->name, sizeof t->name, "%s.weight", name);
    else
        snprintf(t->name, sizeof t->name, "blk.%d.%s.weight", layer, name);
    return t;
}

static void add_norm(struct writer *w, int layer, const char *name, const float *norm)
{
    struct entry *t = add_entry(w, layer, name);
    t->norm = norm;
    t->type = TYPE_F32;
    t->m = (struct matrix){.data = norm, .dtype = DT_F32, .rows = 1, .cols = w->c->hidden};
    t->row_bytes = t->bytes = (size_t)w->c->hidden * sizeof *norm;
}

static void add_matrix(struct writer *w, int layer, const char *name, const struct matrix *m,
                       int turned)
{
    struct entry *t = add_entry(w, layer, name);
    t->m = *m;
    t->turned = turned;
    t->type = type_of(w, m);
    t->row_bytes = t->type == TYPE_Q8_0 ? (size_t)m->cols / Q8_BLOCK * Q8_BYTES
                                        : (size_t)m->cols * dtype_size(m->dtype);
    t->bytes = t->row_bytes * (size_t)m->rows;
}

static void list_tensors(struct writer *w, const struct weights *x)
{
    int d = w->c->head_dim;
    add_matrix(w, -1, "token_embd", &x->embed, 0);
    for (int i = 0; i < x->n_layers; i++) {
        const struct layer_weights *l = &x->layers[i];
        add_norm(w, i, "attn_norm", l->attn_norm);
        add_matrix(w, i, "attn_q", &l->q, d);
        add_matrix(w, i, "attn_k", &l->k, d);
        add_matrix(w, i, "attn_v", &l->v, 0);
        add_matrix(w, i, "attn_output", &l->o, 0);
        add_norm(w, i, "ffn_norm", l->mlp_norm);
        add_matrix(w, i, "ffn_gate", &l->gate, 0);
        add_matrix(w, i, "ffn_up", &l->up, 0);
        add_matrix(w, i, "ffn_down", &l->down, 0);
    }
    add_norm(w, -1, "output_norm", x->final_norm);
    if (!w->c->tied_head) // else the embedding is used for both
        add_matrix(w, -1, "output", &x->head, 0);
}

/* ---- the head of the file ---- */

static void put_u32(struct writer *w, uint32_t x)
{
    buf_add(&w->head, &x, sizeof x);
}

static void put_u64(struct writer *w, uint64_t x)
{
    buf_add(&w->head, &x, sizeof x);
}

static void put_string(struct writer *w, const char *s)
{
    put_u64(w, strlen(s));
    buf_str(&w->head, s);
}

static void put_key(struct writer *w, const char *key, uint32_t type)
{
    put_string(w, key);
    put_u32(w, type);
    w->n_values++;
}

static void put_text(struct writer *w, const char *key, const char *value)
{
    put_key(w, key, VALUE_STRING);
    put_string(w, value);
}

static void put_int(struct writer *w, const char *key, int value)
{
    put_key(w, key, VALUE_U32);
    put_u32(w, (uint32_t)value);
}

static void put_float(struct writer *w, const char *key, double value)
{
    float x = (float)value;
    put_key(w, key, VALUE_F32);
    buf_add(&w->head, &x, sizeof x);
}

static void put_values(struct writer *w)
{
    const struct model_config *c = w->c;
    put_text(w, "general.architecture", "llama");
    put_text(w, "general.name", "kvlab");
    put_int(w, "general.alignment", ALIGNMENT);
    put_text(w, "tokenizer.ggml.model", "no_vocab");
    put_int(w, "llama.vocab_size", c->vocab);
    put_int(w, "llama.context_length", c->max_positions);
    put_int(w, "llama.embedding_length", c->hidden);
    put_int(w, "llama.block_count", c->n_layers);
    put_int(w, "llama.feed_forward_length", c->mlp);
    put_int(w, "llama.attention.head_count", c->n_heads);
    put_int(w, "llama.attention.head_count_kv", c->n_kv_heads);
    put_int(w, "llama.attention.key_length", c->head_dim);
    put_int(w, "llama.attention.value_length", c->head_dim);
    put_int(w, "llama.rope.dimension_count", c->head_dim);
    put_float(w, "llama.attention.layer_norm_rms_epsilon", c->rms_eps);
    put_float(w, "llama.rope.freq_base", c->rope_theta);
    if (c->rope_factor != 1) {
        put_text(w, "llama.rope.scaling.type", "linear");
        put_float(w, "llama.rope.scaling.factor", c->rope_factor);
    }
}

static void pad(struct buf *b)
{
    while (b->n % ALIGNMENT)
        buf_char(b, 0);
}

static size_t padded(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Sizes with the row's length first; a vector has one. */
static void put_infos(struct writer *w)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct entry *t = &w->entries[i];
        put_string(w, t->name);
        put_u32(w, t->norm ? 1 : 2);
        put_u64(w, (uint64_t)t->m.cols);
        if (!t->norm)
            put_u64(w, (uint64_t)t->m.rows);
        put_u32(w, t->type);
        put_u64(w, offset);
        offset += padded(t->bytes);
    }
}

static void put_head(struct writer *w)
{
    buf_str(&w->head, "GGUF");
    put_u32(w, VERSION);
    put_u64(w, w->n);
    size_t count_at = w->head.n;
    put_u64(w, 0);
    put_values(w);
    uint64_t n = w->n_values;
    memcpy(w->head.s + count_at, &n, sizeof n);
    put_infos(w);
    pad(&w->head);
}

/* ---- the tensors ---- */

static void widen_row(float *out, const struct matrix *m, int row)
{
    const void *in = matrix_row(m, row);
    for (int i = 0; i < m->cols; i++)
        out[i] = m->dtype == DT_F32   ? ((const float *)in)[i]
                 : m->dtype == DT_F16 ? f16_to_f32(((const uint16_t *)in)[i])
                                      : bf16_to_f32(((const uint16_t *)in)[i]);
}

/* The scale is the largest magnitude over 127, rounded to f16 after the numbers are divided. */
static void put_q8_block(struct buf *out, const float *x)
{
    float most = 0;
    for (int i = 0; i < Q8_BLOCK; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    float scale = most / 127, inverse = scale > 0 ? 1 / scale : 0;
    uint16_t half = f16_from_f32(scale);
    buf_add(out, &half, sizeof half);
    for (int i = 0; i < Q8_BLOCK; i++)
        buf_char(out, (char)(int)roundf(x[i] * inverse));
}

static void put_row(struct buf *out, const struct entry *t, int row, float *wide)
{
    if (t->type != TYPE_Q8_0) {
        buf_add(out, matrix_row(&t->m, row), t->row_bytes);
        return;
    }
    widen_row(wide, &t->m, row);
    for (int i = 0; i < t->m.cols; i += Q8_BLOCK)
        put_q8_block(out, wide + i);
}

/* Which row of the checkpoint's matrix is written as number `row`. */
static int source_row(const struct entry *t, int row)
{
    if (!t->turned)
        return row;
    int in_head = row % t->turned;
    return row - in_head + in_head % 2 * (t->turned / 2) + in_head / 2;
}

static int write_buf(FILE *f, struct buf *b)
{
    bool ok = fwrite(b->s, 1, b->n, f) == b->n;
    buf_reset(b);
    return ok ? 0 : -1;
}

static int write_tensor(FILE *f, const struct entry *t, struct buf *b, float *wide)
{
    enum { FLUSH = 1 << 20 };
    for (int row = 0; row < t->m.rows; row++) {
        put_row(b, t, source_row(t, row), wide);
        if (b->n >= FLUSH && b->n % ALIGNMENT == 0 && write_buf(f, b))
            return -1;
    }
    pad(b); // what was written before is a multiple of it
    return write_buf(f, b);
}

static int write_all(FILE *f, struct writer *w)
{
    struct buf b;
    int rc = write_buf(f, &w->head), widest = w->c->hidden > w->c->mlp ? w->c->hidden : w->c->mlp;
    widest = w->c->n_heads * w->c->head_dim > widest ? w->c->n_heads * w->c->head_dim : widest;
    float *wide = xmalloc(mem_size((size_t)widest, sizeof *wide));
    buf_init(&b);
    for (size_t i = 0; !rc && i < w->n; i++)
        rc = write_tensor(f, &w->entries[i], &b, wide);
    buf_release(&b);
    free(wide);
    return rc;
}

int gguf_write(const char *path, const struct model_config *c, const struct weights *w,
               enum gguf_format format, struct err *e)
{
    struct writer x = {.c = c, .format = format};
    FILE *f = fopen(path, "wb");
    if (!f)
        return err_user(e, "%s: %s", path, strerror(errno));
    x.entries = xcalloc((size_t)c->n_layers * 9 + 3, sizeof *x.entries);
    buf_init(&x.head);
    list_tensors(&x, w);
    put_head(&x);
    int rc = write_all(f, &x), why = errno;
    if (fclose(f) && !rc) {
        rc = -1;
        why = errno;
    }
    buf_release(&x.head);
    free(x.entries);
    if (!rc)
        return 0;
    remove(path);
    return err_system(e, "%s: %s", path, strerror(why));
}
