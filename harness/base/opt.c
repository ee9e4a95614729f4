#include "harness/base/opt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/near.h"

static void *field(const struct opt *row, void *obj)
{
    return (char *)obj + row->offset;
}

static const void *field_const(const struct opt *row, const void *obj)
{
    return (const char *)obj + row->offset;
}

void opt_defaults(const struct opt *table, void *obj)
{
    for (const struct opt *row = table; row->name; row++) {
        if (row->type == OPT_NUM)
            *(double *)field(row, obj) = row->def;
        else if (row->type == OPT_STR)
            snprintf(field(row, obj), OPT_STR_MAX, "%s", row->def_str);
        else
            *(int *)field(row, obj) = (int)row->def;
    }
}

static size_t count_choices(const struct opt *row)
{
    size_t n = 0;
    while (row->choices[n])
        n++;
    return n;
}

static int wrong_type(const struct opt *row, const struct json *m, const char *where,
                      const char *want, struct err *e)
{
    return err_user(e, "%s: key '%s' is %s, must be %s", where, row->name,
                    json_type_name(json_type(m)), want);
}

static int read_number(const struct opt *row, void *obj, const struct json *m, const char *where,
                       struct err *e)
{
    if (json_type(m) != JSON_NUMBER)
        return wrong_type(row, m, where, "a number", e);
    double x = json_number(m);
    bool whole = row->type == OPT_INT;
    if (!(x >= row->min && x <= row->max) || (whole && x != floor(x)))
        return err_user(e, "%s: key '%s' is %.15g, must be a %s from %.15g to %.15g", where,
                        row->name, x, whole ? "whole number" : "number", row->min, row->max);
    if (whole)
        *(int *)field(row, obj) = (int)x;
    else
        *(double *)field(row, obj) = x;
    return 0;
}

static int read_choice(const struct opt *row, void *obj, const struct json *m, const char *where,
                       struct err *e)
{
    if (json_type(m) != JSON_STRING)
        return wrong_type(row, m, where, "a string", e);
    struct text t = json_string(m);
    for (int i = 0; row->choices[i]; i++)
        if (text_is(t, row->choices[i])) {
            *(int *)field(row, obj) = i;
            return 0;
        }
    char hint[128], list[400] = "";
    for (int i = 0; row->choices[i]; i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return err_user(e, "%s: key '%s' is '%.60s', must be one of %s%s", where, row->name, t.s, list,
                    near_hint(hint, t.s, row->choices, count_choices(row)));
}

static int read_value(const struct opt *row, void *obj, const struct json *m, const char *where,
                      struct err *e)
{
    switch (row->type) {
    case OPT_INT:
    case OPT_NUM:
        return read_number(row, obj, m, where, e);
    case OPT_BOOL:
        if (json_type(m) != JSON_BOOL)
            return wrong_type(row, m, where, "true or false", e);
        *(int *)field(row, obj) = json_bool(m);
        return 0;
    case OPT_CHOICE:
        return read_choice(row, obj, m, where, e);
    case OPT_STR:
        break;
    }
    if (json_type(m) != JSON_STRING)
        return wrong_type(row, m, where, "a string", e);
    struct text t = json_string(m);
    if (t.n >= OPT_STR_MAX || memchr(t.s, 0, t.n))
        return err_user(e, "%s: key '%s' must be shorter than %d bytes and hold no U+0000", where,
                        row->name, OPT_STR_MAX);
    memcpy(field(row, obj), t.s, t.n + 1);
    return 0;
}

int opt_read_member(const struct opt *table, void *obj, const struct json *member,
                    const char *where, struct err *e)
{
    for (const struct opt *row = table; row->name; row++)
        if (!strcmp(row->name, json_key(member)))
            return read_value(row, obj, member, where, e);
    return 1;
}

static int unknown_key(const struct opt *table, const char *key, const char *where, struct err *e)
{
    const char *names[64];
    size_t n = 0;
    char hint[128];
    for (const struct opt *row = table; row->name && n < 64; row++) {
        if (row->alias && !strcmp(row->alias, key))
            return err_user(e, "%s: unknown key '%s': it is called '%s' here (%s)", where, key,
                            row->name, row->help);
        names[n++] = row->name;
    }
    return err_user(e, "%s: unknown key '%s'%s", where, key, near_hint(hint, key, names, n));
}

int opt_read(const struct opt *table, void *obj, const struct json *object, const char *where,
             struct err *e)
{
    if (json_type(object) != JSON_OBJECT)
        return err_user(e, "%s: is %s, must be an object", where,
                        json_type_name(json_type(object)));
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        int rc = opt_read_member(table, obj, m, where, e);
        if (rc == 1)
            return unknown_key(table, json_key(m), where, e);
        if (rc)
            return rc;
    }
    return 0;
}

void opt_put_value(const struct opt *row, const void *obj, struct buf *out)
{
    const void *p = field_const(row, obj);
    switch (row->type) {
    case OPT_INT:
        buf_printf(out, "%d", *(const int *)p);
        break;
    case OPT_NUM:
        json_put_number(out, *(const double *)p);
        break;
    case OPT_BOOL:
        buf_str(out, *(const int *)p ? "true" : "false");
        break;
    case OPT_CHOICE:
        buf_str(out, row->choices[*(const int *)p]);
        break;
    case OPT_STR:
        buf_str(out, p);
        break;
    }
}

void opt_put_json(const struct opt *table, const void *obj, struct buf *out)
{
    buf_char(out, '{');
    for (const struct opt *row = table; row->name; row++) {
        if (row != table)
            buf_char(out, ',');
        json_put_string(out, text_of(row->name));
        buf_char(out, ':');
        if (row->type != OPT_CHOICE && row->type != OPT_STR) {
            opt_put_value(row, obj, out);
            continue;
        }
        struct buf value;
        buf_init(&value);
        opt_put_value(row, obj, &value);
        json_put_string(out, text_buf(&value));
        buf_release(&value);
    }
    buf_char(out, '}');
}

static void put_range(const struct opt *row, struct buf *out)
{
    switch (row->type) {
    case OPT_INT:
    case OPT_NUM:
        buf_printf(out, "%.15g..%.15g", row->min, row->max);
        break;
    case OPT_BOOL:
        buf_str(out, "true|false");
        break;
    case OPT_CHOICE:
        for (int i = 0; row->choices[i]; i++)
            buf_printf(out, "%s%s", i ? "|" : "", row->choices[i]);
        break;
    case OPT_STR:
        buf_str(out, "text");
        break;
    }
}

static void put_default(const struct opt *row, struct buf *out)
{
    if (row->type == OPT_STR)
        buf_printf(out, "'%s'", row->def_str);
    else if (row->type == OPT_CHOICE)
        buf_str(out, row->choices[(int)row->def]);
    else if (row->type == OPT_BOOL)
        buf_str(out, row->def != 0 ? "true" : "false");
    else
        json_put_number(out, row->def);
}

enum { HELP_INDENT = 20, HELP_WIDTH = 96 };

/* Words from column `indent` on, no line longer than HELP_WIDTH; `column` is where the line is. */
static void put_wrapped(const char *words, size_t indent, size_t column, struct buf *out)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (column + 1 + n > HELP_WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            buf_char(out, ' ');
            column++;
        }
        buf_add(out, words, n);
        column += n;
        words += n + (words[n] == ' ');
    }
}

void opt_put_summary(const struct opt *table, const void *obj, int indent, struct buf *out)
{
    struct buf words;
    buf_init(&words);
    for (const struct opt *row = table; row->name; row++) {
        buf_printf(&words, "%s%s=", row == table ? "" : " ", row->name);
        opt_put_value(row, obj, &words);
    }
    put_wrapped(words.s, (size_t)indent, (size_t)indent, out);
    buf_release(&words);
}

void opt_put_help(const struct opt *table, struct buf *out)
{
    for (const struct opt *row = table; row->name; row++) {
        buf_printf(out, "  %-*s", HELP_INDENT - 2, row->name);
        put_range(row, out);
        buf_str(out, ", default ");
        put_default(row, out);
        if (row->alias)
            buf_printf(out, "; the authors' %s", row->alias);
        put_wrapped(row->help, HELP_INDENT, HELP_WIDTH, out);
        buf_char(out, '\n');
    }
}
