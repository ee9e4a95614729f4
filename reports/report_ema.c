/* Bytes of the cache that steps read and that it holds, by length of the context and by class. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/ema_data.h"
#include "reports/report.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_ema = {
    .name = "ema",
    .summary = "external memory access: KV bytes read and held, by context length and class",
    .help =
        "How much less than a full 16-bit cache the decode steps read (traffic) and the cache "
        "holds (footprint), as it is, without metadata, of the packed layers alone, and composed "
        "for 32 layers of which 2 stay full; then bytes a step, and the shares of the classes.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL,
    .build = build,
};

/* ---- cells ---- */

static void add_percent(struct grid *g, double share)
{
    grid_number(g, 100 * share, 2);
}

/* Three digits: 812, 4.38 k, 57.3 M. */
static void add_bytes(struct grid *g, double x)
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

/* Tokens with thousands apart. */
static void add_tokens(struct grid *g, double x)
{
    long n = lround(x);
    if (n < 1000)
        grid_value(g, x, "%ld", n);
    else
        grid_value(g, x, "%ld,%03ld", n / 1000, n % 1000);
}

static double context_of(const struct ema_bin *b)
{
    return b->context / b->steps;
}

/* ---- blocks: a grid each, a line a setting and length ---- */

struct block {
    const char *name, *title;
    void (*columns)(struct grid *g, const struct ema_table *t);
    void (*cells)(struct grid *g, const struct ema_table *t, const struct ema_bin *b);
    bool packed_only; // settings that have class rows alone are left out
};

static void reduction_columns(struct grid *g, const struct ema_table *t)
{
    static const char *const group[] = {"KV traffic", "KV footprint"};
    static const char *const head[] = {"as is", "without metadata", "packed layers",
                                       "2 of 32 dense"};
    (void)t;
    grid_column(g, "", "items", GRID_RIGHT);
    for (int i = 0; i < 2; i++)
        for (int v = 0; v < EMA_VIEWS; v++)
            grid_column(g, group[i], head[v], GRID_RIGHT);
}

static void reduction_cells(struct grid *g, const struct ema_table *t, const struct ema_bin *b)
{
    (void)t;
    grid_number(g, b->items, 0);
    for (int v = 0; v < EMA_VIEWS; v++)
        add_percent(g, ema_less(&b->read, (enum ema_view)v));
    for (int v = 0; v < EMA_VIEWS; v++)
        add_percent(g, ema_less(&b->held, (enum ema_view)v));
}

static void bytes_columns(struct grid *g, const struct ema_table *t)
{
    grid_column(g, "read a step", "KV", GRID_RIGHT);
    grid_column(g, "read a step", "full cache", GRID_RIGHT);
    grid_column(g, "read a step", "a token", GRID_RIGHT);
    grid_column(g, "held at the end", "KV", GRID_RIGHT);
    grid_column(g, "held at the end", "full cache", GRID_RIGHT);
    grid_column(g, "held at the end", "a token", GRID_RIGHT);
    grid_column(g, "", "written a step", GRID_RIGHT);
    if (t->has[EMA_WEIGHTS])
        grid_column(g, "", "weights a step", GRID_RIGHT);
}

static void bytes_cells(struct grid *g, const struct ema_table *t, const struct ema_bin *b)
{
    double read = ema_sum(&b->read), held = ema_sum(&b->held);
    add_bytes(g, read / b->steps);
    add_bytes(g, b->read.full / b->steps);
    add_bytes(g, read / b->context);
    add_bytes(g, held / b->items);
    add_bytes(g, b->held.full / b->items);
    add_bytes(g, held / b->tokens);
    add_bytes(g, ema_sum(&b->written) / b->steps);
    if (t->has[EMA_WEIGHTS])
        add_bytes(g, b->read.of[EMA_WEIGHTS] / b->steps);
}

/* A column is there when any line has something of the class. */
static void class_columns(struct grid *g, const struct ema_table *t)
{
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        if (t->has[c])
            grid_column(g, "", ema_class_name((enum ema_class)c), GRID_RIGHT);
}

static void class_shares(struct grid *g, const struct ema_table *t, const struct ema_bytes *b)
{
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        if (t->has[c])
            grid_number(g, 100 * b->of[c] / ema_sum(b), 1);
}

static void class_bytes(struct grid *g, const struct ema_table *t, const struct ema_bytes *b,
                        double n)
{
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        if (t->has[c])
            add_bytes(g, b->of[c] / n);
}

static void read_shares(struct grid *g, const struct ema_table *t, const struct ema_bin *b)
{
    class_shares(g, t, &b->read);
}

static void read_bytes(struct grid *g, const struct ema_table *t, const struct ema_bin *b)
{
    class_bytes(g, t, &b->read, b->steps);
}

static void held_shares(struct grid *g, const struct ema_table *t, const struct ema_bin *b)
{
    class_shares(g, t, &b->held);
}

static void held_bytes(struct grid *g, const struct ema_table *t, const struct ema_bin *b)
{
    class_bytes(g, t, &b->held, b->items);
}

static const struct block blocks[] = {
    {"less", "Less than a full 16-bit cache, in %", reduction_columns, reduction_cells, false},
    {"bytes", "Bytes", bytes_columns, bytes_cells, false},
    {"read_shares", "What a step reads, by class, in %", class_columns, read_shares, true},
    {"read_bytes", "What a step reads, by class, in bytes", class_columns, read_bytes, true},
    {"held_shares", "What is held at the end, by class, in %", class_columns, held_shares, true},
    {"held_bytes", "What is held at the end, by class, in bytes", class_columns, held_bytes, true},
};

/* Nothing but rows in one piece: a table by class would say nothing. */
static bool is_plain(const struct ema_row *r)
{
    for (int k = 0; k < EMA_BINS; k++)
        if (ema_sum(&r->bin[k].held) > r->bin[k].held.of[EMA_ROWS])
            return false;
    return true;
}

/* A setting's name stands at its first length, where rows cannot be sorted. */
static int add_lines(struct grid *g, const struct block *k, const struct ema_table *t,
                     const struct ema_row *r)
{
    int n = 0;
    for (int i = 0; i < EMA_BINS; i++) {
        if (!r->bin[i].items)
            continue;
        grid_cell(g, text_of(r->name));
        if (n++)
            grid_repeated(g);
        add_tokens(g, context_of(&r->bin[i]));
        k->cells(g, t, &r->bin[i]);
    }
    return n;
}

static bool has_lines(const struct block *k, const struct ema_row *r)
{
    bool any = false;
    for (int i = 0; i < EMA_BINS; i++)
        any |= r->bin[i].items > 0;
    return any && !(k->packed_only && is_plain(r));
}

static void add_block(const struct block *k, const struct ema_table *t, struct doc *d)
{
    struct grid *g = NULL;
    int lines = 0;
    for (int i = 0; i < t->n_rows; i++) {
        if (!has_lines(k, &t->row[i]))
            continue;
        if (!g) {
            g = doc_grid(d, DOC_SHOWN, k->name, k->title);
            grid_column(g, "", "setting", GRID_LEFT);
            grid_column(g, "", "context", GRID_RIGHT);
            k->columns(g, t);
        }
        if (lines > 1)
            grid_rule(g);
        lines = add_lines(g, k, t, &t->row[i]);
    }
}

/* ---- notes ---- */

static void add_notes(const struct ema_data *x, struct doc *d)
{
    static const char *const notes[] = {
        "KV traffic: bytes of the cache that the decode steps read, KV footprint: that it holds at "
        "the end, counted record by record, all layers together, against a full cache of 16-bit "
        "numbers. Weights are not among them.",
        "context: tokens in the cache before a step, the mean over the steps; items go together by "
        "the power of two next to theirs. k, M: 1000, 1000000 bytes; a token: of the context.",
        "without metadata: classes pairs, masks and index left out. packed layers: those that the "
        "setting compresses against the same of a full cache.",
        "2 of 32 dense: composed, not measured: packed layers as 30 of a model's 32, the other 2 "
        "full.",
    };
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        doc_note(d, "%s", notes[i]);
    if (x->left_out)
        doc_note(d,
                 "%d finished item%s left out: without a decode step, or without bytes by class.",
                 x->left_out, x->left_out == 1 ? "" : "s");
}

static void add_table(const struct ema_data *x, const struct ema_table *t, struct doc *d)
{
    doc_heading(d, "%s: %s%s%s, %d setting%s", x->name, t->model_name,
                *t->protocol_name ? ", protocol " : "", t->protocol_name, t->n_rows,
                t->n_rows == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        add_block(&blocks[i], t, d);
}

/* ---- data: one line a setting and length, everything in it ---- */

static const char *const csv_heads[] = {"model",
                                        "protocol",
                                        "setting",
                                        "method",
                                        "context",
                                        "items",
                                        "steps",
                                        "read_step",
                                        "read_full_step",
                                        "written_step",
                                        "held",
                                        "held_full",
                                        "read_less",
                                        "read_less_without_metadata",
                                        "read_less_packed_layers",
                                        "read_less_2_of_32_dense",
                                        "held_less",
                                        "held_less_without_metadata",
                                        "held_less_packed_layers",
                                        "held_less_2_of_32_dense"};

static void csv_columns(struct grid *g)
{
    static const char *const kind[] = {"read_step", "held", "written_step"};
    char head[64];
    for (size_t i = 0; i < sizeof csv_heads / sizeof *csv_heads; i++)
        grid_column(g, "", csv_heads[i], GRID_LEFT);
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        for (int c = 0; c < EMA_CLASSES; c++) {
            snprintf(head, sizeof head, "%s_%s", kind[i], ema_class_name((enum ema_class)c));
            grid_column(g, "", head, GRID_LEFT);
        }
}

static void csv_line(struct grid *g, const struct ema_table *t, const struct ema_row *r,
                     const struct ema_bin *b)
{
    const struct {
        const struct ema_bytes *bytes;
        double n;
    } kind[] = {{&b->read, b->steps}, {&b->held, b->items}, {&b->written, b->steps}};
    const double number[] = {ema_sum(&b->read) / b->steps, b->read.full / b->steps,
                             ema_sum(&b->written) / b->steps, ema_sum(&b->held) / b->items,
                             b->held.full / b->items};
    grid_cell(g, text_of(t->model_name));
    grid_cell(g, text_of(t->protocol_name));
    grid_cell(g, text_of(r->name));
    grid_cell(g, text_of(r->method));
    grid_number(g, context_of(b), 4);
    grid_number(g, b->items, 0);
    grid_number(g, b->steps, 0);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        grid_number(g, number[i], 4);
    for (int i = 0; i < 2; i++)
        for (int v = 0; v < EMA_VIEWS; v++)
            grid_number(g, 100 * ema_less(kind[i].bytes, (enum ema_view)v), 4);
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        for (int c = 0; c < EMA_CLASSES; c++)
            grid_number(g, kind[i].bytes->of[c] / kind[i].n, 4);
}

static void fill_data(const struct ema_data *d, struct grid *g)
{
    csv_columns(g);
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++)
            for (int b = 0; b < EMA_BINS; b++)
                if (d->table[i].row[k].bin[b].items)
                    csv_line(g, &d->table[i], &d->table[i].row[k], &d->table[i].row[k].bin[b]);
}

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e)
{
    struct ema_data x;
    if (ema_data_load(&x, s, r, e))
        return -1;
    doc_title(d, "KV bytes read and held in experiment %s", x.name);
    doc_field(d, "experiment", x.name);
    for (int i = 0; i < x.n_tables; i++)
        add_table(&x, &x.table[i], d);
    add_notes(&x, d);
    fill_data(&x, doc_grid(d, DOC_DATA, "traffic", NULL));
    ema_data_release(&x);
    return 0;
}
