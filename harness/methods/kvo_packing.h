/*
 * The part of KVO that stores rows: keys become INT8 on arrival; compressed windows hold a chunk's
 * first row, the salient token, in 8 bits and the others as low-bit differences to it; values by
 * groups of tokens. Hooks of struct kv_method, and the options, of methods whose options are a
 * struct kvo_options.
 */
#ifndef KVLAB_KVO_PACKING_H
#define KVLAB_KVO_PACKING_H

#include <stddef.h>

#include "harness/methods/kvo_ordering.h"

struct kvo_options {
    struct kvo_ordering ordering; // first: its hooks look at nothing else
    int token_budget;             // of method kvo alone
    int key_bits, key_group, prune_keys, key_symmetric;
    double key_kept, key_clip;
    int value_bits, value_group, value_chunk, prune_values, value_symmetric;
    double value_kept, value_clip;
    int pairs, uncompressed; // FORMAT_...
};

/* In the order in which a setting is written out. */
#define KVO_CODE_OPTIONS                                                                           \
    {"key_bits",                                                                                   \
     OPT_INT,                                                                                      \
     offsetof(struct kvo_options, key_bits),                                                       \
     1,                                                                                            \
     16,                                                                                           \
     2,                                                                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     "kbits",                                                                                      \
     "bits of a key's difference to its salient token; 16: kept as they are, and not pruned"},     \
        {"key_group", OPT_INT,  offsetof(struct kvo_options, key_group), 1, 512, 32, NULL,         \
         NULL,        "kgroup", "channels that share a scale and offset"},                         \
        {"key_chunk",                                                                              \
         OPT_INT,                                                                                  \
         offsetof(struct kvo_options, ordering.chunk),                                             \
         1,                                                                                        \
         512,                                                                                      \
         8,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "kchunk",                                                                                 \
         "tokens of a chunk; also the unit of ordering and of selection"},                         \
        {"prune_keys",                                                                             \
         OPT_BOOL,                                                                                 \
         offsetof(struct kvo_options, prune_keys),                                                 \
         0,                                                                                        \
         1,                                                                                        \
         1,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "kprune_en",                                                                              \
         "drop the smallest differences of a group: they read as the salient token's channel"},    \
        {"key_kept",                                                                               \
         OPT_NUM,                                                                                  \
         offsetof(struct kvo_options, key_kept),                                                   \
         0,                                                                                        \
         1,                                                                                        \
         0.25,                                                                                     \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "kprune_budget",                                                                          \
         "share of a group's channels that pruning KEEPS (the authors' name notwithstanding)"},    \
        {"key_symmetric",                                                                          \
         OPT_BOOL,                                                                                 \
         offsetof(struct kvo_options, key_symmetric),                                              \
         0,                                                                                        \
         1,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "ksym",                                                                                   \
         "no offset; scale by the signed maximum"},                                                \
        {"key_clip", OPT_NUM, offsetof(struct kvo_options, key_clip),  0.01, 1, 1, NULL,           \
         NULL,       "kclip", "factor on both ends of a group's range"},                           \
        {"value_bits",                                                                             \
         OPT_INT,                                                                                  \
         offsetof(struct kvo_options, value_bits),                                                 \
         1,                                                                                        \
         16,                                                                                       \
         2,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "vbits",                                                                                  \
         "bits of a value, twice as many for salient tokens; 16: kept as they are"},               \
        {"value_group",                                                                            \
         OPT_INT,                                                                                  \
         offsetof(struct kvo_options, value_group),                                                \
         1,                                                                                        \
         512,                                                                                      \
         32,                                                                                       \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "vgroup",                                                                                 \
         "tokens of a channel that share a scale and offset"},                                     \
        {"value_chunk", OPT_INT,  offsetof(struct kvo_options, value_chunk), 1, 512, 8, NULL,      \
         NULL,          "vchunk", "tokens of which the first is salient"},                         \
        {"prune_values",                                                                           \
         OPT_BOOL,                                                                                 \
         offsetof(struct kvo_options, prune_values),                                               \
         0,                                                                                        \
         1,                                                                                        \
         1,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "vprune_en",                                                                              \
         "drop the smallest values of a group: they read as 0"},                                   \
        {"value_kept",                                                                             \
         OPT_NUM,                                                                                  \
         offsetof(struct kvo_options, value_kept),                                                 \
         0,                                                                                        \
         1,                                                                                        \
         0.5,                                                                                      \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "vprune_budget",                                                                          \
         "share of a group's tokens that pruning KEEPS, salient ones included"},                   \
        {"value_symmetric",                                                                        \
         OPT_BOOL,                                                                                 \
         offsetof(struct kvo_options, value_symmetric),                                            \
         0,                                                                                        \
         1,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "vsym",                                                                                   \
         "no offset; scale by the signed maximum"},                                                \
        {"value_clip", OPT_NUM, offsetof(struct kvo_options, value_clip), 0.01, 1, 1, NULL,        \
         NULL,         "vclip", "factor on both ends of a group's range"},                         \
    {                                                                                              \
        "window", OPT_INT, offsetof(struct kvo_options, ordering.window), 1, 65536, 64, NULL,      \
            NULL, "kv_recent_budget",                                                              \
            "tokens compressed at a time; from window + 1 to 2 * window recent ones stay "         \
            "uncompressed"                                                                         \
    }

#define KVO_ORDER_OPTIONS                                                                          \
    {"order",                                                                                      \
     OPT_BOOL,                                                                                     \
     offsetof(struct kvo_options, ordering.order),                                                 \
     0,                                                                                            \
     1,                                                                                            \
     1,                                                                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     "window_diff_select",                                                                         \
     "sort each chunk by received attention; false: its first token counts as the salient one"},   \
        {"first_layer",                                                                            \
         OPT_INT,                                                                                  \
         offsetof(struct kvo_options, ordering.first_layer),                                       \
         0,                                                                                        \
         1000,                                                                                     \
         2,                                                                                        \
         NULL,                                                                                     \
         NULL,                                                                                     \
         NULL,                                                                                     \
         "layers before it stay uncompressed: 2 as the authors' model class, 0 all compressed"},   \
        {"pairs", OPT_CHOICE, offsetof(struct kvo_options, pairs), 0, 0, 0, kvo_formats,           \
         NULL,    NULL,       "format of scales and offsets"},                                     \
    {                                                                                              \
        "uncompressed", OPT_CHOICE, offsetof(struct kvo_options, uncompressed), 0, 0, 0,           \
            kvo_formats, NULL, NULL,                                                               \
            "format of recent values, of what 16 bits leave as it is, and of uncompressed layers"  \
    }

extern const char *const kvo_formats[];

int kvo_packing_check(const void *opt, const struct kv_shape *shape, struct err *e);
void kvo_packing_class_key(const void *opt, struct buf *out);
size_t kvo_packing_record_size(const void *opt, const struct kv_shape *shape);
void kvo_packing_append(const struct kv_part *p, float *k, float *v, void *record);
const struct kv_codec *kvo_packing_codec(const void *opt, int layer);
int kvo_packing_due(const struct kv_part *p, int n_before);

#define KVO_PACKING_HOOKS                                                                          \
    .class_key = kvo_packing_class_key, .record_size = kvo_packing_record_size,                    \
    .append = kvo_packing_append, .codec = kvo_packing_codec, .due = kvo_packing_due

#endif
