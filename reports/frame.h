/*
 * What a plot of settings begins with: an experiment's scores in tables, one a model and protocol,
 * each with its comparison, and which score is meant by --y: the mean of the tasks, of the
 * categories, a category, or a task. Tables without that category or task are left out.
 *
 * Settings are compared within their protocol, always. --mix-protocols puts several tables of a
 * model into one group, which is one plot; rows are then told apart by what differs.
 */
#ifndef KVLAB_FRAME_H
#define KVLAB_FRAME_H

#include "reports/comparison.h"
#include "reports/report.h"

struct frame_table {
    const struct scores_table *scores;
    struct comparison all, category; // the second: of the tasks of one category
    int *task;                       // [n_tasks]: places of the tasks that y is of
    int n_tasks;
    char *variant;     // what tells its protocol from the others' of the experiment, or ""
    double full_token; // bytes a token takes in a full f16 cache; NaN: not known
};

/* Tables [from, to) of frame.table: one plot. */
struct frame_group {
    int from, to;
};

struct frame {
    struct scores scores;
    struct frame_table *table;
    int n_tables;
    struct frame_group *group;
    int n_groups;
    enum frame_y { FRAME_TASKS, FRAME_CATEGORIES, FRAME_CATEGORY, FRAME_TASK } y;
    char *y_label; // "score, mean of 6 tasks", for an axis
};

/* What is loaded besides the scores: tokens, bytes and seconds; comparisons, without which there
 * are no cells. */
enum { FRAME_MEASURES = 1, FRAME_COMPARISONS = 2 };
/* Takes experiment, model, baseline, y, seed, resamples, level, mix_protocols of the request. */
int frame_load(struct frame *f, struct store *s, const struct report_request *r, unsigned what,
               struct err *e);
void frame_release(struct frame *f);

/* Of a row: its score, and its difference to the baseline. */
const struct comparison_cell *frame_cell(const struct frame *f, const struct frame_table *t,
                                         int row);
/* As the request says, for a table of its own. */
struct comparison_options frame_options(const struct scores_table *t,
                                        const struct report_request *r);
int frame_rows(const struct frame *f, struct frame_group g); // of all its tables
/* Title, names of experiment and model as fields of the document. */
void frame_put_head(const struct frame *f, const char *what, struct doc *d);
/* "experiment: model, protocol ..., 12 settings", of a group. */
struct buf frame_heading_new(const struct frame *f, struct frame_group g);
/* A row's name, with the protocol's words where its group has several; the caller frees. */
char *frame_name_dup(struct frame_group g, const struct frame_table *t, int row);
/* Notes on what the scores are, what the intervals are, and what is missing. */
void frame_put_notes(const struct frame *f, struct doc *d);

/* ---- columns that several reports have ---- */

/* People: score, its interval, difference to the baseline with a dagger, its interval. */
void frame_score_columns(struct grid *g);
void frame_score_cells(const struct comparison_cell *c, struct grid *g);
/* Programs: every number. */
void frame_score_data_columns(struct grid *g);
void frame_score_data_cells(const struct comparison_cell *c, struct grid *g);

/* Three digits: 812, 4.38 k, 57.3 M; full value in data. */
void frame_put_bytes(struct grid *g, double x);

#endif
