#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "harness/tensor/dtype.h"

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* The value of an f16 code by the definition, not by bit tricks. NaN apart. */
static double f16_value(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 0x3FF;
    double size = exponent == 31  ? INFINITY
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return h & 0x8000 ? -size : size;
}

static void every_f16_code_has_its_value_and_comes_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 65536; code++) {
        uint16_t h = (uint16_t)code;
        float f = f16_to_f32(h);
        if ((h & 0x7C00) == 0x7C00 && (h & 0x3FF)) {
            assert_true(isnan(f));
            assert_true(isnan(f16_to_f32(f16_from_f32(f))));
            assert_int_equal(f16_from_f32(f) & 0x8000, h & 0x8000);
            continue;
        }
        assert_true((double)f == f16_value(h));
        assert_int_equal(signbit(f) != 0, h >> 15);
        assert_int_equal(f16_from_f32(f), h);
    }
}

static void every_bf16_code_has_its_value_and_comes_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 65536; code++) {
        uint16_t h = (uint16_t)code;
        float f = bf16_to_f32(h);
        assert_int_equal(bits(f), code << 16);
        if (isnan(f))
            assert_true(isnan(bf16_to_f32(bf16_from_f32(f))));
        else
            assert_int_equal(bf16_from_f32(f), h);
    }
}

/* Between two neighbours: below the middle goes down, above it up, the middle to the even code. */
static void check_between(float low, float high, uint16_t code, uint16_t (*narrow)(float))
{
    float middle = (float)(((double)low + (double)high) / 2);
    assert_int_equal(narrow(middle), code & 1 ? code + 1 : code);
    assert_int_equal(narrow(nextafterf(middle, low)), code);
    assert_int_equal(narrow(nextafterf(middle, high)), code + 1);
    assert_int_equal(narrow(-middle), 0x8000 | (code & 1 ? code + 1 : code));
}

static void f16_rounds_to_nearest_even_everywhere(void **state)
{
    (void)state;
    for (uint16_t h = 0; h < 0x7BFF; h++)
        check_between(f16_to_f32(h), f16_to_f32((uint16_t)(h + 1)), h, f16_from_f32);
}

static void bf16_rounds_to_nearest_even_everywhere(void **state)
{
    (void)state;
    for (uint16_t h = 0; h < 0x7F7F; h++)
        check_between(bf16_to_f32(h), bf16_to_f32((uint16_t)(h + 1)), h, bf16_from_f32);
}

static void the_ends_of_the_range(void **state)
{
    (void)state;
    assert_int_equal(f16_from_f32(65504), 0x7BFF);
    assert_int_equal(f16_from_f32(nextafterf(65520, 0)), 0x7BFF);
    assert_int_equal(f16_from_f32(65520), 0x7C00);
    assert_int_equal(f16_from_f32(-1e30f), 0xFC00);
    assert_int_equal(f16_from_f32(0x1p-25f), 0);
    assert_int_equal(f16_from_f32(nextafterf(0x1p-25f, 1)), 1);
    assert_int_equal(f16_from_f32(from_bits(1)), 0);
    assert_int_equal(f16_from_f32(-0.0f), 0x8000);
    assert_int_equal(bf16_from_f32(from_bits(0x7F7F8000)), 0x7F80);
    assert_int_equal(bf16_from_f32(from_bits(0x7F7F7FFF)), 0x7F7F);
    assert_int_equal(bf16_from_f32(from_bits(0x7F800001)), 0x7FC0); // a NaN whose top bits are 0
}

static void names_and_sizes(void **state)
{
    (void)state;
    assert_string_equal(dtype_name(DT_BF16), "BF16");
    assert_string_equal(dtype_name(DT_BOOL), "BOOL");
    assert_int_equal(dtype_size(DT_F32), 4);
    assert_int_equal(dtype_size(DT_F16), 2);
    assert_int_equal(dtype_size(DT_I64), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_code_has_its_value_and_comes_back),
        cmocka_unit_test(every_bf16_code_has_its_value_and_comes_back),
        cmocka_unit_test(f16_rounds_to_nearest_even_everywhere),
        cmocka_unit_test(bf16_rounds_to_nearest_even_everywhere),
        cmocka_unit_test(the_ends_of_the_range),
        cmocka_unit_test(names_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
