/*
 * How a sample becomes token ids, as LongBench's pred.py and the KVO authors' prediction code do
 * it. Every choice that has made published numbers irreproducible is an option here, stored with
 * the run.
 *
 * Preset "longbench": prompts are cut in the middle to the model's length there (3500, 31500 and
 * 15500 tokens for the three models of the paper), the chat wrapper of the model is left off for
 * trec, triviaqa, samsum, lsht, lcc and repobench-p, and samsum also stops at a newline.
 * Preset "kvo": the authors' loop: their lengths (3500, 4000, 4000), the first new token is not
 * tested for the end of text, and only eos stops.
 * An option that the configuration states wins over the preset.
 *
 * A cache is compressed when it has read the prompt, so the first new token never sees it
 * compressed. `compress_at` context and `decode_tail` let it read less: the rest of the prompt goes
 * through the compressed cache token by token, as new tokens do.
 */
#ifndef KVLAB_PROTOCOL_H
#define KVLAB_PROTOCOL_H

#include "datasets/dataset.h"
#include "runner/decode.h"
#include "runner/model_spec.h"

enum preset { PRESET_LONGBENCH, PRESET_KVO };
enum truncation { TRUNCATE_MIDDLE, TRUNCATE_NONE };
enum wrap { WRAP_TASK, WRAP_ALWAYS, WRAP_NEVER };
enum compress_at { AT_PROMPT, AT_CONTEXT };
enum path { PATH_FAST, PATH_REFERENCE, PATH_FLOATS };

struct protocol {
    int preset;
    int max_prompt_tokens; // after protocol_resolve never 0
    int truncation, chat, bos;
    int newline_stop, first_may_stop;
    int max_new_tokens; // 0: the task's
    int path;           // enum path
    int compute;        // enum compute (gemm.h)
    int compress_at;    // enum compress_at
    int decode_tail;    // tokens
    int judge;          // enum judge
    int layers;         // errors by layer are stored, too (layer_error.h)
};

extern const struct opt protocol_options[];

/* Reads the object (NULL: none) over the preset it names, and fills in what depends on the model.
 */
int protocol_read(struct protocol *p, const struct json *object, const struct model_spec *spec,
                  const char *where, struct err *e);
/* All options as canonical JSON. Those that came later are left out at their defaults: what was
 * stored before keeps its identity. */
void protocol_put_options(const struct protocol *p, struct buf *out);
/* The resolved protocol as canonical JSON: its identity. */
void protocol_canonical(const struct protocol *p, const struct model_spec *spec, struct buf *out);

struct prompt {
    struct tokens ids;
    int tokens_before_cut;
    bool cut, wrapped;
    int read; // of the ids before the cache is compressed: all, or fewer; at least 1
};

/* The ids of a filled template; tail: bytes of it behind the context, SIZE_MAX where there is none.
 * ERR_ITEM: text that is not UTF-8, too long without truncation; no context to compress at. */
int protocol_prompt(const struct protocol *p, const struct model_spec *spec,
                    const struct task *task, const struct tokenizer *tok, struct text filled,
                    size_t tail, struct prompt *out, struct err *e);

/* When generation of this task stops. task_max_new: of the task's table. */
int protocol_stop_rules(const struct protocol *p, const struct task *task, const struct model *m,
                        int task_max_new, struct stop_rules *out, struct err *e);

#endif
