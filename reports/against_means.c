/* Averages over the tasks of a pair, and what a difference is worth. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/against.h"
#include "reports/published_names.h"

enum { CATEGORIES = 6 };

/* LongBench's, and how many tasks of each language they have; code counts as either. */
static const struct category {
    const char *name;
    int en, zh;
} categories[CATEGORIES] = {{"single-doc QA", 3, 1}, {"multi-doc QA", 3, 1},
                            {"summarization", 3, 1}, {"few-shot", 3, 1},
                            {"synthetic", 2, 1},     {"code", 2, 2}};

static bool is_listed(const struct against_row *r)
{
    return !against_is_average(r) && !r->computed && !isnan(r->theirs.score);
}

bool against_is_average(const struct against_row *r)
{
    return !strcmp(r->category, PUBLISHED_AVERAGE);
}

/* Which tasks a mean is over: NULL and false are all. */
struct group {
    const char *category, *language;
    bool listed; // by the paper
    bool both;   // and of ours, too
};

static bool belongs(const struct against_row *r, const struct group *g)
{
    if (against_is_average(r) || (g->listed && !is_listed(r)) || (g->both && isnan(r->ours.score)))
        return false;
    return (!g->category || !strcmp(r->category, g->category)) &&
           (!strcmp(r->language, "code") || !strcmp(r->language, g->language));
}

static int count(const struct against_pair *p, const struct group *g)
{
    int n = 0;
    for (int i = 0; i < p->n_rows; i++)
        n += belongs(&p->row[i], g);
    return n;
}

static const struct against_score unknown = {NAN, NAN, 0, 0};

/* NaN where a task has none; the error as well where one task's is not known. */
static struct against_score mean(const struct against_pair *p, const struct group *g, bool ours)
{
    struct against_score m = {0, 0, 0, 0};
    int n = 0;
    for (int i = 0; i < p->n_rows; i++) {
        if (!belongs(&p->row[i], g))
            continue;
        const struct against_score *x = ours ? &p->row[i].ours : &p->row[i].theirs;
        m.score += x->score;
        m.error += x->error * x->error;
        m.n += x->n;
        m.missing += x->missing;
        n++;
    }
    if (!n || isnan(m.score))
        return unknown;
    m.score /= n;
    m.error = sqrt(m.error) / n;
    return m;
}

static struct against_score mean_of_categories(const struct against_pair *p, struct group g,
                                               bool ours)
{
    struct against_score m = {0, 0, 0, 0};
    for (int c = 0; c < CATEGORIES; c++) {
        g.category = categories[c].name;
        struct against_score x = mean(p, &g, ours);
        m.score += x.score / CATEGORIES;
        m.error += x.error * x.error;
        m.n += x.n;
        m.missing += x.missing;
    }
    m.error = sqrt(m.error) / CATEGORIES;
    return isnan(m.score) ? unknown : m;
}

/* ---- ours of what they state ---- */

static int official_count(const char *name, const char *language)
{
    for (int c = 0; c < CATEGORIES; c++)
        if (!strncmp(categories[c].name, name, strlen(categories[c].name)))
            return strcmp(language, "zh") ? categories[c].en : categories[c].zh;
    return 0;
}

static const char *category_of(const char *average)
{
    for (int c = 0; c < CATEGORIES; c++)
        if (!strncmp(categories[c].name, average, strlen(categories[c].name)))
            return categories[c].name;
    return NULL;
}

/* Over the tasks that the paper lists; where it lists none, over LongBench's. */
static struct against_score of_category(const struct against_pair *p, const struct against_row *r)
{
    struct group g = {category_of(r->task), r->language, true, false};
    int wanted = count(p, &g);
    if (!wanted) {
        g.listed = false;
        wanted = official_count(r->task, r->language);
    }
    return wanted && count(p, &g) == wanted ? mean(p, &g, true) : unknown;
}

static struct against_score of_categories(const struct against_pair *p, const struct against_row *r)
{
    struct group g = {NULL, r->language, true, false};
    g.listed = count(p, &g) > 0;
    for (int c = 0; c < CATEGORIES; c++) {
        struct group one = g;
        one.category = categories[c].name;
        int wanted = strcmp(r->language, "zh") ? categories[c].en : categories[c].zh;
        if (count(p, &one) != wanted)
            return unknown;
    }
    return mean_of_categories(p, g, true);
}

/* An average of nobody knows how many tasks cannot be taken of ours. */
static struct against_score of_tasks(const struct against_pair *p, const struct against_row *r)
{
    int wanted = 0;
    struct group g = {NULL, "en", true, false};
    if (sscanf(r->task, "mean of %d tasks", &wanted) != 1)
        return unknown;
    g.listed = count(p, &g) > 0;
    return count(p, &g) == wanted ? mean(p, &g, true) : unknown;
}

static struct against_score ours_of(const struct against_pair *p, const struct against_row *r)
{
    if (!strncmp(r->task, "mean of 6 categories", 20))
        return of_categories(p, r);
    return *r->language ? of_category(p, r) : of_tasks(p, r);
}

/* ---- what they do not state ---- */

static struct against_row *add_row(struct against_pair *p, const char *task)
{
    p->row = xrealloc(p->row, mem_size((size_t)p->n_rows + 1, sizeof *p->row));
    struct against_row *r = &p->row[p->n_rows++];
    *r = (struct against_row){.task = xstrdup(task),
                              .category = xstrdup(PUBLISHED_AVERAGE),
                              .language = xstrdup(""),
                              .source = xstrdup("computed from the tasks"),
                              .computed = true};
    return r;
}

static bool states(const struct against_pair *p, const char *task)
{
    for (int i = 0; i < p->n_rows; i++)
        if (!strcmp(p->row[i].task, task))
            return true;
    return false;
}

static void add_mean(struct against_pair *p, const char *task, const struct group *g,
                     struct against_score (*of)(const struct against_pair *, struct group, bool))
{
    struct against_score theirs = of(p, *g, false), ours = of(p, *g, true);
    struct against_row *r = add_row(p, task);
    r->theirs = theirs;
    r->ours = ours;
}

static struct against_score mean_by_value(const struct against_pair *p, struct group g, bool ours)
{
    return mean(p, &g, ours);
}

static void add_mean_of_tasks(struct against_pair *p)
{
    char task[64];
    struct group g = {NULL, "en", true, false};
    int listed = count(p, &g);
    snprintf(task, sizeof task, "mean of %d tasks", listed);
    if (listed > 1 && !states(p, task))
        add_mean(p, task, &g, mean_by_value);
    g.both = true;
    int both = count(p, &g);
    snprintf(task, sizeof task, "mean of the %d tasks of both", both);
    if (both > 1 && both < listed)
        add_mean(p, task, &g, mean_by_value);
}

static void add_mean_of_categories(struct against_pair *p)
{
    static const char task[] = "mean of 6 categories (en)";
    struct group g = {NULL, "en", true, false};
    if (states(p, task))
        return;
    for (int c = 0; c < CATEGORIES; c++) {
        g.category = categories[c].name;
        if (!count(p, &g))
            return;
    }
    g.category = NULL;
    add_mean(p, task, &g, mean_of_categories);
}

void against_add_averages(struct against_pair *p)
{
    for (int i = 0; i < p->n_rows; i++)
        if (against_is_average(&p->row[i]))
            p->row[i].ours = ours_of(p, &p->row[i]);
    add_mean_of_tasks(p);
    add_mean_of_categories(p);
}

/* ---- differences ---- */

static double in_units(double points, double error)
{
    return error > 0 ? points / error : NAN;
}

struct against_difference against_difference(const struct against_row *r)
{
    double points = r->ours.score - r->theirs.score;
    return (struct against_difference){points, in_units(points, r->ours.error),
                                       in_units(points, hypot(r->ours.error, r->theirs.error))};
}
