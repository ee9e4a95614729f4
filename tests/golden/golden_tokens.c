/* mini_tokens: prompts of the built-in model to ids with BOS, its answers' ids (EOS dropped) to
 * text. */
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/json.h"
#include "harness/model/tokenizer.h"
#include "tests/golden/golden.h"

/* Where the built-in model may be: its tokenizer, or NULL. */
static struct tokenizer *open_mini(struct err *e)
{
    const char *home = getenv("KVLAB_HOME"), *shared = getenv("KVLAB_SHARED");
    const char *const roots[] = {home, ".", shared, "../shared"}, *const folders[] = {
                                                                      "configs/models/mini",
                                                                      "configs/models/mini", "mini",
                                                                      "mini"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        char *dir = roots[i] ? file_join_dup(roots[i], folders[i]) : NULL;
        struct tokenizer *t = NULL;
        bool there = dir && file_is_dir(dir);
        if (there)
            t = tokenizer_open(dir, e);
        free(dir);
        if (there)
            return t;
    }
    err_user(e, "the built-in model is not at configs/models/mini; set KVLAB_HOME");
    return NULL;
}

/* Reads ids; an EOS at the end stays out when drop_eos. */
static int read_ids(const struct json *list, int drop_eos, struct tokens *out)
{
    tokens_reset(out);
    for (const struct json *id = json_first(list); id; id = json_next(id)) {
        if (json_type(id) != JSON_NUMBER)
            return -1;
        tokens_add(out, (int32_t)json_number(id));
    }
    if (out->n && out->v[out->n - 1] == drop_eos)
        out->n--;
    return 0;
}

static size_t differing(const struct tokens *a, const struct tokens *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n || i < b->n; i++)
        n += i >= a->n || i >= b->n || a->v[i] != b->v[i];
    return n;
}

static int check_prompt(const struct tokenizer *tok, const struct json *c, size_t i,
                        struct tally *t, struct err *e)
{
    const struct json *prompt = json_need(c, "prompt", JSON_STRING, e);
    const struct json *ids = prompt ? json_need(c, "ids", JSON_ARRAY, e) : NULL;
    struct tokens expected, got;
    if (!ids)
        return -1;
    tokens_init(&expected);
    tokens_init(&got);
    int rc = tokenizer_encode(tok, json_string(prompt), true, &got, e);
    if (!rc && read_ids(ids, -1, &expected))
        rc = err_user(e, "ids: not a list of numbers");
    if (!rc) {
        size_t n = differing(&expected, &got);
        tally_add(t, n == 0, (double)n, "case %zu: %zu of %zu ids differ", i, n, expected.n);
    }
    tokens_release(&expected);
    tokens_release(&got);
    return rc;
}

/* A run of the case: an object with new_ids and text. */
static int check_answer(const struct tokenizer *tok, const struct json *run, size_t i,
                        struct tally *t, struct err *e)
{
    const struct json *new_ids = json_need(run, "new_ids", JSON_ARRAY, e);
    const struct json *text = new_ids ? json_need(run, "text", JSON_STRING, e) : NULL;
    struct tokens ids;
    struct buf got;
    if (!text)
        return -1;
    tokens_init(&ids);
    buf_init(&got);
    int rc = read_ids(new_ids, tokenizer_eos(tok), &ids) ? err_user(e, "new_ids: not numbers") : 0;
    if (!rc)
        rc = tokenizer_decode(tok, ids.v, ids.n, &got, e);
    if (!rc) {
        int equal = text_eq(text_buf(&got), json_string(text));
        tally_add(t, equal, !equal, "case %zu %s: decoded '%s', expected '%s'", i, json_key(run),
                  got.s, json_string(text).s);
    }
    tokens_release(&ids);
    buf_release(&got);
    return rc;
}

static int check_case(const struct tokenizer *tok, const struct json *c, size_t i, struct tally *t,
                      struct err *e)
{
    int rc = check_prompt(tok, c, i, t, e);
    for (const struct json *m = json_first(c); m && !rc; m = json_next(m))
        if (json_get(m, "new_ids"))
            rc = check_answer(tok, m, i, t, e);
    return rc ? err_in(e, "case %zu", i) : 0;
}

int golden_mini_tokens(const char *dir, struct tally *t, struct err *e)
{
    const char *path = golden_path(dir, "mini/mini.json");
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    struct json *j = json_read_file(path, e);
    const struct json *cases = j ? json_need(j, "cases", JSON_ARRAY, e) : NULL;
    struct tokenizer *tok = cases ? open_mini(e) : NULL;
    int rc = tok ? 0 : -1;
    size_t i = 0;
    for (const struct json *c = tok ? json_first(cases) : NULL; c && !rc; c = json_next(c))
        rc = check_case(tok, c, i++, t, e);
    tokenizer_close(tok);
    json_free(j);
    return rc;
}
