/*
 * A text file as records, for metrics that read a reference in place of an answer.
 *
 * The text is cut into windows of so many words, one behind the other. A window is a record's
 * context; its answer is what follows it in the text. So the contexts share nothing, and all of the
 * text but its beginning may be an answer once.
 *
 * A word is a run of characters between white space, or one Chinese or Japanese character. A window
 * ends at the first place behind its words where the ids of the two sides are those of the whole:
 * at a single space, which belongs to neither, or behind a line's end, when no white space follows.
 */
#ifndef KVLAB_TEXT_FILE_H
#define KVLAB_TEXT_FILE_H

#include "harness/base/text.h"

enum { TEXT_FILE_VERSION = 1 }; // raised whenever a record changes

struct text_windows {
    int words;  // of a context, at least
    int answer; // of an answer, at least
};

/* The first `limit` windows (0: all) as lines of LongBench's form. label names the text in
 * messages. ERR_USER: not UTF-8, or too short for one. */
int text_windows_put(struct text content, const char *label, const struct text_windows *w,
                     size_t limit, struct buf *out, struct err *e);

#endif
