/* What the table report shows, as numbers: settings by tasks, for each variant of an experiment, a
 * model under a protocol. */
#ifndef KVLAB_TABLE_DATA_H
#define KVLAB_TABLE_DATA_H

#include "reports/report.h"
#include "reports/scores.h"

struct table_task {
    int64_t id;
    char *name, *category;
    int items; // that the fullest row asks for
};

struct table_cell {
    int planned, n, done, failed, left;
    double score, stderr_; // NaN where there is none
};

struct table_row {
    int64_t run;
    char *name, *method;
    char *weights;                           // "w4g128"; "": as the checkpoint stores them
    double kv_ratio, read_ratio, decode_tps; // over all items, NaN where unknown
    char *kv_basis;
    int measured, unchanged; // items with bytes; those that a full cache holds and reads as few of
    struct table_cell *cell; // [n_tasks] of its table
};

/* One model under one protocol. */
struct table {
    int64_t model, protocol;
    char *model_name, *protocol_name, *protocol_json;
    char **differs;          // [n_differing] of the data: this one's values, "" where it has none
    struct table_task *task; // grouped by category
    int n_tasks;
    struct table_row *row;
    int n_rows;
};

struct table_data {
    struct scores scores; // with the same tables, tasks and rows at the same places
    int64_t experiment;
    char *name;
    struct table *table;
    int n_tables;
    char **differing; // options in which the tables' protocols differ, but for those of their names
    int n_differing;
    char *others;     // other experiments' names, or ""
    int builds;       // that computed the items of these tables
    int mixed_scores; // cells scored by several versions of a metric
};

int table_data_load(struct table_data *d, struct store *s, const struct report_request *r,
                    struct err *e);
void table_data_release(struct table_data *d);

/* Nothing is compressed: neither the cache nor the weights. */
bool table_row_is_reference(const struct table_row *r);
/* Does any setting store its weights otherwise? */
bool table_has_weights(const struct table *t);
/* Several categories, and fewer than tasks: then the two averages differ. */
bool table_has_categories(const struct table *t);
bool table_data_has_weights(const struct table_data *d);

/* Of what all task names start with ("mini_"), which a narrow head can do without: bytes. */
size_t table_common_prefix(const struct table *t);

/* Whether a cell lacks items that the task has elsewhere, or that were asked for. */
bool table_cell_partial(const struct table_cell *c, const struct table_task *t);

/* Mean of a row over all tasks and its standard error; NaN when a task has no score. */
struct table_mean {
    double mean, stderr_;
    bool partial;
};
struct table_mean table_row_mean(const struct table *t, const struct table_row *r);

#endif
