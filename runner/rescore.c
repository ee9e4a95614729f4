#include "runner/rescore.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "datasets/dataset.h"
#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/base/pool.h"
#include "metrics/metric.h"

struct item {
    int64_t job;
    const struct metric *metric;
    bool first_line;
    struct text prediction, answers, classes; // the lists as JSON
    double score;                             // NaN: it has none
};

struct items {
    struct item *list;
    size_t n, cap;
};

/* ---- what is to be scored ---- */

/* Table now holds the versions of this program. An imported item is scored as eval.py would score
 * its file, by the classes of the last line. */
static const char todo_sql[] =
    ", had AS (SELECT job, metric, max(metric_version) AS version FROM score GROUP BY job, metric"
    "   UNION ALL SELECT j.id, t.metric, 0 FROM job j JOIN task t ON t.id = j.task"
    "     WHERE j.state = 'done' AND NOT EXISTS"
    "     (SELECT 1 FROM score x WHERE x.job = j.id AND x.metric = t.metric))"
    " SELECT j.id, had.metric, t.name, j.prediction, s.answers,"
    "   CASE r.origin WHEN 'import' THEN (SELECT b.classes FROM job a"
    "     JOIN sample b ON b.hash = a.sample_hash WHERE a.run = j.run AND a.task = j.task"
    "     ORDER BY a.sample_index DESC LIMIT 1) ELSE s.classes END"
    " FROM had JOIN now ON now.metric = had.metric AND now.version > had.version"
    " JOIN job j ON j.id = had.job JOIN run r ON r.id = j.run JOIN task t ON t.id = j.task"
    " JOIN sample s ON s.hash = j.sample_hash WHERE j.state = 'done' ORDER BY j.id";

static void put_versions(struct buf *sql)
{
    buf_str(sql, "WITH now (metric, version) AS (VALUES ");
    for (const struct metric *const *m = metric_all; *m; m++)
        buf_printf(sql, "%s('%s', %d)", m == metric_all ? "" : ", ", (*m)->name, (*m)->version);
    buf_str(sql, ")");
}

static int read_item(struct items *all, const struct stmt *q, struct err *e)
{
    struct err unknown;
    char *name = stmt_str_dup(q, 2), *metric = stmt_str_dup(q, 1);
    const struct task *task = task_find(name, &unknown);
    const struct metric *m = metric_find(metric, e);
    if (!task)
        log_warn("task %s is not in this version: its items are left as they are", name);
    if (task && m) {
        if (all->n == all->cap) {
            all->cap = all->cap ? 2 * all->cap : 1024;
            all->list = xrealloc(all->list, mem_size(all->cap, sizeof *all->list));
        }
        struct text classes = stmt_text(q, 5);
        all->list[all->n++] = (struct item){stmt_int(q, 0),
                                            m,
                                            task->first_line,
                                            text_dup(stmt_text(q, 3)),
                                            text_dup(stmt_text(q, 4)),
                                            classes.s ? text_dup(classes) : classes,
                                            NAN};
    }
    free(name);
    free(metric);
    return m ? 0 : -1;
}

static int find_items(struct store *s, struct items *all, struct err *e)
{
    struct stmt *q;
    struct buf sql;
    int rc;
    buf_init(&sql);
    put_versions(&sql);
    buf_str(&sql, todo_sql);
    rc = stmt_open(store_db(s), sql.s, NULL, 0, &q, e);
    buf_release(&sql);
    if (rc)
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        if (read_item(all, q, e)) {
            rc = -1;
            break;
        }
    stmt_close(q);
    return rc;
}

/* ---- scoring ---- */

/* The strings of a stored list, borrowed from *j; the caller frees both. NULL where t is NULL. */
static struct text *strings_new(struct text t, struct json **j, size_t *n)
{
    struct err e;
    *n = 0;
    *j = t.s ? json_read(t, &e) : NULL;
    if (!*j || json_type(*j) != JSON_ARRAY)
        return NULL;
    struct text *list = xmalloc(mem_size(json_length(*j) + 1, sizeof *list));
    for (const struct json *x = json_first(*j); x; x = json_next(x))
        if (json_type(x) == JSON_STRING)
            list[(*n)++] = json_string(x);
    return list;
}

static void score_one(void *arg, int index, int worker)
{
    struct item *i = &((struct items *)arg)->list[index];
    struct json *answers_json, *classes_json;
    size_t n, n_classes;
    struct err e;
    (void)worker;
    struct text *answers = strings_new(i->answers, &answers_json, &n);
    struct text *classes = strings_new(i->classes, &classes_json, &n_classes);
    if (!answers || metric_item(i->metric, i->prediction, i->first_line, answers, n, classes,
                                n_classes, &i->score, &e))
        i->score = NAN;
    free(answers);
    free(classes);
    json_free(answers_json);
    json_free(classes_json);
}

static void score_all(struct items *all)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct pool *pool = pool_new(cores > 0 ? (int)cores : 1);
    pool_run(pool, (int)all->n, score_one, all);
    pool_free(pool);
}

static int put_scores(struct store *s, const struct items *all, struct rescored *out, struct err *e)
{
    for (size_t k = 0; k < all->n; k++) {
        const struct item *i = &all->list[k];
        struct store_score row = {i->metric->name, i->metric->version, i->score};
        if (isnan(i->score)) {
            out->failed++;
            continue;
        }
        if (store_put_score(s, i->job, &row, e))
            return -1;
        out->added++;
    }
    return 0;
}

static void items_release(struct items *all)
{
    for (size_t k = 0; k < all->n; k++) {
        free((void *)all->list[k].prediction.s);
        free((void *)all->list[k].answers.s);
        free((void *)all->list[k].classes.s);
    }
    free(all->list);
}

int rescore(struct store *s, struct rescored *out, struct err *e)
{
    struct items all = {0};
    *out = (struct rescored){0};
    if (store_begin(s, e))
        return -1;
    int rc = find_items(s, &all, e);
    if (!rc)
        score_all(&all);
    if (!rc)
        rc = put_scores(s, &all, out, e);
    if (rc)
        store_rollback(s);
    else
        rc = store_commit(s, e);
    items_release(&all);
    return rc;
}
