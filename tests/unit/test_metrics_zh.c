/* The Chinese metrics and the Levenshtein back-end: the rules that are easy to get wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/rng.h"
#include "metrics/lcs.h"
#include "metrics/metric.h"
#include "metrics/rouge_l.h"

#define assert_same(got, want) assert_true((got) == (want))

static double score_of(const char *name, const char *prediction, const char *truth)
{
    struct err e;
    double x = -1;
    const struct metric *m = metric_find(name, &e);
    assert_non_null(m);
    assert_int_equal(m->score(text_of(prediction), text_of(truth), NULL, 0, &x, &e), 0);
    return x;
}

static double rouge_f(double r, double p)
{
    return 2.0 * ((p * r) / (p + r + 1e-8));
}

static void f1_cuts_first_and_normalises_each_word(void **state)
{
    (void)state;
    const char *m = "qa_f1_zh_score";
    assert_same(score_of(m, "北京。", "北京"), 1.0);
    assert_same(score_of(m, "「北京」、上海……", "上海 北京"), 1.0);
    assert_same(score_of(m, "《", ""), 0.0);                       // the list does not have U+300A,
    assert_same(score_of(m, "《", "《"), 1.0);                     // which stays a word,
    assert_same(score_of(m, "》x", "x"), 1.0);                     // but has U+300B
    assert_same(score_of(m, "ABC", "abc"), 1.0);                   // lower case
    assert_same(score_of(m, "the x", "x"), 2.0 * (0.5 * 1) / 1.5); // articles stay
    assert_same(score_of(m, "a-b", "ab"), 0.0);                    // cut before "-" goes
    assert_same(score_of(m, "", ""), 0.0);
    assert_same(score_of(m, "。", "。"), 0.0);
}

static void rouge_joins_words_by_spaces(void **state)
{
    (void)state;
    const char *m = "rouge_zh_score";
    assert_same(score_of(m, "北京", "北京"), rouge_f(1, 1));
    assert_same(score_of(m, "上海北京", "北京上海"), rouge_f(0.5, 0.5)); // one sentence
    assert_same(score_of(m, "上海。北京", "北京。上海"), rouge_f(1.0 / 3, 1.0 / 3));
    assert_same(score_of(m, "上海.北京", "北京.上海"), rouge_f(1, 1)); // "." splits
    assert_same(score_of(m, "", ""), 0.0);
}

/* n different characters that no dictionary joins. */
static double rouge_of_characters(int n)
{
    struct err e;
    struct buf b;
    double x = -1;
    buf_init(&b);
    for (int i = 0; i < n; i++)
        buf_printf(&b, "%d ", i); // " " is a word, but joined by " " it is lost
    const struct metric *m = metric_find("rouge_zh_score", &e);
    assert_int_equal(m->score(text_buf(&b), text_buf(&b), NULL, 0, &x, &e), 0);
    buf_release(&b);
    return x;
}

static void rouge_has_a_recursion_limit_of_its_own(void **state)
{
    (void)state;
    assert_same(rouge_of_characters(989), rouge_f(1, 1));
    assert_same(rouge_of_characters(990), 0.0);
}

static void retrieval_looks_for_the_chinese_label(void **state)
{
    (void)state;
    const char *m = "retrieval_zh_score";
    assert_same(score_of(m, "段落3", "段落3"), 1.0);
    assert_same(score_of(m, "3或13", "段落3"), 0.5);
    assert_same(score_of(m, "３", "段落３"), 1.0); // any script, as a string
    assert_same(score_of(m, "无", "段落3"), 0.0);
    struct err e;
    double x;
    const struct metric *zh = metric_find(m, &e);
    assert_int_equal(zh->score(text_of("3"), text_of("Paragraph 3"), NULL, 0, &x, &e), -1);
    assert_int_equal(e.class, ERR_ITEM);
}

static void the_back_ends_differ(void **state)
{
    (void)state;
    const char *m = "code_sim_levenshtein";
    assert_same(score_of(m, "tide", "diet"), 0.5); // difflib: 0.25
    assert_same(score_of("code_sim_difflib", "tide", "diet"), 0.25);
    assert_same(score_of(m, "diet", "tide"), 0.5);
    assert_same(score_of(m, "# x\nabc", "abc"), 1.0);
    assert_same(score_of(m, "xabcdefg", "xhijklmn"), 0.12); // 12.5, half to even
    assert_same(score_of(m, "", "x"), 0.0);
    assert_same(score_of(m, "", ""), 1.0);
}

static size_t plain_lcs(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny)
{
    size_t row[201] = {0};
    for (size_t i = 0; i < nx; i++)
        for (size_t j = 1, diagonal = 0; j <= ny; j++) {
            size_t above = row[j], longer = above > row[j - 1] ? above : row[j - 1];
            row[j] = x[i] == y[j - 1] ? diagonal + 1 : longer;
            diagonal = above;
        }
    return row[ny];
}

static void lcs_equals_its_plain_twin(void **state)
{
    (void)state;
    struct rng r = {5};
    uint32_t x[200], y[200];
    for (int round = 0; round < 1000; round++) {
        size_t nx = (size_t)rng_below(&r, 201), ny = (size_t)rng_below(&r, 201);
        int letters = 1 + rng_below(&r, round % 2 ? 4 : 100);
        for (size_t i = 0; i < 200; i++) {
            x[i] = (uint32_t)rng_below(&r, letters);
            y[i] = (uint32_t)rng_below(&r, letters);
        }
        assert_int_equal(lcs_length(x, nx, y, ny), plain_lcs(x, nx, y, ny));
    }
}

/* The package's way on whole tables: the union of the words on all pairs' recovered sequences. */
enum { WORDS = 30 };

static void plain_walk(const char *x, size_t nx, const char *y, size_t ny, bool *seen)
{
    size_t t[WORDS + 1][WORDS + 1] = {{0}};
    for (size_t i = 1; i <= nx; i++)
        for (size_t j = 1; j <= ny; j++)
            t[i][j] = x[i - 1] == y[j - 1]        ? t[i - 1][j - 1] + 1
                      : t[i - 1][j] > t[i][j - 1] ? t[i - 1][j]
                                                  : t[i][j - 1];
    for (size_t i = nx, j = ny; i && j;) {
        if (x[i - 1] == y[j - 1])
            seen[(unsigned char)x[i - 1]] = true, i--, j--;
        else if (t[i - 1][j] > t[i][j - 1])
            i--;
        else
            j--;
    }
}

/* Words of one letter; every sentence begins with a z, by which its letters show. */
static void make_sentences(struct rng *r, char *letters, struct buf *text, int n_letters)
{
    int n = 1 + rng_below(r, WORDS);
    for (int i = 0; i < n; i++) {
        bool begins = i == 0 || rng_below(r, 6) == 0;
        letters[i] = (char)(begins ? 'z' : 'a' + rng_below(r, n_letters));
        buf_printf(text, "%s%c ", begins ? "." : "", letters[i]);
    }
    letters[n] = 0;
}

static double plain_rouge(const char *p, const char *t)
{
    bool seen[256] = {false}, of_p[256] = {false}, of_t[256] = {false};
    double found = 0, n_p = 0, n_t = 0;
    for (const char *x = t; *x; x += strcspn(x + 1, "z") + 1)
        for (const char *y = p; *y; y += strcspn(y + 1, "z") + 1)
            plain_walk(x, strcspn(x + 1, "z") + 1, y, strcspn(y + 1, "z") + 1, seen);
    for (int i = 0; p[i]; i++)
        of_p[(unsigned char)p[i]] = true;
    for (int i = 0; t[i]; i++)
        of_t[(unsigned char)t[i]] = true;
    for (int c = 0; c < 256; c++)
        found += seen[c], n_p += of_p[c], n_t += of_t[c];
    return rouge_f(found / n_t, found / n_p);
}

static void rouge_equals_its_plain_twin(void **state)
{
    (void)state;
    struct rng r = {9};
    for (int round = 0; round < 3000; round++) {
        char p[WORDS + 1], t[WORDS + 1];
        struct buf a, b;
        buf_init(&a);
        buf_init(&b);
        int letters = 2 + rng_below(&r, 12);
        make_sentences(&r, p, &a, letters);
        make_sentences(&r, t, &b, letters);
        assert_same(rouge_l_f(text_buf(&a), text_buf(&b), 991), plain_rouge(p, t));
        buf_release(&a);
        buf_release(&b);
    }
}

/* The inputs that cost most of those we know, at 5000 code points a side. */
static void put_worst(struct buf *b, struct rng *r, int kind)
{
    for (int i = 0; i < 5000; i++)
        switch (kind) {
        case 0: // every letter just short of popular
            buf_printf(b, "%c", '!' + rng_below(r, 94));
            break;
        case 1: // sentences of one word
            buf_str(b, i % 2 ? "." : (const char *[]){"中", "国", "a", "b", "的"}[rng_below(r, 5)]);
            break;
        default: // words of one letter
            buf_char(b, (char)(i % 2 ? ' ' : 'a' + rng_below(r, 26)));
        }
}

static void the_worst_inputs_are_fast(void **state)
{
    (void)state;
    struct rng r = {1};
    struct err e;
    for (int kind = 0; kind < 3; kind++) {
        struct buf a, b;
        buf_init(&a);
        buf_init(&b);
        put_worst(&a, &r, kind);
        put_worst(&b, &r, kind);
        for (const struct metric *const *m = metric_all; *m; m++) {
            double x, start = clock_seconds();
            (*m)->score(text_buf(&a), text_buf(&b), NULL, 0, &x, &e);
            assert_true(clock_seconds() - start < 2); // 50 ms, and room for sanitizers
        }
        buf_release(&a);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f1_cuts_first_and_normalises_each_word),
        cmocka_unit_test(rouge_joins_words_by_spaces),
        cmocka_unit_test(rouge_has_a_recursion_limit_of_its_own),
        cmocka_unit_test(retrieval_looks_for_the_chinese_label),
        cmocka_unit_test(the_back_ends_differ),
        cmocka_unit_test(lcs_equals_its_plain_twin),
        cmocka_unit_test(rouge_equals_its_plain_twin),
        cmocka_unit_test(the_worst_inputs_are_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
