/*
 * Which checkpoint, and what kvlab has to know of it that its files do not say: chat wrapper,
 * prompt lengths of the protocols, condensed positions. Known models are configs/models/NAME.json.
 */
#ifndef KVLAB_MODEL_SPEC_H
#define KVLAB_MODEL_SPEC_H

#include "harness/base/opt.h"

enum chat { CHAT_NONE, CHAT_LLAMA2, CHAT_VICUNA };

struct model_spec {
    char name[OPT_STR_MAX];
    char dir[OPT_STR_MAX]; // of the checkpoint
    int chat;
    double rope_factor; // 0: as config.json says
    int max_positions;  // 0: as config.json says
    int max_prompt_longbench, max_prompt_kvo;
    char about[OPT_STR_MAX];
};

extern const struct opt model_spec_options[];

/* From a configuration's "model": the name of a known model, a path with a '/', or an object with
 * "name" (a known one or a new one) and what differs. */
int model_spec_read(struct model_spec *s, const struct json *value, const char *where,
                    struct err *e);
/* The same from a flag. */
int model_spec_named(struct model_spec *s, const char *name_or_path, struct err *e);

/* A line for each known model: name, folder, about. */
int model_spec_list(struct buf *out, struct err *e);

const char *model_chat_name(int chat);
/* LongBench's build_chat: [INST]..[/INST] for Llama 2, the Vicuna v1.1 conversation for Vicuna and
 * LongChat. Appends. */
void model_chat_wrap(int chat, struct text prompt, struct buf *out);
/* What stands behind the prompt there; NULL: no wrapper. */
const char *model_chat_end(int chat);

#endif
