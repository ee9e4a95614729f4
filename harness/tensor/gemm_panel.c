#include "harness/tensor/gemm_panel.h"

#include <assert.h>
#include <string.h>

/* Of an item at most ITEM_PANELS panels, fewer where that leaves threads without work. */
enum { ITEM_PANELS = 4, ITEMS_PER_THREAD = 3, X_ROWS = 56 };
enum { PANEL_FLOATS = PANEL_WIDTH * PANEL_DEPTH };
/* Rows that lie as far apart as pages share few sets of the caches: longer ones are copied. */
enum { ROW_IN_PLACE = 768 };

struct job {
    struct gemm *g;
    const struct product *products;
    const float *x;
    int m, panels; // of an item
};

/* What a worker works in. */
struct room {
    float *panels; // [ITEM_PANELS][PANEL_DEPTH][PANEL_WIDTH]
    float *piece;  // [PANEL_WIDTH][PANEL_DEPTH] of weights as f32
    float *x;      // [X_ROWS][PANEL_DEPTH]
    float *rows;   // [ITEM_PANELS * PANEL_WIDTH][cols]: packed rows decode as a whole
};

size_t gemm_panel_room(int max_cols)
{
    return (size_t)PANEL_FLOATS * (ITEM_PANELS + 1) + (size_t)X_ROWS * PANEL_DEPTH +
           (size_t)ITEM_PANELS * PANEL_WIDTH * (size_t)max_cols;
}

static struct room room_of(const struct gemm *g, int worker)
{
    struct room r = {.panels = g->room + (size_t)worker * g->room_size};
    r.piece = r.panels + (size_t)PANEL_FLOATS * ITEM_PANELS;
    r.x = r.piece + PANEL_FLOATS;
    r.rows = r.x + (size_t)X_ROWS * PANEL_DEPTH;
    return r;
}

/* Rows of one matrix, and where their results go. */
struct item {
    const struct matrix *w;
    float *out;
    int row, rows;
};

static int items_of(const struct matrix *w, int panels)
{
    return (w->rows + panels * PANEL_WIDTH - 1) / (panels * PANEL_WIDTH);
}

static struct item find_item(const struct job *j, int i)
{
    const struct product *p = j->products;
    for (; i >= items_of(p->w, j->panels); p++)
        i -= items_of(p->w, j->panels);
    int rows = j->panels * PANEL_WIDTH, row = i * rows, left = p->w->rows - row;
    return (struct item){p->w, p->out + row, row, left < rows ? left : rows};
}

/* Columns at.. to at + k of n rows, turned. `row` counts from the item's first. */
static void pack_panel(const struct gemm *g, const struct item *t, const struct room *r,
                       float *panel, int row, int n, int at, int k)
{
    const struct matrix *w = t->w;
    if (w->packed) {
        g->kernels->panel_pack(panel, r->rows + (long)row * w->cols + at, w->cols, n, k);
        return;
    }
    if (w->dtype == DT_F32) {
        const float *rows = matrix_row(w, t->row + row);
        g->kernels->panel_pack(panel, rows + at, w->cols, n, k);
        return;
    }
    for (int i = 0; i < n; i++) {
        const uint16_t *half = matrix_row(w, t->row + row + i);
        float *to = r->piece + (long)i * PANEL_DEPTH;
        if (w->dtype == DT_F16)
            g->kernels->widen_f16(to, half + at, k);
        else
            g->kernels->widen_bf16(to, half + at, k);
    }
    g->kernels->panel_pack(panel, r->piece, PANEL_DEPTH, n, k);
}

static void multiply(const struct job *j, const struct item *t, const struct room *r, int at, int k)
{
    int ld = t->w->cols;
    for (int first = 0; first < j->m; first += X_ROWS) {
        int m = j->m - first < X_ROWS ? j->m - first : X_ROWS, ld_x = ld;
        const float *x = j->x + (long)first * ld + at;
        float *out = t->out + (long)first * t->w->rows;
        if (ld > ROW_IN_PLACE) {
            for (int i = 0; i < m; i++)
                memcpy(r->x + (long)i * PANEL_DEPTH, x + (long)i * ld, (size_t)k * sizeof *x);
            x = r->x;
            ld_x = PANEL_DEPTH;
        }
        for (int row = 0; row < t->rows; row += PANEL_WIDTH) {
            int n = t->rows - row < PANEL_WIDTH ? t->rows - row : PANEL_WIDTH;
            j->g->kernels->panel_mul(out + row, t->w->rows, x, ld_x, m,
                                     r->panels + (long)row * PANEL_DEPTH, PANEL_WIDTH, n, k, 1.0f,
                                     at > 0);
        }
    }
}

static void run_item(void *arg, int i, int worker)
{
    const struct job *j = arg;
    const struct item t = find_item(j, i);
    const struct room r = room_of(j->g, worker);
    assert(t.w->cols <= j->g->max_cols);
    if (t.w->packed) {
        const struct quant_rows packed = matrix_packed(t.w, t.row);
        j->g->kernels->widen_quant(r.rows, &packed, t.rows);
    }
    for (int at = 0; at < t.w->cols; at += PANEL_DEPTH) {
        int k = t.w->cols - at < PANEL_DEPTH ? t.w->cols - at : PANEL_DEPTH;
        for (int row = 0; row < t.rows; row += PANEL_WIDTH)
            pack_panel(j->g, &t, &r, r.panels + (long)row * PANEL_DEPTH, row,
                       t.rows - row < PANEL_WIDTH ? t.rows - row : PANEL_WIDTH, at, k);
        multiply(j, &t, &r, at, k);
    }
}

static int count_items(const struct product *p, int n, int panels)
{
    int items = 0;
    for (int i = 0; i < n; i++)
        items += items_of(p[i].w, panels);
    return items;
}

void gemm_panels(struct gemm *g, const struct product *p, int n, const float *x, int m)
{
    struct job j = {g, p, x, m, ITEM_PANELS};
    while (j.panels > 1 && count_items(p, n, j.panels) < ITEMS_PER_THREAD * pool_threads(g->pool))
        j.panels /= 2;
    pool_run(g->pool, count_items(p, n, j.panels), run_item, &j);
}
