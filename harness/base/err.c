#include "harness/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Macros for the analyzer (err.h). */
#undef err_item
#undef err_user
#undef err_system
#undef err_in

ERR_PRINTF(3, 0)
static int err_set(struct err *e, enum err_class class, const char *fmt, va_list ap)
{
    e->class = class;
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    return -1;
}

#define ERR_DEFINE(name, class)                                                                    \
    int name(struct err *e, const char *fmt, ...)                                                  \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        err_set(e, class, fmt, ap);                                                                \
        va_end(ap);                                                                                \
        return -1;                                                                                 \
    }

ERR_DEFINE(err_item, ERR_ITEM)
ERR_DEFINE(err_user, ERR_USER)
ERR_DEFINE(err_system, ERR_SYSTEM)

int err_in(struct err *e, const char *fmt, ...)
{
    char context[sizeof e->msg], old[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(old, e->msg, sizeof old);
    size_t n = strlen(context), room = sizeof e->msg - 1, rest = strlen(old);
    if (n > room - 2)
        n = room - 2;
    if (rest > room - 2 - n)
        rest = room - 2 - n;
    memcpy(e->msg, context, n);
    memcpy(e->msg + n, ": ", 2);
    memcpy(e->msg + n + 2, old, rest);
    e->msg[n + 2 + rest] = 0;
    return -1;
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("kvlab: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(ERR_SYSTEM);
}
