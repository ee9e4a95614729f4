/* kvlab generate: one prompt through a model under one setting, for a look. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/model/reading.h"
#include "runner/command.h"
#include "runner/session.h"

static int generate(int argc, char **argv);

const struct command cmd_generate = {
    .name = "generate",
    .summary = "one prompt under one setting, for a look",
    .usage = "generate (--prompt TEXT | --file FILE) [flags]\n\n"
             "  --prompt TEXT     the prompt; --file FILE reads it (- for stdin)\n"
             "  --model NAME      a known model or a folder (mini)\n"
             "  --chain JSON      the setting: '[\"full\"]' (that is the default),\n"
             "                    '[{\"kvo\": {\"key_bits\": 4}}]'\n"
             "  --weights JSON    weights of few bits: '{\"bits\": 4}' (as stored)\n"
             "  --max-new N       tokens at most (64)\n"
             "  --set KEY=VALUE   an option of the protocol: chat=never, bos=false\n"
             "  --threads N       threads (one for each processor)\n"
             "  --ids             print token ids as well\n\n"
             "The answer goes to stdout; tokens, times and bytes to stderr.",
    .run = generate,
};

struct request {
    const char *prompt, *file, *model, *chain, *weights, *max_new, *threads;
    const char *sets[SETS_MAX];
    int n_sets, ids;
};

struct generation {
    struct model_spec spec;
    struct protocol protocol;
    struct kv_chain chain;
    struct quant_format weights;
    struct model *model;
    struct text text;
    struct prompt prompt;
    struct stop_rules rules;
    struct decoded out;
    struct kv_ledger ledger;
    struct reading_replay replay;
    float *first, *logits;
};

static int read_stdin(struct text *t)
{
    struct buf b;
    char block[4096];
    size_t n;
    buf_init(&b);
    while ((n = fread(block, 1, sizeof block, stdin)) > 0)
        buf_add(&b, block, n);
    *t = text_buf(&b);
    return 0;
}

static int read_prompt(const struct request *r, struct text *t, struct err *e)
{
    if (!r->prompt == !r->file)
        return err_user(e, "generate: give --prompt TEXT or --file FILE");
    if (r->prompt) {
        *t = text_dup(text_of(r->prompt));
        return 0;
    }
    return strcmp(r->file, "-") ? file_read(r->file, t, e) : read_stdin(t);
}

static int read_protocol(struct generation *g, const struct request *r, struct err *e)
{
    struct json *object = json_read(text_of("{}"), e);
    int rc = 0;
    for (int i = 0; i < r->n_sets && !rc; i++)
        rc = json_set_text(object, r->sets[i], e);
    if (!rc)
        rc = protocol_read(&g->protocol, object, &g->spec, "--set", e);
    json_free(object);
    return rc;
}

static int read_chain(struct generation *g, const char *text, struct err *e)
{
    struct json *list = json_read(text_of(text), e);
    int rc = list ? kv_chain_read(&g->chain, list, "--chain", e) : err_in(e, "--chain");
    json_free(list);
    return rc;
}

static int read_weights(struct generation *g, const char *text, struct err *e)
{
    struct json *object = json_read(text_of(text), e);
    int rc =
        object ? quant_format_read(&g->weights, object, "--weights", e) : err_in(e, "--weights");
    json_free(object);
    return rc;
}

static int use_weights(struct generation *g, struct err *e)
{
    if (model_check_weights(g->model, &g->weights, e))
        return err_in(e, "--weights");
    return model_use_weights(g->model, &g->weights, e);
}

static int open_all(struct generation *g, const struct request *r, struct err *e)
{
    long threads = 0, max_new = 64;
    if (model_spec_named(&g->spec, r->model, e))
        return err_in(e, "--model");
    if (g->spec.max_prompt_longbench == 0) // a folder of which nothing is known: as its positions
        g->spec.max_prompt_longbench = g->spec.max_prompt_kvo = 10000000;
    if ((r->threads && command_int("--threads", r->threads, 1, 1024, &threads, e)) ||
        (r->max_new && command_int("--max-new", r->max_new, 1, 1000000, &max_new, e)) ||
        read_prompt(r, &g->text, e) || read_protocol(g, r, e) || read_chain(g, r->chain, e) ||
        read_weights(g, r->weights, e))
        return -1;
    struct model_options o = {.threads = session_threads((int)threads),
                              .reference = g->protocol.path == PATH_REFERENCE,
                              .floats = g->protocol.path == PATH_FLOATS,
                              .compute = g->protocol.compute,
                              .rope_factor = g->spec.rope_factor,
                              .max_positions = g->spec.max_positions};
    if (!(g->model = model_open(g->spec.dir, &o, e)) ||
        kv_chain_check(&g->chain, model_shape(g->model), !o.reference, "--chain", e) ||
        use_weights(g, e))
        return -1;
    return protocol_stop_rules(&g->protocol, NULL, g->model, (int)max_new, &g->rules, e);
}

static int answer(struct generation *g, struct err *e)
{
    struct model *m = g->model;
    size_t vocab = (size_t)model_get_config(m)->vocab;
    if (protocol_prompt(&g->protocol, &g->spec, NULL, model_get_tokenizer(m), g->text, SIZE_MAX,
                        &g->prompt, e))
        return -1;
    const struct prompt *p = &g->prompt;
    int n = (int)p->ids.n;
    if (n >= model_get_config(m)->max_positions)
        return err_user(e, "the prompt has %d tokens, the model has %d positions", n,
                        model_get_config(m)->max_positions);
    struct reading r = {.ids = p->ids.v,
                        .n = p->read,
                        .end = model_chat_end(p->wrapped ? g->spec.chat : CHAT_NONE)};
    if (reading_check(m, &r, &g->chain, e))
        return -1;
    g->first = xmalloc(vocab * sizeof *g->first);
    g->logits = xmalloc(vocab * sizeof *g->logits);
    struct kv_cache *cache =
        kv_cache_new(&g->chain, model_shape(m), model_engine(m), n + g->rules.max_new);
    reading_run(m, &r, &cache, 1, g->first, &g->replay);
    struct sequence s = {.cache = cache,
                         .rules = &g->rules,
                         .tail = p->ids.v + p->read,
                         .n_tail = n - p->read,
                         .out = g->out};
    decode_greedy(m, &s, g->first, g->logits);
    g->out = s.out;
    kv_cache_ledger(cache, &g->ledger);
    kv_cache_free(cache);
    return 0;
}

static int print(const struct generation *g, bool ids, struct err *e)
{
    const struct kv_ledger *l = &g->ledger;
    double held = (double)kv_ledger_sum(l->held), read = (double)kv_ledger_sum(l->read);
    struct buf text;
    buf_init(&text);
    if (tokenizer_decode(model_get_tokenizer(g->model), g->out.ids.v, g->out.ids.n, &text, e)) {
        buf_release(&text);
        return -1;
    }
    fwrite(text.s, 1, text.n, stdout);
    putchar('\n');
    buf_release(&text);
    for (size_t i = 0; ids && i < g->out.ids.n; i++)
        printf("%s%d%s", i ? " " : "ids: ", (int)g->out.ids.v[i],
               i + 1 == g->out.ids.n ? "\n" : "");
    log_note(
        "%zu prompt tokens%s, %zu new, stopped by %s; KV %.1f %% of a full f16 cache, read %.1f "
        "%%; %.0f tokens/s",
        g->prompt.ids.n, g->prompt.cut ? " (cut)" : "", g->out.ids.n, g->out.stop,
        100 * held / (double)l->full, l->read_full ? 100 * read / (double)l->read_full : 100.0,
        g->out.steps ? g->out.steps / g->out.seconds : 0);
    if (g->replay.tokens)
        log_note("%d tokens were fed again after the prompt, in %.2f s", g->replay.tokens,
                 g->replay.seconds);
    if (quant_format_on(&g->weights) && g->out.steps)
        log_note("weights %.2f MB held, %.2f MB read a step",
                 (double)model_weight_bits(g->model) / 8e6,
                 (double)g->out.weight_bits / 8e6 / g->out.steps);
    return 0;
}

static int generate(int argc, char **argv)
{
    struct request r = {.model = "mini", .chain = "[\"full\"]", .weights = "{}"};
    struct generation g = {0};
    struct err e;
    int n;
    const struct flag flags[] = {{.name = "--prompt", .value = &r.prompt},
                                 {.name = "--file", .value = &r.file},
                                 {.name = "--model", .value = &r.model},
                                 {.name = "--chain", .value = &r.chain},
                                 {.name = "--weights", .value = &r.weights},
                                 {.name = "--max-new", .value = &r.max_new},
                                 {.name = "--threads", .value = &r.threads},
                                 {.name = "--set", .list = r.sets, .max = SETS_MAX, .n = &r.n_sets},
                                 {.name = "--ids", .on = &r.ids},
                                 {0}};
    int rc = command_flags(&cmd_generate, argc, argv, flags, NULL, 0, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    tokens_init(&g.prompt.ids);
    decoded_init(&g.out);
    rc = open_all(&g, &r, &e) || answer(&g, &e) || print(&g, r.ids, &e) ? log_failure(&e) : 0;
    model_close(g.model);
    kv_chain_release(&g.chain);
    tokens_release(&g.prompt.ids);
    decoded_release(&g.out);
    free((void *)g.text.s);
    free(g.first);
    free(g.logits);
    return rc == ERR_ITEM ? ERR_USER : rc;
}
