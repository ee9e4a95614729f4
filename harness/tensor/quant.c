#include "harness/tensor/quant.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/base/mem.h"
#include "harness/tensor/group_quant.h"

/* Of the arithmetic: raised when a format gives other numbers than before. */
enum { QUANT_VERSION = 1 };

enum { ROWS_BLOCK = 16 }; // rows of one task

static const char *const pair_names[] = {"f16", "f32", NULL};

#define AT(field) offsetof(struct quant_format, field)
/* clang-format off */
const struct opt quant_options[] = {
    {.name = "bits", .type = OPT_INT, .offset = AT(bits), .min = 2, .max = 16, .def = 16,
     .help = "bits of a weight, 2 to 8; 16: as the checkpoint stores them"},
    {.name = "group", .type = OPT_INT, .offset = AT(group), .min = 0, .max = 65536, .def = 128,
     .help = "inputs that share a scale and offset, a divisor of every matrix's columns (fast when "
             "16 divides it); 0: a whole row"},
    {.name = "symmetric", .type = OPT_BOOL, .offset = AT(symmetric), .def = 0,
     .help = "no offset; scale by the signed maximum"},
    {.name = "clip", .type = OPT_NUM, .offset = AT(clip), .min = 0.01, .max = 1, .def = 1,
     .help = "factor on both ends of a group's range"},
    {.name = "pairs", .type = OPT_CHOICE, .offset = AT(pairs), .choices = pair_names, .def = 0,
     .help = "how a scale and offset are stored; they are rounded before the codes are made"},
    {0}};
/* clang-format on */

int quant_format_read(struct quant_format *f, const struct json *object, const char *where,
                      struct err *e)
{
    opt_defaults(quant_options, f);
    if (opt_read(quant_options, f, object, where, e))
        return -1;
    if (f->bits > QUANT_BITS_MAX && f->bits != QUANT_BITS_OFF)
        return err_user(e,
                        "%s: key 'bits' is %d, must be from 2 to %d, or %d for weights as they are",
                        where, f->bits, QUANT_BITS_MAX, QUANT_BITS_OFF);
    return 0;
}

bool quant_format_on(const struct quant_format *f)
{
    return f->bits < QUANT_BITS_OFF;
}

bool quant_format_equal(const struct quant_format *a, const struct quant_format *b)
{
    if (!quant_format_on(a) || !quant_format_on(b))
        return quant_format_on(a) == quant_format_on(b);
    return a->bits == b->bits && a->group == b->group && a->symmetric == b->symmetric &&
           a->clip == b->clip && a->pairs == b->pairs;
}

void quant_format_name(const struct quant_format *f, struct buf *out)
{
    buf_printf(out, "w%d", f->bits);
    if (!quant_format_on(f))
        return;
    if (f->group)
        buf_printf(out, "g%d", f->group);
    if (f->symmetric)
        buf_str(out, " sym");
    if (f->clip < 1) {
        buf_str(out, " clip ");
        json_put_number(out, f->clip);
    }
    if (f->pairs)
        buf_printf(out, " %s", pair_names[f->pairs]);
}

void quant_format_canonical(const struct quant_format *f, struct buf *out)
{
    opt_put_json(quant_options, f, out);
    out->s[--out->n] = 0; // the object goes on
    buf_printf(out, ",\"version\":%d}", QUANT_VERSION);
}

/* The divisor of cols nearest to group, the larger of two. */
static int nearest_divisor(int cols, int group)
{
    int best = cols;
    for (int d = 1; d <= cols; d++)
        if (cols % d == 0 && abs(d - group) <= abs(best - group))
            best = d;
    return best;
}

int quant_format_check(const struct quant_format *f, int cols, const char *what, struct err *e)
{
    if (!quant_format_on(f) || f->group == 0 || cols % f->group == 0)
        return 0;
    return err_user(e,
                    "key 'group' is %d, must divide the %d columns of %s: the nearest that does is "
                    "%d; 0 takes whole rows",
                    f->group, cols, what, nearest_divisor(cols, f->group));
}

static struct quant_rows layout(const struct quant_format *f, int cols)
{
    struct quant_rows r = {.cols = cols,
                           .bits = f->bits,
                           .group = f->group ? f->group : cols,
                           .lowest = (int)group_grid(f->bits, f->symmetric).low,
                           .symmetric = f->symmetric,
                           .wide = f->pairs};
    r.codes = quant_code_bytes(cols, f->bits);
    r.stride = r.codes + quant_pair_bytes(cols, r.group, r.symmetric, r.wide);
    return r;
}

size_t quant_bytes(const struct quant_format *f, int rows, int cols)
{
    return mem_size((size_t)rows, layout(f, cols).stride) + QUANT_SLACK;
}

struct packing {
    const struct quant_rows *rows;
    uint8_t *data;
    const struct matrix *from;
    float clip;
    float *floats;  // [threads][cols]
    uint8_t *codes; // [threads][cols]
};

static void row_as_f32(float *out, const struct matrix *m, int row)
{
    const void *from = matrix_row(m, row);
    for (int i = 0; i < m->cols; i++)
        out[i] = m->dtype == DT_F32   ? ((const float *)from)[i]
                 : m->dtype == DT_F16 ? f16_to_f32(((const uint16_t *)from)[i])
                                      : bf16_to_f32(((const uint16_t *)from)[i]);
}

static void put_codes(uint8_t *to, const uint8_t *codes, const struct quant_rows *q)
{
    int have = 0;
    for (int part = 8; part; part /= 2) {
        if (!(q->bits & part))
            continue;
        for (int i = 0; i < q->cols; i++) {
            struct quant_place p = quant_place(q->cols, q->bits, part, i);
            to[p.byte] |= (uint8_t)((codes[i] >> have & ((1 << part) - 1)) << p.shift);
        }
        have += part;
    }
}

/* Stores a number of a pair and gives back what is read. */
static float put_number(uint8_t **to, float x, bool wide)
{
    float read = wide ? x : group_half(x);
    uint16_t half = f16_from_f32(read);
    size_t n = wide ? sizeof x : sizeof half;
    memcpy(*to, wide ? (const void *)&x : &half, n);
    *to += n;
    return read;
}

static void pack_row(const struct packing *p, int row, float *x, uint8_t *codes)
{
    const struct quant_rows *q = p->rows;
    struct group_grid grid = group_grid(q->bits, q->symmetric);
    uint8_t *to = p->data + (size_t)row * q->stride, *pairs = to + q->codes;
    row_as_f32(x, p->from, row);
    for (int i = 0; i < q->cols; i += q->group) {
        struct group_pair pair = group_pair(x + i, q->group, grid, q->symmetric, p->clip);
        pair.scale = put_number(&pairs, pair.scale, q->wide);
        if (!q->symmetric)
            pair.zero = put_number(&pairs, pair.zero, q->wide);
        group_encode(codes + i, x + i, q->group, pair, grid);
    }
    memset(to, 0, q->codes);
    put_codes(to, codes, q);
}

static void pack_block(void *arg, int item, int worker)
{
    const struct packing *p = arg;
    size_t at = (size_t)worker * (size_t)p->from->cols;
    int end = (item + 1) * ROWS_BLOCK < p->from->rows ? (item + 1) * ROWS_BLOCK : p->from->rows;
    for (int row = item * ROWS_BLOCK; row < end; row++)
        pack_row(p, row, p->floats + at, p->codes + at);
}

void quant_pack(struct quant_rows *rows, uint8_t *data, const struct matrix *w,
                const struct quant_format *f, struct pool *pool)
{
    size_t scratch = mem_size((size_t)w->cols, (size_t)pool_threads(pool));
    *rows = layout(f, w->cols);
    rows->data = data;
    struct packing p = {.rows = rows, .data = data, .from = w, .clip = (float)f->clip};
    p.floats = xmalloc(mem_size(scratch, sizeof *p.floats));
    p.codes = xmalloc(scratch);
    pool_run(pool, (w->rows + ROWS_BLOCK - 1) / ROWS_BLOCK, pack_block, &p);
    memset(data + (size_t)w->rows * rows->stride, 0, QUANT_SLACK);
    free(p.floats);
    free(p.codes);
}
