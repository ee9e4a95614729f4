/*
 * Question answering: F1 of the words of prediction and answer, after SQuAD's normalisation: lower
 * case, ASCII punctuation deleted, the articles a, an, the replaced by a space.
 * Source: qa_f1_score of LongBench's metrics.py. Formula: with p and r the shares of the overlap,
 * 2pr / (p + r), 0 without overlap. Range: 0 to 1.
 */
#include "harness/base/utf8.h"
#include "metrics/metric.h"
#include "metrics/pystr.h"
#include "metrics/words.h"

static void delete_punctuation(struct text t, struct buf *out)
{
    for (size_t i = 0; i < t.n; i++)
        if (!pystr_is_ascii_punctuation((unsigned char)t.s[i]))
            buf_char(out, t.s[i]);
}

static bool is_article(struct text word)
{
    return text_is(word, "a") || text_is(word, "an") || text_is(word, "the");
}

/* End of the run that starts at i and is all \w or all not. */
static size_t run_end(struct text t, size_t i, bool is_word)
{
    while (i < t.n) {
        int len;
        if (pystr_is_word(utf8_at(t.s + i, &len)) != is_word)
            break;
        i += (size_t)len;
    }
    return i;
}

/* \b(a|an|the)\b matches a whole run of \w or nothing, for the articles are all of \w. A combining
 * mark is not, so a decomposed "à" loses its letter here, as it does officially. */
static void replace_articles(struct text t, struct buf *out)
{
    bool is_word = false;
    for (size_t i = 0; i < t.n; is_word = !is_word) {
        size_t end = run_end(t, i, is_word);
        struct text run = {t.s + i, end - i};
        if (is_word && is_article(run))
            buf_char(out, ' ');
        else
            buf_text(out, run);
        i = end;
    }
}

static void normalise(struct text t, struct buf *out)
{
    struct buf lower, plain;
    buf_init(&lower);
    buf_init(&plain);
    pystr_lower(t, &lower);
    delete_punctuation(text_buf(&lower), &plain);
    replace_articles(text_buf(&plain), out);
    buf_release(&plain);
    buf_release(&lower);
}

static int score(struct text prediction, struct text truth, const struct text *classes,
                 size_t n_classes, double *out, struct err *e)
{
    (void)classes, (void)n_classes, (void)e;
    struct buf a, b;
    struct words p = {0}, t = {0};
    buf_init(&a);
    buf_init(&b);
    normalise(prediction, &a);
    normalise(truth, &b);
    words_split(&p, text_buf(&a));
    words_split(&t, text_buf(&b));
    *out = words_f1(&p, &t);
    words_release(&p);
    words_release(&t);
    buf_release(&a);
    buf_release(&b);
    return 0;
}

const struct metric metric_qa_f1_score = {
    .name = "qa_f1_score",
    .version = 1,
    .summary = "F1 of normalised words (question answering)",
    .score = score,
};
