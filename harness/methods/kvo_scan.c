#include "harness/methods/kvo_scan.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/methods/int8_record.h"
#include "harness/tensor/topk.h"

enum { WHOLE_MAX = 16383 }; // of a query's whole numbers: two digits of 7 bits and a sign

/* ---- tiles ---- */

size_t kvo_scan_bytes(int d, const struct kvo_quant *quant, int n)
{
    size_t tiles = ((size_t)n + TILE_ROWS - 1) / TILE_ROWS;
    return mem_size(tiles * TILE_ROWS, int8_record_size(d, quant)) + PACKED_SLACK;
}

void kvo_scan_init(struct kvo_scan *s, int d, const struct kvo_quant *quant, int n_q, uint8_t *data)
{
    size_t width = (size_t)d, groups = width / (size_t)quant->group, count = (size_t)n_q;
    *s = (struct kvo_scan){.quant = *quant, .record = int8_record_size(d, quant)};
    s->unit = quant->group % 4 ? d : 4;
    s->data = data;
    s->tiles = (struct int8_tiles){s->data, d, quant->group, kvo_lowest(8, quant->symmetric),
                                   !quant->half_pairs};
    s->records = mem_aligned(TILE_ROWS * s->record + PACKED_SLACK);
    s->queries = xcalloc(count, sizeof *s->queries);
    s->bounds = xcalloc(count, sizeof *s->bounds);
    s->numbers = mem_aligned(mem_size(count, 4 * width));
    s->sums = mem_aligned(mem_size(count, groups * sizeof *s->sums));
    for (size_t i = 0; i < count; i++) {
        int8_t *at = s->numbers + i * 4 * width;
        s->queries[i] = (struct int8_query){0, (int16_t *)(void *)at, at + 2 * width,
                                            at + 3 * width, s->sums + i * groups};
    }
}

void kvo_scan_release(struct kvo_scan *s)
{
    free(s->records);
    free(s->queries);
    free(s->bounds);
    free(s->numbers);
    free(s->sums);
}

static float number_at(const uint8_t *p, bool half)
{
    float x;
    uint16_t h;
    if (!half) {
        memcpy(&x, p, sizeof x);
        return x;
    }
    memcpy(&h, p, sizeof h);
    return f16_to_f32(h);
}

/* Of a record: group * (|zero| + 255 |scale|), which is at least the sum of its group's |key|. */
static double magnitude(const struct kvo_scan *s, const uint8_t *record)
{
    bool half = s->quant.half_pairs;
    size_t size = half ? sizeof(uint16_t) : sizeof(float);
    double sum = 0;
    for (const uint8_t *p = record + s->tiles.d; p < record + s->record; p += 2 * size)
        sum += fabs((double)number_at(p + size, half)) + 255 * fabs((double)number_at(p, half));
    return sum * s->quant.group;
}

static uint8_t *tile_of(const struct kvo_scan *s, int i)
{
    return s->data + (size_t)(i / TILE_ROWS) * TILE_ROWS * s->record;
}

void kvo_scan_put(struct kvo_scan *s, int i, const uint8_t *record)
{
    uint8_t *tile = tile_of(s, i);
    size_t row = (size_t)(i % TILE_ROWS), unit = (size_t)s->unit, d = (size_t)s->tiles.d;
    size_t number = s->quant.half_pairs ? sizeof(uint16_t) : sizeof(float);
    double most = magnitude(s, record);
    if (row == 0)
        memset(tile, 0, TILE_ROWS * s->record);
    for (size_t l = 0; l < d; l += unit)
        memcpy(tile + TILE_ROWS * l + row * unit, record + l, unit);
    for (size_t at = d; at < s->record; at += number)
        memcpy(tile + TILE_ROWS * at + row * number, record + at, number);
    s->most = most <= s->most ? s->most : most < INFINITY ? most : INFINITY;
}

void kvo_scan_copy(struct kvo_scan *to, const struct kvo_scan *from, int n)
{
    size_t tiles = ((size_t)n + TILE_ROWS - 1) / TILE_ROWS;
    assert(to->record == from->record);
    memcpy(to->data, from->data, tiles * TILE_ROWS * from->record);
    to->most = from->most;
}

/* n units of `size` bytes that lie `TILE_ROWS` units apart. */
static inline void gather(uint8_t *to, const uint8_t *from, size_t n, const size_t size)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * size, from + i * TILE_ROWS * size, size);
}

static void get(const struct kvo_scan *s, uint8_t *to, int i)
{
    const uint8_t *tile = tile_of(s, i);
    size_t row = (size_t)(i % TILE_ROWS), d = (size_t)s->tiles.d;
    const uint8_t *pairs = tile + TILE_ROWS * d;
    if (s->unit == 4)
        gather(to, tile + row * 4, d / 4, 4);
    else
        memcpy(to, tile + row * d, d);
    if (s->quant.half_pairs)
        gather(to + d, pairs + row * 2, (s->record - d) / 2, 2);
    else
        gather(to + d, pairs + row * 4, (s->record - d) / 4, 4);
}

void kvo_scan_key(const struct kvo_scan *s, const struct kernels *kn, int i, float *out)
{
    struct int8_rows row = int8_record_rows(s->records, s->record, s->tiles.d, &s->quant);
    if (s->unit == 4) {
        struct int8_tiles tile = s->tiles;
        tile.data = tile_of(s, i);
        kn->widen_tile(out, &tile, i % TILE_ROWS);
        return;
    }
    get(s, s->records, i);
    kn->widen_int8(out, &row, 1);
}

/* ---- float scores ---- */

/* Of keys index[0..n-1], or of the first n. */
static void scores_of(const struct kvo_scan *s, const struct kernels *kn, const float *q,
                      const int *index, int n, float *out)
{
    struct int8_rows rows = int8_record_rows(s->records, s->record, s->tiles.d, &s->quant);
    for (int i = 0; i < n; i += TILE_ROWS) {
        int m = n - i < TILE_ROWS ? n - i : TILE_ROWS;
        for (int j = 0; j < m; j++)
            get(s, s->records + (size_t)j * s->record, index ? index[i + j] : i + j);
        kn->scores_int8(out + i, m, q, 1, &rows, m, 1);
    }
}

/* ---- whole numbers ---- */

static float largest(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++) {
        float a = fabsf(x[i]);
        if (!(a <= FLT_MAX))
            return INFINITY;
        most = a > most ? a : most;
    }
    return most;
}

/*
 * How far a score of scan_tiles may be from the float kernel's, or Inf when it cannot be said.
 * Let M bound the sum of |key| over channels and of |zero| + 255 |scale| in its place, Q the
 * largest |q|, u = 2^-24, D channels, G groups, and S the score in real numbers. Whole numbers: |q
 * - unit * w| <= 0.51 unit for each channel (1/2, and the roundings of 1 / unit, of the product and
 * of the half that is added), hence 0.51 unit M. The float kernel: keys decode with two roundings,
 * 2 u Q M; products and their sum in any order, fused or not, (D + 1) u Q M. scan_tiles: its terms
 * scale * dot and (zero + lowest * scale) * sum are together at most 2 * 16383 M before the unit;
 * none passes more than G + 6 roundings: 2 (G + 6) u Q M. Second orders of u are in the last
 * factor, underflow in the last term; the first condition keeps all sums finite and 1 / unit a
 * number.
 */
static double error_bound(const struct kvo_scan *s, float most, float unit)
{
    const double u = 1.0 / (1 << 24);
    int d = s->tiles.d, groups = d / s->tiles.group;
    double m = s->most, q = most;
    if (!(q > 1e-30 && m < 1e30 && q * m < 1e36))
        return INFINITY;
    double bound = m * (0.51 * unit + q * u * (d + 3 + 2 * (groups + 6)));
    return 1.01 * bound + d * (q + 1) * ldexp(1, -140);
}

/* A group of n whole numbers into the forms of struct int8_query, from channel l on. Loops that
 * compilers vectorise. */
static void put_group(struct int8_query *out, const int *restrict w, int l, int n)
{
    static const int place[4] = {0, 2, 1, 3};
    int8_t *restrict low = out->low + l, *restrict high = out->high + l;
    int16_t *restrict words = out->words + l;
    for (int i = 0; i < n; i++)
        low[i] = (int8_t)(w[i] & 127);
    for (int i = 0; i < n; i++)
        high[i] = (int8_t)((w[i] - (w[i] & 127)) / 128);
    for (int i = 0; i < n; i += 4)
        for (int k = 0; k < 4; k++)
            words[i + place[k]] = (int16_t)w[i + k];
}

/* The nearest whole number to each of n; returns their sum. */
static int round_group(int *restrict w, const float *restrict q, int n, float each)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        float x = q[i] * each;
        w[i] = (int)(x + (x < 0 ? -0.5f : 0.5f));
        sum += w[i];
    }
    return sum;
}

/* Returns the bound for its scores. */
static double round_query(const struct kvo_scan *s, const float *q, struct int8_query *out)
{
    int d = s->tiles.d, group = s->tiles.group, w[KVO_GROUP_MAX];
    float most = largest(q, d), unit = most / WHOLE_MAX;
    double bound = error_bound(s, most, unit);
    out->unit = bound < INFINITY ? unit : 0;
    assert(group <= KVO_GROUP_MAX);
    for (int l = 0, g = 0; l < d; l += group, g++) {
        memset(w, 0, (size_t)group * sizeof *w);
        out->sums[g] = bound < INFINITY ? (float)round_group(w, q + l, group, 1 / unit) : 0;
        put_group(out, w, l, group);
    }
    return bound;
}

/* Padding must not be the best of the last tile. */
static void close_last(float *scores, float *max, int n)
{
    int last = (n - 1) / TILE_ROWS * TILE_ROWS;
    for (int i = n; i < last + TILE_ROWS; i++)
        scores[i] = -INFINITY;
    max[last / TILE_ROWS] = scores[last];
    for (int i = last + 1; i < n; i++)
        if (scores[i] > max[last / TILE_ROWS])
            max[last / TILE_ROWS] = scores[i];
}

/* The ends of the range, in lanes that compilers vectorise. */
static void range_of(float *low, float *high, const float *x, int n)
{
    enum { LANES = 8 };
    float min[LANES], max[LANES];
    int i = 0;
    for (int j = 0; j < LANES; j++)
        min[j] = max[j] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            min[j] = x[i + j] < min[j] ? x[i + j] : min[j];
            max[j] = x[i + j] > max[j] ? x[i + j] : max[j];
        }
    for (; i < n; i++) {
        min[0] = x[i] < min[0] ? x[i] : min[0];
        max[0] = x[i] > max[0] ? x[i] : max[0];
    }
    *low = min[0], *high = max[0];
    for (int j = 1; j < LANES; j++) {
        *low = min[j] < *low ? min[j] : *low;
        *high = max[j] > *high ? max[j] : *high;
    }
}

/* A number that at least k of n finite ones reach, and not many more unless they are equal. */
static float reached_by(const struct kernels *kn, const float *x, int n, int k)
{
    enum { HALVINGS = 12 };
    float low, high;
    range_of(&low, &high, x, n);
    for (int i = 0, count = n; i < HALVINGS && count > k + k / 4; i++) {
        float middle = low + (high - low) / 2;
        int above = kn->count_from(x, n, middle);
        if (above >= k) {
            low = middle;
            count = above;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Not above reached - 2 bound, in float. */
static float limit_of(float reached, double bound)
{
    double limit = (double)reached - 2 * bound;
    float rounded = (float)limit;
    return (double)rounded <= limit ? rounded : nextafterf(rounded, -INFINITY);
}

/* Those that reach the limit, in order, with their scores. */
static int reaching(int *index, float *near, const float *scores, const float *max, int n,
                    float limit)
{
    int count = 0;
    for (int t = 0; t * TILE_ROWS < n; t++) {
        if (max[t] < limit)
            continue;
        int end = (t + 1) * TILE_ROWS < n ? (t + 1) * TILE_ROWS : n;
        for (int i = t * TILE_ROWS; i < end; i++) {
            index[count] = i;
            near[count] = scores[i];
            count += scores[i] >= limit;
        }
    }
    return count;
}

/* Are the chosen ones, out [k] of n ascending, better than all others by more than `gap`? */
static bool apart(const float *scores, int n, const int *out, int k, double gap)
{
    float least = INFINITY, next = -INFINITY;
    for (int i = 0, j = 0; i < n; i++) {
        if (j < k && out[j] == i) {
            least = scores[i] < least ? scores[i] : least;
            j++;
        } else {
            next = scores[i] > next ? scores[i] : next;
        }
    }
    return (double)least - (double)next > gap;
}

/*
 * Let a be a number that k scores of scan_tiles reach, each within `bound` of its float score. Then
 * k float scores reach a - bound, and a key below a - 2 bound is below all of these: it is not
 * among the best k, and no tie. So float scores of the others decide. What k of the tiles' maxima
 * reach is such a number, and cheap; where good keys crowd in few tiles it lets too many pass, and
 * what k of these reach is taken instead. Where the best k are more than 2 bound above the next,
 * float scores have the same order, and need not be asked.
 */
static bool top_of_few(const struct kvo_scan *s, const struct kernels *kn, const float *q,
                       double bound, float *scores, float *max, int n, int k, int *out, float *near,
                       int *index)
{
    int tiles = (n + TILE_ROWS - 1) / TILE_ROWS, count = 0, left = 0;
    close_last(scores, max, n);
    float a = tiles >= k ? reached_by(kn, max, tiles, k) : reached_by(kn, scores, n, k);
    count = reaching(index, near, scores, max, n, limit_of(a, bound));
    if (count > 2 * k) {
        float limit = limit_of(reached_by(kn, near, count, k), bound);
        for (int i = 0; i < count; i++) {
            index[left] = index[i];
            near[left] = near[i];
            left += near[left] >= limit;
        }
        count = left;
    }
    if (count > 4 * k + 64)
        return false;
    topk_indices(out, near, count, k);
    if (!apart(near, count, out, k, 2 * bound)) {
        scores_of(s, kn, q, index, count, near);
        topk_indices(out, near, count, k);
    }
    for (int i = 0; i < k; i++)
        out[i] = index[out[i]];
    return true;
}

void kvo_scan_top(const struct kvo_scan *s, const struct kernels *kn, const float *q, int n_q,
                  int n, int k, int *out, int ld, const struct kv_top_room *room)
{
    int tiles = (n + TILE_ROWS - 1) / TILE_ROWS, padded = tiles * TILE_ROWS;
    bool whole = s->unit == 4 && k > 0 && k < n;
    float *max = room->scores + (size_t)n_q * (size_t)padded;
    float *near = max + (size_t)n_q * (size_t)tiles;
    assert(k >= 0 && k <= n);
    for (int i = 0; i < n_q && whole; i++)
        s->bounds[i] = round_query(s, q + i * s->tiles.d, &s->queries[i]);
    if (whole)
        kn->scan_tiles(room->scores, padded, max, s->queries, n_q, &s->tiles, tiles);
    for (int i = 0; i < n_q; i++, out += ld, q += s->tiles.d) {
        float *scores = room->scores + (size_t)i * (size_t)padded;
        if (whole && s->bounds[i] < INFINITY &&
            top_of_few(s, kn, q, s->bounds[i], scores, max + (size_t)i * (size_t)tiles, n, k, out,
                       near, room->index))
            continue;
        scores_of(s, kn, q, NULL, n, near);
        topk_indices(out, near, n, k);
    }
}
