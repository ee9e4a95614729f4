/*
 * What a report builds: a document of headings, text, facts, tables (grids) and plots, that knows
 * nothing of how it will be written. format.h writes it as text, Markdown, CSV, JSON, LaTeX or
 * HTML.
 *
 * Strings are copied and may hold any bytes: each format escapes what it would obey. Grids and
 * plots belong to the document. Order is that of the calls.
 */
#ifndef KVLAB_DOC_H
#define KVLAB_DOC_H

#include "reports/grid.h"
#include "reports/plot.h"

struct doc;

struct doc *doc_new(const char *report); // the report's name
void doc_free(struct doc *d);
/* Everything is in it: before a format writes it. */
void doc_end(struct doc *d);

/* One line on the whole: title of a page, member "title" in JSON. Text and Markdown leave it out:
 * they begin with the first heading. */
void doc_title(struct doc *d, const char *fmt, ...) ERR_PRINTF(2, 3);
/* What it is of ("experiment", "model"): a member in JSON, the head of a page. */
void doc_field(struct doc *d, const char *name, const char *value);

void doc_heading(struct doc *d, const char *fmt, ...) ERR_PRINTF(2, 3);
void doc_para(struct doc *d, const char *fmt, ...) ERR_PRINTF(2, 3);
/* Below a table or at the end: what numbers mean, what is missing. Neighbours are a list; after
 * doc_notes_end the next one begins another. One that begins with a star or dagger explains it. */
void doc_note(struct doc *d, const char *fmt, ...) ERR_PRINTF(2, 3);
void doc_notes_end(struct doc *d);
/* A name and what is said of it; neighbours are a list. */
void doc_fact(struct doc *d, const char *name, const char *fmt, ...) ERR_PRINTF(3, 4);
/* Somebody's words, such as an answer: whole, with line breaks. */
void doc_quote(struct doc *d, const char *label, struct text words);

/* Who sees a grid: people (text, Markdown, LaTeX, HTML), programs (CSV, JSON), or both. Tables for
 * people may have heads in two lines and a row of totals; data are tidy: a row a thing, a column a
 * property. */
enum doc_use { DOC_BOTH, DOC_SHOWN, DOC_DATA };

/* name: of the grid in JSON, for --grid and in files (lower case, unique; a second one of a name
 * gets a number). caption: a line above it, or NULL where a heading says it. */
struct grid *doc_grid(struct doc *d, enum doc_use use, const char *name, const char *caption);
/* The grid that CSV has when none is asked for; without this the first that is data. */
void doc_main(struct doc *d, const struct grid *g);

/* name as of a grid; files are called so. */
struct plot *doc_plot(struct doc *d, const char *name, const char *title);
/* The next plot at or after block *at (0 at first), or NULL; *at is then the block behind it. */
const struct plot *doc_next_plot(const struct doc *d, int *at);

#endif
