#include "reports/scores_int.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "reports/stats.h"

/* ---- tasks ---- */

struct first {
    int64_t job, task;
    int cell;
};

static int by_job(const void *a, const void *b)
{
    const struct first *x = a, *y = b;
    return (x->job > y->job) - (x->job < y->job);
}

static struct first first_of(const struct scores_table *t, int task)
{
    struct first f = {INT64_MAX, t->task[task].id, task};
    for (int i = 0; i < t->n_rows; i++) {
        const struct scores_cell *c = &t->row[i].cell[task];
        for (int at = 0; at < c->planned; at++)
            f.job = c->item[at].job < f.job ? c->item[at].job : f.job;
    }
    return f;
}

/* Categories and their tasks in the order in which they were planned: that of ?1, a JSON array of
 * ids. One of several tasks of its name is called by its data, too: by the words before a comma
 * where these tell it from the others. */
static const char tasks_sql[] =
    "WITH t AS (SELECT k.id, k.name, k.category, k.metric, f.key AS first,"
    "   replace(k.data, 'generated: ', '') AS data,"
    "   substr(replace(k.data, 'generated: ', ''), 1,"
    "          instr(replace(k.data, 'generated: ', '') || ',', ',') - 1) AS brief"
    " FROM json_each(?1) f JOIN task k ON k.id = f.value)"
    "SELECT first, name || CASE WHEN data IS NULL OR count(*) OVER (PARTITION BY name) = 1 THEN ''"
    "   WHEN count(*) OVER (PARTITION BY name, brief) = 1 THEN ' ' || brief"
    "   ELSE ' ' || data END, category, metric, id"
    " FROM t ORDER BY min(first) OVER (PARTITION BY category), first";

static struct scores_cell *reorder(struct scores_cell *cell, const int *order, int n)
{
    struct scores_cell *to = xcalloc((size_t)n + 1, sizeof *to);
    for (int k = 0; k < n; k++)
        to[k] = cell[order[k]];
    free(cell);
    return to;
}

/* order: place in t->task, before, of each task. */
static int read_tasks(struct scores_table *t, struct db *db, const char *ids,
                      const struct first *first, int *order, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_str(ids);
    int rc, n = 0;
    if (stmt_open(db, tasks_sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        order[n] = first[stmt_int(q, 0)].cell;
        t->task[n++] = (struct scores_task){.id = stmt_int(q, 4),
                                            .name = stmt_str_dup(q, 1),
                                            .category = stmt_str_dup(q, 2),
                                            .metric = stmt_str_dup(q, 3)};
    }
    stmt_close(q);
    return rc;
}

int scores_load_tasks(struct scores_table *t, struct db *db, struct err *e)
{
    struct first *first = xcalloc((size_t)t->n_tasks + 1, sizeof *first);
    int *order = xcalloc((size_t)t->n_tasks + 1, sizeof *order);
    struct buf ids;
    for (int k = 0; k < t->n_tasks; k++)
        first[k] = first_of(t, k);
    qsort(first, (size_t)t->n_tasks, sizeof *first, by_job);
    buf_init(&ids);
    for (int k = 0; k < t->n_tasks; k++)
        buf_printf(&ids, "%s%lld", k ? "," : "[", (long long)first[k].task);
    buf_str(&ids, t->n_tasks ? "]" : "[]");
    int rc = read_tasks(t, db, ids.s, first, order, e);
    for (int i = 0; i < t->n_rows && !rc; i++)
        t->row[i].cell = reorder(t->row[i].cell, order, t->n_tasks);
    buf_release(&ids);
    free(order);
    free(first);
    return rc;
}

/* ---- scores ---- */

/* Whose the score of a job is. */
struct owner {
    struct scores_item *item;
    struct scores_cell *cell;
    const char *metric;
};

static void own_cell(struct owner *owner, const struct sorted *jobs, struct scores_cell *c,
                     const struct scores_task *k)
{
    for (int at = 0; at < k->n_items; at++) {
        struct scores_item *i = &c->item[at];
        if (i->job)
            owner[sorted_find(jobs, i->job, i->job - jobs->v[0])] = (struct owner){i, c, k->metric};
    }
}

static void own_table(struct owner *owner, const struct sorted *jobs, struct scores_table *t)
{
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < t->n_tasks; k++)
            own_cell(owner, jobs, &t->row[i].cell[k], &t->task[k]);
}

/* The newest version comes last of those of an item. */
static void put_version(struct scores_cell *c, int version)
{
    c->version = !c->version || c->version == version ? version : -1;
}

static int read_scores(struct db *db, const struct owner *owner, const struct sorted *jobs,
                       struct err *e)
{
    static const char sql[] = "SELECT job, metric, metric_version, value FROM score"
                              " WHERE job BETWEEN ?1 AND ?2 ORDER BY job, metric, metric_version";
    struct stmt *q;
    struct db_val v[] = {val_int(jobs->v[0]), val_int(jobs->v[jobs->n - 1])};
    int rc, at = 0, version = 0;
    const struct owner *last = NULL;
    if (stmt_open(db, sql, v, 2, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        int64_t job = stmt_int(q, 0);
        while (jobs->v[at] < job)
            at++;
        const struct owner *o = &owner[at];
        if (jobs->v[at] != job || !o->item || !text_is(stmt_text(q, 1), o->metric))
            continue;
        if (last && last != o)
            put_version(last->cell, version);
        last = o;
        version = (int)stmt_int(q, 2);
        o->item->score = stats_right * stmt_num(q, 3);
    }
    if (last)
        put_version(last->cell, version);
    stmt_close(q);
    return rc;
}

static void count(struct scores_cell *c, int n_items)
{
    c->planned = 0;
    for (int at = 0; at < n_items; at++) {
        const struct scores_item *i = &c->item[at];
        c->planned += i->state != SCORES_ABSENT;
        c->done += i->state == SCORES_DONE;
        c->failed += i->state == SCORES_FAILED;
        c->left += i->state == SCORES_LEFT;
        c->n += !isnan(i->score);
    }
}

int scores_load_values(struct scores *s, struct db *db, const struct sorted *jobs, struct err *e)
{
    struct owner *owner = xcalloc((size_t)jobs->n, sizeof *owner);
    for (int i = 0; i < s->n_tables; i++)
        own_table(owner, jobs, &s->table[i]);
    int rc = read_scores(db, owner, jobs, e);
    for (int i = 0; i < s->n_tables; i++)
        for (int r = 0; r < s->table[i].n_rows; r++)
            for (int k = 0; k < s->table[i].n_tasks; k++)
                count(&s->table[i].row[r].cell[k], s->table[i].task[k].n_items);
    free(owner);
    return rc;
}
