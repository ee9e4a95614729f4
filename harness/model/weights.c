#include "harness/model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"

struct loader {
    const char *path;
    const struct model_config *c;
    struct weights *w;
    float *next_norm; // free part of w->norms
};

static void put_shape(struct buf *b, const int64_t *shape, int n)
{
    buf_char(b, '[');
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%lld", i ? ", " : "", (long long)shape[i]);
    buf_char(b, ']');
}

static int wrong_shape(const struct loader *l, const struct tensor *t, const int64_t *want,
                       int n_want, struct err *e)
{
    struct buf found, expected;
    buf_init(&found);
    buf_init(&expected);
    put_shape(&found, t->shape, t->n_dims);
    put_shape(&expected, want, n_want);
    err_user(e, "%s: tensor '%s' has shape %s, config.json asks for %s", l->path, t->name, found.s,
             expected.s);
    buf_release(&found);
    buf_release(&expected);
    return -1;
}

/* The named tensor with this shape in a format that is supported, or NULL. */
static const struct tensor *need(struct loader *l, const char *name, const int64_t *shape,
                                 int n_dims, struct err *e)
{
    const struct tensor *t = safetensors_find(l->w->file, name);
    if (!t) {
        err_user(e, "%s: tensor '%s' is missing: config.json does not fit or the file is not whole",
                 l->path, name);
        return NULL;
    }
    if (t->n_dims != n_dims || memcmp(t->shape, shape, (size_t)n_dims * sizeof *shape) != 0) {
        wrong_shape(l, t, shape, n_dims, e);
        return NULL;
    }
    if (t->dtype != DT_F32 && t->dtype != DT_F16 && t->dtype != DT_BF16) {
        err_user(e, "%s: tensor '%s' is %s, only F32, F16 and BF16 weights are supported", l->path,
                 name, dtype_name(t->dtype));
        return NULL;
    }
    return t;
}

static int need_matrix(struct loader *l, const char *name, int rows, int cols, struct matrix *m,
                       struct err *e)
{
    const int64_t shape[] = {rows, cols};
    const struct tensor *t = need(l, name, shape, 2, e);
    if (!t)
        return -1;
    *m = (struct matrix){.data = t->data, .dtype = t->dtype, .rows = rows, .cols = cols};
    return 0;
}

static float element(const struct tensor *t, size_t i)
{
    if (t->dtype == DT_F32)
        return ((const float *)t->data)[i];
    uint16_t code = ((const uint16_t *)t->data)[i];
    return t->dtype == DT_F16 ? f16_to_f32(code) : bf16_to_f32(code);
}

/* A norm's vector as f32, into the next free part of w->norms. */
static int need_norm(struct loader *l, const char *name, const float **norm, struct err *e)
{
    const int64_t shape[] = {l->c->hidden};
    const struct tensor *t = need(l, name, shape, 1, e);
    if (!t)
        return -1;
    for (int i = 0; i < l->c->hidden; i++)
        l->next_norm[i] = element(t, (size_t)i);
    *norm = l->next_norm;
    l->next_norm += l->c->hidden;
    return 0;
}

static const char *layer_name(char out[96], int layer, const char *part)
{
    snprintf(out, 96, "model.layers.%d.%s.weight", layer, part);
    return out;
}

static int load_layer(struct loader *l, int layer, struct layer_weights *w, struct err *e)
{
    const struct model_config *c = l->c;
    int q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
    const struct {
        const char *part;
        int rows, cols;
        struct matrix *to;
    } matrices[] = {
        {"self_attn.q_proj", q, c->hidden, &w->q},      {"self_attn.k_proj", kv, c->hidden, &w->k},
        {"self_attn.v_proj", kv, c->hidden, &w->v},     {"self_attn.o_proj", c->hidden, q, &w->o},
        {"mlp.gate_proj", c->mlp, c->hidden, &w->gate}, {"mlp.up_proj", c->mlp, c->hidden, &w->up},
        {"mlp.down_proj", c->hidden, c->mlp, &w->down},
    };
    char name[96];
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        if (need_matrix(l, layer_name(name, layer, matrices[i].part), matrices[i].rows,
                        matrices[i].cols, matrices[i].to, e))
            return -1;
    if (need_norm(l, layer_name(name, layer, "input_layernorm"), &w->attn_norm, e))
        return -1;
    return need_norm(l, layer_name(name, layer, "post_attention_layernorm"), &w->mlp_norm, e);
}

static int load_all(struct loader *l, struct err *e)
{
    struct weights *w = l->w;
    if (need_matrix(l, "model.embed_tokens.weight", l->c->vocab, l->c->hidden, &w->embed, e))
        return -1;
    for (int i = 0; i < w->n_layers; i++)
        if (load_layer(l, i, &w->layers[i], e))
            return -1;
    if (need_norm(l, "model.norm.weight", &w->final_norm, e))
        return -1;
    w->head = w->embed;
    if (l->c->tied_head) // a stored lm_head is a copy of the embedding
        return 0;
    return need_matrix(l, "lm_head.weight", l->c->vocab, l->c->hidden, &w->head, e);
}

/* Old checkpoints store the rotation's frequencies, which follow from rope_theta. */
static bool is_inv_freq(const char *name)
{
    static const char end[] = ".rotary_emb.inv_freq";
    size_t n = strlen(name), k = sizeof end - 1;
    return n >= k && !strcmp(name + n - k, end);
}

static bool is_layer_part(const char *part)
{
    static const char *const parts[] = {
        "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
        "self_attn.o_proj.weight", "mlp.gate_proj.weight",    "mlp.up_proj.weight",
        "mlp.down_proj.weight",    "input_layernorm.weight",  "post_attention_layernorm.weight",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strcmp(part, parts[i]))
            return true;
    return false;
}

static bool is_known(const char *name, int n_layers)
{
    int layer = -1, at = 0;
    char again[96];
    if (!strcmp(name, "model.embed_tokens.weight") || !strcmp(name, "model.norm.weight") ||
        !strcmp(name, "lm_head.weight") || is_inv_freq(name))
        return true;
    if (sscanf(name, "model.layers.%7d.%n", &layer, &at) != 1 || !at || layer >= n_layers)
        return false;
    snprintf(again, sizeof again, "model.layers.%d.", layer);
    return !strncmp(name, again, (size_t)at) && is_layer_part(name + at);
}

/* One line for all tensors that the model has no use for. */
static void report_unexpected(const struct loader *l)
{
    size_t unexpected = 0;
    const char *first = NULL;
    for (size_t i = 0; i < safetensors_count(l->w->file); i++) {
        const char *name = safetensors_at(l->w->file, i)->name;
        if (is_known(name, l->w->n_layers))
            continue;
        first = first ? first : name;
        unexpected++;
    }
    if (unexpected)
        log_verbose("%s: %zu tensors are no part of the model and are not used, the first is '%s'",
                    l->path, unexpected, first);
}

/* Where the weights are; the caller frees. */
static char *find_file_dup(const char *dir, struct err *e)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = file_join_dup(dir, names[i]);
        if (file_exists(path))
            return path;
        free(path);
    }
    char *torch = file_join_dup(dir, "pytorch_model.bin"),
         *shards = file_join_dup(dir, "pytorch_model.bin.index.json");
    bool pickled = file_exists(torch) || file_exists(shards);
    free(torch);
    free(shards);
    err_user(e, "%s: holds neither %s nor %s%s", dir, names[0], names[1],
             pickled ? "; PyTorch's .bin files are not read, convert them with transformers' "
                       "save_pretrained(..., safe_serialization=True)"
                     : "");
    return NULL;
}

struct weights *weights_open(const char *dir, const struct model_config *c, struct err *e)
{
    char *path = find_file_dup(dir, e);
    if (!path)
        return NULL;
    struct weights *w = xcalloc(1, sizeof *w);
    struct loader l = {.path = path, .c = c, .w = w};
    int rc = -1;
    w->file = safetensors_open(path, e);
    if (!w->file)
        goto out;
    w->n_layers = c->n_layers;
    w->layers = xcalloc((size_t)c->n_layers, sizeof *w->layers);
    w->norms = xmalloc(mem_size((size_t)c->hidden * (2 * (size_t)c->n_layers + 1), sizeof(float)));
    l.next_norm = w->norms;
    rc = load_all(&l, e);
    if (!rc)
        report_unexpected(&l);
out:
    free(path);
    if (!rc)
        return w;
    weights_close(w);
    return NULL;
}

void weights_close(struct weights *w)
{
    if (!w)
        return;
    safetensors_close(w->file);
    free(w->layers);
    free(w->norms);
    free(w->made);
    free(w);
}

static size_t elements(struct matrix m)
{
    return (size_t)m.rows * (size_t)m.cols;
}

size_t weights_parameters(const struct weights *w)
{
    size_t n = elements(w->embed) + (2 * (size_t)w->n_layers + 1) * (size_t)w->embed.cols;
    if (w->head.data != w->embed.data)
        n += elements(w->head);
    for (int i = 0; i < w->n_layers; i++) {
        const struct layer_weights *y = &w->layers[i];
        n += elements(y->q) + elements(y->k) + elements(y->v) + elements(y->o) + elements(y->gate) +
             elements(y->up) + elements(y->down);
    }
    return n;
}

uint64_t weights_bits(const struct weights *w, const struct layer_weights *layers)
{
    size_t norms = (2 * (size_t)w->n_layers + 1) * (size_t)w->embed.cols;
    uint64_t bits = matrix_bits(&w->embed) + norms * sizeof(float) * 8;
    if (w->head.data != w->embed.data)
        bits += matrix_bits(&w->head);
    for (int i = 0; i < w->n_layers; i++) {
        const struct layer_weights *y = &layers[i];
        bits += matrix_bits(&y->q) + matrix_bits(&y->k) + matrix_bits(&y->v) + matrix_bits(&y->o) +
                matrix_bits(&y->gate) + matrix_bits(&y->up) + matrix_bits(&y->down);
    }
    return bits;
}
