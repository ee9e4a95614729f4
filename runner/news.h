/*
 * What a worker tells the process that watches it: records through a pipe, each written whole
 * (shorter than PIPE_BUF), so that the news of several workers do not mix.
 */
#ifndef KVLAB_NEWS_H
#define KVLAB_NEWS_H

#include "harness/base/err.h"

enum news_kind {
    NEWS_WORK,   // what was done since the last news
    NEWS_WARN,   // text: a warning
    NEWS_FAILURE // text, class: why it cannot go on
};

struct news {
    enum news_kind kind;
    int worker;       // place in the crew
    int variant;      // of the plan: what the work was for
    int done, failed; // items that are stored
    double prefill_tokens, decode_tokens;
    double cost; // as estimate.h has it
    enum err_class class;
    char text[512];
};

/* Both ends: out[0] to read (never blocks), out[1] to write. ERR_SYSTEM. */
int news_open(int out[2], struct err *e);
/* Nobody may be listening any more: then it is lost. */
void news_send(int fd, const struct news *n);
/* 1, or 0 when there is none at the moment. */
int news_receive(int fd, struct news *n);

#endif
