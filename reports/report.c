#include "reports/report.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/near.h"
#include "reports/visible.h"

#define REPORT(name) extern const struct report report_##name;
#include "reports/reports.def"
#undef REPORT

#define REPORT(name) &report_##name,
const struct report *const report_all[] = {
#include "reports/reports.def"
    NULL};
#undef REPORT

enum { N_REPORTS = sizeof report_all / sizeof *report_all - 1 };

const struct report *report_find(const char *name, struct err *e)
{
    const char *names[N_REPORTS];
    char hint[128];
    for (int i = 0; i < N_REPORTS; i++) {
        names[i] = report_all[i]->name;
        if (!strcmp(name, names[i]))
            return report_all[i];
    }
    err_user(e, "there is no report '%s'%s (kvlab list reports)", name,
             near_hint(hint, name, names, N_REPORTS));
    return NULL;
}

/* ---- building ---- */

/* Names that are given and are not in the database. */
int report_check_names(const struct report *r, struct store *s, const struct report_request *q,
                       struct err *e)
{
    int64_t experiment;
    char *name;
    if (!(r->takes & REPORT_EXPERIMENT))
        return 0;
    if (report_experiment(s, q->experiment, &experiment, &name, e))
        return -1;
    free(name);
    if (q->model && report_has_model(s, experiment, q->model, e))
        return -1;
    return q->baseline ? report_has_setting(s, experiment, q->baseline, e) : 0;
}

int report_build(const struct report *r, struct store *s, const struct report_request *q,
                 struct doc **out, struct err *e)
{
    if (report_check_names(r, s, q, e))
        return -1;
    *out = doc_new(r->name);
    if (r->build(s, q, *out, e)) {
        doc_free(*out);
        *out = NULL;
        return -1;
    }
    doc_end(*out);
    return 0;
}

/* ---- its command line ---- */

const struct report_flag report_flags[] = {
    {REPORT_EXPERIMENT, "--experiment", "NAME", "which experiment (the one planned last)"},
    {REPORT_MODEL, "--model", "NAME", "only this model"},
    {REPORT_BASELINE, "--baseline", "SETTING", "what settings are compared with (the full cache)"},
    {REPORT_X, "--x", "FIELD", "what the x axis shows"},
    {REPORT_Y, "--y", "FIELD", "what the y axis shows"},
    {REPORT_SEED, "--seed", "N", "of the resampling (1)"},
    {REPORT_RESAMPLES, "--resamples", "N", "how many resamples make an interval (1000)"},
    {REPORT_LEVEL, "--level", "PERCENT", "of intervals (95)"},
    {REPORT_MIX_PROTOCOLS, "--mix-protocols", NULL, "put several protocols into one table or plot"},
    {REPORT_ITEMS, "--items", "N", "how many single items are shown; the default stands above"},
    {REPORT_PLOT, "--plot", "DIR", "write the plots there: data, script, SVG, PDF and PNG"},
    {0, NULL, NULL, NULL}};

static void put_flag(const char *name, const char *value, const char *help, struct buf *out)
{
    int used = (int)strlen(name) + (value ? (int)strlen(value) + 1 : 0);
    buf_printf(out, "  %s%s%s%*s  %s\n", name, value ? " " : "", value ? value : "",
               used < 21 ? 21 - used : 0, "", help);
}

static void put_usage(const struct report *r, struct buf *out)
{
    buf_printf(out, "report %s", r->name);
    for (int i = 0; i < REPORT_ARGS && r->args[i]; i++)
        buf_printf(out, i < r->min_args ? " %s" : " [%s]", r->args[i]);
    buf_str(out, " [--db PATH]");
    for (const struct report_flag *f = report_flags; f->flag; f++)
        if (r->takes & f->flag)
            buf_printf(out, " [%s%s%s]", f->name, f->value ? " " : "", f->value ? f->value : "");
    buf_str(out, " [--format FORM] [--grid NAME] [-o FILE]");
}

void report_put_help(const struct report *r, struct buf *out)
{
    struct buf usage;
    buf_init(&usage);
    put_usage(r, &usage);
    visible_put_wrapped(usage.s, 92, 13, out);
    buf_release(&usage);
    buf_printf(out, "\n%s\n", r->summary);
    if (r->help) {
        buf_char(out, '\n');
        visible_put_wrapped(r->help, 96, 0, out);
    }
    buf_char(out, '\n');
    put_flag("--db", "PATH", "the database (kvlab.db)", out);
    for (const struct report_flag *f = report_flags; f->flag; f++)
        if (r->takes & f->flag)
            put_flag(f->name, f->value, f->help, out);
    put_flag("--format", "FORM", "text, markdown, csv, json, latex or html", out);
    put_flag("--grid", "NAME", "csv: which of its tables", out);
    put_flag("-o", "FILE", "write to FILE, whose ending tells the format", out);
}
