/* Grids and ablations written out as settings, and the combinations below them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "runner/product.h"
#include "runner/sweep.h"
#include "runner/sweep_key.h"

enum { MOST = 1024 };

static struct json *read(const char *text)
{
    struct err e;
    struct json *j = json_read(text_of(text), &e);
    if (!j)
        fail_msg("%s: %s", text, e.msg);
    return j;
}

/* All settings as text, one a line, with what they vary. */
static struct buf expanded(const char *settings)
{
    struct json *list = read(settings);
    struct sweep s;
    struct err e;
    struct buf b;
    buf_init(&b);
    if (sweep_expand(&s, list, MOST, "test", &e))
        fail_msg("%s", e.msg);
    for (int i = 0; i < s.n; i++) {
        buf_printf(&b, "%d %s %s ", s.list[i].place, s.list[i].ablation, s.list[i].factor);
        json_put_canonical(&b, s.list[i].entry);
        buf_char(&b, '\n');
    }
    sweep_release(&s);
    json_free(list);
    return b;
}

static void expands_to(const char *settings, const char *want)
{
    struct buf b = expanded(settings);
    assert_string_equal(b.s, want);
    buf_release(&b);
}

static void is_refused(const char *settings, int most, const char *why)
{
    struct json *list = read(settings);
    struct sweep s;
    struct err e;
    if (!sweep_expand(&s, list, most, "test", &e))
        fail_msg("%s is taken", settings);
    assert_int_equal(e.class, ERR_USER);
    if (!strstr(e.msg, why))
        fail_msg("'%s' does not say '%s'", e.msg, why);
    assert_int_equal(s.n, 0);
    json_free(list);
}

static void plain_settings_stay(void **state)
{
    (void)state;
    expands_to("[{\"name\":\"{x}\",\"chain\":[\"full\"]}]",
               "0   {\"chain\":[\"full\"],\"name\":\"{x}\"}\n");
}

static void options_are_put_in_the_chain(void **state)
{
    (void)state;
    expands_to("[{\"name\":\"k{window}\",\"chain\":[\"kvo\"],\"weights\":{\"group\":64},"
               "\"grid\":{\"window\":[32],\"weights.bits\":[4]}}]",
               "0   {\"chain\":[{\"kvo\":{\"window\":32}}],\"name\":\"k32 weights.bits=4\","
               "\"weights\":{\"bits\":4,\"group\":64}}\n");
}

static void grid_and_zip_multiply(void **state)
{
    (void)state;
    struct buf b = expanded("[{\"name\":\"k\",\"chain\":[\"kvo\"],\"grid\":{\"window\":[32,64]},"
                            "\"zip\":{\"key_bits\":[2,3,4],\"value_bits\":[2,3,4]},"
                            "\"exclude\":[{\"window\":64,\"key_bits\":2,\"value_bits\":2}]}]");
    int lines = 0;
    for (const char *p = b.s; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 5);
    assert_non_null(strstr(b.s, "k window=32 key_bits=4 value_bits=4"));
    assert_null(strstr(b.s, "k window=64 key_bits=2 value_bits=2"));
    buf_release(&b);
}

static void an_ablation_knows_its_factors(void **state)
{
    (void)state;
    expands_to(
        "[{\"ablation\":\"a\",\"base\":{\"name\":\"b\",\"chain\":[\"kvo\"]},"
        "\"vary\":{\"key_bits\":[2],\"chain\":[[\"full\"]]}}]",
        "0 a  {\"chain\":[\"kvo\"],\"name\":\"b\"}\n"
        "0 a kvo.key_bits {\"chain\":[{\"kvo\":{\"key_bits\":2}}],\"name\":\"b key_bits=2\"}\n"
        "0 a chain {\"chain\":[\"full\"],\"name\":\"b chain=full\"}\n");
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *why;
    } bad[] = {
        {"[1]", "test: settings[0]: is a number"},
        {"[{\"chain\":[\"full\"]}]", "settings[0]: key 'name' is missing"},
        {"[{\"name\":1,\"chain\":[\"full\"]}]", "key 'name' is a number"},
        {"[{\"name\":\"x\",\"chain\":\"full\"}]", "key 'chain' is a string"},
        {"[{\"name\":\"x\",\"chain\":[\"full\"],\"grid\":[1]}]", "key 'grid' must be an object"},
        {"[{\"name\":\"x\",\"chain\":[\"fulll\"],\"grid\":{\"a\":[1]}}]", "unknown method 'fulll'"},
        {"[{\"name\":\"x\",\"chain\":[\"full\"],\"weights\":4,\"grid\":{\"weights.bits\":[4]}}]",
         "key 'weights' is a number"},
        {"[{\"name\":\"x\",\"grid\":{\"chain\":[\"full\"],\"weights.bits\":[4]}}]",
         "a chain is a list"},
        {"[{\"ablation\":1,\"base\":\"x\",\"vary\":{}}]", "key 'ablation' is a number"},
        {"[{\"ablation\":\"\",\"base\":\"x\",\"vary\":{}}]", "key 'ablation' must have from 1"},
        {"[{\"ablation\":\"a\",\"base\":{\"name\":\"x\"},\"vary\":{\"a\":[1]}}]",
         "base: key 'chain' is missing"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is_refused(bad[i].settings, MOST, bad[i].why);
}

static void the_most_is_the_most(void **state)
{
    (void)state;
    const char *three = "[{\"name\":\"k\",\"chain\":[\"kvo\"],\"grid\":{\"key_bits\":[2,3,4]}}]";
    struct buf b = expanded(three);
    assert_non_null(strstr(b.s, "key_bits=4"));
    buf_release(&b);
    is_refused(three, 2, "settings[0]: makes 3 settings, at most 2 are allowed");
}

/* No chain of today has one option in two methods that go together: a made-up one has. */
static void an_option_of_two_methods_is_ambiguous(void **state)
{
    (void)state;
    struct err e;
    struct kv_chain c = {.n = 2};
    struct sweep_key k;
    c.links[0].method = kv_method_find("q8", &e);
    c.links[1].method = kv_method_find("kvo", &e);
    assert_int_equal(sweep_key_find(&k, "pairs", &c, "test", &e), -1);
    assert_string_equal(e.msg, "test: key 'pairs' is an option of several methods: write "
                               "'q8.pairs' or 'kvo.pairs'");
    assert_int_equal(sweep_key_find(&k, "kvo.pairs", &c, "test", &e), 0);
    assert_int_equal(k.link, 1);
    assert_int_equal(sweep_key_find(&k, "group", &c, "test", &e), 0);
    assert_string_equal(k.factor, "q8.group");
    assert_int_equal(k.link, 0);
}

static void combinations_go_with_the_last_list_fastest(void **state)
{
    (void)state;
    struct json *o = read("{\"a\":[1,2],\"b\":5,\"c\":[\"x\",\"y\",\"z\"]}");
    static const char *const want[] = {
        "{\"a\":1,\"b\":5,\"c\":\"x\"}", "{\"a\":1,\"b\":5,\"c\":\"y\"}",
        "{\"a\":1,\"b\":5,\"c\":\"z\"}", "{\"a\":2,\"b\":5,\"c\":\"x\"}",
        "{\"a\":2,\"b\":5,\"c\":\"y\"}", "{\"a\":2,\"b\":5,\"c\":\"z\"}"};
    assert_int_equal(product_count(o), 6);
    for (size_t i = 0; i < 6; i++) {
        struct json *point = product_at(o, i);
        struct buf b;
        buf_init(&b);
        json_put_canonical(&b, point);
        assert_string_equal(b.s, want[i]);
        buf_release(&b);
        json_free(point);
    }
    json_free(o);
}

static void an_object_without_lists_is_one(void **state)
{
    (void)state;
    struct json *o = read("{\"a\":{\"b\":[1,2]}}");
    assert_int_equal(product_count(o), 1);
    struct json *point = product_at(o, 0);
    assert_true(json_equal(o, point));
    json_free(point);
    json_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_settings_stay),
        cmocka_unit_test(options_are_put_in_the_chain),
        cmocka_unit_test(grid_and_zip_multiply),
        cmocka_unit_test(an_ablation_knows_its_factors),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(the_most_is_the_most),
        cmocka_unit_test(an_option_of_two_methods_is_ambiguous),
        cmocka_unit_test(combinations_go_with_the_last_list_fastest),
        cmocka_unit_test(an_object_without_lists_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
