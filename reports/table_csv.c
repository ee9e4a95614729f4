#include "reports/table_csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/grid.h"

/* A task by its name; nth: of several of that name in one table. */
struct csv_task {
    const char *name;
    int nth;
};

struct csv_columns {
    struct csv_task *task;
    int n;
};

static int nth_of(const struct table *t, int task)
{
    int nth = 0;
    for (int i = 0; i < task; i++)
        nth += !strcmp(t->task[i].name, t->task[task].name);
    return nth;
}

/* The task's place in a table, or -1. */
static int place_of(const struct table *t, const struct csv_task *k)
{
    for (int i = 0; i < t->n_tasks; i++)
        if (!strcmp(t->task[i].name, k->name) && nth_of(t, i) == k->nth)
            return i;
    return -1;
}

static bool has_column(const struct csv_columns *c, const char *name, int nth)
{
    for (int i = 0; i < c->n; i++)
        if (!strcmp(c->task[i].name, name) && c->task[i].nth == nth)
            return true;
    return false;
}

/* The tasks of all tables: another length of answers makes another task of the same name. */
static struct csv_columns csv_columns_new(const struct table_data *d)
{
    struct csv_columns c = {NULL, 0};
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_tasks; k++) {
            const struct csv_task task = {d->table[i].task[k].name, nth_of(&d->table[i], k)};
            if (has_column(&c, task.name, task.nth))
                continue;
            c.task = xrealloc(c.task, mem_size((size_t)c.n + 1, sizeof *c.task));
            c.task[c.n++] = task;
        }
    return c;
}

static void add_csv_numbers(struct grid *g, const struct table *t, const struct table_row *r)
{
    struct table_mean m = table_row_mean(t, r);
    struct table_cell sum = {0};
    const double number[] = {m.mean, m.stderr_, 100 * r->kv_ratio, 100 * r->read_ratio,
                             r->decode_tps};
    for (int i = 0; i < t->n_tasks; i++) {
        const struct table_cell *c = &r->cell[i];
        sum.n += c->n, sum.planned += c->planned, sum.failed += c->failed, sum.left += c->left;
    }
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        grid_number(g, number[i], 4);
    grid_number(g, sum.planned, 0);
    grid_number(g, sum.n, 0);
    grid_number(g, sum.failed, 0);
    grid_number(g, sum.left, 0);
    grid_number(g, r->unchanged, 0);
}

static void add_csv_row(struct grid *g, const struct table_data *d, const struct csv_columns *tasks,
                        const struct table *t, const struct table_row *r)
{
    grid_cell(g, text_of(t->model_name));
    grid_cell(g, text_of(t->protocol_name));
    for (int i = 0; i < d->n_differing; i++)
        grid_cell(g, text_of(t->differs[i]));
    grid_cell(g, text_of(r->name));
    if (table_data_has_weights(d))
        grid_cell(g, text_of(r->weights));
    for (int i = 0; i < tasks->n; i++) {
        int place = place_of(t, &tasks->task[i]);
        grid_number(g, place >= 0 && r->cell[place].n ? r->cell[place].score : NAN, 4);
    }
    add_csv_numbers(g, t, r);
}

static void add_csv_columns(struct grid *g, const struct table_data *d,
                            const struct csv_columns *tasks)
{
    static const char *const last[] = {"mean",       "mean_stderr", "kv_percent", "read_percent",
                                       "decode_tps", "items",       "scored",     "failed",
                                       "left",       "unchanged"};
    grid_column(g, "", "model", GRID_LEFT);
    grid_column(g, "", "protocol", GRID_LEFT);
    for (int i = 0; i < d->n_differing; i++)
        grid_column(g, "", d->differing[i], GRID_LEFT);
    grid_column(g, "", "setting", GRID_LEFT);
    if (table_data_has_weights(d))
        grid_column(g, "", "weights", GRID_LEFT);
    for (int i = 0; i < tasks->n; i++)
        grid_column(g, "", tasks->task[i].name, GRID_RIGHT);
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        grid_column(g, "", last[i], GRID_RIGHT);
}

void table_csv_fill(const struct table_data *d, struct grid *g)
{
    struct csv_columns tasks = csv_columns_new(d);
    add_csv_columns(g, d, &tasks);
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++)
            add_csv_row(g, d, &tasks, &d->table[i], &d->table[i].row[k]);
    free(tasks.task);
}
