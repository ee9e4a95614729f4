/* kvlab show: one method with its options; the options of protocols, models and tasks. */
#include <stdio.h>
#include <string.h>

#include "harness/base/log.h"
#include "harness/base/near.h"
#include "reports/report.h"
#include "runner/command.h"
#include "runner/experiment.h"

static int show(int argc, char **argv);

const struct command cmd_show = {
    .name = "show",
    .summary = "a method's options; the keys of a configuration",
    .usage = "show method NAME | show report NAME | show protocol | show model | show task | show "
             "weights\n\n"
             "  method NAME  what it does, the hooks it fills, its options\n"
             "  report NAME  what it takes\n"
             "  protocol     options of \"protocol\" in a configuration\n"
             "  model        keys of \"model\" and of configs/models/NAME.json\n"
             "  task         keys of \"data\" and of an entry of \"tasks\"\n"
             "  weights      keys of \"weights\" in an entry of \"settings\"",
    .run = show,
};

static int show_method(const char *name, struct buf *out, struct err *e)
{
    const struct kv_method *m = kv_method_find(name, e);
    if (!m)
        return -1;
    buf_printf(out, "%s, version %d: %s\nfrom   %s\nhooks  ", m->name, m->version, m->summary,
               m->cite);
    kv_method_put_hooks(m, out);
    buf_str(out, m->options ? "\noptions\n" : "\noptions: none\n");
    if (m->options)
        opt_put_help(m->options, out);
    return 0;
}

static int show_report(const char *name, struct buf *out, struct err *e)
{
    const struct report *r = report_find(name, e);
    if (!r)
        return -1;
    buf_str(out, "usage: kvlab ");
    report_put_help(r, out);
    return 0;
}

static int show_one(const char *const *what, int n, struct buf *out, struct err *e)
{
    static const char *const names[] = {"method", "report", "protocol", "model", "task", "weights"};
    char hint[128];
    if (n == 2 && !strcmp(what[0], "method"))
        return show_method(what[1], out, e);
    if (n == 2 && !strcmp(what[0], "report"))
        return show_report(what[1], out, e);
    if (n == 1 && !strcmp(what[0], "protocol"))
        opt_put_help(protocol_options, out);
    else if (n == 1 && !strcmp(what[0], "model"))
        opt_put_help(model_spec_options, out);
    else if (n == 1 && !strcmp(what[0], "task"))
        opt_put_help(exp_task_options, out);
    else if (n == 1 && !strcmp(what[0], "weights"))
        opt_put_help(quant_options, out);
    else
        return err_user(e,
                        "show: what is '%s'? (usage: kvlab show method NAME | report NAME | "
                        "protocol | model | task | weights)%s",
                        n ? what[0] : "", n ? near_hint(hint, what[0], names, 6) : "");
    return 0;
}

static int show(int argc, char **argv)
{
    const char *what[2] = {NULL, NULL};
    struct err e;
    struct buf out;
    int n;
    const struct flag flags[] = {{0}};
    int rc = command_flags(&cmd_show, argc, argv, flags, what, 2, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    buf_init(&out);
    rc = show_one(what, n, &out, &e) ? log_failure(&e) : 0;
    if (!rc)
        fputs(out.s, stdout);
    buf_release(&out);
    return rc;
}
