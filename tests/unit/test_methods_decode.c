/*
 * StreamingLLM and TOVA against a second implementation in double that is written from the papers'
 * rules.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/decoding.h"

/* ---- StreamingLLM ---- */

static int start_size, recent_size;

/* The authors' evict_for_space: [0, start) and [n - recent + coming, n) stay. */
static void evict_for_space(struct held *h, int coming)
{
    if (h->n + coming <= start_size + recent_size)
        return;
    while (h->n > start_size + recent_size - coming)
        drop(h, start_size);
}

static void room_for_one(struct held *h, int t)
{
    (void)t;
    evict_for_space(h, 1);
}

static void cut_after(struct held *h, int t, int first_head, int n_heads, double w[HEADS][N])
{
    (void)t, (void)first_head, (void)n_heads, (void)w;
    evict_for_space(h, 0);
}

/* A budget of `size` at a prompt. */
static void stream(const char *options, struct rules r, int sinks, int size, int prompt)
{
    char text[160];
    struct held held;
    snprintf(text, sizeof text, "[{\"streamingllm\":{\"budget\":%d,\"sinks\":%d%s}},\"f32\"]", size,
             sinks, options);
    start_size = sinks;
    recent_size = size - sinks;
    append_all(&held, prompt);
    evict_for_space(&held, 0);
    follows(text, &r, &held, prompt);
}

/* Prompts: none, of the sinks alone, shorter than the budget by one, just as long, longer. */
static void stream_at_all_lengths(const char *options, struct rules r)
{
    static const int prompts[] = {0, 1, 4, 29, 30, 31, 90};
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        stream(options, r, 4, 30, prompts[i]);
        stream(options, r, 0, 30, prompts[i]);
        stream(options, r, 29, 30, prompts[i]);
    }
}

static void streamingllm_slides(void **state)
{
    (void)state;
    stream_at_all_lengths("", (struct rules){.before = room_for_one});
    stream_at_all_lengths(",\"cut\":\"after\"", (struct rules){.after = cut_after});
}

static void streamingllm_counts_inside_the_cache(void **state)
{
    (void)state;
    stream_at_all_lengths(",\"positions\":\"cache\"",
                          (struct rules){.in_cache = true, .before = room_for_one});
    stream_at_all_lengths(",\"positions\":\"cache\",\"cut\":\"after\"",
                          (struct rules){.in_cache = true, .after = cut_after});
}

/* kvpress and KVCache-Factory, without and with re-rotation. */
static void streamingllm_once(void **state)
{
    (void)state;
    stream(",\"when\":\"prompt\"", (struct rules){0}, 4, 40, 70);
    stream(",\"when\":\"prompt\"", (struct rules){0}, 4, 40, 39);
    stream(",\"when\":\"prompt\",\"positions\":\"cache\"", (struct rules){.in_cache = true}, 4, 40,
           70);
}

/* A share of a short prompt is less than the sinks: at least one recent token stays. */
static void streamingllm_in_little_room(void **state)
{
    (void)state;
    struct held held;
    append_all(&held, 3);
    start_size = 2;
    recent_size = 1;
    follows("[{\"streamingllm\":{\"kept\":0.25,\"positions\":\"cache\"}},\"f32\"]",
            &(struct rules){.in_cache = true, .before = room_for_one}, &held, 12);
    append_all(&held, 3);
    follows("[{\"streamingllm\":{\"kept\":0.25,\"positions\":\"cache\",\"cut\":\"after\"}},"
            "\"f32\"]",
            &(struct rules){.in_cache = true, .after = cut_after}, &held, 12);
}

/* ---- TOVA ---- */

static int cache_size;
static bool last_forced;

/* The k of largest sum stay. */
static void keep_most(struct held *h, int k)
{
    int stay[N] = {0}, n = 0;
    kept_naive(h->sum, h->n, k, stay);
    for (int i = 0; i < k; i++, n++) {
        h->token[n] = h->token[stay[i]];
        h->sum[n] = h->sum[stay[i]];
    }
    h->n = k;
}

static void mean_decides(struct held *h, int t, int first_head, int n_heads, double w[HEADS][N])
{
    (void)t;
    for (int i = 0; i < h->n; i++) {
        h->sum[i] = 0;
        for (int head = first_head; head < first_head + n_heads; head++)
            h->sum[i] += w[head][i] / n_heads;
    }
    if (last_forced)
        h->sum[h->n - 1] = 2;
    if (h->n > cache_size)
        keep_most(h, cache_size);
}

static void tova_of_size(const char *text, int size, int prompt, bool once)
{
    struct held held;
    double w[HEADS][N] = {0};
    cache_size = size;
    append_all(&held, prompt);
    for (int h = 0; h < HEADS && prompt > 0; h++)
        memcpy(w[h], full[h][prompt - 1], sizeof w[h]);
    if (prompt > 0)
        mean_decides(&held, 0, 0, HEADS, w);
    follows(text, &(struct rules){.after = once ? NULL : mean_decides}, &held, prompt);
}

static void tova(const char *options, int size, int prompt, bool once)
{
    char text[128];
    snprintf(text, sizeof text, "[{\"tova\":{\"budget\":%d%s}},\"f32\"]", size, options);
    tova_of_size(text, size, prompt, once);
}

static void tova_keeps_what_the_last_query_reads(void **state)
{
    (void)state;
    static const int prompts[] = {0, 1, 39, 40, 41, 100};
    last_forced = false;
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        tova("", 40, prompts[i], false);
        tova("", 1, prompts[i], false);
    }
    for (int size = 70; size < 100; size++) // some of those that get nothing stay
        tova("", size, 100, false);
}

static void tova_of_kvpress(void **state)
{
    (void)state;
    last_forced = true;
    for (int size = 1; size < 100; size += 7)
        tova(",\"when\":\"prompt\",\"last\":true", size, 100, true);
    tova(",\"last\":true", 30, 100, false);
}

/* A share is of the prompt; layers before first_layer lose nothing. */
static void tova_of_a_share(void **state)
{
    (void)state;
    last_forced = false;
    tova_of_size("[{\"tova\":{\"kept\":0.3,\"first_layer\":1}},\"f32\"]", 30, 100, false);
    tova_of_size("[{\"tova\":{\"kept\":1,\"first_layer\":1}},\"f32\"]", 100, 100, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamingllm_slides),
        cmocka_unit_test(streamingllm_counts_inside_the_cache),
        cmocka_unit_test(streamingllm_once),
        cmocka_unit_test(streamingllm_in_little_room),
        cmocka_unit_test(tova_keeps_what_the_last_query_reads),
        cmocka_unit_test(tova_of_kvpress),
        cmocka_unit_test(tova_of_a_share),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
