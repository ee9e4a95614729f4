/* kvlab doctor: libraries, processor, memory, built-in files and the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "harness/base/file.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"
#include "harness/store/store.h"
#include "runner/build_info.h"
#include "runner/command.h"
#include "runner/session.h"

static int doctor(int argc, char **argv);

const struct command cmd_doctor = {
    .name = "doctor",
    .summary = "checks libraries, processor, built-in model and database",
    .usage = "doctor [--db PATH] [--json]\n\n"
             "  --db PATH  the database (kvlab.db)\n"
             "  --json     for programs\n\n"
             "Programs marked with '-' are not there and optional.\n"
             "Exit code 0: all is well; 2: something is not, and what is said.",
    .run = doctor,
};

/* One line of the answer. */
struct finding {
    const char *what;
    bool ok, absent; // absent: optional, and not there
    char text[600];
};

enum { FINDINGS_MAX = 16 };

struct findings {
    struct finding list[FINDINGS_MAX];
    int n;
};

static struct finding *add(struct findings *f, const char *what, bool ok)
{
    struct finding *x = &f->list[f->n++];
    x->what = what;
    x->ok = ok;
    return x;
}

static void check_program(struct findings *f)
{
    struct build_info b;
    build_info_get(&b);
    snprintf(add(f, "version", true)->text, 600, "%s, commit %s%s", KVLAB_VERSION, b.commit,
             b.dirty ? " with changes" : "");
    snprintf(add(f, "compiler", true)->text, 600, "%s, %s", b.compiler, b.cflags);
    snprintf(add(f, "blas", true)->text, 600, "%s", b.blas);
    snprintf(add(f, "processor", true)->text, 600, "%s, %d threads, kernels %s", b.cpu,
             session_threads(0), kernels_best()->name);
    snprintf(add(f, "memory", mem_available() > 0x10000000)->text, 600, "%.1f GiB free",
             (double)mem_available() / 0x1p30);
}

/* The first line that a program says of itself, or nothing. */
static void ask_version(const char *command, char *out, size_t size)
{
    FILE *p = popen(command, "r");
    *out = 0;
    if (!p)
        return;
    if (!fgets(out, (int)size, p))
        *out = 0;
    out[strcspn(out, "\n")] = 0;
    pclose(p);
}

/* Programs that kvlab does without. */
static void check_optional(struct findings *f)
{
    static const struct {
        const char *name, *command, *package, *for_what;
    } tools[] = {
        {"gnuplot", "gnuplot --version 2>/dev/null", "gnuplot-nox",
         "pictures of kvlab report --plot and report html; without it data and scripts are "
         "written"},
        {"sqlite3", "sqlite3 --version 2>/dev/null", "sqlite3",
         "a look at the database without kvlab query"},
    };
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        char version[120];
        ask_version(tools[i].command, version, sizeof version);
        struct finding *x = add(f, tools[i].name, true);
        x->absent = !*version;
        if (x->absent)
            snprintf(x->text, sizeof x->text, "not found (optional; apt-get install %s): %s",
                     tools[i].package, tools[i].for_what);
        else
            snprintf(x->text, sizeof x->text, "%.100s: %s", version, tools[i].for_what);
    }
}

static void check_model(struct findings *f)
{
    struct model_spec spec;
    struct err e;
    struct model_options o = {.threads = 1};
    struct model *m = NULL;
    if (!model_spec_named(&spec, "mini", &e))
        m = model_open(spec.dir, &o, &e);
    struct finding *x = add(f, "built-in model", m != NULL);
    if (m)
        snprintf(x->text, sizeof x->text, "%.2f M parameters, opens",
                 (double)model_parameters(m) / 1e6);
    else
        snprintf(x->text, sizeof x->text, "%.590s", e.msg);
    model_close(m);
}

static void check_database(struct findings *f, const char *path)
{
    struct store *s = NULL;
    struct store_counts c;
    struct err e;
    if (!file_exists(path)) {
        snprintf(add(f, "database", true)->text, 600, "%.500s: not there yet", path);
        return;
    }
    bool ok = !store_open(path, STORE_READONLY, &s, &e) && !store_count(s, 0, &c, &e);
    struct finding *x = add(f, "database", ok);
    if (ok)
        snprintf(x->text, sizeof x->text, "%.400s: %lld items done, %lld failed, %lld to do", path,
                 (long long)c.done, (long long)c.failed, (long long)(c.ready + c.running));
    else
        snprintf(x->text, sizeof x->text, "%.590s", e.msg);
    store_close(s);
}

static void check_disk(struct findings *f)
{
    struct statvfs v;
    bool known = statvfs(".", &v) == 0;
    double gib = known ? (double)v.f_bavail * (double)v.f_frsize / 0x1p30 : 0;
    snprintf(add(f, "disk", known && gib > 0.1)->text, 600, "%.1f GiB free here", gib);
}

static void print(const struct findings *f, bool json)
{
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < f->n; i++) {
        const struct finding *x = &f->list[i];
        if (json) {
            buf_str(&b, i ? ",{\"what\":" : "[{\"what\":");
            json_put_string(&b, text_of(x->what));
            buf_printf(&b, ",\"ok\":%s,\"text\":", x->ok ? "true" : "false");
            json_put_string(&b, text_of(x->text));
            buf_char(&b, '}');
        } else {
            buf_printf(&b, "%-4s %-15s %s\n",
                       x->absent ? "-"
                       : x->ok   ? "ok"
                                 : "BAD",
                       x->what, x->text);
        }
    }
    buf_str(&b, json ? "]\n" : "");
    fputs(b.s, stdout);
    buf_release(&b);
}

static int doctor(int argc, char **argv)
{
    const char *db = "kvlab.db";
    struct findings f = {.n = 0};
    struct err e;
    int n, json = 0;
    const struct flag flags[] = {
        {.name = "--db", .value = &db}, {.name = "--json", .on = &json}, {0}};
    int rc = command_flags(&cmd_doctor, argc, argv, flags, NULL, 0, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    check_program(&f);
    check_disk(&f);
    check_optional(&f);
    check_model(&f);
    check_database(&f, db);
    print(&f, json);
    for (int i = 0; i < f.n; i++)
        if (!f.list[i].ok)
            return ERR_USER;
    return 0;
}
