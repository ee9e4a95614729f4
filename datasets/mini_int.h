/* What the files of the generator share: its state, its words, its tasks. */
#ifndef KVLAB_MINI_INT_H
#define KVLAB_MINI_INT_H

#include "datasets/mini.h"
#include "harness/base/rng.h"

enum { MINI_CLASSES = 8, MINI_NAME = 64 };

struct mini_task;

struct mini {
    const struct mini_task *task;
    const struct mini_options *options;
    struct rng rng;
    /* The record at hand. */
    struct buf context;
    struct buf question[MINI_QUESTIONS], answer[MINI_QUESTIONS];
    int n_questions;
    const char *classes[MINI_CLASSES];
    int n_classes;
};

struct words {
    const char *const *list;
    int n;
};

struct name {
    char s[MINI_NAME];
};

/*
 * Draws. Every draw moves the generator, so their order is part of the output. The order in which
 * C evaluates the arguments of one call is not defined: never put two draws into one call. (Many
 * sentences draw their last word first: the generator's first version left it to the compiler.)
 */
int mini_between(struct mini *m, int low, int high); // both included
const char *mini_pick(struct mini *m, const struct words *w);
void mini_permutation(struct mini *m, int *order, int n);
struct name mini_person(struct mini *m);
struct name mini_town(struct mini *m);
struct name mini_river(struct mini *m);
struct name mini_person_zh(struct mini *m);
struct name mini_city_zh(struct mini *m);
struct name mini_name(const char *a, const char *gap, const char *b); // not a draw

bool mini_taken(const struct name *used, int n, const struct name *x);
/* One that is not among the n used. */
struct name mini_fresh(struct mini *m, struct name (*make)(struct mini *), const struct name *used,
                       int n);

/* A sentence that answers nothing. */
void mini_filler(struct mini *m, struct buf *out);

/* The pattern with its first and second "%s" replaced. */
void mini_say(struct buf *out, const char *pattern, const char *first, const char *second);

/* The next question, empty; *answer is where its answer goes. NULL when there are enough. */
struct buf *mini_ask(struct mini *m, struct buf **answer);

/* The tasks: fill context and questions. */
void mini_make_doc_qa(struct mini *m, int words);
void mini_make_multi_hop(struct mini *m, int words);
void mini_make_report(struct mini *m, int words);
void mini_make_classify(struct mini *m, int words);
void mini_make_retrieval(struct mini *m, int words);
void mini_make_code(struct mini *m, int words);
void mini_make_qa_zh(struct mini *m, int words);

extern const struct words words_surname_start, words_surname_end, words_river_start;
extern const struct words words_professions, words_instruments, words_colours, words_things,
    words_materials, words_animals, words_foods, words_spots, words_verbs, words_classes;
extern const struct words words_code_verbs, words_code_arguments;
extern const struct words words_jobs_zh, words_foods_zh, words_instruments_zh;

#endif
