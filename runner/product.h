/*
 * Objects whose members may be lists of values: {"a": [1, 2], "b": [3, 4], "c": 5} stands for four
 * objects, one for each combination. Knows JSON, not what the members mean.
 */
#ifndef KVLAB_PRODUCT_H
#define KVLAB_PRODUCT_H

#include "harness/base/json.h"

/* Values of a list, and combinations of an object, at most. */
enum { PRODUCT_LIST_MAX = 1024, PRODUCT_MAX = 16384 };

/* ERR_USER: a list that is empty, too long or holds a value twice; too many combinations. */
int product_check(const struct json *object, const char *where, struct err *e);
/* The same for one list; key names it. */
int product_check_list(const struct json *list, const char *key, const char *where, struct err *e);

/* Combinations of an object that was checked; 1 when no member is a list. */
size_t product_count(const struct json *object);
/* The i-th of them, the caller's to free; the member written last varies fastest. */
struct json *product_at(const struct json *object, size_t i);

#endif
