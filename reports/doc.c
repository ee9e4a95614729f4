#include "reports/doc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "reports/doc_int.h"

struct doc *doc_new(const char *report)
{
    struct doc *d = xcalloc(1, sizeof *d);
    d->report = xstrdup(report);
    d->title = xstrdup("");
    return d;
}

static void block_release(struct doc_block *b)
{
    free((void *)b->text.s);
    free((void *)b->name.s);
    grid_free(b->grid);
    plot_free(b->plot);
    grid_free(b->points);
}

void doc_free(struct doc *d)
{
    if (!d)
        return;
    for (int i = 0; i < d->n_blocks; i++)
        block_release(&d->block[i]);
    for (int i = 0; i < d->n_fields; i++) {
        free(d->field[i].name);
        free(d->field[i].value);
    }
    free(d->block);
    free(d->field);
    free(d->report);
    free(d->title);
    free(d);
}

/* ---- the whole ---- */

static ERR_PRINTF(1, 0) struct text formatted(const char *fmt, va_list ap)
{
    struct buf b;
    buf_init(&b);
    buf_vprintf(&b, fmt, ap);
    return text_buf(&b);
}

void doc_title(struct doc *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    free(d->title);
    d->title = (char *)formatted(fmt, ap).s;
    va_end(ap);
}

void doc_field(struct doc *d, const char *name, const char *value)
{
    d->field = xrealloc(d->field, mem_size((size_t)d->n_fields + 1, sizeof *d->field));
    d->field[d->n_fields++] = (struct doc_pair){xstrdup(name), xstrdup(value)};
}

/* ---- blocks ---- */

static struct doc_block *add_block(struct doc *d, enum doc_kind kind)
{
    d->block = xrealloc(d->block, mem_size((size_t)d->n_blocks + 1, sizeof *d->block));
    struct doc_block *b = &d->block[d->n_blocks++];
    *b = (struct doc_block){.kind = kind};
    return b;
}

void doc_heading(struct doc *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_block(d, DOC_HEADING)->text = formatted(fmt, ap);
    va_end(ap);
}

void doc_para(struct doc *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_block(d, DOC_PARA)->text = formatted(fmt, ap);
    va_end(ap);
}

void doc_note(struct doc *d, const char *fmt, ...)
{
    bool first = d->notes_ended || !d->n_blocks || d->block[d->n_blocks - 1].kind != DOC_NOTE;
    struct doc_block *b = add_block(d, DOC_NOTE);
    va_list ap;
    va_start(ap, fmt);
    b->text = formatted(fmt, ap);
    b->first = first;
    d->notes_ended = false;
    va_end(ap);
}

void doc_notes_end(struct doc *d)
{
    d->notes_ended = true;
}

void doc_fact(struct doc *d, const char *name, const char *fmt, ...)
{
    struct doc_block *b = add_block(d, DOC_FACT);
    va_list ap;
    va_start(ap, fmt);
    b->name = text_dup(text_of(name));
    b->text = formatted(fmt, ap);
    va_end(ap);
}

void doc_quote(struct doc *d, const char *label, struct text words)
{
    struct doc_block *b = add_block(d, DOC_QUOTE);
    b->name = text_dup(text_of(label));
    b->text = text_dup(words);
}

/* ---- grids and plots ---- */

static bool has_name(const struct doc *d, const char *name)
{
    for (int i = 0; i < d->n_blocks; i++) {
        const struct doc_block *b = &d->block[i];
        const char *s = b->grid ? b->grid->name : b->plot ? plot_name(b->plot) : NULL;
        if (s && !strcmp(s, name))
            return true;
    }
    return false;
}

static char *free_name_dup(const struct doc *d, const char *name)
{
    struct buf b;
    buf_init(&b);
    buf_str(&b, name);
    for (int nth = 2; has_name(d, b.s); nth++) {
        buf_reset(&b);
        buf_printf(&b, "%s_%d", name, nth);
    }
    return b.s;
}

struct grid *doc_grid(struct doc *d, enum doc_use use, const char *name, const char *caption)
{
    struct grid *g = grid_new();
    g->name = free_name_dup(d, name);
    g->caption = caption ? xstrdup(caption) : NULL;
    struct doc_block *b = add_block(d, DOC_GRID);
    b->grid = g;
    b->use = use;
    return g;
}

void doc_main(struct doc *d, const struct grid *g)
{
    d->main = g;
}

struct plot *doc_plot(struct doc *d, const char *name, const char *title)
{
    char *own = free_name_dup(d, name);
    struct plot *p = plot_new(own, title);
    add_block(d, DOC_PLOT)->plot = p;
    free(own);
    return p;
}

void doc_end(struct doc *d)
{
    for (int i = 0; i < d->n_blocks; i++) {
        struct doc_block *b = &d->block[i];
        assert(!b->grid ||
               (b->grid->n_columns && !(b->grid->n_cells % (size_t)b->grid->n_columns)));
        if (b->plot && !b->points)
            b->points = plot_grid_new(b->plot);
    }
}

/* ---- for the formats ---- */

const struct grid *doc_next_data(const struct doc *d, int *at)
{
    while (*at < d->n_blocks) {
        const struct doc_block *b = &d->block[(*at)++];
        if (b->kind == DOC_GRID && b->use != DOC_SHOWN)
            return b->grid;
        if (b->kind == DOC_PLOT)
            return b->points;
    }
    return NULL;
}

const struct plot *doc_next_plot(const struct doc *d, int *at)
{
    while (*at < d->n_blocks)
        if (d->block[(*at)++].kind == DOC_PLOT)
            return d->block[*at - 1].plot;
    return NULL;
}

bool doc_is_shown(const struct doc_block *b)
{
    return b->kind != DOC_GRID || b->use != DOC_DATA;
}

bool doc_goes_on(const struct doc_block *before, const struct doc_block *b)
{
    return before->kind == b->kind && (b->kind == DOC_FACT || (b->kind == DOC_NOTE && !b->first));
}

struct text doc_heading_above(const struct doc *d, int block)
{
    while (--block >= 0)
        if (d->block[block].kind == DOC_HEADING)
            return d->block[block].text;
    return text_of(d->title);
}
