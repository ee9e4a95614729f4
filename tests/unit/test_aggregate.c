/* eval.py's two ways from items to a score, where they differ, and the reader of its files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "datasets/prediction.h"
#include "metrics/aggregate.h"

#define assert_same(got, want) assert_true((got) == (want))

/* From golden cases of kind rounding_tie, and by hand. */
static void the_two_roundings_differ_at_ties(void **state)
{
    (void)state;
    assert_same(aggregate_round_python(3.715), 3.71);
    assert_same(aggregate_round_numpy(3.715), 3.72);
    assert_same(aggregate_round_python(49.965), 49.97);
    assert_same(aggregate_round_numpy(49.965), 49.96);
    assert_same(aggregate_round_python(50.625), 50.62); // exact in binary: half to even
    assert_same(aggregate_round_python(50.875), 50.88);
    assert_same(aggregate_round_numpy(50.625), 50.62);
    assert_same(aggregate_round_python(100), 100);
    assert_true(isnan(aggregate_round_numpy(NAN)));
}

static void buckets_end_below_4000_and_8000(void **state)
{
    (void)state;
    assert_int_equal(aggregate_bucket(0), 0);
    assert_int_equal(aggregate_bucket(3999), 0);
    assert_int_equal(aggregate_bucket(4000), 1);
    assert_int_equal(aggregate_bucket(7999), 1);
    assert_int_equal(aggregate_bucket(8000), 2);
}

static void an_empty_bucket_is_nan(void **state)
{
    struct aggregate b[AGGREGATE_BUCKETS];
    const double x[] = {1, 0.5, 0};
    const long length[] = {4000, 9000, 8000};
    (void)state;
    aggregate_scorer_e(x, length, 3, b);
    assert_true(isnan(b[0].raw) && isnan(b[0].score) && b[0].n == 0);
    assert_true(b[1].n == 1 && b[1].score == 100);
    assert_true(b[2].n == 2 && b[2].score == 25);
    assert_true(isnan(aggregate_scorer(x, 0).score));
    assert_same(aggregate_scorer(x, 3).score, 50);
}

/* numpy's blocks written out for some lengths. */
static double eight(const double *x, size_t n)
{
    double r[8], sum;
    size_t i = 8;
    memcpy(r, x, sizeof r);
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            r[k] += x[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += x[i];
    return sum;
}

static void sums_are_taken_in_pairs(void **state)
{
    double x[300];
    (void)state;
    for (int i = 0; i < 300; i++)
        x[i] = 1.0 / (3 + i % 17) + 1e-9 * i;
    assert_same(aggregate_pairwise_sum(x, 0), 0);
    assert_same(aggregate_pairwise_sum(x, 7),
                ((((((x[0] + x[1]) + x[2]) + x[3]) + x[4]) + x[5]) + x[6]));
    assert_same(aggregate_pairwise_sum(x, 8), eight(x, 8));
    assert_same(aggregate_pairwise_sum(x, 127), eight(x, 127));
    assert_same(aggregate_pairwise_sum(x, 128), eight(x, 128));
    assert_same(aggregate_pairwise_sum(x, 129), eight(x, 64) + eight(x + 64, 65));
    assert_same(aggregate_pairwise_sum(x, 200), eight(x, 96) + eight(x + 96, 104));
    assert_same(aggregate_pairwise_sum(x, 300),
                (eight(x, 72) + eight(x + 72, 72)) + (eight(x + 144, 72) + eight(x + 216, 84)));
}

static void the_order_of_addition_shows(void **state)
{
    double x[16] = {1, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16,
                    0, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16};
    (void)state;
    double one_by_one = 0;
    for (int i = 0; i < 16; i++)
        one_by_one += x[i];
    assert_same(one_by_one, 1);
    assert_true(aggregate_pairwise_sum(x, 16) > 1);
    assert_same(aggregate_scorer(x, 16).raw, 100.0 / 16);
}

/* ---- prediction files ---- */

#define LINE "{\"pred\": \"x\", \"answers\": [\"x\"], \"all_classes\": null, \"length\": 5}"

static void read_bad(const char *content, bool with_length, const char *want)
{
    struct predictions p;
    struct err e;
    assert_int_equal(predictions_read(text_of(content), "f.jsonl", with_length, &p, &e), -1);
    if (!strstr(e.msg, want))
        fail_msg("'%s' is not in '%s'", want, e.msg);
}

static void a_line_ends_at_three_things(void **state)
{
    struct predictions p;
    struct err e;
    (void)state;
    const char *content =
        LINE "\r" LINE "\r\n" LINE "\n"
             "{\"pred\": \"a\xe2\x80\xa8z\", \"answers\": [], \"all_classes\": []}";
    assert_int_equal(predictions_read(text_of(content), "f", false, &p, &e), 0);
    assert_int_equal(p.n, 4);
    assert_int_equal(p.list[0].length, 5);
    assert_null(p.list[0].classes);
    assert_int_equal(p.list[3].pred.n, 5);
    assert_int_equal(p.list[3].length, -1);
    assert_non_null(p.list[3].classes);
    predictions_release(&p);
}

static void what_is_wrong_is_placed(void **state)
{
    (void)state;
    read_bad("", false, "f.jsonl: is empty; eval.py would end with ZeroDivisionError");
    read_bad(LINE "\n{\"answers\": []}", false, "f.jsonl:2: key 'pred' is missing; eval.py would");
    read_bad("{\"pred\": \"\", \"answers\": []}", false, "key 'all_classes' is missing");
    read_bad("{\"pred\": null, \"answers\": []}", false, "key 'pred' is null, must be a string");
    read_bad("{\"pred\": \"\", \"answers\": \"ab\"}", false, "each character of a string");
    read_bad("{\"pred\": \"\", \"answers\": [1]}", false, "'answers', element 1 is a number");
    read_bad("{\"pred\": \"\", \"answers\": [], \"all_classes\": 1}", false, "'all_classes' is a");
    read_bad(LINE "\n\n", false, "f.jsonl:2: the line is blank");
    read_bad(LINE "\nx", false, "f.jsonl:2: column 1: not valid JSON; eval.py would end here");
    read_bad("{\"pred\": \"\xff\"}", false, "f.jsonl:1: byte 11 is not valid UTF-8");
    read_bad("[]", false, "the line is an array");
    read_bad("{\"pred\": \"\", \"pred\": \"\"}", false, "eval.py would take the last");
    read_bad("{\"pred\": \"\\ud800\"}", false, "half a surrogate");
    read_bad("{\"pred\": \"\", \"answers\": [], \"all_classes\": null}", true, "length");
    read_bad("{\"pred\": \"\", \"answers\": [], \"length\": -1}", false, "must be a whole number");
}

static void strings_are_written_as_python_does(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b);
    prediction_put_string((struct text){"a\"\\\n\r\t\f\b\0\x1f\x7f\xc3\xa9/", 14}, &b);
    assert_string_equal(b.s, "\"a\\\"\\\\\\n\\r\\t\\f\\b\\u0000\\u001f\x7f\xc3\xa9/\"");
    buf_reset(&b);
    prediction_put_list(NULL, 0, &b);
    prediction_put_list((const struct text[]){{"a", 1}, {"b", 1}}, 2, &b);
    assert_string_equal(b.s, "null[\"a\", \"b\"]");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_roundings_differ_at_ties),
        cmocka_unit_test(buckets_end_below_4000_and_8000),
        cmocka_unit_test(an_empty_bucket_is_nan),
        cmocka_unit_test(sums_are_taken_in_pairs),
        cmocka_unit_test(the_order_of_addition_shows),
        cmocka_unit_test(a_line_ends_at_three_things),
        cmocka_unit_test(what_is_wrong_is_placed),
        cmocka_unit_test(strings_are_written_as_python_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
