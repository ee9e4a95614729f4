#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "harness/base/json.h"

static void strings_hold_u0000(void **state)
{
    (void)state;
    struct err e;
    struct json *j = json_read(text_of("{\"a\": \"x\\u0000y\", \"b\": \"\\\\u0000\"}"), &e);
    assert_non_null(j);
    struct text a = json_string(json_get(j, "a")), b = json_string(json_get(j, "b"));
    assert_true(text_eq(a, (struct text){"x\0y", 3}));
    assert_true(text_is(b, "\\u0000"));
    json_free(j);
}

static void broken_input_is_placed(void **state)
{
    (void)state;
    struct err e;
    assert_null(json_read(text_of("{\"a\": 1,\n \"b\": }"), &e));
    assert_int_equal(e.class, ERR_USER);
    assert_string_equal(e.msg, "line 2, column 7: not valid JSON");
    assert_null(json_read(text_of("{\"a\": 1} x"), &e));
    assert_null(json_read(text_of("\"\xff\""), &e));
    assert_string_equal(e.msg, "line 1, column 2: not valid UTF-8");
    assert_null(json_read(text_of("{\"a\": 1, \"a\": 2}"), &e));
    assert_string_equal(e.msg, "key 'a' appears twice in one object");
}

static void canonical_form_sorts_and_keeps_numbers(void **state)
{
    (void)state;
    struct err e;
    struct buf b;
    struct json *j =
        json_read(text_of(" {\"b\": [1, 0.1, 1e300], \"a\": {\"\xc3\xa9\": null}} "), &e);
    buf_init(&b);
    json_put_canonical(&b, j);
    assert_string_equal(b.s, "{\"a\":{\"\xc3\xa9\":null},\"b\":[1,0.1,1e+300]}");
    buf_release(&b);
    json_free(j);
}

/* root after json_set(path, value), or the message. */
static const char *set(const char *root, const char *path, const char *value)
{
    static struct buf b;
    struct err e;
    struct json *j = json_read(text_of(root), &e);
    if (b.s)
        buf_release(&b);
    buf_init(&b);
    if (json_set(j, path, json_read(text_of(value), &e), &e))
        buf_str(&b, e.msg);
    else
        json_put_canonical(&b, j);
    json_free(j);
    return b.s;
}

static void values_are_put_at_a_path(void **state)
{
    (void)state;
    static const char *const cases[][4] = {
        {"{}", "a", "1", "{\"a\":1}"},
        {"{\"a\": 1, \"b\": 2}", "a", "[2]", "{\"a\":[2],\"b\":2}"},
        {"{\"a\": {\"x\": 1}}", "a.y", "\"z\"", "{\"a\":{\"x\":1,\"y\":\"z\"}}"},
        {"{}", "a.b.c", "null", "{\"a\":{\"b\":{\"c\":null}}}"},
        {"{\"s\": [{\"n\": 1}, {\"n\": 2}, 3]}", "s.1.n", "true",
         "{\"s\":[{\"n\":1},{\"n\":true},3]}"},
        {"{\"s\": [1, 2, 3]}", "s.2", "{}", "{\"s\":[1,2,{}]}"},
        {"{\"s\": [1]}", "s.1", "0", "'s.1': there is no place 's.1'"},
        {"{\"s\": [1]}", "s.x", "0", "'s.x': there is no place 's.x'"},
        {"{\"s\": 1}", "s.x.y", "0", "'s.x.y': there is no place 's.x'"},
        {"{}", "", "0", "'': there is no place ''"},
        {"{}", "a..b", "0", "'a..b': there is no place 'a.'"},
        {"[1]", "0", "2", "[2]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(set(cases[i][0], cases[i][1], cases[i][2]), cases[i][3]);
}

static void numbers_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } cases[] = {{0, "0"},        {0.1, "0.1"},
                 {1e21, "1e+21"}, {0.1 + 0.2, "0.30000000000000004"},
                 {-2.5, "-2.5"},  {HUGE_VAL, "null"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b);
        json_put_number(&b, cases[i].x);
        assert_string_equal(b.s, cases[i].text);
        buf_release(&b);
    }
}

static bool equal(const char *a, const char *b)
{
    struct err e;
    struct json *x = json_read(text_of(a), &e), *y = json_read(text_of(b), &e);
    bool same = json_equal(x, y);
    assert_int_equal(json_equal(y, x), same);
    json_free(x);
    json_free(y);
    return same;
}

static void equal_is_by_value(void **state)
{
    (void)state;
    assert_true(
        equal("{\"a\":[1,{\"b\":null}],\"c\":\"x\"}", "{\"c\":\"x\",\"a\":[1.0,{\"b\":null}]}"));
    assert_true(equal("[]", "[]"));
    assert_false(equal("[1,2]", "[2,1]"));
    assert_false(equal("[1]", "[1,1]"));
    assert_false(equal("1", "true"));
    assert_false(equal("true", "false"));
    assert_false(equal("\"a\"", "\"a\\u0000\""));
    assert_false(equal("{\"a\":1}", "{\"b\":1}"));
}

static void copies_are_their_own(void **state)
{
    (void)state;
    struct err e;
    const char *text = "{\"a\":[1,true,null,\"x\\u0000y\"],\"b\":{\"c\":-2.5}}";
    struct json *first = json_read(text_of(text), &e), *copy = json_dup(json_get(first, "a"));
    struct json *made = json_object_new();
    assert_null(json_key(copy));
    assert_int_equal(json_string(json_at(copy, 3)).n, 3);
    json_add(made, "a", copy);
    json_add(made, "b", json_dup(json_get(first, "b")));
    assert_true(json_equal(made, first));
    json_free(first);
    json_add(made, "s", json_string_new(text_of("t")));
    assert_int_equal(json_length(made), 3);
    struct buf b;
    buf_init(&b);
    json_put_canonical(&b, json_get(made, "b"));
    json_put_canonical(&b, json_get(made, "s"));
    assert_string_equal(b.s, "{\"c\":-2.5}\"t\"");
    buf_release(&b);
    json_free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_hold_u0000),
        cmocka_unit_test(broken_input_is_placed),
        cmocka_unit_test(canonical_form_sorts_and_keeps_numbers),
        cmocka_unit_test(values_are_put_at_a_path),
        cmocka_unit_test(numbers_are_short_and_exact),
        cmocka_unit_test(equal_is_by_value),
        cmocka_unit_test(copies_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
