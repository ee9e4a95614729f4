#include "reports/scores.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/report.h"
#include "reports/scores_int.h"

static int load_table(struct scores_table *t, struct db *db, const struct sorted *jobs,
                      bool measures, struct err *e)
{
    if (scores_load_items(t, db, jobs, measures, e) || scores_load_tasks(t, db, e))
        return -1;
    scores_align(t);
    return 0;
}

/* A table whose runs have no items is none. */
static int load_tables(struct scores *s, struct db *db, const struct sorted *jobs, bool measures,
                       struct err *e)
{
    for (int i = 0; i < s->n_tables;) {
        if (load_table(&s->table[i], db, jobs, measures, e))
            return -1;
        if (s->table[i].n_tasks)
            i++;
        else
            scores_remove_table(s, i);
    }
    if (!s->n_tables && s->experiment)
        return err_user(e, "experiment %s has no items; kvlab run CONFIG.json plans them", s->name);
    if (!s->n_tables)
        return err_user(e, "the runs hold no jobs");
    return scores_load_values(s, db, jobs, e);
}

static bool same_name(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool has_all(const struct scores *s, const struct scores_request *r)
{
    return !r->n_runs && r->tables == SCORES_BY_PROTOCOL && (s->measures || !r->measures) &&
           s->experiment && same_name(s->name, r->experiment) && same_name(s->model, r->model);
}

int scores_load(struct scores *s, struct store *store, const struct scores_request *r,
                struct err *e)
{
    struct db *db = store_db(store);
    struct sorted jobs = {0};
    if (r->loaded && has_all(r->loaded, r)) {
        *s = *r->loaded;
        s->borrowed = true;
        return 0;
    }
    *s = (struct scores){.model = r->model ? xstrdup(r->model) : NULL, .measures = r->measures};
    int rc = r->n_runs ? 0 : report_experiment(store, r->experiment, &s->experiment, &s->name, e);
    if (rc || scores_load_rows(s, db, r, e) || scores_load_jobs(s, db, &jobs, e) ||
        load_tables(s, db, &jobs, r->measures, e)) {
        scores_release(s);
        rc = -1;
    }
    sorted_release(&jobs);
    return rc;
}

static void release_row(struct scores_row *r, int n_tasks)
{
    for (int k = 0; k < n_tasks; k++)
        free(r->cell[k].item);
    free(r->cell);
    free(r->name);
    free(r->method);
    free(r->weights);
}

static void release_table(struct scores_table *t)
{
    for (int i = 0; i < t->n_rows; i++)
        release_row(&t->row[i], t->n_tasks);
    for (int k = 0; k < t->n_tasks; k++) {
        free(t->task[k].name);
        free(t->task[k].category);
        free(t->task[k].metric);
    }
    free(t->row);
    free(t->task);
    free(t->model_name);
    free(t->protocol_name);
    free(t->protocol_json);
}

void scores_remove_table(struct scores *s, int at)
{
    release_table(&s->table[at]);
    s->n_tables--;
    memmove(&s->table[at], &s->table[at + 1], (size_t)(s->n_tables - at) * sizeof *s->table);
}

void scores_release(struct scores *s)
{
    for (int i = 0; i < s->n_tables && !s->borrowed; i++)
        release_table(&s->table[i]);
    if (!s->borrowed) {
        free(s->table);
        free(s->name);
        free(s->model);
    }
    *s = (struct scores){0};
}

bool scores_in_nats(const struct scores_table *t)
{
    const char *metric = t->n_tasks ? t->task[0].metric : "";
    return metric && (!strcmp(metric, "nll") || !strcmp(metric, "kl"));
}

bool scores_row_is_reference(const struct scores_row *r)
{
    return !strcmp(r->method, "full") && !*r->weights;
}

int scores_reference(const struct scores_table *t)
{
    for (int i = 0; i < t->n_rows; i++)
        if (scores_row_is_reference(&t->row[i]))
            return i;
    return -1;
}

static void add_builds(struct sorted *builds, const struct scores_cell *c, int n_items)
{
    for (int at = 0; at < n_items; at++)
        if (c->item[at].build >= 0 && sorted_find(builds, c->item[at].build, 0) < 0)
            sorted_insert(builds, c->item[at].build);
}

int scores_builds(const struct scores *s)
{
    struct sorted builds = {0};
    for (int i = 0; i < s->n_tables; i++)
        for (int r = 0; r < s->table[i].n_rows; r++)
            for (int k = 0; k < s->table[i].n_tasks; k++)
                add_builds(&builds, &s->table[i].row[r].cell[k], s->table[i].task[k].n_items);
    int n = builds.n;
    sorted_release(&builds);
    return n;
}
