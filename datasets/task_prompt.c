/* A task's prompt: Python's str.format() as far as LongBench's templates use it. */
#include "datasets/dataset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/longbench.h"
#include "datasets/mini.h"
#include "harness/base/json.h"

/* What stands at one place of a template. */
enum part { PART_TEXT, PART_CONTEXT, PART_INPUT, PART_BAD };

static bool starts(struct text t, size_t at, const char *s)
{
    size_t n = strlen(s);
    return t.n - at >= n && !memcmp(t.s + at, s, n);
}

/* The part at `at`, and where the next begins. Of PART_TEXT, *text is what it stands for. */
static enum part part_at(struct text t, size_t at, size_t *next, struct text *text)
{
    char c = t.s[at];
    if (c != '{' && c != '}') {
        *next = at;
        while (*next < t.n && t.s[*next] != '{' && t.s[*next] != '}')
            ++*next;
        *text = (struct text){t.s + at, *next - at};
        return PART_TEXT;
    }
    if (at + 1 < t.n && t.s[at + 1] == c) {
        *next = at + 2;
        *text = (struct text){t.s + at, 1};
        return PART_TEXT;
    }
    if (starts(t, at, "{context}")) {
        *next = at + strlen("{context}");
        return PART_CONTEXT;
    }
    if (starts(t, at, "{input}")) {
        *next = at + strlen("{input}");
        return PART_INPUT;
    }
    *next = t.n;
    return PART_BAD;
}

static int bad_part(struct text template, size_t at, struct err *e)
{
    struct text rest = {template.s + at, template.n - at};
    size_t n = 1;
    while (n < rest.n && n < 40 && rest.s[n - 1] != '}' && rest.s[n] != '\n')
        n++;
    return err_user(e,
                    "prompt template: '%.*s' at byte %zu: only {context} and {input} are fields, "
                    "and a brace that is meant is written twice",
                    (int)n, rest.s, at);
}

int task_prompt_check(struct text template, struct err *e)
{
    struct text text;
    for (size_t at = 0, next; at < template.n; at = next)
        if (part_at(template, at, &next, &text) == PART_BAD)
            return bad_part(template, at, e);
    return 0;
}

int task_prompt_fill(const struct task_prompt *p, const struct sample *s, struct buf *out,
                     struct err *e)
{
    struct text text;
    for (size_t at = 0, next; at < p->template.n; at = next) {
        switch (part_at(p->template, at, &next, &text)) {
        case PART_TEXT:
            buf_text(out, text);
            break;
        case PART_CONTEXT:
            buf_text(out, s->context);
            break;
        case PART_INPUT:
            buf_text(out, s->input);
            break;
        case PART_BAD:
            return bad_part(p->template, at, e);
        }
    }
    return 0;
}

size_t task_prompt_tail(const struct task_prompt *p, const struct sample *s)
{
    struct text text;
    size_t tail = SIZE_MAX;
    for (size_t at = 0, next; at < p->template.n; at = next) {
        enum part part = part_at(p->template, at, &next, &text);
        if (part == PART_CONTEXT)
            tail = 0;
        else if (tail != SIZE_MAX && part != PART_BAD)
            tail += part == PART_INPUT ? s->input.n : text.n;
    }
    return tail;
}

/* A config as JSON; label says where it was found. */
static struct json *read_config(const char *dir, const char *name, struct buf *label, struct err *e)
{
    struct text content;
    int rc = longbench_config_read(dir, name, &content, label, e);
    if (rc == 1)
        longbench_config_missing(dir, name, e);
    if (rc)
        return NULL;
    struct json *j = json_read(content, e);
    if (!j)
        err_in(e, "%s", label->s);
    else if (json_type(j) != JSON_OBJECT) {
        err_user(e, "%s: is %s, must be an object", label->s, json_type_name(json_type(j)));
        json_free(j);
        j = NULL;
    }
    free((void *)content.s);
    return j;
}

static int read_template(struct task_prompt *p, const struct task *t, const char *dir,
                         struct err *e)
{
    struct buf label;
    int rc = -1;
    buf_init(&label);
    struct json *j = read_config(dir, "dataset2prompt.json", &label, e);
    const struct json *m = j ? json_need(j, t->name, JSON_STRING, e) : NULL;
    if (m && !task_prompt_check(json_string(m), e)) {
        p->template = text_dup(json_string(m));
        rc = 0;
    } else if (j) {
        err_in(e, "%s: %s", label.s, t->name);
    }
    json_free(j);
    buf_release(&label);
    return rc;
}

static int read_max_tokens(struct task_prompt *p, const struct task *t, const char *dir,
                           struct err *e)
{
    struct buf label;
    long n = 0;
    buf_init(&label);
    struct json *j = read_config(dir, "dataset2maxlen.json", &label, e);
    int rc = j ? json_need_int(j, t->name, 1, 1 << 20, &n, e) : -1;
    if (j && rc)
        err_in(e, "%s", label.s);
    p->max_new_tokens = (int)n;
    json_free(j);
    buf_release(&label);
    return rc;
}

int task_prompt_load(struct task_prompt *p, const char *task_name, const struct data_options *o,
                     struct err *e)
{
    *p = (struct task_prompt){0};
    const struct task *t = task_find(task_name, e);
    if (!t)
        return -1;
    if (t->source == SOURCE_MINI) {
        struct buf b;
        buf_init(&b);
        mini_template(t->name, &b);
        p->template = text_buf(&b);
        p->max_new_tokens = t->max_new_tokens;
    } else if (t->source == SOURCE_TEXT) {
        p->template = text_dup(text_of("{context}"));
        p->max_new_tokens = o->answer;
    } else if (read_template(p, t, o->data_dir, e) || read_max_tokens(p, t, o->data_dir, e)) {
        task_prompt_release(p);
        return -1;
    }
    hash_sha256(p->template, p->hash);
    return 0;
}

void task_prompt_release(struct task_prompt *p)
{
    free((void *)p->template.s);
    *p = (struct task_prompt){0};
}
