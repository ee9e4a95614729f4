#define _GNU_SOURCE // memmem
#include "harness/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

struct text text_of(const char *s)
{
    return (struct text){s, strlen(s)};
}

struct text text_buf(const struct buf *b)
{
    return (struct text){b->s, b->n};
}

bool text_eq(struct text a, struct text b)
{
    return a.n == b.n && (a.n == 0 || !memcmp(a.s, b.s, a.n));
}

bool text_is(struct text a, const char *s)
{
    return text_eq(a, text_of(s));
}

struct text text_dup(struct text t)
{
    return (struct text){xstrndup(t.s, t.n), t.n};
}

size_t text_find(struct text t, struct text needle, size_t from)
{
    if (from > t.n)
        return t.n;
    if (!needle.n)
        return from;
    const char *p = memmem(t.s + from, t.n - from, needle.s, needle.n);
    return p ? (size_t)(p - t.s) : t.n;
}

void buf_init(struct buf *b)
{
    b->cap = 64;
    b->s = xmalloc(b->cap);
    b->s[0] = 0;
    b->n = 0;
}

void buf_release(struct buf *b)
{
    free(b->s);
    *b = (struct buf){0};
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->s[0] = 0;
}

static void buf_room(struct buf *b, size_t more)
{
    if (b->n + more + 1 <= b->cap)
        return;
    while (b->cap < b->n + more + 1)
        b->cap *= 2;
    b->s = xrealloc(b->s, b->cap);
}

void buf_add(struct buf *b, const void *s, size_t n)
{
    buf_room(b, n);
    if (n)
        memcpy(b->s + b->n, s, n);
    b->n += n;
    b->s[b->n] = 0;
}

void buf_text(struct buf *b, struct text t)
{
    buf_add(b, t.s, t.n);
}

void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    buf_room(b, (size_t)n);
    vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}
