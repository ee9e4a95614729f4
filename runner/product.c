#include "runner/product.h"

/* Does a value stand before in its list? */
static bool doubled(const struct json *list, const struct json *value)
{
    for (const struct json *m = json_first(list); m != value; m = json_next(m))
        if (json_equal(m, value))
            return true;
    return false;
}

int product_check_list(const struct json *list, const char *key, const char *where, struct err *e)
{
    size_t n = json_length(list);
    if (n == 0)
        return err_user(e, "%s: key '%s' is an empty list, must have at least one value", where,
                        key);
    if (n > PRODUCT_LIST_MAX)
        return err_user(e, "%s: key '%s' lists %zu values, at most %d are allowed", where, key, n,
                        PRODUCT_LIST_MAX);
    for (const struct json *m = json_first(list); m; m = json_next(m)) {
        if (!doubled(list, m))
            continue;
        struct buf value;
        buf_init(&value);
        json_put_canonical(&value, m);
        err_user(e, "%s: key '%s' lists %.60s twice", where, key, value.s);
        buf_release(&value);
        return -1;
    }
    return 0;
}

int product_check(const struct json *object, const char *where, struct err *e)
{
    double n = 1;
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        if (json_type(m) != JSON_ARRAY)
            continue;
        if (product_check_list(m, json_key(m), where, e))
            return -1;
        n *= (double)json_length(m);
    }
    if (n > PRODUCT_MAX)
        return err_user(e, "%s: the lists have %.15g combinations, at most %d are allowed", where,
                        n, PRODUCT_MAX);
    return 0;
}

size_t product_count(const struct json *object)
{
    size_t n = 1;
    for (const struct json *m = json_first(object); m; m = json_next(m))
        if (json_type(m) == JSON_ARRAY)
            n *= json_length(m);
    return n;
}

struct json *product_at(const struct json *object, size_t i)
{
    struct json *point = json_object_new();
    size_t below = product_count(object);
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        const struct json *value = m;
        if (json_type(m) == JSON_ARRAY) {
            below /= json_length(m);
            value = json_at(m, i / below % json_length(m));
        }
        json_add(point, json_key(m), json_dup(value));
    }
    return point;
}
