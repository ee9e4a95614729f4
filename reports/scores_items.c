#include "reports/scores_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* ---- numbers in order ---- */

void sorted_release(struct sorted *s)
{
    free(s->v);
    *s = (struct sorted){0};
}

/* Of the first that is not less than x. */
static int place(const struct sorted *s, int64_t x)
{
    int lo = 0, hi = s->n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (s->v[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int sorted_find(const struct sorted *s, int64_t x, int64_t guess)
{
    if (!s->v)
        return -1;
    if (guess >= 0 && guess < s->n && s->v[guess] == x)
        return (int)guess;
    int at = place(s, x);
    return at < s->n && s->v[at] == x ? at : -1;
}

void sorted_insert(struct sorted *s, int64_t x)
{
    int at = !s->n || s->v[s->n - 1] < x ? s->n : place(s, x);
    if (at < s->n && s->v[at] == x)
        return;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 256;
        s->v = xrealloc(s->v, mem_size((size_t)s->cap, sizeof *s->v));
    }
    memmove(&s->v[at + 1], &s->v[at], (size_t)(s->n - at) * sizeof *s->v);
    s->v[at] = x;
    s->n++;
}

/* ---- which jobs ---- */

static int add_jobs(struct db *db, const char *sql, int64_t id, struct sorted *jobs, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(id);
    int rc;
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        sorted_insert(jobs, stmt_int(q, 0));
    stmt_close(q);
    return rc;
}

int scores_load_jobs(const struct scores *s, struct db *db, struct sorted *jobs, struct err *e)
{
    if (s->experiment)
        return add_jobs(db, "SELECT job FROM experiment_job WHERE experiment = ?1 ORDER BY job",
                        s->experiment, jobs, e);
    for (int i = 0; i < s->n_tables; i++)
        for (int k = 0; k < s->table[i].n_rows; k++)
            if (add_jobs(db, "SELECT id FROM job WHERE run = ?1 ORDER BY id",
                         s->table[i].row[k].run, jobs, e))
                return -1;
    return 0;
}

/* ---- items of a run ---- */

#define ITEM_COLUMNS "SELECT id, task, sample_index, state"
#define MEASURES                                                                                   \
    ", prompt_tokens, new_tokens, kv_bytes, kv_full_bytes, kv_read_bytes, kv_read_full_bytes,"     \
    " kv_basis, prefill_seconds, decode_seconds, build, decode_batch, shared_tokens,"              \
    " tail_tokens, stop, replay_tokens, replay_seconds"
#define ITEM_TABLE " FROM job WHERE run = ?1"

static int64_t int_or_none(const struct stmt *q, int column)
{
    int64_t x = stmt_int(q, column); // 0 of NULL
    return x || stmt_type(q, column) != COL_NULL ? x : -1;
}

static enum scores_basis basis_of(struct text t)
{
    return !t.s ? SCORES_NO_BASIS : *t.s == 'h' ? SCORES_HELD : SCORES_COUNTED;
}

static bool is_length(struct text stop)
{
    return stop.s && text_is(stop, "length");
}

static void read_measures(struct scores_item *i, const struct stmt *q)
{
    i->prompt_tokens = (int32_t)int_or_none(q, 4);
    i->new_tokens = (int32_t)int_or_none(q, 5);
    i->kv_bytes = int_or_none(q, 6);
    i->kv_full_bytes = int_or_none(q, 7);
    i->kv_read_bytes = int_or_none(q, 8);
    i->kv_read_full_bytes = int_or_none(q, 9);
    i->basis = (uint8_t)basis_of(stmt_text(q, 10));
    i->prefill_seconds = stmt_num(q, 11);
    i->decode_seconds = stmt_num(q, 12);
    i->build = int_or_none(q, 13);
    i->decode_batch = stmt_num(q, 14);
    i->shared_tokens = (int32_t)int_or_none(q, 15);
    i->tail_tokens = (int32_t)int_or_none(q, 16);
    i->at_limit = is_length(stmt_text(q, 17));
    i->replay_tokens = (int32_t)int_or_none(q, 18);
    i->replay_seconds = stmt_num(q, 19);
}

static enum scores_state state_of(struct text t)
{
    return *t.s == 'd' ? SCORES_DONE : *t.s == 'f' ? SCORES_FAILED : SCORES_LEFT;
}

static const struct scores_item no_item = {.score = NAN,
                                           .prompt_tokens = -1,
                                           .new_tokens = -1,
                                           .shared_tokens = -1,
                                           .tail_tokens = -1,
                                           .replay_tokens = -1,
                                           .kv_bytes = -1,
                                           .kv_full_bytes = -1,
                                           .kv_read_bytes = -1,
                                           .kv_read_full_bytes = -1,
                                           .prefill_seconds = NAN,
                                           .decode_seconds = NAN,
                                           .decode_batch = NAN,
                                           .replay_seconds = NAN,
                                           .build = -1};

bool scores_is_measured(const struct scores_item *i)
{
    return i->state == SCORES_DONE && i->kv_bytes >= 0 && i->kv_full_bytes > 0;
}

bool scores_is_unchanged(const struct scores_item *i)
{
    return scores_is_measured(i) && i->kv_bytes >= i->kv_full_bytes &&
           (i->kv_read_bytes < 0 || i->kv_read_bytes >= i->kv_read_full_bytes);
}

int scores_tail(const struct scores_item *i)
{
    return i->tail_tokens > 0 ? i->tail_tokens : 0;
}

int scores_steps(const struct scores_item *i)
{
    return i->new_tokens > 0 ? i->new_tokens - 1 + scores_tail(i) : 0;
}

/* A task that came up: every row gets a cell for it. */
static int add_task(struct scores_table *t, int64_t id)
{
    size_t n = (size_t)t->n_tasks + 1;
    t->task = xrealloc(t->task, mem_size(n, sizeof *t->task));
    t->task[t->n_tasks] = (struct scores_task){.id = id};
    for (int i = 0; i < t->n_rows; i++) {
        struct scores_row *r = &t->row[i];
        r->cell = xrealloc(r->cell, mem_size(n, sizeof *r->cell));
        r->cell[t->n_tasks] = (struct scores_cell){0};
    }
    return t->n_tasks++;
}

/* last: that of the item before, most often the same. */
static int task_of(struct scores_table *t, int64_t id, int last)
{
    if (last < t->n_tasks && t->task[last].id == id)
        return last;
    for (int k = 0; k < t->n_tasks; k++)
        if (t->task[k].id == id)
            return k;
    return add_task(t, id);
}

/* Room for one more, doubling at powers of two. */
static struct scores_item *add_item(struct scores_cell *c)
{
    size_t n = (size_t)c->planned;
    if (!(n & (n - 1)) && (!n || n >= 16))
        c->item = xrealloc(c->item, mem_size(n ? 2 * n : 16, sizeof *c->item));
    c->item[n] = no_item;
    c->planned++;
    return &c->item[n];
}

static int load_run(struct scores_table *t, struct scores_row *r, struct db *db,
                    const struct sorted *jobs, bool measures, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(r->run);
    int rc, task = 0;
    const char *sql = measures ? ITEM_COLUMNS MEASURES ITEM_TABLE : ITEM_COLUMNS ITEM_TABLE;
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        int64_t job = stmt_int(q, 0);
        if (!jobs->n || sorted_find(jobs, job, job - jobs->v[0]) < 0)
            continue;
        task = task_of(t, stmt_int(q, 1), task);
        struct scores_item *i = add_item(&r->cell[task]);
        i->job = job;
        i->sample = (int)stmt_int(q, 2);
        i->state = (uint8_t)state_of(stmt_text(q, 3));
        if (measures)
            read_measures(i, q);
    }
    stmt_close(q);
    return rc;
}

int scores_load_items(struct scores_table *t, struct db *db, const struct sorted *jobs,
                      bool measures, struct err *e)
{
    for (int i = 0; i < t->n_rows; i++)
        if (load_run(t, &t->row[i], db, jobs, measures, e))
            return -1;
    return 0;
}

/* ---- the same places in all rows ---- */

static int by_sample(const void *a, const void *b)
{
    const struct scores_item *x = a, *y = b;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static void sort_items(struct scores_cell *c)
{
    for (int i = 1; i < c->planned; i++)
        if (c->item[i - 1].sample > c->item[i].sample) {
            qsort(c->item, (size_t)c->planned, sizeof *c->item, by_sample);
            return;
        }
}

/* To the places of all, absent where it has none. */
static void spread(struct scores_cell *c, const struct sorted *all)
{
    if (c->planned == all->n)
        return;
    struct scores_item *wide = xcalloc((size_t)all->n, sizeof *wide);
    for (int i = 0; i < all->n; i++) {
        wide[i] = no_item;
        wide[i].sample = (int)all->v[i];
    }
    for (int i = 0; i < c->planned; i++)
        wide[sorted_find(all, c->item[i].sample, c->item[i].sample)] = c->item[i];
    free(c->item);
    c->item = wide;
}

void scores_align(struct scores_table *t)
{
    for (int k = 0; k < t->n_tasks; k++) {
        struct sorted all = {0};
        for (int i = 0; i < t->n_rows; i++) {
            struct scores_cell *c = &t->row[i].cell[k];
            sort_items(c);
            for (int at = 0; at < c->planned; at++)
                if (sorted_find(&all, c->item[at].sample, at) < 0)
                    sorted_insert(&all, c->item[at].sample);
        }
        for (int i = 0; i < t->n_rows; i++)
            spread(&t->row[i].cell[k], &all);
        t->task[k].n_items = all.n;
        sorted_release(&all);
    }
}
