#include "reports/compare_items.h"

#include <stdlib.h>

#include "harness/base/mem.h"

/* ---- the items that differ most ---- */

struct pair {
    int task, at;
    double difference;
};

static const struct scores_item *item_of(const struct scores_table *t, int row, int task, int at)
{
    return &t->row[row].cell[task].item[at];
}

static double difference_of(const struct scores_table *t, int task, int at)
{
    return item_of(t, 1, task, at)->score - item_of(t, 0, task, at)->score;
}

/* The most lost first; equal ones as the tasks and data sets have them. */
static int by_difference(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->difference != y->difference)
        return x->difference < y->difference ? -1 : 1;
    return x->task != y->task ? x->task - y->task : x->at - y->at;
}

/* Those of sign: -1 lost, 1 gained; the largest first. */
static struct pair *pairs_new(const struct scores_table *t, int sign, int *n)
{
    struct pair *p = NULL;
    int better = scores_in_nats(t) ? sign : -sign;
    *n = 0;
    for (int k = 0; k < t->n_tasks; k++)
        for (int at = 0; at < t->task[k].n_items; at++) {
            double d = better * difference_of(t, k, at);
            if (!(d < 0))
                continue;
            p = xrealloc(p, mem_size((size_t)*n + 1, sizeof *p));
            p[(*n)++] = (struct pair){k, at, d};
        }
    if (*n)
        qsort(p, (size_t)*n, sizeof *p, by_difference);
    return p;
}

/* ---- their words ---- */

static int quote(struct doc *doc, struct store *s, int64_t job, const char *side, bool references,
                 struct err *e)
{
    static const char sql[] =
        "SELECT j.prediction, (SELECT group_concat(value, char(10)) FROM"
        "   json_each(iif(json_valid(a.answers), a.answers, json_array(a.answers))))"
        "  FROM job j LEFT JOIN sample a ON a.hash = j.sample_hash WHERE j.id = ?1";
    struct db_val v = val_int(job);
    struct stmt *q;
    if (stmt_open(store_db(s), sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1 && references && stmt_text(q, 1).s)
        doc_quote(doc, "reference", stmt_text(q, 1));
    if (rc == 1)
        doc_quote(doc, side, stmt_text(q, 0));
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static int put_item(struct doc *doc, struct store *s, const struct scores_table *t,
                    const struct pair *p, struct err *e)
{
    const struct scores_item *a = item_of(t, 0, p->task, p->at);
    const struct scores_item *b = item_of(t, 1, p->task, p->at);
    doc_para(doc, "%s, item %d: A %.1f, B %.1f (%+.1f); jobs %lld and %lld", t->task[p->task].name,
             a->sample, a->score, b->score, b->score - a->score, (long long)a->job,
             (long long)b->job);
    return quote(doc, s, a->job, "A", true, e) || quote(doc, s, b->job, "B", false, e) ? -1 : 0;
}

static int put_items(struct doc *doc, struct store *s, const struct scores_table *t, int sign,
                     int most, struct err *e)
{
    int n, rc = 0;
    struct pair *p = pairs_new(t, sign, &n);
    int shown = n < most ? n : most;
    if (shown)
        doc_heading(doc, "%s: %d of %d items on which B is %s", sign < 0 ? "Worst" : "Best", shown,
                    n, sign < 0 ? "worse" : "better");
    for (int i = 0; i < shown && !rc; i++)
        rc = put_item(doc, s, t, &p[i], e);
    free(p);
    return rc;
}

int compare_items(struct doc *doc, struct store *s, const struct scores_table *t, int n,
                  struct err *e)
{
    return put_items(doc, s, t, -1, n, e) || put_items(doc, s, t, 1, n, e) ? -1 : 0;
}

/* ---- all of them ---- */

static void put_side(struct grid *g, const struct scores_item *i)
{
    static const char *const state[] = {"absent", "left", "done", "failed"};
    grid_cell(g, text_of(state[i->state]));
    grid_number(g, i->score, 4);
    grid_number(g, i->new_tokens < 0 ? NAN : i->new_tokens, 0);
    grid_number(g, i->job ? (double)i->job : NAN, 0);
}

static void item_columns(struct grid *g)
{
    static const char *const key[] = {"state_a", "score_a", "new_tokens_a", "job_a",
                                      "state_b", "score_b", "new_tokens_b", "job_b"};
    grid_column(g, "", "task", GRID_LEFT);
    grid_column(g, "", "item", GRID_RIGHT);
    for (size_t i = 0; i < sizeof key / sizeof *key; i++)
        grid_column(g, "", key[i], GRID_RIGHT);
    grid_column(g, "", "difference", GRID_RIGHT);
}

void compare_items_grid(struct doc *doc, const struct scores_table *t)
{
    struct grid *g = doc_grid(doc, DOC_DATA, "items", NULL);
    item_columns(g);
    for (int k = 0; k < t->n_tasks; k++)
        for (int at = 0; at < t->task[k].n_items; at++) {
            grid_cell(g, text_of(t->task[k].name));
            grid_number(g, item_of(t, 0, k, at)->sample, 0);
            put_side(g, item_of(t, 0, k, at));
            put_side(g, item_of(t, 1, k, at));
            grid_number(g, difference_of(t, k, at), 4);
        }
}

/* ---- what they cost ---- */

enum quantity { ITEMS, PROMPT, ANSWER, HELD, FULL, READ, READ_FULL, PREFILL, DECODE, QUANTITIES };

static double quantity_of(const struct scores_item *i, enum quantity q)
{
    const double x[QUANTITIES] = {[ITEMS] = 1,
                                  [PROMPT] = i->prompt_tokens,
                                  [ANSWER] = i->new_tokens,
                                  [HELD] = (double)i->kv_bytes,
                                  [FULL] = (double)i->kv_full_bytes,
                                  [READ] = (double)i->kv_read_bytes,
                                  [READ_FULL] = (double)i->kv_read_full_bytes,
                                  [PREFILL] = i->prefill_seconds,
                                  [DECODE] = i->decode_seconds};
    return x[q] < 0 ? NAN : x[q];
}

/* Of the items that both have done and that have the quantity in both; *n of them. */
static double sum(const struct scores_table *t, int row, enum quantity q, int *n)
{
    double all = 0;
    *n = 0;
    for (int k = 0; k < t->n_tasks; k++)
        for (int at = 0; at < t->task[k].n_items; at++) {
            const struct scores_item *a = item_of(t, 0, k, at), *b = item_of(t, 1, k, at);
            if (a->state != SCORES_DONE || b->state != SCORES_DONE ||
                isnan(quantity_of(a, q) + quantity_of(b, q)))
                continue;
            all += quantity_of(row ? b : a, q);
            ++*n;
        }
    return all;
}

/* Per item, or per unit of another quantity. */
static double rate(const struct scores_table *t, int row, enum quantity q, enum quantity per)
{
    int n, items;
    double x = sum(t, row, q, &n), of = sum(t, row, per, &items);
    return n && items && of != 0 ? x / of : NAN;
}

void compare_costs(struct doc *doc, const struct scores_table *t)
{
    static const struct {
        const char *name;
        enum quantity q, per;
        double times;
        int decimals;
    } line[] = {{"prompt tokens an item", PROMPT, ITEMS, 1, 1},
                {"tokens an answer", ANSWER, ITEMS, 1, 1},
                {"KV bytes at the end, an item", HELD, ITEMS, 1, 0},
                {"KV % of a full f16 cache", HELD, FULL, 100, 1},
                {"read % of a full f16 cache", READ, READ_FULL, 100, 1},
                {"prefill seconds an item", PREFILL, ITEMS, 1, 3},
                {"decoded tokens a second", ANSWER, DECODE, 1, 1}};
    struct grid *g = doc_grid(doc, DOC_BOTH, "costs", "Bytes and tokens, of items done in both");
    grid_column(g, "", "quantity", GRID_LEFT);
    grid_column(g, "", "A", GRID_RIGHT);
    grid_column(g, "", "B", GRID_RIGHT);
    grid_column(g, "", "B / A", GRID_RIGHT);
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        double a = line[i].times * rate(t, 0, line[i].q, line[i].per);
        double b = line[i].times * rate(t, 1, line[i].q, line[i].per);
        grid_cell(g, text_of(line[i].name));
        grid_number(g, a, line[i].decimals);
        grid_number(g, b, line[i].decimals);
        grid_number(g, a != 0 ? b / a : NAN, 2);
    }
}
