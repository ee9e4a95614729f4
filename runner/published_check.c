/* Averages as stated against the tasks as stated: a slip of the pen shows here. */
#include <math.h>
#include <string.h>

#include "runner/published.h"

enum { CATEGORY_COUNT = CAT_CODE + 1 };

struct sums {
    double sum;
    int n;
};

static bool counts(const struct task *t, const char *language)
{
    return !strcmp(t->language, "code") || !strcmp(t->language, language);
}

/* The tasks of one language and category in the run of `of`. */
static struct sums category_sum(const struct published *p, const struct published_number *of,
                                enum category c)
{
    struct sums s = {0, 0};
    for (size_t i = 0; i < p->n; i++) {
        const struct published_number *x = &p->list[i];
        if (x->what.kind == PUBLISHED_TASK && x->what.task->category == c &&
            counts(x->what.task, of->what.language) && published_same_run(x, of)) {
            s.sum += x->score;
            s.n++;
        }
    }
    return s;
}

static double mean_of_categories(const struct published *p, const struct published_number *of)
{
    double sum = 0;
    for (int c = 0; c < CATEGORY_COUNT; c++) {
        struct sums s = category_sum(p, of, (enum category)c);
        if (!s.n)
            return NAN;
        sum += s.sum / s.n;
    }
    return sum / CATEGORY_COUNT;
}

/* English and code: no paper averages over Chinese tasks. NaN unless as many are there as stated.
 */
static double mean_of_tasks(const struct published *p, const struct published_number *of)
{
    struct sums s = {0, 0};
    for (size_t i = 0; i < p->n; i++) {
        const struct published_number *x = &p->list[i];
        if (x->what.kind == PUBLISHED_TASK && counts(x->what.task, "en") &&
            published_same_run(x, of)) {
            s.sum += x->score;
            s.n++;
        }
    }
    return s.n && s.n == of->what.n ? s.sum / s.n : NAN;
}

static double recompute(const struct published *p, const struct published_number *of)
{
    struct sums s;
    switch (of->what.kind) {
    case PUBLISHED_CATEGORY:
        s = category_sum(p, of, of->what.category);
        return s.n ? s.sum / s.n : NAN;
    case PUBLISHED_CATEGORIES:
        return mean_of_categories(p, of);
    case PUBLISHED_TASKS:
        return mean_of_tasks(p, of);
    case PUBLISHED_TASK:
        break;
    }
    return NAN;
}

/* Half a unit of the last digit, and what is lost in binary. */
static bool agrees(const struct published_number *x, double mean)
{
    return fabs(x->score - mean) <= 0.5 * pow(10, -x->decimals) + 1e-9;
}

struct published_check published_check(const struct published *p, struct buf *out)
{
    struct published_check c = {0, 0, 0};
    for (size_t i = 0; i < p->n; i++) {
        const struct published_number *x = &p->list[i];
        double mean = recompute(p, x);
        c.averages += x->what.kind != PUBLISHED_TASK;
        c.checked += !isnan(mean);
        if (isnan(mean) || agrees(x, mean))
            continue;
        c.wrong++;
        buf_printf(out, "%s:%zu: %s, %s: %s is stated as %.*f, its tasks give %.*f\n", p->path,
                   x->line, x->model, x->setting, x->task, x->decimals, x->score, x->decimals + 2,
                   mean);
    }
    return c;
}
