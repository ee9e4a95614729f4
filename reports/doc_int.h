/* A document as the formats see it. */
#ifndef KVLAB_DOC_INT_H
#define KVLAB_DOC_INT_H

#include "reports/doc.h"
#include "reports/grid_int.h"

enum doc_kind { DOC_HEADING, DOC_PARA, DOC_NOTE, DOC_FACT, DOC_QUOTE, DOC_GRID, DOC_PLOT };

struct doc_block {
    enum doc_kind kind;
    struct text text; // of a heading, paragraph, note, fact or quote
    struct text name; // of a fact; label of a quote
    bool first;       // a note that begins a list
    enum doc_use use; // of a grid
    struct grid *grid;
    struct plot *plot;
    struct grid *points; // of a plot: its data as a grid
};

struct doc {
    char *report, *title; // title "": none
    struct doc_pair {
        char *name, *value;
    } * field;
    int n_fields;
    struct doc_block *block;
    int n_blocks;
    const struct grid *main; // or NULL
    bool notes_ended;
};

/* Grids that files of data have, plots' among them: the next at or after *at, or NULL. *at is then
 * the block behind it. */
const struct grid *doc_next_data(const struct doc *d, int *at);

/* Whether people see it: not grids of data. */
bool doc_is_shown(const struct doc_block *b);
/* Whether b is of the list that `before`, the shown block before it, is of. */
bool doc_goes_on(const struct doc_block *before, const struct doc_block *b);

/* The heading above a block, "" where there is none. */
struct text doc_heading_above(const struct doc *d, int block);

#endif
