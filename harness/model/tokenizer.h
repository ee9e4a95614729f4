/*
 * Text to token ids and back, as transformers' LlamaTokenizer (slow, legacy) does it, on
 * libsentencepiece. Special tokens are the pieces of the model's unk, bos and eos ids.
 *
 * Encoding: the text is split at every occurrence of a special token's own text ("<s>", "</s>",
 * "<unk>"), which becomes its id; each run of text between is encoded on its own, so each gets
 * SentencePiece's dummy prefix ("Hello <s>." is [bos] + "Hello " + [bos] + "."), with nothing
 * stripped: the special tokens of Llama are AddedTokens with lstrip and rstrip false.
 * An empty run gives no ids. U+0000 is text like any other (a byte piece).
 * `legacy: false` of some tokenizer_config.json (no dummy prefix after a special token) is not
 * followed: it differs only in prompts that hold the text of a special token.
 *
 * Decoding: special ids are dropped (skip_special_tokens=True), the rest is decoded in one piece:
 * one space at the very start is the dummy prefix and goes; bytes that are not UTF-8 become U+FFFD.
 * That is transformers 4.31 and the fast tokenizer; from 4.32 the slow one took the first token's
 * leading spaces itself (4.32 to 4.34 all of them), which differs in text that begins with several.
 * Tokens of an added_tokens.json are not read: an id beyond the model's pieces is an error.
 *
 * A tokenizer is not changed by use: any number of threads may encode and decode with one.
 */
#ifndef KVLAB_TOKENIZER_H
#define KVLAB_TOKENIZER_H

#include <stdint.h>

#include "harness/base/text.h"

struct model_config;
struct tokenizer;

struct tokens {
    int32_t *v;
    size_t n, cap;
};

void tokens_init(struct tokens *l);
void tokens_release(struct tokens *l);
void tokens_reset(struct tokens *l);
void tokens_add(struct tokens *l, int32_t id);

/* A tokenizer.model, or the folder that holds one. NULL on error (ERR_USER, names the file). */
struct tokenizer *tokenizer_open(const char *path, struct err *e);
void tokenizer_close(struct tokenizer *t);

const char *tokenizer_path(const struct tokenizer *t); // the file, for hashing
int tokenizer_size(const struct tokenizer *t);         // ids are 0 .. size - 1
int tokenizer_bos(const struct tokenizer *t);
int tokenizer_eos(const struct tokenizer *t);
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);

/* ERR_USER when the ids do not fit the model: more pieces than it has embeddings, other bos or eos.
 */
int tokenizer_fits(const struct tokenizer *t, const struct model_config *c, struct err *e);

/* Appends to out. ERR_ITEM when the text is not UTF-8, with the offset. */
int tokenizer_encode(const struct tokenizer *t, struct text text, bool add_bos, struct tokens *out,
                     struct err *e);

/* Appends to out. ERR_ITEM when an id is out of range. */
int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buf *out,
                     struct err *e);

#endif
