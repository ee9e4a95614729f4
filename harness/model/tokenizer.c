#include "harness/model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/utf8.h"
#include "harness/model/hf_config.h"
#include "harness/model/spm.h"

enum { SPECIALS_MAX = 3 };

struct tokenizer {
    struct spm *spm;
    char *path;
    int size, bos, eos;
    int n_specials;
    int special[SPECIALS_MAX]; // ids
    struct text text[SPECIALS_MAX];
};

void tokens_init(struct tokens *l)
{
    *l = (struct tokens){0};
}

void tokens_release(struct tokens *l)
{
    free(l->v);
    *l = (struct tokens){0};
}

void tokens_reset(struct tokens *l)
{
    l->n = 0;
}

static void tokens_room(struct tokens *l, size_t more)
{
    if (l->n + more <= l->cap)
        return;
    l->cap = 2 * l->cap > l->n + more ? 2 * l->cap : l->n + more;
    l->v = xrealloc(l->v, mem_size(l->cap, sizeof *l->v));
}

void tokens_add(struct tokens *l, int32_t id)
{
    tokens_room(l, 1);
    l->v[l->n++] = id;
}

static void add_special(struct tokenizer *t, int id)
{
    if (id < 0 || tokenizer_is_special(t, id))
        return;
    t->special[t->n_specials] = id;
    t->text[t->n_specials] = text_of(spm_piece(t->spm, id));
    t->n_specials += t->text[t->n_specials].n > 0; // nothing would be found everywhere
}

struct tokenizer *tokenizer_open(const char *path, struct err *e)
{
    char why[SPM_WHY];
    struct text bytes;
    char *file = file_is_dir(path) ? file_join_dup(path, "tokenizer.model") : xstrdup(path);
    if (file_read(file, &bytes, e)) {
        free(file);
        return NULL;
    }
    struct spm *spm = spm_open(bytes.s, bytes.n, why);
    free((void *)bytes.s);
    if (!spm) {
        err_user(e, "%s: is not a whole SentencePiece model (%s): fetch it again", file, why);
        free(file);
        return NULL;
    }
    struct tokenizer *t = xcalloc(1, sizeof *t);
    t->spm = spm;
    t->path = file;
    t->size = spm_size(spm);
    t->bos = spm_bos(spm);
    t->eos = spm_eos(spm);
    add_special(t, spm_unk(spm));
    add_special(t, t->bos);
    add_special(t, t->eos);
    return t;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    spm_close(t->spm);
    free(t->path);
    free(t);
}

const char *tokenizer_path(const struct tokenizer *t)
{
    return t->path;
}

int tokenizer_size(const struct tokenizer *t)
{
    return t->size;
}

int tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    for (int i = 0; i < t->n_specials; i++)
        if (t->special[i] == id)
            return true;
    return false;
}

static bool is_eos(const struct model_config *c, int id)
{
    for (int i = 0; i < c->n_eos; i++)
        if (c->eos[i] == id)
            return true;
    return false;
}

int tokenizer_fits(const struct tokenizer *t, const struct model_config *c, struct err *e)
{
    if (t->size > c->vocab)
        return err_user(e,
                        "%s has %d pieces, the model's config.json has vocab_size %d: "
                        "they are not of one model",
                        t->path, t->size, c->vocab);
    if (c->bos >= 0 && c->bos != t->bos)
        return err_user(e,
                        "%s has bos id %d, the model's config.json has bos_token_id %d: "
                        "they are not of one model",
                        t->path, t->bos, c->bos);
    if (c->n_eos && !is_eos(c, t->eos))
        return err_user(e,
                        "%s has eos id %d, the model's config.json has eos_token_id %d: "
                        "they are not of one model",
                        t->path, t->eos, c->eos[0]);
    return 0;
}

/* Text without special tokens. */
static int encode_run(const struct tokenizer *t, struct text run, struct tokens *out, struct err *e)
{
    char why[SPM_WHY];
    int32_t *ids = NULL;
    size_t n = 0;
    if (!run.n)
        return 0;
    if (spm_encode(t->spm, run.s, run.n, &ids, &n, why)) {
        free(ids);
        return err_item(e, "the tokenizer failed: %s", why);
    }
    tokens_room(out, n);
    if (n)
        memcpy(out->v + out->n, ids, n * sizeof *ids);
    out->n += n;
    free(ids);
    return 0;
}

/* The special token whose text comes first at or after `from`, the longest of those at one place;
 * -1: none. at[] remembers where each was found last, so the text is searched once for each. */
static int next_special(const struct tokenizer *t, struct text text, size_t from, size_t *at)
{
    int best = -1;
    for (int i = 0; i < t->n_specials; i++) {
        if (at[i] < from)
            at[i] = text_find(text, t->text[i], from);
        if (at[i] == text.n)
            continue;
        if (best < 0 || at[i] < at[best] || (at[i] == at[best] && t->text[i].n > t->text[best].n))
            best = i;
    }
    return best;
}

int tokenizer_encode(const struct tokenizer *t, struct text text, bool add_bos, struct tokens *out,
                     struct err *e)
{
    size_t bad = utf8_invalid_at(text), from = 0, at[SPECIALS_MAX];
    if (bad < text.n)
        return err_item(e, "byte %zu of the text is not valid UTF-8", bad);
    for (int i = 0; i < t->n_specials; i++)
        at[i] = text_find(text, t->text[i], 0);
    if (add_bos && t->bos >= 0)
        tokens_add(out, t->bos);
    for (int i; (i = next_special(t, text, from, at)) >= 0; from = at[i] + t->text[i].n) {
        if (encode_run(t, (struct text){text.s + from, at[i] - from}, out, e))
            return -1;
        tokens_add(out, t->special[i]);
    }
    return encode_run(t, (struct text){text.s + from, text.n - from}, out, e);
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buf *out,
                     struct err *e)
{
    char why[SPM_WHY], *text = NULL;
    int32_t *kept = xmalloc(mem_size(n + 1, sizeof *kept));
    size_t n_kept = 0, n_text = 0;
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        if (ids[i] < 0 || ids[i] >= t->size)
            rc = err_item(e, "token %zu is %d, the tokenizer has ids 0 to %d", i, (int)ids[i],
                          t->size - 1);
        else if (!tokenizer_is_special(t, ids[i]))
            kept[n_kept++] = ids[i];
    }
    if (!rc && spm_decode(t->spm, kept, n_kept, &text, &n_text, why))
        rc = err_item(e, "the tokenizer failed: %s", why);
    if (!rc)
        buf_add(out, text, n_text);
    free(text);
    free(kept);
    return rc;
}
