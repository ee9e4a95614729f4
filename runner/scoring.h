/*
 * A folder of official prediction files, scored as LongBench's eval.py scores it.
 *
 * A file that cannot be read and an item that cannot be scored end its task, not the others: the
 * task keeps the reason. Tasks stand in the order of tasks.def (eval.py has that of os.listdir,
 * which is none), files of no known task behind them.
 */
#ifndef KVLAB_SCORING_H
#define KVLAB_SCORING_H

#include "datasets/dataset.h"
#include "datasets/prediction.h"
#include "metrics/aggregate.h"
#include "metrics/metric.h"

enum scoring_state {
    SCORING_DONE,
    SCORING_SKIPPED,  // this version lacks the metric; predictions are there
    SCORING_UNSCORED, // an item has no score (NaN); predictions and the other scores are there
    SCORING_BROKEN    // the file is refused: nothing is there
};

struct scoring_task {
    char *file;              // name within the folder
    char *name;              // file name up to its first dot
    const struct task *task; // NULL where there is none of that name
    const char *metric_name; // with the chosen back-end
    const struct metric *metric;
    struct predictions predictions;
    double *scores; // [predictions.n]
    struct aggregate all, bucket[AGGREGATE_BUCKETS];
    enum scoring_state state;
    struct err why; // where it is not SCORING_DONE
};

struct scoring {
    char *dir;
    bool with_e;         // scorer_e: by length
    const char *backend; // "difflib" or "levenshtein"
    struct scoring_task *tasks;
    size_t n;
};

/* backend NULL: difflib, which a plain install of LongBench's requirements gives. -1 where the
 * folder cannot be read, holds no file whose name ends in jsonl, or the back-end is not known. */
int scoring_run(struct scoring *s, const char *dir, bool with_e, const char *backend,
                struct err *e);
void scoring_release(struct scoring *s);

/* Messages of the tasks that are not SCORING_DONE, on stderr; how many. */
int scoring_complain(const struct scoring *s);

/* The metric of a task under a back-end of code_sim. */
const char *scoring_metric(const struct task *t, const char *backend);

/* result.json of the tasks that are done, byte for byte as json.dump(indent=4, ensure_ascii=False)
 * writes it; and the scores of items, a JSON object a line. */
void scoring_put_result(const struct scoring *s, struct buf *out);
void scoring_put_items(const struct scoring *s, struct buf *out);
/* repr() of a Python float. */
void scoring_put_float(double x, struct buf *out);

/* What is printed: a table, or all of it as JSON. */
void scoring_put_table(const struct scoring *s, int width, struct buf *out);
void scoring_put_json(const struct scoring *s, struct buf *out);

#endif
