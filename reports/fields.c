#include "reports/fields.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

/* ---- loading ---- */

static struct field *field_named(struct fields *l, const char *name)
{
    for (int i = 0; i < l->n_fields; i++)
        if (!strcmp(l->field[i].name, name))
            return &l->field[i];
    l->field = xrealloc(l->field, mem_size((size_t)l->n_fields + 1, sizeof *l->field));
    struct field *f = &l->field[l->n_fields++];
    *f = (struct field){.name = xstrdup(name),
                        .text = xcalloc((size_t)l->n + 1, sizeof *f->text),
                        .value = xcalloc((size_t)l->n + 1, sizeof *f->value)};
    for (int i = 0; i < l->n; i++) {
        f->text[i] = xstrdup("");
        f->value[i] = NAN;
    }
    return f;
}

/* Of an option's text: true and false are numbers here, as in table setting. */
static double number_of(const char *s)
{
    char *end;
    if (!strcmp(s, "true"))
        return 1;
    if (!strcmp(s, "false"))
        return 0;
    double x = strtod(s, &end);
    return end != s && !*end && isfinite(x) ? x : NAN;
}

static void put(struct fields *l, const char *name, int at, struct text value, bool typed,
                bool protocol)
{
    struct field *f = field_named(l, name);
    free(f->text[at]);
    f->text[at] = (char *)text_dup(value).s;
    f->value[at] = number_of(f->text[at]);
    f->typed |= typed;
    f->protocol |= protocol;
}

static bool is_described(const char *column)
{
    static const char *const not [] = {"id", "identity", "name", "json", "method", "preset"};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (!strcmp(column, not [i]))
            return false;
    return true;
}

/* The columns of one row as fields of setting number `at`. */
static int put_columns(struct fields *l, struct db *db, const char *sql, int64_t id, int at,
                       bool protocol, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(id);
    if (stmt_open(db, sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    for (int c = 0; rc == 1 && c < stmt_columns(q); c++)
        if (is_described(stmt_name(q, c)) && stmt_type(q, c) != COL_NULL)
            put(l, stmt_name(q, c), at, stmt_text(q, c), !protocol, protocol);
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static int put_options(struct fields *l, struct db *db, int64_t setting, int at, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(setting);
    int rc;
    if (stmt_open(db,
                  "SELECT method || '.' || name, value FROM setting_option WHERE setting = ?1"
                  " ORDER BY method, name",
                  &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        char *name = stmt_str_dup(q, 0);
        put(l, name, at, stmt_text(q, 1), false, false);
        free(name);
    }
    stmt_close(q);
    return rc;
}

static void put_family(struct fields *l, const struct scores_row *r, int at)
{
    struct buf b;
    const char *chain = r->method;
    buf_init(&b);
    for (int i = 0; i < l->n_fields; i++)
        if (!strcmp(l->field[i].name, "chain") && *l->field[i].text[at])
            chain = l->field[i].text[at];
    buf_printf(&b, "%s%s%s", chain, *r->weights ? ", " : "", r->weights);
    l->family[at] = b.s;
}

static int load_row(struct fields *l, struct db *db, const struct scores_row *r, int at,
                    struct err *e)
{
    return put_columns(l, db, "SELECT * FROM setting WHERE id = ?1", r->setting, at, false, e) ||
                   put_options(l, db, r->setting, at, e) ||
                   put_columns(l, db, "SELECT * FROM protocol WHERE id = ?1", r->protocol, at, true,
                               e)
               ? -1
               : 0;
}

static void count_distinct(const struct fields *l, struct field *f)
{
    for (int i = 0; i < l->n; i++) {
        int k = 0;
        while (k < i && f->value[k] != f->value[i])
            k++;
        f->distinct += k == i && !isnan(f->value[i]);
    }
}

int fields_load(struct fields *l, struct store *s, const struct frame *f, struct frame_group g,
                struct err *e)
{
    int at = 0;
    *l = (struct fields){.n = frame_rows(f, g)};
    l->family = xcalloc((size_t)l->n + 1, sizeof *l->family);
    for (int i = g.from; i < g.to; i++)
        for (int row = 0; row < f->table[i].scores->n_rows; row++, at++) {
            const struct scores_row *r = &f->table[i].scores->row[row];
            if (load_row(l, store_db(s), r, at, e)) {
                fields_release(l);
                return -1;
            }
            put_family(l, r, at);
        }
    for (int i = 0; i < l->n_fields; i++)
        count_distinct(l, &l->field[i]);
    return 0;
}

void fields_release(struct fields *l)
{
    for (int i = 0; i < l->n_fields; i++) {
        for (int k = 0; k < l->n; k++)
            free(l->field[i].text[k]);
        free(l->field[i].text);
        free(l->field[i].value);
        free(l->field[i].name);
    }
    for (int i = 0; i < l->n; i++)
        free(l->family[i]);
    free(l->field);
    free(l->family);
    *l = (struct fields){0};
}

/* ---- choosing ---- */

/* "token_budget" of "kvo.token_budget". */
static const char *bare(const struct field *f)
{
    const char *dot = strrchr(f->name, '.');
    return dot ? dot + 1 : f->name;
}

const struct field *fields_find(const struct fields *l, const char *name)
{
    const struct field *found = NULL;
    for (int i = 0; i < l->n_fields; i++)
        if (!strcmp(l->field[i].name, name))
            return &l->field[i];
    for (int i = 0; i < l->n_fields; i++)
        if (!strcmp(bare(&l->field[i]), name)) {
            if (found)
                return NULL;
            found = &l->field[i];
        }
    return found;
}

bool fields_is_told(const struct fields *l, int field)
{
    for (int i = 0; i < field; i++)
        if (l->field[i].typed && !strcmp(l->field[i].name, bare(&l->field[field])))
            return true;
    return false;
}

const struct field *fields_widest(const struct fields *l)
{
    const struct field *best = NULL;
    for (int i = 0; i < l->n_fields; i++) {
        const struct field *f = &l->field[i];
        if (!f->protocol && f->distinct > 1 && (!best || f->distinct > best->distinct))
            best = f;
    }
    return best;
}

/* ---- lines ---- */

static bool same(const struct field *f, int a, int b)
{
    return !strcmp(f->text[a], f->text[b]);
}

/* Whether settings with the same x have the same of f: then f is no line of its own. The family is
 * never said to follow. */
static bool follows(const struct fields *l, const struct field *f, const struct field *x)
{
    for (int i = 0; i < l->n; i++)
        for (int k = 0; k < i; k++)
            if (!isnan(x->value[i]) && x->value[i] == x->value[k] && !same(f, i, k))
                return false;
    return true;
}

static bool is_x(const struct field *f, const struct field *x)
{
    return f == x || !strcmp(bare(f), bare(x));
}

/* Which fields part the lines. */
static bool *parting_new(const struct fields *l, const struct field *x)
{
    bool *parts = xcalloc((size_t)l->n_fields + 1, sizeof *parts);
    for (int i = 0; i < l->n_fields; i++)
        parts[i] = !is_x(&l->field[i], x) && !follows(l, &l->field[i], x);
    return parts;
}

static bool in_one_line(const struct fields *l, const bool *parts, int a, int b)
{
    if (strcmp(l->family[a], l->family[b]))
        return false;
    for (int i = 0; i < l->n_fields; i++)
        if (parts[i] && !same(&l->field[i], a, b))
            return false;
    return true;
}

int fields_series(const struct fields *l, const struct field *x, int *series)
{
    bool *parts = parting_new(l, x);
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        int k = 0;
        series[i] = -1;
        if (isnan(x->value[i]))
            continue;
        while (k < i && (series[k] < 0 || !in_one_line(l, parts, i, k)))
            k++;
        series[i] = k < i ? series[k] : n++;
    }
    free(parts);
    return n;
}

/* Whether the settings on the lines differ in f. */
static bool varies(const struct fields *l, const struct field *f, const int *series)
{
    int first = -1;
    for (int i = 0; i < l->n; i++)
        if (series[i] >= 0) {
            if (first >= 0 && !same(f, first, i))
                return true;
            first = first < 0 ? i : first;
        }
    return false;
}

/* Whether f says what an earlier field says: same name, or the same settings have the same. */
static bool is_told(const struct fields *l, const bool *parts, int at, const int *series)
{
    for (int k = 0; k < at; k++) {
        bool equal = parts[k];
        for (int i = 0; equal && i < l->n; i++)
            for (int j = 0; equal && j < i; j++)
                equal = series[i] < 0 || series[j] < 0 ||
                        same(&l->field[k], i, j) == same(&l->field[at], i, j);
        if (equal || (parts[k] && !strcmp(bare(&l->field[k]), bare(&l->field[at]))))
            return true;
    }
    return false;
}

char *fields_label_dup(const struct fields *l, const struct field *x, const int *series, int member)
{
    struct buf b;
    bool *parts = parting_new(l, x), families = false;
    buf_init(&b);
    for (int i = 0; i < l->n; i++)
        families |= series[i] >= 0 && strcmp(l->family[i], l->family[member]);
    for (int i = 0; i < l->n_fields; i++) {
        const struct field *f = &l->field[i];
        if (!parts[i] || !strcmp(f->name, "chain") || !strncmp(f->name, "weight", 6) ||
            !*f->text[member] || !varies(l, f, series) || is_told(l, parts, i, series))
            continue;
        buf_printf(&b, "%s%s %s", b.n ? ", " : "", bare(f), f->text[member]);
    }
    if (families || !b.n) {
        struct buf whole;
        buf_init(&whole);
        buf_printf(&whole, "%s%s%s", l->family[member], b.n ? ", " : "", b.s);
        buf_release(&b);
        b = whole;
    }
    free(parts);
    return b.s;
}
