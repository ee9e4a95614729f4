#include "reports/grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/grid_int.h"

struct grid *grid_new(void)
{
    return xcalloc(1, sizeof(struct grid));
}

static void column_release(struct column *c)
{
    free(c->group);
    free(c->head);
    free(c->group_short);
    free(c->head_short);
    free(c->key);
    free(c->unit);
}

void grid_free(struct grid *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->n_columns; i++)
        column_release(&g->column[i]);
    for (size_t i = 0; i < g->n_cells; i++)
        free((void *)g->cell[i].t.s);
    free(g->column);
    free(g->cell);
    free(g->name);
    free(g->caption);
    free(g);
}

/* ---- columns ---- */

void grid_column(struct grid *g, const char *group, const char *head, enum grid_align align)
{
    assert(!g->n_cells);
    g->column = xrealloc(g->column, mem_size((size_t)g->n_columns + 1, sizeof *g->column));
    g->column[g->n_columns++] = (struct column){.group = xstrdup(group),
                                                .head = xstrdup(head),
                                                .group_short = xstrdup(group),
                                                .head_short = xstrdup(head),
                                                .align = align};
}

static struct column *last_column(struct grid *g)
{
    assert(g->n_columns);
    return &g->column[g->n_columns - 1];
}

static void set(char **to, const char *s)
{
    free(*to);
    *to = xstrdup(s);
}

void grid_short(struct grid *g, const char *group, const char *head)
{
    set(&last_column(g)->group_short, group);
    set(&last_column(g)->head_short, head);
}

void grid_key(struct grid *g, const char *key)
{
    set(&last_column(g)->key, key);
}

void grid_unit(struct grid *g, const char *unit)
{
    set(&last_column(g)->unit, unit);
}

int grid_group_end(const struct grid *g, int from)
{
    int to = from + 1;
    while (to < g->n_columns && !strcmp(g->column[to].group, g->column[from].group))
        to++;
    return to;
}

bool grid_has_groups(const struct grid *g)
{
    for (int i = 0; i < g->n_columns; i++)
        if (*g->column[i].group)
            return true;
    return false;
}

unsigned grid_marks_of(const struct grid *g, int column)
{
    unsigned marks = 0;
    for (size_t row = 0; row < grid_rows(g); row++)
        marks |= grid_at(g, row, column)->marks;
    return marks;
}

/* ---- cells ---- */

static struct cell *add_cell(struct grid *g, struct text t, enum cell_kind kind)
{
    if (g->n_cells == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->cell = xrealloc(g->cell, mem_size(g->room, sizeof *g->cell));
    }
    bool first = g->n_cells % (size_t)g->n_columns == 0;
    struct cell *c = &g->cell[g->n_cells++];
    *c = (struct cell){.t = text_dup(t), .kind = kind, .rule = first && g->rule_next};
    if (first)
        g->rule_next = false;
    return c;
}

static struct cell *last_cell(struct grid *g)
{
    assert(g->n_cells);
    return &g->cell[g->n_cells - 1];
}

void grid_cell(struct grid *g, struct text t)
{
    add_cell(g, t, CELL_TEXT);
}

static ERR_PRINTF(3, 0) void add_formatted(struct grid *g, enum cell_kind kind, const char *fmt,
                                           va_list ap)
{
    struct buf b;
    buf_init(&b);
    buf_vprintf(&b, fmt, ap);
    add_cell(g, text_buf(&b), kind);
    buf_release(&b);
}

void grid_printf(struct grid *g, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_formatted(g, CELL_TEXT, fmt, ap);
    va_end(ap);
}

void grid_value(struct grid *g, double x, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (isnan(x))
        add_cell(g, text_of("-"), CELL_NUMBER);
    else
        add_formatted(g, CELL_NUMBER, fmt, ap);
    last_cell(g)->value = x;
    va_end(ap);
}

void grid_number(struct grid *g, double x, int decimals)
{
    double shown = fabs(x) < 0.5 * pow(10, -decimals) ? 0 : x; // no "-0.0"
    grid_value(g, x, "%.*f", decimals, shown);
}

void grid_blank(struct grid *g)
{
    add_cell(g, text_of(""), CELL_BLANK);
}

void grid_mark(struct grid *g, enum grid_mark mark)
{
    last_cell(g)->marks |= mark;
}

void grid_bold(struct grid *g)
{
    grid_mark(g, GRID_BOLD);
}

void grid_repeated(struct grid *g)
{
    last_cell(g)->repeated = true;
}

void grid_rule(struct grid *g)
{
    g->rule_next = true;
}

size_t grid_rows(const struct grid *g)
{
    return g->n_columns ? g->n_cells / (size_t)g->n_columns : 0;
}

const struct cell *grid_at(const struct grid *g, size_t row, int column)
{
    return &g->cell[row * (size_t)g->n_columns + (size_t)column];
}

bool grid_says_nothing(const struct grid *g, size_t row, int from, int to)
{
    bool any = from == 1 && to == g->n_columns; // not broken
    for (int i = from; i < to; i++)
        any |= grid_at(g, row, i)->kind != CELL_BLANK;
    return !any;
}

/* ---- keys ---- */

static const char *plain_key(const struct column *c)
{
    return c->key ? c->key : c->head;
}

static bool is_used(const struct grid *g, int column)
{
    for (int i = 0; i < g->n_columns; i++)
        if (i != column && !strcmp(plain_key(&g->column[i]), plain_key(&g->column[column])))
            return true;
    return false;
}

static bool is_among(char *const *keys, int n, const char *key)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(keys[i], key))
            return true;
    return false;
}

char **grid_keys_new(const struct grid *g)
{
    char **keys = xcalloc((size_t)g->n_columns + 1, sizeof *keys);
    for (int i = 0; i < g->n_columns; i++) {
        const struct column *c = &g->column[i];
        struct buf b;
        buf_init(&b);
        if (!c->key && *c->group && is_used(g, i))
            buf_printf(&b, "%s ", c->group);
        buf_str(&b, plain_key(c));
        size_t n = b.n;
        for (int nth = 2; is_among(keys, i, b.s); nth++) {
            b.n = n;
            buf_printf(&b, " %d", nth);
        }
        keys[i] = b.s;
    }
    return keys;
}
