/* Rates by stored items; what a rate says. */
#include "runner/rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

double rate_prefill(const struct rate *r, int n_prompt, int n_settings)
{
    double n = n_prompt;
    return r->chunk * ceil(n / MODEL_BATCH_MAX) + n * (r->token + n_settings * r->keep) +
           n * n / 2 * r->attend;
}

double rate_replay(const struct rate *r, const struct estimate_replay *fed)
{
    double chunks = ceil(fed->parts > 0 ? fed->tokens / fed->parts / MODEL_BATCH_MAX : 0);
    return fed->parts * chunks * r->chunk + fed->tokens * r->token + fed->attended * r->attend;
}

double rate_decode(const struct rate *r, int n_prompt, double n_new)
{
    double steps = n_new > 1 ? n_new - 1 : 0;
    return steps * (r->step + r->step_attend * (n_prompt + n_new / 2));
}

void rate_of_sums(struct rate *r, const struct rate_sums *s, const struct model *m)
{
    struct estimate_token t = estimate_token(m);
    double prefill =
        s->prefill_tokens * t.weights + s->prefill_attended * t.attend + s->prefill_kept * t.keep;
    double decode = s->steps * t.weights + s->attended * t.attend;
    if (s->items < RATE_ITEMS_MIN || !(prefill > 0) || !(s->prefill_seconds > 0))
        return;
    double read = s->prefill_seconds / prefill;
    double step = decode > 0 ? s->decode_seconds / decode : read;
    *r = (struct rate){.source = RATE_STORED,
                       .token = read * t.weights,
                       .attend = read * t.attend,
                       .keep = read * t.keep,
                       .step = step * t.weights,
                       .step_attend = step * t.attend};
}

/* ---- all of a plan ---- */

void rates_open(struct rates *r, const struct plan *p)
{
    *r = (struct rates){.n_settings = p->x->n_settings, .overlap = NAN};
    r->list = xcalloc((size_t)p->x->n_variants * (size_t)p->x->n_settings, sizeof *r->list);
}

void rates_close(struct rates *r)
{
    free(r->list);
    r->list = NULL;
}

struct rate *rates_at(const struct rates *r, int variant, int class)
{
    return &r->list[(size_t)variant * (size_t)r->n_settings + (size_t) class];
}

static void add(struct rate *sum, const struct rate *r)
{
    sum->chunk += r->chunk;
    sum->token += r->token;
    sum->attend += r->attend;
    sum->keep += r->keep;
    sum->step += r->step;
    sum->step_attend += r->step_attend;
}

/* Of all variants where variant is -1. */
static bool mean_of(const struct rates *r, const struct plan *p, int variant, struct rate *out)
{
    int n = 0;
    *out = (struct rate){0};
    for (int v = 0; v < p->x->n_variants; v++)
        for (int k = 0; k < r->n_settings && (variant < 0 || v == variant); k++) {
            const struct rate *at = rates_at(r, v, k);
            if (at->source != RATE_STORED && at->source != RATE_MEASURED)
                continue;
            add(out, at);
            n++;
        }
    if (!n)
        return false;
    double share = 1.0 / n;
    *out = (struct rate){
        RATE_OTHERS,       out->chunk * share, out->token * share,      out->attend * share,
        out->keep * share, out->step * share,  out->step_attend * share};
    return true;
}

void rates_share(struct rates *r, const struct plan *p)
{
    struct rate mean;
    for (int v = 0; v < p->x->n_variants; v++) {
        if (!mean_of(r, p, v, &mean) && !mean_of(r, p, -1, &mean))
            return;
        for (int k = 0; k < r->n_settings; k++)
            if (rates_at(r, v, k)->source == RATE_NONE)
                *rates_at(r, v, k) = mean;
    }
}

/* ---- stored ---- */

/* Items that this machine made as it would make more. ?1 model, ?2 a protocol of the same path, ?3
 * our build. */
#define OURS_SQL                                                                                   \
    " FROM job j JOIN run r ON r.id = j.run JOIN protocol p ON p.id = r.protocol"                  \
    " JOIN build b ON b.id = j.build JOIN protocol q ON q.id = ?2 JOIN build o ON o.id = ?3"       \
    " WHERE j.state = 'done' AND r.model = ?1 AND r.origin = 'run'"                                \
    " AND p.prefill_path IS q.prefill_path AND b.host IS o.host AND b.cpu IS o.cpu"                \
    " AND b.kernels IS o.kernels AND b.threads IS o.threads"                                       \
    " AND j.prefill_seconds > 0 AND j.prompt_tokens > 0 AND j.new_tokens > 0"

/* A row for each prompt that was read. */
static const char sums_sql[] =
    "SELECT prefill_class, total(items), total(seconds), total(n), total(n * n / 2.0),"
    " total(n * items), total(decode), total(steps), total(attended), total(replay) FROM"
    " (SELECT j.prefill_class AS prefill_class, count(*) AS items, j.prefill_seconds AS seconds,"
    "   j.prompt_tokens AS n, sum(j.decode_seconds) AS decode, sum(j.new_tokens - 1) AS steps,"
    "   sum((j.new_tokens - 1) * (j.prompt_tokens + j.new_tokens / 2.0)) AS attended,"
    "   max(j.replay_seconds) AS replay" OURS_SQL
    "  GROUP BY r.protocol, j.task, j.sample_hash, j.prefill_class, j.prefill_seconds)"
    " GROUP BY prefill_class";

static const char spans_sql[] = "SELECT CAST(strftime('%s', j.claimed_at) AS INTEGER),"
                                " CAST(strftime('%s', j.finished_at) AS INTEGER)" OURS_SQL
                                " AND j.claimed_at IS NOT NULL ORDER BY 1";

static int class_of_hash(const struct plan *p, struct text hash)
{
    for (int k = 0; k < p->x->n_settings; k++)
        if (text_is(hash, p->classes[k]))
            return k;
    return -1;
}

static struct rate_sums sums_of_row(const struct stmt *q)
{
    return (struct rate_sums){(int64_t)stmt_num(q, 1), stmt_num(q, 2), stmt_num(q, 3),
                              stmt_num(q, 4),          stmt_num(q, 5), stmt_num(q, 6),
                              stmt_num(q, 7),          stmt_num(q, 8)};
}

/* *busy: seconds of all rows that are used. */
static int read_sums(struct rates *r, const struct plan *p, int variant, const struct db_val *v,
                     struct store *s, double *busy, struct err *e)
{
    struct stmt *q;
    int rc;
    if (stmt_open(store_db(s), sums_sql, v, 3, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        int class = class_of_hash(p, stmt_text(q, 0));
        struct rate_sums sums = sums_of_row(q);
        *busy += sums.prefill_seconds + sums.decode_seconds + stmt_num(q, 9);
        if (class < 0)
            continue;
        rate_of_sums(rates_at(r, variant, class), &sums, p->variants[variant].model);
        if (rates_at(r, variant, class)->source == RATE_STORED)
            r->items += sums.items;
    }
    stmt_close(q);
    return rc;
}

/* Seconds in which at least one item was at work. */
static int read_spans(const struct db_val *v, struct store *s, double *seconds, struct err *e)
{
    struct stmt *q;
    int64_t end = 0;
    int rc;
    if (stmt_open(store_db(s), spans_sql, v, 3, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        int64_t from = stmt_int(q, 0) > end ? stmt_int(q, 0) : end;
        if (stmt_int(q, 1) <= from)
            continue;
        *seconds += (double)(stmt_int(q, 1) - from);
        end = stmt_int(q, 1);
    }
    stmt_close(q);
    return rc;
}

/* Times are stored to a second: of less than this nothing can be said. */
static const double spans_min = 10;

int rates_read(struct rates *r, const struct plan_left *l, struct store *s, struct err *e)
{
    const struct plan *p = l->plan;
    double busy = 0, seconds = 0;
    for (int i = 0; i < p->x->n_variants; i++) {
        const struct plan_variant *v = &p->variants[i];
        const struct db_val args[] = {val_int(v->model_id), val_int(v->protocol_id),
                                      val_int(v->build_id)};
        if (read_sums(r, p, i, args, s, &busy, e) || read_spans(args, s, &seconds, e))
            return -1;
    }
    if (seconds >= spans_min)
        r->overlap = busy / seconds;
    return 0;
}
