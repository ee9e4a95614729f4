#include "datasets/prediction.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/record.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/utf8.h"

static const struct json *need(const struct json *line, const char *key, enum json_type type,
                               const char *official, struct err *e)
{
    const struct json *j = json_get(line, key);
    if (!j)
        err_user(e, "key '%s' is missing; eval.py would end here with KeyError", key);
    else if (json_type(j) != type)
        err_user(e, "key '%s' is %s, must be %s; %s", key, json_type_name(json_type(j)),
                 json_type_name(type), official);
    else
        return j;
    return NULL;
}

/* Where something is no string. */
static int check_strings(const struct json *array, const char *key, struct err *e)
{
    size_t n = 0;
    for (const struct json *j = json_first(array); j; j = json_next(j), n++)
        if (json_type(j) != JSON_STRING)
            return err_user(e,
                            "key '%s', element %zu is %s, must be a string; eval.py would end "
                            "here in most metrics",
                            key, n + 1, json_type_name(json_type(j)));
    return 0;
}

/* *list is never NULL afterwards, so that [] and null differ. */
static void take_strings(const struct json *array, struct text **list, size_t *n)
{
    *list = xcalloc(json_length(array) + 1, sizeof **list);
    for (const struct json *j = json_first(array); j; j = json_next(j))
        (*list)[(*n)++] = text_dup(json_string(j));
}

static int take_classes(const struct json *line, struct prediction *p, struct err *e)
{
    const struct json *j = json_get(line, "all_classes");
    if (j && json_type(j) == JSON_NULL)
        return 0;
    j = need(line, "all_classes", JSON_ARRAY, "eval.py would go through whatever it holds", e);
    if (!j || check_strings(j, "all_classes", e))
        return -1;
    take_strings(j, &p->classes, &p->n_classes);
    return 0;
}

static int take_length(const struct json *line, struct prediction *p, struct err *e)
{
    struct err wrong;
    p->length = -1;
    if (!json_get(line, "length") || !json_need_int(line, "length", 0, INT_MAX, &p->length, &wrong))
        return 0;
    return err_user(e, "%s; eval.py reads it with -e only", wrong.msg);
}

static int take_fields(const struct json *line, struct prediction *p, struct err *e)
{
    if (json_type(line) != JSON_OBJECT)
        return err_user(e, "the line is %s, must be an object; eval.py would end here with %s",
                        json_type_name(json_type(line)), "TypeError");
    const struct json *pred =
        need(line, "pred", JSON_STRING, "eval.py would end here in most metrics", e);
    const struct json *answers =
        pred ? need(line, "answers", JSON_ARRAY,
                    "eval.py would take each character of a string for an answer and end at the "
                    "rest",
                    e)
             : NULL;
    if (!answers || check_strings(answers, "answers", e) || take_length(line, p, e) ||
        take_classes(line, p, e))
        return -1;
    const struct json *id = json_get(line, "_id");
    p->pred = text_dup(json_string(pred));
    take_strings(answers, &p->answers, &p->n_answers);
    if (id && json_type(id) == JSON_STRING)
        p->id = text_dup(json_string(id));
    return 0;
}

/* An escape such as \ud83d: its other half may be missing, which only Python takes. */
static bool has_surrogate(struct text line)
{
    for (size_t i = 0; i + 3 < line.n; i++)
        if (!memcmp(line.s + i, "\\u", 2) && strchr("dD", line.s[i + 2]) &&
            strchr("89abcdefABCDEF", line.s[i + 3]))
            return true;
    return false;
}

/* What Python's decoder and json.loads() think of a line that is not JSON here. */
static int not_json(struct text line, struct err *e)
{
    static const char prefix[] = "line 1, "; // the caller says which it is in the file
    size_t at = utf8_invalid_at(line), n = sizeof prefix - 1;
    if (at < line.n)
        return err_user(e,
                        "byte %zu is not valid UTF-8; eval.py would end here with "
                        "UnicodeDecodeError",
                        at + 1);
    if (!strncmp(e->msg, prefix, n))
        memmove(e->msg, e->msg + n, strlen(e->msg + n) + 1);
    const char *official = strstr(e->msg, "twice") ? "eval.py would take the last"
                           : has_surrogate(line)
                               ? "eval.py would go on with half a surrogate pair, if it is one"
                               : "eval.py would end here with JSONDecodeError";
    char msg[sizeof e->msg];
    memcpy(msg, e->msg, sizeof msg);
    return err_user(e, "%.800s; %s", msg, official);
}

int prediction_parse(struct text line, struct prediction *p, struct err *e)
{
    *p = (struct prediction){0};
    struct json *j = json_read(line, e);
    if (!j)
        return not_json(line, e);
    int rc = take_fields(j, p, e);
    if (rc)
        prediction_release(p);
    json_free(j);
    return rc;
}

static void free_list(struct text *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)list[i].s);
    free(list);
}

void prediction_release(struct prediction *p)
{
    free((void *)p->pred.s);
    free((void *)p->id.s);
    free_list(p->answers, p->n_answers);
    free_list(p->classes, p->n_classes);
    *p = (struct prediction){0};
}

static int read_line(struct text line, bool with_length, struct prediction *p, struct err *e)
{
    if (!line.n)
        return err_user(e, "the line is blank; eval.py would end here with JSONDecodeError");
    if (prediction_parse(line, p, e))
        return -1;
    if (!with_length || p->length >= 0)
        return 0;
    prediction_release(p);
    return err_user(e, "key 'length' is missing; eval.py -e would give the lengths of later lines "
                       "to earlier ones and drop the last items");
}

int predictions_read(struct text content, const char *label, bool with_length,
                     struct predictions *p, struct err *e)
{
    struct text line;
    size_t cap = 0;
    *p = (struct predictions){0};
    if (!content.n)
        return err_user(e,
                        "%s: is empty; eval.py would end with ZeroDivisionError (with -e: write "
                        "NaN), or with NameError where it is the first file that it reads",
                        label);
    hash_sha256(content, p->hash);
    for (size_t at = 0; record_line(content, &at, &line); p->n++) {
        if (p->n == cap) {
            cap = cap ? 2 * cap : 64;
            p->list = xrealloc(p->list, mem_size(cap, sizeof *p->list));
        }
        if (read_line(line, with_length, &p->list[p->n], e)) {
            err_in(e, "%s:%zu", label, p->n + 1);
            predictions_release(p);
            return -1;
        }
    }
    return 0;
}

void predictions_release(struct predictions *p)
{
    for (size_t i = 0; i < p->n; i++)
        prediction_release(&p->list[i]);
    free(p->list);
    *p = (struct predictions){0};
}

/* ---- writing ---- */

void prediction_put_string(struct text t, struct buf *out)
{
    static const char escaped[] = "\"\\\n\r\t\f\b", letter[] = "\"\\nrtfb";
    buf_char(out, '"');
    for (size_t i = 0; i < t.n; i++) {
        char c = t.s[i];
        const char *at = c ? strchr(escaped, c) : NULL;
        if (at)
            buf_char(out, '\\'), buf_char(out, letter[at - escaped]);
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\u%04x", (unsigned char)c);
        else
            buf_char(out, c);
    }
    buf_char(out, '"');
}

void prediction_put_list(const struct text *list, size_t n, struct buf *out)
{
    if (!list) {
        buf_str(out, "null");
        return;
    }
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(out, ", ");
        prediction_put_string(list[i], out);
    }
    buf_char(out, ']');
}
