/*
 * Jobs of two databases. Which of two of one item stands is decided by what they are and never by
 * whose they are, so that merging in any order, and twice, gives the same.
 */
#include <string.h>

#include "harness/store/store_merge_int.h"

#define IN_PIECE(id) id " > ?1 AND " id " <= ?2"

static const struct merged_table samples = {
    "sample", "hash", false,
    "s.hash IN (SELECT sample_hash FROM source.job WHERE " IN_PIECE("id") ")",
    .choice = MERGE_COLUMNS};
static const struct merged_table jobs = {"job", "identity", false, IN_PIECE("s.id"),
                                         .choice = MERGE_NEITHER};
static const struct merged_table scores = {
    "score", "job, metric, metric_version", false,
    IN_PIECE("s.job") " AND (map_job.take OR map_job.how = 'same')", .choice = MERGE_COLUMNS};
static const struct merged_table ledgers = {"item_ledger", "job, class", false,
                                            IN_PIECE("s.job") " AND map_job.take",
                                            .choice = MERGE_NEITHER};
static const struct merged_table layers = {"layer_error", "job, layer", false,
                                           IN_PIECE("s.job") " AND map_job.take",
                                           .choice = MERGE_NEITHER};

/* ---- which of two ---- */

/* The first of these that differs decides, the smaller one stands: is there a ledger, when did it
 * end, then every column and the build. x: s or d. */
static void put_rank(struct buf *b, const struct merge_columns *c, const char *x,
                     const char *ledger, const char *build)
{
    const char *each =
        *x == 's' ? "s.% IS NULL, coalesce(s.%, 0)" : "d.% IS NULL, coalesce(d.%, 0)";
    buf_printf(b,
               "(NOT EXISTS (SELECT 1 FROM %s WHERE job = %s.id), coalesce(%s.finished_at, ''), ",
               ledger, x, x);
    merge_put_each(b, c, each);
    buf_printf(b, ", coalesce((SELECT identity FROM %s.build WHERE id = %s.build), ''))", build, x);
}

static const char map_head[] =
    "INSERT INTO temp.map_job SELECT s.id, d.id, CASE WHEN d.id > ?3 THEN 'added'"
    " WHEN s.state = 'done' AND d.state = 'done'"
    "   THEN iif(s.prediction = d.prediction, 'same', 'conflict')"
    " WHEN s.state = 'done' OR s.state = 'failed' AND d.state = 'ready' THEN 'better'"
    " ELSE 'kept' END AS how, CASE WHEN d.id > ?3 THEN 1 WHEN s.state = d.state AND"
    " s.state <> 'running' THEN ";

/* A job that runs here is left to its process unless it is done there. */
static const char map_tail[] =
    " ELSE s.state = 'done' OR s.state = 'failed' AND d.state = 'ready' END"
    " FROM source.job s CROSS JOIN main.job d ON d.identity = s.identity WHERE " IN_PIECE("s.id");

static int map_jobs(struct merge *m, const struct merge_columns *c, int64_t last)
{
    struct db_val v[] = {val_int(m->from), val_int(m->to), val_int(last)};
    struct buf sql;
    buf_init(&sql);
    buf_str(&sql, map_head);
    put_rank(&sql, c, "s", "source.item_ledger", "source");
    buf_str(&sql, " < ");
    put_rank(&sql, c, "d", "main.item_ledger", "main");
    buf_str(&sql, map_tail);
    int rc = db_exec(m->db,
                     "DROP TABLE IF EXISTS temp.map_job; CREATE TEMP TABLE map_job (src INTEGER"
                     " PRIMARY KEY, dst INTEGER NOT NULL, how TEXT NOT NULL, take INTEGER)",
                     m->e);
    if (!rc)
        rc = db_run(m->db, sql.s, v, 3, NULL, m->e);
    buf_release(&sql);
    return rc;
}

static int count_jobs(struct merge *m)
{
    struct stmt *q;
    const char *sql = "SELECT count(*), total(how = 'added'), total(how = 'better'),"
                      " total(how = 'same'), total(how = 'conflict') FROM temp.map_job";
    if (stmt_open(m->db, sql, NULL, 0, &q, m->e))
        return -1;
    int rc = stmt_step(q, m->e);
    m->out->items += stmt_int(q, 0);
    m->out->added += stmt_int(q, 1);
    m->out->better += stmt_int(q, 2);
    m->out->same += stmt_int(q, 3);
    m->out->conflicts += stmt_int(q, 4);
    stmt_close(q);
    return rc == 1 ? 0 : -1;
}

/* ---- conflicts ---- */

static int tell_rows(struct merge *m, const char *what, const char *sql, int64_t *n)
{
    struct stmt *q;
    int rc;
    if (stmt_open(m->db, sql, NULL, 0, &q, m->e))
        return -1;
    for (; (rc = stmt_step(q, m->e)) == 1; ++*n) {
        struct store_conflict c = {what, stmt_text(q, 0).s, stmt_text(q, 1).s, stmt_text(q, 2).s,
                                   stmt_int(q, 3) != 0};
        m->tell(m->arg, &c);
    }
    stmt_close(q);
    return rc;
}

/* The beginning of an answer in one line, when and by what. */
#define ANSWER(j, b)                                                                               \
    "quote(replace(substr(" j ".prediction, 1, 60), char(10), ' ')) || ' (' || " j ".finished_at"  \
    " || coalesce(', ' || trim(coalesce(" b ".version, '') || ' ' || coalesce(" b                  \
    ".\"commit\", '') || ' ' || coalesce(" b ".host, '')), '') || ')'"
#define PLACE                                                                                      \
    " JOIN main.run r ON r.id = d.run JOIN main.model i ON i.id = r.model"                         \
    " JOIN main.setting c ON c.id = r.setting JOIN main.task t ON t.id = d.task"

static const char answers_sql[] =
    "SELECT concat_place, ours, theirs, take FROM (SELECT i.name || ', ' || c.name || ', ' ||"
    " t.name || ', ' || d.sample AS concat_place, " ANSWER("d", "x") " AS ours, " ANSWER("s",
                                                                                         "y") //
    " AS theirs, k.take AS take, d.sample_index AS place FROM temp.map_job k"
    " JOIN main.job d ON d.id = k.dst JOIN source.job s ON s.id = k.src" PLACE
    " LEFT JOIN main.build x ON x.id = d.build LEFT JOIN source.build y ON y.id = s.build"
    " WHERE k.how = 'conflict' ORDER BY i.name, c.name, t.name, d.sample_index)";

static const char scores_sql[] =
    "SELECT i.name || ', ' || c.name || ', ' || t.name || ', ' || d.sample || ', ' || o.metric ||"
    " ' version ' || o.metric_version, quote(o.value), quote(z.value), z.value < o.value"
    " FROM temp.map_job k JOIN source.score z ON z.job = k.src JOIN main.score o ON o.job = k.dst"
    " AND o.metric = z.metric AND o.metric_version = z.metric_version"
    " JOIN main.job d ON d.id = k.dst" PLACE " WHERE k.how = 'same' AND o.value <> z.value"
    " ORDER BY i.name, c.name, t.name, d.sample_index, o.metric";

#define NUMBER(p)                                                                                  \
    p ".score || coalesce(' of ' || " p ".n || ' items', '') || coalesce(', stderr ' || " p        \
      ".stderr, '') || ' (' || " p ".source || ')'"
#define NUMBER_RANK(p)                                                                             \
    "(" p ".score, " p ".n IS NULL, coalesce(" p ".n, 0), " p ".stderr IS NULL,"                   \
    " coalesce(" p ".stderr, 0), " p ".source)"

/* By identities: the maps are not there yet. */
static const char published_sql[] = "SELECT i.name || ', ' || c.name || ', ' || t.name, " NUMBER(
    "o") ", " NUMBER("p") ", " NUMBER_RANK("p") " < " NUMBER_RANK("o") //
    " FROM source.published p JOIN source.run a ON a.id = p.run"
    " JOIN source.task b ON b.id = p.task JOIN main.run r ON r.identity = a.identity"
    " JOIN main.task t ON t.identity = b.identity"
    " JOIN main.published o ON o.run = r.id AND o.task = t.id"
    " JOIN main.model i ON i.id = r.model JOIN main.setting c ON c.id = r.setting"
    " WHERE " NUMBER_RANK("p") " <> " NUMBER_RANK("o") " ORDER BY 1";

int merge_tell_published(struct merge *m)
{
    return tell_rows(m, "published number", published_sql, &m->out->published_conflicts);
}

/* ---- what hangs on them ---- */

/* The whole row: identities are the same. */
static int take_theirs(struct merge *m, const struct merge_columns *c)
{
    struct buf sql;
    buf_init(&sql);
    buf_str(&sql, "UPDATE main.job AS d SET (");
    merge_put_names(&sql, c);
    buf_str(&sql, ") = (");
    merge_put_values(&sql, c, "job");
    buf_str(&sql, ") FROM temp.map_job k JOIN source.job s ON s.id = k.src");
    merge_put_joins(&sql, c);
    buf_str(&sql, " WHERE k.take AND k.how <> 'added' AND d.id = k.dst");
    int rc = merge_run(m, sql.s, NULL, 0, NULL);
    buf_release(&sql);
    return rc;
}

/* Ours, of what is not ours any more. Of the same answer both have scores. */
static int drop_ours(struct merge *m)
{
    return db_exec(m->db,
                   "DELETE FROM main.score WHERE job IN (SELECT dst FROM temp.map_job"
                   " WHERE take AND how NOT IN ('added', 'same'));"
                   "DELETE FROM main.item_ledger WHERE job IN (SELECT dst FROM temp.map_job"
                   " WHERE take AND how <> 'added');"
                   "DELETE FROM main.layer_error WHERE job IN (SELECT dst FROM temp.map_job"
                   " WHERE take AND how <> 'added')",
                   m->e);
}

/* Every failure once, whoever brings it. */
static int merge_failures(struct merge *m)
{
    struct db_val v[] = {val_int(m->from), val_int(m->to)};
    return merge_run(
        m,
        "INSERT INTO main.failure (job, finished_at, build, error)"
        " SELECT k.dst, f.finished_at, b.dst, f.error FROM source.failure f"
        " JOIN temp.map_job k ON k.src = f.job"
        " LEFT JOIN temp.map_build b ON b.src = f.build"
        " WHERE " IN_PIECE("f.job") //
        " EXCEPT SELECT job, finished_at, build, error FROM main.failure ORDER BY 2, 1",
        v, 2, NULL);
}

static int decide(struct merge *m, const struct merge_columns *c, int64_t last)
{
    if (map_jobs(m, c, last) || count_jobs(m) ||
        tell_rows(m, "answer", answers_sql, &(int64_t){0}) ||
        tell_rows(m, "score", scores_sql, &m->out->score_conflicts))
        return err_in(m->e, "table job");
    return drop_ours(m) || take_theirs(m, c) ? -1 : 0;
}

static int merge_items(struct merge *m, const struct merge_columns *c)
{
    int64_t last = 0;
    if (db_get_int(m->db, "SELECT coalesce(max(id), 0) FROM main.job", NULL, 0, &last, m->e) < 0)
        return -1;
    return merge_copy(m, &jobs) || decide(m, c, last) || merge_copy(m, &scores) ||
                   merge_copy(m, &ledgers) || merge_copy(m, &layers) || merge_failures(m)
               ? -1
               : 0;
}

int merge_jobs(struct merge *m)
{
    struct merge_columns c;
    int rc = merge_copy(m, &samples) || merge_columns_read(m, &jobs, &c) ? -1 : 0;
    if (rc)
        return rc;
    rc = merge_items(m, &c);
    merge_columns_release(&c);
    return rc;
}
