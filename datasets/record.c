#include "datasets/record.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "harness/base/mem.h"

static int take_text(const struct json *record, const char *key, struct text *out, struct err *e)
{
    const struct json *m = json_need(record, key, JSON_STRING, e);
    if (!m)
        return -1;
    *out = text_dup(json_string(m));
    return 0;
}

/* An array of strings; *list is never NULL afterwards, so that [] and null differ. */
static int take_list(const struct json *record, const char *key, struct text **list, size_t *n,
                     struct err *e)
{
    const struct json *array = json_need(record, key, JSON_ARRAY, e);
    if (!array)
        return -1;
    *list = xcalloc(json_length(array) + 1, sizeof **list);
    for (const struct json *m = json_first(array); m; m = json_next(m)) {
        if (json_type(m) != JSON_STRING)
            return err_user(e, "key '%s', element %zu is %s, must be a string", key, *n,
                            json_type_name(json_type(m)));
        (*list)[(*n)++] = text_dup(json_string(m));
    }
    return 0;
}

static int take_classes(const struct json *record, struct sample *s, struct err *e)
{
    const struct json *m = json_get(record, "all_classes");
    if (m && json_type(m) == JSON_NULL)
        return 0;
    return take_list(record, "all_classes", &s->classes, &s->n_classes, e);
}

static int take_fields(const struct json *record, struct sample *s, struct err *e)
{
    if (json_type(record) != JSON_OBJECT)
        return err_user(e, "the record is %s, must be an object",
                        json_type_name(json_type(record)));
    if (take_text(record, "input", &s->input, e) || take_text(record, "context", &s->context, e) ||
        take_list(record, "answers", &s->answers, &s->n_answers, e) ||
        json_need_int(record, "length", 0, INT_MAX, &s->length, e) ||
        take_text(record, "dataset", &s->dataset, e) ||
        take_text(record, "language", &s->language, e) || take_classes(record, s, e))
        return -1;
    return take_text(record, "_id", &s->id, e);
}

/* A record is one line: json_read's "line 1, " says nothing after "file:line: ". */
static void drop_line_1(struct err *e)
{
    static const char prefix[] = "line 1, ";
    size_t n = sizeof prefix - 1;
    if (!strncmp(e->msg, prefix, n))
        memmove(e->msg, e->msg + n, strlen(e->msg + n) + 1);
}

int record_parse(struct text line, struct sample *s, struct err *e)
{
    *s = (struct sample){0};
    struct json *record = json_read(line, e);
    if (!record) {
        drop_line_1(e);
        return -1;
    }
    int rc = take_fields(record, s, e);
    if (rc) {
        record_release(s);
    } else {
        struct buf canonical;
        buf_init(&canonical);
        json_put_canonical(&canonical, record);
        hash_sha256(text_buf(&canonical), s->hash);
        buf_release(&canonical);
    }
    json_free(record);
    return rc;
}

static void free_list(struct text *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((void *)list[i].s);
    free(list);
}

void record_release(struct sample *s)
{
    free((void *)s->id.s);
    free((void *)s->input.s);
    free((void *)s->context.s);
    free((void *)s->dataset.s);
    free((void *)s->language.s);
    free_list(s->answers, s->n_answers);
    free_list(s->classes, s->n_classes);
    *s = (struct sample){0};
}

bool record_line(struct text content, size_t *at, struct text *line)
{
    if (*at >= content.n)
        return false;
    const char *start = content.s + *at, *end = content.s + content.n, *p = start;
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    *line = (struct text){start, (size_t)(p - start)};
    if (p + 1 < end && p[0] == '\r' && p[1] == '\n')
        p++;
    *at = (size_t)(p - content.s) + (p < end);
    return true;
}

long record_count(struct text content)
{
    struct text line;
    long n = 0;
    for (size_t at = 0; record_line(content, &at, &line);)
        n++;
    return n;
}

int records_read(struct text content, const char *label, size_t limit, struct samples *s,
                 struct err *e)
{
    struct text line;
    size_t cap = 0;
    *s = (struct samples){0};
    if (!content.n)
        return err_user(e, "%s: is empty, must hold one record a line", label);
    for (size_t at = 0; (!limit || s->n < limit) && record_line(content, &at, &line); s->n++) {
        if (s->n == cap) {
            cap = cap ? 2 * cap : 64;
            s->list = xrealloc(s->list, mem_size(cap, sizeof *s->list));
        }
        if (record_parse(line, &s->list[s->n], e)) {
            err_in(e, "%s:%zu", label, s->n + 1);
            samples_release(s);
            return -1;
        }
    }
    return 0;
}
