/*
 * Option tables: one row says everything of a setting, and the same rows read JSON, take
 * `--set key=value`, print help and write the canonical text that is hashed.
 *
 * The struct that the rows point into holds: int (OPT_INT, OPT_BOOL, OPT_CHOICE: index),
 * double (OPT_NUM), char[OPT_STR_MAX] (OPT_STR).
 */
#ifndef KVLAB_OPT_H
#define KVLAB_OPT_H

#include "harness/base/json.h"

enum { OPT_STR_MAX = 256 };
enum opt_type { OPT_INT, OPT_NUM, OPT_BOOL, OPT_CHOICE, OPT_STR };

struct opt {
    const char *name;
    enum opt_type type;
    size_t offset;
    double min, max, def;       // numbers; def is the index of a choice, 0 or 1 of a bool
    const char *const *choices; // OPT_CHOICE: NULL-terminated
    const char *def_str;        // OPT_STR
    const char *alias; // the name that the paper's code has for it, or NULL: accepted nowhere,
                       // shown in help
    const char *help;
};

/* A table ends with a row whose name is NULL. */
void opt_defaults(const struct opt *table, void *obj);

/* Members of a JSON object, over what is there. `where` starts the message. Errors: unknown key
 * (with the nearest), wrong type, out of range. */
int opt_read(const struct opt *table, void *obj, const struct json *object, const char *where,
             struct err *e);
/* One member. Returns 1 when the key is not in the table. */
int opt_read_member(const struct opt *table, void *obj, const struct json *member,
                    const char *where, struct err *e);

/* All values in table order, as a JSON object: two objects are equal when these texts are. */
void opt_put_json(const struct opt *table, const void *obj, struct buf *out);
/* One value as text: of a choice its name. */
void opt_put_value(const struct opt *row, const void *obj, struct buf *out);

/* All values as name=value, words from column `indent` on, in lines of at most 96 columns. */
void opt_put_summary(const struct opt *table, const void *obj, int indent, struct buf *out);

/* For each row its name, range or choices, default and help, in lines of at most 96 columns. */
void opt_put_help(const struct opt *table, struct buf *out);

#endif
