#include "harness/methods/grouped.h"

#include <string.h>

#include "harness/kv/rows.h"
#include "harness/methods/kvo_quant.h"
#include "harness/tensor/dtype.h"
#include "harness/tensor/group_quant.h"

enum { CHANNELS_MAX = 1024, GROUP_MAX = 512 };

/* Scales and offsets of groups side by side, as f16. */
struct pairs {
    uint16_t scale[CHANNELS_MAX], zero[CHANNELS_MAX];
};

static struct group_pair pair_of(float least, float most, int bits)
{
    float scale = (most - least) / (float)((1 << bits) - 1);
    return (struct group_pair){group_half(scale), group_half(least)};
}

/* To the nearest whole number, ties to even: codes are far below 2^22. */
static float nearest(float x)
{
    return x + 12582912.0f - 12582912.0f;
}

static uint8_t code_of(float x, struct group_pair p, int bits)
{
    float top = (float)((1 << bits) - 1), at = p.scale > 0 ? (x - p.zero) / p.scale : 0;
    at = at > 0 ? at : 0;
    return (uint8_t)nearest(at < top ? at : top);
}

/* Numbers x[i * step]. */
static struct group_pair measure(const float *x, int n, int step, int bits)
{
    float least = x[0], most = x[0];
    for (int i = 1; i < n; i++) {
        float v = x[(size_t)i * (size_t)step];
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    return pair_of(least, most, bits);
}

static void put_pair(struct pairs *to, int i, struct group_pair p)
{
    to->scale[i] = f16_from_f32(p.scale);
    to->zero[i] = f16_from_f32(p.zero);
}

/* ---- the reference ---- */

static void round_group(float *x, int n, int step, int bits)
{
    struct group_pair p = measure(x, n, step, bits);
    for (int i = 0; i < n; i++) {
        float *v = &x[(size_t)i * (size_t)step];
        *v = (float)code_of(*v, p, bits) * p.scale + p.zero;
    }
}

static void round_head(float *x, int d, int from, int to, const struct grouped *g)
{
    int tokens = g->axis == GROUPED_TOKEN ? 1 : g->group;
    for (int t = from; t < to; t += tokens)
        for (int c = 0; c < d; c += g->axis == GROUPED_TOKEN ? g->group : 1)
            round_group(x + (size_t)t * (size_t)d + c, g->group, g->axis == GROUPED_TOKEN ? 1 : d,
                        g->bits);
}

void grouped_rows(const struct kv_part *part, float *x, int cap, int from, int to,
                  const struct grouped *g)
{
    size_t d = (size_t)part->shape.head_dim;
    for (int h = 0; h < part->shape.n_kv_heads; h++)
        round_head(x + (size_t)h * (size_t)cap * d, (int)d, from, to, g);
}

/* ---- tiles ---- */

void grouped_tiles(const struct kv_part *part, const struct grouped *g, struct kv_tiles *out)
{
    int d = part->shape.head_dim;
    *out = (struct kv_tiles){.when = g->when,
                             .wait = g->wait,
                             .rows = g->axis == GROUPED_TOKEN ? KV_TILE_PIECE : g->group,
                             .code_bytes = (size_t)(d * g->bits / 8),
                             .pairs_shared = g->axis == GROUPED_CHANNEL};
    out->pair_bytes = 2 * sizeof(uint16_t) * (size_t)(out->pairs_shared ? d : d / g->group);
}

/* A token's pairs, and a tile's: scales, then offsets. */
static void store_pairs(const struct kv_tile *t, const struct pairs *p)
{
    size_t half = t->form->pair_bytes / 2;
    memcpy(kv_tile_pairs(t), p->scale, half);
    memcpy(kv_tile_pairs(t) + half, p->zero, half);
}

static void pack_codes(const struct kv_tile *t, int row, const uint8_t *codes, int bits)
{
    uint8_t *to = kv_tile_codes(t) + (size_t)row * t->form->code_bytes;
    memset(to, 0, t->form->code_bytes);
    t->part->kernels->pack(to, 0, codes, NULL, bits, t->part->shape.head_dim);
}

static void pack_token(const struct kv_tile *t, const struct grouped *g, const float *x)
{
    struct pairs pairs;
    uint8_t codes[CHANNELS_MAX];
    for (int c = 0; c < t->part->shape.head_dim; c += g->group) {
        struct group_pair p = measure(x + c, g->group, 1, g->bits);
        put_pair(&pairs, c / g->group, p);
        for (int i = c; i < c + g->group; i++)
            codes[i] = code_of(x[i], p, g->bits);
    }
    pack_codes(t, 0, codes, g->bits);
    store_pairs(t, &pairs);
}

static void pack_tile(const struct kv_tile *t, const struct grouped *g, const float *x)
{
    int d = t->part->shape.head_dim;
    struct group_pair own[CHANNELS_MAX];
    struct pairs pairs;
    uint8_t codes[CHANNELS_MAX];
    for (int c = 0; c < d; c++) {
        own[c] = measure(x + c, t->n, d, g->bits);
        put_pair(&pairs, c, own[c]);
    }
    for (int i = 0; i < t->n; i++) {
        for (int c = 0; c < d; c++)
            codes[c] = code_of(x[(size_t)i * (size_t)d + (size_t)c], own[c], g->bits);
        pack_codes(t, i, codes, g->bits);
    }
    store_pairs(t, &pairs);
}

void grouped_pack(const struct kv_tile *t, const struct grouped *g, const float *x)
{
    if (g->axis == GROUPED_TOKEN)
        pack_token(t, g, x);
    else
        pack_tile(t, g, x);
}

void grouped_unpack(const struct kv_tile *t, const struct grouped *g, float *out)
{
    int d = t->part->shape.head_dim, token = g->axis == GROUPED_TOKEN;
    int each = token ? d / g->group : d, rows = token ? t->n : 1;
    const struct kernels *kn = t->part->kernels;
    const uint8_t *pairs = kv_tile_pairs(t);
    kn->widen_f16(t->room, (const uint16_t *)(const void *)pairs, 2L * each * rows);
    struct code_rows codes = {.first = {.codes = kv_tile_codes(t), .bits = g->bits},
                              .n = t->n,
                              .scales_per_row = token ? 2 * each : 0};
    struct code_pairs p = {t->room, t->room + each, token ? g->group : 1};
    kn->unpack_rows(out, &codes, &p, NULL, d);
}

int grouped_check(const struct grouped *g, int head_dim, const char *name, struct err *e)
{
    if (head_dim % 8)
        return err_user(e, "codes of rows fill whole bytes: head_dim %d is no multiple of 8",
                        head_dim);
    if (g->axis == GROUPED_TOKEN && head_dim % g->group)
        return err_user(e, "%s %d does not divide the head's %d channels; %d does", name, g->group,
                        head_dim, kvo_near_divisor(head_dim, g->group));
    return 0;
}
