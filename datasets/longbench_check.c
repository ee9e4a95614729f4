/* Are the files what LongBench published? */
#include "datasets/longbench.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/archive.h"
#include "datasets/record.h"
#include "harness/base/file.h"

struct config {
    const char *name, *sha256;
};

static const struct config configs[] = {
    {"dataset2prompt.json", "56d22ad4f382169c2b8a11ff4c982a4a1bea096c8152b0f0b85b64686b157c30"},
    {"dataset2maxlen.json", "72966b3c0933e214591637fb085798c5e687ebff4ddaab5d99bbc31120532022"},
};

struct verification {
    const char *dir;
    struct buf *out;
    int *found, *wrong;
    bool in_zip; // "extra": where a name comes from
};

enum longbench_state longbench_check(const struct longbench_file *f, struct text content,
                                     long *records)
{
    char blob[SHA1_HEX];
    hash_git_blob(content, blob);
    *records = record_count(content);
    if (!strcmp(blob, f->blob))
        return LB_COMPLETE;
    bool ends = content.n && content.s[content.n - 1] == '\n';
    return ends && *records < f->records ? LB_SHORTENED : LB_CHANGED;
}

static void put_line(struct verification *v, const char *name, const char *state)
{
    buf_printf(v->out, "%-24s %s", name, state);
}

static void put_state(struct verification *v, const struct longbench_file *f, struct text content)
{
    static const char *const names[] = {"complete", "cut or shortened", "changed"};
    long records;
    enum longbench_state state = longbench_check(f, content, &records);
    put_line(v, f->name, names[state]);
    if (state == LB_COMPLETE)
        buf_printf(v->out, ": %ld records\n", records);
    else
        buf_printf(v->out, ": %ld of %ld records\n", records, f->records);
    ++*v->found;
    *v->wrong += state != LB_COMPLETE;
}

static int verify_file(struct verification *v, const struct longbench_file *f, struct err *e)
{
    struct text content = {0};
    struct buf label;
    buf_init(&label);
    int rc = longbench_read(v->dir, f->name, &content, &label, e);
    if (rc == 1)
        put_line(v, f->name, "missing\n");
    else if (!rc)
        put_state(v, f, content);
    free((void *)content.s);
    buf_release(&label);
    return rc < 0 ? -1 : 0;
}

static int verify_config(struct verification *v, const struct config *c, struct err *e)
{
    struct text content = {0};
    char sha256[SHA256_HEX];
    struct buf label;
    buf_init(&label);
    int rc = longbench_config_read(v->dir, c->name, &content, &label, e);
    if (rc == 1) {
        put_line(v, c->name, "missing\n");
    } else if (!rc) {
        hash_sha256(content, sha256);
        bool equal = !strcmp(sha256, c->sha256);
        put_line(v, c->name, equal ? "complete\n" : "changed\n");
        ++*v->found;
        *v->wrong += !equal;
    }
    free((void *)content.s);
    buf_release(&label);
    return rc < 0 ? -1 : 0;
}

/* A .jsonl file that is none of LongBench's. */
static void note_extra(const char *path, void *context)
{
    struct verification *v = context;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    if (!dot || strcmp(dot, ".jsonl"))
        return;
    struct text name = text_dup((struct text){base, (size_t)(dot - base)});
    if (!longbench_file_find(name.s))
        buf_printf(v->out, "%-24s extra: %s%s\n", name.s, v->in_zip ? "data.zip:" : "", path);
    free((void *)name.s);
}

/* In name order: a folder's own order differs between machines. */
static void note_extras_in_folder(struct verification *v, const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        note_extra(entries[i]->d_name, v);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static int note_extras(struct verification *v, struct err *e)
{
    char *data = file_join_dup(v->dir, "data"), *zip = file_join_dup(v->dir, "data.zip");
    note_extras_in_folder(v, v->dir);
    note_extras_in_folder(v, data);
    v->in_zip = true;
    int rc = file_exists(zip) ? archive_list(zip, note_extra, v, e) : 0;
    free(data);
    free(zip);
    return rc;
}

int longbench_verify(const char *dir, struct buf *out, int *found, int *wrong, struct err *e)
{
    struct verification v = {.dir = dir, .out = out, .found = found, .wrong = wrong};
    *found = *wrong = 0;
    if (!file_is_dir(dir))
        return longbench_missing(dir, "", e);
    for (size_t i = 0; i < longbench_file_count; i++)
        if (verify_file(&v, &longbench_files[i], e))
            return -1;
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++)
        if (verify_config(&v, &configs[i], e))
            return -1;
    return note_extras(&v, e);
}
