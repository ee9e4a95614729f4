#include "runner/protocol.h"

#include <stddef.h>

static const char *const preset_names[] = {"longbench", "kvo", NULL};
static const char *const truncation_names[] = {"middle", "none", NULL};
static const char *const wrap_names[] = {"task", "always", "never", NULL};
static const char *const path_names[] = {"fast", "reference", "floats", NULL};
static const char *const compress_names[] = {"prompt", "context", NULL};
static const char *const compute_names[] = {"f32", "bf16", NULL};

#define AT(field) offsetof(struct protocol, field)
/* clang-format off */
const struct opt protocol_options[] = {
    {.name = "preset", .type = OPT_CHOICE, .offset = AT(preset), .choices = preset_names,
     .help = "where the defaults of the other options come from"},
    {.name = "max_prompt_tokens", .type = OPT_INT, .offset = AT(max_prompt_tokens), .min = 0,
     .max = 1e7, .help = "longer prompts are cut; 0: the model's length in the preset"},
    {.name = "truncation", .type = OPT_CHOICE, .offset = AT(truncation),
     .choices = truncation_names,
     .help = "middle: first and last half stay, decoded and encoded again; "
             "none: longer items fail"},
    {.name = "chat", .type = OPT_CHOICE, .offset = AT(chat), .choices = wrap_names,
     .help = "the model's chat wrapper: as the task says, always, never"},
    {.name = "bos", .type = OPT_BOOL, .offset = AT(bos), .def = 1,
     .help = "the prompt begins with the beginning-of-text id"},
    {.name = "newline_stop", .type = OPT_BOOL, .offset = AT(newline_stop), .def = 1,
     .help = "samsum also stops at a newline, with at least one new token"},
    {.name = "first_may_stop", .type = OPT_BOOL, .offset = AT(first_may_stop), .def = 1,
     .help = "an end of text as the very first new token ends the answer"},
    {.name = "max_new_tokens", .type = OPT_INT, .offset = AT(max_new_tokens), .min = 0, .max = 1e6,
     .help = "longest answer; 0: the task's"},
    {.name = "path", .type = OPT_CHOICE, .offset = AT(path), .choices = path_names,
     .help = "floats: caches of f32 rows, rounded as their codec says, not packed; reference: "
             "that, and plain loops only, no BLAS and no SIMD"},
    {.name = "compute", .type = OPT_CHOICE, .offset = AT(compute), .choices = compute_names,
     .help = "what a prompt's products with weights are computed in; bf16: by oneDNN, added up in "
             "f32, on processors with AVX512-BF16 or AMX; attention and decoding stay f32"},
    {.name = "compress_at", .type = OPT_CHOICE, .offset = AT(compress_at),
     .choices = compress_names,
     .help = "prompt: caches are compressed when they have read it all; context: before the "
             "question, which then goes through the compressed cache token by token"},
    {.name = "decode_tail", .type = OPT_INT, .offset = AT(decode_tail), .min = 0, .max = 1e6,
     .help = "last tokens of the prompt that go through the compressed cache, as new tokens do"},
    {.name = "metric", .type = OPT_CHOICE, .offset = AT(judge), .choices = judge_names,
     .help = "task: answers are generated and scored by the task's metric; nll, kl, agree: the "
             "reference answer is read instead, token by token, and what was expected of each is "
             "compared (kvlab list metrics)"},
    {.name = "layers", .type = OPT_BOOL, .offset = AT(layers),
     .help = "with metric nll, kl or agree: for each layer how far the rows are off and how much "
             "of the full cache's attention is lost, in table layer_error; decoding takes longer, "
             "and its speed says nothing"},
    {0}};
/* clang-format on */

enum { OPTIONS = sizeof protocol_options / sizeof *protocol_options };

static void use_preset(struct protocol *p, enum preset preset)
{
    p->preset = (int)preset;
    p->first_may_stop = preset == PRESET_LONGBENCH;
    p->newline_stop = preset == PRESET_LONGBENCH;
}

int protocol_read(struct protocol *p, const struct json *object, const struct model_spec *spec,
                  const char *where, struct err *e)
{
    opt_defaults(protocol_options, p);
    if (object) {
        struct protocol given = *p;
        if (opt_read(protocol_options, &given, object, where, e))
            return -1;
        use_preset(p, (enum preset)given.preset);
        if (opt_read(protocol_options, p, object, where, e))
            return -1;
    }
    if (p->layers && p->judge == JUDGE_TASK)
        return err_user(
            e,
            "%s: layers: true needs a reference answer to read: metric nll, kl or agree, "
            "it is task",
            where);
    if (p->max_prompt_tokens == 0)
        p->max_prompt_tokens =
            p->preset == PRESET_KVO ? spec->max_prompt_kvo : spec->max_prompt_longbench;
    if (p->max_prompt_tokens < 2)
        return err_user(
            e, "%s: model '%s' has no prompt length for preset %s: state max_prompt_tokens", where,
            spec->name, preset_names[p->preset]);
    return 0;
}

/* An option that older runs have no word of, at what they did. */
static bool came_later(const struct protocol *p, const struct opt *o)
{
    return (o->offset == AT(compute) && p->compute == COMPUTE_F32) ||
           (o->offset == AT(compress_at) && p->compress_at == AT_PROMPT) ||
           (o->offset == AT(decode_tail) && p->decode_tail == 0) ||
           (o->offset == AT(judge) && p->judge == JUDGE_TASK) ||
           (o->offset == AT(layers) && !p->layers);
}

void protocol_put_options(const struct protocol *p, struct buf *out)
{
    struct opt table[OPTIONS];
    size_t n = 0;
    for (const struct opt *o = protocol_options; o->name; o++)
        if (!came_later(p, o))
            table[n++] = *o;
    table[n] = (struct opt){0};
    opt_put_json(table, p, out);
}

void protocol_canonical(const struct protocol *p, const struct model_spec *spec, struct buf *out)
{
    buf_str(out, "{\"options\":");
    protocol_put_options(p, out);
    buf_printf(out, ",\"wrapper\":\"%s\"}", model_chat_name(spec->chat));
}

/* The first and last half of the ids as text again, as pred.py does before it wraps and encodes. */
static int cut_middle(const struct tokenizer *tok, const struct tokens *ids, int max,
                      struct buf *out, struct err *e)
{
    size_t half = (size_t)max / 2;
    if (tokenizer_decode(tok, ids->v, half, out, e))
        return -1;
    return tokenizer_decode(tok, ids->v + ids->n - half, half, out, e);
}

/* Bytes of `whole` up to where the context ends; content is what was wrapped, tail bytes of it are
 * behind the context. */
static size_t context_end(const struct model_spec *spec, bool wrapped, struct text content,
                          size_t tail)
{
    struct buf mark;
    size_t before = 0;
    buf_init(&mark);
    model_chat_wrap(wrapped ? spec->chat : CHAT_NONE, text_of("\x01"), &mark);
    while (mark.s[before] != '\x01')
        before++;
    buf_release(&mark);
    return before + content.n - tail;
}

/* How many ids stand for the first `bytes` of the text that all ids are of: those before a token
 * that reaches over the border. */
static int ids_before(const struct protocol *p, const struct tokenizer *tok, struct text whole,
                      size_t bytes, const struct tokens *ids, int *n, struct err *e)
{
    struct tokens head;
    tokens_init(&head);
    int rc = tokenizer_encode(tok, (struct text){whole.s, bytes}, p->bos, &head, e);
    for (*n = 0; !rc && (size_t)*n < head.n && (size_t)*n < ids->n && head.v[*n] == ids->v[*n];)
        ++*n;
    tokens_release(&head);
    return rc;
}

/* What is read before the cache is compressed. content: what was wrapped into whole. */
static int set_read(const struct protocol *p, const struct model_spec *spec,
                    const struct tokenizer *tok, struct text content, struct text whole,
                    size_t tail, struct prompt *out, struct err *e)
{
    int n = (int)out->ids.n;
    out->read = n - p->decode_tail;
    if (p->compress_at == AT_CONTEXT) {
        if (tail >= content.n)
            return err_item(e,
                            "compress_at context: the prompt has no context, or it was cut away");
        if (ids_before(p, tok, whole, context_end(spec, out->wrapped, content, tail), &out->ids, &n,
                       e))
            return -1;
        out->read = n < out->read ? n : out->read;
    }
    if (out->read < 1)
        out->read = 1;
    return 0;
}

int protocol_prompt(const struct protocol *p, const struct model_spec *spec,
                    const struct task *task, const struct tokenizer *tok, struct text filled,
                    size_t tail, struct prompt *out, struct err *e)
{
    struct buf cut, whole;
    int rc = -1;
    buf_init(&cut);
    buf_init(&whole);
    tokens_reset(&out->ids);
    if (tokenizer_encode(tok, filled, p->bos, &out->ids, e))
        goto out;
    out->tokens_before_cut = (int)out->ids.n;
    out->cut = out->ids.n > (size_t)p->max_prompt_tokens;
    out->wrapped = spec->chat != CHAT_NONE &&
                   (p->chat == WRAP_ALWAYS || (p->chat == WRAP_TASK && !(task && task->no_chat)));
    if (out->cut && p->truncation == TRUNCATE_NONE) {
        err_item(e, "prompt has %zu tokens, at most %d are allowed and truncation is none",
                 out->ids.n, p->max_prompt_tokens);
        goto out;
    }
    if (out->cut && cut_middle(tok, &out->ids, p->max_prompt_tokens, &cut, e))
        goto out;
    struct text content = out->cut ? text_buf(&cut) : filled;
    model_chat_wrap(out->wrapped ? spec->chat : CHAT_NONE, content, &whole);
    if (out->cut || out->wrapped) {
        tokens_reset(&out->ids);
        if (tokenizer_encode(tok, text_buf(&whole), p->bos, &out->ids, e))
            goto out;
    }
    if (out->ids.n == 0) {
        err_item(e, "the prompt is empty");
        goto out;
    }
    rc = set_read(p, spec, tok, content, text_buf(&whole), tail, out, e);
out:
    buf_release(&cut);
    buf_release(&whole);
    return rc;
}

int protocol_stop_rules(const struct protocol *p, const struct task *task, const struct model *m,
                        int task_max_new, struct stop_rules *out, struct err *e)
{
    const struct model_config *c = model_get_config(m);
    *out = (struct stop_rules){.max_new = p->max_new_tokens ? p->max_new_tokens : task_max_new,
                               .first_may_stop = p->first_may_stop};
    for (int i = 0; i < c->n_eos; i++)
        out->ids[out->n_ids++] = c->eos[i];
    if (!task || !task->newline_stop || !p->newline_stop)
        return 0;
    /* pred.py: tokenizer.encode("\n", add_special_tokens=False)[-1], min_length = prompt + 1 */
    struct tokens newline;
    tokens_init(&newline);
    int rc = tokenizer_encode(model_get_tokenizer(m), text_of("\n"), false, &newline, e);
    if (!rc && newline.n)
        out->ids[out->n_ids++] = newline.v[newline.n - 1];
    out->min_new = 1;
    tokens_release(&newline);
    return rc;
}
