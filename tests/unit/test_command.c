#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "runner/command.h"

static const struct command cmd = {.name = "paint", .usage = "paint [FLAGS] [WHAT]"};

/* What one command line was read as. */
struct line {
    const char *db, *once, *sets[2], *rest[2];
    int once_on, fast, n_sets, n_rest, rc;
    struct err e;
};

static struct line *read_line(const char *const *words)
{
    static struct line l;
    char *argv[12] = {(char *)"paint"};
    int argc = 1;
    while (words[argc - 1]) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    l = (struct line){0};
    const struct flag flags[] = {
        {.name = "--db", .value = &l.db},
        {.name = "--once", .value = &l.once, .on = &l.once_on},
        {.name = "--fast", .on = &l.fast},
        {.name = "--set", .list = l.sets, .max = 2, .n = &l.n_sets},
        {0},
    };
    l.rc = command_flags(&cmd, argc, argv, flags, l.rest, 2, &l.n_rest, &l.e);
    return &l;
}

#define READ(...) read_line((const char *const[]){__VA_ARGS__, NULL})

static void values_switches_and_the_rest(void **state)
{
    (void)state;
    struct line *l = READ("--db", "x.db", "a", "--fast", "--set=k=v", "--set", "k2=v2", "-");
    assert_int_equal(l->rc, 0);
    assert_string_equal(l->db, "x.db");
    assert_true(l->fast);
    assert_int_equal(l->n_sets, 2);
    assert_string_equal(l->sets[0], "k=v");
    assert_string_equal(l->sets[1], "k2=v2");
    assert_int_equal(l->n_rest, 2);
    assert_string_equal(l->rest[0], "a");
    assert_string_equal(l->rest[1], "-");
    l = READ("--db=", "--", "--fast");
    assert_int_equal(l->rc, 0);
    assert_string_equal(l->db, "");
    assert_false(l->fast);
    assert_string_equal(l->rest[0], "--fast");
}

static void refused(struct line *l, const char *message)
{
    assert_int_equal(l->rc, -1);
    assert_int_equal(l->e.class, ERR_USER);
    assert_string_equal(l->e.msg, message);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refused(READ("--fats"), "paint: unknown flag '--fats', did you mean '--fast'?"
                            " (kvlab paint --help lists them)");
    refused(READ("--xyzzy"), "paint: unknown flag '--xyzzy' (kvlab paint --help lists them)");
    refused(READ("--fast=1"), "paint: flag --fast takes no value");
    refused(READ("--db"), "paint: flag --db needs a value");
    refused(READ("--once=1", "--once=2"), "paint: flag --once is given twice");
    refused(READ("--set=1", "--set=2", "--set=3"), "paint: flag --set may be given 2 times");
    refused(READ("a", "b", "c"), "paint: what is 'c'? (usage: kvlab paint [FLAGS] [WHAT])");
}

static void common_flags(void **state)
{
    (void)state;
    static const struct {
        const char *flag;
        enum log_level level;
    } cases[] = {
        {"-q", LOG_QUIET}, {"-v", LOG_VERBOSE}, {"-vv", LOG_DEBUG}, {"--quiet", LOG_QUIET}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(READ(cases[i].flag)->rc, 0);
        assert_int_equal(log_get_level(), cases[i].level);
    }
    log_set_level(LOG_NORMAL);
    assert_int_equal(READ("a", "--help", "--unknown")->rc, 1);
}

static void whole_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "x", "1x", "0", "10", "1.0", "99999999999999999999"};
    struct err e;
    long x;
    assert_int_equal(command_int("--n", "9", 1, 9, &x, &e), 0);
    assert_int_equal(x, 9);
    assert_int_equal(command_int("--n", "-5", -5, 9, &x, &e), 0);
    assert_int_equal(x, -5);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(command_int("--n", wrong[i], 1, 9, &x, &e), -1);
    assert_string_equal(e.msg, "--n is '99999999999999999999', must be a whole number from 1 to 9");
}

static void home(void **state)
{
    (void)state;
    setenv("KVLAB_HOME", "/somewhere", 1);
    char *path = command_path_dup("configs");
    assert_string_equal(path, "/somewhere/configs");
    free(path);
    unsetenv("KVLAB_HOME"); // above this program lies the tree that it was built from
    path = command_path_dup("configs/models");
    assert_true(file_is_dir(path));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_switches_and_the_rest),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(common_flags),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
