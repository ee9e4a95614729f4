#include "reports/cost_data.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/ledger_read.h"

/* Finished items of all rows, and whose they are. */
struct places {
    struct ledger_item *v;
    size_t n;
};

static int by_number(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* ---- what the loaded items say ---- */

static void add_bytes(struct cost_row *r, const struct scores_item *i)
{
    if (i->kv_bytes < 0 || i->kv_full_bytes <= 0)
        return;
    r->held++;
    r->kv += (double)i->kv_bytes;
    r->kv_full += (double)i->kv_full_bytes;
    if (i->kv_read_bytes < 0 || scores_steps(i) < 1)
        return;
    r->read += (double)i->kv_read_bytes;
    r->read_full += (double)i->kv_read_full_bytes;
    r->steps += scores_steps(i);
}

static void add_item(struct cost_row *r, const struct scores_item *i)
{
    r->failed += i->state == SCORES_FAILED;
    r->left += i->state == SCORES_LEFT;
    if (i->state != SCORES_DONE)
        return;
    r->done++;
    if (!isnan(i->prefill_seconds) && i->prompt_tokens >= 0) {
        r->timed++;
        r->prefill_seconds += i->prefill_seconds;
        r->prompt_tokens += i->prompt_tokens;
        r->replay_tokens += i->replay_tokens > 0 ? i->replay_tokens : 0;
        r->replay_seconds += i->replay_tokens > 0 ? i->replay_seconds : 0;
    }
    if (!isnan(i->decode_seconds) && i->new_tokens >= 0) {
        r->decoded++;
        r->decode_seconds += i->decode_seconds;
        r->new_tokens += i->new_tokens;
    }
    if (i->new_tokens >= 0) {
        r->answer[r->answers++] = i->new_tokens;
        r->answer_tokens += i->new_tokens;
    }
    if (!isnan(i->decode_batch)) {
        r->batched++;
        r->batch += i->decode_batch;
    }
    r->shared_tokens += i->shared_tokens > 0 ? i->shared_tokens : 0;
    r->at_limit += i->at_limit;
    add_bytes(r, i);
}

static int count_items(const struct scores_table *t)
{
    int n = 0;
    for (int k = 0; k < t->n_tasks; k++)
        n += t->task[k].n_items;
    return n;
}

static void add_row(const struct scores_table *t, int row, struct cost_row *r, struct places *p)
{
    r->answer = xcalloc((size_t)count_items(t) + 1, sizeof *r->answer);
    for (int k = 0; k < t->n_tasks; k++)
        for (int i = 0; i < t->task[k].n_items; i++) {
            const struct scores_item *it = &t->row[row].cell[k].item[i];
            add_item(r, it);
            if (it->state == SCORES_DONE)
                p->v[p->n++] = (struct ledger_item){it, r};
        }
    qsort(r->answer, (size_t)r->answers, sizeof *r->answer, by_number);
}

static void add_tables(struct cost *c, const struct frame *f, struct places *p)
{
    size_t items = 0;
    for (int i = 0; i < f->n_tables; i++)
        items += (size_t)f->table[i].scores->n_rows * (size_t)count_items(f->table[i].scores);
    p->v = xcalloc(items + 1, sizeof *p->v);
    for (int i = 0; i < f->n_tables; i++) {
        const struct scores_table *t = f->table[i].scores;
        c->table[i].row = xcalloc((size_t)t->n_rows + 1, sizeof *c->table[i].row);
        c->table[i].n_rows = t->n_rows;
        for (int row = 0; row < t->n_rows; row++) {
            add_row(t, row, &c->table[i].row[row], p);
            c->table[i].decode_seconds += c->table[i].row[row].decode_seconds;
        }
    }
}

/* ---- prefills, each once ---- */

/* The rows' prefill classes: they follow from setting and protocol, so that one item tells. */
static int load_classes(const struct scores_table *t, struct store *s, char **class, struct err *e)
{
    for (int row = 0; row < t->n_rows; row++) {
        struct stmt *q;
        struct db_val v = val_int(t->row[row].run);
        if (stmt_open(store_db(s), "SELECT prefill_class FROM job WHERE run = ?1 LIMIT 1", &v, 1,
                      &q, e))
            return -1;
        int rc = stmt_step(q, e);
        class[row] = rc == 1 ? stmt_str_dup(q, 0) : xstrdup("");
        stmt_close(q);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Items that shared a prefill, or a replay, have the very same seconds. seconds: [rows] of one
 * item. */
static bool was_counted(const double *seconds, char *const *class, int row)
{
    for (int i = 0; i < row; i++)
        if (seconds[i] == seconds[row] && !strcmp(class[i], class[row]))
            return true;
    return false;
}

static double prefill_of(const struct scores_item *i)
{
    return i->state == SCORES_DONE ? i->prefill_seconds : NAN;
}

static double replay_of(const struct scores_item *i)
{
    return i->state == SCORES_DONE && i->replay_tokens > 0 ? i->replay_seconds : NAN;
}

struct shared_sum {
    double (*of)(const struct scores_item *i);
    int n;
    double seconds;
};

static void count_item(const struct scores_table *t, char *const *class, int task, int at,
                       double *seconds, struct shared_sum *sum)
{
    for (int row = 0; row < t->n_rows; row++) {
        seconds[row] = sum->of(&t->row[row].cell[task].item[at]);
        if (isnan(seconds[row]) || was_counted(seconds, class, row))
            continue;
        sum->n++;
        sum->seconds += seconds[row];
    }
}

static void count_shared(const struct scores_table *t, char *const *class, struct shared_sum *sum)
{
    double *seconds = xcalloc((size_t)t->n_rows + 1, sizeof *seconds);
    for (int k = 0; k < t->n_tasks; k++)
        for (int at = 0; at < t->task[k].n_items; at++)
            count_item(t, class, k, at, seconds, sum);
    free(seconds);
}

static void count_prefills(const struct scores_table *t, char *const *class, struct cost_table *c)
{
    struct shared_sum prefill = {.of = prefill_of}, replay = {.of = replay_of};
    count_shared(t, class, &prefill);
    count_shared(t, class, &replay);
    c->prefills = prefill.n;
    c->prefill_seconds = prefill.seconds;
    c->replays = replay.n;
    c->replay_seconds = replay.seconds;
}

static int load_prefills(const struct scores_table *t, struct store *s, struct cost_table *c,
                         struct err *e)
{
    char **class = xcalloc((size_t)t->n_rows + 1, sizeof *class);
    int rc = load_classes(t, s, class, e);
    if (!rc)
        count_prefills(t, class, c);
    for (int row = 0; row < t->n_rows; row++)
        free(class[row]);
    free(class);
    return rc;
}

/* ---- bytes by class ---- */

static void add_ledger(const struct ledger_item *i, const struct ledger_row *l)
{
    struct cost_row *r = i->to;
    if (l->first) {
        r->ledgers++;
        r->ledger_steps += scores_steps(i->item);
    }
    r->held_of[l->class] += l->held;
    r->read_of[l->class] += l->read;
}

/* ---- all of it ---- */

static int load(struct cost *c, struct places *p, struct store *s, const struct frame *f,
                struct err *e)
{
    add_tables(c, f, p);
    for (int i = 0; i < f->n_tables; i++)
        if (load_prefills(f->table[i].scores, s, &c->table[i], e))
            return -1;
    return ledger_read(s, p->v, p->n, add_ledger, e);
}

int cost_load(struct cost *c, struct store *s, const struct frame *f, struct err *e)
{
    struct places p = {0};
    *c = (struct cost){.n_tables = f->n_tables};
    c->table = xcalloc((size_t)f->n_tables + 1, sizeof *c->table);
    int rc = load(c, &p, s, f, e);
    free(p.v);
    return rc;
}

void cost_release(struct cost *c)
{
    for (int i = 0; i < c->n_tables; i++) {
        for (int row = 0; row < c->table[i].n_rows; row++)
            free(c->table[i].row[row].answer);
        free(c->table[i].row);
    }
    free(c->table);
}

double cost_share(double x, double of)
{
    return of > 0 ? x / of : NAN;
}

double cost_median(const struct cost_row *r)
{
    if (!r->answers)
        return NAN;
    int lower = (r->answers - 1) / 2, upper = r->answers / 2;
    return (r->answer[lower] + r->answer[upper]) / 2.0;
}
