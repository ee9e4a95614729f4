/* Tables of scores made in memory, as scores_load makes them. */
#ifndef KVLAB_TEST_MADE_SCORES_H
#define KVLAB_TEST_MADE_SCORES_H

#include <math.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "reports/scores.h"

/* Every item asked for and without a score; row 0 is the reference. Tasks' categories by letter:
 * "aab" are two tasks of category a and one of b. */
static inline struct scores_table made_table(const char *categories, int n_rows, int n_items)
{
    static char letter[3][2] = {"a", "b", "c"}, full[] = "full", kvo[] = "kvo", stored[] = "";
    struct scores_table t = {.n_rows = n_rows};
    for (; categories[t.n_tasks]; t.n_tasks++)
        ;
    t.task = xcalloc((size_t)t.n_tasks, sizeof *t.task);
    t.row = xcalloc((size_t)n_rows, sizeof *t.row);
    for (int k = 0; k < t.n_tasks; k++)
        t.task[k] = (struct scores_task){
            .name = letter[0], .category = letter[categories[k] - 'a'], .n_items = n_items};
    for (int i = 0; i < n_rows; i++) {
        t.row[i].method = i ? kvo : full;
        t.row[i].weights = stored;
        t.row[i].cell = xcalloc((size_t)t.n_tasks, sizeof *t.row[i].cell);
        for (int k = 0; k < t.n_tasks; k++) {
            struct scores_item *item = xcalloc((size_t)n_items, sizeof *item);
            for (int at = 0; at < n_items; at++)
                item[at] = (struct scores_item){.score = NAN, .state = SCORES_LEFT};
            t.row[i].cell[k].item = item;
        }
    }
    return t;
}

static inline void made_put(struct scores_table *t, int row, int task, int item, double score)
{
    t->row[row].cell[task].item[item].score = score;
    t->row[row].cell[task].item[item].state = SCORES_DONE;
}

static inline void made_release(struct scores_table *t)
{
    for (int i = 0; i < t->n_rows; i++) {
        for (int k = 0; k < t->n_tasks; k++)
            free(t->row[i].cell[k].item);
        free(t->row[i].cell);
    }
    free(t->row);
    free(t->task);
}

#endif
