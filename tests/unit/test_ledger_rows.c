/* A cache's ledger as rows of the database: every class by a name that the database takes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "runner/ledger_rows.h"
#include "tests/unit/scratch.h"

static void nothing_is_no_row(void **state)
{
    (void)state;
    struct kv_ledger l = {.full = 800, .read_full = 8000};
    struct store_ledger row[LEDGER_ROWS_MAX];
    assert_int_equal(ledger_rows(&l, 0, 0, row), 0);
}

static void bits_are_rounded_up_class_by_class(void **state)
{
    (void)state;
    struct kv_ledger l = {0};
    struct store_ledger row[LEDGER_ROWS_MAX];
    l.held[KV_BASES] = 1;
    l.read[KV_BASES] = 8;
    l.written[KV_BASES] = 9;
    l.written[KV_SUMS] = (uint64_t)1 << 40;
    assert_int_equal(ledger_rows(&l, 0, 0, row), 2);
    assert_string_equal(row[0].class, "bases");
    assert_int_equal(row[0].held_bytes, 1);
    assert_int_equal(row[0].read_bytes, 1);
    assert_int_equal(row[0].written_bytes, 2);
    assert_string_equal(row[1].class, "sums");
    assert_int_equal(row[1].held_bytes, 0);
    assert_int_equal(row[1].written_bytes, (int64_t)1 << 37);
}

static void weights_come_last(void **state)
{
    (void)state;
    struct kv_ledger l = {.held = {[KV_INDEX] = 3}};
    struct store_ledger row[LEDGER_ROWS_MAX];
    assert_int_equal(ledger_rows(&l, 1000, 70000, row), 2);
    assert_string_equal(row[1].class, "weights");
    assert_int_equal(row[1].held_bytes, 1000);
    assert_int_equal(row[1].read_bytes, 70000);
    assert_int_equal(row[1].written_bytes, 0);
}

/* Names are written down twice, here and in the schema; each of ours goes in, once. */
static void the_database_takes_every_class(void **state)
{
    (void)state;
    struct kv_ledger l;
    struct store_ledger row[LEDGER_ROWS_MAX];
    struct store *s;
    struct err e;
    for (int c = 0; c < KV_CLASSES; c++)
        l.held[c] = l.read[c] = l.written[c] = 8;
    assert_int_equal(ledger_rows(&l, 1, 1, row), LEDGER_ROWS_MAX);
    assert_int_equal(store_open("classes.db", STORE_CREATE, &s, &e), 0);
    assert_int_equal(db_exec(store_db(s), "PRAGMA foreign_keys = OFF", &e), 0);
    for (int i = 0; i < LEDGER_ROWS_MAX; i++) {
        struct db_val v = val_str(row[i].class);
        assert_int_equal(
            db_run(store_db(s), "INSERT INTO item_ledger VALUES (1, ?1, 0, 0, 0)", &v, 1, NULL, &e),
            0);
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_row),
        cmocka_unit_test(bits_are_rounded_up_class_by_class),
        cmocka_unit_test(weights_come_last),
        cmocka_unit_test(the_database_takes_every_class),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
