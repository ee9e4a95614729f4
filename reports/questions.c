#include "reports/questions.h"

#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"

const struct question question_all[] = {
#include "questions.inc"
    {NULL, NULL}};

enum { QUESTIONS_MAX = 64 };

const struct question *question_find(const char *name, struct err *e)
{
    const char *names[QUESTIONS_MAX];
    char hint[128];
    size_t n = 0;
    for (const struct question *q = question_all; q->name && n < QUESTIONS_MAX; q++) {
        if (!strcmp(q->name, name))
            return q;
        names[n++] = q->name;
    }
    err_user(e, "there is no example '%s'%s (kvlab query --examples lists them)", name,
             near_hint(hint, name, names, n));
    return NULL;
}

static const char *next_line(const char *s)
{
    s += strcspn(s, "\n");
    return *s ? s + 1 : s;
}

static bool is_comment(const char *s)
{
    return !strncmp(s, "-- ", 3);
}

static bool is_param(const char *s)
{
    return !strncmp(s, "-- :", 4);
}

void question_put_words(const struct question *q, struct buf *out)
{
    const char *separator = "";
    for (const char *s = q->sql; is_comment(s); s = next_line(s)) {
        if (is_param(s))
            continue;
        buf_str(out, separator);
        buf_add(out, s + 3, strcspn(s + 3, "\n"));
        separator = " ";
    }
}

char *question_param_dup(const struct question *q, int i)
{
    for (const char *s = q->sql; is_comment(s); s = next_line(s)) {
        if (!is_param(s) || i--)
            continue;
        struct buf b;
        size_t name = strcspn(s + 4, " \n");
        const char *value = s + 4 + name;
        value += strspn(value, " =");
        buf_init(&b);
        buf_add(&b, s + 4, name);
        buf_char(&b, '=');
        buf_add(&b, value, strcspn(value, "\n"));
        return b.s;
    }
    return NULL;
}

const char *question_statement(const struct question *q)
{
    const char *s = q->sql;
    while (is_comment(s))
        s = next_line(s);
    return s;
}
