/* What made the numbers: programs and machines, models, protocols, data, settings; and when. */
#include <stdlib.h>

#include "reports/build_shares.h"
#include "reports/report.h"
#include "reports/sql_grid.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_provenance = {
    .name = "provenance",
    .summary = "what made the numbers: builds, machines, models, protocols, data, settings",
    .help = "Counts are of all finished items of the experiment's runs, also of those that another "
            "experiment asked for. Hashes are whole in CSV and JSON.",
    .takes = REPORT_EXPERIMENT,
    .build = build,
};

/* Of the experiment. */
#define MODELS                                                                                     \
    "SELECT DISTINCT r.model FROM experiment_run x JOIN run r ON r.id = x.run"                     \
    " WHERE x.experiment = ?1"
#define PROTOCOLS                                                                                  \
    "SELECT DISTINCT r.protocol FROM experiment_run x JOIN run r ON r.id = x.run"                  \
    " WHERE x.experiment = ?1"

static const struct sql_part models_told = {
    .sql = "SELECT 'Model ' || name AS head, family, params AS parameters, layers, heads, kv_heads,"
           " head_dim, weights_dtype, weights_sha256, config_sha256, tokenizer_sha256, identity"
           " FROM model WHERE id IN (" MODELS ") ORDER BY id"};

static const struct sql_part models_kept = {
    "models", NULL,
    "SELECT id AS model, name, family, params, layers, heads, kv_heads, head_dim, weights_dtype,"
    " weights_sha256, config_sha256, tokenizer_sha256, identity FROM model WHERE id IN (" MODELS
    ") ORDER BY id"};

static const struct sql_part protocols = {
    "protocols", NULL,
    "SELECT p.id AS protocol, p.preset AS preset, o.name AS option, o.value AS value"
    " FROM protocol p JOIN protocol_option o ON o.protocol = p.id WHERE p.id IN (" PROTOCOLS
    ") ORDER BY p.id, o.name"};

/* Versions of metrics: those there are, found in one scan of the scores, of which each task has
 * those that scored an item of these runs: its first one ends the search. */
static const struct sql_part tasks = {
    "tasks", NULL,
    "WITH versions AS MATERIALIZED (SELECT DISTINCT metric, metric_version FROM score)"
    " SELECT t.name AS task, t.data AS data, t.metric AS metric,"
    " (SELECT group_concat(metric_version, ', ') FROM (SELECT v.metric_version FROM versions v"
    "   WHERE v.metric = t.metric AND EXISTS (SELECT 1 FROM experiment_run x"
    "    CROSS JOIN job j ON j.run = x.run AND j.task = t.id"
    "    CROSS JOIN score s ON s.job = j.id AND s.metric = v.metric"
    "     AND s.metric_version = v.metric_version WHERE x.experiment = ?1)"
    "   ORDER BY v.metric_version)) AS metric_version,"
    " t.max_new_tokens AS max_new_tokens, t.data_hash AS data_hash,"
    " t.template_hash AS template_hash, t.source AS source FROM task t WHERE EXISTS"
    " (SELECT 1 FROM experiment_run x JOIN job j ON j.run = x.run AND j.task = t.id"
    "   WHERE x.experiment = ?1) ORDER BY t.id"};

#define SETTINGS                                                                                   \
    " FROM experiment_run x JOIN run r ON r.id = x.run JOIN setting c ON c.id = r.setting"         \
    " JOIN model m ON m.id = r.model WHERE x.experiment = ?1"
#define SETTING_COLUMNS                                                                            \
    "SELECT x.name AS setting, r.id AS run, m.name AS model, c.weights AS weights,"                \
    " c.identity AS setting_hash, r.identity AS run_hash, r.origin AS origin"
static const struct sql_part settings = {"settings", NULL,
                                         SETTING_COLUMNS SETTINGS " ORDER BY x.position, r.id"};
static const struct sql_part settings_kept = {"settings", NULL,
                                              SETTING_COLUMNS ", c.json AS configuration" SETTINGS
                                                              " ORDER BY x.position, r.id"};
static const char *const configurations =
    "SELECT DISTINCT x.name, replace(c.json, ',\"', ', \"')" SETTINGS " ORDER BY x.position, c.id";

/* A table for people, with short hashes, and the same for programs, whose name is as it stands. */
static int put_both(struct doc *d, const struct sql_part *part, const char *heading,
                    struct store *s, int64_t experiment, struct err *e)
{
    doc_heading(d, "%s", heading);
    return sql_grid_both(d, part, s, experiment, e);
}

/* Too long for a column of people's. */
static int put_settings(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    const struct db_val v = val_int(experiment);
    struct stmt *q;
    int rc;
    doc_heading(d, "Settings");
    if (sql_grid(d, DOC_DATA, &settings_kept, s, experiment, NULL, e) ||
        sql_grid(d, DOC_SHOWN, &settings, s, experiment, NULL, e))
        return -1;
    doc_heading(d, "Configurations");
    if (stmt_open(store_db(s), configurations, &v, 1, &q, e))
        return -1;
    while ((rc = stmt_step(q, e)) == 1) {
        char *name = stmt_str_dup(q, 0);
        const struct text json = stmt_text(q, 1);
        doc_fact(d, name, "%.*s", (int)json.n, json.s);
        free(name);
    }
    stmt_close(q);
    return rc;
}

/* Numbers of several programs or machines in one table: said first. */
static void note_builds(const struct build_shares *b, struct doc *d)
{
    if (b->n_builds > 1)
        doc_para(d, "%d builds or machines computed these items: see how many each.", b->n_builds);
}

static int put_experiment(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    static const struct sql_part told = {
        .sql = "SELECT 'Experiment ' || name AS head, config_hash AS configuration, created,"
               " planned FROM experiment WHERE id = ?1"};
    static const struct sql_part kept = {
        "experiment", NULL,
        "SELECT name, config_hash, created, planned FROM experiment WHERE id = ?1"};
    return sql_facts(d, &told, s, experiment, e) ||
                   sql_grid(d, DOC_DATA, &kept, s, experiment, NULL, e)
               ? -1
               : 0;
}

static int put_programs(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    struct build_shares b;
    int rc = build_shares_load(&b, s, experiment, e);
    if (!rc) {
        note_builds(&b, d);
        rc = build_shares_put_builds(&b, s, d, e);
        build_shares_put_items(&b, d);
    }
    build_shares_release(&b);
    return rc;
}

static int put_models(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    return sql_facts(d, &models_told, s, experiment, e) ||
                   sql_grid(d, DOC_DATA, &models_kept, s, experiment, NULL, e)
               ? -1
               : 0;
}

static int put_all(struct store *s, int64_t experiment, struct doc *d, struct err *e)
{
    if (put_experiment(s, experiment, d, e) || put_programs(s, experiment, d, e) ||
        put_models(s, experiment, d, e) || put_both(d, &protocols, "Protocols", s, experiment, e) ||
        put_both(d, &tasks, "Tasks", s, experiment, e) || put_settings(s, experiment, d, e))
        return -1;
    doc_note(d, "Counts are of all finished items of these runs. Hashes are SHA-256; whole in CSV "
                "and JSON. The identity of a run is the hash of model, setting and protocol; "
                "builds, machines and times are no part of it. Metric versions are those of the "
                "scores of these runs.");
    return 0;
}

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e)
{
    int64_t experiment;
    char *name;
    if (report_experiment(s, r->experiment, &experiment, &name, e))
        return -1;
    doc_title(d, "provenance of %s", name);
    doc_field(d, "experiment", name);
    free(name);
    return put_all(s, experiment, d, e);
}
