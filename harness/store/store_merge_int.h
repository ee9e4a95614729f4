/*
 * What the files of merging share: store_merge.c does a file piece by piece, store_merge_jobs.c
 * decides between two of one item, store_merge_sql.c makes a statement from a table's columns.
 */
#ifndef KVLAB_STORE_MERGE_INT_H
#define KVLAB_STORE_MERGE_INT_H

#include "harness/store/store_care.h"
#include "harness/store/store_int.h"

/* key: what makes a row the same in both. map: others refer to its id, so temp.map_NAME leads from
 * theirs (src) to ours (dst). where: which rows, as a condition on s (theirs) and the maps, with ?1
 * and ?2 around the jobs of the piece. */
struct merged_table {
    const char *name, *key;
    bool map;
    const char *where;
    /* Of two rows with one key each column is the smaller one; or: */
    enum { MERGE_COLUMNS, MERGE_WHOLE, MERGE_NEITHER } choice; // the smaller row; ours stays
    const char *latest;                                        // this column is the larger one
    const char *fixed;                                         // this one stays as it is
};

struct merge {
    struct db *db;
    struct store_merged *out;
    store_conflict_told *tell;
    void *arg;
    bool told_published;
    double began;     // when the transaction had the lock, as clock_seconds()
    int64_t from, to; // ids of their jobs: above the one, up to the other
    struct err *e;
};

/* ---- store_merge_sql.c ---- */

/* A column of a table, in its order and without the id. */
struct merge_column {
    char *name, *refers; // to which table, or ""
    bool plain;          // neither key nor id of a row nor fixed
    const char *pick;    // "min" or "max"
};
struct merge_columns {
    struct merge_column *list;
    int n;
};
int merge_columns_read(struct merge *m, const struct merged_table *t, struct merge_columns *c);
void merge_columns_release(struct merge_columns *c);

/* The pattern for each plain column, with commas between: % is its name, @ its pick. */
void merge_put_each(struct buf *b, const struct merge_columns *c, const char *pattern);
/* All columns; their values in a row s of the source; the maps that these need. */
void merge_put_names(struct buf *b, const struct merge_columns *c);
void merge_put_values(struct buf *b, const struct merge_columns *c, const char *table);
void merge_put_joins(struct buf *b, const struct merge_columns *c);

/* Rows that are written count in out->rows. */
int merge_run(struct merge *m, const char *sql, const struct db_val *v, int n, int64_t *changes);
/* Rows of a table that are not here, and its choice for those that are; then its map. */
int merge_copy(struct merge *m, const struct merged_table *t);

/* ---- store_merge_jobs.c ---- */

/* Jobs of the piece and what hangs on them, conflicts told. temp.map_job has src and dst of each;
 * how: added, better, same, conflict, kept; and take: it is theirs that stands here now. */
int merge_jobs(struct merge *m);
/* Published numbers that both have and that differ; to be called before they are copied. */
int merge_tell_published(struct merge *m);

#endif
