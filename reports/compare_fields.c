#include "reports/compare_fields.h"

#include <stdlib.h>

/* Every field of both runs, of which those are kept that differ. A run of several builds has all
 * their values. */
#define FIELDS                                                                                     \
    "WITH m AS (SELECT r.id AS run, m.* FROM run r JOIN model m ON m.id = r.model"                 \
    "            WHERE r.id IN (?1, ?2)),"                                                         \
    "b AS (SELECT u.run, b.* FROM (SELECT DISTINCT run, build FROM job WHERE run IN (?1, ?2)) u"   \
    "      JOIN build b ON b.id = u.build),"                                                       \
    "f AS (SELECT 1 AS place, run, 'model' AS field, name AS value FROM m"                         \
    " UNION ALL SELECT 2, run, 'model.weights', weights_sha256 FROM m"                             \
    " UNION ALL SELECT 3, run, 'model.config', config_sha256 FROM m"                               \
    " UNION ALL SELECT 4, run, 'model.tokenizer', tokenizer_sha256 FROM m"                         \
    " UNION ALL SELECT 5, r.id, 'chain', c.chain FROM run r JOIN setting c ON c.id = r.setting"    \
    " UNION ALL SELECT 6, r.id, 'weights', coalesce(c.weights, 'as stored')"                       \
    "   FROM run r JOIN setting c ON c.id = r.setting"                                             \
    " UNION ALL SELECT 7, r.id, o.method || '.' || o.name, o.value"                                \
    "   FROM run r JOIN setting_option o ON o.setting = r.setting"                                 \
    " UNION ALL SELECT 8, r.id, 'protocol.' || o.name, o.value"                                    \
    "   FROM run r JOIN protocol_option o ON o.protocol = r.protocol"                              \
    " UNION ALL SELECT 9, id, 'origin', origin FROM run"                                           \
    " UNION ALL SELECT 10, run, 'build.' || key, group_concat(value, ', ') FROM ("                 \
    "   SELECT DISTINCT b.run, j.key, j.value FROM b, json_each(json_object("                      \
    "     'version', version, 'commit', \"commit\", 'dirty', dirty, 'compiler', compiler,"         \
    "     'cflags', cflags, 'blas', blas, 'kernels', kernels, 'cpu', cpu, 'host', host,"           \
    "     'threads', threads)) j ORDER BY j.value) GROUP BY run, key),"                            \
    "g AS (SELECT place, field, max(value) FILTER (WHERE run = ?1) AS a,"                          \
    "             max(value) FILTER (WHERE run = ?2) AS b"                                         \
    "        FROM f WHERE run IN (?1, ?2) GROUP BY place, field)"

static void put_value(struct grid *g, struct text t)
{
    if (t.s)
        grid_cell(g, t);
    else
        grid_blank(g);
}

int compare_fields(struct doc *doc, struct store *s, const int64_t run[2], struct err *e)
{
    static const char sql[] =
        FIELDS "SELECT field, a, b FROM g WHERE a IS NOT b ORDER BY place, field";
    const struct db_val v[] = {val_int(run[0]), val_int(run[1])};
    struct stmt *q;
    int rc, n = 0;
    if (stmt_open(store_db(s), sql, v, 2, &q, e))
        return -1;
    struct grid *g = doc_grid(doc, DOC_BOTH, "fields", "What differs");
    grid_column(g, "", "field", GRID_LEFT);
    grid_column(g, "", "A", GRID_LEFT);
    grid_column(g, "", "B", GRID_LEFT);
    for (; (rc = stmt_step(q, e)) == 1; n++)
        for (int i = 0; i < 3; i++)
            put_value(g, stmt_text(q, i));
    stmt_close(q);
    if (!rc && !n)
        doc_note(doc, "Nothing that is recorded differs.");
    return rc;
}

int compare_check_protocols(struct store *s, const int64_t run[2], struct err *e)
{
    static const char sql[] =
        FIELDS "SELECT (SELECT protocol FROM run WHERE id = ?1) <>"
               "       (SELECT protocol FROM run WHERE id = ?2),"
               " coalesce(group_concat(field || ': ' || coalesce(a, '-') || ' and '"
               "                       || coalesce(b, '-'), '; '), '')"
               " FROM g WHERE a IS NOT b AND place = 8";
    const struct db_val v[] = {val_int(run[0]), val_int(run[1])};
    struct stmt *q;
    if (stmt_open(store_db(s), sql, v, 2, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    if (rc == 1 && stmt_int(q, 0)) {
        struct text t = stmt_text(q, 1);
        err_user(e,
                 "report compare: run:%lld and run:%lld have different protocols (%.*s); "
                 "--mix-protocols compares them all the same",
                 (long long)run[0], (long long)run[1], (int)t.n, t.s);
        rc = -1;
    }
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

int compare_facts(struct doc *doc, struct store *s, const int64_t run[2], struct err *e)
{
    static const char sql[] =
        "SELECT c.name || ', run:' || r.id || ', model ' || m.name || ', protocol '"
        "       || coalesce(p.preset, '') || ' ' || p.id, c.name"
        "  FROM run r JOIN setting c ON c.id = r.setting JOIN model m ON m.id = r.model"
        "  JOIN protocol p ON p.id = r.protocol WHERE r.id = ?1";
    static const char *const side[] = {"A", "B"};
    for (int i = 0; i < 2; i++) {
        struct db_val v = val_int(run[i]);
        struct stmt *q;
        if (stmt_open(store_db(s), sql, &v, 1, &q, e))
            return -1;
        int rc = stmt_step(q, e);
        if (rc == 1) {
            char *words = stmt_str_dup(q, 0);
            doc_fact(doc, side[i], "%s", words);
            doc_field(doc, side[i], words);
            free(words);
        }
        stmt_close(q);
        if (rc < 0)
            return -1;
    }
    return 0;
}
