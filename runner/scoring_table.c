/* The table that kvlab score prints: tasks, then categories and both averages. */
#include <math.h>
#include <string.h>

#include "reports/grid.h"
#include "reports/visible.h"
#include "runner/leaderboard.h"
#include "runner/scoring.h"

static void add_score(struct grid *g, double x)
{
    if (isnan(x))
        grid_cell(g, text_of("-"));
    else
        grid_printf(g, "%.2f", x);
}

static void add_task(struct grid *g, const struct scoring *s, const struct scoring_task *t)
{
    static const char *const states[] = {"", "skipped", "no score", "refused"};
    grid_cell(g, text_of(t->name));
    grid_cell(g, text_of(t->task ? category_name(t->task->category) : "-"));
    if (!s->with_e) // no room beside the lengths
        grid_cell(g, text_of(t->task ? scoring_metric(t->task, s->backend) : "-"));
    grid_printf(g, "%zu", t->predictions.n);
    if (t->state == SCORING_DONE)
        add_score(g, t->all.score);
    else
        grid_cell(g, text_of(states[t->state]));
    for (int b = 0; b < AGGREGATE_BUCKETS && s->with_e; b++) {
        if (t->state == SCORING_DONE && t->bucket[b].n)
            grid_printf(g, "%.2f (%zu)", t->bucket[b].score, t->bucket[b].n);
        else
            grid_cell(g, text_of("-"));
    }
}

/* English, code, Chinese, as the leaderboard has them; what is of no task comes last. */
static int language_order(const struct scoring_task *t)
{
    return !t->task                           ? 3
           : !strcmp(t->task->language, "zh") ? 2
           : !strcmp(t->task->language, "en") ? 0
                                              : 1;
}

static void put_tasks(const struct scoring *s, struct grid_look look, struct buf *out)
{
    struct grid *g = grid_new();
    grid_column(g, "", "task", GRID_LEFT);
    grid_column(g, "", "category", GRID_LEFT);
    if (!s->with_e)
        grid_column(g, "", "metric", GRID_LEFT);
    grid_column(g, "", "n", GRID_RIGHT);
    grid_column(g, "", s->with_e ? "all" : "score", GRID_RIGHT);
    for (int b = 0; b < AGGREGATE_BUCKETS && s->with_e; b++)
        grid_column(g, "", aggregate_bucket_name[b], GRID_RIGHT);
    bool any = false;
    for (int order = 0; order < 4; order++) {
        bool first = true;
        for (size_t i = 0; i < s->n; i++) {
            if (language_order(&s->tasks[i]) != order)
                continue;
            if (first && any)
                grid_rule(g);
            add_task(g, s, &s->tasks[i]);
            any = true;
            first = false;
        }
    }
    grid_put_text(g, look, out);
    grid_free(g);
}

static void put_means(const struct scoring *s, struct grid_look look, struct buf *out)
{
    struct leaderboard l[LEADERBOARDS];
    struct grid *g = grid_new();
    grid_column(g, "", "mean", GRID_LEFT);
    grid_column(g, "", "English, code", GRID_RIGHT);
    grid_column(g, "", "Chinese, code", GRID_RIGHT);
    grid_column(g, "", "all", GRID_RIGHT);
    for (int i = 0; i < LEADERBOARDS; i++)
        leaderboard_fill(&l[i], (enum leaderboard_group)i, s);
    for (int c = 0; c < CATEGORIES; c++) {
        grid_cell(g, text_of(category_name((enum category)c)));
        for (int i = 0; i < LEADERBOARDS; i++)
            add_score(g, l[i].category[c]);
    }
    grid_rule(g);
    grid_cell(g, text_of("mean of the 6 categories"));
    for (int i = 0; i < LEADERBOARDS; i++)
        add_score(g, l[i].mean_of_categories);
    grid_cell(g, text_of("mean of the tasks"));
    for (int i = 0; i < LEADERBOARDS; i++)
        add_score(g, l[i].mean_of_tasks);
    grid_cell(g, text_of("tasks"));
    for (int i = 0; i < LEADERBOARDS; i++)
        grid_printf(g, "%zu", l[i].n_tasks);
    grid_put_text(g, look, out);
    grid_free(g);
}

void scoring_put_table(const struct scoring *s, int width, struct buf *out)
{
    struct grid_look look = {.width = width};
    put_tasks(s, look, out);
    buf_char(out, '\n');
    put_means(s, look, out);
    buf_char(out, '\n');
    if (s->with_e)
        visible_put_wrapped("Columns by length as scorer_e of LongBench's eval.py (items in "
                            "parentheses); column all as scorer.",
                            width, 2, out);
    visible_put_wrapped("The leaderboard gives the mean of the 6 categories, papers on KV caches "
                        "that of the tasks (of column English, code). Both are of the rounded "
                        "scores above, and only of those that are there.",
                        width, 2, out);
}
