/* SQL that does not compile: which name was meant, and where. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "harness/base/utf8.h"
#include "reports/visible.h"
#include "runner/query.h"

enum { LINE_MAX_SHOWN = 100 };

/* ---- names ---- */

struct names {
    char **list;
    size_t n;
};

static void read_names(struct db *db, const char *sql, const char *text, struct names *out)
{
    struct err e;
    struct stmt *s;
    struct db_val v = val_str(text);
    *out = (struct names){NULL, 0};
    if (stmt_open(db, sql, &v, 1, &s, &e))
        return;
    while (stmt_step(s, &e) == 1) {
        out->list = xrealloc(out->list, mem_size(out->n + 1, sizeof *out->list));
        out->list[out->n++] = stmt_str_dup(s, 0);
    }
    stmt_close(s);
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->list[i]);
    free(n->list);
}

/* What SQLite says before the name, and where the names are that could be meant; ?1 is the SQL.
 * Columns are first looked for in the tables that it names. */
static const struct {
    const char *says, *sql;
} kinds[] = {
    {"no such column: ",
     "SELECT \"column\" FROM docs WHERE \"column\" <> '' AND instr(?1, object)"},
    {"no such column: ", "SELECT \"column\" FROM docs WHERE \"column\" <> '' AND ?1 <> ''"},
    {"no such table: ", "SELECT object FROM docs WHERE \"column\" = '' AND ?1 <> ''"},
    {"no such function: ", "SELECT name FROM pragma_function_list WHERE ?1 <> ''"},
};

static bool add_near(struct db *db, size_t kind, const char *sql, struct err *e)
{
    char word[64], hint[128];
    struct names names;
    const char *at = strstr(e->msg, kinds[kind].says);
    if (!at)
        return false;
    snprintf(word, sizeof word, "%.60s", at + strlen(kinds[kind].says));
    const char *dot = strrchr(word, '.'); // of a table that has another name here
    read_names(db, kinds[kind].sql, sql, &names);
    near_hint(hint, dot ? dot + 1 : word, (const char *const *)names.list, names.n);
    free_names(&names);
    size_t n = strlen(e->msg);
    snprintf(e->msg + n, sizeof e->msg - n, "%s", hint);
    return *hint;
}

/* ---- the place ---- */

/* A line that is too long is cut on both sides of the place. */
static void put_place(const char *sql, size_t at, struct buf *out)
{
    size_t start = at, line = 1, n;
    while (start && sql[start - 1] != '\n')
        start--;
    for (size_t i = 0; i < start; i++)
        line += sql[i] == '\n';
    n = start + strcspn(sql + start, "\n");
    const char *before = "", *after = "";
    if (at - start > LINE_MAX_SHOWN / 2) {
        start = at - LINE_MAX_SHOWN / 2;
        while (start < at && ((unsigned char)sql[start] & 0xC0) == 0x80)
            start++;
        before = "...";
    }
    if (n - start > LINE_MAX_SHOWN) {
        n = start + LINE_MAX_SHOWN;
        while (n > at && ((unsigned char)sql[n] & 0xC0) == 0x80)
            n--;
        after = "...";
    }
    struct buf left = visible_new((struct text){sql + start, at - start});
    struct buf right = visible_new((struct text){sql + at, n - at});
    size_t margin = out->n;
    buf_printf(out, "  line %zu: %s", line, before);
    int columns = (int)(out->n - margin) + visible_columns(text_buf(&left));
    buf_printf(out, "%s%s%s\n%*s^\n", left.s, right.s, after, columns, "");
    buf_release(&left);
    buf_release(&right);
}

void query_explain(struct db *db, const char *sql, struct err *e, struct buf *place)
{
    int at = db_error_at(db);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (add_near(db, i, sql, e))
            break;
    if (at >= 0 && (size_t)at <= strlen(sql))
        put_place(sql, (size_t)at, place);
}
