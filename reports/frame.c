#include "reports/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "reports/frame_int.h"
#include "reports/loaded.h"

/* ---- which score ---- */

static bool is_of(const struct scores_task *k, enum frame_y y, const char *name)
{
    return y == FRAME_TASK ? !strcmp(k->name, name)
                           : y != FRAME_CATEGORY || !strcmp(k->category, name);
}

static bool has(const struct scores *s, enum frame_y y, const char *name)
{
    for (int i = 0; i < s->n_tables; i++)
        for (int k = 0; k < s->table[i].n_tasks; k++)
            if (is_of(&s->table[i].task[k], y, name))
                return true;
    return false;
}

static size_t add_name(const char **names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return n;
    names[n] = name;
    return n + 1;
}

static int unknown_y(const struct scores *s, const char *wanted, struct err *e)
{
    size_t n = 2, most = 2;
    char hint[128];
    for (int i = 0; i < s->n_tables; i++)
        most += 2 * (size_t)s->table[i].n_tasks;
    const char **names = xcalloc(most, sizeof *names);
    names[0] = "tasks", names[1] = "categories";
    for (int i = 0; i < s->n_tables; i++)
        for (int k = 0; k < s->table[i].n_tasks; k++)
            n = add_name(names, n, s->table[i].task[k].category);
    size_t categories = n;
    for (int i = 0; i < s->n_tables; i++)
        for (int k = 0; k < s->table[i].n_tasks; k++)
            n = add_name(names, n, s->table[i].task[k].name);
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i == categories ? "; tasks: " : i ? ", " : "", names[i]);
    err_user(e, "--y '%s' is no task or category of experiment %s%s; it may be: %s", wanted,
             s->name, near_hint(hint, wanted, names, n), b.s);
    buf_release(&b);
    free(names);
    return -1;
}

/* *name: of the category or task. */
static int choose_y(struct frame *f, const char *wanted, struct err *e)
{
    if (!wanted || !strcmp(wanted, "tasks") || !strcmp(wanted, "mean"))
        f->y = FRAME_TASKS;
    else if (!strcmp(wanted, "categories"))
        f->y = FRAME_CATEGORIES;
    else if (has(&f->scores, FRAME_TASK, wanted))
        f->y = FRAME_TASK;
    else if (has(&f->scores, FRAME_CATEGORY, wanted))
        f->y = FRAME_CATEGORY;
    else
        return unknown_y(&f->scores, wanted, e);
    return 0;
}

static void choose_tasks(struct frame_table *t, enum frame_y y, const char *name)
{
    t->task = xcalloc((size_t)t->scores->n_tasks + 1, sizeof *t->task);
    for (int k = 0; k < t->scores->n_tasks; k++)
        if (is_of(&t->scores->task[k], y, name))
            t->task[t->n_tasks++] = k;
}

static void name_y(struct frame *f, const char *name)
{
    struct buf b;
    const struct frame_table *t = &f->table[0];
    int n = t->n_tasks;
    buf_init(&b);
    for (int i = 1; i < f->n_tables; i++)
        n = f->table[i].n_tasks == n ? n : 0;
    if (f->y == FRAME_TASK || (f->y == FRAME_TASKS && n == 1))
        buf_printf(&b, "score, %s", t->scores->task[t->task[0]].name);
    else if (f->y == FRAME_CATEGORY)
        buf_printf(&b, "score, %s", name);
    else if (f->y == FRAME_CATEGORIES)
        buf_str(&b, "score, mean of the categories");
    else if (n)
        buf_printf(&b, "score, mean of %d tasks", n);
    else
        buf_str(&b, "score, mean of the tasks");
    f->y_label = b.s;
}

/* ---- comparisons ---- */

/* The tasks of y alone; borrows everything of t. */
struct part {
    struct scores_table t;
    struct scores_cell *cell; // [n_rows][n_tasks]
};

static void part_init(struct part *p, const struct frame_table *t)
{
    const size_t n = (size_t)t->n_tasks, rows = (size_t)t->scores->n_rows;
    p->t = *t->scores;
    p->t.n_tasks = t->n_tasks;
    p->t.task = xcalloc(n + 1, sizeof *p->t.task);
    p->t.row = xcalloc(rows + 1, sizeof *p->t.row);
    p->cell = xcalloc(rows * n + 1, sizeof *p->cell);
    for (size_t k = 0; k < n; k++)
        p->t.task[k] = t->scores->task[t->task[k]];
    for (size_t i = 0; i < rows; i++) {
        p->t.row[i] = t->scores->row[i];
        p->t.row[i].cell = p->cell + i * n;
        for (size_t k = 0; k < n; k++)
            p->t.row[i].cell[k] = t->scores->row[i].cell[t->task[k]];
    }
}

static void part_release(struct part *p)
{
    free(p->t.task);
    free(p->t.row);
    free(p->cell);
}

static int row_named(const struct scores_table *t, const char *name)
{
    for (int i = 0; i < t->n_rows; i++)
        if (!strcmp(t->row[i].name, name))
            return i;
    return -1;
}

struct comparison_options frame_options(const struct scores_table *t,
                                        const struct report_request *r)
{
    return (struct comparison_options){
        r->seed, r->resamples, r->level / 100,
        r->baseline ? row_named(t, r->baseline) : scores_reference(t), NULL};
}

static void compare(struct frame *f, struct frame_table *t, const struct report_request *r)
{
    const struct comparison_options o = frame_options(t->scores, r);
    if (f->y != FRAME_CATEGORY) {
        loaded_compare(&t->all, t->scores, &o, r->loaded);
        return;
    }
    struct part p;
    part_init(&p, t);
    comparison_init(&t->category, &p.t, &o);
    part_release(&p);
}

const struct comparison_cell *frame_cell(const struct frame *f, const struct frame_table *t,
                                         int row)
{
    switch (f->y) {
    case FRAME_TASK:
        return &t->all.row[row].cell[t->task[0]];
    case FRAME_CATEGORY:
        return &t->category.row[row].average[COMPARISON_TASKS];
    case FRAME_CATEGORIES:
        return &t->all.row[row].average[COMPARISON_CATEGORIES];
    default:
        return &t->all.row[row].average[COMPARISON_TASKS];
    }
}

/* ---- loading ---- */

static int load_full_token(struct frame_table *t, struct store *s, struct err *e)
{
    struct stmt *q;
    struct db_val v = val_int(t->scores->model);
    const char *sql = "SELECT 4.0 * layers * kv_heads * head_dim FROM model WHERE id = ?1";
    if (stmt_open(store_db(s), sql, &v, 1, &q, e))
        return -1;
    int rc = stmt_step(q, e);
    t->full_token = rc == 1 ? stmt_num(q, 0) : NAN;
    t->full_token = t->full_token > 0 ? t->full_token : NAN;
    stmt_close(q);
    return rc < 0 ? -1 : 0;
}

static void add_group(struct frame *f, bool mixed)
{
    const int at = f->n_tables - 1;
    assert(f->group);
    struct frame_group *last = f->n_groups ? &f->group[f->n_groups - 1] : NULL;
    if (mixed && last && f->table[last->from].scores->model == f->table[at].scores->model) {
        last->to++;
        return;
    }
    f->group[f->n_groups++] = (struct frame_group){at, at + 1};
}

/* Tables of a model need not follow each other in the experiment; in a group they do. */
static int add_tables(struct frame *f, struct store *s, const struct report_request *r,
                      int64_t model, unsigned what, struct err *e)
{
    for (int i = 0; i < f->scores.n_tables; i++) {
        if (f->scores.table[i].model != model)
            continue;
        struct frame_table *t = &f->table[f->n_tables];
        t->scores = &f->scores.table[i];
        choose_tasks(t, f->y, r->y);
        if (!t->n_tasks) {
            free(t->task);
            *t = (struct frame_table){0};
            continue;
        }
        f->n_tables++;
        add_group(f, r->mix_protocols);
        if (load_full_token(t, s, e) || frame_find_variant(f, t, e))
            return -1;
        if (what & FRAME_COMPARISONS)
            compare(f, t, r);
    }
    return 0;
}

static bool is_first_of_model(const struct scores *s, int at)
{
    for (int i = 0; i < at; i++)
        if (s->table[i].model == s->table[at].model)
            return false;
    return true;
}

static int load(struct frame *f, struct store *s, const struct report_request *r, unsigned what,
                struct err *e)
{
    if (choose_y(f, r->y, e))
        return -1;
    f->table = xcalloc((size_t)f->scores.n_tables + 1, sizeof *f->table);
    f->group = xcalloc((size_t)f->scores.n_tables + 1, sizeof *f->group);
    for (int i = 0; i < f->scores.n_tables; i++)
        if (is_first_of_model(&f->scores, i) &&
            add_tables(f, s, r, f->scores.table[i].model, what, e))
            return -1;
    name_y(f, r->y);
    return 0;
}

int frame_load(struct frame *f, struct store *s, const struct report_request *r, unsigned what,
               struct err *e)
{
    const struct scores_request q = {.experiment = r->experiment,
                                     .model = r->model,
                                     .measures = what & FRAME_MEASURES,
                                     .loaded = loaded_scores(r->loaded)};
    *f = (struct frame){0};
    if (scores_load(&f->scores, s, &q, e))
        return -1;
    if (load(f, s, r, what, e)) {
        frame_release(f);
        return -1;
    }
    return 0;
}

void frame_release(struct frame *f)
{
    for (int i = 0; i < f->n_tables; i++) {
        comparison_release(&f->table[i].all);
        comparison_release(&f->table[i].category);
        free(f->table[i].task);
        free(f->table[i].variant);
    }
    free(f->table);
    free(f->group);
    free(f->y_label);
    scores_release(&f->scores);
    *f = (struct frame){0};
}

int frame_rows(const struct frame *f, struct frame_group g)
{
    int n = 0;
    for (int i = g.from; i < g.to; i++)
        n += f->table[i].scores->n_rows;
    return n;
}
