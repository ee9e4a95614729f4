/*
 * Scoring: every metric over made-up predictions, on all threads against one. What an item costs
 * depends on its text; here it is a paragraph (lines of code, a sentence of Chinese) against
 * another that shares half of its words.
 */
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/pool.h"
#include "harness/base/rng.h"
#include "metrics/metric.h"
#include "runner/bench.h"

enum { ITEMS = 64, WORDS = 120, CLASSES = 50 };

struct work {
    const struct metric *metric;
    struct pool *pool, *alone;
    struct buf prediction[ITEMS], truth[ITEMS];
    struct text classes[CLASSES];
    double sum[ITEMS]; // so that no score is left out
};

/* Syllables, or characters that jieba finds words in. */
static void put_word(struct rng *r, bool chinese, struct buf *out)
{
    static const char *const latin[] = {"ka", "to", "mi", "ren", "sol", "vi", "da", "ne"};
    static const char *const han[] = {"中", "国", "人", "民", "大", "学", "生", "活", "北", "京",
                                      "时", "间", "工", "作", "问", "题", "研", "究", "发", "展"};
    if (chinese) {
        buf_str(out, han[rng_below(r, 20)]);
        return;
    }
    for (int i = rng_below(r, 3); i >= 0; i--)
        buf_str(out, latin[rng_below(r, 8)]);
    buf_char(out, rng_below(r, 12) ? ' ' : '.');
}

static void make_item(struct work *w, int i)
{
    struct rng r = {(uint64_t)(7 + i)};
    bool chinese = strstr(w->metric->name, "zh") != NULL;
    buf_init(&w->prediction[i]);
    buf_init(&w->truth[i]);
    if (strstr(w->metric->name, "retrieval"))
        buf_printf(&w->truth[i], "%s%d", chinese ? "段落" : "Paragraph ", 1 + i % 30);
    for (int k = 0; k < WORDS; k++) {
        put_word(&r, chinese, &w->prediction[i]);
        if (k % 10 == 9)
            buf_printf(&w->prediction[i], " %d ", rng_below(&r, 30));
        put_word(&r, chinese, &w->truth[i]);
    }
}

static void score_one(void *arg, int item, int worker)
{
    struct work *w = arg;
    struct err e;
    double x = 0;
    (void)worker;
    w->metric->score(text_buf(&w->prediction[item]), text_buf(&w->truth[item]), w->classes, CLASSES,
                     &x, &e);
    w->sum[item] += x;
}

static double time_pool(struct work *w, struct pool *pool, long n)
{
    double start = clock_seconds();
    for (long i = 0; i < n; i++)
        pool_run(pool, ITEMS, score_one, w);
    return clock_seconds() - start;
}

static double time_all(void *arg, long n)
{
    struct work *w = arg;
    return time_pool(w, w->pool, n);
}

static double time_alone(void *arg, long n)
{
    struct work *w = arg;
    return time_pool(w, w->alone, n);
}

static void compare(struct bench *b, struct work *w)
{
    for (int i = 0; i < ITEMS; i++)
        make_item(w, i);
    for (int i = 0; i < CLASSES; i++)
        w->classes[i] = text_of(i % 2 ? "Country of origin" : "kato");
    struct bench_pair p = {.name = w->metric->name,
                           .unit = "items/s",
                           .against = "one thread",
                           .work_a = ITEMS,
                           .work_b = ITEMS,
                           .a = time_all,
                           .b = time_alone,
                           .arg_a = w,
                           .arg_b = w};
    bench_compare(b, &p);
    for (int i = 0; i < ITEMS; i++) {
        buf_release(&w->prediction[i]);
        buf_release(&w->truth[i]);
    }
}

static int run(struct bench *b, struct err *e)
{
    (void)e;
    struct work w = {.pool = pool_new(b->threads), .alone = pool_new(1)};
    bench_title(b, "all threads");
    for (const struct metric *const *m = metric_all; *m; m++) {
        w.metric = *m;
        compare(b, &w);
    }
    pool_free(w.pool);
    pool_free(w.alone);
    return 0;
}

const struct bench_kind bench_score = {
    .name = "score", .summary = "metrics on all threads against one", .run = run};
