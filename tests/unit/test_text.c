#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/base/near.h"
#include "harness/base/text.h"
#include "harness/base/utf8.h"

static void texts_are_runs_of_bytes(void **state)
{
    (void)state;
    struct text a = {"a\0b", 3}, copy = text_dup(a);
    assert_true(text_eq(a, copy));
    assert_int_equal(copy.s[3], 0);
    free((void *)copy.s);
    assert_false(text_eq(a, (struct text){"a\0c", 3}));
    assert_false(text_is(a, "a"));
    assert_true(text_eq((struct text){NULL, 0}, text_of("")));
}

static void finding(void **state)
{
    (void)state;
    struct text t = {"ab\0abc", 6};
    assert_int_equal(text_find(t, text_of("abc"), 0), 3);
    assert_int_equal(text_find(t, text_of("ab"), 0), 0);
    assert_int_equal(text_find(t, text_of("ab"), 1), 3);
    assert_int_equal(text_find(t, (struct text){"\0a", 2}, 0), 2);
    assert_int_equal(text_find(t, text_of("abcd"), 0), 6);
    assert_int_equal(text_find(t, text_of(""), 4), 4);
    assert_int_equal(text_find(t, text_of("a"), 7), 6);
}

static void a_buf_grows_and_ends_in_nul(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    assert_string_equal(b.s, "");
    for (int i = 0; i < 1000; i++) {
        buf_char(&b, (char)('a' + i % 26));
        assert_int_equal(b.s[b.n], 0);
    }
    assert_int_equal(b.n, 1000);
    assert_int_equal(b.s[999], 'a' + 999 % 26);
    buf_reset(&b);
    buf_add(&b, "x\0y", 3);
    buf_str(&b, "z");
    buf_text(&b, (struct text){"12345", 2});
    assert_true(text_eq(text_buf(&b), (struct text){"x\0yz12", 6}));
    buf_release(&b);
    assert_null(b.s);
}

static void formatted_text_of_any_length(void **state)
{
    (void)state;
    char expected[301];
    struct buf b;
    buf_init(&b);
    for (int width = 0; width < 300; width++) {
        buf_reset(&b);
        buf_printf(&b, "%*d", width, 7);
        memset(expected, ' ', sizeof expected);
        int n = width ? width : 1;
        expected[n - 1] = '7';
        expected[n] = 0;
        assert_string_equal(b.s, expected);
        assert_int_equal(b.n, n);
    }
    buf_release(&b);
}

static void invalid_utf8_is_placed(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t at;
    } cases[] = {
        {"", 0},                                          // nothing is valid
        {"a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", 10},    // 1 to 4 bytes
        {"\xf4\x8f\xbf\xbf\xef\xbf\xbf\xed\x9f\xbf", 10}, // the last of their kinds
        {"a\x80", 1},                                     // continues nothing
        {"a\xc3", 1},                                     // cut
        {"a\xe4\xb8", 1},
        {"a\xf0\x9f\x98", 1},
        {"\xc3\x28", 0},
        {"\xc0\xaf", 0}, // overlong
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xed\xa0\x80", 0},     // a surrogate
        {"\xf4\x90\x80\x80", 0}, // above U+10FFFF
        {"\xf5\x80\x80\x80", 0},
        {"ok\xff", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(utf8_invalid_at(text_of(cases[i].s)), cases[i].at);
    assert_int_equal(utf8_invalid_at((struct text){"a\0b", 3}), 3);
}

static void every_code_point_there_and_back(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char s[4];
        int len;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        int n = utf8_put(s, c);
        assert_int_equal(n, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_invalid_at((struct text){s, (size_t)n}), n);
        assert_int_equal(utf8_at(s, &len), c);
        assert_int_equal(len, n);
    }
}

static void code_points_of_a_text(void **state)
{
    (void)state;
    struct buf b;
    size_t n;
    buf_init(&b);
    buf_code_point(&b, 'a');
    buf_code_point(&b, 0);
    buf_code_point(&b, 0x4E2D);
    buf_code_point(&b, 0x1F600);
    assert_int_equal(utf8_length(text_buf(&b)), 4);
    uint32_t *c = utf8_code_points_new(text_buf(&b), &n);
    assert_int_equal(n, 4);
    assert_int_equal(c[1], 0);
    assert_int_equal(c[2], 0x4E2D);
    assert_int_equal(c[3], 0x1F600);
    free(c);
    c = utf8_code_points_new(text_of(""), &n);
    assert_int_equal(n, 0);
    free(c);
    buf_release(&b);
}

static void the_nearest_name(void **state)
{
    (void)state;
    static const char *const names[] = {"qa_f1_score", "rouge_score", "count_score"};
    char hint[128], word[200];
    assert_string_equal(near_name("rogue_score", names, 3), "rouge_score");
    assert_null(near_name("perplexity", names, 3));
    assert_null(near_name("x", names, 0));
    assert_string_equal(near_hint(hint, "counts_score", names, 3), ", did you mean 'count_score'?");
    assert_string_equal(near_hint(hint, "zzz", names, 3), "");
    memset(word, 'a', sizeof word - 1); // longer than any name that is compared
    word[sizeof word - 1] = 0;
    assert_null(near_name(word, names, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_runs_of_bytes),
        cmocka_unit_test(finding),
        cmocka_unit_test(a_buf_grows_and_ends_in_nul),
        cmocka_unit_test(formatted_text_of_any_length),
        cmocka_unit_test(invalid_utf8_is_placed),
        cmocka_unit_test(every_code_point_there_and_back),
        cmocka_unit_test(code_points_of_a_text),
        cmocka_unit_test(the_nearest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
