/*
 * Scores and comparisons that were loaded before, for reports that are built one after another of
 * the same experiment: report_request.loaded. Whoever asks for the reports owns them and keeps them
 * until the last is built; a report takes what answers its own request and loads the rest.
 */
#ifndef KVLAB_LOADED_H
#define KVLAB_LOADED_H

#include "reports/comparison.h"

struct loaded {
    const struct scores *scores;
    const struct comparison *comparison; // [scores->n_tables]
};

/* What scores_request.loaded takes: NULL where l is. */
const struct scores *loaded_scores(const struct loaded *l);
/* comparison_init, or one of l's where it has that of t with the same options. */
void loaded_compare(struct comparison *c, const struct scores_table *t,
                    const struct comparison_options *o, const struct loaded *l);

#endif
