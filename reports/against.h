/*
 * Published numbers and the runs of ours that answer to them: what `kvlab report against` shows.
 *
 * A published setting is matched to runs of a model of the same name: "full" to the full cache with
 * weights as stored, any other to a setting of the same name; where somebody says which
 * (THEIRS=OURS, of a setting or a model), to that one. Every run that matches has a pair of its
 * own: runs under other protocols are never put together. All strings belong to the struct.
 */
#ifndef KVLAB_AGAINST_H
#define KVLAB_AGAINST_H

#include <stdint.h>

#include "harness/store/store.h"

/* A score of a task or an average. NaN and 0 where nobody knows. */
struct against_score {
    double score, error; // error: standard error
    int64_t n;           // items with a score; of an average the sum over its tasks
    int64_t missing;     // of ours: planned items without one
};

struct against_row {
    char *task, *category, *language; // of averages: category "average"
    char *source;
    struct against_score theirs, ours;
    bool computed; // theirs is not stated: it is made of the stated tasks
};

/* A published setting, and a run of ours beside it or none. */
struct against_pair {
    int64_t run; // of theirs
    char *model, *protocol, *setting;
    struct against_ours {
        int64_t run; // 0: none
        char *model, *setting, *protocol, *origin;
    } ours;
    struct against_row *row;
    int n_rows;
};

struct against {
    char *paper;
    struct against_pair *pair;
    int n_pairs;
};

/* ours of a row are NaN where there is no such task. maps: "THEIRS=OURS". ERR_USER with near
 * matches for an unknown paper, setting or model. */
int against_load(struct against *a, struct store *s, const char *paper, const char *const *maps,
                 int n_maps, struct err *e);
void against_release(struct against *a);

/* A row of an average: the words of it. */
bool against_is_average(const struct against_row *r);

/* ---- arithmetic (against_means.c) ---- */

/* Averages of ours as the paper takes them, over the tasks that it lists; and those of both
 * averages that the paper does not state, computed for both. */
void against_add_averages(struct against_pair *p);

/* ours - theirs, and the same in units of a standard error: of ours alone, as if the published
 * number had none, and of both, as if they had other items. NaN where that is not known. */
struct against_difference {
    double points, in_ours, in_both;
};
struct against_difference against_difference(const struct against_row *r);

#endif
