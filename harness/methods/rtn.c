/*
 * Round to nearest, the plain baseline of quantized caches: min and max of each group, 1 to 8 bits,
 * keys and values each by token (groups of channels) or by channel (groups of consecutive tokens).
 *
 * By token a row is packed when it comes. By channel `group` tokens become packed at once, when
 * they are complete, and wait as f16 until then. The arithmetic is KIVI's (grouped.h): scale and
 * offset are f16. Nothing else is left alone; kivi is this with a residual. KV heads pack for
 * themselves.
 */
#include <stddef.h>

#include "harness/kv/rows.h"
#include "harness/methods/grouped.h"

struct rtn_options {
    int key_bits, value_bits, key_group, value_group, key_axis, value_axis;
};

static const char *const axes[] = {"token", "channel", NULL};

#define AT(field) offsetof(struct rtn_options, field)
static const struct opt options[] = {
    {"key_bits", OPT_INT, AT(key_bits), 1, 8, 4, NULL, NULL, NULL, "bits of a key"},
    {"value_bits", OPT_INT, AT(value_bits), 1, 8, 4, NULL, NULL, NULL, "bits of a value"},
    {"key_group", OPT_INT, AT(key_group), 1, 512, 32, NULL, NULL, NULL,
     "channels of a token, or tokens of a channel, whose keys share a scale and offset"},
    {"value_group", OPT_INT, AT(value_group), 1, 512, 32, NULL, NULL, NULL,
     "channels of a token, or tokens of a channel, whose values share a scale and offset"},
    {"key_axis", OPT_CHOICE, AT(key_axis), 0, 0, GROUPED_TOKEN, axes, NULL, NULL,
     "what a group of keys is part of"},
    {"value_axis", OPT_CHOICE, AT(value_axis), 0, 0, GROUPED_TOKEN, axes, NULL, NULL,
     "what a group of values is part of"},
    {0}};

static struct grouped grouped_of(int bits, int group, int axis)
{
    bool token = axis == GROUPED_TOKEN;
    return (struct grouped){bits, group, token ? GROUPED_TOKEN : GROUPED_CHANNEL,
                            token ? KV_TILE_ARRIVAL : KV_TILE_BLOCKS, group};
}

static struct grouped side_of(const void *opt, enum kv_side side)
{
    const struct rtn_options *o = opt;
    return side == KV_KEY_SIDE ? grouped_of(o->key_bits, o->key_group, o->key_axis)
                               : grouped_of(o->value_bits, o->value_group, o->value_axis);
}

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    struct grouped keys = side_of(opt, KV_KEY_SIDE), values = side_of(opt, KV_VALUE_SIDE);
    if (grouped_check(&keys, shape->head_dim, "key_group", e))
        return -1;
    return grouped_check(&values, shape->head_dim, "value_group", e);
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

static float *rows_of(const struct kv_rows *rows, int side)
{
    return side == KV_KEY_SIDE ? rows->k : rows->v;
}

/* What waits becomes f16, what does not its codes. */
static void round_rows(const struct kv_part *part, struct kv_rows *rows, int from)
{
    kv_tile_round(part, rows, from, &form);
    for (int i = 0; i < 2; i++) {
        struct grouped g = side_of(part->opt, (enum kv_side)i);
        if (g.when == KV_TILE_ARRIVAL)
            grouped_rows(part, rows_of(rows, i), rows->cap, from, rows->n, &g);
    }
}

static void compress(const struct kv_part *part, struct kv_rows *rows, int from, int to)
{
    for (int i = 0; i < 2; i++) {
        struct grouped g = side_of(part->opt, (enum kv_side)i);
        int n = g.group;
        if (g.when == KV_TILE_BLOCKS)
            grouped_rows(part, rows_of(rows, i), rows->cap, from / n * n, to / n * n, &g);
    }
}

static const struct kv_codec by_blocks = {KV_TILE_HOOKS, .bytes = bytes, .open = open_store,
                                          .round = round_rows, .compress = compress};
static const struct kv_codec by_rows = {KV_TILE_HOOKS, .bytes = bytes, .open = open_store,
                                        .drop = kv_tile_drop, .round = round_rows};

static const struct kv_codec *codec(const void *opt, int layer)
{
    const struct rtn_options *o = opt;
    (void)layer;
    return o->key_axis == GROUPED_TOKEN && o->value_axis == GROUPED_TOKEN ? &by_rows : &by_blocks;
}

const struct kv_method method_rtn = {
    .name = "rtn",
    .version = 1,
    .summary = "keys and values rounded to 1 to 8 bits, by token or by channel",
    .cite = "round to nearest",
    .hooks = 1u << KV_CODEC,
    .opt_size = sizeof(struct rtn_options),
    .options = options,
    .check = check,
    .codec = codec,
    .due = kv_tile_due,
};
