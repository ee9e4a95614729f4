/* What is missing and why: items that failed, cells that are not whole, settings that were to
 * compress and did not. */
#include <stdlib.h>
#include <string.h>

#include "reports/failure_class.h"
#include "reports/loaded.h"
#include "reports/report.h"
#include "reports/sql_grid.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_failures = {
    .name = "failures",
    .summary = "failed, missing and unscored items, and compression that changed nothing",
    .help =
        "Failed items by class (crash, memory, disk, length, data, metric, setting, other) with "
        "the command that tries them again where that helps; by setting, task, reason and "
        "machine; items that failed before and came "
        "right; cells that are not whole; settings whose cache is as large as a full one.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL,
    .build = build,
};

/* ---- items that failed ---- */

#define OF_EXPERIMENT                                                                              \
    " EXISTS (SELECT 1 FROM experiment_job o WHERE o.experiment = ?1 AND o.job = j.id)"

/* Task by task, so that index job_cell finds the failed ones. */
static const struct sql_part failed = {
    "failed", "Items that failed",
    "SELECT x.name AS setting, m.name AS model, t.name AS task, count(*) AS items,"
    " " FAILURE_CLASS(
        "j.error") " AS class, j.error AS reason, b.host AS machine, min(j.sample) AS for_example,"
                   " max((SELECT count(*) FROM failure f WHERE f.job = j.id)) AS tries,"
                   " max(j.crashes) AS crashes"
                   " FROM experiment_run x CROSS JOIN run r ON r.id = x.run CROSS JOIN model m ON "
                   "m.id = r.model"
                   " CROSS JOIN task t CROSS JOIN job j ON j.run = x.run AND j.task = t.id AND "
                   "j.state = 'failed'"
                   " LEFT JOIN build b ON b.id = j.build WHERE x.experiment = ?1 AND" OF_EXPERIMENT
                   " GROUP BY x.position, x.run, t.id, j.error, b.host"
                   " ORDER BY items DESC, x.position, x.run, t.id, j.error, b.host"};

/* From the few failures to their jobs. */
static const struct sql_part mended = {
    "mended", "Items that failed before, and are done",
    "SELECT x.name AS setting, m.name AS model, t.name AS task, count(DISTINCT j.id) AS items,"
    " " FAILURE_CLASS(
        "f.error") " AS class, f.error AS reason, b.host AS machine, min(j.sample) AS for_example"
                   " FROM failure f CROSS JOIN job j ON j.id = f.job CROSS JOIN experiment_run x "
                   "ON x.run = j.run"
                   " JOIN run r ON r.id = j.run JOIN model m ON m.id = r.model JOIN task t ON t.id "
                   "= j.task"
                   " LEFT JOIN build b ON b.id = f.build"
                   " WHERE x.experiment = ?1 AND j.state = 'done' AND" OF_EXPERIMENT
                   " GROUP BY x.position, x.run, t.id, f.error, b.host"
                   " ORDER BY items DESC, x.position, x.run, t.id, f.error, b.host"};

static const char classes[] =
    "SELECT " FAILURE_CLASS("j.error") " AS class, count(*), max(" FAILURE_NEED(
        "j.error") ")"
                   " FROM experiment_run x CROSS JOIN task t CROSS JOIN job j ON j.run = x.run AND "
                   "j.task = t.id"
                   " AND j.state = 'failed' WHERE x.experiment = ?1 AND" OF_EXPERIMENT
                   " GROUP BY 1 ORDER BY 2 DESC, 1";

/* What each class of reasons asks for. */
static int put_advice(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    const struct db_val v = val_int(experiment);
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), classes, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        char *name = stmt_str_dup(q, 0);
        failure_class_put(d, name, (int)stmt_int(q, 1),
                          stmt_type(q, 2) == COL_NULL ? 0 : stmt_num(q, 2));
        free(name);
    }
    stmt_close(q);
    return rc;
}

static int put_failed(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    int rows, before;
    doc_heading(d, "Failed");
    if (sql_grid(d, DOC_BOTH, &failed, s, experiment, &rows, e) ||
        sql_grid(d, DOC_BOTH, &mended, s, experiment, &before, e))
        return -1;
    if (!rows) {
        doc_para(d, "No item failed.");
        return 0;
    }
    if (put_advice(s, experiment, d, e))
        return -1;
    doc_note(d,
             "CONFIG.json: the file of this experiment, with the flags that it was run with (and "
             "--db); items that are done stay as they are. class: judged by the reason's words.");
    return 0;
}

/* ---- cells that are not whole ---- */

static bool is_whole(const struct scores_cell *c, const struct scores_task *t)
{
    return c->n == t->n_items;
}

static void put_incomplete_row(struct grid *g, const struct scores_table *t, int row, int task)
{
    const struct scores_cell *c = &t->row[row].cell[task];
    grid_cell(g, text_of(t->row[row].name));
    grid_cell(g, text_of(t->model_name));
    grid_cell(g, text_of(t->task[task].name));
    grid_number(g, t->task[task].n_items, 0);
    grid_number(g, c->n, 0);
    grid_number(g, c->failed, 0);
    grid_number(g, c->left, 0);
    grid_number(g, c->done - c->n, 0);
    grid_number(g, t->task[task].n_items - c->planned, 0);
}

static struct grid *incomplete_new(struct doc *d, enum doc_use use)
{
    static const char *const head[] = {"items",      "with a score",    "failed",
                                       "left to do", "without a score", "not planned"};
    static const char *const key[] = {"items", "scored", "failed", "left", "unscored", "unplanned"};
    struct grid *g = doc_grid(d, use, "incomplete", "Cells of a table that are not whole");
    grid_column(g, "", "setting", GRID_LEFT);
    grid_column(g, "", "model", GRID_LEFT);
    grid_column(g, "", "task", GRID_LEFT);
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        grid_column(g, "", head[i], GRID_RIGHT);
        grid_key(g, key[i]);
    }
    return g;
}

static void put_incomplete(const struct scores *s, struct doc *d)
{
    struct grid *g = NULL;
    doc_heading(d, "Missing");
    for (int i = 0; i < s->n_tables; i++)
        for (int r = 0; r < s->table[i].n_rows; r++)
            for (int k = 0; k < s->table[i].n_tasks; k++)
                if (!is_whole(&s->table[i].row[r].cell[k], &s->table[i].task[k])) {
                    g = g ? g : incomplete_new(d, DOC_BOTH);
                    put_incomplete_row(g, &s->table[i], r, k);
                }
    if (!g) {
        incomplete_new(d, DOC_DATA);
        doc_para(d, "Every cell is whole: all items of all settings have a score.");
    } else {
        doc_note(d,
                 "items: that any setting was asked for. Left to do: kvlab run CONFIG goes on. "
                 "Without a score: kvlab score. Not planned: the setting's cell asks for fewer.");
    }
}

/* ---- compression that changed nothing ---- */

/* Items of a row with known bytes, and those whose cache was neither smaller nor read less. */
struct sizes {
    int known, full;
};

static struct sizes sizes_of(const struct scores_table *t, const struct scores_row *r)
{
    struct sizes n = {0, 0};
    for (int k = 0; k < t->n_tasks; k++)
        for (int i = 0; i < t->task[k].n_items; i++) {
            const struct scores_item *m = &r->cell[k].item[i];
            n.known += scores_is_measured(m);
            n.full += scores_is_unchanged(m);
        }
    return n;
}

static struct grid *unchanged_new(struct doc *d, enum doc_use use)
{
    struct grid *g = doc_grid(d, use, "unchanged", "Settings with items that stayed full");
    grid_column(g, "", "setting", GRID_LEFT);
    grid_column(g, "", "model", GRID_LEFT);
    grid_column(g, "", "method", GRID_LEFT);
    grid_column(g, "", "items", GRID_RIGHT);
    grid_column(g, "", "as large as a full cache", GRID_RIGHT);
    grid_key(g, "full_size");
    return g;
}

static void put_unchanged(const struct scores *s, struct doc *d)
{
    struct grid *g = NULL;
    doc_heading(d, "Compression that changed nothing");
    for (int i = 0; i < s->n_tables; i++)
        for (int r = 0; r < s->table[i].n_rows; r++) {
            const struct scores_row *row = &s->table[i].row[r];
            const struct sizes n = sizes_of(&s->table[i], row);
            if (!strcmp(row->method, "full") || !n.full)
                continue;
            g = g ? g : unchanged_new(d, DOC_BOTH);
            grid_cell(g, text_of(row->name));
            grid_cell(g, text_of(s->table[i].model_name));
            grid_cell(g, text_of(row->method));
            grid_number(g, n.known, 0);
            grid_number(g, n.full, 0);
        }
    if (!g) {
        unchanged_new(d, DOC_DATA);
        doc_para(d, "Every setting that compresses made the cache of every item smaller, or read "
                    "less of it; items of unknown size are not counted.");
    } else {
        doc_note(d, "Of these items the cache was neither smaller than a full f16 cache nor read "
                    "less: their answers say nothing of the method. Short prompts below its window "
                    "or budget do this.");
    }
}

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e)
{
    const struct scores_request q = {.experiment = r->experiment,
                                     .model = r->model,
                                     .measures = true,
                                     .loaded = loaded_scores(r->loaded)};
    struct scores scores;
    if (scores_load(&scores, s, &q, e))
        return -1;
    doc_title(d, "failures of %s", scores.name);
    doc_field(d, "experiment", scores.name);
    int rc = put_failed(s, scores.experiment, d, e);
    if (!rc) {
        put_incomplete(&scores, d);
        put_unchanged(&scores, d);
    }
    scores_release(&scores);
    return rc;
}
