#include "harness/methods/kvo_count.h"

#include <assert.h>
#include <string.h>

/* INT8 keys: `entries` of them, a pair for every group. */
static struct kvo_count int8_keys(int64_t entries, const struct kvo_quant *key)
{
    return (struct kvo_count){entries, 8 * entries, 0, entries / key->group};
}

/* Uncompressed: 16 bits an entry, which is what `bits` 16 stands for. */
static struct kvo_count plain(int64_t entries)
{
    return (struct kvo_count){.codes = entries, .code_bits = 16 * entries};
}

static struct kvo_count key_diffs(int64_t entries, const struct kvo_quant *key)
{
    if (key->bits >= KVO_BITS_OFF)
        return plain(entries);
    int64_t groups = entries / key->group, codes = groups * kvo_key_kept(key);
    return (struct kvo_count){codes, codes * key->bits, kvo_pruned(key) ? entries : 0, groups};
}

/* `entries` values of which each group's share is read, and `pairs` of scale and offset. */
static struct kvo_count values(int64_t entries, int64_t pairs, const struct kvo_quant *value)
{
    if (value->bits >= KVO_BITS_OFF)
        return plain(entries);
    int64_t bases = value->group / value->chunk, kept = kvo_value_kept(value);
    int64_t mask = kvo_pruned(value) ? value->group - bases : 0;
    return (struct kvo_count){
        .codes = entries * (bases + kept) / value->group,
        .code_bits = entries * (bases * 2 + kept) * value->bits / value->group,
        .mask_bits = entries * mask / value->group,
        .pairs = pairs,
    };
}

static void recent(struct kvo_count out[KVO_PARTS], const struct kvo_layer *l,
                   const struct kvo_quant *key)
{
    int64_t entries = (int64_t)(l->rows - l->compressed) * l->channels;
    memset(out, 0, KVO_PARTS * sizeof *out);
    out[KVO_RECENT_KEYS] = int8_keys(entries, key);
    out[KVO_RECENT_VALUES] = (struct kvo_count){entries, entries * l->value_bits, 0, 0};
    out[KVO_KEY_BASES] = int8_keys((int64_t)l->compressed / key->chunk * l->channels, key);
}

void kvo_count_held(struct kvo_count out[KVO_PARTS], const struct kvo_layer *l,
                    const struct kvo_quant *key, const struct kvo_quant *value)
{
    assert(l->compressed % key->chunk == 0 && l->channels % key->group == 0);
    recent(out, l, key);
    int64_t entries = (int64_t)l->compressed * l->channels;
    out[KVO_KEY_DIFFS] = key_diffs(entries - entries / key->chunk, key);
    out[KVO_VALUES] = values(entries, entries / value->group, value);
}

void kvo_count_read(struct kvo_count out[KVO_PARTS], const struct kvo_layer *l, int head_dim,
                    int64_t chosen, int64_t value_groups, const struct kvo_quant *key,
                    const struct kvo_quant *value)
{
    assert(l->channels % head_dim == 0);
    recent(out, l, key);
    out[KVO_KEY_DIFFS] = key_diffs(chosen * (key->chunk - 1) * head_dim, key);
    out[KVO_VALUES] = values(chosen * key->chunk * head_dim, value_groups * head_dim, value);
}

int64_t kvo_count_bits(const struct kvo_count *part, const struct kvo_layer *l)
{
    return part->code_bits + part->mask_bits + part->pairs * l->pair_bits;
}

int64_t kvo_count_total_bits(const struct kvo_count parts[KVO_PARTS], const struct kvo_layer *l)
{
    int64_t bits = 0;
    for (int i = 0; i < KVO_PARTS; i++)
        bits += kvo_count_bits(&parts[i], l);
    return bits;
}
