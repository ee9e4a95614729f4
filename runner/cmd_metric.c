/* kvlab metric NAME: scores JSON lines from standard input, one score a line. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "metrics/jieba.h"
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
             "  kvlab list metrics shows the names\n"
             "usage: kvlab metric jieba_cut < FILE\n"
             "  FILE   JSON lines {\"text\": TEXT}\n"
             "  prints the words of each as a JSON array, as the Chinese metrics see them",
    .run = run,
};

/* Output is kept until all input is read: wrong input then prints nothing. */
struct job {
    const struct metric *metric; // NULL: words are wanted
    struct buf out;
    int failed; // items without a score
};

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

static int cut_record(const struct json *line, struct buf *out, struct err *e)
{
    struct words tokens = {0};
    if (json_type(line) != JSON_OBJECT)
        return err_user(e, "%s, must be an object", json_type_name(json_type(line)));
    const struct json *text = json_need(line, "text", JSON_STRING, e);
    if (!text)
        return -1;
    jieba_cut(json_string(text), &tokens);
    buf_char(out, '[');
    for (size_t i = 0; i < tokens.n; i++) {
        buf_str(out, i ? ", " : "");
        json_put_string(out, tokens.word[i]);
    }
    buf_str(out, "]\n");
    words_release(&tokens);
    return 0;
}

static int do_line(struct job *job, struct text line, struct err *e)
{
    static const char only_line[] = "line 1, "; // the caller says which it is in the file
    double x = NAN;
    struct json *j = json_read(line, e);
    if (!j) {
        size_t n = sizeof only_line - 1;
        if (!strncmp(e->msg, only_line, n))
            memmove(e->msg, e->msg + n, strlen(e->msg + n) + 1);
        return -1;
    }
    int rc = job->metric ? score_record(job->metric, j, &x, e) : cut_record(j, &job->out, e);
    json_free(j);
    if (job->metric)
        buf_printf(&job->out, "%.17g\n", rc ? NAN : x);
    return rc;
}

/* An item that has no score becomes nan and a message; anything else that is wrong ends it. */
static int do_file(struct job *job, FILE *f, struct err *e)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    int rc = 0;
    errno = 0;
    while (!rc && (n = getline(&line, &room, f)) >= 0) {
        number++;
        n -= n > 0 && line[n - 1] == '\n';
        if (!do_line(job, (struct text){line, (size_t)n}, e))
            continue;
        err_in(e, "standard input, line %zu", number);
        if (e->class == ERR_ITEM) {
            job->failed++;
            log_failure(e);
        } else {
            rc = -1;
        }
    }
    free(line);
    if (!rc && ferror(f))
        rc = err_system(e, "standard input: %s", strerror(errno));
    return rc;
}

static int print(const struct buf *out, struct err *e)
{
    if (fwrite(out->s, 1, out->n, stdout) != out->n || fflush(stdout))
        return err_system(e, "standard output: %s", strerror(errno));
    return 0;
}

static int run(int argc, char **argv)
{
    struct err e;
    const char *name = NULL;
    int n;
    struct job job = {0};
    const struct flag flags[] = {{0}};
    int rc = command_flags(&cmd_metric, argc, argv, flags, &name, 1, &n, &e);
    if (rc > 0)
        return 0;
    if (!rc && !n)
        rc = err_user(&e, "metric: which one? (kvlab list metrics shows them)");
    if (!rc && strcmp(name, "jieba_cut") != 0) {
        job.metric = metric_find(name, &e);
        rc = job.metric ? 0 : -1;
    }
    buf_init(&job.out);
    rc = rc || do_file(&job, stdin, &e) || print(&job.out, &e) ? log_failure(&e) : 0;
    buf_release(&job.out);
    return rc ? rc : job.failed ? ERR_ITEM : 0;
}
