/* Files that are read and not changed, of whatever version they are. */
#include "harness/store/store_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"

static char *temporary_dup(struct err *e)
{
    const char *folder = getenv("TMPDIR");
    char *path = file_join_dup(folder && *folder ? folder : "/tmp", "kvlab-XXXXXX");
    int fd = mkstemp(path);
    if (fd >= 0) {
        close(fd);
        return path;
    }
    err_system(e, "no temporary file %s: %s; TMPDIR names another folder", path, strerror(errno));
    free(path);
    return NULL;
}

static int bring_up_to_date(const char *path, struct err *e)
{
    struct store *s;
    if (store_open(path, STORE_READWRITE, &s, e))
        return -1;
    store_close(s);
    return 0;
}

/* VACUUM INTO: with what lies in the log, which a copy of the bytes would miss. */
static int make_copy(struct db *db, struct store_source *s, struct err *e)
{
    char *path = temporary_dup(e);
    if (!path)
        return -1;
    struct db_val v = val_str(path);
    if (db_run(db, "VACUUM INTO ?1", &v, 1, NULL, e) || bring_up_to_date(path, e)) {
        unlink(path);
        free(path);
        return err_in(e, "a copy of %s", db_path(db));
    }
    free(s->path);
    *s = (struct store_source){path, true};
    return 0;
}

int store_source_open(const char *path, struct store_source *s, struct err *e)
{
    struct db *db;
    bool older;
    if (db_open(path, DB_READONLY, &db, e))
        return -1;
    *s = (struct store_source){xstrdup(path), false};
    int rc = store_stamp(db, &older, e);
    if (!rc && older)
        rc = make_copy(db, s, e);
    db_close(db);
    if (rc)
        store_source_close(s);
    return rc;
}

void store_source_close(struct store_source *s)
{
    if (s->copy)
        unlink(s->path);
    free(s->path);
    s->path = NULL;
}
