/* What a plan comes to, against sums over its items one by one; workers; what rates say. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>

#include "runner/forecast.h"
#include "runner/group.h"
#include "tests/unit/scratch.h"

enum { THREADS = 3 };

static const char config[] =
    "{\"name\": \"x\", \"model\": \"mini\", \"samples\": 3, \"data\": {\"seed\": 5},"
    " \"tasks\": [{\"name\": \"mini_doc_qa\", \"words\": 150}, {\"name\": \"mini_report\","
    "   \"words\": 300, \"samples\": 2}],"
    " \"settings\": [{\"name\": \"k\", \"chain\": [\"kvo\"]},"
    "   {\"name\": \"full\", \"chain\": [\"full\"]},"
    "   {\"name\": \"k4\", \"chain\": [{\"kvo\": {\"key_bits\": 4}}]},"
    "   {\"name\": \"w4\", \"chain\": [\"full\"], \"weights\": {\"bits\": 4, \"group\": 64}}]}";

static struct experiment x;
static struct plan plan;
static struct forecast forecast;

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g, not %.17g", got, want);
}

static int open_all(void **state)
{
    struct plan_engine engine = {1, NULL};
    struct err e = {0};
    if (scratch_enter(state))
        return -1;
    scratch_write("x.json", text_of(config));
    if (experiment_read(&x, "x.json", NULL, 0, NULL, NULL, 0, &e) ||
        plan_open(&plan, &x, &engine, &e) || forecast_open(&forecast, &plan, NULL, false, &e))
        fail_msg("%s", e.msg);
    return 0;
}

static int close_all(void **state)
{
    forecast_close(&forecast);
    plan_close(&plan);
    experiment_release(&x);
    return scratch_leave(state);
}

static void make(int workers, size_t memory)
{
    struct crew_size asked = {workers, THREADS, memory};
    forecast_make(&forecast, &asked, false);
}

/* Bytes of a prompt read for the settings from..to. */
static size_t need(int task, size_t sample, int from, int to, int step)
{
    struct lengths *l = &forecast.lengths;
    const struct model *m = plan.variants[0].model;
    int n = lengths_prompt(l, 0, task, sample);
    size_t caches = 0;
    for (int k = from; k <= to; k += step)
        caches += group_cache_need(m, &x.settings[k], n + lengths_answer(l, 0, task), false);
    return group_need(m, 1, (size_t)n, caches);
}

static void tokens_are_counted_once_a_class(void **state)
{
    (void)state;
    double prompts = 0, answers = 0;
    make(1, 0);
    for (int t = 0; t < x.n_tasks; t++)
        for (size_t i = 0; i < plan.tasks[t].samples.n; i++) {
            prompts += lengths_prompt(&forecast.lengths, 0, t, i);
            answers += lengths_answer(&forecast.lengths, 0, t);
        }
    assert_int_equal(forecast.tokens.items, 5 * 4);
    assert_int_equal(forecast.tokens.prompts, 5 * 3);
    assert_near(forecast.tokens.prefill, 3 * prompts, 0.5);
    assert_near(forecast.tokens.prefill_single, 4 * prompts, 0.5);
    assert_near(forecast.tokens.decode_most, 4 * answers, 0.5);
    assert_near(forecast.tokens.decode, 4 * answers, 0.5);
}

static void stored_answers_shorten_what_is_expected(void **state)
{
    (void)state;
    double before = forecast.tokens.decode;
    int most = lengths_answer(&forecast.lengths, 0, 0);
    forecast.answers[0][0] = (struct forecast_answer){10, 2.5};
    make(1, 0);
    assert_near(before - forecast.tokens.decode, 3 * 4 * (most - 2.5), 1e-6);
    assert_near(forecast.tokens.decode_most, before, 1e-6);
    assert_int_equal(forecast.tokens.answers, 10);
    forecast.answers[0][0] = (struct forecast_answer){10, 1e6}; // of another protocol
    make(1, 0);
    assert_near(forecast.tokens.decode, before, 1e-6);
    forecast.answers[0][0] = (struct forecast_answer){0};
}

static void what_is_done_is_not_counted(void **state)
{
    (void)state;
    make(1, 0);
    double before = forecast.tokens.prefill;
    forecast.left.items[1] = false; // the first sample's full: its class had no other setting
    forecast.left.items[2] = false; // k4: k is left
    make(1, 0);
    assert_int_equal(forecast.tokens.items, 18);
    assert_int_equal(forecast.tokens.prompts, 14);
    assert_near(before - forecast.tokens.prefill, lengths_prompt(&forecast.lengths, 0, 0, 0), 1e-6);
    forecast.left.items[1] = forecast.left.items[2] = true;
}

static void memory_is_that_of_the_largest_group(void **state)
{
    (void)state;
    size_t group = 0, single = 0;
    make(THREADS, (size_t)1 << 40);
    for (int t = 0; t < x.n_tasks; t++)
        for (size_t i = 0; i < plan.tasks[t].samples.n; i++) {
            size_t kvo = need(t, i, 0, 2, 2);
            group = kvo > group ? kvo : group;
            for (int k = 0; k < 4; k++)
                single = need(t, i, k, k, 1) > single ? need(t, i, k, k, 1) : single;
        }
    assert_true(forecast.memory.group == group);
    assert_true(forecast.memory.single == single);
    assert_true(single < group);
    assert_false(forecast.memory.cut || forecast.memory.fails);
}

static void too_little_memory_cuts_groups_or_fails(void **state)
{
    (void)state;
    make(THREADS, (size_t)1 << 40);
    size_t group = forecast.memory.group, single = forecast.memory.single;
    make(THREADS, THREADS * group);
    assert_false(forecast.memory.cut);
    make(THREADS, THREADS * (group - 1));
    assert_true(forecast.memory.cut && !forecast.memory.fails);
    make(THREADS, THREADS * (single - 1));
    assert_true(forecast.memory.fails);
    make(0, 2 * group); // workers are left open: fewer of them
    assert_int_equal(forecast.size.workers, 2);
    assert_false(forecast.memory.cut);
}

static void packed_weights_are_counted_by_format(void **state)
{
    (void)state;
    make(1, 0);
    assert_true(forecast.memory.packed > forecast.memory.weights / 8);
    assert_true(forecast.memory.packed < forecast.memory.weights / 2);
}

/* Without a measurement nothing is known; what is known of one class stands for the others. */
static void time_is_a_sum_over_groups(void **state)
{
    (void)state;
    struct rate r = {.source = RATE_STORED, .token = 1e-3, .keep = 1e-4, .step = 1e-2};
    make(2, 0);
    assert_true(isnan(forecast.seconds));
    *rates_at(&forecast.rates, 0, 1) = r;
    make(2, 0);
    const struct forecast_tokens *t = &forecast.tokens;
    double want =
        t->prefill * r.token + t->prefill_single * r.keep + (t->decode - (double)t->items) * r.step;
    assert_near(forecast.seconds, want / 2, 1e-6);
    assert_int_equal(rates_at(&forecast.rates, 0, 0)->source, RATE_OTHERS);
}

static void rates_of_sums_give_the_sums_back(void **state)
{
    (void)state;
    const struct model *m = plan.variants[0].model;
    struct rate r = {0};
    struct rate_sums s = {.items = RATE_ITEMS_MIN - 1,
                          .prefill_seconds = 12,
                          .prefill_tokens = 10 * 700.0,
                          .prefill_attended = 10 * 700 * 350.0,
                          .prefill_kept = 10 * 700 * 3.0,
                          .decode_seconds = 5,
                          .steps = 30 * 9,
                          .attended = 30 * 9 * 705.0};
    rate_of_sums(&r, &s, m);
    assert_int_equal(r.source, RATE_NONE);
    s.items++;
    rate_of_sums(&r, &s, m);
    assert_int_equal(r.source, RATE_STORED);
    assert_near(10 * rate_prefill(&r, 700, 3), 12, 1e-9);
    assert_near(30 * rate_decode(&r, 700, 10), 5, 1e-9);
}

static void decoding_begins_with_the_second_token(void **state)
{
    (void)state;
    struct rate r = {.step = 2, .step_attend = 0.01};
    assert_near(rate_decode(&r, 100, 1), 0, 0);
    assert_near(rate_decode(&r, 100, 0.5), 0, 0);
    assert_near(rate_decode(&r, 100, 11), 10 * (2 + 1.055), 1e-9);
}

static int workers_for(int threads, size_t weights, int64_t groups, size_t group, size_t memory)
{
    struct crew_size c = {.threads = threads, .memory = memory};
    struct crew_work w = {weights, groups, group};
    crew_size_choose(&c, &w);
    return c.workers;
}

static void workers_fit_model_threads_work_and_memory(void **state)
{
    (void)state;
    const size_t small = 15 << 20, large = (size_t)2 << 30, plenty = (size_t)1 << 40;
    assert_int_equal(workers_for(2, small, 100, 1, plenty), 2);
    assert_int_equal(workers_for(16, small, 100, 1, plenty), 16);
    assert_int_equal(workers_for(16, small, 5, 1, plenty), 5);
    assert_int_equal(workers_for(16, small, 0, 1, plenty), 1);
    assert_int_equal(workers_for(2, large, 100, 1, plenty), 1);
    assert_int_equal(workers_for(15, large, 100, 1, plenty), 1);
    assert_int_equal(workers_for(32, large, 100, 1, plenty), 4);
    assert_int_equal(workers_for(8, small, 100, 1000, 3000), 3);
    assert_int_equal(workers_for(8, small, 100, 1000, 2999), 2);
    assert_int_equal(workers_for(8, small, 100, 1000, 10), 1);
    struct crew_size asked = {.workers = 7, .threads = 2, .memory = 10};
    crew_size_choose(&asked, &(struct crew_work){large, 1, 1000});
    assert_int_equal(asked.workers, 7);
    assert_int_equal(crew_size_threads_each(&asked), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_counted_once_a_class),
        cmocka_unit_test(stored_answers_shorten_what_is_expected),
        cmocka_unit_test(what_is_done_is_not_counted),
        cmocka_unit_test(memory_is_that_of_the_largest_group),
        cmocka_unit_test(too_little_memory_cuts_groups_or_fails),
        cmocka_unit_test(packed_weights_are_counted_by_format),
        cmocka_unit_test(time_is_a_sum_over_groups),
        cmocka_unit_test(rates_of_sums_give_the_sums_back),
        cmocka_unit_test(decoding_begins_with_the_second_token),
        cmocka_unit_test(workers_fit_model_threads_work_and_memory),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
