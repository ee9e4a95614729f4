#include "datasets/longbench.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/archive.h"
#include "harness/base/file.h"

#define LB_FILE(name, records, blob) {name, records, blob},
const struct longbench_file longbench_files[] = {
#include "datasets/longbench_files.def"
};
#undef LB_FILE

const size_t longbench_file_count = sizeof longbench_files / sizeof *longbench_files;

const struct longbench_file *longbench_file_find(const char *name)
{
    for (size_t i = 0; i < longbench_file_count; i++)
        if (!strcmp(longbench_files[i].name, name))
            return &longbench_files[i];
    return NULL;
}

/* DIR/folder/name+suffix when it exists, into label. */
static bool find(const char *dir, const char *folder, const char *name, const char *suffix,
                 struct buf *label)
{
    buf_reset(label);
    buf_printf(label, "%s/%s%s%s", dir, folder, name, suffix);
    return file_exists(label->s);
}

int longbench_read(const char *dir, const char *name, struct text *content, struct buf *label,
                   struct err *e)
{
    if (find(dir, "data/", name, ".jsonl", label) || find(dir, "", name, ".jsonl", label))
        return file_read(label->s, content, e);
    if (!find(dir, "", "data.zip", "", label))
        return 1;
    struct buf entry;
    buf_init(&entry);
    buf_printf(&entry, "data/%s.jsonl", name);
    int rc = archive_read(label->s, entry.s, content, e);
    buf_printf(label, ":%s", entry.s);
    buf_release(&entry);
    return rc;
}

int longbench_config_read(const char *dir, const char *name, struct text *content,
                          struct buf *label, struct err *e)
{
    if (find(dir, "", name, "", label) || find(dir, "config/", name, "", label))
        return file_read(label->s, content, e);
    return 1;
}

int longbench_missing(const char *dir, const char *name, struct err *e)
{
    if (!file_is_dir(dir))
        return err_user(
            e, "data_dir '%s' is no folder: name the one that holds LongBench's data.zip", dir);
    return err_user(e,
                    "no data for %s: looked for %s/data/%s.jsonl, %s/%s.jsonl and data/%s.jsonl in "
                    "%s/data.zip",
                    name, dir, name, dir, name, name, dir);
}

int longbench_config_missing(const char *dir, const char *name, struct err *e)
{
    if (!file_is_dir(dir))
        return err_user(
            e, "data_dir '%s' is no folder: name the one that holds LongBench's data.zip", dir);
    return err_user(e,
                    "no %s: looked for %s/%s and %s/config/%s (LongBench's repository has it in "
                    "LongBench/config)",
                    name, dir, name, dir, name);
}
