#include "runner/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "runner/setting.h"

static void hash_buf(struct buf *b, char out[SHA256_HEX])
{
    hash_sha256(text_buf(b), out);
    buf_release(b);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void identity_of_task(struct task_identity *id, const struct protocol *p, const struct exp_task *t,
                      const struct samples *samples, const struct task_prompt *prompt)
{
    struct buf b;
    const struct task *k = t->task;
    id->metric = p->judge == JUDGE_TASK ? k->metric : judge_names[p->judge];
    id->max_new = p->max_new_tokens ? p->max_new_tokens : prompt->max_new_tokens;
    if (k->source == SOURCE_MINI)
        snprintf(id->data, sizeof id->data, "generated: words %d, seed %d", t->words, t->seed);
    else if (k->source == SOURCE_TEXT)
        snprintf(id->data, sizeof id->data, "%.255s: words %d, answer %d", base_name(t->file),
                 t->words, t->answer);
    else
        snprintf(id->data, sizeof id->data, "%.100s.jsonl in %.255s", t->name, t->data_dir);
    buf_init(&b);
    buf_printf(&b,
               "task %s\ndata %s\ntemplate %s\nmetric %s\nno_chat %d\nfirst_line %d\n"
               "newline_stop %d\nmax_new %d\n",
               t->name, samples->hash, prompt->hash, id->metric, k->no_chat, k->first_line,
               k->newline_stop, id->max_new);
    hash_buf(&b, id->hash);
}

/* config.json by its content, so that a formatting change is another model, as it may be. */
static int hash_config(const char *dir, char out[SHA256_HEX], struct err *e)
{
    char *path = file_join_dup(dir, "config.json");
    int rc = hash_sha256_file(path, out, e);
    free(path);
    return rc;
}

int identity_of_model(struct model_identity *id, const struct model_spec *spec,
                      const struct model *m, struct err *e)
{
    struct buf b;
    if (hash_config(spec->dir, id->config, e) || model_hash_weights(m, id->weights, e) ||
        hash_sha256_file(tokenizer_path(model_get_tokenizer(m)), id->tokenizer, e))
        return -1;
    buf_init(&b);
    buf_printf(&b, "config %s\nweights %s\ntokenizer %s\nrope_factor %.17g\nmax_positions %d\n",
               id->config, id->weights, id->tokenizer, spec->rope_factor, spec->max_positions);
    hash_buf(&b, id->hash);
    return 0;
}

int identity_put_model(const struct model_identity *known, const struct model_spec *spec,
                       const struct model *m, struct store *s, int64_t *id, struct err *e)
{
    const struct model_config *c = model_get_config(m);
    struct store_model row = {
        .identity = known->hash,
        .name = spec->name,
        .config_sha256 = known->config,
        .weights_sha256 = known->weights,
        .tokenizer_sha256 = known->tokenizer,
        .family = c->family,
        .layers = c->n_layers,
        .heads = c->n_heads,
        .kv_heads = c->n_kv_heads,
        .head_dim = c->head_dim,
        .params = (int64_t)model_parameters(m),
        .weights_dtype = dtype_name(model_weights_dtype(m)),
    };
    return store_put_model(s, &row, id, e);
}

enum { OPTIONS_MAX = 128 };

struct option_list {
    struct store_option list[OPTIONS_MAX];
    struct buf values[OPTIONS_MAX];
    int n;
};

static struct buf *add_option(struct option_list *all, const char *method, const char *name)
{
    struct buf *value = &all->values[all->n];
    buf_init(value);
    all->list[all->n++] = (struct store_option){method, name, ""};
    return value;
}

static void add_options(struct option_list *all, const struct opt *table, const void *obj,
                        const char *method)
{
    for (const struct opt *o = table; o && o->name && all->n < OPTIONS_MAX; o++) {
        struct buf *value = add_option(all, method, o->name);
        opt_put_value(o, obj, value);
        all->list[all->n - 1].value = value->s;
    }
}

static void release_options(struct option_list *all)
{
    for (int i = 0; i < all->n; i++)
        buf_release(&all->values[i]);
}

/* ---- protocols ---- */

static void add_wrapper(struct option_list *all, const struct model_spec *spec)
{
    struct buf *value = add_option(all, "", "wrapper");
    buf_str(value, model_chat_name(spec->chat));
    all->list[all->n - 1].value = value->s;
}

static void value_of(const struct opt *table, const void *obj, const char *name, struct buf *out)
{
    for (const struct opt *row = table; row->name; row++)
        if (!strcmp(row->name, name))
            opt_put_value(row, obj, out);
}

static const char *protocol_value(const struct protocol *p, const char *name, char out[64])
{
    struct buf b;
    buf_init(&b);
    value_of(protocol_options, p, name, &b);
    snprintf(out, 64, "%.63s", b.s);
    buf_release(&b);
    return out;
}

int identity_put_protocol(const struct protocol *p, const struct model_spec *spec, struct store *s,
                          int64_t *id, struct err *e)
{
    char hash[SHA256_HEX], preset[64], truncation[64], chat[64], path[64];
    char compress_at[64], compute[64];
    struct option_list all = {.n = 0};
    struct buf json;
    buf_init(&json);
    protocol_canonical(p, spec, &json);
    hash_sha256(text_buf(&json), hash);
    protocol_value(p, "chat", chat);
    add_options(&all, protocol_options, p, "");
    add_wrapper(&all, spec);
    struct store_protocol row = {
        .identity = hash,
        .json = json.s,
        .preset = protocol_value(p, "preset", preset),
        .max_prompt_tokens = p->max_prompt_tokens,
        .truncation = protocol_value(p, "truncation", truncation),
        .chat = spec->chat == CHAT_NONE ? "none" : model_chat_name(spec->chat),
        .bos = p->bos,
        .prefill_path = protocol_value(p, "path", path),
        .compute = protocol_value(p, "compute", compute),
        .newline_stop = p->newline_stop,
        .first_may_stop = p->first_may_stop,
        .max_new_tokens = p->max_new_tokens ? p->max_new_tokens : STORE_NONE,
        .compress_at = protocol_value(p, "compress_at", compress_at),
        .decode_tail = p->decode_tail,
        .options = all.list,
        .n_options = all.n,
    };
    if (p->chat == WRAP_NEVER)
        row.chat = "none";
    int rc = store_put_protocol(s, &row, id, e);
    release_options(&all);
    buf_release(&json);
    return rc;
}

/* The typed columns are the options of that name, whichever method has them. */
static void fill_columns(struct store_setting *row, const struct kv_link *l)
{
    for (const struct opt *o = l->method->options; o && o->name; o++) {
        const void *p = (const char *)l->opt + o->offset;
        const struct {
            const char *name;
            int *whole;
            double *real;
        } columns[] = {
            {"key_bits", &row->key_bits, NULL},       {"value_bits", &row->value_bits, NULL},
            {"key_kept", NULL, &row->key_kept},       {"value_kept", NULL, &row->value_kept},
            {"prune_keys", &row->prune_keys, NULL},   {"prune_values", &row->prune_values, NULL},
            {"window", &row->window, NULL},           {"token_budget", &row->token_budget, NULL},
            {"first_layer", &row->first_layer, NULL},
        };
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            if (strcmp(columns[i].name, o->name))
                continue;
            if (columns[i].whole)
                *columns[i].whole = *(const int *)p;
            else
                *columns[i].real = *(const double *)p;
        }
        if (!strcmp(o->name, "order"))
            row->ordering = *(const int *)p ? "by attention" : "none";
    }
}

/* name: room for the words of column weights. */
static void fill_weights(struct store_setting *row, const struct quant_format *f, struct buf *name)
{
    if (!quant_format_on(f))
        return;
    quant_format_name(f, name);
    row->weights = name->s;
    row->weight_bits = f->bits;
    row->weight_group = f->group;
    row->weight_symmetric = f->symmetric;
    row->weight_clip = f->clip;
    row->weight_pair_bits = f->pairs ? 32 : 16;
}

int identity_put_setting(const struct exp_setting *k, struct store *s, int64_t *id, struct err *e)
{
    struct store_setting row = STORE_SETTING;
    struct option_list all = {.n = 0};
    struct buf json, chain, weights;
    buf_init(&json);
    buf_init(&chain);
    buf_init(&weights);
    setting_canonical(k, &json);
    for (int i = 0; i < k->chain.n; i++) {
        buf_printf(&chain, "%s%s", i ? " + " : "", k->chain.links[i].method->name);
        fill_columns(&row, &k->chain.links[i]);
        add_options(&all, k->chain.links[i].method->options, k->chain.links[i].opt,
                    k->chain.links[i].method->name);
    }
    fill_weights(&row, &k->weights, &weights);
    row.identity = k->hash;
    row.name = k->name;
    row.chain = chain.s;
    row.method = k->chain.links[0].method->name;
    row.json = json.s;
    row.options = all.list;
    row.n_options = all.n;
    int rc = store_put_setting(s, &row, id, e);
    release_options(&all);
    buf_release(&json);
    buf_release(&chain);
    buf_release(&weights);
    return rc;
}

int identity_put_run(const struct run_identity *run, struct store *s, int64_t *id, struct err *e)
{
    char hash[SHA256_HEX];
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "model %s\nprotocol ", run->known->hash);
    protocol_canonical(run->protocol, run->spec, &b);
    buf_str(&b, "\nsetting ");
    setting_canonical(run->setting, &b);
    buf_str(&b, "\norigin run\n");
    hash_buf(&b, hash);
    struct store_run row = {.identity = hash,
                            .model = run->model_id,
                            .setting = run->setting_id,
                            .protocol = run->protocol_id,
                            .origin = "run",
                            .experiment = run->experiment_id,
                            .position = run->position,
                            .name = run->setting->name};
    return store_put_run(s, &row, id, e);
}
