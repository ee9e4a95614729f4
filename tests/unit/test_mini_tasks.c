#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "datasets/dataset.h"
#include "datasets/mini.h"

/* Of records 0 to 2 for each seed and length below, in that order: as records, and as training text
 * of lengths from 50 up with 5 questions. From the generator's first version, which made the text
 * that the built-in model was trained on. */
static const struct {
    const char *task, *records, *training;
} made[] = {
    {"mini_doc_qa", "f4927f53415ffb7c9504b92c3a044b7ed2992d595a974ed105b18280fc3fb79f",
     "f7ab5430516aa1623583f4f4521722fd2c94809b7589138695c67992cc886438"},
    {"mini_multi_hop", "e283a4d8726fcde4ec5462d4404d2711dabb58dd37f3084f4f0aca68de8ddc12",
     "d42236976689198e00c45f9bf0bf5bae893efdf7f5da970d03c8d7afaaff9368"},
    {"mini_report", "880f05ed0d5405b93b8a054fd09b6af0294326a4a177b9ca98ec975636b7d96b",
     "80e7e67b1793587ec01e0a5a5d03093287ccecada5fd6945996e8d171de36bbb"},
    {"mini_classify", "9ea9047d6778f5b77acb73e721a952556cc907d235040e518f2cbf3cd48dde5f",
     "a7393673e3f3babc05fd150471f6d09310b32815dd8c53dbd249e0c71a612fc2"},
    {"mini_retrieval", "7df4caee90965c46b42a77cb88a2cb92bca05f22cc4f94e622b548b172b66e54",
     "a5ec424e113ed81647e9514078320b4cbcf78ea42f69e4c432972abeee62f953"},
    {"mini_code", "0247b1ac85db9786def58e02c3d893342828a679bd971b8538ec0ad760b2a40b",
     "49e08cd8e955284d74e85c7493551a7f994244b9c8bdb1b01078e8ffb2bd3155"},
    {"mini_qa_zh", "7c35c444b52cfc921d071f866fd8502bc3423bfd4054ab8ffe3bdab0f6bf55ac",
     "92ad747f3d79c5741947c29bc19726b22224ff629f313155ac28e878b20b424d"},
};
static const uint64_t seeds[] = {1, 7, 424242};
static const int lengths[] = {100, 300, 1000, 4000};

static void make(const char *task, int questions, char hash[SHA256_HEX])
{
    struct err e;
    struct buf b;
    buf_init(&b);
    for (size_t s = 0; s < 3; s++)
        for (size_t w = 0; w < 4; w++) {
            struct mini_options o = {task, seeds[s], lengths[w], questions ? 50 : 0};
            struct mini *m = mini_open(&o, &e);
            assert_non_null(m);
            for (uint64_t i = 0; i < 3; i++)
                questions ? mini_training_line(m, i, questions, &b) : mini_record(m, i, &b);
            mini_close(m);
        }
    hash_sha256(text_buf(&b), hash);
    buf_release(&b);
}

static void the_same_bytes_for_ever(void **state)
{
    (void)state;
    char hash[SHA256_HEX];
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        make(made[i].task, 0, hash);
        assert_string_equal(hash, made[i].records);
        make(made[i].task, 5, hash);
        assert_string_equal(hash, made[i].training);
    }
}

static void records_do_not_depend_on_their_number(void **state)
{
    (void)state;
    struct err e;
    struct samples few, many;
    struct data_options o = {.words = 60, .seed = 5};
    assert_int_equal(samples_load(&few, "mini_multi_hop", &o, 2, &e), 0);
    assert_int_equal(samples_load(&many, "mini_multi_hop", &o, 5, &e), 0);
    assert_int_equal(few.n, 2);
    assert_int_equal(many.n, 5);
    assert_string_equal(few.hash, many.hash);
    assert_string_equal(few.list[1].hash, many.list[1].hash);
    assert_string_not_equal(few.list[0].hash, few.list[1].hash);
    samples_release(&many);
    o.seed = 6;
    assert_int_equal(samples_load(&many, "mini_multi_hop", &o, 2, &e), 0);
    assert_string_not_equal(few.hash, many.hash);
    samples_release(&few);
    samples_release(&many);
}

/* The paragraphs of short documents are up to 31. */
static void every_task_makes_every_length(void **state)
{
    (void)state;
    static const int words[] = {1, 2, 50, 319, 320, 329, 330, MINI_WORDS_MAX};
    struct err e;
    for (size_t i = 0; i < task_count; i++)
        for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
            if (task_all[i].source != SOURCE_MINI)
                continue;
            struct samples s;
            struct data_options o = {.words = words[w], .seed = 3};
            assert_int_equal(samples_load(&s, task_all[i].name, &o, 2, &e), 0);
            assert_true(s.list[1].context.n > 0 && s.list[1].answers[0].n > 0);
            assert_true(text_is(s.list[1].dataset, task_all[i].name));
            samples_release(&s);
        }
}

static void prompts_are_templates(void **state)
{
    (void)state;
    struct err e;
    struct buf b;
    struct task_prompt p;
    struct data_options o = {0};
    struct sample s = {.input = text_of("Who?"), .context = text_of("Text.")};
    buf_init(&b);
    for (size_t i = 0; i < task_count; i++)
        if (task_all[i].source == SOURCE_MINI) {
            assert_int_equal(task_prompt_load(&p, task_all[i].name, &o, &e), 0);
            assert_true(p.max_new_tokens >= 32);
            task_prompt_release(&p);
        }
    assert_int_equal(task_prompt_load(&p, "mini_doc_qa", &o, &e), 0);
    assert_int_equal(task_prompt_fill(&p, &s, &b, &e), 0);
    assert_string_equal(b.s, "Read the text and answer the question in a few words.\n\nText.\n\n"
                             "Question: Who?\nAnswer:");
    task_prompt_release(&p);
    buf_release(&b);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct samples s;
    struct data_options o = {.words = 60, .seed = 5};
    assert_int_equal(samples_load(&s, "mini_code", &o, 0, &e), -1);
    assert_string_equal(e.msg, "mini_code: how many records? (a generated task needs a limit)");
    o.words = 0;
    assert_int_equal(samples_load(&s, "mini_code", &o, 1, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    o.words = 60;
    o.seed = -1;
    assert_int_equal(samples_load(&s, "mini_code", &o, 1, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_int_equal(samples_load(&s, "mini_cod", &o, 1, &e), -1);
    assert_string_equal(e.msg, "unknown task 'mini_cod', did you mean 'mini_code'? "
                               "(kvlab list tasks names them)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_for_ever),
        cmocka_unit_test(records_do_not_depend_on_their_number),
        cmocka_unit_test(every_task_makes_every_length),
        cmocka_unit_test(prompts_are_templates),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
