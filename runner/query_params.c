#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "harness/base/near.h"
#include "runner/query.h"

/* Of parameter i (from 1), without its sign: "task" or "2". */
static const char *name_of(const struct stmt *s, int i, char number[16])
{
    const char *name = stmt_parameter(s, i);
    snprintf(number, 16, "%d", i);
    return name ? name + 1 : number;
}

static bool is_named(const char *param, const char *name)
{
    param += strspn(param, ":@$"); // with its sign it is meant, too
    size_t n = strcspn(param, "=");
    return strlen(name) == n && !strncmp(param, name, n);
}

static struct db_val value_of(const char *s)
{
    char *end;
    size_t n = strlen(s);
    errno = 0;
    long long i = strtoll(s, &end, 10);
    if (n && !*end && !errno)
        return val_int(i);
    errno = 0;
    double x = strtod(s, &end);
    if (n && !*end && !errno && strspn(s, "+-.0123456789eE") == n)
        return val_num(x);
    if (!strcasecmp(s, "null"))
        return val_str(NULL);
    if (n >= 2 && s[0] == '\'' && s[n - 1] == '\'')
        return val_text((struct text){s + 1, n - 2});
    return val_str(s);
}

static int bind_one(struct stmt *s, int i, const struct query_params *p, struct err *e)
{
    char number[16];
    const char *name = name_of(s, i, number);
    for (int k = p->n - 1; k >= 0; k--) {
        if (!is_named(p->list[k], name))
            continue;
        struct db_val v = value_of(strchr(p->list[k], '=') + 1);
        return stmt_bind(s, i, &v, e);
    }
    return err_user(e, "parameter %s has no value; give it one with --param %s=VALUE",
                    stmt_parameter(s, i) ? stmt_parameter(s, i) : number, name);
}

static int unknown(const struct stmt *s, const char *param, struct err *e)
{
    enum { MAX = 64 };
    char number[MAX][16], hint[128], word[64];
    const char *names[MAX];
    int n = stmt_parameters(s) < MAX ? stmt_parameters(s) : MAX;
    for (int i = 0; i < n; i++)
        names[i] = name_of(s, i + 1, number[i]);
    snprintf(word, sizeof word, "%.*s", (int)strcspn(param, "="), param);
    if (!n)
        return err_user(e, "--param %s: the SQL has no parameters (:name, @name, $name or ?)",
                        word);
    return err_user(e, "--param %s: the SQL has no parameter of that name%s", word,
                    near_hint(hint, word, names, (size_t)n));
}

static int check_known(const struct stmt *s, const char *param, struct err *e)
{
    char number[16];
    if (!strchr(param, '='))
        return err_user(e, "--param is '%s', must be name=value", param);
    for (int i = 1; i <= stmt_parameters(s); i++)
        if (is_named(param, name_of(s, i, number)))
            return 0;
    return unknown(s, param, e);
}

int query_bind(struct stmt *s, const struct query_params *p, struct err *e)
{
    for (int k = 0; k < p->n; k++)
        if (check_known(s, p->list[k], e))
            return -1;
    for (int i = 1; i <= stmt_parameters(s); i++)
        if (bind_one(s, i, p, e))
            return -1;
    return 0;
}
