/*
 * JSON in and out. The only user of cJSON.
 *
 * What is stricter than cJSON here: keys are case-sensitive, a duplicate key is an error, the whole
 * input must be one value, invalid UTF-8 is an error, and strings may hold U+0000.
 * A struct json node is borrowed from its document; json_free() ends all of them.
 */
#ifndef KVLAB_JSON_H
#define KVLAB_JSON_H

#include "harness/base/text.h"

struct json; // one value

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* NULL on error; the message gives the line and column. Free with json_free(). */
struct json *json_read(struct text t, struct err *e);
struct json *json_read_file(const char *path, struct err *e);
void json_free(struct json *j);

enum json_type json_type(const struct json *j);
const char *json_type_name(enum json_type t);
bool json_bool(const struct json *j);
double json_number(const struct json *j);
struct text json_string(const struct json *j); // a NUL follows its end

/* A copy with all below it, the caller's to free; a member's copy has no key. */
struct json *json_dup(const struct json *j);
/* The same value? Order counts in arrays, not in objects. */
bool json_equal(const struct json *a, const struct json *b);

/* Arrays and objects: elements in order. json_next(NULL-terminated) walks them. */
size_t json_length(const struct json *j);
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *j);
const struct json *json_at(const struct json *j, size_t i); // costs i steps
const char *json_key(const struct json *member);            // name of an object's member
const struct json *json_get(const struct json *object, const char *key);

/* As json_get, and an error of class ERR_USER when it is absent or of another type. */
const struct json *json_need(const struct json *object, const char *key, enum json_type type,
                             struct err *e);
/* A member that is a whole number in [min, max]. */
int json_need_int(const struct json *object, const char *key, long min, long max, long *out,
                  struct err *e);

/* New values, and one more member at an object's end: value is taken, the key must not be there. */
struct json *json_object_new(void);
struct json *json_string_new(struct text t);
void json_add(struct json *object, const char *key, struct json *value);

/* Puts value (taken) at a dotted path such as "protocol.bos" or "settings.0.name": members are
 * replaced or added, objects on the way made; an array's index must be there. ERR_USER otherwise,
 * and the value is freed. */
int json_set(struct json *root, const char *path, struct json *value, struct err *e);
/* The same from "path=value" as people write it: what is not JSON is a string as it stands. */
int json_set_text(struct json *root, const char *assignment, struct err *e);

/* Writing: a string with its quotes and escapes (non-ASCII stays as it is), a number in the
 * shortest form that reads back equal, and a value in canonical form (keys sorted, no spaces). */
void json_put_string(struct buf *b, struct text t);
void json_put_number(struct buf *b, double x);
void json_put_canonical(struct buf *b, const struct json *j);

#endif
