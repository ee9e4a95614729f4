/* What a frame is called, and the columns and notes of scores. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "reports/frame_int.h"

/* ---- protocols ---- */

/* An option's value as text, "" where the protocol has none: another version's. */
static struct buf value_new(const struct json *protocol, const char *name)
{
    struct buf b;
    const struct json *options = json_get(protocol, "options");
    const struct json *value = options ? json_get(options, name) : NULL;
    buf_init(&b);
    if (value && json_type(value) == JSON_STRING)
        buf_text(&b, json_string(value));
    else if (value)
        json_put_canonical(&b, value);
    return b;
}

/* Adds "NAME VALUE" where the other protocol has another value, once. */
static void add_difference(const struct json *mine, const struct json *other, const char *name,
                           struct buf *out)
{
    struct buf a = value_new(mine, name), b = value_new(other, name), words;
    buf_init(&words);
    buf_printf(&words, "%s %s", name, a.s);
    bool known = text_find(text_buf(out), text_buf(&words), 0) < out->n;
    if (!text_eq(text_buf(&a), text_buf(&b)) && !known)
        buf_printf(out, "%s%s", out->n ? ", " : "", words.s);
    buf_release(&words);
    buf_release(&b);
    buf_release(&a);
}

static int compare_protocols(const struct json *mine, const struct scores_table *other,
                             struct buf *out, struct err *e)
{
    struct json *j = json_read(text_of(other->protocol_json), e);
    if (!j)
        return err_in(e, "protocol %lld", (long long)other->protocol);
    const struct json *options = json_get(mine, "options");
    if (options && json_type(options) == JSON_OBJECT)
        for (const struct json *m = json_first(options); m; m = json_next(m))
            if (strcmp(json_key(m), "preset"))
                add_difference(mine, j, json_key(m), out);
    json_free(j);
    return 0;
}

int frame_find_variant(const struct frame *f, struct frame_table *t, struct err *e)
{
    struct buf b;
    struct json *mine = json_read(text_of(t->scores->protocol_json), e);
    if (!mine)
        return err_in(e, "protocol %lld", (long long)t->scores->protocol);
    int rc = 0;
    buf_init(&b);
    for (int i = 0; i < f->scores.n_tables && !rc; i++)
        if (f->scores.table[i].protocol != t->scores->protocol)
            rc = compare_protocols(mine, &f->scores.table[i], &b, e);
    json_free(mine);
    t->variant = b.s;
    return rc;
}

/* ---- names ---- */

void frame_put_head(const struct frame *f, const char *what, struct doc *d)
{
    doc_title(d, "%s: %s", f->scores.name, what);
    doc_field(d, "experiment", f->scores.name);
    doc_field(d, "y", f->y_label);
}

/* The protocol's words, where the experiment has several. */
static const char *words_of(const struct frame_table *t)
{
    return *t->variant ? t->variant : t->scores->protocol_name;
}

/* What tells it from others may be in its name. */
static void put_protocol(struct buf *b, const char *name, const char *variant)
{
    buf_printf(b, ", protocol %s", name);
    if (*variant && !strstr(name, variant))
        buf_printf(b, ", %s", variant);
}

struct buf frame_heading_new(const struct frame *f, struct frame_group g)
{
    const struct scores_table *t = f->table[g.from].scores;
    int n = frame_rows(f, g);
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%s: %s", f->scores.name, t->model_name);
    if (g.to - g.from > 1)
        buf_printf(&b, ", %d protocols", g.to - g.from);
    else if (*t->protocol_name)
        put_protocol(&b, t->protocol_name, f->table[g.from].variant);
    buf_printf(&b, ", %d setting%s", n, n == 1 ? "" : "s");
    return b;
}

char *frame_name_dup(struct frame_group g, const struct frame_table *t, int row)
{
    struct buf b;
    buf_init(&b);
    buf_str(&b, t->scores->row[row].name);
    if (g.to - g.from > 1)
        buf_printf(&b, " (%s)", words_of(t));
    return b.s;
}

/* ---- columns ---- */

void frame_score_columns(struct grid *g)
{
    grid_column(g, "", "score", GRID_RIGHT);
    grid_column(g, "", "interval", GRID_RIGHT);
    grid_column(g, "to the baseline", "difference", GRID_RIGHT);
    grid_short(g, "to baseline", "diff");
    grid_column(g, "to the baseline", "interval", GRID_RIGHT);
    grid_short(g, "to baseline", "interval");
}

static void put_interval(struct grid *g, struct stats_interval i, const char *sign)
{
    if (isnan(i.lo))
        grid_cell(g, text_of("-"));
    else
        grid_printf(g, *sign ? "%+.1f to %+.1f" : "%.1f to %.1f", i.lo, i.hi);
}

void frame_score_cells(const struct comparison_cell *c, struct grid *g)
{
    grid_number(g, c->score.mean, 2);
    put_interval(g, c->score.interval, "");
    grid_value(g, c->difference.paired.difference, "%+.2f", c->difference.paired.difference);
    if (comparison_is_shown(&c->difference))
        grid_mark(g, GRID_DAGGER);
    put_interval(g, c->difference.interval, "+");
}

static const struct {
    const char *head, *unit;
} data[] = {{"n", "items"},
            {"missing", "items"},
            {"score", "points"},
            {"stderr", "points"},
            {"low", "points"},
            {"high", "points"},
            {"pairs", "items"},
            {"difference", "points"},
            {"difference_stderr", "points"},
            {"difference_low", "points"},
            {"difference_high", "points"},
            {"p", NULL},
            {"p_adjusted_bh", NULL}};

void frame_score_data_columns(struct grid *g)
{
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        grid_column(g, "", data[i].head, GRID_RIGHT);
        if (data[i].unit)
            grid_unit(g, data[i].unit);
    }
}

void frame_score_data_cells(const struct comparison_cell *c, struct grid *g)
{
    const struct comparison_mean *m = &c->score;
    const struct comparison_difference *d = &c->difference;
    const double number[] = {m->n,
                             m->missing,
                             m->mean,
                             m->stderr_,
                             m->interval.lo,
                             m->interval.hi,
                             d->paired.pairs,
                             d->paired.difference,
                             d->paired.stderr_,
                             d->interval.lo,
                             d->interval.hi,
                             d->paired.p,
                             d->adjusted};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        grid_value(g, number[i], "%.6g", number[i]);
}

void frame_put_bytes(struct grid *g, double x)
{
    static const char *const unit[] = {"", " k", " M", " G", " T"};
    double shown = x;
    int u = 0;
    while (u < 4 && shown >= 999.5) {
        shown /= 1000;
        u++;
    }
    grid_value(g, x, "%.*f%s", !u || shown >= 99.95 ? 0 : shown >= 9.995 ? 1 : 2, shown, unit[u]);
}

/* ---- notes ---- */

static int without_score(const struct frame *f)
{
    int n = 0;
    for (int i = 0; i < f->n_tables; i++)
        for (int row = 0; row < f->table[i].scores->n_rows; row++)
            n += isnan(frame_cell(f, &f->table[i], row)->score.mean);
    return n;
}

static int partial(const struct frame *f)
{
    int n = 0;
    for (int i = 0; i < f->n_tables; i++)
        for (int row = 0; row < f->table[i].scores->n_rows; row++) {
            const struct comparison_mean *m = &frame_cell(f, &f->table[i], row)->score;
            n += !isnan(m->mean) && m->missing > 0;
        }
    return n;
}

void frame_put_notes(const struct frame *f, struct doc *d)
{
    const struct frame_table *t = &f->table[0];
    const struct comparison *c = f->y == FRAME_CATEGORY ? &t->category : &t->all;
    const int baseline = c->options.baseline, none = without_score(f), some = partial(f);
    doc_note(
        d, "%s, %s. Intervals: %g %%, bootstrap over items (%d resamples, seed %llu).", f->y_label,
        scores_in_nats(t->scores) ? "hundredths of a nat a token, the less the better" : "0 to 100",
        100 * c->options.level, c->options.resamples, (unsigned long long)c->options.seed);
    if (baseline >= 0)
        doc_note(d,
                 "Differences are to %s under the same protocol, paired by item. A dagger: their "
                 "interval does not hold 0.",
                 t->scores->row[baseline].name);
    else
        doc_note(d, "There is no full cache with the weights as stored to compare with.");
    if (none)
        doc_note(d, "%d setting%s without a score in every task: no mean (-).", none,
                 none == 1 ? " is" : "s are");
    if (some)
        doc_note(d, "%d setting%s no score of some items: column missing of the data.", some,
                 some == 1 ? " has" : "s have");
}
