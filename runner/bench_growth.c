/*
 * How a run grows, as its user sees it: this program itself as a child, `kvlab run` on
 * configurations of its own making, by length of prompt, number of settings, items and workers.
 * Wall seconds from start to end, and the memory of the largest process (a worker, as wait4 has it
 * of those that were reaped). Each stands against the smallest case times the growth: 1 is linear,
 * less is better.
 */
#define _XOPEN_SOURCE   700
#define _DEFAULT_SOURCE // wait4
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/clock.h"
#include "harness/base/file.h"
#include "runner/bench.h"

enum { CASES_MAX = 4, CASES_QUICK = 2, ROUNDS = 3, ROUNDS_QUICK = 1, DIR_MAX = 256 };

struct size {
    int words, settings, samples, workers;
    int grows; // what the axis is about; of the smallest case it is one share
};

struct axis {
    const char *name, *unit;
    struct size sizes[CASES_MAX]; // the smallest first; grows 0 ends them
};

static const struct axis axes[] = {
    {"prompt of",
     "words",
     {{575, 4, 4, 1, 575}, {1150, 4, 4, 1, 1150}, {2300, 4, 4, 1, 2300}, {4000, 4, 4, 1, 4000}}},
    {"settings:", "of a prompt", {{2300, 1, 4, 1, 1}, {2300, 4, 4, 1, 4}, {2300, 16, 4, 1, 16}}},
    {"items:", "samples", {{600, 4, 2, 1, 2}, {600, 4, 8, 1, 8}, {600, 4, 32, 1, 32}}},
    {"workers:", "processes", {{600, 4, 16, 1, 1}, {600, 4, 16, 2, 2}, {600, 4, 16, 4, 4}}},
};

struct measured {
    double seconds[BENCH_REPEATS_MAX], mib[BENCH_REPEATS_MAX];
};

/* --quick takes shorter prompts. */
static int words_of(const struct bench *b, const struct size *s)
{
    return b->quick ? s->words / 4 : s->words;
}

/* 16 settings that share a prefill: bits 1 to 4, each under four budgets. */
static void put_settings(struct buf *b, int n)
{
    static const int budgets[] = {64, 128, 256, 384};
    for (int i = 0; i < n; i++)
        buf_printf(
            b, "%s{\"name\":\"%d\",\"chain\":[{\"kvo\":{\"key_bits\":%d,\"token_budget\":%d}}]}",
            i ? "," : "", i, 1 + i % 4, budgets[i / 4]);
}

static int write_config(const struct bench *b, const char *dir, const struct size *s, struct err *e)
{
    char path[DIR_MAX + 32];
    struct buf text;
    snprintf(path, sizeof path, "%s/growth.json", dir);
    buf_init(&text);
    buf_printf(&text,
               "{\"name\":\"growth\",\"model\":\"mini\",\"samples\":%d,\"data\":{\"seed\":1,"
               "\"words\":%d},\"tasks\":[\"mini_doc_qa\"],\"settings\":[",
               s->samples, words_of(b, s));
    put_settings(&text, s->settings);
    buf_str(&text, "]}");
    int rc = file_write(path, text_buf(&text), e);
    buf_release(&text);
    return rc;
}

/* In the child: never returns. */
static void exec_run(const struct bench *b, const char *dir, int workers)
{
    char config[DIR_MAX + 32], db[DIR_MAX + 32], threads[16], n[16];
    int null = open("/dev/null", O_WRONLY);
    snprintf(config, sizeof config, "%s/growth.json", dir);
    snprintf(db, sizeof db, "%s/growth.db", dir);
    snprintf(threads, sizeof threads, "%d", b->threads);
    snprintf(n, sizeof n, "%d", workers);
    if (null >= 0)
        dup2(null, STDOUT_FILENO);
    execl("/proc/self/exe", "kvlab", "run", config, "--db", db, "--threads", threads, "--workers",
          n, "-q", (char *)NULL);
    _exit(127);
}

static void take_away(const char *dir)
{
    static const char *const names[] = {"growth.json", "growth.db", "growth.db-wal",
                                        "growth.db-shm"};
    char path[DIR_MAX + 32];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static int time_child(const struct bench *b, const char *dir, const struct size *s, double *seconds,
                      double *mib, struct err *e)
{
    struct rusage use;
    int status = 0;
    double start = clock_seconds();
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return err_system(e, "fork: %s", strerror(errno));
    if (child == 0)
        exec_run(b, dir, s->workers);
    while (wait4(child, &status, 0, &use) < 0)
        if (errno != EINTR)
            return err_system(e, "wait4: %s", strerror(errno));
    *seconds = clock_seconds() - start;
    *mib = (double)use.ru_maxrss / 1024;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return err_item(e, "bench growth: kvlab run with %d words, %d settings failed", s->words,
                        s->settings);
    return 0;
}

static int measure(const struct bench *b, const struct size *s, double *seconds, double *mib,
                   struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char dir[DIR_MAX];
    int n = snprintf(dir, sizeof dir, "%s/kvlab-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (n >= (int)sizeof dir || !mkdtemp(dir))
        return err_system(e, "%s: %s", dir, strerror(errno));
    int rc = write_config(b, dir, s, e) || time_child(b, dir, s, seconds, mib, e) ? -1 : 0;
    take_away(dir);
    return rc;
}

/* Of workers the time should fall, so it stands against the first case alone. */
static void put(struct bench *b, const struct axis *a, int i, const char *unit, const double *value,
                const double *first, int rounds, bool grows)
{
    char name[96], against[96];
    double base[BENCH_REPEATS_MAX];
    double factor = grows ? (double)a->sizes[i].grows / a->sizes[0].grows : 1;
    for (int k = 0; k < rounds; k++)
        base[k] = first[k] * factor;
    const struct size *s = &a->sizes[i];
    int shown = s->grows == s->words ? words_of(b, s) : s->grows;
    snprintf(name, sizeof name, "%s %d %s, %s", a->name, shown, a->unit,
             *unit == 's' ? "time" : "memory");
    snprintf(against, sizeof against, "%.3g times the smallest (1: %s)", factor,
             grows ? "linear" : "the same");
    struct bench_row r = {.name = name, .unit = unit, .value = bench_spread(value, rounds)};
    if (i) {
        r.against = against;
        r.ratio = bench_ratio(value, rounds, base, rounds);
    }
    bench_put(b, &r);
}

/* Cases in turns. */
static int run_axis(struct bench *b, const struct axis *a, struct err *e)
{
    static struct measured m[CASES_MAX];
    int n = 0, rounds = b->quick ? ROUNDS_QUICK : ROUNDS;
    int most = b->quick ? CASES_QUICK : CASES_MAX;
    while (n < most && a->sizes[n].grows &&
           (n < 2 || a->sizes[n].workers <= sysconf(_SC_NPROCESSORS_ONLN)))
        n++;
    for (int k = 0; k < rounds; k++)
        for (int i = 0; i < n; i++)
            if (measure(b, &a->sizes[i], &m[i].seconds[k], &m[i].mib[k], e))
                return -1;
    for (int i = 0; i < n; i++) {
        bool work = a->sizes[i].workers == 1;
        put(b, a, i, "s", m[i].seconds, m[0].seconds, rounds, work);
        put(b, a, i, "MiB", m[i].mib, m[0].mib, rounds, work);
    }
    return 0;
}

static int run(struct bench *b, struct err *e)
{
    bench_title(b, "whole runs as they grow; memory is that of the largest process; 575, 1150, "
                   "2300, 4000 words are some 500 to 3500 tokens");
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
        if (run_axis(b, &axes[i], e))
            return -1;
    return 0;
}

const struct bench_kind bench_growth = {
    .name = "growth",
    .summary = "time and memory of a run by prompt, settings, items, workers",
    .slow = true,
    .run = run};
