#include "harness/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/base/mem.h"

int file_read(const char *path, struct text *out, struct err *e)
{
    struct buf b;
    char block[65536];
    size_t n;
    if (file_is_dir(path))
        return err_user(e, "%s: is a folder, a file is wanted", path);
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_user(e, "%s: %s", path, strerror(errno));
    buf_init(&b);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        buf_add(&b, block, n);
    if (ferror(f)) {
        err_system(e, "%s: %s", path, strerror(errno));
        fclose(f);
        buf_release(&b);
        return -1;
    }
    fclose(f);
    *out = text_buf(&b);
    return 0;
}

int file_draft_open(struct file_draft *d, const char *path, struct err *e)
{
    struct buf temp;
    buf_init(&temp);
    buf_printf(&temp, "%s.tmp.%ld", path, (long)getpid());
    *d = (struct file_draft){fopen(temp.s, "wb"), xstrdup(path), temp.s};
    if (d->file)
        return 0;
    err_user(e, "%s: cannot be written: %s", path, strerror(errno));
    file_draft_drop(d);
    return -1;
}

void file_draft_drop(struct file_draft *d)
{
    if (d->file) {
        fclose(d->file);
        unlink(d->temp);
    }
    free(d->path);
    free(d->temp);
    *d = (struct file_draft){0};
}

int file_draft_commit(struct file_draft *d, struct text content, struct err *e)
{
    FILE *f = d->file;
    bool ok = fwrite(content.s, 1, content.n, f) == content.n && fflush(f) == 0;
    int why = errno;
    if (fclose(f) != 0 && ok) {
        ok = false;
        why = errno;
    }
    d->file = NULL;
    int rc = ok && rename(d->temp, d->path) == 0 ? 0 : -1;
    if (rc) {
        err_system(e, "%s: cannot be written: %s", d->path, strerror(ok ? errno : why));
        unlink(d->temp);
    }
    file_draft_drop(d);
    return rc;
}

int file_write(const char *path, struct text content, struct err *e)
{
    struct file_draft d;
    return file_draft_open(&d, path, e) ? -1 : file_draft_commit(&d, content, e);
}

int file_map(const char *path, struct file_map *m, struct err *e)
{
    struct stat st;
    *m = (struct file_map){0};
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return err_user(e, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_user(e, "%s: is not a regular file", path);
    }
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            err_system(e, "%s: cannot be mapped: %s", path, strerror(errno));
            close(fd);
            return -1;
        }
        m->data = p;
        m->size = (size_t)st.st_size;
    }
    close(fd);
    return 0;
}

void file_unmap(struct file_map *m)
{
    if (m->data)
        munmap((void *)m->data, m->size);
    *m = (struct file_map){0};
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *file_join_dup(const char *dir, const char *name)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%s%s%s", dir, *dir && dir[strlen(dir) - 1] == '/' ? "" : "/", name);
    return b.s;
}
