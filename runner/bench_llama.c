#include "runner/bench_llama.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/json.h"
#include "harness/base/log.h"

/* For f16 both ways of computing attention are tried, the better one counts. */
const struct llama_case llama_cases[] = {{"llama.cpp f16", "f16", "0"},
                                         {"llama.cpp f16 flash", "f16", "1"},
                                         {"llama.cpp q8_0", "q8_0", "1"},
                                         {"llama.cpp q4_0", "q4_0", "1"},
                                         {0}};

int llama_find(const char *dir, char *out, size_t size, struct err *e)
{
    static const char *const places[] = {"llama-bench", "bin/llama-bench"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int n = snprintf(out, size, "%s/%s", dir, places[i]);
        if (n > 0 && (size_t)n < size && !access(out, X_OK))
            return 0;
    }
    *out = 0;
    return err_user(e, "bench: --llama-cpp: %s holds neither llama-bench nor bin/llama-bench", dir);
}

int llama_open_weights(const struct model *m, enum gguf_format format, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/kvlab-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return err_system(e, "%s: %s", path, strerror(errno));
    int rc = gguf_write(path, model_get_config(m), model_get_weights(m), format, e);
    unlink(path);
    if (!rc)
        return fd;
    close(fd);
    return -1;
}

/* In the child: never returns. */
static void exec_bench(const char *program, char *const *argv, int out)
{
    int null = open("/dev/null", O_WRONLY);
    dup2(out, STDOUT_FILENO);
    if (log_get_level() < LOG_VERBOSE && null >= 0)
        dup2(null, STDERR_FILENO);
    execv(program, argv);
    _exit(127);
}

/* What it wrote to stdout. */
static int read_output(const char *program, char *const *argv, struct buf *out, struct err *e)
{
    char block[4096];
    int ends[2], status = 0;
    ssize_t n;
    if (pipe(ends))
        return err_system(e, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0)
        exec_bench(program, argv, ends[1]);
    close(ends[1]);
    while (child > 0 && ((n = read(ends[0], block, sizeof block)) > 0 || (n < 0 && errno == EINTR)))
        buf_add(out, block, n > 0 ? (size_t)n : 0);
    close(ends[0]);
    if (child < 0)
        return err_system(e, "fork: %s", strerror(errno));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return err_item(e, "%s failed (with -v it says why)", program);
    return 0;
}

/* [{..., "samples_ts": [12.3, ...]}] */
static int read_rates(struct text json, int repeats, double *rates, struct err *e)
{
    struct json *all = json_read(json, e);
    const struct json *first = all && json_type(all) == JSON_ARRAY ? json_first(all) : NULL;
    const struct json *list =
        first && json_type(first) == JSON_OBJECT ? json_get(first, "samples_ts") : NULL;
    int n = 0;
    if (list && json_type(list) == JSON_ARRAY)
        for (const struct json *x = json_first(list); x && n < repeats; x = json_next(x))
            rates[n++] = json_type(x) == JSON_NUMBER ? json_number(x) : 0;
    if (all && n < repeats)
        err_item(e, "no %d rates in \"samples_ts\"", repeats);
    json_free(all);
    return n < repeats ? err_in(e, "llama-bench's output") : 0;
}

int llama_rates(const struct bench *b, int weights, const struct llama_case *c, int prompt,
                int context, int n_new, int repeats, double *rates, struct err *e)
{
    char file[64], threads[16], depth[16], tokens[16], read[16], times[16], type[8], flash[4];
    char name[] = "llama-bench", m[] = "-m", t[] = "-t", p[] = "-p", n[] = "-n", d[] = "-d",
         r[] = "-r", o[] = "-o", json[] = "json", ctk[] = "-ctk", ctv[] = "-ctv", fa[] = "-fa";
    char *argv[] = {name, m,     file, t,    threads, p,    read, n,    tokens, d,     depth,
                    r,    times, o,    json, ctk,     type, ctv,  type, fa,     flash, NULL};
    struct buf out;
    snprintf(file, sizeof file, "/proc/self/fd/%d", weights);
    snprintf(threads, sizeof threads, "%d", b->threads);
    snprintf(read, sizeof read, "%d", prompt);
    snprintf(depth, sizeof depth, "%d", context);
    snprintf(tokens, sizeof tokens, "%d", n_new);
    snprintf(times, sizeof times, "%d", repeats);
    snprintf(type, sizeof type, "%s", c->type);
    snprintf(flash, sizeof flash, "%s", c->flash);
    buf_init(&out);
    int rc = read_output(b->llama, argv, &out, e);
    rc = rc ? rc : read_rates(text_buf(&out), repeats, rates, e);
    buf_release(&out);
    return rc;
}

/* ---- llama-batched-bench ---- */

int llama_batched_find(const struct bench *b, char *out, size_t size, struct err *e)
{
    int folder = (int)(strrchr(b->llama, '/') - b->llama);
    int n = snprintf(out, size, "%.*s/llama-batched-bench", folder, b->llama);
    if (n > 0 && (size_t)n < size && !access(out, X_OK))
        return 0;
    return err_user(e,
                    "bench: --llama-cpp: %.*s holds no llama-batched-bench; build it there with "
                    "cmake --build . --target llama-batched-bench, or leave --llama-cpp out",
                    folder, b->llama);
}

/* {..., "pl": 16, ..., "speed_tg": 280.1, ...} */
static int read_batch(struct text line, int batch, double *rate, struct err *e)
{
    struct json *row = json_read(line, e);
    bool object = row && json_type(row) == JSON_OBJECT;
    const struct json *pl = object ? json_get(row, "pl") : NULL;
    const struct json *speed = object ? json_get(row, "speed_tg") : NULL;
    int rc = 0;
    if (pl && speed && json_type(pl) == JSON_NUMBER && json_type(speed) == JSON_NUMBER &&
        (int)json_number(pl) == batch)
        *rate = json_number(speed);
    else
        rc = row ? err_item(e, "no \"speed_tg\" of \"pl\" %d", batch) : -1;
    json_free(row);
    return rc ? err_in(e, "llama-batched-bench's output") : 0;
}

/* A line a batch, which begins with a brace; others are for people. */
static int read_batches(const char *out, const int *batches, int n, double *rates, struct err *e)
{
    int i = 0;
    for (const char *line = out; *line && i < n;) {
        size_t len = strcspn(line, "\n");
        if (*line == '{') {
            if (read_batch((struct text){line, len}, batches[i], &rates[i], e))
                return -1;
            i++;
        }
        line += len + (line[len] == '\n');
    }
    return i < n ? err_item(e, "llama-batched-bench's output: %d of %d batches", i, n) : 0;
}

int llama_batched_rates(const struct bench *b, int weights, const char *flash, int context,
                        int n_new, const int *batches, int n, double *rates, struct err *e)
{
    char program[4096 + 32], file[64], threads[16], depth[16], tokens[16], room[16];
    char name[] = "llama-batched-bench", m[] = "-m", t[] = "-t", tb[] = "-tb", pp[] = "-npp",
         tg[] = "-ntg", pl[] = "-npl", c[] = "-c", fa[] = "-fa", on[] = "on", off[] = "off",
         format[] = "--output-format", lines[] = "jsonl";
    struct buf list, out;
    if (llama_batched_find(b, program, sizeof program, e))
        return -1;
    buf_init(&list);
    buf_init(&out);
    for (int i = 0; i < n; i++)
        buf_printf(&list, "%s%d", i ? "," : "", batches[i]);
    snprintf(file, sizeof file, "/proc/self/fd/%d", weights);
    snprintf(threads, sizeof threads, "%d", b->threads);
    snprintf(depth, sizeof depth, "%d", context);
    snprintf(tokens, sizeof tokens, "%d", n_new);
    snprintf(room, sizeof room, "%d", batches[n - 1] * (context + n_new));
    char *argv[] = {name,
                    m,
                    file,
                    t,
                    threads,
                    tb,
                    threads,
                    pp,
                    depth,
                    tg,
                    tokens,
                    pl,
                    list.s,
                    c,
                    room,
                    fa,
                    *flash == '1' ? on : off,
                    format,
                    lines,
                    NULL};
    int rc = read_output(program, argv, &out, e);
    rc = rc ? rc : read_batches(out.s, batches, n, rates, e);
    buf_release(&list);
    buf_release(&out);
    return rc;
}
