/*
 * What the program says while it works: to stderr, never to stdout.
 * A progress line redraws itself on a terminal; elsewhere a line appears every so often.
 */
#ifndef KVLAB_LOG_H
#define KVLAB_LOG_H

#include <stdbool.h>

#include "harness/base/err.h"

enum log_level { LOG_QUIET = -1, LOG_NORMAL = 0, LOG_VERBOSE = 1, LOG_DEBUG = 2 };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

void log_note(const char *fmt, ...) ERR_PRINTF(1, 2);    // unless -q
void log_verbose(const char *fmt, ...) ERR_PRINTF(1, 2); // with -v
void log_warn(const char *fmt, ...) ERR_PRINTF(1, 2);    // always; says what to do

/* "kvlab: message" for a person, and the exit code of its class. */
int log_failure(const struct err *e);

/* Work of `total` units of cost, of which `done` are done when it begins. */
struct progress {
    double total, done, start, last;
    double first; // done when it began: the rate is of what came after
    bool drawn;
};

void progress_start(struct progress *p, double total, double done);
/* detail: what is done, and what is being worked on. */
void progress_step(struct progress *p, double done, const char *detail);
void progress_end(struct progress *p);

#endif
