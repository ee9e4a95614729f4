/*
 * predictions: every item of the prediction folders in DIR/predictions against the official score
 * of that item, by eval.py's rules. Tasks whose metric is not there yet are left out.
 */
#include "tests/golden/golden.h"

#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "metrics/metric.h"
#include "tests/golden/golden_lines.h"

/* dataset2metric of eval.py, and the tasks that score the first line only. */
static const struct task {
    const char *name, *metric;
    bool first_line;
} tasks[] = {
    {"narrativeqa", "qa_f1_score", false},
    {"qasper", "qa_f1_score", false},
    {"multifieldqa_en", "qa_f1_score", false},
    {"multifieldqa_zh", "qa_f1_zh_score", false},
    {"hotpotqa", "qa_f1_score", false},
    {"2wikimqa", "qa_f1_score", false},
    {"musique", "qa_f1_score", false},
    {"dureader", "rouge_zh_score", false},
    {"gov_report", "rouge_score", false},
    {"qmsum", "rouge_score", false},
    {"multi_news", "rouge_score", false},
    {"vcsum", "rouge_zh_score", false},
    {"trec", "classification_score", true},
    {"triviaqa", "qa_f1_score", true},
    {"samsum", "rouge_score", true},
    {"lsht", "classification_score", true},
    {"passage_retrieval_en", "retrieval_score", false},
    {"passage_count", "count_score", false},
    {"passage_retrieval_zh", "retrieval_zh_score", false},
    {"lcc", "code_sim_difflib", false},
    {"repobench-p", "code_sim_difflib", false},
};

enum { N_TASKS = sizeof tasks / sizeof *tasks };

/* The records of a prediction file, in order. */
struct records {
    struct json **item;
    size_t n;
};

static void records_release(struct records *r)
{
    for (size_t i = 0; i < r->n; i++)
        json_free(r->item[i]);
    free(r->item);
    *r = (struct records){0};
}

static int records_read(struct records *r, const char *path, struct err *e)
{
    struct golden_lines f;
    if (golden_lines_open(&f, path, e))
        return -1;
    while (golden_lines_next(&f, e)) {
        r->item = xrealloc(r->item, mem_size(r->n + 1, sizeof *r->item));
        r->item[r->n++] = f.record;
        f.record = NULL; // ours now
    }
    golden_lines_close(&f);
    return e->class == ERR_NONE ? 0 : -1;
}

/* all_classes is that of the file's last line, as in eval.py. */
static int score_item(const struct metric *m, const struct task *task, const struct records *r,
                      long i, double *out, struct err *e)
{
    assert(r->item && (size_t)i < r->n);
    const struct json *pred = json_need(r->item[i], "pred", JSON_STRING, e);
    const struct json *list = json_need(r->item[i], "answers", JSON_ARRAY, e);
    if (!pred || !list)
        return -1;
    size_t n, n_classes;
    struct text *answers = golden_texts_new(list, &n);
    struct text *classes = golden_texts_new(json_get(r->item[r->n - 1], "all_classes"), &n_classes);
    int rc =
        metric_item(m, json_string(pred), task->first_line, answers, n, classes, n_classes, out, e);
    free(answers);
    free(classes);
    return rc;
}

/* The lines of items.scores that are of one task. */
static int check_task(const struct task *task, const struct metric *m, const char *source,
                      const struct records *r, struct golden_lines *scores, struct tally *t,
                      struct err *e)
{
    for (const struct json *line; (line = golden_lines_next(scores, e));) {
        long i;
        double got;
        const struct json *name = json_need(line, "task", JSON_STRING, e);
        const struct json *score = json_need(line, "score", JSON_NUMBER, e);
        if (!name || !score || json_need_int(line, "i", 0, 1L << 30, &i, e))
            return -1;
        if (!text_is(json_string(name), task->name))
            continue;
        if (i >= (long)r->n)
            return err_user(e, "items.scores has an item %ld of %zu", i, r->n);
        if (score_item(m, task, r, i, &got, e))
            return err_in(e, "item %ld", i);
        double want = json_number(score);
        tally_add(t, got == want, fabs(got - want), "%s/%s item %ld: %.17g, official %.17g", source,
                  task->name, i, got, want);
    }
    return e->class == ERR_NONE ? 0 : -1;
}

/* A task of one source, where its predictions and its metric are there. */
static int run_task(const struct task *task, const char *dir, const char *source, struct tally *t,
                    struct err *e)
{
    char file[256];
    struct err unknown;
    snprintf(file, sizeof file, "%s.jsonl", task->name);
    const struct metric *m = metric_find(task->metric, &unknown);
    char *path = file_join_dup(dir, file), *scores_path = file_join_dup(dir, "items.scores");
    int rc = 0;
    if (m && file_exists(path)) {
        struct records r = {0};
        struct golden_lines scores = {0};
        rc = records_read(&r, path, e) || golden_lines_open(&scores, scores_path, e) ||
             check_task(task, m, source, &r, &scores, t, e);
        golden_lines_close(&scores);
        records_release(&r);
    }
    free(path);
    free(scores_path);
    return rc ? err_in(e, "%s/%s", source, task->name) : 0;
}

int golden_predictions(const char *dir, struct tally *t, struct err *e)
{
    const char *top = golden_path(dir, "predictions");
    DIR *d = opendir(top);
    if (!d)
        return GOLDEN_ABSENT;
    int rc = 0;
    for (struct dirent *entry; !rc && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        char *source = file_join_dup(top, entry->d_name);
        for (int i = 0; i < N_TASKS && !rc; i++)
            rc = run_task(&tasks[i], source, entry->d_name, t, e);
        free(source);
    }
    closedir(d);
    return rc;
}
