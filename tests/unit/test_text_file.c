/*
 * Windows of a text: put together again they are the text, they have the words that were asked for
 * by another way of counting, and their ids are those of the uncut text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "datasets/record.h"
#include "datasets/text_file.h"
#include "harness/base/file.h"
#include "harness/base/rng.h"
#include "harness/base/utf8.h"
#include "runner/command.h"
#include "runner/teacher.h"

static int cut(struct text t, struct text_windows w, size_t limit, struct samples *s, struct err *e)
{
    struct buf lines;
    *s = (struct samples){0};
    buf_init(&lines);
    int rc = text_windows_put(t, "file", &w, limit, &lines, e);
    if (!rc)
        rc = records_read(text_buf(&lines), "windows", 0, s, e);
    buf_release(&lines);
    return rc;
}

/* Pieces between which words are counted: spaces, single ideographs, everything else. */
static void some_text(struct rng *rng, struct buf *out)
{
    static const char *const pieces[] = {" ",    " ",    " ",  "\n", "\n", "  ", "\t",
                                         "\r\n", "\n\n", "a",  "bc", "d",  "e.", "\"",
                                         "é",    "字",   "見", "る", "😀",  "{x}"};
    int n = 1 + (int)rng_below(rng, 300);
    for (int i = 0; i < n; i++)
        buf_str(out, pieces[rng_below(rng, sizeof pieces / sizeof *pieces)]);
}

/* By code points: a word begins at an ideograph, and at what follows a space or an ideograph. */
static int naive_words(struct text t)
{
    size_t n;
    int words = 0;
    bool inside = false;
    uint32_t *c = utf8_code_points_new(t, &n);
    for (size_t i = 0; i < n; i++) {
        bool space = c[i] == ' ' || c[i] == '\n' || c[i] == '\t' || c[i] == '\r';
        bool ideograph = c[i] == U'字' || c[i] == U'見' || c[i] == U'る';
        words += ideograph || (!space && !inside);
        inside = !space && !ideograph;
    }
    free(c);
    return words;
}

static bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The first place to cut at in `from` that has so many words before it, tried one by one. */
static size_t naive_cut(struct text from, int words)
{
    for (size_t i = 1; i + 1 < from.n; i++) {
        bool line = from.s[i] == '\n', space = from.s[i] == ' ' && !blank(from.s[i - 1]);
        if ((line || space) && !blank(from.s[i + 1]) &&
            naive_words((struct text){from.s, i}) >= words)
            return i;
    }
    return 0;
}

static void windows_are_the_text(void **state)
{
    (void)state;
    struct rng rng = {3};
    int windows = 0, refused = 0;
    for (int round = 0; round < 400; round++) {
        struct buf b;
        struct samples s;
        struct err e;
        struct text_windows w = {1 + (int)rng_below(&rng, 9), 1 + (int)rng_below(&rng, 6)};
        buf_init(&b);
        some_text(&rng, &b);
        struct text rest = text_buf(&b);
        int rc = cut(rest, w, 0, &s, &e);
        for (size_t i = 0; !rc && i < s.n; i++) {
            size_t at = naive_cut(rest, w.words);
            assert_true(at > 0);
            size_t end = rest.s[at] == '\n' ? at + 1 : at;
            assert_true(text_eq(s.list[i].context, (struct text){rest.s, end}));
            rest = (struct text){rest.s + at + 1, rest.n - at - 1};
            assert_true(s.list[i].answers[0].n <= rest.n);
            assert_memory_equal(s.list[i].answers[0].s, rest.s, s.list[i].answers[0].n);
            assert_true(naive_words(s.list[i].answers[0]) >= w.answer);
        }
        size_t left = naive_cut(rest, w.words);
        struct text behind = {rest.s + left + 1, left ? rest.n - left - 1 : 0};
        assert_true(left == 0 || naive_words(behind) < w.answer); // none was left out
        windows += rc ? 0 : (int)s.n;
        refused += rc != 0;
        if (!rc)
            samples_release(&s);
        buf_release(&b);
    }
    assert_true(windows > 1000 && refused > 20);
}

static void limits_and_refusals(void **state)
{
    (void)state;
    struct samples s;
    struct err e;
    int rc = cut(text_of("a b c d e f g h"), (struct text_windows){2, 1}, 2, &s, &e);
    assert_int_equal(rc, 0);
    if (rc)
        return; // for the analyzer, which does not know that the line above ends the test
    assert_int_equal(s.n, 2);
    assert_true(text_is(s.list[1].context, "c d"));
    assert_true(text_is(s.list[1].answers[0], "e"));
    samples_release(&s);
    assert_int_equal(cut(text_of("a b  c"), (struct text_windows){2, 1}, 0, &s, &e), -1);
    assert_non_null(strstr(e.msg, "file: no 2 words and 1 behind them"));
    assert_int_equal(cut(text_of(""), (struct text_windows){1, 1}, 0, &s, &e), -1);
    assert_int_equal(cut(text_of("a\nb \xff"), (struct text_windows){1, 1}, 0, &s, &e), -1);
    assert_string_equal(e.msg, "file:2: byte 0xff is not UTF-8: a text file is wanted");
}

/* The context's ids and the reference's, one after the other. */
static void join_ids(const struct model *m, const struct sample *s, struct tokens *out)
{
    struct err e;
    struct teacher t;
    struct taught_prompt prompt = {.ends_line = s->context.s[s->context.n - 1] == '\n'};
    assert_int_equal(tokenizer_encode(model_get_tokenizer(m), s->context, true, out, &e), 0);
    assert_int_equal(teacher_open(&t, JUDGE_NLL, m, s->answers[0], 12, prompt, &e), 0);
    assert_int_equal(t.ids.n, 12);
    for (size_t i = 0; i < t.ids.n; i++)
        tokens_add(out, t.ids.v[i]);
    teacher_release(&t);
}

static void ids_are_of_the_uncut_text(void **state)
{
    (void)state;
    struct err e;
    struct samples s;
    struct text content;
    char *dir = command_path_dup("configs/models/mini"), *path = command_path_dup("README.md");
    struct model_options o = {.threads = 1};
    struct model *m = model_open(dir, &o, &e);
    assert_non_null(m);
    assert_int_equal(file_read(path, &content, &e), 0);
    int rc = cut(content, (struct text_windows){150, 12}, 8, &s, &e);
    assert_int_equal(rc, 0);
    if (rc)
        return;
    assert_int_equal(s.n, 8);
    int lines = 0;
    for (size_t i = 0; i < s.n; i++) {
        struct tokens parts, whole;
        struct buf text;
        bool line = s.list[i].context.s[s.list[i].context.n - 1] == '\n';
        tokens_init(&parts);
        tokens_init(&whole);
        buf_init(&text);
        buf_text(&text, s.list[i].context);
        buf_str(&text, line ? "" : " ");
        buf_text(&text, s.list[i].answers[0]);
        join_ids(m, &s.list[i], &parts);
        assert_int_equal(
            tokenizer_encode(model_get_tokenizer(m), text_buf(&text), true, &whole, &e), 0);
        assert_true(whole.n >= parts.n);
        assert_memory_equal(whole.v, parts.v, parts.n * sizeof *parts.v);
        lines += line;
        tokens_release(&parts);
        tokens_release(&whole);
        buf_release(&text);
    }
    assert_in_range(lines, 1, (int)s.n - 1); // both kinds
    samples_release(&s);
    free((void *)content.s);
    free(dir);
    free(path);
    model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_the_text),
        cmocka_unit_test(limits_and_refusals),
        cmocka_unit_test(ids_are_of_the_uncut_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
