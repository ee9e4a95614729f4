#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "harness/model/safetensors.h"
#include "tests/unit/scratch.h"

static const unsigned char zeros[64];

/* What is said of a file with this header and n bytes of data; "" when it is valid. */
static const char *verdict(const char *header, size_t n)
{
    static struct err e;
    struct buf b;
    buf_init(&b);
    e.msg[0] = 0;
    scratch_safetensors(&b, header, zeros, n);
    int rc = safetensors_check((const unsigned char *)b.s, b.n, &e);
    buf_release(&b);
    assert_int_equal(rc, e.msg[0] ? -1 : 0);
    if (rc)
        assert_int_equal(e.class, ERR_USER);
    return e.msg;
}

#define T(dtype, shape, begin, end)                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void valid_headers(void **state)
{
    (void)state;
    assert_string_equal(verdict("{}", 0), "");
    assert_string_equal(verdict("{}      ", 0), "");
    assert_string_equal(verdict("{\"__metadata__\":{\"format\":\"pt\"}}", 0), "");
    assert_string_equal(verdict("{\"a\":" T("F32", "[2,3]", 0, 24) "}", 24), "");
    assert_string_equal(verdict("{\"scalar\":" T("F32", "[]", 0, 4) "}", 4), "");
    assert_string_equal(
        verdict("{\"none\":" T("F32", "[0,5]", 4, 4) ",\"a\":" T("I32", "[1]", 0, 4) "}", 4), "");
    assert_string_equal(
        verdict("{\"b\":" T("U8", "[3]", 8, 11) ",\"a\":" T("F16", "[4]", 0, 8) "}", 11), "");
}

static void damaged_headers(void **state)
{
    (void)state;
    assert_string_equal(verdict("{\"a\":", 0), "header: line 1, column 6: not valid JSON");
    assert_string_equal(verdict("", 0), "header: line 1, column 1: not valid JSON");
    assert_string_equal(verdict("[1]", 0), "header: is an array, must be an object");
    assert_string_equal(verdict("{\"a\":3}", 0), "tensor 'a': is a number, must be an object");
    assert_string_equal(verdict("{\"__metadata__\":{\"n\":1}}", 0),
                        "__metadata__ 'n' is a number, must be a string");
    assert_string_equal(verdict("{\"a\":1,\"a\":2}", 0),
                        "header: key 'a' appears twice in one object");
    assert_string_equal(verdict("{\"a\":{\"dtype\":\"F32\"}}", 0),
                        "tensor 'a': key 'shape' is missing");
}

static void header_lengths(void **state)
{
    (void)state;
    struct err e;
    unsigned char file[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    assert_int_equal(safetensors_check(file, sizeof file, &e), -1);
    assert_string_equal(e.msg,
                        "header length 3 is beyond the file (10 bytes) or the limit (100000000)");
    memset(file, 0xFF, 8);
    assert_int_equal(safetensors_check(file, sizeof file, &e), -1);
    assert_non_null(strstr(e.msg, "header length 18446744073709551615 is beyond the file"));
    assert_int_equal(safetensors_check(file, 7, &e), -1);
    assert_string_equal(e.msg, "has 7 bytes, a safetensors file has at least 8");
    assert_int_equal(safetensors_check(NULL, 0, &e), -1);
}

static void wrong_dtypes_and_shapes(void **state)
{
    (void)state;
    assert_string_equal(verdict("{\"a\":" T("F8_E4M3", "[4]", 0, 4) "}", 4),
                        "tensor 'a': dtype 'F8_E4M3' is not one that is read here");
    assert_string_equal(
        verdict("{\"a\":" T("F32", "[-1]", 0, 4) "}", 4),
        "tensor 'a': dimension 0 of its shape is not a whole number from 0 to 2^53");
    assert_string_equal(
        verdict("{\"a\":" T("F32", "[1,1.5]", 0, 4) "}", 4),
        "tensor 'a': dimension 1 of its shape is not a whole number from 0 to 2^53");
    assert_string_equal(
        verdict("{\"a\":" T("F32", "[1e300]", 0, 4) "}", 4),
        "tensor 'a': dimension 0 of its shape is not a whole number from 0 to 2^53");
    assert_string_equal(
        verdict("{\"a\":" T("F32", "[4294967296,4294967296,4294967296]", 0, 4) "}", 4),
        "tensor 'a': shape is too large: more than 2^53 elements");
    assert_string_equal(verdict("{\"a\":" T("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1),
                        "tensor 'a': shape has 9 dimensions, at most 8 are read here");
    assert_string_equal(verdict("{\"a\":" T("F32", "[2]", 0, 4) "}", 4),
                        "tensor 'a': has 4 bytes of data, its shape and dtype F32 ask for 2 x 4");
}

static void wrong_offsets(void **state)
{
    (void)state;
    assert_string_equal(verdict("{\"a\":" T("F32", "[2]", 0, 8) "}", 4),
                        "tensor 'a': data_offsets 0 to 8 do not lie in the file's 4 bytes of data");
    assert_string_equal(verdict("{\"a\":" T("U8", "[2]", 4, 2) "}", 4),
                        "tensor 'a': data_offsets 4 to 2 do not lie in the file's 4 bytes of data");
    assert_string_equal(verdict("{\"a\":" T("U8", "[2]", -2, 0) "}", 4),
                        "tensor 'a': data_offsets must be two whole numbers [begin, end]");
    assert_string_equal(
        verdict("{\"a\":" T("U8", "[4]", 0, 4) ",\"b\":" T("U8", "[4]", 2, 6) "}", 6),
        "tensors 'a' and 'b' overlap");
    assert_string_equal(
        verdict("{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[2]", 4, 6) "}", 6),
        "a hole of 2 bytes before tensor 'b'");
    assert_string_equal(verdict("{\"a\":" T("U8", "[2]", 0, 2) "}", 5),
                        "3 bytes of data belong to no tensor");
}

static void write_tensors(const char *name, const char *header, const void *data, size_t n)
{
    struct buf b;
    buf_init(&b);
    scratch_safetensors(&b, header, data, n);
    scratch_write(name, text_buf(&b));
    buf_release(&b);
}

static void a_file_is_mapped_and_searched(void **state)
{
    (void)state;
    struct err e;
    const float data[] = {1, 2, 3, 4, 5, 6, 7};
    write_tensors("one.safetensors",
                  "{\"z\":" T("F32", "[2,3]", 0, 24) ",\"a\":" T("F32", "[1]", 24, 28) "}", data,
                  sizeof data);
    struct safetensors *s = safetensors_open("one.safetensors", &e);
    assert_non_null(s);
    assert_int_equal(safetensors_count(s), 2);
    assert_string_equal(safetensors_at(s, 0)->name, "a");
    const struct tensor *z = safetensors_find(s, "z");
    assert_ptr_equal(z, safetensors_at(s, 1));
    assert_int_equal(z->n_dims, 2);
    assert_int_equal(z->shape[1], 3);
    assert_memory_equal(z->data, data, 24);
    assert_null(safetensors_find(s, "y"));
    const char *const *paths;
    assert_int_equal(safetensors_files(s, &paths), 1);
    assert_string_equal(paths[0], "one.safetensors");
    safetensors_close(s);
}

/* A header that is not padded puts F32 data at an odd address: it is there all the same. */
static void misaligned_data_is_copied(void **state)
{
    (void)state;
    struct err e;
    const float data[] = {1.5f, -2};
    const char *header = "{\"a\":" T("F32", "[2]", 0, 8) "}";
    char padded[128];
    for (int pad = 0; pad < 4; pad++) {
        snprintf(padded, sizeof padded, "%s%*s", header, pad, "");
        write_tensors("odd.safetensors", padded, data, sizeof data);
        struct safetensors *s = safetensors_open("odd.safetensors", &e);
        assert_non_null(s);
        const struct tensor *a = safetensors_find(s, "a");
        assert_int_equal((uintptr_t)a->data % 4, 0);
        assert_memory_equal(a->data, data, sizeof data);
        safetensors_close(s);
    }
}

static void files_are_named_in_errors(void **state)
{
    (void)state;
    struct err e;
    assert_null(safetensors_open("absent.safetensors", &e));
    assert_string_equal(e.msg, "absent.safetensors: No such file or directory");
    write_tensors("cut.safetensors", "{\"a\":" T("F32", "[2]", 0, 8) "}", zeros, 7);
    assert_null(safetensors_open("cut.safetensors", &e));
    assert_string_equal(
        e.msg,
        "cut.safetensors: tensor 'a': data_offsets 0 to 8 do not lie in the file's 7 bytes "
        "of data; the file is damaged, cut short or not safetensors: fetch or write it again");
    scratch_write("empty.safetensors", text_of(""));
    assert_null(safetensors_open("empty.safetensors", &e));
    assert_int_equal(e.class, ERR_USER);
}

/* What opening an index with this weight_map says; "" when it opens. */
static const char *index_verdict(const char *json)
{
    static struct err e;
    e.msg[0] = 0;
    scratch_write("m.safetensors.index.json", text_of(json));
    struct safetensors *s = safetensors_open("m.safetensors.index.json", &e);
    safetensors_close(s);
    assert_int_equal(s != NULL, !e.msg[0]);
    return e.msg;
}

#define INDEX "m.safetensors.index.json: "

static void shards_are_one(void **state)
{
    (void)state;
    struct err e;
    const char *const *paths;
    write_tensors("s1.safetensors", "{\"b\":" T("U8", "[1]", 0, 1) "}", "B", 1);
    write_tensors("s2.safetensors",
                  "{\"a\":" T("U8", "[1]", 0, 1) ",\"c\":" T("U8", "[1]", 1, 2) "}", "AC", 2);
    assert_string_equal(index_verdict("{\"metadata\":{},\"weight_map\":{\"a\":\"s2.safetensors\","
                                      "\"b\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}"),
                        "");
    struct safetensors *s = safetensors_open("m.safetensors.index.json", &e);
    assert_int_equal(safetensors_files(s, &paths), 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(*(const char *)safetensors_at(s, i)->data, 'A' + (int)i);
    safetensors_close(s);
}

static void bad_indexes(void **state)
{
    (void)state;
    write_tensors("s1.safetensors", "{\"b\":" T("U8", "[1]", 0, 1) "}", "B", 1);
    write_tensors("s3.safetensors", "{\"b\":" T("U8", "[1]", 0, 1) "}", "B", 1);
    assert_string_equal(index_verdict("[]"), INDEX "key 'weight_map' is missing");
    assert_string_equal(index_verdict("{\"weight_map\":{}}"), INDEX "weight_map is empty");
    assert_string_equal(index_verdict("{\"weight_map\":{\"b\":7}}"),
                        INDEX "weight_map: 'b' is a number, must be a file's name");
    assert_string_equal(
        index_verdict("{\"weight_map\":{\"b\":\"../s1.safetensors\"}}"),
        INDEX "weight_map: 'b' names file '../s1.safetensors': it must lie beside the index");
    assert_string_equal(index_verdict("{\"weight_map\":{\"b\":\"..\"}}"),
                        INDEX "weight_map: 'b' names file '..': it must lie beside the index");
    assert_string_equal(index_verdict("{\"weight_map\":{\"b\":\"absent.safetensors\"}}"),
                        INDEX "absent.safetensors: No such file or directory");
    assert_string_equal(index_verdict("{\"weight_map\":{\"x\":\"s1.safetensors\"}}"), INDEX
                        "tensor 'x' is not in s1.safetensors, as the index says: fetch both again");
    assert_string_equal(
        index_verdict("{\"weight_map\":{\"b\":\"s1.safetensors\",\"d\":\"s3.safetensors\"}}"),
        INDEX "tensor 'b' is in two files: s1.safetensors and s3.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_headers),
        cmocka_unit_test(damaged_headers),
        cmocka_unit_test(header_lengths),
        cmocka_unit_test(wrong_dtypes_and_shapes),
        cmocka_unit_test(wrong_offsets),
        cmocka_unit_test(a_file_is_mapped_and_searched),
        cmocka_unit_test(misaligned_data_is_copied),
        cmocka_unit_test(files_are_named_in_errors),
        cmocka_unit_test(shards_are_one),
        cmocka_unit_test(bad_indexes),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
