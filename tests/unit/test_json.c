#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

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
    struct json *j = json_read(text_of(" {\"b\": [1, 0.1, 1e300], \"a\": {\"\xc3\xa9\": null}} "), &e);
    buf_init(&b);
    json_put_canonical(&b, j);
    assert_string_equal(b.s, "{\"a\":{\"\xc3\xa9\":null},\"b\":[1,0.1,1e+300]}");
    buf_release(&b);
    json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_hold_u0000),
        cmocka_unit_test(broken_input_is_placed),
        cmocka_unit_test(canonical_form_sorts_and_keeps_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
