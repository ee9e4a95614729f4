#include "harness/methods/kvo_quant.h"

#include <assert.h>
#include <string.h>

#include "harness/methods/kvo_few.h"
#include "harness/tensor/group_quant.h"

enum { KEY_BASE_BITS = 8 }; // salient keys, and every appended key

int kvo_lowest(int bits, bool symmetric)
{
    return symmetric ? -(1 << (bits - 1)) : 0;
}

int kvo_pruned(const struct kvo_quant *q)
{
    return q->bits >= KVO_BITS_OFF ? 0 : (int)(q->group * (1 - q->kept));
}

int kvo_key_kept(const struct kvo_quant *key)
{
    return key->group - kvo_pruned(key);
}

int kvo_value_kept(const struct kvo_quant *value)
{
    return value->group - value->group / value->chunk - kvo_pruned(value);
}

int kvo_near_divisor(int n, int want)
{
    for (int off = 0;; off++) {
        if (want > off && want - off <= n && n % (want - off) == 0)
            return want - off;
        if (want + off <= n && n % (want + off) == 0)
            return want + off;
    }
}

/* What keys and values both ask for. */
static int check(const struct kvo_quant *q, const char *what, int window, struct err *e)
{
    if (q->bits < 1 || (q->bits > KVO_BITS_MAX && q->bits < KVO_BITS_OFF))
        return err_user(e, "%s_bits %d: 1 to %d, or %d for no compression; nearest %d", what,
                        q->bits, KVO_BITS_MAX, KVO_BITS_OFF,
                        q->bits > (KVO_BITS_MAX + KVO_BITS_OFF) / 2 ? KVO_BITS_OFF : KVO_BITS_MAX);
    if (q->symmetric && q->bits == 1)
        return err_user(e,
                        "%s_bits 1 with %s_symmetric: a grid of -1 and 0 has no scale; %s_bits 2 "
                        "has one",
                        what, what, what);
    if (q->group < 1 || q->group > KVO_GROUP_MAX)
        return err_user(e, "%s_group %d: 1 to %d", what, q->group, KVO_GROUP_MAX);
    if (q->chunk < 1 || window % q->chunk)
        return err_user(e, "%s_chunk %d does not divide the window %d; %d does", what, q->chunk,
                        window, kvo_near_divisor(window, q->chunk));
    if (!(q->kept >= 0 && q->kept <= 1))
        return err_user(e, "%s_kept %g: 0 to 1", what, q->kept);
    if (!(q->clip > 0 && q->clip <= 1))
        return err_user(e, "%s_clip %g: above 0, at most 1", what, q->clip);
    return 0;
}

int kvo_key_check(const struct kvo_quant *key, int n_channels, int window, struct err *e)
{
    if (check(key, "key", window, e))
        return -1;
    if (n_channels % key->group)
        return err_user(e, "key_group %d does not divide the %d key channels of a layer; %d does",
                        key->group, n_channels, kvo_near_divisor(n_channels, key->group));
    return 0;
}

int kvo_value_check(const struct kvo_quant *value, int window, struct err *e)
{
    if (check(value, "value", window, e))
        return -1;
    if (window % value->group)
        return err_user(e, "value_group %d does not divide the window %d; %d does", value->group,
                        window, kvo_near_divisor(window, value->group));
    if (value->group % value->chunk)
        return err_user(e, "value_chunk %d does not divide value_group %d; %d does", value->chunk,
                        value->group, kvo_near_divisor(value->group, value->chunk));
    if (value->bits < KVO_BITS_OFF && kvo_value_kept(value) < 0)
        return err_user(e,
                        "value_kept %g: at least 1 / value_chunk = %g, the salient tokens' share",
                        value->kept, 1.0 / value->chunk);
    return 0;
}

/* The group quantizer calls its pair by a name of its own. */
static struct group_pair shared(struct kvo_pair p)
{
    return (struct group_pair){p.scale, p.zero};
}

struct kvo_pair kvo_encode(const struct kernels *kn, uint8_t *codes, const float *x, int n,
                           int bits, const struct kvo_quant *q)
{
    assert(n > 0 && bits >= 1 && bits <= KVO_BITS_MAX);
    struct group_form form = {group_grid(bits, q->symmetric), q->symmetric, q->half_pairs,
                              (float)q->clip};
    struct group_pair p = kn->encode_group(codes, x, n, &form);
    return (struct kvo_pair){p.scale, p.zero};
}

void kvo_decode(float *x, const uint8_t *codes, struct kvo_pair pair, int n, int bits,
                const struct kvo_quant *q)
{
    group_decode(x, codes, n, shared(pair), group_grid(bits, q->symmetric).low);
}

/* |x| as a whole number in the same order; NaN above everything, as torch's topk has it. */
static uint32_t magnitude(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u & 0x7FFFFFFF;
}

/* Moves what is below limit to the front of a[from..to-1] and returns where it ends. No branch to
 * mispredict: this is where compression would spend most of its time. */
static int below(uint32_t *a, int from, int to, uint32_t limit)
{
    int end = from;
    for (int i = from; i < to; i++) {
        uint32_t x = a[i];
        a[i] = a[end];
        a[end] = x;
        end += x < limit;
    }
    return end;
}

/* The k-th smallest (from 0) of a[0..n-1], which is reordered. Equal ones leave at once, since few
 * bits make few distinct magnitudes. */
static uint32_t kth_smallest(uint32_t *a, int n, int k)
{
    for (int from = 0, to = n;;) {
        uint32_t pivot = a[from + (to - from) / 2];
        int less = below(a, from, to, pivot);
        if (k < less) {
            to = less;
            continue;
        }
        from = below(a, less, to, pivot + 1);
        if (k < from)
            return pivot;
    }
}

/*
 * kept[i] = 0 for the n_drop entries of least |x|, of equal ones the lowest index first: what topk
 * does on CUDA, where the authors ran. With few bits most cuts fall between equal magnitudes, so
 * this rule decides which entries go, as much as their size does.
 */
static void prune(uint8_t *kept, const float *x, int n, int n_drop)
{
    uint32_t a[KVO_GROUP_MAX];
    memset(kept, 1, (size_t)n);
    if (n_drop == 0)
        return;
    for (int i = 0; i < n; i++)
        a[i] = magnitude(x[i]);
    uint32_t cut = kth_smallest(a, n, n_drop - 1);
    int ties = n_drop;
    for (int i = 0; i < n; i++)
        ties -= magnitude(x[i]) < cut;
    for (int i = 0; i < n; i++) {
        uint32_t m = magnitude(x[i]);
        int tie = m == cut && ties > 0;
        ties -= tie;
        kept[i] = !(m < cut || tie);
    }
}

/* The same by codes; n % 8 == 0. */
static void prune_few(struct kvo_group *g, const struct kvo_quant *q)
{
    uint32_t planes[KVO_FEW_BITS] = {0};
    int n = q->group;
    for (int p = 0; p < q->bits; p++)
        for (int i = 0; i < n; i += 8)
            planes[p] |= (uint32_t)kvo_few_bits(g->codes + i, p) << i;
    uint32_t all = 0xFFFFFFFF >> (KVO_FEW_ENTRIES - n);
    uint32_t kept = kvo_few_kept(planes, all, kvo_pruned(q), g->pair, q);
    for (int i = 0; i < n; i++)
        g->kept[i] = kept >> i & 1;
}

void kvo_key_encode(const struct kernels *kn, struct kvo_group *out, const float *x,
                    const float *base, const struct kvo_quant *key)
{
    float d[KVO_GROUP_MAX];
    int n = key->group;
    assert(n >= 1 && n <= KVO_GROUP_MAX);
    for (int i = 0; i < n; i++)
        d[i] = x[i] - base[i];
    out->pair = kvo_encode(kn, out->codes, d, n, key->bits, key);
    if (key->bits <= KVO_FEW_BITS && n <= KVO_FEW_ENTRIES && n % 8 == 0) {
        prune_few(out, key);
        return;
    }
    /* Magnitudes after quantization decide, not those of the differences themselves. */
    kvo_decode(d, out->codes, out->pair, n, key->bits, key);
    prune(out->kept, d, n, kvo_pruned(key));
}

/* A pruned channel has the salient token's value. */
void kvo_key_decode(float *x, const struct kvo_group *in, const float *base,
                    const struct kvo_quant *key)
{
    kvo_decode(x, in->codes, in->pair, key->group, key->bits, key);
    for (int i = 0; i < key->group; i++)
        x[i] = base[i] + (in->kept[i] ? x[i] : 0);
}

/* Salient values use twice the bits over the range of the others, so they have no pair of their
 * own: multiply first, then divide. */
void kvo_base_scales(const struct kernels *kn, float *out, const float *scale, int n,
                     const struct kvo_quant *value)
{
    float high = group_grid(value->bits, value->symmetric).high;
    float base_high = group_grid(2 * value->bits, value->symmetric).high;
    kn->rescale(out, scale, n, high, base_high, GROUP_LEAST);
}

static struct kvo_pair base_pair(struct kvo_pair p, const struct kvo_quant *value)
{
    kvo_base_scales(&kernels_plain, &p.scale, &p.scale, 1, value);
    return p;
}

/* Pruning among the others only: the authors let the salient positions, zeroed, take part and so
 * go first. Where values that decode to 0 tie with them the masks differ and the values do not,
 * and this way every group keeps equally many. */
static void prune_values(uint8_t *kept, const float *v, const struct kvo_quant *value)
{
    float others[KVO_GROUP_MAX];
    uint8_t kept_others[KVO_GROUP_MAX];
    int n = value->chunk - 1, n_chunks = value->group / value->chunk;
    assert(n_chunks > 0);
    for (int j = 0; j < n_chunks; j++)
        memcpy(others + j * n, v + j * value->chunk + 1, (size_t)n * sizeof *v);
    prune(kept_others, others, n_chunks * n, kvo_pruned(value));
    for (int j = 0; j < n_chunks; j++) {
        kept[j * value->chunk] = 0;
        memcpy(kept + j * value->chunk + 1, kept_others + j * n, (size_t)n);
    }
}

void kvo_value_encode(struct kvo_group *out, const float *v, const struct kvo_quant *value)
{
    float x[KVO_GROUP_MAX];
    int n = value->group;
    assert(n <= KVO_GROUP_MAX && n % value->chunk == 0);
    memcpy(x, v, (size_t)n * sizeof *x);
    for (int i = 0; i < n; i += value->chunk) // before the range is taken: 0 is always in it
        x[i] = 0;
    out->pair = kvo_encode(&kernels_plain, out->codes, x, n, value->bits, value);
    kvo_decode(x, out->codes, out->pair, n, value->bits, value);
    prune_values(out->kept, x, value);
    struct group_grid g = group_grid(2 * value->bits, value->symmetric);
    struct kvo_pair p = base_pair(out->pair, value);
    for (int j = 0; j < n / value->chunk; j++) // beyond the range of the others they saturate
        out->base[j] = group_code(v[j * value->chunk], shared(p), g);
}

/* A pruned value is 0. */
void kvo_value_decode(float *v, const struct kvo_group *in, const struct kvo_quant *value)
{
    kvo_decode(v, in->codes, in->pair, value->group, value->bits, value);
    for (int i = 0; i < value->group; i++)
        v[i] = in->kept[i] ? v[i] : 0;
    float low = group_grid(2 * value->bits, value->symmetric).low;
    struct kvo_pair p = base_pair(in->pair, value);
    for (int j = 0; j < value->group / value->chunk; j++)
        v[j * value->chunk] = ((float)in->base[j] + low) * p.scale + p.zero;
}

/* The rest of channel c's head in row t, at most n channels: where it is and how many. */
static float *channel_run(const struct kvo_rows *r, int t, int c, int n, int *run)
{
    int h = c / r->head_dim, d = c % r->head_dim;
    *run = n < r->head_dim - d ? n : r->head_dim - d;
    return r->x + (size_t)h * r->head_stride + (size_t)t * r->row_stride + d;
}

/* Channels c..c+n-1 of row t, over the borders of heads. */
static void get_channels(float *x, const struct kvo_rows *r, int t, int c, int n)
{
    for (int run, i = 0; i < n; i += run) {
        const float *from = channel_run(r, t, c + i, n - i, &run);
        memcpy(x + i, from, (size_t)run * sizeof *x);
    }
}

static void put_channels(const struct kvo_rows *r, int t, int c, const float *x, int n)
{
    for (int run, i = 0; i < n; i += run) {
        float *to = channel_run(r, t, c + i, n - i, &run);
        memcpy(to, x + i, (size_t)run * sizeof *x);
    }
}

/* Leaves the decoded values in x too. */
static void int8_channels(float *x, const struct kvo_rows *k, int t, int c,
                          const struct kvo_quant *key)
{
    uint8_t codes[KVO_GROUP_MAX];
    get_channels(x, k, t, c, key->group);
    struct kvo_pair p = kvo_encode(&kernels_plain, codes, x, key->group, KEY_BASE_BITS, key);
    kvo_decode(x, codes, p, key->group, KEY_BASE_BITS, key);
    put_channels(k, t, c, x, key->group);
}

void kvo_int8_rows(const struct kvo_rows *k, int from, int to, const struct kvo_quant *key)
{
    float x[KVO_GROUP_MAX];
    assert(key->group <= KVO_GROUP_MAX && k->n_heads * k->head_dim % key->group == 0);
    for (int t = from; t < to; t++)
        for (int c = 0; c < k->n_heads * k->head_dim; c += key->group)
            int8_channels(x, k, t, c, key);
}

float kvo_key_number(float x, float base, const struct kvo_quant *key)
{
    return key->half_numbers ? group_half(x - base) : x - base;
}

/* At 16 bits a row becomes base + (x - base), one rounding away from x. */
static void key_channels(const struct kvo_rows *k, int t, int c, const float *base,
                         const struct kvo_quant *key)
{
    float x[KVO_GROUP_MAX];
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    struct kvo_group g = {.codes = codes, .kept = kept};
    get_channels(x, k, t, c, key->group);
    if (key->bits < KVO_BITS_OFF) {
        kvo_key_encode(&kernels_plain, &g, x, base, key);
        kvo_key_decode(x, &g, base, key);
    } else {
        for (int i = 0; i < key->group; i++)
            x[i] = base[i] + kvo_key_number(x[i], base[i], key);
    }
    put_channels(k, t, c, x, key->group);
}

void kvo_key_rows(const struct kvo_rows *k, int from, int to, const struct kvo_quant *key)
{
    float base[KVO_GROUP_MAX];
    /* The salient row's own difference is 0 on every grid but this one, where it is 0 / 0. */
    int first = key->symmetric && key->bits == 1 ? 0 : 1;
    assert(key->group <= KVO_GROUP_MAX && k->n_heads * k->head_dim % key->group == 0);
    assert((to - from) % key->chunk == 0);
    for (int t = from; t < to; t += key->chunk)
        for (int c = 0; c < k->n_heads * k->head_dim; c += key->group) {
            int8_channels(base, k, t, c, key);
            for (int i = first; i < key->chunk; i++)
                key_channels(k, t + i, c, base, key);
        }
}

/* One channel: v points at its entry of the group's first row. */
static void value_channel(float *v, size_t stride, const struct kvo_quant *value)
{
    float x[KVO_GROUP_MAX];
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    uint16_t base[KVO_GROUP_MAX];
    struct kvo_group g = {.codes = codes, .kept = kept, .base = base};
    for (int i = 0; i < value->group; i++)
        x[i] = v[(size_t)i * stride];
    kvo_value_encode(&g, x, value);
    kvo_value_decode(x, &g, value);
    for (int i = 0; i < value->group; i++)
        v[(size_t)i * stride] = x[i];
}

void kvo_value_rows(const struct kvo_rows *v, int from, int to, const struct kvo_quant *value)
{
    if (value->bits >= KVO_BITS_OFF)
        return;
    assert(value->group <= KVO_GROUP_MAX && (to - from) % value->group == 0);
    for (int h = 0; h < v->n_heads; h++)
        for (int t = from; t < to; t += value->group)
            for (int d = 0; d < v->head_dim; d++)
                value_channel(v->x + (size_t)h * v->head_stride + (size_t)t * v->row_stride + d,
                              v->row_stride, value);
}
