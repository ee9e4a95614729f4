/*
 * KVO's packed store against its reference on floats, over random settings of the whole option
 * grid: the same rows and the same attention, bit for bit, step by step; and what its ledger counts
 * against the closed form (kvo_bytes.h) and against the lengths of the records.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/methods/kvo_record.h"
#include "tests/unit/kvo_bytes.h"
#include "tests/unit/sequence.h"

enum { SETTINGS = 260, ROWS_MAX = 400, HEADS_MAX = 4 };

static struct kv_engine packed, floats;

static int open_engines(void **state)
{
    (void)state;
    packed = engine_new(1);
    floats = engine_new(1);
    floats.floats = true;
    return 0;
}

static int close_engines(void **state)
{
    (void)state;
    pool_free(packed.pool);
    pool_free(floats.pool);
    return 0;
}

/* ---- settings ---- */

struct setting {
    struct kvo_bytes_setting bytes;
    int window, budget, order, symmetric[2];
    double clip;
    bool half_pairs, half_numbers;
};

static int one_of(struct rng *r, const int *list, int n)
{
    return list[rng_below(r, n)];
}

#define PICK(r, ...)                                                                               \
    one_of(r, (const int[]){__VA_ARGS__}, (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)))

static double share(struct rng *r)
{
    return PICK(r, 0, 10, 25, 33, 50, 80, 90, 100) / 100.0;
}

static struct setting random_setting(struct rng *r)
{
    struct setting s = {.window = PICK(r, 8, 16, 32, 48, 64), .order = rng_below(r, 2)};
    struct kvo_bytes_setting *b = &s.bytes;
    b->kv_heads = PICK(r, 1, 2, 4);
    b->head_dim = PICK(r, 8, 16, 24, 32, 40, 64, 96, 128);
    b->key_bits = PICK(r, 1, 2, 3, 4, 5, 6, 7, 8, 16);
    b->value_bits = PICK(r, 1, 2, 3, 4, 5, 6, 7, 8, 16);
    b->key_group = PICK(r, 2, 4, 8, 16, 32, 64);
    b->chunk = PICK(r, 1, 2, 4, 8, 16);
    b->value_group = PICK(r, 2, 4, 8, 16, 32, 48);
    b->value_chunk = rng_below(r, 3) ? b->chunk : PICK(r, 2, 4, 8);
    b->key_kept = share(r), b->value_kept = share(r);
    b->prune_keys = rng_below(r, 4) > 0, b->prune_values = rng_below(r, 4) > 0;
    s.half_pairs = rng_below(r, 2), s.half_numbers = rng_below(r, 2);
    b->pair_bits = s.half_pairs ? 32 : 64;
    b->value_wide = s.half_numbers ? 16 : 32;
    s.symmetric[0] = rng_below(r, 3) == 0, s.symmetric[1] = rng_below(r, 3) == 0;
    s.clip = PICK(r, 100, 100, 90, 50) / 100.0;
    s.budget = PICK(r, 8, 24, 64, 100000);
    /* Where nothing is pruned there are no masks. */
    b->prune_keys = b->prune_keys && kvo_bytes_pruned(b->key_group, b->key_kept) > 0;
    b->prune_values = b->prune_values && kvo_bytes_pruned(b->value_group, b->value_kept) > 0;
    return s;
}

static void put_setting(const struct setting *s, struct buf *out)
{
    const struct kvo_bytes_setting *b = &s->bytes;
    buf_printf(out,
               "[{\"kvo\":{\"first_layer\":0,\"key_bits\":%d,\"value_bits\":%d,\"key_group\":%d,"
               "\"value_group\":%d,\"key_chunk\":%d,\"value_chunk\":%d,\"key_kept\":%g,"
               "\"value_kept\":%g,\"prune_keys\":%s,\"prune_values\":%s,",
               b->key_bits, b->value_bits, b->key_group, b->value_group, b->chunk, b->value_chunk,
               b->key_kept, b->value_kept, b->prune_keys ? "true" : "false",
               b->prune_values ? "true" : "false");
    buf_printf(out,
               "\"key_symmetric\":%s,\"value_symmetric\":%s,\"key_clip\":%g,\"value_clip\":%g,"
               "\"window\":%d,\"token_budget\":%d,\"order\":%s,\"pairs\":\"%s\","
               "\"uncompressed\":\"%s\"}}]",
               s->symmetric[0] ? "true" : "false", s->symmetric[1] ? "true" : "false", s->clip,
               s->clip, s->window, s->budget, s->order ? "true" : "false",
               s->half_pairs ? "f16" : "f32", s->half_numbers ? "f16" : "f32");
}

/* ---- one setting at work ---- */

struct run {
    struct setting s;
    struct kv_shape shape;
    struct kv_chain chain;
    struct sequence seq;
    struct kv_cache *caches[2];
    struct kv_ledger before;
    int compressed; // rows
    const char *text;
};

static struct kvo_quant value_quant(const struct setting *s)
{
    const struct kvo_bytes_setting *b = &s->bytes;
    return (struct kvo_quant){
        b->value_bits, b->value_group,  b->value_chunk, b->prune_values ? b->value_kept : 1,
        s->clip,       s->symmetric[1], s->half_pairs,  s->half_numbers};
}

static struct kvo_quant key_quant(const struct setting *s)
{
    const struct kvo_bytes_setting *b = &s->bytes;
    return (struct kvo_quant){
        b->key_bits, b->key_group,    b->chunk,      b->prune_keys ? b->key_kept : 1,
        s->clip,     s->symmetric[0], s->half_pairs, s->half_numbers};
}

/* What the quantizer keeps beside bases of a chunk's values, where rows are not ordered. */
static int kept_in_chunk(const struct run *r, int head, int chunk)
{
    struct kvo_quant q = value_quant(&r->s);
    float v[KVO_GROUP_MAX];
    uint8_t codes[KVO_GROUP_MAX], kept[KVO_GROUP_MAX];
    uint16_t base[KVO_GROUP_MAX];
    struct kvo_group g = {codes, kept, base, {0, 0}};
    int d = r->shape.head_dim, from = chunk * r->s.bytes.chunk, to = from + r->s.bytes.chunk, n = 0;
    for (int first = from / q.group * q.group; first < to; first += q.group)
        for (int c = 0; c < d; c++) {
            for (int i = 0; i < q.group; i++)
                v[i] = r->seq.v[((size_t)(first + i) * (size_t)r->shape.n_kv_heads + (size_t)head) *
                                    (size_t)d +
                                (size_t)c];
            if (r->s.half_numbers)
                kv_rows_halve(&kernels_plain, v, (size_t)q.group);
            kvo_value_encode(&g, v, &q);
            for (int i = 0; i < q.group; i++)
                n += first + i >= from && first + i < to && i % q.chunk && kept[i];
        }
    return n;
}

/* The chunks that the query heads of a KV head have read, each once. */
static int chosen_chunks(const struct run *r, int head, int compressed, int *out)
{
    static bool in[ROWS_MAX];
    int group = r->shape.n_heads / r->shape.n_kv_heads, chunk = r->s.bytes.chunk, n = 0;
    memset(in, 0, sizeof in);
    for (int h = head * group; h < (head + 1) * group; h++) {
        const struct kv_range *ranges;
        int n_ranges = kv_cache_ranges(r->caches[0], h, &ranges);
        for (int i = 0; i < n_ranges; i++)
            if (ranges[i].start < compressed)
                in[ranges[i].start / chunk] = true;
    }
    for (int j = 0; j < compressed / chunk; j++)
        if (in[j])
            out[n++] = j;
    return n;
}

/* Classes that the closed form knows; the index is what is left of the records' bytes. */
static void equal_classes(const struct run *r, const uint64_t *got, const uint64_t *want)
{
    static const enum kv_class classes[] = {KV_RECENT, KV_BASES, KV_DIFFS,
                                            KV_VALUES, KV_PAIRS, KV_MASKS};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (got[classes[i]] != want[classes[i]])
            fail_msg("%s: %s: %llu bits, must be %llu", r->text, kv_class_name(classes[i]),
                     (unsigned long long)got[classes[i]], (unsigned long long)want[classes[i]]);
}

static void held_is_as_in_closed_form(const struct run *r, const struct kv_ledger *now, int rows,
                                      int compressed)
{
    uint64_t want[KV_CLASSES];
    struct kvo_quant key = key_quant(&r->s), value = value_quant(&r->s);
    struct kvo_format f;
    uint64_t heads = (uint64_t)r->shape.n_kv_heads;
    kvo_format_init(&f, &key, &value, r->shape.head_dim);
    uint64_t recent = (f.base_size + (size_t)r->shape.head_dim * (r->s.half_numbers ? 2 : 4)) * 8;
    uint64_t bytes = (uint64_t)(compressed / r->s.bytes.chunk) * f.base_size +
                     (uint64_t)(compressed / f.rows) * f.block_size;
    if (r->s.bytes.value_chunk == r->s.bytes.chunk || r->s.bytes.value_bits >= 16) {
        kvo_bytes_held(&r->s.bytes, rows, compressed, want);
        equal_classes(r, now->held, want);
    }
    assert_int_equal(kv_ledger_sum(now->held) - now->held[KV_SUMS],
                     heads * (bytes * 8 + (uint64_t)(rows - compressed) * recent));
    assert_true(now->held[KV_INDEX] <=
                heads * (uint64_t)(compressed / f.rows) * (uint64_t)f.chunks * (32 + 3 * 32));
}

/* After a step: `compressed` rows were compressed in it; packing has read its rows beside. */
static void read_is_as_in_closed_form(struct run *r, const struct kv_ledger *now, int rows,
                                      int compressed, int packed_now)
{
    static int chosen[HEADS_MAX][ROWS_MAX];
    const int *lists[HEADS_MAX] = {0};
    int n[HEADS_MAX] = {0}, kept = 0;
    uint64_t want[KV_CLASSES], got[KV_CLASSES], packing[KV_CLASSES];
    bool even = !r->s.bytes.prune_values || r->s.bytes.value_bits >= 16;
    for (int h = 0; h < r->shape.n_kv_heads; h++) {
        n[h] = chosen_chunks(r, h, compressed, chosen[h]);
        lists[h] = chosen[h];
        for (int i = 0; i < n[h] && !even && !r->s.order; i++)
            kept += kept_in_chunk(r, h, chosen[h][i]);
    }
    struct kvo_bytes_choice choice = {lists, n, even ? -1 : kept};
    kvo_bytes_read(&r->s.bytes, rows, compressed, &choice, want);
    memset(packing, 0, sizeof packing);
    kvo_bytes_recent(&r->s.bytes, packed_now, packing);
    want[KV_RECENT] += packing[KV_RECENT];
    for (int c = 0; c < KV_CLASSES; c++)
        got[c] = now->read[c] - r->before.read[c];
    if (!even && r->s.order) // which values a chunk keeps is not known here
        want[KV_VALUES] = got[KV_VALUES];
    equal_classes(r, got, want);
}

/* A step writes its row, and the records that it packs; these stay. */
static void written_is_what_came_and_what_was_packed(const struct run *r,
                                                     const struct kv_ledger *now)
{
    uint64_t row[KV_CLASSES] = {0};
    kvo_bytes_recent(&r->s.bytes, 1, row);
    assert_int_equal(now->written[KV_RECENT] - r->before.written[KV_RECENT], row[KV_RECENT]);
    for (int c = 0; c < KV_CLASSES; c++)
        if (c != KV_RECENT && c != KV_SUMS)
            assert_int_equal(now->written[c] - r->before.written[c],
                             now->held[c] - r->before.held[c]);
}

static void ledgers_are_right(struct run *r, int n_before, int packed_now)
{
    struct kv_ledger now;
    int compressed = kvo_bytes_compressed(n_before, r->s.window);
    kv_cache_ledger(r->caches[0], &now);
    held_is_as_in_closed_form(r, &now, n_before + 1, compressed);
    written_is_what_came_and_what_was_packed(r, &now);
    if (r->s.bytes.value_chunk == r->s.bytes.chunk || r->s.bytes.value_bits >= 16)
        read_is_as_in_closed_form(r, &now, n_before + 1, compressed, packed_now);
    r->before = now;
}

static void rows_are_equal(const struct run *r)
{
    struct kv_rows a = rows_of_layer(r->caches[0], &r->shape, 0);
    struct kv_rows b = rows_of_layer(r->caches[1], &r->shape, 0);
    int d = r->shape.head_dim;
    size_t bytes = (size_t)a.n * (size_t)d * sizeof(float);
    assert_int_equal(a.n, b.n);
    for (int h = 0; h < r->shape.n_kv_heads; h++)
        if (memcmp(kv_rows_k(&a, d, h, 0), kv_rows_k(&b, d, h, 0), bytes) ||
            memcmp(kv_rows_v(&a, d, h, 0), kv_rows_v(&b, d, h, 0), bytes))
            fail_msg("%s: %d rows: the packed ones are others", r->text, a.n);
    kv_rows_release(&a);
    kv_rows_release(&b);
}

static void step(struct run *r, struct rows_of_step *rows, float *out[2])
{
    const struct sequence *seq = &r->seq;
    int n = kv_cache_length(r->caches[0]);
    int compressed = kvo_bytes_compressed(n, r->s.window), packed_now = compressed - r->compressed;
    for (int i = 0; i < 2; i++) {
        sequence_attend(&seq, &r->caches[i], 1, i ? &floats : &packed, 0, rows, out[i]);
        kv_cache_advance(r->caches[i]);
    }
    if (memcmp(out[0], out[1], out_width(&r->shape) * sizeof(float)))
        fail_msg("%s: step at %d: another attention", r->text, n);
    ledgers_are_right(r, n, packed_now);
    r->compressed = compressed;
}

static void run_steps(struct run *r, int prompt, int steps)
{
    struct rows_of_step rows = rows_of_step_new(&r->shape, 1);
    size_t bytes = out_width(&r->shape) * sizeof(float);
    float *out[2] = {xmalloc(bytes), xmalloc(bytes)};
    for (int i = 0; i < 2; i++)
        r->caches[i] = sequence_cache(&r->seq, i ? &floats : &packed, &r->chain, prompt, NULL);
    rows_are_equal(r);
    r->compressed = kvo_bytes_compressed(prompt, r->s.window);
    kv_cache_ledger(r->caches[0], &r->before);
    for (int i = 0; i < steps; i++) {
        step(r, &rows, out);
        if (i % 16 == 0)
            rows_are_equal(r);
    }
    rows_are_equal(r);
    for (int i = 0; i < 2; i++) {
        kv_cache_free(r->caches[i]);
        free(out[i]);
    }
    rows_of_step_free(&rows);
}

/* Rows of the first step after a prompt were packed before it. */
static void run_setting(struct run *r, struct rng *rng)
{
    int prompt =
        PICK(rng, 0, 1, 2 * r->s.window - 1, 2 * r->s.window, 3 * r->s.window + 5, 5 * r->s.window);
    prompt = prompt < ROWS_MAX - 150 ? prompt : ROWS_MAX - 150;
    r->seq = sequence_new(r->shape, ROWS_MAX, rng_next(rng));
    run_steps(r, prompt, r->s.window + 20);
    sequence_release(&r->seq);
}

static void packed_rows_are_the_references(void **state)
{
    (void)state;
    struct rng rng = {20261123};
    struct buf text;
    int ran = 0, refused = 0;
    buf_init(&text);
    while (ran < SETTINGS) {
        struct err e = {0};
        struct run r = {.s = random_setting(&rng)};
        int kv = r.s.bytes.kv_heads, heads = kv * PICK(&rng, 1, 1, 3);
        r.shape = (struct kv_shape){1, heads, kv, r.s.bytes.head_dim};
        buf_reset(&text);
        put_setting(&r.s, &text);
        r.text = text.s;
        if (read_chain(&r.chain, text.s, &e))
            fail_msg("%s: %s", text.s, e.msg);
        bool works = kv_chain_check(&r.chain, &r.shape, true, "test", &e) == 0;
        if (works)
            run_setting(&r, &rng);
        kv_chain_release(&r.chain);
        ran += works;
        refused += !works;
    }
    assert_true(refused > 0 && refused < 40 * SETTINGS);
    buf_release(&text);
}

/* More value groups than chunks, and all of them read: by the one query of a head, and by three. */
static void many_small_value_groups(void **state)
{
    (void)state;
    struct rng rng = {7};
    for (int group = 1; group <= 3; group += 2) {
        struct run r = {.s = {.bytes = kvo_bytes_default(1, 16),
                              .window = 16,
                              .budget = 100000,
                              .clip = 1,
                              .half_pairs = true,
                              .half_numbers = true}};
        struct buf text;
        struct err e = {0};
        buf_init(&text);
        r.s.bytes.key_group = 16, r.s.bytes.chunk = 16;
        r.s.bytes.value_group = r.s.bytes.value_chunk = 2;
        r.shape = (struct kv_shape){1, group, 1, 16};
        put_setting(&r.s, &text);
        r.text = text.s;
        assert_int_equal(read_chain(&r.chain, text.s, &e), 0);
        assert_int_equal(kv_chain_check(&r.chain, &r.shape, true, "test", &e), 0);
        r.seq = sequence_new(r.shape, ROWS_MAX, rng_next(&rng));
        run_steps(&r, 350, 20);
        sequence_release(&r.seq);
        kv_chain_release(&r.chain);
        buf_release(&text);
    }
}

/* What runs as the reference alone is refused by name, with the nearest that can be packed. */
static void what_cannot_be_packed_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *chain, *words[3];
    } cases[] = {
        {"[{\"kvo\":{\"key_group\":64}}]", {"key_group 64", "32 can be packed", "--floats"}},
        {"[{\"kvo\":{\"key_group\":24}}]", {"key_group 24", "16 can be packed", "--floats"}},
        {"[{\"kvo\":{\"window\":48,\"key_chunk\":16,\"value_group\":24}}]",
         {"value_group 24", "key_chunk 16", "value_group 16 can be packed"}},
    };
    const struct kv_shape shape = {3, 3, 3, 32}; // 96 channels: 24 divides them
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kv_chain c;
        struct err e = {0};
        assert_int_equal(read_chain(&c, cases[i].chain, &e), 0);
        if (i == 0) { // 64 needs a number of channels that it divides
            const struct kv_shape wide = {3, 4, 4, 32};
            assert_int_equal(kv_chain_check(&c, &wide, false, "here", &e), 0);
            assert_int_equal(kv_chain_check(&c, &wide, true, "here", &e), -1);
        } else {
            assert_int_equal(kv_chain_check(&c, &shape, false, "here", &e), 0);
            assert_int_equal(kv_chain_check(&c, &shape, true, "here", &e), -1);
        }
        assert_int_equal(e.class, ERR_USER);
        for (int j = 0; j < 3; j++)
            if (!strstr(e.msg, cases[i].words[j]))
                fail_msg("'%s' lacks '%s'", e.msg, cases[i].words[j]);
        kv_chain_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_rows_are_the_references),
        cmocka_unit_test(many_small_value_groups),
        cmocka_unit_test(what_cannot_be_packed_is_named),
    };
    return cmocka_run_group_tests(tests, open_engines, close_engines);
}
