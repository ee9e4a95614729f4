/*
 * KIVI (Liu et al., ICML 2024; jy-yuan/KIVI): keys in few bits by channel, `group` consecutive
 * tokens of a channel together, values by token, `group` consecutive channels of a token together,
 * the newest rows as f16. No calibration, and attention of the prompt itself is exact.
 *
 * Of keys `residual` tokens at once become packed, when they are complete, so that 0 to `residual`
 * wait (after a prompt its length modulo `residual`); of values all but the last `residual`, one
 * token a step. Both happen after the step that has read these rows, as in the authors' code.
 * Defaults are those of the authors' published results (2 bits, groups of 32, 128); their scripts'
 * own default group is 128.
 *
 * Left apart: their kernels keep a channel's codes side by side, ours a token's, of equal bits; the
 * prompt of at most `residual` tokens that their code with grouped queries mixes wrongly; and
 * where all numbers of a group are equal (0 / 0 there) the code is 0. KV heads pack for themselves;
 * a group's query heads read the same codes.
 */
#include <stddef.h>

#include "harness/kv/rows.h"
#include "harness/methods/grouped.h"

struct kivi_options {
    int key_bits, value_bits, group, residual;
};

#define AT(field) offsetof(struct kivi_options, field)
static const struct opt options[] = {
    {"key_bits", OPT_INT, AT(key_bits), 2, 8, 2, NULL, NULL, "k_bits", "bits of a key: 2, 4 or 8"},
    {"value_bits", OPT_INT, AT(value_bits), 2, 8, 2, NULL, NULL, "v_bits",
     "bits of a value: 2, 4 or 8"},
    {"group", OPT_INT, AT(group), 1, 512, 32, NULL, NULL, "group_size",
     "tokens of a key's channel, or channels of a value, that share a scale and offset"},
    {"residual", OPT_INT, AT(residual), 1, 4096, 128, NULL, NULL, "residual_length",
     "newest tokens that stay f16: a multiple of group"},
    {0}};

static int check_bits(const char *name, int bits, struct err *e)
{
    if (bits != 2 && bits != 4 && bits != 8)
        return err_user(e, "%s %d: KIVI has 2, 4 or 8; the nearest is %d (rtn has all from 1 to 8)",
                        name, bits, bits < 6 ? 4 : 8);
    return 0;
}

static struct grouped side_of(const void *opt, enum kv_side side)
{
    const struct kivi_options *o = opt;
    if (side == KV_KEY_SIDE)
        return (struct grouped){o->key_bits, o->group, GROUPED_CHANNEL, KV_TILE_BLOCKS,
                                o->residual};
    return (struct grouped){o->value_bits, o->group, GROUPED_TOKEN, KV_TILE_ALL_BUT, o->residual};
}

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct kivi_options *o = opt;
    struct grouped values = side_of(opt, KV_VALUE_SIDE);
    if (check_bits("key_bits", o->key_bits, e) || check_bits("value_bits", o->value_bits, e))
        return -1;
    if (o->residual % o->group)
        return err_user(e, "residual %d is no multiple of group %d; %d is", o->residual, o->group,
                        (o->residual + o->group - 1) / o->group * o->group);
    return grouped_check(&values, shape->head_dim, "group", e);
}

static void tiles(const struct kv_part *part, enum kv_side side, struct kv_tiles *out)
{
    struct grouped g = side_of(part->opt, side);
    grouped_tiles(part, &g, out);
}

static void pack(const struct kv_tile *t, const float *x)
{
    struct grouped g = side_of(t->part->opt, t->side);
    grouped_pack(t, &g, x);
}

static void unpack(const struct kv_tile *t, float *out)
{
    struct grouped g = side_of(t->part->opt, t->side);
    grouped_unpack(t, &g, out);
}

static const struct kv_tile_form form = {.tiles = tiles, .pack = pack, .unpack = unpack};

static size_t bytes(const struct kv_part *part, int cap)
{
    return kv_tile_bytes(part, cap, &form);
}

static void *open_store(const struct kv_part *part, int cap)
{
    return kv_tile_open(part, cap, &form);
}

static void round_rows(const struct kv_part *part, struct kv_rows *rows, int from)
{
    kv_tile_round(part, rows, from, &form);
}

static void compress(const struct kv_part *part, struct kv_rows *rows, int from, int to)
{
    const struct kivi_options *o = part->opt;
    struct grouped keys = side_of(o, KV_KEY_SIDE), values = side_of(o, KV_VALUE_SIDE);
    int r = o->residual, first = from > r ? from - r : 0, last = to > r ? to - r : 0;
    grouped_rows(part, rows->k, rows->cap, from / r * r, to / r * r, &keys);
    grouped_rows(part, rows->v, rows->cap, first, last, &values);
}

static const struct kv_codec packed = {KV_TILE_HOOKS, .bytes = bytes, .open = open_store,
                                       .round = round_rows, .compress = compress};

static const struct kv_codec *codec(const void *opt, int layer)
{
    (void)opt;
    (void)layer;
    return &packed;
}

const struct kv_method method_kivi = {
    .name = "kivi",
    .version = 1,
    .summary = "keys by channel and values by token in 2, 4 or 8 bits, the newest tokens as f16",
    .cite = "Liu et al., ICML 2024",
    .hooks = 1u << KV_CODEC,
    .opt_size = sizeof(struct kivi_options),
    .options = options,
    .check = check,
    .codec = codec,
    .due = kv_tile_due,
};
