#include "reports/lengths_data.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

const char *const lengths_name[LENGTHS_BUCKETS] = {"0-4k", "4-8k", "8k+"};

int lengths_bucket(double length)
{
    return length < 4000 ? 0 : length < 8000 ? 1 : 2;
}

/* ---- lengths of records ---- */

static int task_of(const struct scores_table *t, int64_t id)
{
    for (int k = 0; k < t->n_tasks; k++)
        if (t->task[k].id == id)
            return k;
    return -1;
}

/* Place of a sample among those of a task, which are ascending; -1: none. */
static int place_of(const struct scores_cell *c, int n, int64_t sample)
{
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (c->item[mid].sample < sample)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && c->item[lo].sample == sample ? lo : -1;
}

/* Whether the row has an item whose record was not looked at. */
static bool has_new(const struct lengths *l, bool *const *seen, const struct scores_row *r)
{
    for (int k = 0; k < l->whole->n_tasks; k++)
        for (int i = 0; i < l->whole->task[k].n_items; i++)
            if (!seen[k][i] && r->cell[k].item[i].state != SCORES_ABSENT)
                return true;
    return false;
}

/* Jobs are wide: those of one run are read, most often, for the records are the same in all. */
static int load_run(struct lengths *l, bool **seen, struct db *db, const struct scores_row *r,
                    struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(r->run);
    int rc;
    if (stmt_open(db,
                  "SELECT j.task, j.sample_index, s.length FROM job j"
                  " LEFT JOIN sample s ON s.hash = j.sample_hash WHERE j.run = ?1",
                  &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        int k = task_of(l->whole, stmt_int(q, 0));
        int at = k < 0 ? -1 : place_of(&r->cell[k], l->whole->task[k].n_items, stmt_int(q, 1));
        if (at < 0)
            continue;
        seen[k][at] = true;
        l->length[k][at] = stmt_num(q, 2);
    }
    stmt_close(q);
    return rc;
}

static int load_lengths(struct lengths *l, bool **seen, struct store *s, struct err *e)
{
    for (int i = 0; i < l->whole->n_rows; i++)
        if (has_new(l, seen, &l->whole->row[i]) &&
            load_run(l, seen, store_db(s), &l->whole->row[i], e))
            return -1;
    return 0;
}

static double prompt_length(const struct scores_table *t, int task, int place)
{
    for (int i = 0; i < t->n_rows; i++)
        if (t->row[i].cell[task].item[place].prompt_tokens >= 0)
            return t->row[i].cell[task].item[place].prompt_tokens;
    return NAN;
}

/* A task whose records do not all say a length goes by prompts, so that its buckets are of one
 * kind. */
static void choose_kind(struct lengths *l, int task)
{
    const int n = l->whole->task[task].n_items;
    for (int i = 0; i < n; i++)
        l->by_prompt[task] |= isnan(l->length[task][i]);
    for (int i = 0; i < n && l->by_prompt[task]; i++)
        l->length[task][i] = prompt_length(l->whole, task, i);
    for (int i = 0; i < n; i++)
        l->unknown += isnan(l->length[task][i]);
    l->n_by_prompt += l->by_prompt[task];
}

/* ---- buckets ---- */

static bool is_in(const struct lengths *l, int task, int place, int bucket)
{
    double x = l->length[task][place];
    return !isnan(x) && lengths_bucket(x) == bucket;
}

static void pick_cell(const struct lengths *l, const struct scores_cell *from, int task, int bucket,
                      struct scores_cell *to)
{
    const int n = l->whole->task[task].n_items;
    *to = (struct scores_cell){.version = from->version};
    to->item = xcalloc((size_t)n + 1, sizeof *to->item);
    for (int i = 0; i < n; i++)
        if (is_in(l, task, i, bucket))
            to->item[to->planned++] = from->item[i];
}

static void add_tasks(struct lengths *l, int bucket)
{
    struct lengths_part *p = &l->part[bucket];
    double sum = 0;
    for (int k = 0; k < l->whole->n_tasks; k++) {
        int n = 0;
        for (int i = 0; i < l->whole->task[k].n_items; i++)
            if (is_in(l, k, i, bucket)) {
                n++;
                sum += l->length[k][i];
            }
        if (!n)
            continue;
        p->task[p->t.n_tasks] = k;
        p->t.task[p->t.n_tasks] = l->whole->task[k];
        p->t.task[p->t.n_tasks++].n_items = n;
        p->items += n;
    }
    p->length = p->items ? sum / p->items : NAN;
}

static void add_part(struct lengths *l, int bucket, const struct comparison_options *o)
{
    struct lengths_part *p = &l->part[bucket];
    const size_t tasks = (size_t)l->whole->n_tasks, rows = (size_t)l->whole->n_rows;
    p->t = *l->whole;
    p->t.n_tasks = 0;
    p->t.task = xcalloc(tasks + 1, sizeof *p->t.task);
    p->task = xcalloc(tasks + 1, sizeof *p->task);
    p->t.row = xcalloc(rows + 1, sizeof *p->t.row);
    add_tasks(l, bucket);
    for (size_t i = 0; i < rows; i++) {
        p->t.row[i] = l->whole->row[i];
        p->t.row[i].cell = xcalloc(tasks + 1, sizeof *p->t.row[i].cell);
        for (int k = 0; k < p->t.n_tasks; k++)
            pick_cell(l, &l->whole->row[i].cell[p->task[k]], p->task[k], bucket,
                      &p->t.row[i].cell[k]);
    }
    comparison_init(&p->c, &p->t, o);
}

static void release_part(struct lengths_part *p)
{
    for (int i = 0; p->t.row && i < p->t.n_rows; i++) {
        for (int k = 0; k < p->t.n_tasks; k++)
            free(p->t.row[i].cell[k].item);
        free(p->t.row[i].cell);
    }
    free(p->t.row);
    free(p->t.task);
    free(p->task);
    comparison_release(&p->c);
}

/* ---- all of it ---- */

int lengths_load(struct lengths *l, struct store *s, const struct scores_table *t,
                 const struct report_request *r, struct err *e)
{
    const struct comparison_options o = frame_options(t, r);
    *l = (struct lengths){.whole = t};
    bool **seen = xcalloc((size_t)t->n_tasks + 1, sizeof *seen);
    l->length = xcalloc((size_t)t->n_tasks + 1, sizeof *l->length);
    l->by_prompt = xcalloc((size_t)t->n_tasks + 1, sizeof *l->by_prompt);
    for (int k = 0; k < t->n_tasks; k++) {
        seen[k] = xcalloc((size_t)t->task[k].n_items + 1, sizeof *seen[k]);
        l->length[k] = xcalloc((size_t)t->task[k].n_items + 1, sizeof *l->length[k]);
        for (int i = 0; i < t->task[k].n_items; i++)
            l->length[k][i] = NAN;
    }
    int rc = load_lengths(l, seen, s, e);
    for (int k = 0; k < t->n_tasks; k++) {
        choose_kind(l, k);
        free(seen[k]);
    }
    free(seen);
    for (int b = 0; b < LENGTHS_BUCKETS && !rc; b++)
        add_part(l, b, &o);
    return rc;
}

void lengths_release(struct lengths *l)
{
    for (int b = 0; b < LENGTHS_BUCKETS; b++)
        release_part(&l->part[b]);
    for (int k = 0; k < l->whole->n_tasks; k++)
        free(l->length[k]);
    free(l->length);
    free(l->by_prompt);
}
