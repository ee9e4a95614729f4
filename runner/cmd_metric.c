/* kvlab metric NAME: scores JSON lines from standard input, one score a line. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "metrics/metric.h"
#include "runner/command.h"

static int run(int argc, char **argv);

const struct command cmd_metric = {
    .name = "metric",
    .summary = "score prediction and answer pairs from standard input",
    .usage = "metric NAME < FILE\n"
             "  FILE   JSON lines {\"prediction\": TEXT, \"ground_truth\": TEXT,\n"
             "         \"all_classes\": null or [TEXT, ...]}; other keys are ignored\n"
             "  prints one score a line with 17 digits, nan where the official code raises;\n"
             "  kvlab list metrics shows the names",
    .run = run,
};

/* Scores are kept until all input is read: wrong input then prints nothing. */
struct scores {
    double *x;
    size_t n, cap;
    int failed; // items without a score
};

static void scores_add(struct scores *s, double x)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->x = xrealloc(s->x, mem_size(s->cap, sizeof *s->x));
    }
    s->x[s->n++] = x;
}

/* *classes stays NULL where all_classes is absent or null; else the caller frees it. */
static int read_classes(const struct json *line, struct text **classes, size_t *n, struct err *e)
{
    const struct json *list = json_get(line, "all_classes");
    *classes = NULL;
    *n = 0;
    if (!list || json_type(list) == JSON_NULL)
        return 0;
    if (json_type(list) != JSON_ARRAY)
        return err_user(e, "key 'all_classes' is %s, must be null or an array of strings",
                        json_type_name(json_type(list)));
    *classes = xmalloc(mem_size(json_length(list) + 1, sizeof **classes));
    for (const struct json *j = json_first(list); j; j = json_next(j)) {
        if (json_type(j) != JSON_STRING) {
            free(*classes);
            return err_user(e, "key 'all_classes': element %zu is %s, must be a string", *n + 1,
                            json_type_name(json_type(j)));
        }
        (*classes)[(*n)++] = json_string(j);
    }
    return 0;
}

static int score_record(const struct metric *m, const struct json *line, double *out, struct err *e)
{
    struct text *classes;
    size_t n_classes;
    if (json_type(line) != JSON_OBJECT)
        return err_user(e, "%s, must be an object", json_type_name(json_type(line)));
    const struct json *prediction = json_need(line, "prediction", JSON_STRING, e);
    const struct json *truth = prediction ? json_need(line, "ground_truth", JSON_STRING, e) : NULL;
    if (!truth || read_classes(line, &classes, &n_classes, e))
        return -1;
    int rc = m->score(json_string(prediction), json_string(truth), classes, n_classes, out, e);
    free(classes);
    return rc;
}

static int score_line(const struct metric *m, struct text line, double *out, struct err *e)
{
    static const char only_line[] = "line 1, "; // the caller says which it is in the file
    struct json *j = json_read(line, e);
    if (!j) {
        size_t n = sizeof only_line - 1;
        if (!strncmp(e->msg, only_line, n))
            memmove(e->msg, e->msg + n, strlen(e->msg + n) + 1);
        return -1;
    }
    int rc = score_record(m, j, out, e);
    json_free(j);
    return rc;
}

/* An item that has no score becomes nan and a message; anything else that is wrong ends it. */
static int score_file(const struct metric *m, FILE *f, struct scores *s, struct err *e)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    int rc = 0;
    errno = 0;
    while (!rc && (n = getline(&line, &room, f)) >= 0) {
        double x = NAN;
        number++;
        n -= n > 0 && line[n - 1] == '\n';
        if (score_line(m, (struct text){line, (size_t)n}, &x, e)) {
            err_in(e, "standard input, line %zu", number);
            if (e->class == ERR_ITEM) {
                x = NAN;
                s->failed++;
                log_failure(e);
            } else {
                rc = -1;
            }
        }
        scores_add(s, x);
    }
    free(line);
    if (!rc && ferror(f))
        rc = err_system(e, "standard input: %s", strerror(errno));
    return rc;
}

static int print_scores(const struct scores *s, struct err *e)
{
    for (size_t i = 0; i < s->n; i++)
        printf("%.17g\n", s->x[i]);
    if (fflush(stdout) || ferror(stdout))
        return err_system(e, "standard output: %s", strerror(errno));
    return 0;
}

static int run(int argc, char **argv)
{
    struct err e;
    const char *name = NULL;
    int n;
    struct scores s = {0};
    const struct flag flags[] = {{0}};
    int rc = command_flags(&cmd_metric, argc, argv, flags, &name, 1, &n, &e);
    if (rc > 0)
        return 0;
    if (!rc && !n)
        rc = err_user(&e, "metric: which one? (kvlab list metrics shows them)");
    const struct metric *m = rc ? NULL : metric_find(name, &e);
    rc = !m || score_file(m, stdin, &s, &e) || print_scores(&s, &e) ? log_failure(&e) : 0;
    free(s.x);
    return rc ? rc : s.failed ? ERR_ITEM : 0;
}
