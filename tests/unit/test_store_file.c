/* The database file under its connections: a process forks between them, the file goes away. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/wait.h>

#include "harness/store/store.h"
#include "tests/unit/scratch.h"

static struct err e;

static struct store *opened(const char *path)
{
    struct store *s = NULL;
    if (store_open(path, STORE_CREATE, &s, &e))
        fail_msg("%s", e.msg);
    return s;
}

static int put(struct store *s, const char *name)
{
    struct store_experiment x = {name, "{}", "h"};
    int64_t id;
    return store_begin(s, &e) || store_put_experiment(s, &x, &id, &e) || store_commit(s, &e) ? -1
                                                                                             : 0;
}

static int64_t experiments(struct store *s)
{
    int64_t n = -1;
    assert_int_equal(db_get_int(store_db(s), "SELECT count(*) FROM experiment", NULL, 0, &n, &e),
                     1);
    return n;
}

/* Says that it has opened the file, and writes to it when it is told that its parent is gone. */
static _Noreturn void child_main(int told, int tells)
{
    struct store *s;
    char c = 0;
    bool bad = store_open("fork.db", STORE_READWRITE, &s, &e) || put(s, "before") ||
               write(tells, &c, 1) != 1 || read(told, &c, 1) != 1 || put(s, "after");
    store_close(s);
    _exit(bad);
}

/* Who closes a file last takes its log away: nobody may while a child works on it. */
static void a_child_outlives_its_parents_connection(void **state)
{
    (void)state;
    int down[2], up[2], how;
    char c = 0;
    struct store *s = opened("fork.db");
    assert_int_equal(pipe(down) | pipe(up), 0);
    store_let_go(s);
    pid_t child = fork();
    if (child == 0) {
        close(down[1]); // it ends when its parent does
        child_main(down[0], up[1]);
    }
    assert_int_equal(store_take_up(s, &e), 0);
    assert_int_equal(read(up[0], &c, 1), 1);
    assert_int_equal(experiments(s), 1);
    store_close(s);
    assert_true(file_exists("fork.db-wal"));
    s = opened("fork.db"); // somebody comes and goes meanwhile
    store_close(s);
    assert_true(file_exists("fork.db-wal"));
    assert_int_equal(write(down[1], &c, 1), 1);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    s = opened("fork.db");
    assert_int_equal(experiments(s), 2);
    store_close(s);
}

static void told_by_name(int rc, const char *path)
{
    assert_int_equal(rc, -1);
    assert_int_equal(e.class, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, path));
    assert_non_null(strstr(e.msg, "deleted, moved or replaced"));
}

static void a_file_that_is_gone_is_not_written_to(void **state)
{
    (void)state;
    struct store *s = opened("gone.db");
    assert_int_equal(put(s, "x"), 0);
    assert_int_equal(rename("gone.db", "moved.db"), 0);
    told_by_name(put(s, "y"), "gone.db");
    scratch_write("gone.db", text_of("of that name, but another one"));
    told_by_name(put(s, "y"), "gone.db");
    assert_int_equal(rename("moved.db", "gone.db"), 0);
    assert_int_equal(put(s, "y"), 0);
    assert_int_equal(experiments(s), 2);
    store_let_go(s);
    assert_int_equal(unlink("gone.db"), 0);
    told_by_name(store_take_up(s, &e), "gone.db");
    store_close(s);
    assert_false(file_exists("gone.db"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_outlives_its_parents_connection),
        cmocka_unit_test(a_file_that_is_gone_is_not_written_to),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
