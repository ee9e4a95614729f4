/*
 * Compressed rows of one head as bytes: what a packed cache of KVO holds.
 *
 * A block is the rows that share something: max(key_chunk, value_group) of them. It is one run of
 * bytes of a fixed size:
 *   where its chunks begin (4 bytes each, when there are several), the pairs of its value groups,
 *   then chunk by chunk one record: of the keys but the salient one pairs, masks, codes; of the
 *   values masks and codes. A group keeps a fixed number of values, but not each of its chunks.
 * The salient keys of all chunks lie by themselves, as INT8 records: every step reads them all.
 * With 16 bits the numbers themselves take the place of pairs, masks and codes.
 *
 * Knows nothing of caches. Decoding gives exactly what kvo_quant.h defines.
 */
#ifndef KVLAB_KVO_RECORD_H
#define KVLAB_KVO_RECORD_H

#include "harness/methods/int8_record.h"
#include "harness/methods/kvo_columns.h"
#include "harness/tensor/kernels.h"

struct kvo_format {
    struct kvo_quant key, value;
    int d;                         // head_dim
    int rows, chunks, groups;      // of a block; no groups where values are uncompressed
    size_t base_size;              // of a salient key
    size_t index_size, pairs_size; // of a block: where chunks begin; pairs of the value groups
    size_t key_pairs_size, key_masks_size, key_codes_size; // of a chunk
    size_t block_size, record_size; // a chunk's share of what follows the pairs
};

/* Bits by what they are, of records that were read. */
struct kvo_bits {
    uint64_t keys, values, pairs, masks, index;
};

/* Can these settings be packed? ERR_USER, with the nearest that can. */
int kvo_format_check(const struct kvo_quant *key, const struct kvo_quant *value, int head_dim,
                     struct err *e);
void kvo_format_init(struct kvo_format *f, const struct kvo_quant *key,
                     const struct kvo_quant *value, int head_dim);

/* Room to encode a block, not part of any record. */
struct kvo_work {
    uint8_t *codes, *kept, *mask; // of a key: [d], [d], a bit a channel
    struct kvo_pair *pairs;       // of a chunk's keys
    struct kvo_columns values;    // they stay while their chunks are written
};
void kvo_work_init(struct kvo_work *w, const struct kvo_format *f);
void kvo_work_release(struct kvo_work *w);

/* Encodes rows k, v [f->rows][d], which are changed. bases [chunks][base_size], block, which is
 * zeroed. */
void kvo_block_put(const struct kvo_format *f, const struct kernels *kn, struct kvo_work *w,
                   uint8_t *bases, uint8_t *block, float *k, float *v);

/* The keys of one chunk [key_chunk][d] behind its salient one, which out begins with, or its
 * values. `read` is added to. scratch: kvo_scratch_size() floats. */
void kvo_keys_get(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                  int chunk, float *out, float *scratch, struct kvo_bits *read);
void kvo_values_get(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                    int chunk, float *out, float *scratch, struct kvo_bits *read);
size_t kvo_scratch_size(const struct kvo_format *f);

/* Products with a chunk where it lies, for one query: bit for bit those of the kernels with the
 * rows above. Not of 16 bits. Scores of the salient key, `base`, and of the others: out
 * [key_chunk]; out [d] += w [key_chunk] * values. */
bool kvo_scores_packed(const struct kvo_format *f);
bool kvo_mixes_packed(const struct kvo_format *f);
void kvo_keys_score(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                    int chunk, const float *base, const float *q, float divisor, float *out,
                    float *scratch, struct kvo_bits *read);

/* Pairs of the value group that was read last; neighbours in a group find them here. */
struct kvo_value_room {
    float *pairs;        // [3][d], in scratch
    const uint8_t *from; // where they lie; NULL: nothing is here
};
void kvo_values_mix(const struct kvo_format *f, const struct kernels *kn, const uint8_t *block,
                    int chunk, const float *w, float *out, struct kvo_value_room *room,
                    struct kvo_bits *read);

/* Asks for a chunk's record ahead of its use. */
void kvo_record_expect(const struct kvo_format *f, const uint8_t *block, int chunk);

/* What a block is made of; padding counts as index. */
void kvo_block_bits(const struct kvo_format *f, struct kvo_bits *out);

#endif
