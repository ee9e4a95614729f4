/*
 * aggregates, aggregate_cases: eval.py's two functions over the reference predictions and over
 * small cases. results: the same from the folders' expected.json, and every digit of result.json as
 * it is written. Scores are compared as the text that Python prints, raw values bit for bit.
 */
#include "tests/golden/golden.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "runner/scoring.h"
#include "tests/golden/golden_lines.h"

/* ---- comparing ---- */

/* NaN is no JSON: json_read() refuses eval.py's files as they are. */
static struct json *read_with_nan(struct text t, struct err *e)
{
    struct buf b;
    size_t at = 0;
    buf_init(&b);
    for (;;) {
        size_t end = text_find(t, text_of("NaN"), at);
        buf_add(&b, t.s + at, end - at);
        if (end == t.n)
            break;
        buf_str(&b, "null");
        at = end + 3;
    }
    struct json *j = json_read(text_buf(&b), e);
    buf_release(&b);
    return j;
}

static double number_or_nan(const struct json *j)
{
    return j && json_type(j) == JSON_NUMBER ? json_number(j) : NAN;
}

static void compare(struct tally *t, const char *what, double got, const struct json *official)
{
    double want = number_or_nan(official);
    bool equal = official && (got == want || (isnan(got) && isnan(want)));
    tally_add(t, equal, equal ? 0 : fabs(got - want), "%s: %.17g, official %.17g", what, got, want);
}

/* value: a number, or one a bucket. */
static void compare_all(struct tally *t, const char *what, const struct scoring_task *task,
                        const struct json *value, bool raw)
{
    char name[200];
    if (!value)
        return;
    if (json_type(value) != JSON_OBJECT) {
        compare(t, what, raw ? task->all.raw : task->all.score, value);
        return;
    }
    for (int b = 0; b < AGGREGATE_BUCKETS; b++) {
        const struct aggregate *a = &task->bucket[b];
        snprintf(name, sizeof name, "%.150s %s", what, aggregate_bucket_name[b]);
        compare(t, name, raw ? a->raw : a->score, json_get(value, aggregate_bucket_name[b]));
    }
}

static const struct scoring_task *find_task(const struct scoring *s, struct text name)
{
    for (size_t i = 0; i < s->n; i++)
        if (text_is(name, s->tasks[i].name))
            return &s->tasks[i];
    return NULL;
}

/* ---- the folders, each scored once for a back-end and a group ---- */

enum { SOURCES_MAX = 16 };

struct sources {
    struct scoring scored[SOURCES_MAX];
    char *name[SOURCES_MAX];
    int n;
};

static int open_sources(struct sources *all, const char *dir, const char *backend, struct err *e)
{
    const char *top = golden_path(dir, "predictions");
    *all = (struct sources){.n = 0};
    DIR *d = opendir(top);
    if (!d)
        return GOLDEN_ABSENT;
    int rc = 0;
    for (struct dirent *f; !rc && all->n < SOURCES_MAX && (f = readdir(d));) {
        if (f->d_name[0] == '.')
            continue;
        char *path = file_join_dup(top, f->d_name);
        rc = scoring_run(&all->scored[all->n], path, true, backend, e);
        if (!rc)
            all->name[all->n++] = xstrdup(f->d_name);
        free(path);
    }
    closedir(d);
    return rc;
}

static void close_sources(struct sources *all)
{
    for (int i = 0; i < all->n; i++) {
        scoring_release(&all->scored[i]);
        free(all->name[i]);
    }
}

/* ---- aggregates ---- */

static int check_aggregate(const struct sources *all, const struct json *line, struct tally *t,
                           struct err *e)
{
    char what[200];
    const struct json *source = json_need(line, "source", JSON_STRING, e);
    const struct json *name = json_need(line, "task", JSON_STRING, e);
    if (!source || !name)
        return -1;
    snprintf(what, sizeof what, "%.90s %.60s", json_string(source).s, json_string(name).s);
    for (int i = 0; i < all->n; i++) {
        if (!text_is(json_string(source), all->name[i]))
            continue;
        const struct scoring_task *task = find_task(&all->scored[i], json_string(name));
        if (!task || task->state != SCORING_DONE)
            return err_item(e, "%s: %s", what, task ? task->why.msg : "there is no such file");
        compare_all(t, what, task, json_get(line, "score"), false);
        compare_all(t, what, task, json_get(line, "raw"), true);
        return 0;
    }
    return err_user(e, "%s: there is no such folder", what);
}

static int run_lines(const char *path, const struct sources *all, const char *backend,
                     struct tally *t, struct err *e,
                     int (*check)(const struct sources *all, const struct json *line,
                                  struct tally *t, struct err *e))
{
    struct text content, line;
    size_t at = 0;
    int rc = file_read(path, &content, e);
    while (!rc && at < content.n) {
        size_t end = text_find(content, text_of("\n"), at);
        line = (struct text){content.s + at, end - at};
        at = end + 1;
        struct json *j = read_with_nan(line, e);
        if (!j)
            rc = -1;
        const struct json *with = j ? json_get(j, "backend") : NULL;
        bool difflib =
            !with || json_type(with) != JSON_STRING || text_is(json_string(with), "difflib");
        if (j && difflib == !strcmp(backend, "difflib"))
            rc = check(all, j, t, e);
        json_free(j);
    }
    free((void *)content.s);
    return rc;
}

int golden_aggregates(const char *dir, struct tally *t, struct err *e)
{
    static const char *const backends[] = {"difflib", "levenshtein"};
    const char *path = golden_path(dir, "metrics/aggregates.jsonl");
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    int rc = 0;
    for (int i = 0; i < 2 && !rc; i++) {
        struct sources all;
        rc = open_sources(&all, dir, backends[i], e);
        path = golden_path(dir, "metrics/aggregates.jsonl");
        if (!rc)
            rc = run_lines(path, &all, backends[i], t, e, check_aggregate);
        close_sources(&all);
    }
    return rc;
}

/* ---- aggregate_cases ---- */

/* The case as a prediction file, so that all of the way is compared. */
static int case_lines(const struct json *line, struct buf *out, struct err *e)
{
    const struct json *pred = json_need(line, "predictions", JSON_ARRAY, e);
    const struct json *answers = pred ? json_need(line, "answers", JSON_ARRAY, e) : NULL;
    const struct json *length = answers ? json_need(line, "lengths", JSON_ARRAY, e) : NULL;
    if (!length)
        return -1;
    const struct json *p = json_first(pred), *a = json_first(answers), *l = json_first(length);
    for (; p && a && l; p = json_next(p), a = json_next(a), l = json_next(l)) {
        buf_str(out, "{\"pred\": ");
        json_put_canonical(out, p);
        buf_str(out, ", \"answers\": ");
        json_put_canonical(out, a);
        buf_str(out, ", \"length\": ");
        json_put_canonical(out, l);
        buf_str(out, ", \"all_classes\": ");
        json_put_canonical(out, json_get(line, "all_classes"));
        buf_str(out, "}\n");
    }
    return 0;
}

static int score_case(const char *task, const struct buf *lines, struct scoring *s, struct err *e)
{
    char dir[] = "/tmp/kvlab-golden-XXXXXX", file[100];
    if (!mkdtemp(dir))
        return err_system(e, "no scratch folder");
    snprintf(file, sizeof file, "%.80s.jsonl", task);
    char *path = file_join_dup(dir, file);
    int rc = file_write(path, text_buf(lines), e) || scoring_run(s, dir, true, NULL, e);
    remove(path);
    remove(dir);
    free(path);
    return rc ? -1 : 0;
}

static int check_case(const struct sources *none, const struct json *line, struct tally *t,
                      struct err *e)
{
    struct scoring s;
    struct buf lines;
    (void)none;
    const struct json *name = json_need(line, "name", JSON_STRING, e);
    const struct json *task = name ? json_need(line, "task", JSON_STRING, e) : NULL;
    if (!task)
        return -1;
    buf_init(&lines);
    int rc = case_lines(line, &lines, e) || score_case(json_string(task).s, &lines, &s, e);
    buf_release(&lines);
    if (rc)
        return err_in(e, "%s", json_string(name).s);
    if (s.tasks[0].state == SCORING_DONE) {
        compare_all(t, json_string(name).s, &s.tasks[0], json_get(line, "scorer"), false);
        compare_all(t, json_string(name).s, &s.tasks[0], json_get(line, "scorer_e"), false);
    } else {
        rc = err_item(e, "%s: %s", json_string(name).s, s.tasks[0].why.msg);
    }
    scoring_release(&s);
    return rc;
}

int golden_aggregate_cases(const char *dir, struct tally *t, struct err *e)
{
    const char *path = golden_path(dir, "metrics/aggregate_cases.jsonl");
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    return run_lines(path, NULL, "difflib", t, e, check_case);
}

/* ---- results ---- */

/* What stands behind "KEY": in a text, at most n bytes of it. */
static bool stands_behind(struct text t, const char *key, const char *value)
{
    char find[200];
    snprintf(find, sizeof find, "\"%s\": %s", key, value);
    size_t at = text_find(t, text_of(find), 0), end = at + strlen(find);
    return at < t.n && end < t.n && strchr(",\n}", t.s[end]);
}

/* result.json of scorer, as text: the digits of expected.json's file stand in ours. */
static void check_digits(const struct scoring *s, const struct scoring_task *task,
                         const struct json *want, struct tally *t)
{
    struct scoring plain = *s;
    struct buf ours, number;
    plain.with_e = false;
    buf_init(&ours);
    buf_init(&number);
    scoring_put_result(&plain, &ours);
    scoring_put_float(number_or_nan(want), &number);
    tally_add(t, stands_behind(text_buf(&ours), task->name, number.s), 0,
              "%s: result.json has not \"%s\"", task->name, number.s);
    buf_release(&ours);
    buf_release(&number);
}

static int check_expected_task(const struct scoring *s, const struct json *want, bool difflib,
                               struct tally *t, struct err *e)
{
    char what[200];
    const struct scoring_task *task = find_task(s, text_of(json_key(want)));
    if (!task || task->state != SCORING_DONE)
        return err_item(e, "%s", task ? task->why.msg : json_key(want));
    snprintf(what, sizeof what, "%.60s", task->name);
    if (!difflib) {
        compare_all(t, what, task, json_get(want, "scorer_levenshtein"), false);
        compare_all(t, what, task, json_get(want, "scorer_e_levenshtein"), false);
        return 0;
    }
    compare_all(t, what, task, json_get(want, "scorer"), false);
    compare_all(t, what, task, json_get(want, "scorer_raw"), true);
    compare_all(t, what, task, json_get(want, "scorer_e"), false);
    compare_all(t, what, task, json_get(want, "scorer_e_raw"), true);
    check_digits(s, task, json_get(want, "scorer"), t);
    compare(t, what, (double)task->all.n, json_get(want, "n"));
    return 0;
}

static int check_expected(const struct sources *all, int i, bool difflib, struct tally *t,
                          struct err *e)
{
    struct text content;
    char *path = file_join_dup(all->scored[i].dir, "expected.json");
    struct json *j = NULL;
    int rc = file_read(path, &content, e);
    free(path);
    if (rc)
        return -1;
    j = read_with_nan(content, e);
    const struct json *tasks = j ? json_need(j, "tasks", JSON_OBJECT, e) : NULL;
    rc = tasks ? 0 : -1;
    for (const struct json *x = tasks ? json_first(tasks) : NULL; x && !rc; x = json_next(x))
        rc = check_expected_task(&all->scored[i], x, difflib, t, e);
    free((void *)content.s);
    json_free(j);
    return rc ? err_in(e, "%s", all->name[i]) : 0;
}

int golden_results(const char *dir, struct tally *t, struct err *e)
{
    static const char *const backends[] = {"difflib", "levenshtein"};
    int rc = 0;
    for (int k = 0; k < 2 && !rc; k++) {
        struct sources all;
        rc = open_sources(&all, dir, backends[k], e);
        for (int i = 0; i < all.n && !rc; i++)
            rc = check_expected(&all, i, k == 0, t, e);
        close_sources(&all);
    }
    return rc;
}
