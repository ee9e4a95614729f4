/* kvlab run, kvlab plan: an experiment from its configuration. */
#include "harness/base/log.h"
#include "runner/command.h"
#include "runner/session.h"

#define RUN_FLAGS                                                                                  \
    "  --db PATH        the database (kvlab.db); made when it is missing\n"                        \
    "  --set KEY=VALUE  change the configuration: samples=4, protocol.bos=false,\n"                \
    "                   data.data_dir=/data/longbench, settings.1.name=x; may be repeated\n"       \
    "  --model NAME     another model, in place of all: a known one or a folder\n"                 \
    "  --model-dir DIR  the folder of its checkpoint\n"                                            \
    "  --limit N        at most N samples of each task\n"                                          \
    "  --threads N      threads in all (one for each processor)\n"                                 \
    "  --workers N      processes that share the work and the threads (one a thread; for models\n" \
    "                   of 256 MiB and more one for 8 threads; as memory and work allow)\n"        \
    "  --memory SIZE    for caches and prompts of all workers, 8G or 500M (80 % of what is "       \
    "free)\n"                                                                                      \
    "  --kernels NAME   plain, avx2, avx512, avx512vbmi (the best that runs here)\n"               \
    "  --floats         caches of f32 rows, rounded as their codec says but not packed: what\n"    \
    "                   packed ones are checked against; settings that do not pack\n"              \
    "  --reference      that, and plain loops only, no BLAS: slow\n"

static int run(int argc, char **argv);
static int plan(int argc, char **argv);

const struct command cmd_run = {
    .name = "run",
    .summary = "run an experiment (or go on with it) and print its table",
    .usage =
        "run CONFIG.json [flags]\n\n" RUN_FLAGS "  --retry          run failed items again\n"
        "  --take-over      claim also what other machines are at: for when those are dead (items\n"
        "                   of dead processes of this machine are always taken over)\n"
        "  --dry-run        print what would run and stop\n"
        "  --json           with --dry-run: for programs\n"
        "  -q, -v           less, more on stderr\n\n"
        "The same command again goes on where the last one stopped; nothing is computed twice.\n"
        "configs/README.md describes the configuration; kvlab show method NAME its options.",
    .run = run,
};

const struct command cmd_plan = {
    .name = "plan",
    .summary = "what a run would do, and how much of it is done",
    .usage =
        "plan CONFIG.json [flags]\n\n" RUN_FLAGS
        "  --retry          as if failed items were to be run again\n"
        "  --json           for programs\n\n"
        "Prompts and tokens that are left, time from rates of this machine (stored, or measured\n"
        "now), memory, and the smallest difference in score that the items can show. Nothing is\n"
        "stored.",
    .run = plan,
};

static int with_config(const struct command *c, int argc, char **argv, bool dry_run)
{
    struct session_options o = {.db = "kvlab.db", .dry_run = dry_run};
    const char *limit = NULL, *threads = NULL, *workers = NULL, *memory = NULL;
    struct err e;
    int n, dry = 0, json = 0, retry = 0, take_over = 0, reference = 0, floats = 0;
    long value;
    const struct flag flags[] = {
        {.name = "--db", .value = &o.db},
        {.name = "--set", .list = o.sets, .max = SETS_MAX - 1, .n = &o.n_sets},
        {.name = "--model", .value = &o.model},
        {.name = "--model-dir", .value = &o.model_dir},
        {.name = "--limit", .value = &limit},
        {.name = "--threads", .value = &threads},
        {.name = "--workers", .value = &workers},
        {.name = "--memory", .value = &memory},
        {.name = "--kernels", .value = &o.kernels},
        {.name = "--floats", .on = &floats},
        {.name = "--reference", .on = &reference},
        {.name = "--dry-run", .on = &dry},
        {.name = "--json", .on = &json},
        {.name = "--retry", .on = &retry},
        {.name = "--take-over", .on = &take_over},
        {0}};
    int rc = command_flags(c, argc, argv, flags, &o.config, 1, &n, &e);
    if (rc)
        return rc > 0 ? 0 : log_failure(&e);
    if (!n) {
        err_user(&e, "%s: which configuration? (for example configs/demo.json)", c->name);
        return log_failure(&e);
    }
    if (limit && command_int("--limit", limit, 1, 1000000, &value, &e))
        return log_failure(&e);
    o.limit = limit ? (int)value : 0;
    if (threads && command_int("--threads", threads, 1, 1024, &value, &e))
        return log_failure(&e);
    o.threads = threads ? (int)value : 0;
    if (workers && command_int("--workers", workers, 1, 1024, &value, &e))
        return log_failure(&e);
    o.workers = workers ? (int)value : 0;
    if (memory && command_size("--memory", memory, &o.memory, &e))
        return log_failure(&e);
    if (reference || floats)
        o.sets[o.n_sets++] = reference ? "protocol.path=reference" : "protocol.path=floats";
    o.dry_run |= dry;
    o.json = json;
    o.retry = retry;
    o.take_over = take_over;
    return session_run(&o);
}

static int run(int argc, char **argv)
{
    return with_config(&cmd_run, argc, argv, false);
}

static int plan(int argc, char **argv)
{
    return with_config(&cmd_plan, argc, argv, true);
}
