#include "runner/csv.h"

#include <string.h>

/* From behind the opening quote: the content moves over the quotes that it loses. Returns what
 * follows the closing one, or NULL. */
static char *unquote(char *s, char **end)
{
    char *to = s;
    for (; *s && *s != '\n'; s++) {
        if (*s == '"' && s[1] != '"') {
            *end = to;
            return s + 1;
        }
        s += *s == '"';
        *to++ = *s;
    }
    return NULL;
}

/* One field; returns its separator's place, *end is where its content ends. */
static char *field(char *s, char **content, char **end, struct err *e)
{
    *content = s;
    if (*s != '"') {
        char *after = s + strcspn(s, ",\n");
        *end = after > s && *after == '\n' && after[-1] == '\r' ? after - 1 : after;
        if (!memchr(s, '"', (size_t)(after - s)))
            return after;
        err_user(e, "a quote within a field that does not begin with one");
        return NULL;
    }
    *content = s + 1;
    s = unquote(s + 1, end);
    if (s && *s == '\r' && s[1] == '\n')
        s++;
    if (s && (*s == ',' || *s == '\n' || !*s))
        return s;
    err_user(e, "%s", s ? "text after a closing quote" : "a quote that does not end in its line");
    return NULL;
}

int csv_line(char **at, char **fields, int max, struct err *e)
{
    int n = 0;
    for (char *s = *at;; s++) {
        char *content, *end;
        s = field(s, &content, &end, e);
        if (!s)
            return -1;
        char separator = *s;
        *end = 0;
        if (n < max)
            fields[n] = content;
        n++;
        if (separator == ',')
            continue;
        *at = separator ? s + 1 : s;
        return n;
    }
}
