/*
 * A reference answer in place of the model's own: its tokens go through a compressed cache one by
 * one, and what the model expected of each is compared. No generation, so that one token's slip
 * does not decide about the rest, and far less noise than a task's score.
 *
 * The answer is the record's first one, with an end of text behind it, cut to the task's length.
 * Its ids are those of a text of its own, which begins with a space in the way of SentencePiece, as
 * a model answers behind a word; behind a newline they are those of a text that goes on. A token
 * counts when the logits that predict it have seen the compressed cache: the first one does not
 * where the whole prompt was read before (protocol.h: compress_at, decode_tail).
 *
 * nll: the mean of -ln p(token), in nats.
 *
 * kl: the mean over tokens of KL(p_full || p), in nats. p_full is what the full cache (f16, of a
 * prompt that is read without rounding) expects after the same tokens, with the setting's weights.
 *
 * agree: the share of tokens at which the likeliest one is that of the full cache.
 *
 * What the full cache expects is computed first, for all settings of a prompt together.
 */
#ifndef KVLAB_TEACHER_H
#define KVLAB_TEACHER_H

#include "harness/model/model.h"
#include "runner/layer_error.h"

/* What an item is scored by: its task's metric, or one of the above. */
enum judge { JUDGE_TASK, JUDGE_NLL, JUDGE_KL, JUDGE_AGREE };

struct judge_row {
    const char *name, *summary;
    int version;
};
/* By enum judge; the first row is of no metric, the last has no name. */
extern const struct judge_row judge_table[];
extern const char *const judge_names[]; // NULL-terminated

struct teacher {
    int judge;         // never JUDGE_TASK
    struct tokens ids; // the answer's
    int first;         // the first one that counts
    int vocab;
    float *reference; // [ids.n][vocab]: logits of the full cache, where it is asked for; owned
    bool layers;      // the full cache is to stay, for sums by layer
    struct layer_full *full; // then: it; owned
};

/* What is known of a prompt. */
struct taught_prompt {
    bool ends_line; // the answer follows a newline
    bool full;      // all of it is read before compression
};

/* The answer's ids; max: so many at most. ERR_ITEM: there is no answer, or no token counts. */
int teacher_open(struct teacher *t, int judge, const struct model *m, struct text answer, int max,
                 struct taught_prompt prompt, struct err *e);
void teacher_release(struct teacher *t); // zeroed is fine

/* Bytes of reference, and of a full cache beside it while it is made: of so many tokens. */
size_t teacher_need(const struct model *m, int judge, bool layers, int n_prompt, int n_answer);
/* Of this answer; and of what stays. */
size_t teacher_bytes(const struct teacher *t, const struct model *m, int n_prompt);
size_t teacher_kept_bytes(const struct teacher *t, const struct model *m, int n_prompt);

/* Fills reference and full, if one is asked for: one more prefill and a step for each token. `read`
 * of the prompt's n tokens are read at once, the others step by step, as the settings do. */
void teacher_read(struct teacher *t, struct model *m, const int32_t *prompt, int read, int n);

/* Of token `at`, which these logits predict; NaN where they are no numbers. */
double teacher_value(const struct teacher *t, int at, const float *logits);

/* The same by themselves: logits [vocab]. */
double teacher_nll(const float *logits, int vocab, int32_t id);
double teacher_kl(const float *full, const float *logits, int vocab);

#endif
