/*
 * Text: a borrowed run of bytes (struct text) and a buffer that grows (struct buf).
 * Both may hold U+0000; a buf keeps a NUL after its end so that buf.s is also a C string.
 */
#ifndef KVLAB_TEXT_H
#define KVLAB_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "harness/base/err.h"

struct text {
    const char *s;
    size_t n; // bytes
};

struct buf {
    char *s; // never NULL after buf_init
    size_t n, cap;
};

struct text text_of(const char *s);
struct text text_buf(const struct buf *b);
bool text_eq(struct text a, struct text b);
bool text_is(struct text a, const char *s);
/* A copy with a NUL after it; the caller frees .s */
struct text text_dup(struct text t);
/* Position of needle in t at or after from, or t.n when it is not there. */
size_t text_find(struct text t, struct text needle, size_t from);

void buf_init(struct buf *b);
void buf_release(struct buf *b);
void buf_reset(struct buf *b);
void buf_add(struct buf *b, const void *s, size_t n);
void buf_text(struct buf *b, struct text t);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) ERR_PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) ERR_PRINTF(2, 0);

#endif
