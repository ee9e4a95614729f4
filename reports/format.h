/*
 * How a document is written: one file format_NAME.c a format. Each escapes whatever it would obey,
 * so that names and answers of any bytes stay what they are, and the same document gives the same
 * bytes. */
#ifndef KVLAB_FORMAT_H
#define KVLAB_FORMAT_H

#include "reports/doc.h"

struct format_look {
    int width;         // of a line of text; 0: no limit
    bool colour;       // text: bold for the best; only for a terminal
    const char *grid;  // CSV: which; NULL: the main one
    const char *plots; // folder where the pictures are, as links shall name it; NULL: none are
    int *undrawn;      // or NULL: pictures that a page should have and has not are added
};

struct format {
    const char *name;
    const char *const *endings; // of files: ".md", NULL-terminated
    /* ERR_USER where the look asks for what the document has not. */
    int (*put)(const struct doc *d, const struct format_look *look, struct buf *out, struct err *e);
};

/* NULL-terminated; the first is for terminals. */
extern const struct format *const format_all[];

/* NULL when there is none; the error lists them. */
const struct format *format_find(const char *name, struct err *e);
/* By a file's ending; NULL when it says nothing. */
const struct format *format_of_path(const char *path);

/* ---- pieces that formats share ---- */

/* Markdown and LaTeX: t so that it is shown as it is. */
void format_put_markdown(struct text t, struct buf *out);
void format_put_latex(struct text t, struct buf *out);
/* JSON knows only valid UTF-8: other bytes are shown escaped. NAN and infinities are null. */
void format_put_json_text(struct text t, struct buf *out);
void format_put_json_number(double x, struct buf *out);

#endif
