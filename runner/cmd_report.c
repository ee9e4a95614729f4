/* kvlab report: documents drawn from the database, in any format, with their plots. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "reports/doc.h"
#include "reports/format.h"
#include "reports/report.h"
#include "runner/command.h"
#include "runner/terminal.h"

static int report(int argc, char **argv);

const struct command cmd_report = {
    .name = "report",
    .summary = "tables and plots of results (kvlab list reports)",
    .usage =
        "report NAME [--db PATH] [--experiment NAME] [--model NAME] ...\n"
        "             [--format text|markdown|csv|json|latex|html] [-o FILE] [--plot DIR]\n\n"
        "  --format FORM  text (100 columns, or the terminal's), markdown, csv, json, latex\n"
        "                 (booktabs, to be pasted) or html (one page)\n"
        "  --grid NAME    csv: which of the report's tables\n"
        "  --plot DIR     write the plots there: data, script, SVG, PDF and PNG (gnuplot-nox)\n"
        "  -o FILE        write to FILE instead of stdout; .md, .csv, .json, .tex and .html\n"
        "                 tell the format\n\n"
        "kvlab report NAME --help has what each report takes; kvlab list reports.\n"
        "Exit code 1: the report is whole, but gnuplot made no pictures.",
    .run = report,
};

/* The command line as it was given. */
struct asked {
    const char *db, *format, *grid, *path, *plot;
    const char *seed, *resamples, *level, *items;
    int mix;
    struct report_request q;
    const struct report *report;
    const struct format *how;
};

/* ---- what is asked ---- */

static int refuse(const struct report *r, const struct report_flag *f, struct err *e)
{
    return err_user(e, "report %s takes no %s (kvlab report %s --help)", r->name, f->name, r->name);
}

static int check_taken(const struct asked *a, struct err *e)
{
    const bool given[] = {a->q.experiment, a->q.model, a->q.baseline, a->q.x,   a->q.y, a->seed,
                          a->resamples,    a->level,   a->mix,        a->items, a->plot};
    for (int i = 0; report_flags[i].flag; i++)
        if (given[i] && !(a->report->takes & report_flags[i].flag))
            return refuse(a->report, &report_flags[i], e);
    return 0;
}

static int check_args(const struct asked *a, struct err *e)
{
    const struct report *r = a->report;
    int most = 0;
    while (most < REPORT_ARGS && r->args[most])
        most++;
    if (a->q.n_args > most)
        return err_user(e, "report %s: what is '%s'? (kvlab report %s --help)", r->name,
                        a->q.arg[most], r->name);
    if (a->q.n_args < r->min_args)
        return err_user(e, "report %s: %s is missing (kvlab report %s --help)", r->name,
                        r->args[a->q.n_args], r->name);
    return 0;
}

static int read_level(const char *value, double *out, struct err *e)
{
    char *end;
    *out = strtod(value, &end);
    if (end == value || *end || !(*out >= 50 && *out < 100))
        return err_user(e, "report: --level is '%s', must be a number from 50 to below 100", value);
    return 0;
}

static int read_numbers(struct asked *a, struct err *e)
{
    long n;
    if (a->seed) {
        if (command_int("--seed", a->seed, 0, 2147483647, &n, e))
            return -1;
        a->q.seed = (uint64_t)n;
    }
    if (a->resamples) {
        if (command_int("--resamples", a->resamples, 100, 100000, &n, e))
            return -1;
        a->q.resamples = (int)n;
    }
    if (a->items) {
        if (command_int("--items", a->items, 0, 1000000, &n, e))
            return -1;
        a->q.items = (int)n;
    }
    a->q.mix_protocols = a->mix;
    return a->level ? read_level(a->level, &a->q.level, e) : 0;
}

static int check_page(struct asked *a, struct err *e)
{
    if (a->how && strcmp(a->how->name, "html"))
        return err_user(e, "report %s is a page of its own: it is written as html, not as %s",
                        a->report->name, a->how->name);
    if (a->grid)
        return err_user(e, "report %s has no --grid", a->report->name);
    return 0;
}

/* The format stated, or that of the file's ending, or text. */
static int choose_format(struct asked *a, struct err *e)
{
    if (a->format)
        a->how = format_find(a->format, e);
    else
        a->how = a->path ? format_of_path(a->path) : NULL;
    if (a->format && !a->how)
        return err_in(e, "report");
    if (a->report->page)
        return check_page(a, e);
    a->how = a->how ? a->how : format_all[0];
    if (a->grid && strcmp(a->how->name, "csv"))
        return err_user(e, "report: --grid %s is for --format csv", a->grid);
    return 0;
}

static int check(struct asked *a, struct err *e)
{
    return check_taken(a, e) || check_args(a, e) || read_numbers(a, e) || choose_format(a, e) ? -1
                                                                                              : 0;
}

/* ---- the work ---- */

/* Writes the plots; *undrawn counts those of which there is no picture, and *e says why. */
static int write_plots(const struct doc *d, const char *dir, int *undrawn, struct err *e)
{
    const struct plot *p;
    for (int at = 0; (p = doc_next_plot(d, &at));) {
        if (!plot_write(p, dir, e))
            continue;
        if (e->class != ERR_ITEM)
            return -1;
        ++*undrawn;
    }
    return 0;
}

static int write_document(const struct asked *a, const struct doc *d, struct buf *out, int *undrawn,
                          struct err *e)
{
    const struct format_look look = {.width = a->path ? 100 : terminal_width(),
                                     .colour = !a->path && terminal_colour(),
                                     .grid = a->grid,
                                     .plots = a->plot,
                                     .undrawn = undrawn};
    if (a->plot && write_plots(d, a->plot, undrawn, e))
        return -1;
    return a->how->put(d, &look, out, e);
}

static int print(struct text t, struct err *e)
{
    if (fwrite(t.s, 1, t.n, stdout) != t.n || fflush(stdout))
        return err_system(e, "cannot write to stdout: %s", strerror(errno));
    return 0;
}

/* Reads the database and closes it before anything is drawn, but for a page of its own. */
static int compose(const struct asked *a, struct buf *out, int *undrawn, struct err *e)
{
    struct store *s;
    struct doc *d = NULL;
    if (store_open(a->db, STORE_READONLY, &s, e))
        return -1;
    int rc = a->report->page ? a->report->page(s, &a->q, undrawn, out, e)
                             : report_build(a->report, s, &a->q, &d, e);
    store_close(s);
    if (!rc && d)
        rc = write_document(a, d, out, undrawn, e);
    doc_free(d);
    return rc;
}

static int read_and_write(const struct asked *a, struct file_draft *file, int *undrawn,
                          struct err *e)
{
    struct buf out;
    buf_init(&out);
    int rc = compose(a, &out, undrawn, e);
    if (!rc)
        rc = a->path ? file_draft_commit(file, text_buf(&out), e) : print(text_buf(&out), e);
    buf_release(&out);
    return rc;
}

static int write_report(const struct asked *a)
{
    struct file_draft file = {0};
    struct err e = {0};
    int undrawn = 0;
    if (a->path && file_draft_open(&file, a->path, &e))
        return log_failure(&e);
    int rc = read_and_write(a, &file, &undrawn, &e);
    file_draft_drop(&file);
    if (rc)
        return log_failure(&e);
    if (undrawn)
        log_warn("%d plot%s without a picture: gnuplot is missing (apt-get install gnuplot-nox) or "
                 "failed; data and script are written where --plot says",
                 undrawn, undrawn == 1 ? "" : "s");
    return undrawn ? ERR_ITEM : 0;
}

/* `kvlab report NAME --help`: true when that was it. */
static bool helped(int argc, char **argv)
{
    struct err e;
    const struct report *r = argc > 2 ? report_find(argv[1], &e) : NULL;
    bool wanted = false;
    for (int i = 2; r && i < argc; i++)
        wanted |= !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");
    if (!wanted)
        return false;
    struct buf b;
    buf_init(&b);
    buf_str(&b, "usage: kvlab ");
    report_put_help(r, &b);
    fputs(b.s, stdout);
    buf_release(&b);
    return true;
}

static int report(int argc, char **argv)
{
    struct err e;
    struct asked a = {.db = "kvlab.db", .q = REPORT_REQUEST};
    const char *rest[REPORT_ARGS + 1];
    int n;
    const struct flag flags[] = {{.name = "--db", .value = &a.db},
                                 {.name = "--experiment", .value = &a.q.experiment},
                                 {.name = "--model", .value = &a.q.model},
                                 {.name = "--baseline", .value = &a.q.baseline},
                                 {.name = "--x", .value = &a.q.x},
                                 {.name = "--y", .value = &a.q.y},
                                 {.name = "--seed", .value = &a.seed},
                                 {.name = "--resamples", .value = &a.resamples},
                                 {.name = "--level", .value = &a.level},
                                 {.name = "--mix-protocols", .on = &a.mix},
                                 {.name = "--items", .value = &a.items},
                                 {.name = "--plot", .value = &a.plot},
                                 {.name = "--format", .value = &a.format},
                                 {.name = "--grid", .value = &a.grid},
                                 {.name = "-o", .value = &a.path},
                                 {0}};
    if (helped(argc, argv))
        return 0;
    int rc = command_flags(&cmd_report, argc, argv, flags, rest, REPORT_ARGS + 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    if (!n) {
        err_user(&e, "report: which one? (kvlab list reports; usage: kvlab report table ...)");
        return log_failure(&e);
    }
    a.q.n_args = n - 1;
    for (int i = 1; i < n; i++)
        a.q.arg[i - 1] = rest[i];
    if (!(a.report = report_find(rest[0], &e)) || check(&a, &e))
        return log_failure(&e);
    return write_report(&a);
}
