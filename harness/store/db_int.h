/*
 * What the files of the wrapper share: db.c (connection, errors), db_stmt.c (statements) and
 * db_guard.c (what a statement may do, and for how long). The only file that includes sqlite3.h.
 */
#ifndef KVLAB_DB_INT_H
#define KVLAB_DB_INT_H

#include <sys/types.h>

#include <sqlite3.h>

#include "harness/store/db.h"

enum { DB_BUSY_MS = 30000, DB_KEPT = 24 };

struct stmt {
    sqlite3_stmt *h;
    struct db *db;
};

struct db {
    sqlite3 *h;
    char *path;
    enum db_mode mode;
    dev_t device; // the file, however it may be called
    ino_t inode;
    char word[32];     // first word of the statement last prepared
    char refused[128]; // what the authorizer said no to in it
    bool tidy;         // see tidy_up()
    char *attached;    // path of the second file, or NULL
    bool tidy_attached;
    struct stmt *kept[DB_KEPT]; // statements to be used again, the latest last
    int n_kept;
    int error_at;    // see db_error_at()
    double deadline; // by clock_seconds(); 0: none
    const volatile sig_atomic_t *asked;
    enum db_stop stop;
};

/* From a result code of SQLite; returns -1. */
int db_error(struct db *db, int rc, struct err *e);

/* Ends the statements that are kept: before the connection closes, or has another authorizer. */
void db_drop_kept(struct db *db);

/* The statement's first word, for messages. */
void db_first_word(const char *sql, char out[32]);

#endif
