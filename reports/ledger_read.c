#include "reports/ledger_read.h"

#include <stdlib.h>
#include <string.h>

static int by_job(const void *a, const void *b)
{
    const struct ledger_item *x = a, *y = b;
    return (x->item->job > y->item->job) - (x->item->job < y->item->job);
}

/* Items of one experiment most often are. */
static bool are_sorted(const struct ledger_item *item, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (item[i - 1].item->job > item[i].item->job)
            return false;
    return true;
}

/* Millions of rows: most names fall at their first letter. */
static int class_of(struct text name)
{
    for (int c = 0; c < EMA_CLASSES; c++) {
        const char *class = ema_class_name((enum ema_class)c);
        if (name.n && *name.s == *class && text_is(name, class))
            return c;
    }
    return -1;
}

static int read_rows(struct stmt *q, const struct ledger_item *item, size_t n,
                     void (*add)(const struct ledger_item *i, const struct ledger_row *row),
                     struct err *e)
{
    int rc;
    int64_t before = 0;
    size_t at = 0;
    while ((rc = stmt_step(q, e)) == 1) {
        const int64_t job = stmt_int(q, 0);
        while (at < n && item[at].item->job < job)
            at++;
        const int class = class_of(stmt_text(q, 1));
        if (at == n || item[at].item->job != job || class < 0)
            continue;
        const struct ledger_row row = {.class = (enum ema_class) class,
                                       .first = job != before,
                                       .held = (double)stmt_int(q, 2),
                                       .read = (double)stmt_int(q, 3),
                                       .written = (double)stmt_int(q, 4)};
        add(&item[at], &row);
        before = job;
    }
    return rc;
}

int ledger_read(struct store *s, struct ledger_item *item, size_t n,
                void (*add)(const struct ledger_item *i, const struct ledger_row *row),
                struct err *e)
{
    static const char sql[] = "SELECT job, class, held_bytes, read_bytes, written_bytes"
                              " FROM item_ledger WHERE job BETWEEN ?1 AND ?2 ORDER BY job";
    struct stmt *q;
    if (!n)
        return 0;
    if (!are_sorted(item, n))
        qsort(item, n, sizeof *item, by_job);
    const struct db_val v[] = {val_int(item[0].item->job), val_int(item[n - 1].item->job)};
    if (stmt_open(store_db(s), sql, v, 2, &q, e))
        return -1;
    int rc = read_rows(q, item, n, add, e);
    stmt_close(q);
    return rc;
}
