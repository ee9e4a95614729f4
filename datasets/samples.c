/* Loading a task's records, from whichever source it has. */
#include "datasets/dataset.h"

#include <stdlib.h>

#include "datasets/longbench.h"
#include "datasets/mini.h"
#include "datasets/record.h"
#include "datasets/text_file.h"
#include "harness/base/file.h"

static int load_longbench(struct samples *s, const char *name, const struct data_options *o,
                          size_t limit, struct err *e)
{
    struct text content = {0};
    struct buf label;
    buf_init(&label);
    int rc = longbench_read(o->data_dir, name, &content, &label, e);
    if (rc == 1)
        rc = longbench_missing(o->data_dir, name, e);
    else if (!rc)
        rc = records_read(content, label.s, limit, s, e);
    if (!rc)
        hash_sha256(content, s->hash);
    free((void *)content.s);
    buf_release(&label);
    return rc;
}

/* Generated records take the same way as read ones: written as a file, then parsed. */
static int load_mini(struct samples *s, const struct task *t, const struct data_options *o,
                     size_t limit, struct err *e)
{
    struct mini_options mini = {.task = t->name, .seed = (uint64_t)o->seed, .words = o->words};
    struct buf b;
    if (!limit)
        return err_user(e, "%s: how many records? (a generated task needs a limit)", t->name);
    if (o->seed < 0)
        return err_user(e, "%s: seed is %ld, must not be negative", t->name, o->seed);
    struct mini *m = mini_open(&mini, e);
    if (!m)
        return -1;
    buf_init(&b);
    for (size_t i = 0; i < limit; i++)
        mini_record(m, i, &b);
    int rc = records_read(text_buf(&b), t->name, 0, s, e);
    buf_reset(&b);
    mini_identity(&mini, &b);
    if (!rc)
        hash_sha256(text_buf(&b), s->hash);
    buf_release(&b);
    mini_close(m);
    return rc;
}

static void hash_text(struct text content, const struct text_windows *w, char out[SHA256_HEX])
{
    char file[SHA256_HEX];
    struct buf b;
    buf_init(&b);
    hash_sha256(content, file);
    buf_printf(&b, "text version %d\nfile %s\nwords %d\nanswer %d\n", TEXT_FILE_VERSION, file,
               w->words, w->answer);
    hash_sha256(text_buf(&b), out);
    buf_release(&b);
}

/* A word is at least one token. */
static int load_text(struct samples *s, const struct data_options *o, size_t limit, struct err *e)
{
    struct text content;
    struct text_windows w = {.words = o->words, .answer = o->answer};
    struct buf b;
    if (file_read(o->file, &content, e))
        return -1;
    buf_init(&b);
    int rc = text_windows_put(content, o->file, &w, limit, &b, e);
    if (!rc)
        rc = records_read(text_buf(&b), o->file, 0, s, e);
    if (!rc)
        hash_text(content, &w, s->hash);
    buf_release(&b);
    free((void *)content.s);
    return rc;
}

int samples_load(struct samples *s, const char *task_name, const struct data_options *o,
                 size_t limit, struct err *e)
{
    *s = (struct samples){0};
    const struct task *t = task_find(task_name, e);
    if (!t)
        return -1;
    if (t->source == SOURCE_MINI)
        return load_mini(s, t, o, limit, e);
    if (t->source == SOURCE_TEXT)
        return load_text(s, o, limit, e);
    return load_longbench(s, task_name, o, limit, e);
}

void samples_release(struct samples *s)
{
    for (size_t i = 0; i < s->n; i++)
        record_release(&s->list[i]);
    free(s->list);
    *s = (struct samples){0};
}
