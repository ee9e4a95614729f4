/* A flat scratch folder that a test program works in and takes away again; see group fixtures. */
#ifndef KVLAB_TEST_SCRATCH_H
#define KVLAB_TEST_SCRATCH_H

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/file.h"

static char scratch_dir[] = "/tmp/kvlab-test-XXXXXX";

static int scratch_enter(void **state)
{
    (void)state;
    return !mkdtemp(scratch_dir) || chdir(scratch_dir);
}

static int scratch_leave(void **state)
{
    (void)state;
    DIR *d = opendir(".");
    for (struct dirent *f; d && (f = readdir(d));)
        if (f->d_name[0] != '.')
            unlink(f->d_name);
    if (d)
        closedir(d);
    return chdir("/") || rmdir(scratch_dir);
}

static inline void scratch_write(const char *name, struct text content)
{
    struct err e;
    int rc = file_write(name, content, &e);
    assert(!rc);
    (void)rc;
}

/* A safetensors file: length of the header, header, n bytes of data. */
static inline void scratch_safetensors(struct buf *b, const char *header, const void *data,
                                       size_t n)
{
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++)
        buf_char(b, (char)(length >> 8 * i & 0xFF));
    buf_str(b, header);
    buf_add(b, data, n);
}

#endif
