#include "reports/against.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/published_names.h"

/* ---- THEIRS=OURS ---- */

struct map {
    char *theirs;
    const char *ours;
    bool used;
};

struct maps {
    struct map *list;
    int n;
};

static void maps_release(struct maps *m)
{
    for (int i = 0; i < m->n; i++)
        free(m->list[i].theirs);
    free(m->list);
}

static int maps_init(struct maps *m, const char *const *words, int n, struct err *e)
{
    *m = (struct maps){xcalloc((size_t)n + 1, sizeof *m->list), n};
    for (int i = 0; i < n; i++) {
        const char *equals = strchr(words[i], '=');
        if (!equals || equals == words[i] || !equals[1])
            return err_user(e,
                            "against: '%s' must be THEIRS=OURS, a setting or a model of the "
                            "paper and the one of ours that answers to it",
                            words[i]);
        m->list[i].theirs = xstrndup(words[i], (size_t)(equals - words[i]));
        m->list[i].ours = equals + 1;
    }
    return 0;
}

/* What stands for a name of theirs; NULL: nobody says. */
static const char *maps_ours(struct maps *m, const char *theirs)
{
    const char *found = NULL;
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->list[i].theirs, theirs)) {
            m->list[i].used = true;
            found = m->list[i].ours;
        }
    return found;
}

/* ---- names, for errors ---- */

struct names {
    const char **list;
    size_t n;
};

static void add_name(struct names *names, char *name)
{
    names->list = xrealloc(names->list, mem_size(names->n + 1, sizeof *names->list));
    names->list[names->n++] = name;
}

static int names_of(struct names *names, struct store *s, const char *sql, struct err *e)
{
    struct stmt *q;
    int rc;
    *names = (struct names){NULL, 0};
    if (stmt_open(store_db(s), sql, NULL, 0, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        add_name(names, stmt_str_dup(q, 0));
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free((void *)names->list[i]);
    free(names->list);
}

static int unknown_paper(struct store *s, const char *paper, struct err *e)
{
    struct names names;
    char hint[128];
    int rc = names_of(&names, s,
                      "SELECT DISTINCT substr(name, length('" PUBLISHED_EXPERIMENT "') + 1)"
                      " FROM experiment WHERE name GLOB '" PUBLISHED_EXPERIMENT "*' ORDER BY 1",
                      e);
    if (!rc && names.n)
        err_user(e, "%s has no published numbers of '%s'%s (kvlab import --published stores them)",
                 db_path(store_db(s)), paper, near_hint(hint, paper, names.list, names.n));
    else if (!rc)
        err_user(e, "%s holds no published numbers; kvlab import --published stores them",
                 db_path(store_db(s)));
    names_release(&names);
    return -1;
}

static int unused_map(const struct against *a, const struct maps *m, struct err *e)
{
    struct names names = {NULL, 0};
    char hint[128];
    int rc = 0;
    for (int i = 0; i < a->n_pairs; i++) {
        add_name(&names, xstrdup(a->pair[i].setting));
        add_name(&names, xstrdup(a->pair[i].model));
    }
    for (int i = 0; i < m->n && !rc; i++)
        if (!m->list[i].used)
            rc = err_user(e, "against: %s has no setting or model '%s'%s", a->paper,
                          m->list[i].theirs,
                          near_hint(hint, m->list[i].theirs, names.list, names.n));
    names_release(&names);
    return rc;
}

static int unknown_ours(struct store *s, const char *name, struct err *e)
{
    struct names names;
    char hint[128];
    int rc = names_of(&names, s,
                      "SELECT DISTINCT m.name FROM run r JOIN model m ON m.id = r.model"
                      " WHERE r.origin <> 'published' UNION"
                      " SELECT c.name FROM run r JOIN setting c ON c.id = r.setting"
                      " WHERE r.origin <> 'published' UNION SELECT x.name FROM experiment_run x"
                      " JOIN run r ON r.id = x.run WHERE r.origin <> 'published'",
                      e);
    for (size_t i = 0; i < names.n; i++)
        if (!rc && !strcmp(names.list[i], name)) {
            names_release(&names);
            return 0;
        }
    if (!rc)
        err_user(e, "against: %s has no setting or model of ours '%s'%s", db_path(store_db(s)),
                 name, near_hint(hint, name, names.list, names.n));
    names_release(&names);
    return -1;
}

/* ---- rows ---- */

static struct against_row *add_row(struct against_pair *p, const struct stmt *q)
{
    static const struct against_score unknown = {NAN, NAN, 0, 0};
    p->row = xrealloc(p->row, mem_size((size_t)p->n_rows + 1, sizeof *p->row));
    struct against_row *r = &p->row[p->n_rows++];
    *r = (struct against_row){.task = stmt_str_dup(q, 0),
                              .category = stmt_str_dup(q, 1),
                              .language = stmt_str_dup(q, 2),
                              .source = stmt_str_dup(q, 3),
                              .theirs = unknown,
                              .ours = unknown};
    return r;
}

static struct against_row *find_row(struct against_pair *p, const char *task)
{
    for (int i = 0; i < p->n_rows; i++)
        if (!strcmp(p->row[i].task, task))
            return &p->row[i];
    return NULL;
}

/* Tasks in LongBench's order as far as they were stored in it, averages behind them. */
static const char theirs_sql[] =
    "SELECT t.name, t.category, coalesce(t.language, ''), p.source, p.score, p.stderr, p.n"
    " FROM published p JOIN task t ON t.id = p.task WHERE p.run = ?1"
    " ORDER BY t.category = '" PUBLISHED_AVERAGE "',"
    " instr('single multi- summar few-sh synthe code', substr(t.category, 1, 6)), t.id";

/* Of two tasks of a name (other data) the one with more items. LongBench-E has other records. */
static const char ours_sql[] =
    "SELECT r.task, r.category, coalesce(t.language, ''), '', r.score, r.stderr, r.n, r.planned"
    " FROM result r JOIN task t ON t.id = r.task_id WHERE r.run = ?1 AND r.n > 0"
    " AND t.source NOT IN ('mini', 'text') AND t.name NOT GLOB '*_e' ORDER BY r.n, t.id";

static int load_theirs(struct against_pair *p, struct store *s, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(p->run);
    int rc;
    if (stmt_open(store_db(s), theirs_sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1)
        add_row(p, q)->theirs =
            (struct against_score){stmt_num(q, 4), stmt_num(q, 5), stmt_int(q, 6), 0};
    stmt_close(q);
    return rc;
}

static int load_ours(struct against_pair *p, struct store *s, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(p->ours.run);
    int rc;
    if (stmt_open(store_db(s), ours_sql, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        struct against_row *r = find_row(p, stmt_text(q, 0).s);
        if (!r)
            r = add_row(p, q);
        r->ours = (struct against_score){stmt_num(q, 4), stmt_num(q, 5), stmt_int(q, 6),
                                         stmt_int(q, 7) - stmt_int(q, 6)};
    }
    stmt_close(q);
    return rc;
}

/* ---- pairs ---- */

static struct against_pair *add_pair(struct against *a, const struct against_pair *theirs)
{
    a->pair = xrealloc(a->pair, mem_size((size_t)a->n_pairs + 1, sizeof *a->pair));
    struct against_pair *p = &a->pair[a->n_pairs++];
    *p = (struct against_pair){.run = theirs->run,
                               .model = xstrdup(theirs->model),
                               .protocol = xstrdup(theirs->protocol),
                               .setting = xstrdup(theirs->setting)};
    return p;
}

static int finish_pair(struct against_pair *p, struct store *s, struct err *e)
{
    if (load_theirs(p, s, e) || (p->ours.run && load_ours(p, s, e)))
        return -1;
    against_add_averages(p);
    return 0;
}

static const char match_sql[] =
    "SELECT r.id, m.name, c.name, p.preset || coalesce(', ' || p.max_prompt_tokens || ' tokens', "
    "'')"
    " || CASE WHEN p.compute <> 'f32' THEN ', ' || p.compute ELSE '' END, r.origin"
    " FROM run r JOIN model m ON m.id = r.model JOIN setting c ON c.id = r.setting"
    " JOIN protocol p ON p.id = r.protocol"
    " WHERE r.origin <> 'published' AND m.name = ?1"
    " AND CASE WHEN ?2 IS NULL THEN c.method = 'full' AND c.weights IS NULL"
    " ELSE c.name = ?2 OR EXISTS (SELECT 1 FROM experiment_run x WHERE x.run = r.id AND x.name = "
    "?2)"
    " END AND EXISTS (SELECT 1 FROM job j WHERE j.run = r.id) ORDER BY r.id";

static int add_matches(struct against *a, const struct against_pair *theirs, struct maps *m,
                       struct store *s, struct err *e)
{
    struct stmt *q;
    const char *model = maps_ours(m, theirs->model), *setting = maps_ours(m, theirs->setting);
    if (!setting && strcmp(theirs->setting, PUBLISHED_FULL))
        setting = theirs->setting;
    struct db_val v[] = {val_str(model ? model : theirs->model), val_str(setting)};
    int rc, n = 0;
    if (stmt_open(store_db(s), match_sql, v, 2, &q, e))
        return -1;
    for (; (rc = stmt_step(q, e)) == 1; n++)
        add_pair(a, theirs)->ours =
            (struct against_ours){stmt_int(q, 0), stmt_str_dup(q, 1), stmt_str_dup(q, 2),
                                  stmt_str_dup(q, 3), stmt_str_dup(q, 4)};
    stmt_close(q);
    if (!rc && !n)
        add_pair(a, theirs);
    return rc;
}

static const char paper_sql[] =
    "SELECT x.run, m.name, coalesce(p.preset, ''), x.name FROM experiment_run x"
    " JOIN run r ON r.id = x.run JOIN model m ON m.id = r.model"
    " JOIN protocol p ON p.id = r.protocol"
    " WHERE x.experiment = (SELECT id FROM experiment WHERE name = ?1 ORDER BY plans DESC LIMIT 1)"
    " ORDER BY x.position";

static int load_pairs(struct against *a, struct maps *m, struct store *s, struct err *e)
{
    struct stmt *q = NULL;
    struct buf name;
    buf_init(&name);
    buf_printf(&name, PUBLISHED_EXPERIMENT "%s", a->paper);
    struct db_val v = val_str(name.s);
    int rc = stmt_open(store_db(s), paper_sql, &v, 1, &q, e);
    while (!rc && (rc = stmt_step(q, e)) == 1) {
        struct against_pair theirs = {.run = stmt_int(q, 0),
                                      .model = stmt_str_dup(q, 1),
                                      .protocol = stmt_str_dup(q, 2),
                                      .setting = stmt_str_dup(q, 3)};
        rc = add_matches(a, &theirs, m, s, e);
        free(theirs.model);
        free(theirs.protocol);
        free(theirs.setting);
    }
    stmt_close(q);
    buf_release(&name);
    return rc;
}

static int load(struct against *a, struct maps *m, struct store *s, struct err *e)
{
    if (load_pairs(a, m, s, e))
        return -1;
    if (!a->n_pairs)
        return unknown_paper(s, a->paper, e);
    if (unused_map(a, m, e))
        return -1;
    for (int i = 0; i < m->n; i++)
        if (unknown_ours(s, m->list[i].ours, e))
            return -1;
    for (int i = 0; i < a->n_pairs; i++)
        if (finish_pair(&a->pair[i], s, e))
            return -1;
    return 0;
}

int against_load(struct against *a, struct store *s, const char *paper, const char *const *maps,
                 int n_maps, struct err *e)
{
    struct maps m;
    *a = (struct against){.paper = xstrdup(paper)};
    int rc = maps_init(&m, maps, n_maps, e) || load(a, &m, s, e) ? -1 : 0;
    maps_release(&m);
    if (rc)
        against_release(a);
    return rc;
}

static void release_pair(struct against_pair *p)
{
    for (int i = 0; i < p->n_rows; i++) {
        free(p->row[i].task);
        free(p->row[i].category);
        free(p->row[i].language);
        free(p->row[i].source);
    }
    free(p->row);
    free(p->model);
    free(p->protocol);
    free(p->setting);
    free(p->ours.model);
    free(p->ours.setting);
    free(p->ours.protocol);
    free(p->ours.origin);
}

void against_release(struct against *a)
{
    for (int i = 0; i < a->n_pairs; i++)
        release_pair(&a->pair[i]);
    free(a->pair);
    free(a->paper);
    *a = (struct against){0};
}
