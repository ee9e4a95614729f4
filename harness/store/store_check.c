/* Is a database sound? What SQLite says of it, and what must hold between its rows. */
#include "harness/store/store_care.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness/store/store_int.h"

enum { MOST = 20 }; // findings of one kind; the rest is counted

struct checking {
    struct db *db;
    store_finding *tell;
    void *arg;
    struct err *e;
};

static void told(struct checking *c, bool bad, const char *format, ...) ERR_PRINTF(3, 4);

static void told(struct checking *c, bool bad, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->tell(c->arg, bad, text);
}

/* ---- what SQLite says ---- */

static int check_pages(struct checking *c, bool *sound)
{
    struct stmt *q;
    int rc;
    *sound = true;
    if (stmt_open(c->db, "PRAGMA integrity_check(20)", NULL, 0, &q, c->e))
        return -1;
    while ((rc = stmt_step(q, c->e)) == 1)
        if (!text_is(stmt_text(q, 0), "ok")) {
            told(c, true, "the file is damaged: %s", stmt_text(q, 0).s);
            *sound = false;
        }
    stmt_close(q);
    return rc;
}

static int check_references(struct checking *c)
{
    struct stmt *q;
    int rc;
    const char *sql = "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check"
                      " GROUP BY 1, 2 ORDER BY 1, 2";
    if (stmt_open(c->db, sql, NULL, 0, &q, c->e))
        return -1;
    while ((rc = stmt_step(q, c->e)) == 1)
        told(c, true, "%s: %lld rows refer to a row of %s that is missing", stmt_text(q, 0).s,
             (long long)stmt_int(q, 2), stmt_text(q, 1).s);
    stmt_close(q);
    return rc;
}

static int check_objects(struct checking *c)
{
    struct stmt *q;
    int rc;
    const char *sql = "SELECT object FROM docs WHERE \"column\" = '' AND object NOT IN"
                      " (SELECT name FROM sqlite_schema) ORDER BY 1";
    if (stmt_open(c->db, sql, NULL, 0, &q, c->e))
        return -1;
    while ((rc = stmt_step(q, c->e)) == 1)
        told(c, true, "table or view %s is missing", stmt_text(q, 0).s);
    stmt_close(q);
    return rc;
}

/* ---- what must hold ---- */

/* sql gives a row an offender: a text that says which. text goes behind their number. Bytes by
 * class are rounded from bits: each may be one off. */
static const struct rule {
    bool bad;
    const char *text, *sql;
} rules[] = {
    {true, "items are done and have no score of their task's metric (kvlab score gives them)",
     "SELECT 'job ' || j.id FROM job j JOIN task t ON t.id = j.task WHERE j.state = 'done'"
     " AND NOT EXISTS (SELECT 1 FROM score s WHERE s.job = j.id AND s.metric = t.metric)"},
    {true, "scores are outside of 0 to 1",
     "SELECT 'job ' || job || ', ' || metric FROM score WHERE value NOT BETWEEN 0 AND 1"},
    {true, "items have a score and no answer",
     "SELECT DISTINCT 'job ' || j.id FROM score s JOIN job j ON j.id = s.job"
     " WHERE j.state <> 'done'"},
    {true, "items have bytes by class and no answer",
     "SELECT DISTINCT 'job ' || j.id FROM item_ledger l JOIN job j ON j.id = l.job"
     " WHERE j.state <> 'done'"},
    {true, "items have errors by layer and no answer",
     "SELECT DISTINCT 'job ' || j.id FROM layer_error l JOIN job j ON j.id = l.job"
     " WHERE j.state <> 'done'"},
    {true, "items: bytes by class do not add up to those of the cache",
     "SELECT 'job ' || j.id || ', ' || sum(l.held_bytes) || ' and ' || j.kv_bytes"
     " FROM item_ledger l JOIN job j ON j.id = l.job WHERE l.class <> 'weights'"
     " GROUP BY j.id HAVING abs(sum(l.held_bytes) - j.kv_bytes) > count(*)"},
    {true, "items: bytes read by class do not add up to those of the cache",
     "SELECT 'job ' || j.id || ', ' || sum(l.read_bytes) || ' and ' || j.kv_read_bytes"
     " FROM item_ledger l JOIN job j ON j.id = l.job WHERE l.class <> 'weights'"
     " GROUP BY j.id HAVING abs(sum(l.read_bytes) - j.kv_read_bytes) > count(*)"},
    {true, "samples have two items under one run and task",
     "SELECT 'run ' || run || ', task ' || task || ', sample ' || sample_index FROM job"
     " INDEXED BY job_cell GROUP BY run, task, sample_index HAVING count(*) > 1"},
    {true, "items belong to an experiment that does not list their run",
     "SELECT 'job ' || e.job FROM experiment_job e JOIN job j ON j.id = e.job WHERE NOT EXISTS"
     " (SELECT 1 FROM experiment_run x WHERE x.experiment = e.experiment AND x.run = j.run)"},
    {true, "published runs have items of their own, or none of the numbers",
     "SELECT 'run ' || r.id FROM run r WHERE r.origin = 'published' AND"
     " (EXISTS (SELECT 1 FROM job j WHERE j.run = r.id)"
     "  OR NOT EXISTS (SELECT 1 FROM published p WHERE p.run = r.id))"},
    {true, "runs have published numbers and are not published ones",
     "SELECT DISTINCT 'run ' || r.id FROM published p JOIN run r ON r.id = p.run"
     " WHERE r.origin <> 'published'"},
    {true, "ablations compare with a base of another model or protocol",
     "SELECT DISTINCT 'run ' || f.run || ', ' || f.factor FROM experiment_factor f"
     " JOIN run r ON r.id = f.run JOIN run b ON b.id = f.base"
     " WHERE r.model <> b.model OR r.protocol <> b.protocol"},
    {false, "runs are shown by no experiment (kvlab db prune --runs-without-experiment)",
     "SELECT 'run ' || id FROM run WHERE id NOT IN (SELECT run FROM experiment_run)"},
    {false, "items are asked for by no experiment",
     "SELECT 'job ' || id FROM job WHERE id NOT IN (SELECT job FROM experiment_job)"},
    {false, "settings have no run",
     "SELECT 'setting ' || id FROM setting WHERE id NOT IN (SELECT setting FROM run)"},
    {false, "models have no run",
     "SELECT 'model ' || id FROM model WHERE id NOT IN (SELECT model FROM run)"},
    {false, "protocols have no run",
     "SELECT 'protocol ' || id FROM protocol WHERE id NOT IN (SELECT protocol FROM run)"},
    {false, "records have no item",
     "SELECT 'sample ' || substr(hash, 1, 12) FROM sample"
     " WHERE hash NOT IN (SELECT sample_hash FROM job)"},
};

static int check_rule(struct checking *c, const struct rule *r)
{
    struct stmt *q;
    char which[512] = "";
    long long n = 0;
    int rc;
    if (stmt_open(c->db, r->sql, NULL, 0, &q, c->e))
        return -1;
    for (; (rc = stmt_step(q, c->e)) == 1; n++) {
        size_t at = strlen(which);
        if (n < MOST && at < 200)
            snprintf(which + at, sizeof which - at, "%s%.80s", n ? "; " : "", stmt_text(q, 0).s);
    }
    stmt_close(q);
    if (!rc && n)
        told(c, r->bad, "%lld %s: %s%s", n, r->text, which, strlen(which) >= 200 ? "; ..." : "");
    return rc;
}

static int check_owners(struct checking *c)
{
    struct stmt *q;
    long long dead = 0;
    int rc;
    if (stmt_open(c->db, "SELECT owner, count(*) FROM job WHERE state = 'running' GROUP BY owner",
                  NULL, 0, &q, c->e))
        return -1;
    while ((rc = stmt_step(q, c->e)) == 1)
        dead += store_owner_is_dead(stmt_text(q, 0).s) ? stmt_int(q, 1) : 0;
    stmt_close(q);
    if (!rc && dead)
        told(c, false,
             "%lld items are marked as running by processes that died; kvlab run takes "
             "them over",
             dead);
    return rc;
}

static int check_rows(struct checking *c)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (check_rule(c, &rules[i]))
            return -1;
    return check_owners(c);
}

/* ---- the file ---- */

/* Of a damaged file no row can be trusted: SQLite's own findings are all there is. */
static int check_file(struct checking *c)
{
    bool sound;
    if (check_pages(c, &sound))
        return -1;
    return sound && (check_references(c) || check_objects(c)) ? -1 : 0;
}

static int check_current(struct checking *c, const char *path)
{
    struct store_source source;
    if (store_source_open(path, &source, c->e))
        return -1;
    if (source.copy)
        told(c, false, "made by an earlier kvlab; it is brought up to date when it is next used");
    int rc = db_open(source.path, DB_READONLY, &c->db, c->e);
    if (!rc) {
        rc = check_rows(c);
        db_close(c->db);
    }
    store_source_close(&source);
    return rc;
}

struct counted {
    store_finding *tell;
    void *arg;
    int bad;
};

static void count_bad(void *arg, bool bad, const char *text)
{
    struct counted *n = arg;
    n->bad += bad;
    n->tell(n->arg, bad, text);
}

static int open_as(const char *path, enum db_mode mode, struct checking *c, bool *older)
{
    if (db_open(path, mode, &c->db, c->e))
        return -1;
    if (!store_stamp(c->db, older, c->e) && !db_exec(c->db, "PRAGMA query_only = ON", c->e))
        return 0;
    db_close(c->db);
    return -1;
}

/* On a connection that can only read SQLite does not know the tables' CHECKs, and finds none of
 * them broken. */
static int open_to_look(const char *path, struct checking *c, bool *older)
{
    if (!open_as(path, DB_READWRITE, c, older))
        return 0;
    if (open_as(path, DB_READONLY, c, older))
        return -1;
    told(c, false, "constraints within rows were not looked at: the file cannot be written to");
    return 0;
}

int store_check(const char *path, store_finding *tell, void *arg, struct err *e)
{
    struct counted n = {tell, arg, 0};
    struct checking c = {.tell = count_bad, .arg = &n, .e = e};
    bool older;
    if (open_to_look(path, &c, &older))
        return -1;
    int rc = check_file(&c);
    db_close(c.db);
    return rc || n.bad ? rc : check_current(&c, path);
}
