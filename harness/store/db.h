/*
 * SQLite, thinly: a connection, statements with typed values in and out, errors with the path.
 * Knows no table. db.c, db_stmt.c and db_guard.c are the only files that know SQLite's interface.
 *
 * Error classes: what the user can mend by naming another file or SQL (no such file, not a
 * database, damaged, not writable, bad SQL) is ERR_USER; a full disk, an I/O error and a lock that
 * does not go away are ERR_SYSTEM. A connection belongs to one thread and must not cross a fork.
 */
#ifndef KVLAB_DB_H
#define KVLAB_DB_H

#include <signal.h>
#include <stdint.h>

#include "harness/base/text.h"

struct db;   // a connection
struct stmt; // a prepared statement

enum db_mode { DB_READONLY, DB_READWRITE, DB_CREATE };

/* The file need not be a database yet that anything was read from: the first statement finds out.
 */
int db_open(const char *path, enum db_mode mode, struct db **out, struct err *e);
void db_close(struct db *db);
/* Around a fork: the file is let go of, and taken up again. Between the two nothing is called but
 * db_close. SQLite's locks are the process's: a child that opened the file while its parent's
 * connection lay in its memory would take locks for held that it does not hold. */
void db_let_go(struct db *db);
int db_take_up(struct db *db, struct err *e);
const char *db_path(const struct db *db);

/* A second file, read-only and unchanged, whose tables are source.NAME until db_detach (or
 * db_close); one at a time, and not in a transaction. */
int db_attach(struct db *db, const char *path, struct err *e);
void db_detach(struct db *db);

/* ---- for SQL that people type ---- */

/* From now on only SELECT and harmless PRAGMAs compile; all else is refused by name. */
void db_only_read(struct db *db);

/* From now on a statement that goes on too long, or that somebody wants no more of, ends with an
 * error; db_stopped() says which it was. */
struct db_watch {
    double seconds;                     // from this call on; 0: no limit
    const volatile sig_atomic_t *asked; // a signal handler sets it; or NULL
};
enum db_stop { DB_RUNS, DB_LATE, DB_ASKED };
void db_watch(struct db *db, struct db_watch w);
enum db_stop db_stopped(const struct db *db);

/* Which byte of the SQL the last statement that did not compile goes wrong at; -1: none. */
int db_error_at(const struct db *db);

/* One or more statements without values, results ignored. */
int db_exec(struct db *db, const char *sql, struct err *e);

/* BEGIN IMMEDIATE: waits for other writers; ERR_SYSTEM where the file was deleted, moved or
 * replaced since it was opened: what is written would be lost. Not nested. db_rollback() is for the
 * way out of an error: it keeps quiet, and does nothing when no transaction is open. */
int db_begin(struct db *db, struct err *e);
int db_commit(struct db *db, struct err *e);
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);

/* Many rows are about to be written in one transaction: pages stay in memory (256 MiB of them)
 * until it ends, so that each is written once. */
void db_bulk(struct db *db);

/* A value to bind. Borrowed for the call that takes it. */
struct db_val {
    enum { VAL_NULL, VAL_INT, VAL_NUM, VAL_TEXT } type;
    int64_t i;
    double x;
    struct text t;
};

struct db_val val_int(int64_t i);
struct db_val val_num(double x);          // NaN: NULL
struct db_val val_str(const char *s);     // NULL: NULL
struct db_val val_text(struct text t);    // .s == NULL: NULL
struct db_val val_int_or_null(int64_t i); // negative: NULL

/* A statement, its values run through ?1, ?2, ...; rows by stmt_step(): 1 a row, 0 no more, -1.
 * sql must hold exactly one statement (ERR_USER otherwise). Compiling one takes longer than most
 * rows: a closed one is kept for the next that is opened with the same SQL. */
int stmt_open(struct db *db, const char *sql, const struct db_val *v, int n, struct stmt **out,
              struct err *e);
int stmt_step(struct stmt *s, struct err *e);
void stmt_close(struct stmt *s); // NULL is fine

/* Values by hand, where stmt_open() was given none: parameters count from 1; the name has its sign
 * (":task"), and is NULL where there is only a question mark. Unbound ones are NULL. */
int stmt_parameters(const struct stmt *s);
const char *stmt_parameter(const struct stmt *s, int i);
int stmt_bind(struct stmt *s, int i, const struct db_val *v, struct err *e);

enum col_type { COL_NULL, COL_INT, COL_NUM, COL_TEXT, COL_BLOB };
int stmt_columns(const struct stmt *s);
const char *stmt_name(const struct stmt *s, int column);
enum col_type stmt_type(const struct stmt *s, int column);
int64_t stmt_int(const struct stmt *s, int column);
double stmt_num(const struct stmt *s, int column);       // NULL: NaN
struct text stmt_text(const struct stmt *s, int column); // until the next step; NULL: .s == NULL
/* The same as an owned string (NULL as ""); the caller frees. */
char *stmt_str_dup(const struct stmt *s, int column);

/* A statement that gives no rows; *changes (or NULL) is how many rows it changed. */
int db_run(struct db *db, const char *sql, const struct db_val *v, int n, int64_t *changes,
           struct err *e);
int64_t db_last_id(const struct db *db); // of the row last inserted by this connection
/* The first column of the first row; *out is untouched when there is no row (returns 0 then, 1
 * with a row). */
int db_get_int(struct db *db, const char *sql, const struct db_val *v, int n, int64_t *out,
               struct err *e);

#endif
