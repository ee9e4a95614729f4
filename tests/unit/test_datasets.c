#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/longbench.h"
#include "datasets/record.h"
#include "harness/base/file.h"

#define TAIL "\"length\": 3, \"dataset\": \"qasper\", \"language\": \"en\", \"all_classes\": null"
#define GOOD                                                                                       \
    "{\"input\": \"who?\", \"context\": \"a {input} b\", \"answers\": [\"x\", \"\"], " TAIL        \
    ", \"_id\": \"01\"}"

static void put(const char *path, const char *content)
{
    struct err e;
    assert_int_equal(file_write(path, text_of(content), &e), 0);
}

/* A fresh folder under the scratch folder that the test runs in. */
static struct data_options folder(const char *name)
{
    struct data_options o = {0};
    snprintf(o.data_dir, sizeof o.data_dir, "%s", name);
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "rm -rf '%s'", name);
    assert_int_equal(system(b.s), 0);
    buf_release(&b);
    assert_int_equal(mkdir(name, 0755), 0);
    return o;
}

static void load_fails(const struct data_options *o, const char *content, const char *message)
{
    struct err e;
    struct samples s;
    struct buf path;
    buf_init(&path);
    buf_printf(&path, "%s/qasper.jsonl", o->data_dir);
    put(path.s, content);
    assert_int_equal(samples_load(&s, "qasper", o, 0, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_string_equal(e.msg, message);
    assert_null(s.list);
    buf_release(&path);
}

static void samples_are_equal(const struct samples *a, const struct samples *b)
{
    assert_int_equal(a->n, b->n);
    assert_string_equal(a->hash, b->hash);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->list[i].hash, b->list[i].hash);
}

static void folder_and_zip_give_the_same(void **state)
{
    (void)state;
    struct err e;
    struct samples flat, nested, zipped;
    struct data_options o = folder("flat");
    put("flat/qasper.jsonl", GOOD "\n" GOOD "\n");
    assert_int_equal(samples_load(&flat, "qasper", &o, 0, &e), 0);
    o = folder("nested");
    assert_int_equal(mkdir("nested/data", 0755), 0);
    put("nested/data/qasper.jsonl", GOOD "\n" GOOD "\n");
    assert_int_equal(samples_load(&nested, "qasper", &o, 0, &e), 0);
    assert_int_equal(system("cd nested && zip -q data.zip data/qasper.jsonl && rm -r data"), 0);
    assert_int_equal(samples_load(&zipped, "qasper", &o, 0, &e), 0);
    assert_int_equal(zipped.n, 2);
    samples_are_equal(&flat, &nested);
    samples_are_equal(&flat, &zipped);
    samples_release(&flat);
    samples_release(&nested);
    samples_release(&zipped);
    assert_int_equal(samples_load(&zipped, "trec", &o, 0, &e), -1);
    assert_string_equal(e.msg, "no data for trec: looked for nested/data/trec.jsonl, "
                               "nested/trec.jsonl and data/trec.jsonl in nested/data.zip");
}

static void damaged_zips_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct samples s;
    struct text zip;
    struct data_options o = folder("damaged");
    put("damaged/qasper.jsonl", GOOD "\n");
    assert_int_equal(system("cd damaged && mkdir data && mv qasper.jsonl data && "
                            "zip -q -0 data.zip data/qasper.jsonl && rm -r data"),
                     0);
    assert_int_equal(file_read("damaged/data.zip", &zip, &e), 0);
    size_t at = text_find(zip, text_of("who?"), 0);
    assert_true(at < zip.n);
    ((char *)zip.s)[at] = 'W';
    assert_int_equal(file_write("damaged/data.zip", zip, &e), 0);
    assert_int_equal(samples_load(&s, "qasper", &o, 0, &e), -1);
    assert_string_equal(e.msg, "damaged/data.zip:data/qasper.jsonl: CRC error");
    zip.n /= 2;
    assert_int_equal(file_write("damaged/data.zip", zip, &e), 0);
    assert_int_equal(samples_load(&s, "qasper", &o, 0, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    free((void *)zip.s);
}

static void lines_end_in_three_ways(void **state)
{
    (void)state;
    struct err e;
    struct samples s;
    struct data_options o = folder("ends");
    /* U+2028, U+0085 and \v end no line. */
    put("ends/qasper.jsonl",
        GOOD "\r\n" GOOD "\r" GOOD "\n"
             "{\"input\": \"\xe2\x80\xa8\xc2\x85\", \"context\": \"\", \"answers\": [], " TAIL
             ", \"_id\": \"02\"}");
    assert_int_equal(samples_load(&s, "qasper", &o, 0, &e), 0);
    assert_int_equal(s.n, 4);
    assert_true(text_is(s.list[3].input, "\xe2\x80\xa8\xc2\x85"));
    assert_int_equal(s.list[3].n_answers, 0);
    assert_null(s.list[3].classes);
    samples_release(&s);
    assert_int_equal(samples_load(&s, "qasper", &o, 3, &e), 0);
    assert_int_equal(s.n, 3);
    samples_release(&s);
}

static void u0000_survives(void **state)
{
    (void)state;
    struct err e;
    struct sample s;
    struct buf b;
    struct task_prompt p = {.template = text_of("<{input}>")};
    assert_int_equal(record_parse(text_of("{\"input\": \"a\\u0000b\", \"context\": \"\\u0005\", "
                                          "\"answers\": [\"\\u0000\"], " TAIL ", \"_id\": \"\"}"),
                                  &s, &e),
                     0);
    assert_true(text_eq(s.input, (struct text){"a\0b", 3}));
    assert_true(text_is(s.context, "\x05"));
    assert_true(text_eq(s.answers[0], (struct text){"\0", 1}));
    buf_init(&b);
    assert_int_equal(task_prompt_fill(&p, &s, &b, &e), 0);
    assert_true(text_eq(text_buf(&b), (struct text){"<a\0b>", 5}));
    buf_release(&b);
    record_release(&s);
}

static void bad_lines_are_placed(void **state)
{
    (void)state;
    struct data_options o = folder("bad");
    load_fails(&o, "", "bad/qasper.jsonl: is empty, must hold one record a line");
    load_fails(&o, GOOD "\n\n" GOOD "\n", "bad/qasper.jsonl:2: column 1: not valid JSON");
    load_fails(&o, GOOD "\n{\"input\": \"x\"}\n", "bad/qasper.jsonl:2: key 'context' is missing");
    load_fails(&o, GOOD "\r\n{\"input\": 1}\n",
               "bad/qasper.jsonl:2: key 'input' is a number, must be a string");
    load_fails(&o, "[1]\n", "bad/qasper.jsonl:1: the record is an array, must be an object");
    load_fails(&o, "{\"input\": \"", "bad/qasper.jsonl:1: column 12: not valid JSON");
    load_fails(&o, "{\"input\": \"\xff\"}\n", "bad/qasper.jsonl:1: column 12: not valid UTF-8");
    load_fails(&o,
               "{\"input\": \"\", \"context\": \"\", \"answers\": [\"a\", null], " TAIL
               ", \"_id\": \"\"}",
               "bad/qasper.jsonl:1: key 'answers', element 1 is null, must be a string");
    load_fails(&o, "{\"input\": \"\", \"context\": \"\", \"answers\": [], \"length\": 1.5}",
               "bad/qasper.jsonl:1: key 'length' is 1.5, must be a whole number from 0 to "
               "2147483647");
    load_fails(&o,
               "{\"input\": \"\", \"context\": \"\", \"answers\": [], \"length\": 1, "
               "\"dataset\": \"\", \"language\": \"\", \"_id\": \"\"}",
               "bad/qasper.jsonl:1: key 'all_classes' is missing");
}

static void braces_of_records_stay(void **state)
{
    (void)state;
    struct err e;
    struct sample s;
    struct buf b;
    struct task_prompt p = {.template = text_of("{{{context}}} {input}{input}")};
    assert_int_equal(record_parse(text_of(GOOD), &s, &e), 0);
    buf_init(&b);
    assert_int_equal(task_prompt_fill(&p, &s, &b, &e), 0);
    assert_string_equal(b.s, "{a {input} b} who?who?");
    buf_release(&b);
    record_release(&s);
}

static void templates_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"{", "}", "a{b}", "{}", "{0}", "{input", "{input!r}", "}}}"};
    struct err e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(task_prompt_check(text_of(bad[i]), &e), -1);
        assert_int_equal(e.class, ERR_USER);
    }
    assert_int_equal(task_prompt_check(text_of("a {answers} {input}"), &e), -1);
    assert_string_equal(e.msg, "prompt template: '{answers}' at byte 2: only {context} and {input} "
                               "are fields, and a brace that is meant is written twice");
    assert_int_equal(task_prompt_check(text_of("{{}} {context}"), &e), 0);
}

static void configs_are_found_and_checked(void **state)
{
    (void)state;
    struct err e;
    struct task_prompt p;
    struct data_options o = folder("configs");
    assert_int_equal(task_prompt_load(&p, "qasper", &o, &e), -1);
    assert_string_equal(e.msg, "no dataset2prompt.json: looked for configs/dataset2prompt.json and "
                               "configs/config/dataset2prompt.json (LongBench's repository has it "
                               "in LongBench/config)");
    assert_int_equal(mkdir("configs/config", 0755), 0);
    put("configs/config/dataset2prompt.json", "{\"qasper\": \"{context}: {input}\\n\"}");
    put("configs/dataset2maxlen.json", "{\"qasper\": 12, \"trec\": 0}");
    assert_int_equal(task_prompt_load(&p, "qasper_e", &o, &e), 0);
    assert_true(text_is(p.template, "{context}: {input}\n"));
    assert_int_equal(p.max_new_tokens, 12);
    task_prompt_release(&p);
    assert_int_equal(task_prompt_load(&p, "trec", &o, &e), -1);
    assert_string_equal(e.msg, "configs/config/dataset2prompt.json: trec: key 'trec' is missing");
    snprintf(o.data_dir, sizeof o.data_dir, "nowhere");
    assert_int_equal(task_prompt_load(&p, "qasper", &o, &e), -1);
    assert_string_equal(e.msg,
                        "data_dir 'nowhere' is no folder: name the one that holds LongBench's "
                        "data.zip");
}

static void files_are_told_apart(void **state)
{
    (void)state;
    /* git hash-object of "a\nb\n" */
    static const struct longbench_file f = {"x", 2, "422c2b7ab3b3c668038da977e4e93a5fc623169c"};
    long n;
    assert_int_equal(longbench_check(&f, text_of("a\nb\n"), &n), LB_COMPLETE);
    assert_int_equal(longbench_check(&f, text_of("a\n"), &n), LB_SHORTENED);
    assert_int_equal(n, 1);
    assert_int_equal(longbench_check(&f, text_of("a"), &n), LB_CHANGED);
    assert_int_equal(longbench_check(&f, text_of("a\nc\n"), &n), LB_CHANGED);
    assert_int_equal(longbench_check(&f, text_of(""), &n), LB_CHANGED);
}

static void verification_names_every_file(void **state)
{
    (void)state;
    struct err e;
    struct buf b;
    int found, wrong;
    struct data_options o = folder("verify");
    put("verify/trec_e.jsonl", GOOD "\n");
    put("verify/own.jsonl", GOOD "\n");
    put("verify/dataset2maxlen.json", "{}");
    buf_init(&b);
    assert_int_equal(longbench_verify(o.data_dir, &b, &found, &wrong, &e), 0);
    assert_int_equal(found, 2);
    assert_int_equal(wrong, 2);
    assert_non_null(strstr(b.s, "trec                     missing\n"));
    assert_non_null(strstr(b.s, "trec_e                   cut or shortened: 1 of 300 records\n"));
    assert_non_null(strstr(b.s, "dataset2maxlen.json      changed\n"));
    assert_non_null(strstr(b.s, "own                      extra: own.jsonl\n"));
    buf_release(&b);
}

static void names_of_tasks(void **state)
{
    (void)state;
    struct err e;
    size_t with_e = 0, files = 0;
    for (size_t i = 0; i < task_count; i++) {
        with_e += task_has_e(&task_all[i]);
        files += task_all[i].source == SOURCE_LONGBENCH;
        assert_ptr_equal(task_find(task_all[i].name, &e), &task_all[i]);
        assert_int_equal(task_all[i].source == SOURCE_LONGBENCH,
                         longbench_file_find(task_all[i].name) != NULL);
    }
    assert_int_equal(with_e, 13);
    assert_int_equal(files + with_e, longbench_file_count);
    assert_ptr_equal(task_find("lcc_e", &e), task_find("lcc", &e));
    assert_null(task_find("lsht_e", &e));
    assert_string_equal(e.msg, "unknown task 'lsht_e': LongBench-E has no file for lsht");
    assert_null(task_find("mini_code_e", &e));
    assert_null(task_find("_e", &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder_and_zip_give_the_same),
        cmocka_unit_test(damaged_zips_are_refused),
        cmocka_unit_test(lines_end_in_three_ways),
        cmocka_unit_test(u0000_survives),
        cmocka_unit_test(bad_lines_are_placed),
        cmocka_unit_test(braces_of_records_stay),
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(configs_are_found_and_checked),
        cmocka_unit_test(files_are_told_apart),
        cmocka_unit_test(verification_names_every_file),
        cmocka_unit_test(names_of_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
