#include "metrics/lcs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

enum { WORD = 64 };

static void set_bit(uint64_t *v, size_t i)
{
    v[i / WORD] |= (uint64_t)1 << i % WORD;
}

/* Counts into start[id + 1], sums, places; live is made on the way. */
static void group_positions(struct lcs_index *ix, const uint32_t *y)
{
    for (size_t j = 0; j < ix->n; j++)
        if (y[j] != LCS_GAP) {
            ix->start[y[j] + 1]++;
            set_bit(ix->live, j);
        }
    for (size_t x = 0; x < ix->n_ids; x++)
        ix->start[x + 1] += ix->start[x];
    size_t *at = xmalloc(mem_size(ix->n_ids + 1, sizeof *at));
    memcpy(at, ix->start, ix->n_ids * sizeof *at);
    for (size_t j = 0; j < ix->n; j++)
        if (y[j] != LCS_GAP)
            ix->position[at[y[j]]++] = j;
    free(at);
}

static void put_positions(const struct lcs_index *ix, size_t id, uint64_t *v)
{
    for (size_t p = ix->start[id]; p < ix->start[id + 1]; p++)
        set_bit(v, ix->position[p]);
}

/* Elements that are more frequent than a vector is long have theirs ready: at most 64. */
static void make_dense(struct lcs_index *ix)
{
    size_t count = 0;
    for (size_t x = 0; x < ix->n_ids; x++) {
        bool dense = ix->start[x + 1] - ix->start[x] > ix->words;
        ix->dense_of[x] = dense ? count++ : SIZE_MAX;
    }
    ix->dense = xcalloc(count + 1, mem_size(ix->words, sizeof *ix->dense));
    for (size_t x = 0; x < ix->n_ids; x++)
        if (ix->dense_of[x] != SIZE_MAX)
            put_positions(ix, x, ix->dense + ix->dense_of[x] * ix->words);
}

void lcs_index_init(struct lcs_index *ix, const uint32_t *y, size_t n, size_t n_ids)
{
    *ix = (struct lcs_index){.n = n, .words = n / WORD + 1, .made_for = SIZE_MAX, .n_ids = n_ids};
    ix->live = xcalloc(ix->words, sizeof *ix->live);
    ix->made = xcalloc(ix->words, sizeof *ix->made);
    ix->start = xcalloc(n_ids + 1, sizeof *ix->start);
    ix->position = xmalloc(mem_size(n + 1, sizeof *ix->position));
    ix->dense_of = xmalloc(mem_size(n_ids + 1, sizeof *ix->dense_of));
    group_positions(ix, y);
    make_dense(ix);
}

void lcs_index_release(struct lcs_index *ix)
{
    free(ix->live);
    free(ix->made);
    free(ix->start);
    free(ix->position);
    free(ix->dense_of);
    free(ix->dense);
    *ix = (struct lcs_index){0};
}

/* Where id is in y, as a vector. */
static const uint64_t *matches(struct lcs_index *ix, uint32_t id)
{
    if (ix->dense_of[id] != SIZE_MAX)
        return ix->dense + ix->dense_of[id] * ix->words;
    if (ix->made_for != id) {
        if (ix->made_for != SIZE_MAX)
            for (size_t p = ix->start[ix->made_for]; p < ix->start[ix->made_for + 1]; p++)
                ix->made[ix->position[p] / WORD] = 0;
        put_positions(ix, id, ix->made);
        ix->made_for = id;
    }
    return ix->made;
}

void lcs_next_row(struct lcs_index *ix, uint32_t id, const uint64_t *row, uint64_t *next)
{
    if (ix->start[id] == ix->start[id + 1]) {
        memcpy(next, row, ix->words * sizeof *next);
        return;
    }
    const uint64_t *m = matches(ix, id);
    uint64_t carry = 0;
    for (size_t w = 0; w < ix->words; w++) {
        uint64_t v = row[w], u = v & m[w], sum = v + u, with = sum + carry;
        carry = (sum < v) | (with < sum);
        /* A carry that runs into a gap ends there: its bit was clear and is cleared again. */
        next[w] = (with | (v & ~m[w])) & ix->live[w];
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The distinct numbers of y, ascending; the caller frees. */
static uint32_t *distinct_new(const uint32_t *y, size_t n, size_t *n_distinct)
{
    uint32_t *all = xmalloc(mem_size(n + 1, sizeof *all));
    size_t kept = 0;
    memcpy(all, y, n * sizeof *all);
    qsort(all, n, sizeof *all, by_value);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || all[i] != all[kept - 1])
            all[kept++] = all[i];
    *n_distinct = kept;
    return all;
}

/* Numbers from 0 in place of values; LCS_GAP for what is not in the list. The caller frees. */
static uint32_t *ranks_new(const uint32_t *x, size_t n, const uint32_t *list, size_t n_list)
{
    uint32_t *rank = xmalloc(mem_size(n + 1, sizeof *rank));
    for (size_t i = 0; i < n; i++) {
        const uint32_t *at = bsearch(&x[i], list, n_list, sizeof *list, by_value);
        rank[i] = at ? (uint32_t)(at - list) : LCS_GAP;
    }
    return rank;
}

static size_t clear_bits(const struct lcs_index *ix, const uint64_t *row)
{
    size_t n = 0;
    for (size_t w = 0; w < ix->words; w++)
        for (uint64_t bits = ix->live[w] & ~row[w]; bits; bits &= bits - 1)
            n++;
    return n;
}

size_t lcs_length(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    size_t n_ids;
    struct lcs_index ix;
    if (!nx || !ny)
        return 0;
    uint32_t *list = distinct_new(y, ny, &n_ids);
    uint32_t *a = ranks_new(x, nx, list, n_ids), *b = ranks_new(y, ny, list, n_ids);
    lcs_index_init(&ix, b, ny, n_ids);
    uint64_t *row = xmalloc(mem_size(2 * ix.words, sizeof *row)), *next = row + ix.words;
    uint64_t *block = row;
    memcpy(row, ix.live, ix.words * sizeof *row);
    for (size_t i = 0; i < nx; i++) {
        if (a[i] == LCS_GAP)
            continue;
        lcs_next_row(&ix, a[i], row, next);
        uint64_t *swap = row;
        row = next, next = swap;
    }
    size_t length = clear_bits(&ix, row);
    free(block);
    lcs_index_release(&ix);
    free(list);
    free(a);
    free(b);
    return length;
}
