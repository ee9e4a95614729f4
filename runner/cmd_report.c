/* kvlab report: tables drawn from the database. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/near.h"
#include "reports/report.h"
#include "runner/command.h"
#include "runner/terminal.h"

static int report(int argc, char **argv);

const struct command cmd_report = {
    .name = "report",
    .summary = "comparison tables (kvlab list reports)",
    .usage = "report NAME [--db PATH] [--experiment NAME] [--model NAME]\n"
             "             [--format text|markdown|csv] [-o FILE]\n\n"
             "  --db PATH          the database (kvlab.db)\n"
             "  --experiment NAME  which experiment (the one planned last)\n"
             "  --model NAME       only this model\n"
             "  --format FORM      text (100 columns, or the terminal's), markdown or csv\n"
             "  -o FILE            write to FILE instead of stdout",
    .run = report,
};

static int find_format(const char *name, enum report_format *format, struct err *e)
{
    static const char *const names[] = {
        [REPORT_TEXT] = "text", [REPORT_MARKDOWN] = "markdown", [REPORT_CSV] = "csv"};
    enum { N = sizeof names / sizeof *names };
    char hint[128];
    for (int i = 0; i < N; i++)
        if (!strcmp(name, names[i])) {
            *format = (enum report_format)i;
            return 0;
        }
    return err_user(e, "report: --format is '%s', must be text, markdown or csv%s", name,
                    near_hint(hint, name, names, N));
}

static int write_out(struct text t, const char *path, struct err *e)
{
    if (path)
        return file_write(path, t, e);
    if (fwrite(t.s, 1, t.n, stdout) != t.n || fflush(stdout))
        return err_system(e, "cannot write to stdout: %s", strerror(errno));
    return 0;
}

static int write_report(const struct report *r, const struct report_request *q, const char *db,
                        const char *path, struct err *e)
{
    struct store *s;
    struct buf out;
    if (store_open(db, STORE_READONLY, &s, e))
        return -1;
    buf_init(&out);
    int rc = r->write(s, q, &out, e) || write_out(text_buf(&out), path, e) ? -1 : 0;
    buf_release(&out);
    store_close(s);
    return rc;
}

static int report(int argc, char **argv)
{
    struct err e;
    const char *name = NULL, *db = "kvlab.db", *format = "text", *path = NULL;
    struct report_request q = {0};
    const struct report *r;
    int n;
    const struct flag flags[] = {
        {.name = "--db", .value = &db},         {.name = "--experiment", .value = &q.experiment},
        {.name = "--model", .value = &q.model}, {.name = "--format", .value = &format},
        {.name = "-o", .value = &path},         {0}};
    int rc = command_flags(&cmd_report, argc, argv, flags, &name, 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    if (!n) {
        err_user(&e, "report: which one? (kvlab list reports; usage: kvlab report table ...)");
        return log_failure(&e);
    }
    q.width = path ? 100 : terminal_width();
    q.colour = !path && terminal_colour();
    if (!(r = report_find(name, &e)) || find_format(format, &q.format, &e) ||
        write_report(r, &q, db, path, &e))
        return log_failure(&e);
    return 0;
}
