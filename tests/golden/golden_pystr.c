/* pystr: the compact tables against the full ones, for every code point. One comparison a table;
 * its deviation is the number of code points that differ. */
#include "tests/golden/golden.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"
#include "harness/base/utf8.h"
#include "metrics/pystr.h"

enum { N_CODE_POINTS = 0x110000 };

static uint32_t number_at(const struct json *array, size_t i)
{
    return (uint32_t)json_number(json_at(array, i));
}

static int check_ranges(const struct json *tables, const char *key, bool (*is)(uint32_t),
                        struct tally *t, struct err *e)
{
    const struct json *ranges = json_need(tables, key, JSON_ARRAY, e);
    if (!ranges)
        return -1;
    bool *want = xcalloc(N_CODE_POINTS, sizeof *want);
    for (const struct json *r = json_first(ranges); r; r = json_next(r))
        for (uint32_t c = number_at(r, 0); c <= number_at(r, 1); c++)
            want[c] = true;
    long wrong = 0;
    for (uint32_t c = 0; c < N_CODE_POINTS; c++)
        wrong += is(c) != want[c];
    free(want);
    tally_add(t, wrong == 0, (double)wrong, "%s: %ld code points differ", key, wrong);
    return 0;
}

/* c alone: nothing precedes, so that a sigma is not final. */
static bool lowers_to(uint32_t c, struct text want)
{
    struct buf in, out;
    buf_init(&in);
    buf_init(&out);
    buf_code_point(&in, c);
    pystr_lower(text_buf(&in), &out);
    bool same = text_eq(text_buf(&out), want);
    buf_release(&in);
    buf_release(&out);
    return same;
}

/* One code point and its lower case: what the map says, or itself. *m moves to the next entry. */
static bool check_lower_of(uint32_t c, const struct json **m)
{
    struct buf want;
    buf_init(&want);
    if (*m && number_at(*m, 0) == c) {
        for (size_t i = 1; i < json_length(*m); i++)
            buf_code_point(&want, number_at(*m, i));
        *m = json_next(*m);
    } else {
        buf_code_point(&want, c);
    }
    bool same = lowers_to(c, text_buf(&want));
    buf_release(&want);
    return same;
}

static int check_lower(const struct json *tables, struct tally *t, struct err *e)
{
    const struct json *map = json_need(tables, "lower_map", JSON_ARRAY, e);
    if (!map)
        return -1;
    long wrong = 0;
    const struct json *m = json_first(map);
    for (uint32_t c = 0; c < N_CODE_POINTS; c++)
        if (c < 0xD800 || c > 0xDFFF)
            wrong += !check_lower_of(c, &m);
    wrong += m != NULL;
    tally_add(t, wrong == 0, (double)wrong, "lower_map: %ld code points differ", wrong);
    return 0;
}

static int check_punctuation(const struct json *tables, struct tally *t, struct err *e)
{
    const struct json *list = json_need(tables, "ascii_punctuation", JSON_ARRAY, e);
    if (!list)
        return -1;
    long wrong = 0;
    const struct json *p = json_first(list);
    for (uint32_t c = 0; c < 0x3000; c++) {
        bool want = p && (uint32_t)json_number(p) == c;
        wrong += pystr_is_ascii_punctuation(c) != want;
        if (want)
            p = json_next(p);
    }
    tally_add(t, wrong == 0, (double)wrong, "ascii_punctuation: %ld code points differ", wrong);
    return 0;
}

int golden_pystr(const char *dir, struct tally *t, struct err *e)
{
    const char *path = golden_path(dir, "unicode/python311_unicode14.json");
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    struct json *j = json_read_file(path, e);
    if (!j)
        return -1;
    int rc = check_ranges(j, "isspace", pystr_is_space, t, e) ||
             check_ranges(j, "decimal_digit (re \\d)", pystr_is_digit, t, e) ||
             check_ranges(j, "word (re \\w)", pystr_is_word, t, e) ||
             check_ranges(j, "sigma_cased", pystr_is_cased, t, e) ||
             check_ranges(j, "sigma_case_ignorable", pystr_is_case_ignorable, t, e) ||
             check_lower(j, t, e) || check_punctuation(j, t, e);
    json_free(j);
    return rc ? -1 : 0;
}
