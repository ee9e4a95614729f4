/* Files: read whole, map read-only, appear whole or not at all. */
#ifndef KVLAB_FILE_H
#define KVLAB_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/base/text.h"

/* The whole file; the caller frees out->s. A NUL follows the end. */
int file_read(const char *path, struct text *out, struct err *e);

/* Written beside path, checked, then renamed onto it. */
int file_write(const char *path, struct text content, struct err *e);

/* The same in two steps, so that a file that cannot be written is known before the work for it. */
struct file_draft {
    void *file;
    char *path, *temp;
};
int file_draft_open(struct file_draft *d, const char *path, struct err *e);
/* Both end the draft: the file appears, or nothing does. */
int file_draft_commit(struct file_draft *d, struct text content, struct err *e);
void file_draft_drop(struct file_draft *d); // also when it was never opened or has ended

struct file_map {
    const uint8_t *data; // NULL for an empty file
    size_t size;
};

int file_map(const char *path, struct file_map *m, struct err *e);
void file_unmap(struct file_map *m);

bool file_exists(const char *path);
bool file_is_dir(const char *path);
/* dir + "/" + name; the caller frees. */
char *file_join_dup(const char *dir, const char *name);

#endif
