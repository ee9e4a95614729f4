/*
 * How the rows of one layer of one sequence are kept, and how attention reads them there.
 *
 * A codec packs rows into records of its own, computes products with them where they lie, and
 * counts what it holds, reads and writes. What it makes of a row is defined twice: round() and
 * compress() say it on f32 rows (the reference, kv_codec_reference), the store says it in bits, and
 * read() of the store gives exactly the rows of the reference. All sums run in the order of the
 * kernels over these rows, so both ways also give the same attention, bit for bit.
 *
 * No allocation after open(). Two KV heads may be read at the same time.
 */
#ifndef KVLAB_CODEC_H
#define KVLAB_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/err.h"
#include "harness/base/mem.h"
#include "harness/kv/ledger.h"
#include "harness/tensor/kernels.h"

/* Sizes that a cache shares with its model. */
struct kv_shape {
    int n_layers, n_heads, n_kv_heads, head_dim;
};

/* f32 rows of one layer. Row t of head h: k + (h * cap + t) * head_dim. */
struct kv_rows {
    int n, cap;
    float *k, *v; // [n_kv_heads][cap][head_dim]
};

/* How positions are turned into queries and keys: channel i and i + head_dim / 2 by position *
 * frequency[i]. */
struct kv_rope {
    const float *frequency; // [head_dim / 2]
};

/* A method at work in one slot (method.h) of one layer of one sequence. */
struct kv_part {
    const void *opt;       // the method's options
    struct kv_shape shape; // of the slot
    int layer;
    int head, kv_head; // the first of the slot's among the model's
    int cap;           // rows that may come
    const struct kernels *kernels;
    const struct kv_rope *rope;
    void *state;
    void *scratch; // scratch_size() bytes, lost between calls
    /* Where the codec may take the memory that it counts in bytes(), or NULL. */
    struct mem_arena *arena;
    /* The position in the sequence that each row came from, or NULL: see kv_cache_trace. */
    int *at; // [n_kv_heads][cap]
};

enum { KV_PIECES = 4 }; // that a codec may take of part->arena

/* One run of rows that a step reads. */
struct kv_range {
    int start, n;
};

/* Rows start, start + step, ...: n of them. */
struct kv_run {
    int start, step, n;
};

/* Room for top() of n rows for n_q queries, its contents lost. */
struct kv_top_room {
    float *scores; // [kv_top_scores(n_q, n)]
    int *index;    // [n]
};

static inline size_t kv_top_scores(int n_q, int n)
{
    size_t padded = ((size_t)n + 15) / 16 * 16;
    return (size_t)n_q * (padded + padded / 16) + padded;
}

struct kv_codec {
    /* Can these options be packed? ERR_USER. NULL: all can. */
    int (*check)(const void *opt, const struct kv_shape *shape, struct err *e);

    /* Memory for cap rows: how much, and taken, in at most KV_PIECES pieces. part is copied; what
     * it points to is borrowed. */
    size_t (*bytes)(const struct kv_part *part, int cap);
    /* What a row of a long prompt takes; NULL: as much as bytes() grows by. */
    double (*row_bytes)(const struct kv_part *part);
    void *(*open)(const struct kv_part *part, int cap);
    void (*close)(void *store);

    /* A new step: `rows` come, and rows before `due` become packed, of those that come too. Then
     * each KV head takes its own, before it is read and at the same time as others.
     * records: of the append hook for each row, or NULL. */
    void (*begin)(void *store, const struct kv_rows *rows, int due);
    void (*append)(void *store, int kv_head, const struct kv_rows *rows, const void *records);
    /* Instead of begin and append of a prompt: what `from` has of it, a store that was opened for
     * the same rows, if with another cap. NULL: each store packs for itself. */
    void (*copy)(void *store, const void *from);

    /* Where rows are kept in a basis of their own: x [n][head_dim], queries as top() and scores()
     * are to meet the rows, and sums of mix() back from there. read() has turned rows back. NULL:
     * rows lie as they came. After begin(), at the same time for several heads. */
    void (*enter)(const struct kv_part *part, float *x, int n);
    void (*leave)(const struct kv_part *part, float *x, int n);

    /* A hint that the head's turn comes soon: asks for what each step reads of it. May be NULL. */
    void (*expect)(const void *store, int kv_head);

    /* For n_q of the KV head's queries, q [n_q][head_dim]:
     * top     out[i * ld + j], j < k: the rows of the run with the largest q[i] . key, counted from
     *         its first, ascending; which they are is as topk_indices has it (ties, NaN)
     * scores  out[i * ld + j] = (q[i] . key j) / divisor, j over the rows of all ranges in turn
     * mix     out[i] += w[i * ld + j] * value j, in that order; out [n_q][head_dim] */
    void (*top)(void *store, int kv_head, const float *q, int n_q, struct kv_run run, int k,
                int *out, int ld, const struct kv_top_room *room);
    void (*scores)(void *store, int kv_head, const float *q, int n_q, const struct kv_range *ranges,
                   int n_ranges, float divisor, float *out, int ld);
    void (*mix)(void *store, int kv_head, const float *w, int ld, int n_q,
                const struct kv_range *ranges, int n_ranges, float *out);

    /* Rows from..from+n-1, none of them packed: row j becomes what row order[j] was. NULL: rows
     * stay where they are. */
    void (*permute)(void *store, int kv_head, int from, int n, const int *order);
    /* Row `row` goes from all heads, those behind it move up. NULL: single rows cannot be dropped.
     */
    void (*drop)(void *store, int row);
    /* Rows as floats [n][head_dim], for tests and
     * indexes; reads nothing in the sense of count(). */
    void (*read)(const void *store, int kv_head, int from, int n, float *k, float *v);
    void (*count)(const void *store, struct kv_ledger *out); // adds

    /* The reference: rows from `from` on as they are kept on arrival, and rows that became due.
     * NULL: nothing changes. */
    void (*round)(const struct kv_part *part, struct kv_rows *rows, int from);
    void (*compress)(const struct kv_part *part, struct kv_rows *rows, int from, int to);
};

/* The rows of one layer wherever they are. */
struct kv_layer {
    int n;
    const struct kv_codec *codec;
    void *store;
    int moved; // rows from here on came, or went to another place, since select() last looked
    /* Whose basis the rows are in, also where the store is the reference's. */
    const struct kv_codec *basis;
    const struct kv_part *part;
};

/* x [n][head_dim] as codec->top() is to meet it. */
static inline void kv_layer_enter(const struct kv_layer *l, float *x, int n)
{
    if (l->basis->enter)
        l->basis->enter(l->part, x, n);
}

/* Rows as they come, in f32 and in f16. */
extern const struct kv_codec kv_codec_f32, kv_codec_f16;

/* A store of f32 rows that does to them what another codec defines. */
extern const struct kv_codec kv_codec_reference;
void *kv_reference_open(const struct kv_part *part, int cap, const struct kv_codec *as);
/* Its rows, or those of kv_codec_f32. */
const struct kv_rows *kv_reference_rows(const void *store);

#endif
