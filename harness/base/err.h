/*
 * Errors that travel up the call chain.
 *
 * A function that can fail returns 0 or -1 and takes a last argument `struct err *`.
 * The class decides what the program does at the top, and is its exit code:
 *   ERR_ITEM    one item failed: it becomes a row with its reason, the run goes on, exit 1 at the
 * end ERR_USER    a mistake in a flag, a configuration or an input file: exit 2, before any work
 *   ERR_SYSTEM  cannot go on (disk full, database gone): exit 3
 * A bug is none of these: it is an assert.
 */
#ifndef KVLAB_ERR_H
#define KVLAB_ERR_H

enum err_class { ERR_NONE = 0, ERR_ITEM = 1, ERR_USER = 2, ERR_SYSTEM = 3 };

struct err {
    enum err_class class;
    char msg[1024]; // one line, lower case, no full stop
};

#ifdef __GNUC__
#define ERR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define ERR_PRINTF(f, a)
#endif

/* Set the message; always return -1 so that `return err_user(e, ...)` reads well. */
int err_item(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);
int err_user(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);
int err_system(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Put "context: " in front of the message that is there; returns -1. */
int err_in(struct err *e, const char *fmt, ...) ERR_PRINTF(2, 3);

#ifdef __clang_analyzer__ // which does not see into them
#define err_item(...)   (err_item(__VA_ARGS__), -1)
#define err_user(...)   (err_user(__VA_ARGS__), -1)
#define err_system(...) (err_system(__VA_ARGS__), -1)
#define err_in(...)     (err_in(__VA_ARGS__), -1)
#endif

/* Out of memory and the like: message to stderr, exit 3. */
_Noreturn void die(const char *fmt, ...) ERR_PRINTF(1, 2);

#endif
