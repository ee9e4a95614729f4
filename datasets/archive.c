#include "datasets/archive.h"

#include <stdlib.h>

#include <zip.h>

#include "harness/base/mem.h"

static zip_t *archive_open(const char *path, struct err *e)
{
    int code = 0;
    zip_t *z = zip_open(path, ZIP_RDONLY, &code);
    if (!z) {
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        err_user(e, "%s: not a readable zip archive: %s", path, zip_error_strerror(&why));
        zip_error_fini(&why);
    }
    return z;
}

/* In blocks, because the size that the directory states is not to be trusted with memory. The
 * checksum is verified by libzip when the end is reached. */
static int read_all(zip_file_t *f, struct buf *b)
{
    char *block = xmalloc(1 << 16);
    zip_int64_t n;
    while ((n = zip_fread(f, block, 1 << 16)) > 0)
        buf_add(b, block, (size_t)n);
    free(block);
    return n < 0 ? -1 : 0;
}

int archive_read(const char *path, const char *entry, struct text *content, struct err *e)
{
    int rc = -1;
    zip_t *z = archive_open(path, e);
    if (!z)
        return -1;
    zip_int64_t index = zip_name_locate(z, entry, 0);
    if (index < 0) {
        zip_discard(z);
        return 1;
    }
    struct buf b;
    buf_init(&b);
    zip_file_t *f = zip_fopen_index(z, (zip_uint64_t)index, 0);
    if (!f) {
        err_user(e, "%s:%s: %s", path, entry, zip_strerror(z));
    } else if (read_all(f, &b)) {
        err_user(e, "%s:%s: %s", path, entry, zip_error_strerror(zip_file_get_error(f)));
    } else {
        *content = text_buf(&b);
        rc = 0;
    }
    if (f)
        zip_fclose(f);
    if (rc)
        buf_release(&b);
    zip_discard(z);
    return rc;
}

int archive_list(const char *path, void (*each)(const char *name, void *context), void *context,
                 struct err *e)
{
    zip_t *z = archive_open(path, e);
    if (!z)
        return -1;
    for (zip_int64_t i = 0, n = zip_get_num_entries(z, 0); i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);
        if (name)
            each(name, context);
    }
    zip_discard(z);
    return 0;
}
