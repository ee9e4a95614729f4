/* Published numbers: every file that comes with the program, and files that are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runner/csv.h"
#include "runner/published.h"
#include "tests/unit/scratch.h"

#define HEAD "paper,table,model,protocol,setting,task,score,n,stderr,source,remarks\n"
#define LINE "kivi,Table 1,m,fp16,full,qasper,29.42,200,1.9,docs,\n"

/* ---- the files of configs/papers/published ---- */

struct found {
    struct published *list;
    size_t n;
};

static struct found read_all(void)
{
    size_t n;
    struct err e;
    char **files = published_files_new(&n);
    struct found f = {calloc(n + 1, sizeof *f.list), n};
    for (size_t i = 0; i < n; i++)
        if (published_read(&f.list[i], files[i], &e))
            fail_msg("%s", e.msg);
    published_free_files(files, n);
    return f;
}

static void release_all(struct found *f)
{
    for (size_t i = 0; i < f->n; i++)
        published_release(&f->list[i]);
    free(f->list);
}

static const struct published *find(const struct found *f, const char *paper)
{
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->list[i].paper, paper))
            return &f->list[i];
    fail_msg("no numbers of %s", paper);
    return NULL;
}

/* LongBench's page rounds from scores with more digits: six of its averages by category are a unit
 * of their last digit away from what the printed tasks give. All others come out. */
static void every_stated_average_comes_out(void **state)
{
    (void)state;
    struct found f = read_all();
    struct published_check all = {0, 0, 0};
    struct buf wrong;
    buf_init(&wrong);
    for (size_t i = 0; i < f.n; i++) {
        struct published_check c = published_check(&f.list[i], &wrong);
        all.averages += c.averages;
        all.checked += c.checked;
        all.wrong += c.wrong;
        if (c.wrong)
            assert_string_equal(f.list[i].paper, "longbench");
    }
    assert_int_equal(all.checked, 126);
    assert_int_equal(all.wrong, 6);
    for (const char *at = wrong.s; (at = strstr(at, "is stated as ")); at++) {
        double stated, tasks;
        assert_int_equal(sscanf(at, "is stated as %lf, its tasks give %lf", &stated, &tasks), 2);
        assert_true(fabs(stated - tasks) < 0.07);
    }
    buf_release(&wrong);
    release_all(&f);
}

static bool is_part(const struct published_number *x, const struct published_number *of)
{
    if (x->what.kind != PUBLISHED_TASK || strcmp(x->model, of->model) ||
        strcmp(x->setting, of->setting))
        return false;
    return of->what.task ? x->what.task == of->what.task
                         : x->what.task->category == of->what.category;
}

/* The mean of a category's tasks of a model and setting, or one task. */
static double of_tasks(const struct published *p, const struct published_number *like)
{
    double sum = 0;
    int n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (is_part(&p->list[i], like)) {
            sum += p->list[i].score;
            n++;
        }
    return n ? sum / n : NAN;
}

/* Two repositories print KIVI's results, one by task and one by category. */
static void categories_of_one_paper_are_the_tasks_of_another(void **state)
{
    (void)state;
    struct found f = read_all();
    const struct published *kivi = find(&f, "kivi"), *bench = find(&f, "longctx_bench");
    int n = 0;
    for (size_t i = 0; i < bench->n; i++) {
        const struct published_number *x = &bench->list[i];
        double mean = of_tasks(kivi, x);
        if (isnan(mean))
            continue;
        if (fabs(mean - x->score) > 0.0051)
            fail_msg("line %zu: %g, the tasks give %.4f", x->line, x->score, mean);
        n++;
    }
    assert_int_equal(n, 2 * 3 * 6); // models, settings, five categories and a task
    release_all(&f);
}

/* Tasks are fixed, so the error of their mean is that of a sum of independent numbers. */
static void the_error_of_a_mean_comes_out(void **state)
{
    (void)state;
    struct found f = read_all();
    const struct published *p = find(&f, "viridisgreen");
    double variance = 0, stated = NAN;
    int n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct published_number *x = &p->list[i];
        if (x->what.kind == PUBLISHED_TASKS)
            stated = x->error;
        else if (!isnan(x->error)) {
            variance += x->error * x->error;
            n++;
        }
    }
    assert_int_equal(n, 16);
    assert_true(fabs(sqrt(variance) / n - stated) < 0.005);
    release_all(&f);
}

/* ---- files that are refused ---- */

static void refused(const char *content, const char *why)
{
    struct published p;
    struct err e;
    scratch_write("x.csv", text_of(content));
    if (!published_read(&p, "x.csv", &e))
        fail_msg("read, not refused: %s", why);
    if (!strstr(e.msg, why))
        fail_msg("'%s' does not say '%s'", e.msg, why);
    assert_int_equal(e.class, ERR_USER);
    assert_null(p.content);
}

static void what_breaks_a_rule_is_named_with_its_line(void **state)
{
    (void)state;
    refused("", "x.csv: holds no numbers");
    refused(HEAD, "x.csv: holds no numbers");
    refused("paper,table,modell\n", "x.csv:1: column 3 is 'modell', must be 'model'");
    refused(HEAD "x", "x.csv:2: 1 fields, must be 11");
    refused("paper\n", "x.csv:1: column 2 is '', must be 'table'");
    refused(HEAD LINE LINE, "x.csv:3: model 'm', protocol 'fp16', setting 'full' and task 'qasper' "
                            "are in line 2, too");
    refused(HEAD "kivi,T,m,fp16,full,qaspr,1,,,s,\n", "x.csv:2: task is 'qaspr', must be one of "
                                                      "LongBench or an average");
    refused(HEAD "kivi,T,m,fp16,full,qaspr,1,,,s,\n", "did you mean 'qasper'?");
    refused(HEAD "k,T,m,p,full,mean of 16 task,1,,,s,\n", "did you mean 'mean of 16 tasks'?");
    refused(HEAD "k,T,m,p,full,code (eng),1,,,s,\n", "did you mean 'code (en)'?");
    refused(HEAD "k,T,m,p,full,mini_code,1,,,s,\n", "task is 'mini_code'");
    refused(HEAD "k,T,m,p,full,qasper,100.1,,,s,\n",
            "score is '100.1', must be a number from 0 to 100");
    refused(HEAD "k,T,m,p,full,qasper,-1,,,s,\n", "score is '-1', must be a number from 0 to 100");
    refused(HEAD "k,T,m,p,full,qasper,nan,,,s,\n", "score is 'nan'");
    refused(HEAD "k,T,m,p,full,qasper,,,,s,\n", "score is ''");
    refused(HEAD "k,T,m,p,full,qasper,1,0,,s,\n", "n is '0', must be a number from 1 to 1e+06");
    refused(HEAD "k,T,m,p,full,qasper,1,2.5,,s,\n", "n is '2.5', must be a whole number");
    refused(HEAD "k,T,m,p,full,qasper,1,,51,s,\n", "stderr is '51', must be a number from 0 to 50");
    refused(HEAD "k,T,m,p,full,qasper,1,,,,\n", "x.csv:2: source is empty");
    refused(HEAD "k,T,,p,full,qasper,1,,,s,\n", "x.csv:2: model is empty");
    refused(HEAD "k,T,m,p,full,qasper,1,,,s\n", "x.csv:2: 10 fields, must be 11");
    refused(HEAD "k,T,m,p,full,qasper,1,,,s,,\n", "x.csv:2: 12 fields, must be 11");
    refused(HEAD LINE "\n", "x.csv:3: 1 fields, must be 11");
    refused(HEAD LINE "snapkv,T,m,p,full,qasper,1,,,s,\n",
            "x.csv:3: paper is 'snapkv', must be 'kivi' as in the lines before");
    refused(HEAD "k,\"T,m,p,full,qasper,1,,,s,\n",
            "x.csv:2: a quote that does not end in its line");
    refused(HEAD "k,\"T\"x,m,p,full,qasper,1,,,s,\n", "x.csv:2: text after a closing quote");
    refused(HEAD "k,T\"x\",m,p,full,qasper,1,,,s,\n", "x.csv:2: a quote within a field");
    refused(HEAD "k,T\xff,m,p,full,qasper,1,,,s,\n", "x.csv: byte 74 is not valid UTF-8");
}

static void quotes_commas_and_line_ends_are_read(void **state)
{
    (void)state;
    struct published p;
    struct err e;
    scratch_write("y.csv",
                  text_of("paper,table,model,protocol,setting,task,score,n,stderr,source,"
                          "remarks\r\n\"k\",\"a, \"\"b\"\"\",m,p,full,qasper,29.420,,,s,\"\"\r\n"
                          "k,T,m,p,full,code (zh),3,7,0.5,s,last"));
    if (published_read(&p, "y.csv", &e))
        fail_msg("%s", e.msg);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.paper, "k");
    assert_string_equal(p.list[0].table, "a, \"b\"");
    assert_string_equal(p.list[0].remarks, "");
    assert_int_equal(p.list[0].decimals, 3);
    assert_int_equal(p.list[0].n, 0);
    assert_true(isnan(p.list[0].error));
    assert_int_equal(p.list[1].what.kind, PUBLISHED_CATEGORY);
    assert_int_equal(p.list[1].what.category, CAT_CODE);
    assert_string_equal(p.list[1].what.language, "zh");
    assert_int_equal(p.list[1].n, 7);
    assert_string_equal(p.list[1].remarks, "last");
    published_release(&p);
}

static void papers_are_found_by_name(void **state)
{
    (void)state;
    struct err e;
    char *path = published_path_dup("kivi", &e);
    assert_non_null(strstr(path, "configs/papers/published/kivi.csv"));
    free(path);
    assert_null(published_path_dup("kivvi", &e));
    assert_non_null(strstr(e.msg, "did you mean 'kivi'?"));
    path = published_path_dup("other/kivvi.csv", &e);
    assert_string_equal(path, "other/kivvi.csv");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stated_average_comes_out),
        cmocka_unit_test(categories_of_one_paper_are_the_tasks_of_another),
        cmocka_unit_test(the_error_of_a_mean_comes_out),
        cmocka_unit_test(what_breaks_a_rule_is_named_with_its_line),
        cmocka_unit_test(quotes_commas_and_line_ends_are_read),
        cmocka_unit_test(papers_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
