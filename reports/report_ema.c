/* Bytes of the cache that steps read and that it holds, by length of the context and by class. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/ema_data.h"
#include "reports/grid.h"
#include "reports/visible.h"

static int write_ema(struct store *s, const struct report_request *r, struct buf *out,
                     struct err *e);

const struct report report_ema = {
    .name = "ema",
    .summary = "external memory access: KV bytes read and held, by context length and class",
    .write = write_ema,
};

/* ---- cells ---- */

static void add_percent(struct grid *g, double share)
{
    if (isnan(share))
        grid_cell(g, text_of("-"));
    else
        grid_printf(g, "%.2f", 100 * share);
}

/* Three digits: 812, 4.38 k, 57.3 M. */
static void add_bytes(struct grid *g, double x)
{
    static const char *const unit[] = {"", " k", " M", " G", " T"};
    int u = 0;
    while (u < 4 && x >= 999.5) {
        x /= 1000;
        u++;
    }
    grid_printf(g, "%.*f%s", !u || x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2, x, unit[u]);
}

/* Tokens with thousands apart. */
static void add_tokens(struct grid *g, double x)
{
    long n = lround(x);
    if (n < 1000)
        grid_printf(g, "%ld", n);
    else
        grid_printf(g, "%ld,%03ld", n / 1000, n % 1000);
}

static double context_of(const struct ema_bin *b)
{
    return b->context / b->steps;
}

/* ---- blocks: a grid each, a line a setting and length ---- */

struct block {
    const char *title;
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
    grid_printf(g, "%d", b->items);
    for (int v = 0; v < EMA_VIEWS; v++)
        add_percent(g, ema_less(&b->read, (enum ema_view)v));
    for (int v = 0; v < EMA_VIEWS; v++)
        add_percent(g, ema_less(&b->held, (enum ema_view)v));
}

static bool has_weights(const struct ema_table *t)
{
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < EMA_BINS; k++)
            if (t->row[i].bin[k].read.of[EMA_WEIGHTS] > 0)
                return true;
    return false;
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
    if (has_weights(t))
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
    if (has_weights(t))
        add_bytes(g, b->read.of[EMA_WEIGHTS] / b->steps);
}

/* A column is there when any line has something of the class. */
static bool has_class(const struct ema_table *t, int c)
{
    for (int i = 0; i < t->n_rows; i++)
        for (int k = 0; k < EMA_BINS; k++)
            if (t->row[i].bin[k].read.of[c] + t->row[i].bin[k].held.of[c] > 0)
                return true;
    return false;
}

static void class_columns(struct grid *g, const struct ema_table *t)
{
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        if (has_class(t, c))
            grid_column(g, "", ema_class_name((enum ema_class)c), GRID_RIGHT);
}

static void class_shares(struct grid *g, const struct ema_table *t, const struct ema_bytes *b)
{
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        if (has_class(t, c))
            grid_printf(g, "%.1f", 100 * b->of[c] / ema_sum(b));
}

static void class_bytes(struct grid *g, const struct ema_table *t, const struct ema_bytes *b,
                        double n)
{
    for (int c = 0; c < EMA_CACHE_CLASSES; c++)
        if (has_class(t, c))
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
    {"Less than a full 16-bit cache, in %", reduction_columns, reduction_cells, false},
    {"Bytes", bytes_columns, bytes_cells, false},
    {"What a step reads, by class, in %", class_columns, read_shares, true},
    {"What a step reads, by class, in bytes", class_columns, read_bytes, true},
    {"What is held at the end, by class, in %", class_columns, held_shares, true},
    {"What is held at the end, by class, in bytes", class_columns, held_bytes, true},
};

/* Nothing but rows in one piece: a table by class would say nothing. */
static bool is_plain(const struct ema_row *r)
{
    for (int k = 0; k < EMA_BINS; k++)
        if (ema_sum(&r->bin[k].held) > r->bin[k].held.of[EMA_ROWS])
            return false;
    return true;
}

/* A setting's name stands at its first length; in Markdown, whose rows may be sorted, at each. */
static int add_lines(struct grid *g, const struct block *k, const struct ema_table *t,
                     const struct ema_row *r, bool text)
{
    int n = 0;
    for (int i = 0; i < EMA_BINS; i++) {
        if (!r->bin[i].items)
            continue;
        grid_cell(g, text_of(n++ && text ? "" : r->name));
        add_tokens(g, context_of(&r->bin[i]));
        k->cells(g, t, &r->bin[i]);
    }
    return n;
}

static void put_block(const struct block *k, const struct ema_table *t,
                      const struct report_request *r, struct buf *out)
{
    bool text = r->format == REPORT_TEXT;
    struct grid *g = grid_new();
    int lines = 0;
    grid_column(g, "", "setting", GRID_LEFT);
    grid_column(g, "", "context", GRID_RIGHT);
    k->columns(g, t);
    for (int i = 0; i < t->n_rows; i++)
        if (!k->packed_only || !is_plain(&t->row[i])) {
            if (lines > 1)
                grid_rule(g);
            lines = add_lines(g, k, t, &t->row[i], text);
        }
    if (lines) {
        buf_printf(out, text ? "%s\n\n" : "#### %s\n\n", k->title);
        if (text)
            grid_put_text(g, (struct grid_look){.width = r->width, .colour = r->colour}, out);
        else
            grid_put_markdown(g, out);
        buf_char(out, '\n');
    }
    grid_free(g);
}

/* ---- notes ---- */

static void put_note(const char *note, const struct report_request *r, struct buf *out)
{
    if (r->format == REPORT_TEXT)
        visible_put_wrapped(note, r->width, 2, out);
    else
        buf_printf(out, "- %s\n", note);
}

static void put_notes(const struct ema_data *d, const struct report_request *r, struct buf *out)
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
    char left_out[128];
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        put_note(notes[i], r, out);
    snprintf(left_out, sizeof left_out,
             "%d finished item%s left out: without a decode step, or without bytes by class.",
             d->left_out, d->left_out == 1 ? "" : "s");
    if (d->left_out)
        put_note(left_out, r, out);
}

static void put_table(const struct ema_data *d, const struct ema_table *t,
                      const struct report_request *r, struct buf *out)
{
    buf_printf(out, "%s%s: %s%s%s, %d setting%s\n\n", r->format == REPORT_TEXT ? "" : "### ",
               d->name, t->model_name, *t->protocol_name ? ", protocol " : "", t->protocol_name,
               t->n_rows, t->n_rows == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        put_block(&blocks[i], t, r, out);
}

/* ---- CSV: one line a setting and length, everything in it ---- */

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

static void add_number(struct grid *g, double x)
{
    if (isnan(x))
        grid_cell(g, text_of(""));
    else
        grid_printf(g, "%.4f", x);
}

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
    add_number(g, context_of(b));
    grid_printf(g, "%d", b->items);
    grid_printf(g, "%.0f", b->steps);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        add_number(g, number[i]);
    for (int i = 0; i < 2; i++)
        for (int v = 0; v < EMA_VIEWS; v++)
            add_number(g, 100 * ema_less(kind[i].bytes, (enum ema_view)v));
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        for (int c = 0; c < EMA_CLASSES; c++)
            add_number(g, kind[i].bytes->of[c] / kind[i].n);
}

static void put_csv(const struct ema_data *d, struct buf *out)
{
    struct grid *g = grid_new();
    csv_columns(g);
    for (int i = 0; i < d->n_tables; i++)
        for (int k = 0; k < d->table[i].n_rows; k++)
            for (int b = 0; b < EMA_BINS; b++)
                if (d->table[i].row[k].bin[b].items)
                    csv_line(g, &d->table[i], &d->table[i].row[k], &d->table[i].row[k].bin[b]);
    grid_put_csv(g, out);
    grid_free(g);
}

static int write_ema(struct store *s, const struct report_request *r, struct buf *out,
                     struct err *e)
{
    struct ema_data d;
    if (ema_data_load(&d, s, r, e))
        return -1;
    if (r->format == REPORT_CSV) {
        put_csv(&d, out);
    } else {
        for (int i = 0; i < d.n_tables; i++)
            put_table(&d, &d.table[i], r, out);
        put_notes(&d, r, out);
    }
    ema_data_release(&d);
    return 0;
}
