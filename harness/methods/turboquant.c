/*
 * TurboQuant (Zandieh et al., arXiv 2504.19874, ICLR 2026): a vector's length as f16; the vector is
 * rotated by a fixed random matrix, after which all its channels have one known distribution; each
 * is rounded to the best codebook of 1 to 4 bits for that. Keys and values alike, each row when it
 * comes, no calibration. Rows stay rotated: queries are turned to meet them, what is summed of the
 * values is turned back once.
 *
 * Variants by option: `rotation` qr (the paper's) or hadamard (random signs, then Walsh-Hadamard);
 * `norm` length (the paper's) or corrected, which stores length / length of the decoded vector, so
 * that a decoded row is as long as the row was. The paper's variant for inner products, which
 * spends a bit on a sketch of the residual, and its mixed bits for outlier channels are not here.
 *
 * One rotation for all layers and heads, of `seed`: part of the method, not of the cache, so it
 * counts no bytes. KV heads pack for themselves.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "harness/kv/rows.h"
#include "harness/kv/tile_store.h"
#include "harness/methods/codebook.h"
#include "harness/methods/rotation.h"
#include "harness/tensor/dtype.h"
#include "harness/tensor/group_quant.h"

enum { BITS_3 = 3, TABLE_MAX = 256 * 8 };

struct turboquant_options {
    int key_bits, value_bits, rotation, norm, seed;
};

static const char *const rotations[] = {"qr", "hadamard", NULL};
static const char *const norms[] = {"length", "corrected", NULL};
enum { NORM_LENGTH, NORM_CORRECTED };

#define AT(field) offsetof(struct turboquant_options, field)
static const struct opt options[] = {
    {"key_bits", OPT_INT, AT(key_bits), 1, 4, 4, NULL, NULL, NULL, "bits of a key's channel"},
    {"value_bits", OPT_INT, AT(value_bits), 1, 4, 4, NULL, NULL, NULL, "bits of a value's channel"},
    {"rotation", OPT_CHOICE, AT(rotation), 0, 0, ROTATION_QR, rotations, NULL, NULL,
     "a random orthogonal matrix, or random signs and a Walsh-Hadamard transform"},
    {"norm", OPT_CHOICE, AT(norm), 0, 0, NORM_LENGTH, norms, NULL, NULL,
     "what is stored of a row's length: itself, or what makes the decoded row as long"},
    {"seed", OPT_INT, AT(seed), 0, 1e9, 1, NULL, NULL, NULL, "of the rotation"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct turboquant_options *o = opt;
    int d = shape->head_dim;
    if (d % 8 || d > ROTATION_MAX)
        return err_user(e,
                        "codes of a row fill whole bytes: head_dim %d is no multiple of 8 up to "
                        "%d",
                        d, ROTATION_MAX);
    if (o->rotation == ROTATION_HADAMARD && (d & (d - 1)))
        return err_user(e,
                        "rotation hadamard needs a head_dim that is a power of two, %d is none; "
                        "rotation qr has no such need",
                        d);
    return 0;
}

/* ---- what the options decide, made at the first use ---- */

struct coder {
    struct codebook book;
    float table[TABLE_MAX]; // the levels of all codes of a byte; of 3 bits, of two codes
};

struct state {
    int ready;
    struct coder coder[2]; // KV_KEY_SIDE, KV_VALUE_SIDE
    float rotation[];
};

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    const struct turboquant_options *o = opt;
    (void)cap;
    return sizeof(struct state) +
           rotation_floats((enum rotation_kind)o->rotation, shape->head_dim) * sizeof(float);
}

static int bits_of(const void *opt, enum kv_side side)
{
    const struct turboquant_options *o = opt;
    return side == KV_KEY_SIDE ? o->key_bits : o->value_bits;
}

static int codes_at_once(int bits)
{
    return bits == BITS_3 ? 2 : 8 / bits;
}

static void make_coder(struct coder *c, int bits, int d)
{
    int at_once = codes_at_once(bits);
    codebook_make(&c->book, bits, d);
    for (int word = 0; word < 1 << (bits * at_once); word++)
        for (int i = 0; i < at_once; i++)
            c->table[word * at_once + i] = c->book.level[word >> (bits * i) & (c->book.n - 1)];
}

static struct state *state_of(const struct kv_part *part)
{
    const struct turboquant_options *o = part->opt;
    struct state *s = part->state;
    if (s->ready)
        return s;
    for (int i = 0; i < 2; i++)
        make_coder(&s->coder[i], bits_of(o, (enum kv_side)i), part->shape.head_dim);
    rotation_make(s->rotation, (enum rotation_kind)o->rotation, part->shape.head_dim,
                  (uint64_t)o->seed);
    s->ready = 1;
    return s;
}

static void enter(const struct kv_part *part, float *x, int n)
{
    const struct turboquant_options *o = part->opt;
    int d = part->shape.head_dim;
    for (int i = 0; i < n; i++)
        rotation_turn(state_of(part)->rotation, (enum rotation_kind)o->rotation, part->kernels,
                      x + (size_t)i * (size_t)d, d);
}

static void leave(const struct kv_part *part, float *x, int n)
{
    const struct turboquant_options *o = part->opt;
    int d = part->shape.head_dim;
    for (int i = 0; i < n; i++)
        rotation_back(state_of(part)->rotation, (enum rotation_kind)o->rotation, part->kernels,
                      x + (size_t)i * (size_t)d, d);
}

/* ---- a row ---- */

static float length_of(const float *x, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += (double)x[i] * x[i];
    return (float)sqrt(sum);
}

/* Codes of x [d], and what their levels are multiplied by, a number that f16 has. */
static float encode(const struct kv_part *part, enum kv_side side, const float *x, uint8_t *codes)
{
    const struct turboquant_options *o = part->opt;
    const struct codebook *b = &state_of(part)->coder[side].book;
    int d = part->shape.head_dim;
    float unit[ROTATION_MAX], length = length_of(x, d), decoded = 1;
    for (int i = 0; i < d; i++)
        unit[i] = length > 0 ? x[i] / length : 0;
    enter(part, unit, 1);
    for (int i = 0; i < d; i++) {
        codes[i] = (uint8_t)codebook_code(b, unit[i]);
        unit[i] = b->level[codes[i]];
    }
    if (o->norm == NORM_CORRECTED)
        decoded = length_of(unit, d);
    return group_half(length / decoded);
}

static void tiles(const struct kv_part *part, enum kv_side side, struct kv_tiles *out)
{
    *out = (struct kv_tiles){.when = KV_TILE_ARRIVAL,
                             .rows = KV_TILE_PIECE,
                             .code_bytes =
                                 (size_t)(part->shape.head_dim * bits_of(part->opt, side) / 8),
                             .pair_bytes = sizeof(uint16_t)};
}

static void pack(const struct kv_tile *t, const float *x)
{
    uint8_t codes[ROTATION_MAX];
    uint16_t scale = f16_from_f32(encode(t->part, t->side, x, codes));
    memset(kv_tile_codes(t), 0, t->form->code_bytes);
    t->part->kernels->pack(kv_tile_codes(t), 0, codes, NULL, bits_of(t->part->opt, t->side),
                           t->part->shape.head_dim);
    memcpy(kv_tile_pairs(t), &scale, sizeof scale);
}

static inline void put(float *restrict out, const float *restrict levels, int n, float scale)
{
    for (int i = 0; i < n; i++)
        out[i] = levels[i] * scale;
}

/* n codes a byte, known where this is compiled. */
static inline void put_bytes(float *restrict out, const float *restrict table,
                             const uint8_t *restrict codes, size_t bytes, int n, float scale)
{
    for (size_t i = 0; i < bytes; i++)
        put(out + i * (size_t)n, table + codes[i] * n, n, scale);
}

static void unpack_bytes(float *out, const float *table, const uint8_t *codes, size_t n, int bits,
                         float scale)
{
    if (bits == 1)
        put_bytes(out, table, codes, n, 8, scale);
    else if (bits == 2)
        put_bytes(out, table, codes, n, 4, scale);
    else
        put_bytes(out, table, codes, n, 2, scale);
}

/* Three bytes are eight codes. */
static void unpack_threes(float *restrict out, const float *restrict table,
                          const uint8_t *restrict codes, size_t n, float scale)
{
    for (size_t i = 0; i < n; i += 3)
        for (unsigned j = 0,
                      word = codes[i] | (unsigned)codes[i + 1] << 8 | (unsigned)codes[i + 2] << 16;
             j < 4; j++, word >>= 6, out += 2)
            put(out, table + (word & 63) * 2, 2, scale);
}

static void unpack(const struct kv_tile *t, float *out)
{
    int bits = bits_of(t->part->opt, t->side), d = t->part->shape.head_dim;
    const float *table = state_of(t->part)->coder[t->side].table;
    const uint8_t *codes = kv_tile_codes(t), *pairs = kv_tile_pairs(t);
    size_t bytes = t->form->code_bytes;
    t->part->kernels->widen_f16(t->room, (const uint16_t *)(const void *)pairs, t->n);
    for (int i = 0; i < t->n; i++, out += d, codes += bytes)
        if (bits == BITS_3)
            unpack_threes(out, table, codes, bytes, t->room[i]);
        else
            unpack_bytes(out, table, codes, bytes, bits, t->room[i]);
}

static const struct kv_tile_form form = {
    .tiles = tiles, .pack = pack, .unpack = unpack, .leave = leave};

static size_t bytes(const struct kv_part *part, int cap)
{
    return kv_tile_bytes(part, cap, &form);
}

static void *open_store(const struct kv_part *part, int cap)
{
    state_of(part);
    return kv_tile_open(part, cap, &form);
}

/* ---- the reference ---- */

static void round_row(const struct kv_part *part, enum kv_side side, float *x)
{
    uint8_t codes[ROTATION_MAX];
    float scale = encode(part, side, x, codes);
    for (int i = 0; i < part->shape.head_dim; i++)
        x[i] = state_of(part)->coder[side].book.level[codes[i]] * scale;
}

static void round_rows(const struct kv_part *part, struct kv_rows *rows, int from)
{
    int d = part->shape.head_dim;
    state_of(part);
    for (int h = 0; h < part->shape.n_kv_heads; h++)
        for (int t = from; t < rows->n; t++) {
            round_row(part, KV_KEY_SIDE, kv_rows_k(rows, d, h, t));
            round_row(part, KV_VALUE_SIDE, kv_rows_v(rows, d, h, t));
        }
}

static const struct kv_codec packed = {KV_TILE_HOOKS,      .bytes = bytes, .open = open_store,
                                       .enter = enter,     .leave = leave, .drop = kv_tile_drop,
                                       .round = round_rows};

static const struct kv_codec *codec(const void *opt, int layer)
{
    (void)opt;
    (void)layer;
    return &packed;
}

const struct kv_method method_turboquant = {
    .name = "turboquant",
    .version = 1,
    .summary = "rotated rows in 1 to 4 bits a channel by the best codebook, and their length",
    .cite = "Zandieh et al., ICLR 2026",
    .hooks = 1u << KV_CODEC,
    .opt_size = sizeof(struct turboquant_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .codec = codec,
    .due = kv_tile_due,
};
