/* metric_NAME: every line of DIR/metrics/NAME.jsonl, equal to the last bit. One group a metric. */
#include "tests/golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/base/file.h"
#include "metrics/metric.h"
#include "tests/golden/golden_lines.h"

static int check_record(const struct metric *m, const struct json *record, size_t line,
                        struct tally *t, struct err *e)
{
    const struct json *prediction = json_need(record, "prediction", JSON_STRING, e);
    const struct json *truth = json_need(record, "ground_truth", JSON_STRING, e);
    const struct json *want = json_need(record, "score", JSON_NUMBER, e);
    if (!prediction || !truth || !want)
        return -1;
    size_t n;
    double got, score = json_number(want);
    struct text *classes = golden_texts_new(json_get(record, "all_classes"), &n);
    int rc = m->score(json_string(prediction), json_string(truth), classes, n, &got, e);
    free(classes);
    if (!rc)
        tally_add(t, got == score, fabs(got - score), "line %zu: %.17g, official %.17g", line, got,
                  score);
    return rc;
}

static int run(const char *name, const char *dir, struct tally *t, struct err *e)
{
    struct golden_lines f;
    char file[80];
    snprintf(file, sizeof file, "metrics/%s.jsonl", name);
    const char *path = golden_path(dir, file);
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    const struct metric *m = metric_find(name, e);
    if (!m || golden_lines_open(&f, path, e))
        return -1;
    int rc = 0;
    for (const struct json *record; !rc && (record = golden_lines_next(&f, e));)
        if (check_record(m, record, f.line, t, e))
            rc = err_in(e, "%s, line %zu", file, f.line);
    if (e->class != ERR_NONE)
        rc = -1;
    golden_lines_close(&f);
    return rc;
}

#define METRIC(name)                                                                               \
    int golden_metric_##name(const char *dir, struct tally *t, struct err *e)                      \
    {                                                                                              \
        return run(#name, dir, t, e);                                                              \
    }
#include "metrics/metrics.def"
#undef METRIC
