/*
 * Chinese question answering: F1 of jieba's words of prediction and answer.
 * Source: qa_f1_zh_score of LongBench's metrics.py. Formula: each text cut by jieba as it stands,
 * then every word lower-cased, without ASCII and Chinese punctuation and whitespace; of the words
 * that are left, p and r are the shares of the overlap, 2pr / (p + r). Range: 0 to 1.
 */
#include "harness/base/utf8.h"
#include "metrics/jieba.h"
#include "metrics/metric.h"
#include "metrics/pystr.h"

/* The official list, as ranges; "." is ASCII. */
static bool is_chinese_punctuation(uint32_t c)
{
    static const struct {
        uint32_t lo, hi;
    } range[] = {
        {0x2013, 0x2014}, {0x2018, 0x2019}, {0x201B, 0x201F}, {0x2026, 0x2027},
        {0x3001, 0x3003}, {0x300B, 0x3011}, {0x3014, 0x301F}, {0x3030, 0x3030},
        {0x303E, 0x303F}, {0xFE4F, 0xFE4F}, {0xFF01, 0xFF0D}, {0xFF0F, 0xFF0F},
        {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF61}, {0xFF62, 0xFF64},
    };
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (c >= range[i].lo && c <= range[i].hi)
            return true;
    return false;
}

static void normalise(struct text word, struct buf *lower, struct buf *out)
{
    buf_reset(lower);
    pystr_lower(word, lower);
    for (size_t i = 0; i < lower->n;) {
        int len;
        uint32_t c = utf8_at(lower->s + i, &len);
        if (!pystr_is_ascii_punctuation(c) && !is_chinese_punctuation(c) && !pystr_is_space(c))
            buf_add(out, lower->s + i, (size_t)len);
        i += (size_t)len;
    }
}

/* The normalised words of t, in *w as slices of out. */
static void cut(struct text t, struct buf *out, struct words *w)
{
    struct words raw = {0};
    struct buf lower;
    buf_init(&lower);
    jieba_cut(t, &raw);
    for (size_t i = 0; i < raw.n; i++) {
        size_t start = out->n;
        normalise(raw.word[i], &lower, out);
        if (out->n > start)
            words_add(w, (struct text){NULL, out->n - start});
    }
    buf_release(&lower);
    words_release(&raw);
    const char *at = out->s; // which has stopped moving
    for (size_t i = 0; i < w->n; at += w->word[i++].n)
        w->word[i].s = at;
}

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    struct buf a, b;
    struct words p = {0}, t = {0};
    buf_init(&a);
    buf_init(&b);
    cut(prediction, &a, &p);
    cut(truth, &b, &t);
    *out = words_f1(&p, &t);
    words_release(&p);
    words_release(&t);
    buf_release(&a);
    buf_release(&b);
    return 0;
}

const struct metric metric_qa_f1_zh_score = {
    .name = "qa_f1_zh_score",
    .version = 1,
    .summary = "F1 of jieba's words (Chinese question answering)",
    .score = score,
};
