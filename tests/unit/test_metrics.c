/* The rules of the official scorers that are easy to get wrong, each by a case that tells. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "harness/base/utf8.h"
#include "metrics/difflib.h"
#include "metrics/metric.h"

#define COMBINING_GRAVE  "\xcc\x80"
#define ZERO_WIDTH_SPACE "\xe2\x80\x8b"

static double score_text(const char *name, struct text prediction, struct text truth)
{
    struct err e;
    double x = -1;
    const struct metric *m = metric_find(name, &e);
    assert_non_null(m);
    assert_int_equal(m->score(prediction, truth, NULL, 0, &x, &e), 0);
    return x;
}

static double score_of(const char *name, const char *prediction, const char *truth)
{
    return score_text(name, text_of(prediction), text_of(truth));
}

#define assert_same(got, want) assert_true((got) == (want))

static void f1_normalises_in_the_official_order(void **state)
{
    (void)state;
    const char *m = "qa_f1_score";
    assert_same(score_of(m, "The  cat, (sat)!", "a CAT sat"), 1.0);
    assert_same(score_of(m, "well-known_fact", "wellknownfact"), 1.0);
    assert_same(score_of(m, "x!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~y", "xy"), 1.0);
    assert_same(score_of(m, "\xe2\x80\x9cword\xe2\x80\x9d", "word"), 0.0); // curly quotes stay
    assert_same(score_of(m, "x x y", "x z z"), 1.0 / 3);
    assert_same(score_of(m, "", ""), 0.0);
    assert_same(score_of(m, "the", "the"), 0.0);
    assert_same(score_of(m, "a-n x", "x"), 1.0); // punctuation goes before the articles
}

static void articles_end_where_python_ends_words(void **state)
{
    (void)state;
    const char *m = "qa_f1_score";
    assert_same(score_of(m, "a" COMBINING_GRAVE, COMBINING_GRAVE), 1.0);
    assert_same(
        score_of(m, COMBINING_GRAVE "a" COMBINING_GRAVE, COMBINING_GRAVE " " COMBINING_GRAVE),
        1.0);                                                       // a space is left
    assert_same(score_of(m, "a\xe4\xb8\xad", "\xe4\xb8\xad"), 0.0); // CJK is \w
    assert_same(score_of(m, "a\xd9\xa3", "\xd9\xa3"), 0.0);         // so are all digits
    assert_same(score_of(m, "another them", "other m"), 0.0);
    assert_same(score_text(m, (struct text){"a\0b", 3}, (struct text){"\0b", 2}), 1.0);
}

static void f1_splits_at_pythons_whitespace(void **state)
{
    (void)state;
    const char *m = "qa_f1_score";
    assert_same(score_of(m, "x\x1cy", "x y"), 1.0);
    assert_same(score_of(m, "x\xc2\x85y", "x y"), 1.0);
    assert_same(score_of(m, "x\xe3\x80\x80y", "x y"), 1.0);
    assert_same(score_of(m, "x" ZERO_WIDTH_SPACE "y", "x y"), 0.0);
    assert_same(score_of(m, "x\xef\xbb\xbfy", "x y"), 0.0);
}

static void lower_case_is_full_and_knows_the_final_sigma(void **state)
{
    (void)state;
    const char *m = "qa_f1_score";
    assert_same(score_of(m, "\xce\x9f\xce\xa3", "\xce\xbf\xcf\x82"), 1.0); // final
    assert_same(score_of(m, "\xce\xa3", "\xcf\x83"), 1.0);                 // nothing before
    assert_same(score_of(m, "\xce\x9f\xce\xa3'\xce\x9f", "\xce\xbf\xcf\x83\xce\xbf"),
                1.0);                                                       // ' skipped
    assert_same(score_of(m, "\xce\x9f'\xce\xa3", "\xce\xbf\xcf\x82"), 1.0); // before too
    assert_same(score_of(m, "\xc4\xb0", "i\xcc\x87"), 1.0);                 // U+0130
    assert_same(score_of(m, "\xe1\xba\x9e", "\xc3\x9f"), 1.0);
    assert_same(score_of(m, "\xc3\x9f", "ss"), 0.0); // no case folding
}

static double rouge_f(double r, double p)
{
    return 2.0 * ((p * r) / (p + r + 1e-8));
}

static void rouge_splits_at_full_stops_and_counts_sets(void **state)
{
    (void)state;
    const char *m = "rouge_score";
    assert_same(score_of(m, "x y z", "x y z"), rouge_f(1, 1));
    assert_true(score_of(m, "x", "x") < 1);
    assert_same(score_of(m, "x x y", "x y y"), rouge_f(1, 1));
    assert_same(score_of(m, "X y", "x y"), rouge_f(0.5, 0.5));
    /* "b.a" against "a b" is two sentences, so both words are found; "b a" is one. */
    assert_same(score_of(m, "b.a", "a b"), rouge_f(1, 1));
    assert_same(score_of(m, "b a", "a b"), rouge_f(0.5, 0.5));
    assert_same(score_of(m, "b! a", "a b!"), rouge_f(0.5, 0.5));
}

static void rouge_keeps_pieces_of_whitespace(void **state)
{
    (void)state;
    const char *m = "rouge_score";
    assert_same(score_of(m, "", ""), 0.0);
    assert_same(score_of(m, "...", "..."), 0.0);
    assert_same(score_of(m, " ", "\n"), rouge_f(1, 1));
    assert_same(score_of(m, ". . .", "x"), 0.0);
    assert_same(score_of(m, "x. ", "x"), rouge_f(1, 0.5)); // "" is a word of the set
    assert_same(score_of(m, "x.", "x"), rouge_f(1, 1));
}

static void rouge_takes_the_packages_way_on_ties(void **state)
{
    (void)state;
    /* "b a" gives {b}, as "b" does; on a tie the other way it would give {a} and the union both. */
    assert_same(score_of("rouge_score", "b a.b", "a b"), rouge_f(0.5, 0.5));
}

/* n different words, each with the prefix. */
static void put_words(struct buf *b, const char *prefix, int n)
{
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%d ", prefix, i);
}

static double rouge_of_words(const char *p, int n_p, const char *tail_p, const char *t, int n_t,
                             const char *tail_t)
{
    struct buf a, b;
    buf_init(&a);
    buf_init(&b);
    put_words(&a, p, n_p);
    put_words(&b, t, n_t);
    buf_str(&a, tail_p);
    buf_str(&b, tail_t);
    double x = score_text("rouge_score", text_buf(&a), text_buf(&b));
    buf_release(&a);
    buf_release(&b);
    return x;
}

static void rouge_is_zero_past_the_recursion_limit(void **state)
{
    (void)state;
    assert_same(rouge_of_words("w", 990, "", "w", 990, ""), rouge_f(1, 1));
    assert_same(rouge_of_words("w", 991, "", "w", 991, ""), 0.0);
    /* Steps without a match count as well, and one such pair spoils all. */
    assert_true(rouge_of_words("u", 990, ".y", "w", 1, ".y") > 0);
    assert_same(rouge_of_words("u", 991, ".y", "w", 1, ".y"), 0.0);
    /* The walk leaves a short prediction at once, however long the reference. */
    assert_true(rouge_of_words("u", 1, ".y", "w", 3000, ".y") > 0);
}

static double classify(const char *prediction, const char *truth, const char *const *names, int n)
{
    struct text classes[8];
    struct err e;
    double x = -1;
    for (int i = 0; i < n; i++)
        classes[i] = text_of(names[i]);
    const struct metric *m = metric_find("classification_score", &e);
    assert_int_equal(m->score(text_of(prediction), text_of(truth), classes, (size_t)n, &x, &e), 0);
    return x;
}

static void classification_removes_while_it_walks(void **state)
{
    (void)state;
    const char *nested[] = {"a", "ab", "abc"}, *apart[] = {"a", "x", "ab"}, *twice[] = {"x", "x"};
    assert_same(classify("abc", "abc", nested, 3), 0.5); // "ab" is jumped over
    assert_same(classify("ab", "ab", nested, 3), 1.0);   // "a" goes, "ab" is the answer
    assert_same(classify("ab x", "ab", apart, 3), 0.5);  // "a" goes, "x" stays
    assert_same(classify("x", "x", twice, 2), 0.5);      // doubles count
    assert_same(classify("AB", "ab", apart, 3), 0.0);    // case counts
    assert_same(classify("", "ab", apart, 3), 0.0);
    assert_same(classify("x", "x", twice, 0), 0.0);
}

static void classification_needs_classes(void **state)
{
    (void)state;
    struct err e;
    double x;
    const struct metric *m = metric_find("classification_score", &e);
    assert_int_equal(m->score(text_of("x"), text_of("x"), NULL, 0, &x, &e), -1);
    assert_int_equal(e.class, ERR_ITEM);
}

static void retrieval_compares_digits_as_strings(void **state)
{
    (void)state;
    const char *m = "retrieval_score", *three = "Paragraph 3";
    assert_same(score_of(m, "Paragraph 3", three), 1.0);
    assert_same(score_of(m, "3 or 13 or 3.3", three), 3.0 / 4);
    assert_same(score_of(m, "03", three), 0.0);
    assert_same(score_of(m, "3 \xd9\xa3 \xef\xbc\x93", three), 1.0 / 3); // other scripts count
    assert_same(score_of(m, "3\xd9\xa3", three), 0.0);                   // and join
    assert_same(score_of(m, "3\xc2\xb2", three), 1.0);                   // superscript two is no \d
    assert_same(score_of(m, "none", three), 0.0);
    assert_same(score_of(m, "7", "Paragraph x, Paragraph 7, Paragraph 8"), 1.0);
    struct err e;
    double x;
    assert_int_equal(
        metric_find(m, &e)->score(text_of("3"), text_of("paragraph 3"), NULL, 0, &x, &e), -1);
    assert_int_equal(e.class, ERR_ITEM);
}

static void count_compares_with_the_whole_answer(void **state)
{
    (void)state;
    assert_same(score_of("count_score", "12, 5 and 12", "12"), 2.0 / 3);
    assert_same(score_of("count_score", "12", "12 "), 0.0);
    assert_same(score_of("count_score", "", ""), 0.0);
}

static void code_is_the_first_line_that_is_no_comment(void **state)
{
    (void)state;
    const char *m = "code_sim_difflib";
    assert_same(score_of(m, "\n\n```c\n# x\nx // y\nreturn 1;\nreturn 2;", "return 1;"), 1.0);
    assert_same(score_of(m, "x\r\ny", "x\r"), 1.0);
    assert_same(score_of(m, "x\xe2\x80\xa8y", "x\xe2\x80\xa8y"), 1.0);
    assert_same(score_of(m, "# x", ""), 1.0); // equal, both empty
    assert_same(score_of(m, "# x", "y"), 0.0);
    assert_same(score_of(m, " \nx", "x"), 0.0); // a line of blanks is a line
}

static void percents_round_half_to_even(void **state)
{
    (void)state;
    const char *m = "code_sim_difflib";
    assert_same(score_of(m, "xabcdefg", "xhijklmn"), 0.12); // 12.5
    assert_same(score_of(m, "xyzabcde", "xyzhijkl"), 0.38); // 37.5
}

static double ratio_of(const char *a, const char *b)
{
    size_t na, nb;
    uint32_t *x = utf8_code_points_new(text_of(a), &na);
    uint32_t *y = utf8_code_points_new(text_of(b), &nb);
    double r = difflib_ratio(x, na, y, nb);
    free(x);
    free(y);
    return r;
}

static void difflib_is_not_symmetric(void **state)
{
    (void)state;
    assert_same(ratio_of("tide", "diet"), 0.25);
    assert_same(ratio_of("diet", "tide"), 0.5);
    assert_same(ratio_of("\xe4\xb8\xad", "\xe4\xb8\xad"), 1.0);
    assert_same(ratio_of("", ""), 1.0);
}

/* The definition, without an index: every cell of the table of runs. */
static bool popular(const uint32_t *b, size_t nb, uint32_t c)
{
    size_t n = 0;
    for (size_t j = 0; j < nb; j++)
        n += b[j] == c;
    return nb >= 200 && n > nb / 100 + 1;
}

static size_t run_before(const uint32_t *a, size_t alo, size_t i, const uint32_t *b, size_t blo,
                         size_t j, size_t nb)
{
    size_t k = 0;
    while (i >= alo + k && j >= blo + k && a[i - k] == b[j - k] && !popular(b, nb, b[j - k])) {
        k++;
        if (k > i || k > j)
            break;
    }
    return k;
}

static size_t plain_matching(const uint32_t *a, size_t alo, size_t ahi, const uint32_t *b,
                             size_t blo, size_t bhi, size_t nb)
{
    size_t bi = alo, bj = blo, size = 0;
    for (size_t i = alo; i < ahi; i++)
        for (size_t j = blo; j < bhi; j++) {
            size_t k = run_before(a, alo, i, b, blo, j, nb);
            if (k > size)
                bi = i + 1 - k, bj = j + 1 - k, size = k;
        }
    while (bi > alo && bj > blo && a[bi - 1] == b[bj - 1])
        bi--, bj--, size++;
    while (bi + size < ahi && bj + size < bhi && a[bi + size] == b[bj + size])
        size++;
    return size ? size + plain_matching(a, alo, bi, b, blo, bj, nb) +
                      plain_matching(a, bi + size, ahi, b, bj + size, bhi, nb)
                : 0;
}

static void fill(struct rng *r, uint32_t *x, size_t n, int letters)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (uint32_t)rng_below(r, letters);
}

static void difflib_equals_its_plain_twin(void **state)
{
    (void)state;
    struct rng r = {1};
    uint32_t a[40], b[230];
    for (int round = 0; round < 300; round++) {
        size_t na = 1 + (size_t)rng_below(&r, 40);
        size_t nb = round % 10 ? 1 + (size_t)rng_below(&r, 30) : 198 + (size_t)rng_below(&r, 30);
        int letters = round % 10 ? 2 + rng_below(&r, 5) : 70;
        fill(&r, a, na, letters);
        fill(&r, b, nb, letters);
        double want = 2.0 * (double)plain_matching(a, 0, na, b, 0, nb, nb) / (double)(na + nb);
        assert_same(difflib_ratio(a, na, b, nb), want);
    }
}

static void autojunk_starts_at_200(void **state)
{
    (void)state;
    uint32_t a[100], b[200];
    for (uint32_t i = 0; i < 200; i++)
        a[i % 100] = b[i] = i % 2;
    a[0] = 7; // or the empty block at the start would be extended
    assert_same(difflib_ratio(a, 100, b, 199), 2.0 * 99 / 299);
    assert_same(difflib_ratio(a, 100, b, 200), 0.0);
}

/* A block a pair of elements: as many as there can be, each found in what remains of the text. It
 * costs blocks * length here; a table of all pairs a block would take hours. */
static void difflib_is_fast_on_long_text(void **state)
{
    (void)state;
    enum { N = 10000 };
    uint32_t *a = xmalloc(N * sizeof *a), *b = xmalloc(N * sizeof *b);
    for (uint32_t i = 0; i < N; i++) {
        a[i] = i % 2 ? N + i : i;
        b[i] = i % 2 ? 2 * N + i : i;
    }
    double start = clock_seconds();
    assert_same(difflib_ratio(a, N, b, N), 0.5);
    assert_true(clock_seconds() - start < 20);
    free(a);
    free(b);
}

static void item_is_the_best_of_its_answers(void **state)
{
    (void)state;
    struct err e;
    double x = -1;
    const struct metric *m = metric_find("qa_f1_score", &e);
    const struct text answers[] = {{"no", 2}, {"yes", 3}, {"or", 2}};
    assert_int_equal(metric_item(m, text_of("yes"), false, answers, 3, NULL, 0, &x, &e), 0);
    assert_same(x, 1.0);
    assert_int_equal(metric_item(m, text_of("yes"), false, answers, 0, NULL, 0, &x, &e), 0);
    assert_same(x, 0.0);
    m = metric_find("retrieval_score", &e);
    assert_int_equal(metric_item(m, text_of("1"), false, answers, 3, NULL, 0, &x, &e), -1);
    assert_non_null(strstr(e.msg, "answer 1"));
}

static void first_line_ends_at_newline_only(void **state)
{
    (void)state;
    struct err e;
    double x = -1;
    const struct metric *m = metric_find("qa_f1_score", &e);
    const struct text yes = {"yes", 3}, both = {"yes no", 6};
    assert_int_equal(metric_item(m, text_of("\n\nyes\nno"), true, &yes, 1, NULL, 0, &x, &e), 0);
    assert_same(x, 1.0);
    assert_int_equal(metric_item(m, text_of("\n\nyes\nno"), false, &both, 1, NULL, 0, &x, &e), 0);
    assert_same(x, 1.0);
    assert_int_equal(metric_item(m, text_of("yes\rno"), true, &both, 1, NULL, 0, &x, &e), 0);
    assert_same(x, 1.0);
    assert_int_equal(metric_item(m, text_of(" \nyes"), true, &yes, 1, NULL, 0, &x, &e), 0);
    assert_same(x, 0.0); // only leading newlines go
}

/* Every metric on every pair of these: in range, and the same again. */
static void every_metric_keeps_the_contract(void **state)
{
    (void)state;
    static const struct text odd[] = {
        {"", 0},
        {"\0", 1},
        {"\n", 1},
        {" . ", 3},
        {"Paragraph 3 \xe6\xae\xb5\xe8\x90\xbd"
         "3",
         19},
        {"the \xf0\x9f\x98\x80 a\xcc\x80", 12},
        {"x = 1\ny", 7},
    };
    enum { N = sizeof odd / sizeof *odd };
    struct err e;
    for (const struct metric *const *m = metric_all; *m; m++) {
        assert_ptr_equal(metric_find((*m)->name, &e), *m);
        assert_true((*m)->version >= 1 && (*m)->summary[0]);
        for (int i = 0; i < N * N; i++) {
            double x = -1, again = -2;
            if ((*m)->score(odd[i / N], odd[i % N], odd, N, &x, &e)) {
                assert_int_equal(e.class, ERR_ITEM);
                continue;
            }
            assert_true(x >= 0 && x <= 1);
            assert_int_equal((*m)->score(odd[i / N], odd[i % N], odd, N, &again, &e), 0);
            assert_same(x, again);
        }
    }
}

static void unknown_names_get_the_nearest(void **state)
{
    (void)state;
    struct err e;
    assert_null(metric_find("rogue_score", &e));
    assert_int_equal(e.class, ERR_USER);
    assert_non_null(strstr(e.msg, "did you mean 'rouge_score'?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f1_normalises_in_the_official_order),
        cmocka_unit_test(articles_end_where_python_ends_words),
        cmocka_unit_test(f1_splits_at_pythons_whitespace),
        cmocka_unit_test(lower_case_is_full_and_knows_the_final_sigma),
        cmocka_unit_test(rouge_splits_at_full_stops_and_counts_sets),
        cmocka_unit_test(rouge_keeps_pieces_of_whitespace),
        cmocka_unit_test(rouge_takes_the_packages_way_on_ties),
        cmocka_unit_test(rouge_is_zero_past_the_recursion_limit),
        cmocka_unit_test(classification_removes_while_it_walks),
        cmocka_unit_test(classification_needs_classes),
        cmocka_unit_test(retrieval_compares_digits_as_strings),
        cmocka_unit_test(count_compares_with_the_whole_answer),
        cmocka_unit_test(code_is_the_first_line_that_is_no_comment),
        cmocka_unit_test(percents_round_half_to_even),
        cmocka_unit_test(difflib_is_not_symmetric),
        cmocka_unit_test(difflib_equals_its_plain_twin),
        cmocka_unit_test(autojunk_starts_at_200),
        cmocka_unit_test(difflib_is_fast_on_long_text),
        cmocka_unit_test(item_is_the_best_of_its_answers),
        cmocka_unit_test(first_line_ends_at_newline_only),
        cmocka_unit_test(every_metric_keeps_the_contract),
        cmocka_unit_test(unknown_names_get_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
