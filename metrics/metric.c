#include "metrics/metric.h"

#include <string.h>

#include "harness/base/near.h"

#define METRIC(name) extern const struct metric metric_##name;
#include "metrics/metrics.def"
#undef METRIC

#define METRIC(name) &metric_##name,
const struct metric *const metric_all[] = {
#include "metrics/metrics.def"
    NULL};
#undef METRIC

enum { N_METRICS = sizeof metric_all / sizeof *metric_all - 1 };

const struct metric *metric_find(const char *name, struct err *e)
{
    const char *names[N_METRICS];
    char hint[128];
    for (int i = 0; i < N_METRICS; i++) {
        names[i] = metric_all[i]->name;
        if (!strcmp(name, names[i]))
            return metric_all[i];
    }
    err_user(e, "unknown metric '%s'%s (kvlab list metrics shows them)", name,
             near_hint(hint, name, names, N_METRICS));
    return NULL;
}

/* prediction.lstrip("\n").split("\n")[0]: other line ends do not count. */
static struct text first_line_of(struct text t)
{
    while (t.n && t.s[0] == '\n')
        t = (struct text){t.s + 1, t.n - 1};
    t.n = text_find(t, text_of("\n"), 0);
    return t;
}

int metric_item(const struct metric *m, struct text prediction, bool first_line,
                const struct text *answers, size_t n_answers, const struct text *classes,
                size_t n_classes, double *out, struct err *e)
{
    if (first_line)
        prediction = first_line_of(prediction);
    *out = 0;
    for (size_t i = 0; i < n_answers; i++) {
        double x;
        if (m->score(prediction, answers[i], classes, n_classes, &x, e))
            return err_in(e, "answer %zu", i + 1);
        if (x > *out)
            *out = x;
    }
    return 0;
}
