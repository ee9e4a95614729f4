#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/regex.h"
#include "harness/base/rng.h"

/* The first values of Vigna's splitmix64.c for two states. */
static void splitmix64(void **state)
{
    (void)state;
    static const uint64_t from_0[] = {0xE220A8397B1DCDAFu, 0x6E789E6AA1B965F4u, 0x06C45D188009454Fu,
                                      0xF88BB8A8724C81ECu};
    static const uint64_t from_1234567[] = {6457827717110365317u, 3203168211198807973u,
                                            9817491932198370423u, 4593380528125082431u};
    struct rng a = {0}, b = {1234567};
    for (int i = 0; i < 4; i++) {
        assert_true(rng_next(&a) == from_0[i]);
        assert_true(rng_next(&b) == from_1234567[i]);
    }
}

static void ranges_of_random_numbers(void **state)
{
    (void)state;
    struct rng r = {1};
    int seen[7] = {0};
    double sum = 0, squares = 0;
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        double u = rng_uniform(&r), x = rng_normal(&r);
        int below = rng_below(&r, 7);
        assert_true(u >= 0 && u < 1);
        assert_in_range(below, 0, 6);
        seen[below]++;
        sum += x;
        squares += x * x;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], N / 7 - 300, N / 7 + 300);
    assert_true(fabs(sum / N) < 0.03);
    assert_true(fabs(squares / N - 1) < 0.04);
    assert_int_equal(rng_below(&r, 1), 0);
}

static void matches_and_groups(void **state)
{
    (void)state;
    struct err e;
    struct regex *r = regex_new("(\\d+)(x)?(y)", &e);
    struct regex_match m;
    struct text t = {"\xc3\xa9\0 12y 3xy", 11};
    assert_true(regex_find(r, t, 0, &m));
    assert_int_equal(m.n_groups, 4);
    assert_true(text_is(m.group[0], "12y"));
    assert_true(text_is(m.group[1], "12"));
    assert_null(m.group[2].s);
    assert_true(text_is(m.group[3], "y"));
    size_t end = (size_t)(m.group[0].s - t.s) + m.group[0].n;
    assert_true(regex_find(r, t, end, &m));
    assert_true(text_is(m.group[0], "3xy"));
    assert_true(text_is(m.group[2], "x"));
    assert_false(regex_find(r, t, t.n, &m));
    assert_false(regex_find(r, text_of(""), 0, &m));
    regex_free(r);
}

static void mistakes_in_patterns(void **state)
{
    (void)state;
    struct err e;
    struct regex_match m;
    assert_null(regex_new("a(b", &e));
    assert_int_equal(e.class, ERR_USER);
    assert_non_null(strstr(e.msg, "'a(b'"));
    struct regex *r = regex_new("^(a+)+$", &e); // needs 2^n steps on n a's and a b
    assert_int_equal(regex_find(r, text_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), 0, &m),
                     -1);
    regex_free(r);
}

/* A point is a code point, not a byte. */
static void matching_is_on_code_points(void **state)
{
    (void)state;
    struct err e;
    struct regex *r = regex_new("^..$", &e);
    struct regex_match m;
    assert_true(regex_find(r, text_of("\xe4\xb8\xad\xc3\xa9"), 0, &m));
    assert_false(regex_find(r, text_of("\xe4\xb8\xad"), 0, &m));
    regex_free(r);
}

static void spans_of_time(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{-1, "0:00"},      {0.4, "0:00"},        {0.5, "0:01"},     {59.4, "0:59"},
                 {59.5, "1:00"},    {65, "1:05"},         {3599.4, "59:59"}, {3600, "1:00:00"},
                 {7384, "2:03:04"}, {360000, "100:00:00"}};
    char out[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(clock_span(out, cases[i].seconds), cases[i].text);
}

static void clocks(void **state)
{
    (void)state;
    char stamp[32];
    double t = clock_seconds();
    assert_true(clock_seconds() >= t);
    clock_stamp(stamp);
    assert_int_equal(strlen(stamp), 20);
    assert_int_equal(stamp[10], 'T');
    assert_int_equal(stamp[19], 'Z');
}

static void memory(void **state)
{
    (void)state;
    assert_int_equal(mem_size(3, 5), 15);
    assert_int_equal(mem_size(SIZE_MAX, 0), 0);
    for (size_t n = 0; n < 200; n += 33) {
        char *p = mem_aligned(n);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, n);
        free(p);
    }
    assert_true(mem_peak() > 0);
}

static void contexts_go_in_front(void **state)
{
    (void)state;
    struct err e;
    char longer[3000];
    assert_int_equal(err_item(&e, "layer %d", 3), -1);
    assert_int_equal(err_in(&e, "snapkv"), -1);
    err_in(&e, "qasper[%d]", 17);
    assert_string_equal(e.msg, "qasper[17]: snapkv: layer 3");
    assert_int_equal(e.class, ERR_ITEM);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    err_in(&e, "%s", longer); // cut, not overrun
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    err_user(&e, "%s", longer);
    assert_int_equal(e.class, ERR_USER);
    err_in(&e, "where");
    assert_memory_equal(e.msg, "where: xxx", 10);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix64),
        cmocka_unit_test(ranges_of_random_numbers),
        cmocka_unit_test(matches_and_groups),
        cmocka_unit_test(matching_is_on_code_points),
        cmocka_unit_test(mistakes_in_patterns),
        cmocka_unit_test(spans_of_time),
        cmocka_unit_test(clocks),
        cmocka_unit_test(memory),
        cmocka_unit_test(contexts_go_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
