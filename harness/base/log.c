#include "harness/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/base/clock.h"

static enum log_level level = LOG_NORMAL;
static bool line_open; // a progress line is on the screen

void log_set_level(enum log_level l)
{
    level = l;
}

enum log_level log_get_level(void)
{
    return level;
}

static void clear_line(void)
{
    if (line_open)
        fputs("\r\033[K", stderr);
    line_open = false;
}

ERR_PRINTF(2, 0)
static void say(const char *prefix, const char *fmt, va_list ap)
{
    clear_line();
    fputs(prefix, stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void log_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (level >= LOG_NORMAL)
        say("", fmt, ap);
    va_end(ap);
}

void log_verbose(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (level >= LOG_VERBOSE)
        say("", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}

int log_failure(const struct err *e)
{
    clear_line();
    fprintf(stderr, "kvlab: %s\n", e->msg);
    return (int)e->class;
}

void progress_start(struct progress *p, double total, double done)
{
    *p = (struct progress){.total = total, .done = done, .first = done, .start = clock_seconds()};
}

static void draw(struct progress *p, const char *detail, bool terminal)
{
    char spent[32], left[32] = "?";
    double t = clock_seconds() - p->start;
    clock_span(spent, t);
    if (p->done > p->first)
        clock_span(left, t * (p->total - p->done) / (p->done - p->first));
    fprintf(stderr, "%s%3.0f %%  %s spent, %s left  %s%s", terminal ? "\r" : "",
            p->total > 0 ? 100 * p->done / p->total : 100, spent, left, detail,
            terminal ? "\033[K" : "\n");
    fflush(stderr);
    line_open = terminal;
    p->drawn = true;
}

void progress_step(struct progress *p, double done, const char *detail)
{
    bool terminal = isatty(STDERR_FILENO);
    double now = clock_seconds();
    p->done = done;
    if (level < LOG_NORMAL || (p->drawn && now - p->last < (terminal ? 0.1 : 10)))
        return;
    p->last = now;
    draw(p, detail, terminal);
}

void progress_end(struct progress *p)
{
    (void)p;
    clear_line();
}
