#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "harness/base/file.h"
#include "harness/base/hash.h"
#include "tests/unit/scratch.h"

/* How many files lie in the scratch folder. */
static int n_files(void)
{
    DIR *d = opendir(".");
    int n = 0;
    for (struct dirent *f; (f = readdir(d));)
        n += f->d_name[0] != '.';
    closedir(d);
    return n;
}

static void written_is_read(void **state)
{
    (void)state;
    struct err e;
    struct text got, content = {"a\0\nb", 4};
    struct file_map m;
    assert_int_equal(file_write("f", text_of("older and longer"), &e), 0);
    assert_int_equal(file_write("f", content, &e), 0);
    assert_int_equal(n_files(), 1);
    assert_int_equal(file_read("f", &got, &e), 0);
    assert_true(text_eq(got, content));
    free((void *)got.s);
    assert_int_equal(file_map("f", &m, &e), 0);
    assert_true(text_eq((struct text){(const char *)m.data, m.size}, content));
    file_unmap(&m);
    unlink("f");
}

static void an_empty_file(void **state)
{
    (void)state;
    struct err e;
    struct text got;
    struct file_map m;
    char hex[SHA256_HEX];
    assert_int_equal(file_write("empty", text_of(""), &e), 0);
    assert_int_equal(file_read("empty", &got, &e), 0);
    assert_int_equal(got.n, 0);
    free((void *)got.s);
    assert_int_equal(file_map("empty", &m, &e), 0);
    assert_null(m.data);
    file_unmap(&m);
    assert_int_equal(hash_sha256_file("empty", hex, &e), 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    unlink("empty");
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    struct err e;
    struct text got;
    struct file_map m;
    assert_int_equal(file_read("none", &got, &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_string_equal(e.msg, "none: No such file or directory");
    assert_int_equal(file_read(".", &got, &e), -1);
    assert_string_equal(e.msg, ".: is a folder, a file is wanted");
    assert_int_equal(file_map("none", &m, &e), -1);
    assert_int_equal(file_map(".", &m, &e), -1);
    assert_string_equal(e.msg, ".: is not a regular file");
}

static void what_cannot_be_written(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(file_write("none/f", text_of("x"), &e), -1);
    assert_int_equal(e.class, ERR_USER);
    assert_string_equal(e.msg, "none/f: cannot be written: No such file or directory");
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_int_equal(file_write("folder", text_of("x"), &e), -1); // the rename fails
    assert_int_equal(e.class, ERR_SYSTEM);
    assert_int_equal(n_files(), 1); // the temporary file is gone
    rmdir("folder");
}

/* A full disk, by way of a limit on the size of files: what was there stays as it was. */
static void a_short_write_leaves_the_old_file(void **state)
{
    (void)state;
    static char big[100000];
    struct err e;
    struct text got;
    struct rlimit old, small;
    assert_int_equal(file_write("f", text_of("old"), &e), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){5000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = file_write("f", (struct text){big, sizeof big}, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(e.class, ERR_SYSTEM);
    assert_string_equal(e.msg, "f: cannot be written: File too large");
    assert_int_equal(n_files(), 1);
    assert_int_equal(file_read("f", &got, &e), 0);
    assert_true(text_is(got, "old"));
    free((void *)got.s);
    unlink("f");
}

static void paths(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "/b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *p = file_join_dup(cases[i][0], cases[i][1]);
        assert_string_equal(p, cases[i][2]);
        free(p);
    }
    assert_true(file_exists(".") && file_is_dir("."));
    assert_false(file_exists("none") || file_is_dir("none"));
}

static void known_hashes(void **state)
{
    (void)state;
    char sha256[SHA256_HEX], sha1[SHA1_HEX];
    hash_sha256(text_of("abc"), sha256); // FIPS 180-2, appendix B.1
    assert_string_equal(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_git_blob(text_of(""), sha1);
    assert_string_equal(sha1, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    hash_git_blob(text_of("hello\n"), sha1);
    assert_string_equal(sha1, "ce013625030ba8dba906f756967f9e9ca394464a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_is_read),
        cmocka_unit_test(an_empty_file),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(what_cannot_be_written),
        cmocka_unit_test(a_short_write_leaves_the_old_file),
        cmocka_unit_test(paths),
        cmocka_unit_test(known_hashes),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
