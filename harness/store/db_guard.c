/* What a statement may do, for SQL that people type: only read, and not for ever. */
#include "harness/store/db.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "harness/base/clock.h"
#include "harness/store/db_int.h"

static const char *const harmless_pragmas[] = {"table_info",        "table_xinfo",
                                               "table_list",        "index_list",
                                               "index_info",        "index_xinfo",
                                               "database_list",     "foreign_key_list",
                                               "function_list",     "compile_options",
                                               "quick_check",       "integrity_check",
                                               "foreign_key_check", NULL};

/* These read without a value and write with one. */
static const char *const harmless_settings[] = {"user_version",   "application_id", "journal_mode",
                                                "page_count",     "page_size",      "encoding",
                                                "freelist_count", "foreign_keys",   NULL};

static bool among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (!strcasecmp(*names, name))
            return true;
    return false;
}

/* Past blanks and comments. */
static const char *skip_comments(const char *sql)
{
    const char *end = sql;
    do {
        sql = end + strspn(end, " \t\r\n;(");
        end = !strncmp(sql, "--", 2)   ? strchr(sql, '\n')
              : !strncmp(sql, "/*", 2) ? strstr(sql, "*/")
                                       : NULL;
        end = end && *end == '*' ? end + 2 : end;
    } while (end);
    return sql;
}

/* For messages: a CREATE, asked of the authorizer, is an INSERT into the schema. */
void db_first_word(const char *sql, char out[32])
{
    size_t n = 0;
    sql = skip_comments(sql);
    for (; n < 31 && isalpha((unsigned char)sql[n]); n++)
        out[n] = (char)toupper((unsigned char)sql[n]);
    out[n] = 0;
}

static const char *statement_name(const char *word, int action)
{
    if (*word && strcmp(word, "SELECT") && strcmp(word, "WITH") && strcmp(word, "EXPLAIN"))
        return word;
    return action == SQLITE_INSERT   ? "INSERT"
           : action == SQLITE_UPDATE ? "UPDATE"
           : action == SQLITE_DELETE ? "DELETE"
                                     : "that statement";
}

static bool may_read(int action, const char *first, const char *second)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return true;
    case SQLITE_FUNCTION:
        return strcasecmp(second, "load_extension") != 0;
    case SQLITE_PRAGMA:
        return among(harmless_pragmas, first) || (!second && among(harmless_settings, first));
    default:
        return false;
    }
}

static int authorize(void *arg, int action, const char *first, const char *second,
                     const char *schema, const char *trigger)
{
    struct db *db = arg;
    (void)schema, (void)trigger;
    if (may_read(action, first, second))
        return SQLITE_OK;
    if (action == SQLITE_PRAGMA)
        snprintf(db->refused, sizeof db->refused, "PRAGMA %.60s%s", first,
                 second ? " with a value" : "");
    else
        snprintf(db->refused, sizeof db->refused, "%s", statement_name(db->word, action));
    return SQLITE_DENY;
}

/* A table-valued function declares its table at its first use, in statements that the authorizer
 * would refuse: it is used once before. */
static void meet_functions(struct db *db)
{
    static const char *const first_use[] = {
        "SELECT 1 FROM json_each('[]')",
        "SELECT 1 FROM json_tree('[]')",
        "SELECT 1 FROM pragma_table_info('docs')",
        "SELECT 1 FROM pragma_table_xinfo('docs')",
        "SELECT 1 FROM pragma_table_list",
        "SELECT 1 FROM pragma_index_list('docs')",
        "SELECT 1 FROM pragma_foreign_key_list('docs')",
        "SELECT 1 FROM pragma_function_list",
    };
    for (size_t i = 0; i < sizeof first_use / sizeof *first_use; i++)
        sqlite3_exec(db->h, first_use[i], NULL, NULL, NULL);
}

void db_only_read(struct db *db)
{
    meet_functions(db);
    db_drop_kept(db);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_set_authorizer(db->h, authorize, db);
}

/* ---- time ---- */

enum { STEPS = 20000 }; // of SQLite's machine between two looks: some tenths of a millisecond

static int look(void *arg)
{
    struct db *db = arg;
    if (db->asked && *db->asked)
        db->stop = DB_ASKED;
    else if (db->deadline > 0 && clock_seconds() > db->deadline)
        db->stop = DB_LATE;
    return db->stop != DB_RUNS;
}

void db_watch(struct db *db, struct db_watch w)
{
    db->asked = w.asked;
    db->deadline = w.seconds > 0 ? clock_seconds() + w.seconds : 0;
    db->stop = DB_RUNS;
    sqlite3_progress_handler(db->h, STEPS, look, db);
}

enum db_stop db_stopped(const struct db *db)
{
    return db->stop;
}
