/* Databases of earlier versions: data/store/version_N.sql makes one. Brought up to date it holds
 * all that it held, and its schema is that of a new one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/store/store_int.h"
#include "tests/unit/scratch.h"
#include "tests/unit/sql_rows.h"

enum { OLDEST = 1, NEWEST = 6 };

static struct err e;

#define must(call)                                                                                 \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s", e.msg);                                                                 \
    } while (0)

static void make_old(const char *path, int version)
{
    struct buf b;
    struct text sql;
    struct db *db;
    const char *top = getenv("KVLAB_TOP");
    buf_init(&b);
    buf_printf(&b, "%s/tests/unit/data/store/version_%d.sql", top ? top : ".", version);
    must(file_read(b.s, &sql, &e));
    must(db_open(path, DB_CREATE, &db, &e));
    must(db_exec(db, sql.s, &e));
    db_close(db);
    free((void *)sql.s);
    buf_release(&b);
}

/* ---- what an old one held ---- */

/* A line a table or view: the query that shows all of it, by the columns that it had. docs is the
 * program's own text and grows, and so do protocols by the options that came later. */
static const char queries_sql[] =
    "SELECT 'SELECT ' || group_concat('\"' || i.name || '\"') || ' FROM ' || o.name ||"
    " CASE o.name WHEN 'protocol_option' THEN"
    "  ' WHERE name NOT IN (''compress_at'', ''decode_tail'', ''metric'', ''layers'')' ELSE '' END "
    "||"
    " ' ORDER BY 1, 2' FROM sqlite_schema o, pragma_table_info(o.name) i"
    " WHERE o.type IN ('table', 'view') AND o.name NOT IN ('docs') GROUP BY o.name";

static void dump(struct db *db, const char *queries, struct buf *out)
{
    char *copy = xstrdup(queries), *rest = copy, *line;
    while ((line = rest) && *line) {
        rest = strchr(line, '\n');
        if (rest)
            *rest++ = 0;
        buf_printf(out, "%s\n", line);
        sql_rows(db, line, out);
    }
    free(copy);
}

static void nothing_is_lost(void **state)
{
    (void)state;
    for (int v = OLDEST; v < NEWEST; v++) {
        struct db *db;
        struct store *s;
        struct buf queries, before, after;
        buf_init(&queries), buf_init(&before), buf_init(&after);
        make_old("held.db", v);
        must(db_open("held.db", DB_READONLY, &db, &e));
        sql_rows(db, queries_sql, &queries);
        dump(db, queries.s, &before);
        db_close(db);
        assert_non_null(strstr(before.s, "an answer in")); // the query finds rows
        must(store_open("held.db", STORE_READWRITE, &s, &e));
        dump(store_db(s), queries.s, &after);
        assert_string_equal(before.s, after.s);
        buf_reset(&after);
        sql_rows(store_db(s), "PRAGMA foreign_key_check", &after);
        if (v == 1) // had no ledger
            sql_rows(store_db(s),
                     "SELECT * FROM item_ledger UNION ALL SELECT job, run, 0, 0, 0 FROM traffic",
                     &after);
        assert_string_equal(after.s, "");
        store_close(s);
        unlink("held.db");
        buf_release(&queries), buf_release(&before), buf_release(&after);
    }
}

/* ---- what it has become ---- */

/* SQL as it was written, but for blanks. */
static void put_schema(struct db *db, struct buf *out)
{
    struct buf raw;
    buf_init(&raw);
    sql_rows(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2, 3", &raw);
    for (size_t i = 0; i < raw.n; i++)
        if (raw.s[i] != ' ' && raw.s[i] != '\n')
            buf_char(out, raw.s[i]);
    buf_release(&raw);
    sql_rows(db, "SELECT * FROM docs ORDER BY 1, 2", out);
    sql_rows(db, "PRAGMA application_id", out);
    sql_rows(db, "PRAGMA user_version", out);
}

static void it_becomes_what_a_new_one_is(void **state)
{
    (void)state;
    struct store *s;
    struct buf fresh, old;
    buf_init(&fresh), buf_init(&old);
    must(store_open("fresh.db", STORE_CREATE, &s, &e));
    put_schema(store_db(s), &fresh);
    store_close(s);
    for (int v = OLDEST; v < NEWEST; v++) {
        make_old("old.db", v);
        must(store_open("old.db", STORE_READONLY, &s, &e)); // readers, too, find it up to date
        buf_reset(&old);
        put_schema(store_db(s), &old);
        assert_string_equal(fresh.s, old.s);
        store_close(s);
        unlink("old.db");
    }
    buf_release(&fresh), buf_release(&old);
}

/* What the JSON of protocols and configurations held has its rows; what is no JSON has none. */
static void json_becomes_rows(void **state)
{
    (void)state;
    struct store *s;
    struct buf b;
    buf_init(&b);
    make_old("json.db", 3);
    must(store_open("json.db", STORE_READWRITE, &s, &e));
    sql_rows(store_db(s),
             "SELECT id, compute, newline_stop, first_may_stop, max_new_tokens,"
             " (SELECT count(*) FROM protocol_option WHERE protocol = id) FROM protocol",
             &b);
    sql_rows(store_db(s),
             "SELECT * FROM protocol_option WHERE name IN ('compute', 'bos', 'wrapper')", &b);
    sql_rows(store_db(s), "SELECT * FROM experiment_factor", &b);
    assert_string_equal(b.s,
                        "1|bf16|0|1|64|15\n2|f32|1|0|NULL|15\n3|NULL|NULL|NULL|NULL|0\n"
                        "1|bos|true\n1|compute|bf16\n1|wrapper|llama2\n"
                        "2|bos|false\n2|compute|f32\n2|wrapper|none\n"
                        "1|1|kvo-default|kvo.key_bits|4|1\n1|3|kvo-default|kvo.key_bits|2|1\n"
                        "1|4|kvo-default|kvo.key_bits|4|4\n1|6|kvo-default|kvo.key_bits|2|4\n");
    store_close(s);
    buf_release(&b);
}

/* A row that leads nowhere: the step is not taken, and the file stays as it was. */
static void what_leads_nowhere_is_refused(void **state)
{
    (void)state;
    struct store *s;
    struct db *db;
    int64_t version = 0;
    make_old("lost.db", 3);
    must(db_open("lost.db", DB_READWRITE, &db, &e));
    must(db_exec(db, "PRAGMA foreign_keys = OFF; DELETE FROM model", &e));
    db_close(db);
    assert_int_equal(store_open("lost.db", STORE_READWRITE, &s, &e), -1);
    assert_non_null(strstr(e.msg, "7 of its rows refer to rows that are missing"));
    must(db_open("lost.db", DB_READONLY, &db, &e));
    assert_int_equal(db_get_int(db, "PRAGMA user_version", NULL, 0, &version, &e), 1);
    assert_int_equal(version, 3);
    db_close(db);
}

/* What was left ready is claimed and gets its ledger; what was done before has none. */
static void work_goes_on_in_it(void **state)
{
    (void)state;
    struct store *s;
    struct store_claim c;
    struct store_result r = STORE_RESULT;
    struct store_ledger ledger[] = {{"recent", 10, 200, 30}, {"pairs", 4, 50, 0}};
    struct buf b;
    buf_init(&b);
    make_old("on.db", 1);
    must(store_open("on.db", STORE_READWRITE, &s, &e));
    must(store_claim(s, 0, &c, &e));
    assert_int_equal(c.n, 1);
    r.prediction = text_of("x");
    r.prompt_tokens = 100, r.new_tokens = 11;
    r.kv_basis = "held";
    r.ledger = ledger, r.n_ledger = 2;
    struct store_finished done = {.job = c.jobs[0].job, .build = 1, .result = &r};
    must(store_finish(s, &done, 1, &e));
    assert_true(done.kept);
    sql_rows(store_db(s),
             "SELECT setting, steps, context, held_bytes, read_bytes, written_bytes,"
             " metadata_read_bytes, rows_read_bytes, dense_share, weights_read_bytes FROM traffic",
             &b);
    sql_rows(store_db(s), "SELECT * FROM item_ledger", &b);
    assert_string_equal(b.s, "full|10|104.5|14|250|30|50.0|0.0|0.0|NULL\n"
                             "73|pairs|4|50|0\n73|recent|10|200|30\n");
    store_claim_free(&c);
    store_close(s);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost),    cmocka_unit_test(it_becomes_what_a_new_one_is),
        cmocka_unit_test(json_becomes_rows),  cmocka_unit_test(what_leads_nowhere_is_refused),
        cmocka_unit_test(work_goes_on_in_it),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
