#include "harness/methods/kvo_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

static bool packs(const struct kvo_quant *q)
{
    return q->bits < KVO_BITS_OFF;
}

bool kvo_scores_packed(const struct kvo_format *f)
{
    return packs(&f->key);
}

bool kvo_mixes_packed(const struct kvo_format *f)
{
    return packs(&f->value);
}

/* ---- sizes ---- */

/* The value_group nearest below that fits with the chunk. */
static int near_group(int chunk, int group)
{
    return group > chunk ? group - group % chunk : kvo_near_divisor(chunk, group);
}

int kvo_format_check(const struct kvo_quant *key, const struct kvo_quant *value, int head_dim,
                     struct err *e)
{
    if (head_dim % key->group)
        return err_user(e,
                        "key_group %d does not divide the head's %d channels, so that records of "
                        "heads would hang together: %d can be packed, or run with --floats",
                        key->group, head_dim, kvo_near_divisor(head_dim, key->group));
    if (packs(value) && value->group % key->chunk && key->chunk % value->group)
        return err_user(e,
                        "value_group %d and key_chunk %d: one must divide the other, so that a "
                        "chunk is one record: value_group %d can be packed, or run with "
                        "--floats",
                        value->group, key->chunk, near_group(key->chunk, value->group));
    return 0;
}

static int number_size(const struct kvo_quant *q)
{
    return q->half_numbers ? (int)sizeof(uint16_t) : (int)sizeof(float);
}

static size_t mask_size(const struct kvo_format *f, const struct kvo_quant *q)
{
    return packs(q) && kvo_pruned(q) ? (size_t)(f->d + 7) / 8 : 0;
}

/* Codes fill whole numbers, so that the pairs after them are where a processor wants them. */
static size_t bytes_of(const struct kvo_format *f, size_t bits)
{
    size_t unit = f->value.half_pairs && f->value.half_numbers ? sizeof(uint16_t) : sizeof(float);
    return (bits + 8 * unit - 1) / (8 * unit) * unit;
}

/* Codes of all keys of a chunk but the salient one. */
static size_t key_code_bits(const struct kvo_format *f)
{
    size_t others = (size_t)(f->key.chunk - 1);
    return others * (size_t)(f->d / f->key.group * kvo_key_kept(&f->key) * f->key.bits);
}

/* Codes of all values of a group. */
static size_t group_code_bits(const struct kvo_format *f)
{
    const struct kvo_quant *v = &f->value;
    return (size_t)f->d * (size_t)((kvo_value_kept(v) + 2 * (v->group / v->chunk)) * v->bits);
}

/* Rows of a block whose values have masks: all but the salient ones. */
static size_t masked_rows(const struct kvo_format *f)
{
    return (size_t)(f->rows - f->rows / f->value.chunk);
}

static size_t value_bytes(const struct kvo_format *f)
{
    if (!packs(&f->value))
        return (size_t)(f->rows * f->d * number_size(&f->value));
    size_t bits =
        masked_rows(f) * mask_size(f, &f->value) * 8 + (size_t)f->groups * group_code_bits(f);
    return bytes_of(f, bits) + (size_t)(f->chunks - 1) * sizeof(float); // chunks end where they may
}

void kvo_format_init(struct kvo_format *f, const struct kvo_quant *key,
                     const struct kvo_quant *value, int head_dim)
{
    bool grouped = packs(value);
    *f = (struct kvo_format){.key = *key, .value = *value, .d = head_dim};
    f->rows = grouped && value->group > key->chunk ? value->group : key->chunk;
    f->chunks = f->rows / key->chunk;
    f->groups = grouped ? f->rows / value->group : 0;
    f->base_size = int8_record_size(head_dim, key);
    f->index_size = f->chunks > 1 ? (size_t)f->chunks * sizeof(uint32_t) : 0;
    f->pairs_size = (size_t)f->groups * kvo_pairs_size(head_dim, value);
    size_t others = (size_t)(key->chunk - 1);
    if (packs(key)) {
        f->key_pairs_size = kvo_pairs_size((int)others * (head_dim / key->group), key);
        f->key_masks_size = others * mask_size(f, key);
        f->key_codes_size = bytes_of(f, key_code_bits(f));
    } else {
        f->key_codes_size = others * (size_t)(head_dim * number_size(key));
    }
    size_t keys = f->key_pairs_size + f->key_masks_size + f->key_codes_size;
    f->block_size = f->index_size + f->pairs_size + (size_t)f->chunks * keys + value_bytes(f);
    f->record_size = (f->block_size - f->index_size - f->pairs_size) / (size_t)f->chunks;
}

void kvo_block_bits(const struct kvo_format *f, struct kvo_bits *out)
{
    size_t chunks = (size_t)f->chunks;
    *out = (struct kvo_bits){
        .keys = packs(&f->key) ? chunks * key_code_bits(f) : chunks * f->key_codes_size * 8,
        .values = packs(&f->value) ? (size_t)f->groups * group_code_bits(f) : value_bytes(f) * 8,
        .pairs = (f->pairs_size + chunks * f->key_pairs_size) * 8,
        .masks = (chunks * f->key_masks_size + masked_rows(f) * mask_size(f, &f->value)) * 8};
    if (!packs(&f->value))
        out->masks = chunks * f->key_masks_size * 8;
    out->index = f->block_size * 8 - out->keys - out->values - out->pairs - out->masks;
}

size_t kvo_scratch_size(const struct kvo_format *f)
{
    size_t pairs = 2 * (size_t)f->key.chunk * (size_t)(f->d / f->key.group);
    return 3 * (size_t)f->d + (pairs > 0 ? pairs : 1);
}

/* ---- writing ---- */

void kvo_work_init(struct kvo_work *w, const struct kvo_format *f)
{
    size_t d = (size_t)f->d;
    *w = (struct kvo_work){0};
    w->codes = xcalloc(d, 1);
    w->kept = xcalloc(d, 1);
    w->mask = xcalloc((d + 7) / 8, 1);
    w->pairs = xcalloc((size_t)f->key.chunk * d, sizeof *w->pairs);
    if (packs(&f->value))
        kvo_columns_init(&w->values, f->d, &f->value);
}

void kvo_work_release(struct kvo_work *w)
{
    free(w->codes);
    free(w->kept);
    free(w->mask);
    free(w->pairs);
    kvo_columns_release(&w->values);
}

/* Into zeroed memory; a code has at most 16 bits. */
static void put_code(uint8_t *to, size_t *bit, unsigned code, int bits)
{
    unsigned shifted = code << (*bit & 7);
    for (uint8_t *p = to + *bit / 8; shifted; shifted >>= 8)
        *p++ |= (uint8_t)shifted;
    *bit += (size_t)bits;
}

static uint8_t *put_numbers(uint8_t *to, const float *x, int n, bool half)
{
    for (int i = 0; i < n; i++) {
        uint16_t h = f16_from_f32(x[i]);
        memcpy(to, half ? (const void *)&h : &x[i], half ? sizeof h : sizeof *x);
        to += half ? sizeof h : sizeof *x;
    }
    return to;
}

/* One key: its groups' codes and pairs, and what it keeps as bits. */
static void encode_key(const struct kvo_format *f, const struct kernels *kn, struct kvo_work *w,
                       const float *x, const float *base, struct kvo_pair *pairs)
{
    memset(w->mask, 0, (size_t)(f->d + 7) / 8);
    for (int c = 0; c < f->d; c += f->key.group) {
        struct kvo_group g = {.codes = w->codes + c, .kept = w->kept + c};
        kvo_key_encode(kn, &g, x + c, base + c, &f->key);
        *pairs++ = g.pair;
    }
    for (int c = 0; c < f->d; c++)
        w->mask[c / 8] |= (uint8_t)(w->kept[c] << c % 8);
}

/* Keys k [chunk][d] behind the salient one, which is decoded already. */
static uint8_t *put_keys(const struct kvo_format *f, const struct kernels *kn, struct kvo_work *w,
                         uint8_t *to, const float *k)
{
    int d = f->d, groups = d / f->key.group, others = f->key.chunk - 1;
    size_t mask = mask_size(f, &f->key), bit = 0;
    uint8_t *masks = to + f->key_pairs_size, *codes = masks + f->key_masks_size;
    for (int i = 0; i < others; i++) {
        encode_key(f, kn, w, k + (i + 1) * d, k, w->pairs + i * groups);
        memcpy(masks + (size_t)i * mask, w->mask, mask);
        bit += kn->pack(codes, bit, w->codes, w->mask, f->key.bits, d);
    }
    kvo_pairs_put(to, w->pairs, others * groups, &f->key);
    return codes + f->key_codes_size;
}

static uint8_t *put_key_numbers(const struct kvo_format *f, uint8_t *to, const float *k)
{
    for (int i = 1; i < f->key.chunk; i++)
        for (int c = 0; c < f->d; c++) {
            float x = kvo_key_number(k[i * f->d + c], k[c], &f->key);
            to = put_numbers(to, &x, 1, f->key.half_numbers);
        }
    return to;
}

/* Row `row` of the group in w. */
static size_t put_value_row(const struct kvo_format *f, const struct kernels *kn,
                            const struct kvo_columns *w, int row, uint8_t *mask, uint8_t *codes,
                            size_t bit)
{
    int d = f->d, bits = f->value.bits;
    size_t size = mask_size(f, &f->value), from = bit;
    const uint8_t *kept = w->masks + (size_t)row * w->mask_stride;
    if (row % f->value.chunk) {
        memcpy(mask, kept, size);
        return kn->pack(codes, bit, w->codes + row * d, kept, bits, d);
    }
    if (2 * bits <= 8)
        return kn->pack(codes, bit, w->codes + row * d, NULL, 2 * bits, d);
    for (int c = 0; c < d; c++)
        put_code(codes, &bit, w->base[row / f->value.chunk * d + c], 2 * bits);
    return bit - from;
}

/* Rows first..first+n-1 of the group in w, as far as they belong to one chunk. */
static void put_values(const struct kvo_format *f, const struct kernels *kn,
                       const struct kvo_work *w, int first, int n, uint8_t **mask, uint8_t *codes,
                       size_t *bit)
{
    size_t size = mask_size(f, &f->value);
    for (int row = first; row < first + n; row++) {
        *bit += put_value_row(f, kn, &w->values, row, *mask, codes, *bit);
        if (row % f->value.chunk)
            *mask += size;
    }
}

/* Rows with masks among `n` that begin at row `first` of the block. */
static int masked(const struct kvo_format *f, int first, int n)
{
    int c = f->value.chunk;
    return n - ((first + n + c - 1) / c - (first + c - 1) / c);
}

/* f16: the pairs were rounded before codes were made of them, so nothing is lost here. */
static void put_value_pairs(const struct kvo_format *f, const struct kernels *kn,
                            const struct kvo_columns *w, uint8_t *to)
{
    size_t size = (size_t)f->d * sizeof(float);
    if (f->value.half_pairs) {
        kn->narrow_f16((uint16_t *)(void *)to, w->scale, f->d);
        kn->narrow_f16((uint16_t *)(void *)to + f->d, w->zero, f->d);
        return;
    }
    memcpy(to, w->scale, size);
    memcpy(to + size, w->zero, size);
}

/* A chunk's values; a new group is encoded where one begins. */
static uint8_t *put_chunk_values(const struct kvo_format *f, const struct kernels *kn,
                                 struct kvo_work *w, uint8_t *block, uint8_t *to, const float *v,
                                 int first)
{
    int c = f->key.chunk, group = f->value.group;
    size_t bit = 0, pairs = f->groups ? f->pairs_size / (size_t)f->groups : 0;
    uint8_t *mask = to, *codes = to + (size_t)masked(f, first, c) * mask_size(f, &f->value);
    for (int row = first; row < first + c;) {
        int in_group = row % group, n = group - in_group;
        n = n < first + c - row ? n : first + c - row;
        if (in_group == 0) {
            kvo_columns_encode(&w->values, kn, v + row * f->d, &f->value);
            put_value_pairs(f, kn, &w->values,
                            block + f->index_size + (size_t)(row / group) * pairs);
        }
        put_values(f, kn, w, in_group, n, &mask, codes, &bit);
        row += n;
    }
    size_t masks = (size_t)(codes - to);
    return to + bytes_of(f, masks * 8 + bit);
}

void kvo_block_put(const struct kvo_format *f, const struct kernels *kn, struct kvo_work *w,
                   uint8_t *bases, uint8_t *block, float *k, float *v)
{
    uint8_t *to = block + f->index_size + f->pairs_size;
    memset(block, 0, f->block_size);
    for (int j = 0; j < f->chunks; j++) {
        float *chunk = k + j * f->key.chunk * f->d;
        uint32_t start = (uint32_t)(to - block);
        if (f->index_size)
            memcpy(block + (size_t)j * sizeof start, &start, sizeof start);
        int8_record_put(kn, bases + (size_t)j * f->base_size, chunk, f->d, &f->key);
        to = packs(&f->key) ? put_keys(f, kn, w, to, chunk) : put_key_numbers(f, to, chunk);
        if (packs(&f->value))
            to = put_chunk_values(f, kn, w, block, to, v, j * f->key.chunk);
        else
            to = put_numbers(to, v + j * f->key.chunk * f->d, f->key.chunk * f->d,
                             f->value.half_numbers);
    }
    assert(to <= block + f->block_size);
}

/* ---- reading ---- */

static const uint8_t *chunk_record(const struct kvo_format *f, const uint8_t *block, int chunk)
{
    uint32_t start = (uint32_t)f->pairs_size;
    if (f->index_size)
        memcpy(&start, block + (size_t)chunk * sizeof start, sizeof start);
    return block + start;
}

/* Each line that holds one of n bytes. */
static void expect_lines(const uint8_t *from, size_t n)
{
    enum { LINE = 64 };
    for (const uint8_t *p = from - (uintptr_t)from % LINE; p < from + n; p += LINE)
        __builtin_prefetch(p);
}

/* Where the record begins the block says, which is not here yet: records are about equally long. */
void kvo_record_expect(const struct kvo_format *f, const uint8_t *block, int chunk)
{
    size_t head = f->index_size + f->pairs_size;
    expect_lines(block, head);
    expect_lines(block + head + (size_t)chunk * f->record_size, f->record_size);
}

/* n stored numbers as floats. */
static void get_numbers(float *out, const struct kernels *kn, const uint8_t *from, int n, bool half)
{
    if (half)
        kn->widen_f16(out, (const uint16_t *)(const void *)from, n);
    else
        memcpy(out, from, (size_t)n * sizeof *out);
}

static uint64_t padding(const struct kvo_format *f, size_t bits)
{
    return bytes_of(f, bits) * 8 - bits;
}

/* Where a chunk's keys but the salient one are, and their pairs as floats: scratch [2][pairs]. */
struct key_rows {
    struct code_rows rows;
    struct code_pairs pairs;
};

static struct key_rows key_rows(const struct kvo_format *f, const struct kernels *kn,
                                const uint8_t *block, int chunk, float *scratch)
{
    const uint8_t *record = chunk_record(f, block, chunk), *masks = record + f->key_pairs_size;
    const uint8_t *codes = masks + f->key_masks_size;
    int others = f->key.chunk - 1, pairs = others * (f->d / f->key.group);
    size_t mask = mask_size(f, &f->key);
    get_numbers(scratch, kn, record, 2 * pairs, f->key.half_pairs);
    return (struct key_rows){
        .rows = {.first = {codes, 0, mask ? masks : NULL, f->key.bits,
                           kvo_lowest(f->key.bits, f->key.symmetric)},
                 .n = others,
                 .mask_stride = mask,
                 .scales_per_row = f->d / f->key.group},
        .pairs = {scratch, scratch + pairs, f->key.group},
    };
}

/* Codes of so many bits, and what lies beside them. */
static void count_keys(const struct kvo_format *f, size_t bits, struct kvo_bits *read)
{
    read->index += f->index_size / (size_t)f->chunks * 8;
    read->keys += bits;
    read->pairs += f->key_pairs_size * 8;
    read->masks += f->key_masks_size * 8;
    read->index += padding(f, bits);
}

/* 16 bits: the differences as they are. */
static void get_key_numbers(const struct kvo_format *f, const struct kernels *kn,
                            const uint8_t *block, int chunk, float *out)
{
    int d = f->d, others = f->key.chunk - 1;
    get_numbers(out + d, kn, chunk_record(f, block, chunk), others * d, f->key.half_numbers);
    for (int i = 1; i <= others; i++)
        kn->add(out + i * d, out, d);
}

void kvo_keys_get(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                  int chunk, float *out, float *scratch, struct kvo_bits *read)
{
    if (!packs(&f->key)) {
        get_key_numbers(f, kn, block, chunk, out);
        read->index += f->index_size / (size_t)f->chunks * 8;
        read->keys += f->key_codes_size * 8;
        return;
    }
    struct key_rows k = key_rows(f, kn, block, chunk, scratch);
    count_keys(f, kn->unpack_rows(out + f->d, &k.rows, &k.pairs, out, f->d), read);
}

void kvo_keys_score(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                    int chunk, const float *base, const float *q, float divisor, float *out,
                    float *scratch, struct kvo_bits *read)
{
    assert(kvo_scores_packed(f));
    struct key_rows k = key_rows(f, kn, block, chunk, scratch);
    count_keys(f, kn->scores_codes(out, q, &k.rows, &k.pairs, base, f->d, divisor), read);
}

/* Scales, offsets and the salient tokens' scales of one group, unless they are there. */
static void get_value_pairs(const struct kvo_format *f, const struct kernels *kn,
                            const uint8_t *block, int group, struct kvo_value_room *room)
{
    size_t each = f->pairs_size / (size_t)f->groups;
    const uint8_t *from = block + f->index_size + (size_t)group * each;
    if (room->from == from)
        return;
    room->from = from;
    get_numbers(room->pairs, kn, from, 2 * f->d, f->value.half_pairs);
    kvo_base_scales(kn, room->pairs + 2 * f->d, room->pairs, f->d, &f->value);
}

/* Rows from `row` on, below `end`, that are coded alike: a salient one, or those up to the next.
 * Groups end where chunks do. */
static int run_of(const struct kvo_format *f, int row, int end)
{
    int in_chunk = row % f->value.chunk, n = in_chunk ? f->value.chunk - in_chunk : 1;
    return n < end - row ? n : end - row;
}

static struct code_rows value_rows(const struct kvo_format *f, bool salient, int n)
{
    int bits = salient ? 2 * f->value.bits : f->value.bits;
    return (struct code_rows){
        .first = {.bits = bits, .lowest = kvo_lowest(bits, f->value.symmetric)},
        .n = n,
        .mask_stride = salient ? 0 : mask_size(f, &f->value),
    };
}

/* The rows of a chunk one kind after the other: decoded, or with weights w added to out [d]. */
static void pass_values(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                        int chunk, const float *w, float *out, struct kvo_value_room *room,
                        struct kvo_bits *read)
{
    int d = f->d, c = f->key.chunk, first = chunk * c;
    const uint8_t *record =
        chunk_record(f, block, chunk) + f->key_pairs_size + f->key_masks_size + f->key_codes_size;
    size_t mask = mask_size(f, &f->value), bit = 0;
    const uint8_t *codes = record + (size_t)masked(f, first, c) * mask;
    for (int n, row = first; row < first + c; row += n) {
        get_value_pairs(f, kn, block, row / f->value.group, room);
        n = run_of(f, row, first + c);
        bool salient = row % f->value.chunk == 0;
        struct code_rows rows = value_rows(f, salient, n);
        struct code_pairs p = {salient ? room->pairs + 2 * d : room->pairs, room->pairs + d, 1};
        rows.first.codes = codes, rows.first.bit = bit;
        rows.first.mask = rows.mask_stride ? record : NULL;
        bit += w ? kn->mix_codes(out, w + (row - first), &rows, &p, d)
                 : kn->unpack_rows(out + (row - first) * d, &rows, &p, NULL, d);
        record += (size_t)n * rows.mask_stride;
    }
    read->values += bit;
    size_t masks = (size_t)masked(f, first, c) * mask * 8;
    read->masks += masks;
    read->index += padding(f, masks + bit);
}

void kvo_values_get(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                    int chunk, float *out, float *scratch, struct kvo_bits *read)
{
    struct kvo_value_room room = {scratch, NULL};
    if (packs(&f->value)) {
        pass_values(f, kn, block, chunk, NULL, out, &room, read);
        return;
    }
    const uint8_t *numbers =
        chunk_record(f, block, chunk) + f->key_pairs_size + f->key_masks_size + f->key_codes_size;
    get_numbers(out, kn, numbers, f->key.chunk * f->d, f->value.half_numbers);
    read->values += (size_t)(f->key.chunk * f->d * number_size(&f->value)) * 8;
}

void kvo_values_mix(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                    int chunk, const float *w, float *out, struct kvo_value_room *room,
                    struct kvo_bits *read)
{
    assert(kvo_mixes_packed(f));
    pass_values(f, kn, block, chunk, w, out, room, read);
}
