/* What the files of the store share; tests may look too. */
#ifndef KVLAB_STORE_INT_H
#define KVLAB_STORE_INT_H

#include "harness/store/store.h"

struct store {
    struct db *db;
    char owner[STORE_OWNER_MAX]; // of this process, see store_owner.c
};

/* ---- store.c: versions ---- */

enum { STORE_APPLICATION_ID = 0x6b766c62 }; // "kvlb"

/* Steps in order: sql[v] leads from version v to v + 1. Statements without BEGIN. */
struct store_steps {
    const char *const *sql;
    int n;
};

/* Takes the database from its version to list.n in one transaction; a file that holds nothing is
 * of version 0. Does nothing when another process has just done it. */
int store_migrate(struct db *db, struct store_steps list, struct err *e);

/* Whether it is ours and of which age, by what the file says it is; ERR_USER where it is not. */
int store_stamp(struct db *db, bool *older, struct err *e);

/* ---- store_source.c ---- */

/* A file of the newest version that holds what another one holds: that one itself, or a temporary
 * copy that was brought up to date. The other one is never changed. */
struct store_source {
    char *path;
    bool copy;
};
int store_source_open(const char *path, struct store_source *s, struct err *e);
void store_source_close(struct store_source *s); // removes the copy

/* ---- store_owner.c ---- */

enum store_owner_state { OWNER_ALIVE, OWNER_DEAD, OWNER_ELSEWHERE };
enum store_owner_state store_owner_look(const char *owner);

#endif
