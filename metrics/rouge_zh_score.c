/*
 * Chinese summaries: ROUGE-L F on jieba's words.
 * Source: rouge_zh_score of LongBench's metrics.py. Formula: both texts cut by jieba and joined by
 * single spaces, then as rouge_score; a "." inside a word splits a sentence, 。 does not. Range: 0
 * to 0.999999995.
 */
#include "metrics/jieba.h"
#include "metrics/metric.h"
#include "metrics/rouge_l.h"

/* Measured as that of rouge_score; the official function lies one frame deeper. */
enum { MAX_CALLS = 990 };

static void join_words(struct text t, struct buf *out)
{
    struct words w = {0};
    jieba_cut(t, &w);
    for (size_t i = 0; i < w.n; i++) {
        if (i)
            buf_char(out, ' ');
        buf_text(out, w.word[i]);
    }
    words_release(&w);
}

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    struct buf p, t;
    buf_init(&p);
    buf_init(&t);
    join_words(prediction, &p);
    join_words(truth, &t);
    *out = rouge_l_f(text_buf(&p), text_buf(&t), MAX_CALLS);
    buf_release(&p);
    buf_release(&t);
    return 0;
}

const struct metric metric_rouge_zh_score = {
    .name = "rouge_zh_score",
    .version = 1,
    .summary = "ROUGE-L F of jieba's words (Chinese summaries)",
    .score = score,
};
