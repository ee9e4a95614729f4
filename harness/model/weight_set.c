#include "harness/model/weight_set.h"

#include <stdlib.h>

#include "harness/base/mem.h"

enum { PARTS = 7 }; // matrices of a layer

struct weight_set {
    struct quant_format format;
    struct layer_weights *layers;
    struct quant_rows *rows; // [n_layers][PARTS]
    uint8_t **data;          // [n_layers][PARTS]
    int n_layers;
};

static const char *const part_names[PARTS] = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};

static struct matrix *part_of(struct layer_weights *w, int part)
{
    struct matrix *const parts[PARTS] = {&w->q, &w->k, &w->v, &w->o, &w->gate, &w->up, &w->down};
    return parts[part];
}

int weight_set_check(const struct weights *w, const struct quant_format *f, struct err *e)
{
    for (int part = 0; part < PARTS; part++)
        if (quant_format_check(f, part_of(&w->layers[0], part)->cols, part_names[part], e))
            return -1;
    return 0;
}

static size_t set_bytes(const struct weights *w, const struct quant_format *f)
{
    size_t n = 0;
    for (int part = 0; part < PARTS; part++) {
        const struct matrix *m = part_of(&w->layers[0], part);
        n += quant_bytes(f, m->rows, m->cols);
    }
    return mem_size(n, (size_t)w->n_layers);
}

static void pack_layer(struct weight_set *s, int layer, struct pool *pool)
{
    for (int part = 0; part < PARTS; part++) {
        struct matrix *m = part_of(&s->layers[layer], part);
        int at = layer * PARTS + part;
        s->data[at] = mem_aligned(quant_bytes(&s->format, m->rows, m->cols));
        quant_pack(&s->rows[at], s->data[at], m, &s->format, pool);
        m->packed = &s->rows[at];
    }
}

struct weight_set *weight_set_new(const struct weights *w, const struct quant_format *f,
                                  struct pool *pool, struct err *e)
{
    size_t need = set_bytes(w, f), n = (size_t)w->n_layers;
    if (need > mem_available()) {
        err_item(e, "weights of %d bits need %.1f GiB, %.1f GiB are free", f->bits,
                 (double)need / 0x1p30, (double)mem_available() / 0x1p30);
        return NULL;
    }
    struct weight_set *s = xcalloc(1, sizeof *s);
    s->format = *f;
    s->n_layers = w->n_layers;
    s->layers = xcalloc(n, sizeof *s->layers);
    s->rows = xcalloc(n * PARTS, sizeof *s->rows);
    s->data = xcalloc(n * PARTS, sizeof *s->data);
    for (int layer = 0; layer < w->n_layers; layer++) {
        s->layers[layer] = w->layers[layer];
        pack_layer(s, layer, pool);
    }
    return s;
}

void weight_set_free(struct weight_set *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_layers * PARTS; i++)
        free(s->data[i]);
    free(s->data);
    free(s->rows);
    free(s->layers);
    free(s);
}

const struct quant_format *weight_set_format(const struct weight_set *s)
{
    return &s->format;
}

const struct layer_weights *weight_set_layers(const struct weight_set *s)
{
    return s->layers;
}
