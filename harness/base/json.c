#include "harness/base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/utf8.h"

/*
 * cJSON's strings end at a NUL, so \u0000 is handed to it as C0 80, two bytes that valid UTF-8
 * never holds, and turned back when a string is read. A string's length is then its own matter:
 * the parsed nodes are copied into ours, which keep it.
 */
struct json {
    enum json_type type;
    char *key;       // of an object's member, else NULL
    double number;   // numbers; 0 or 1 for booleans
    struct text str; // strings, owned
    size_t length;   // arrays and objects
    struct json *first, *next;
};

static char *hide_nul(struct text t, size_t *n)
{
    char *out = xmalloc(t.n + 1);
    *n = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '\\' && i + 5 < t.n && !memcmp(t.s + i, "\\u0000", 6)) {
            out[(*n)++] = '\xC0';
            out[(*n)++] = '\x80';
            i += 5;
        } else {
            out[(*n)++] = t.s[i];
            if (t.s[i] == '\\' && i + 1 < t.n)
                out[(*n)++] = t.s[++i];
        }
    }
    out[*n] = 0;
    return out;
}

static struct text show_nul_dup(const char *s)
{
    size_t n = 0, len = strlen(s);
    char *out = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\xC0') {
            out[n++] = 0;
            i++;
        } else {
            out[n++] = s[i];
        }
    }
    out[n] = 0;
    return (struct text){out, n};
}

static void place_of(struct text t, size_t at, size_t *line, size_t *column)
{
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < at && i < t.n; i++) {
        if (t.s[i] == '\n') {
            ++*line;
            *column = 1;
        } else {
            ++*column;
        }
    }
}

static struct json *node_new(const cJSON *c);

static void copy_children(struct json *j, const cJSON *c)
{
    struct json **tail = &j->first;
    for (const cJSON *child = c->child; child; child = child->next) {
        *tail = node_new(child);
        if (child->string)
            (*tail)->key = xstrdup(child->string);
        tail = &(*tail)->next;
        j->length++;
    }
}

static struct json *node_new(const cJSON *c)
{
    struct json *j = xcalloc(1, sizeof *j);
    switch (c->type & 0xFF) {
    case cJSON_True:
        j->type = JSON_BOOL;
        j->number = 1;
        break;
    case cJSON_False:
        j->type = JSON_BOOL;
        break;
    case cJSON_Number:
        j->type = JSON_NUMBER;
        j->number = c->valuedouble;
        break;
    case cJSON_String:
        j->type = JSON_STRING;
        j->str = show_nul_dup(c->valuestring);
        break;
    case cJSON_Array:
        j->type = JSON_ARRAY;
        copy_children(j, c);
        break;
    case cJSON_Object:
        j->type = JSON_OBJECT;
        copy_children(j, c);
        break;
    default:
        j->type = JSON_NULL;
    }
    return j;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first key that an object holds twice, or NULL. */
static const char *doubled_key(const struct json *j)
{
    const char *found = NULL;
    for (const struct json *m = j->first; m && !found; m = m->next)
        found = doubled_key(m);
    if (found || j->type != JSON_OBJECT || j->length < 2)
        return found;
    const char **keys = xmalloc(mem_size(j->length, sizeof *keys));
    size_t n = 0;
    for (const struct json *m = j->first; m; m = m->next)
        keys[n++] = m->key;
    qsort(keys, n, sizeof *keys, by_name);
    for (size_t i = 1; i < n && !found; i++)
        if (!strcmp(keys[i - 1], keys[i]))
            found = keys[i];
    free(keys);
    return found;
}

struct json *json_read(struct text t, struct err *e)
{
    size_t bad = utf8_invalid_at(t), line, column, n;
    if (bad < t.n) {
        place_of(t, bad, &line, &column);
        err_user(e, "line %zu, column %zu: not valid UTF-8", line, column);
        return NULL;
    }
    char *hidden = hide_nul(t, &n);
    const char *end = NULL;
    cJSON *c = strlen(hidden) == n ? cJSON_ParseWithLengthOpts(hidden, n + 1, &end, 1) : NULL;
    if (!c) {
        place_of((struct text){hidden, n}, end ? (size_t)(end - hidden) : strlen(hidden), &line,
                 &column);
        err_user(e, "line %zu, column %zu: not valid JSON", line, column);
        free(hidden);
        return NULL;
    }
    free(hidden);
    struct json *j = node_new(c);
    cJSON_Delete(c);
    const char *twice = doubled_key(j);
    if (twice) {
        err_user(e, "key '%s' appears twice in one object", twice);
        json_free(j);
        return NULL;
    }
    return j;
}

struct json *json_read_file(const char *path, struct err *e)
{
    struct text t;
    if (file_read(path, &t, e))
        return NULL;
    struct json *j = json_read(t, e);
    if (!j)
        err_in(e, "%s", path);
    free((void *)t.s);
    return j;
}

void json_free(struct json *j)
{
    while (j) {
        struct json *next = j->next;
        json_free(j->first);
        free(j->key);
        free((void *)j->str.s);
        free(j);
        j = next;
    }
}

struct json *json_dup(const struct json *j)
{
    struct json *copy = xcalloc(1, sizeof *copy), **tail = &copy->first;
    copy->type = j->type;
    copy->number = j->number;
    copy->length = j->length;
    if (j->type == JSON_STRING)
        copy->str = text_dup(j->str);
    for (const struct json *m = j->first; m; m = m->next) {
        *tail = json_dup(m);
        if (m->key)
            (*tail)->key = xstrdup(m->key);
        tail = &(*tail)->next;
    }
    return copy;
}

static bool equal_members(const struct json *a, const struct json *b)
{
    const struct json *other = b->first;
    for (const struct json *m = a->first; m; m = m->next) {
        if (a->type == JSON_OBJECT)
            other = json_get(b, m->key);
        if (!other || !json_equal(m, other))
            return false;
        other = other->next;
    }
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a->type != b->type || a->length != b->length)
        return false;
    if (a->type == JSON_STRING)
        return text_eq(a->str, b->str);
    if (a->type == JSON_ARRAY || a->type == JSON_OBJECT)
        return equal_members(a, b);
    return a->type == JSON_NULL || !(a->number < b->number || a->number > b->number);
}

enum json_type json_type(const struct json *j)
{
    return j->type;
}

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = {"null",     "true or false", "a number",
                                        "a string", "an array",      "an object"};
    return names[t];
}

bool json_bool(const struct json *j)
{
    assert(j->type == JSON_BOOL);
    return j->number != 0;
}

double json_number(const struct json *j)
{
    assert(j->type == JSON_NUMBER);
    return j->number;
}

struct text json_string(const struct json *j)
{
    assert(j->type == JSON_STRING);
    return j->str;
}

size_t json_length(const struct json *j)
{
    return j->length;
}

const struct json *json_first(const struct json *j)
{
    return j->first;
}

const struct json *json_next(const struct json *j)
{
    return j->next;
}

const struct json *json_at(const struct json *j, size_t i)
{
    const struct json *m = j->first;
    while (m && i--)
        m = m->next;
    return m;
}

const char *json_key(const struct json *member)
{
    return member->key;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *m = object->first; m; m = m->next)
        if (!strcmp(m->key, key))
            return m;
    return NULL;
}

const struct json *json_need(const struct json *object, const char *key, enum json_type type,
                             struct err *e)
{
    const struct json *m = json_get(object, key);
    if (!m) {
        err_user(e, "key '%s' is missing", key);
        return NULL;
    }
    if (m->type != type) {
        err_user(e, "key '%s' is %s, must be %s", key, json_type_name(m->type),
                 json_type_name(type));
        return NULL;
    }
    return m;
}

int json_need_int(const struct json *object, const char *key, long min, long max, long *out,
                  struct err *e)
{
    const struct json *m = json_need(object, key, JSON_NUMBER, e);
    if (!m)
        return -1;
    double x = m->number;
    if (!(x >= (double)min && x <= (double)max) || x != floor(x))
        return err_user(e, "key '%s' is %.17g, must be a whole number from %ld to %ld", key, x, min,
                        max);
    *out = (long)x;
    return 0;
}

/* The place of a member or element, as the pointer that holds it; NULL when it cannot be. */
static struct json **slot(struct json *j, const char *name, size_t n)
{
    struct json **p = &j->first;
    if (j->type == JSON_ARRAY) {
        char *end;
        unsigned long i = strtoul(name, &end, 10);
        if (end != name + n || i >= j->length)
            return NULL;
        while (i--)
            p = &(*p)->next;
        return p;
    }
    if (j->type != JSON_OBJECT)
        return NULL;
    while (*p && (strlen((*p)->key) != n || memcmp((*p)->key, name, n)))
        p = &(*p)->next;
    if (!*p) {
        *p = xcalloc(1, sizeof **p);
        (*p)->type = JSON_OBJECT;
        (*p)->key = xstrndup(name, n);
        j->length++;
    }
    return p;
}

struct json *json_object_new(void)
{
    struct json *j = xcalloc(1, sizeof *j);
    j->type = JSON_OBJECT;
    return j;
}

struct json *json_string_new(struct text t)
{
    struct json *j = xcalloc(1, sizeof *j);
    j->type = JSON_STRING;
    j->str = text_dup(t);
    return j;
}

void json_add(struct json *object, const char *key, struct json *value)
{
    struct json **tail = &object->first;
    assert(object->type == JSON_OBJECT && !json_get(object, key));
    while (*tail)
        tail = &(*tail)->next;
    value->key = xstrdup(key);
    *tail = value;
    object->length++;
}

int json_set(struct json *root, const char *path, struct json *value, struct err *e)
{
    struct json *j = root, **p = NULL;
    for (const char *name = path;;) {
        size_t n = strcspn(name, ".");
        p = n ? slot(j, name, n) : NULL;
        if (!p) {
            json_free(value);
            return err_user(e, "'%s': there is no place '%.*s'", path, (int)(name + n - path),
                            path);
        }
        j = *p;
        if (!name[n])
            break;
        name += n + 1;
    }
    value->key = j->key;
    value->next = j->next;
    *p = value;
    j->key = NULL;
    j->next = NULL;
    json_free(j);
    return 0;
}

int json_set_text(struct json *root, const char *assignment, struct err *e)
{
    const char *eq = strchr(assignment, '=');
    struct err not_json;
    if (!eq || eq == assignment)
        return err_user(e, "'%s': must be key=value, for example protocol.bos=false", assignment);
    struct json *value = json_read(text_of(eq + 1), &not_json);
    if (!value) {
        struct buf quoted;
        buf_init(&quoted);
        json_put_string(&quoted, text_of(eq + 1));
        value = json_read(text_buf(&quoted), e);
        buf_release(&quoted);
    }
    char *path = xstrndup(assignment, (size_t)(eq - assignment));
    int rc = value ? json_set(root, path, value, e) : -1;
    free(path);
    return rc;
}

void json_put_string(struct buf *b, struct text t)
{
    buf_char(b, '"');
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.s[i];
        if (c == '"' || c == '\\')
            buf_char(b, '\\'), buf_char(b, (char)c);
        else if (c == '\n')
            buf_str(b, "\\n");
        else if (c == '\r')
            buf_str(b, "\\r");
        else if (c == '\t')
            buf_str(b, "\\t");
        else if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

void json_put_number(struct buf *b, double x)
{
    if (!isfinite(x)) {
        buf_str(b, "null");
        return;
    }
    char s[40];
    if (x == floor(x) && fabs(x) < 1e15) {
        buf_printf(b, "%.0f", x + 0.0); // -0 as 0
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        if (strtod(s, NULL) == x)
            break;
    }
    buf_str(b, s);
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

static void put_members(struct buf *b, const struct json *j)
{
    const struct json **members = xmalloc(mem_size(j->length + 1, sizeof(struct json *)));
    size_t n = 0;
    for (const struct json *m = j->first; m; m = m->next)
        members[n++] = m;
    if (j->type == JSON_OBJECT)
        qsort(members, n, sizeof(struct json *), by_key);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(b, ',');
        if (j->type == JSON_OBJECT) {
            json_put_string(b, text_of(members[i]->key));
            buf_char(b, ':');
        }
        json_put_canonical(b, members[i]);
    }
    free(members);
}

void json_put_canonical(struct buf *b, const struct json *j)
{
    switch (j->type) {
    case JSON_NULL:
        buf_str(b, "null");
        break;
    case JSON_BOOL:
        buf_str(b, j->number != 0 ? "true" : "false");
        break;
    case JSON_NUMBER:
        json_put_number(b, j->number);
        break;
    case JSON_STRING:
        json_put_string(b, j->str);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_char(b, j->type == JSON_ARRAY ? '[' : '{');
        put_members(b, j);
        buf_char(b, j->type == JSON_ARRAY ? ']' : '}');
    }
}
