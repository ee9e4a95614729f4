#include "runner/published.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "harness/base/utf8.h"
#include "runner/command.h"
#include "runner/csv.h"

enum column { PAPER, TABLE, MODEL, PROTOCOL, SETTING, TASK, SCORE, N, STDERR, SOURCE, REMARKS };
enum { COLUMNS = REMARKS + 1 };
static const char *const column_names[COLUMNS] = {"paper",   "table",  "model",  "protocol",
                                                  "setting", "task",   "score",  "n",
                                                  "stderr",  "source", "remarks"};

/* ---- one line ---- */

static int number(const char *s, enum column column, double min, double max, double *out,
                  struct err *e)
{
    char *end;
    *out = *s ? strtod(s, &end) : NAN;
    if (*s && !*end && strspn(s, "0123456789.") == strlen(s) && *out >= min && *out <= max)
        return 0;
    return err_user(e, "%s is '%s', must be a number from %g to %g", column_names[column], s, min,
                    max);
}

static int optional(const char *s, enum column column, double min, double max, double *out,
                    struct err *e)
{
    *out = NAN;
    return *s ? number(s, column, min, max, out, e) : 0;
}

static int check_words(char *const *field, struct err *e)
{
    static const enum column needed[] = {PAPER, TABLE, MODEL, PROTOCOL, SETTING, SOURCE};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!*field[needed[i]])
            return err_user(e, "%s is empty", column_names[needed[i]]);
    return 0;
}

static int read_numbers(struct published_number *x, char *const *field, struct err *e)
{
    const char *point = strchr(field[SCORE], '.');
    double n;
    if (number(field[SCORE], SCORE, 0, 100, &x->score, e) || optional(field[N], N, 1, 1e6, &n, e) ||
        optional(field[STDERR], STDERR, 0, 50, &x->error, e))
        return -1;
    if (!isnan(n) && n != floor(n))
        return err_user(e, "n is '%s', must be a whole number", field[N]);
    x->n = isnan(n) ? 0 : (long)n;
    x->decimals = point ? (int)strlen(point + 1) : 0;
    return 0;
}

static int read_line(struct published_number *x, char *const *field, struct err *e)
{
    x->table = field[TABLE];
    x->model = field[MODEL];
    x->protocol = field[PROTOCOL];
    x->setting = field[SETTING];
    x->task = field[TASK];
    x->source = field[SOURCE];
    x->remarks = field[REMARKS];
    if (check_words(field, e) || published_what(x->task, &x->what, e))
        return -1;
    return read_numbers(x, field, e);
}

/* ---- the file ---- */

bool published_same_run(const struct published_number *a, const struct published_number *b)
{
    return !strcmp(a->model, b->model) && !strcmp(a->protocol, b->protocol) &&
           !strcmp(a->setting, b->setting);
}

static int check_twice(const struct published *p, const struct published_number *x, struct err *e)
{
    for (size_t i = 0; i < p->n; i++)
        if (published_same_run(&p->list[i], x) && !strcmp(p->list[i].task, x->task))
            return err_user(e,
                            "model '%s', protocol '%s', setting '%s' and task '%s' are in line "
                            "%zu, too",
                            x->model, x->protocol, x->setting, x->task, p->list[i].line);
    return 0;
}

static int add_line(struct published *p, char *const *field, size_t line, struct err *e)
{
    struct published_number x = {.line = line};
    if (read_line(&x, field, e) || check_twice(p, &x, e))
        return -1;
    if (p->paper && strcmp(p->paper, field[PAPER]))
        return err_user(e, "paper is '%s', must be '%s' as in the lines before", field[PAPER],
                        p->paper);
    p->paper = field[PAPER];
    p->list = xrealloc(p->list, mem_size(p->n + 1, sizeof *p->list));
    p->list[p->n++] = x;
    return 0;
}

static int check_head(char *const *field, int n, struct err *e)
{
    for (int i = 0; i < COLUMNS; i++)
        if (i >= n || strcmp(field[i], column_names[i]))
            return err_user(e, "column %d is '%s', must be '%s'", i + 1, i < n ? field[i] : "",
                            column_names[i]);
    return 0;
}

static int take_line(struct published *p, char *const *field, int n, size_t line, struct err *e)
{
    if (line == 1)
        return check_head(field, n, e);
    if (n != COLUMNS)
        return err_user(e, "%d fields, must be %d", n, COLUMNS);
    return add_line(p, field, line, e);
}

static int read_lines(struct published *p, struct err *e)
{
    char *at = p->content, *field[COLUMNS];
    for (size_t line = 1; *at; line++) {
        int n = csv_line(&at, field, COLUMNS, e);
        if (n < 0 || take_line(p, field, n, line, e))
            return err_in(e, "%s:%zu", p->path, line);
    }
    return p->n ? 0 : err_user(e, "%s: holds no numbers", p->path);
}

int published_parse(struct published *p, const char *path, struct text content, struct err *e)
{
    *p = (struct published){.path = xstrdup(path), .content = (char *)text_dup(content).s};
    size_t bad = utf8_invalid_at(content);
    int rc = 0;
    if (bad < content.n)
        rc = err_user(e, "%s: byte %zu is not valid UTF-8", path, bad + 1);
    else if (memchr(content.s, 0, content.n))
        rc = err_user(e, "%s: holds a NUL byte", path);
    if (rc || read_lines(p, e)) {
        published_release(p);
        return -1;
    }
    return 0;
}

int published_read(struct published *p, const char *path, struct err *e)
{
    struct text content;
    *p = (struct published){0};
    if (file_read(path, &content, e))
        return -1;
    int rc = published_parse(p, path, content, e);
    free((void *)content.s);
    return rc;
}

void published_release(struct published *p)
{
    free(p->list);
    free(p->content);
    free(p->path);
    *p = (struct published){0};
}

/* ---- which files ---- */

static bool is_csv(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && !strcmp(name + n - 4, ".csv");
}

static int keep_csv(const struct dirent *d)
{
    return d->d_name[0] != '.' && is_csv(d->d_name);
}

char **published_files_new(size_t *n)
{
    struct dirent **found = NULL;
    char *dir = command_path_dup("configs/papers/published");
    int count = scandir(dir, &found, keep_csv, alphasort);
    char **files = xcalloc(count > 0 ? (size_t)count : 1, sizeof *files);
    *n = count > 0 ? (size_t)count : 0;
    for (size_t i = 0; i < *n; i++) {
        files[i] = file_join_dup(dir, found[i]->d_name);
        free(found[i]);
    }
    free(found);
    free(dir);
    return files;
}

void published_free_files(char **files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(files[i]);
    free(files);
}

/* A file's name without its folder and ending. */
static char *name_dup(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return xstrndup(name, strlen(name) - 4);
}

static char *find_paper(const char *paper, char **files, size_t n, struct err *e)
{
    char **names = xcalloc(n + 1, sizeof *names), hint[128], *found = NULL;
    for (size_t i = 0; i < n; i++) {
        names[i] = name_dup(files[i]);
        if (!found && !strcmp(names[i], paper))
            found = xstrdup(files[i]);
    }
    if (!found)
        err_user(e,
                 "there are no published numbers of '%s'%s (configs/papers/published; a file is "
                 "called by a name that ends in .csv)",
                 paper, near_hint(hint, paper, (const char *const *)names, n));
    published_free_files(names, n);
    return found;
}

char *published_path_dup(const char *paper, struct err *e)
{
    size_t n;
    if (is_csv(paper))
        return xstrdup(paper);
    char **files = published_files_new(&n);
    char *path = find_paper(paper, files, n, e);
    published_free_files(files, n);
    return path;
}
