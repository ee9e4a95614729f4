#include "runner/leaderboard.h"

#include <math.h>
#include <string.h>

const char *leaderboard_name(enum leaderboard_group g)
{
    static const char *const names[] = {"english", "chinese", "all"};
    return names[g];
}

static bool belongs(const struct task *t, enum leaderboard_group g)
{
    return g == LEADERBOARD_ALL || !strcmp(t->language, "code") ||
           !strcmp(t->language, g == LEADERBOARD_ENGLISH ? "en" : "zh");
}

static double mean(double sum, size_t n)
{
    return n ? sum / (double)n : NAN;
}

void leaderboard_fill(struct leaderboard *l, enum leaderboard_group g, const struct scoring *s)
{
    double sum[CATEGORIES] = {0}, sum_of_tasks = 0, sum_of_categories = 0;
    size_t n[CATEGORIES] = {0};
    *l = (struct leaderboard){0};
    for (size_t i = 0; i < s->n; i++) {
        const struct scoring_task *t = &s->tasks[i];
        if (t->state != SCORING_DONE || !belongs(t->task, g))
            continue;
        sum[t->task->category] += t->all.score;
        n[t->task->category]++;
        sum_of_tasks += t->all.score;
        l->n_tasks++;
    }
    for (int c = 0; c < CATEGORIES; c++) {
        l->category[c] = mean(sum[c], n[c]);
        sum_of_categories += l->category[c];
        l->n_categories += n[c] > 0;
    }
    l->mean_of_tasks = mean(sum_of_tasks, l->n_tasks);
    l->mean_of_categories = sum_of_categories / CATEGORIES;
}
