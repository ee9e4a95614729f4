/* The files of a plot in a folder, and gnuplot run on them there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/base/file.h"
#include "reports/plot_int.h"

enum { NOT_FOUND = 127 };

/* dir/name.ending; the caller frees. */
static char *path_dup(const struct plot *p, const char *dir, const char *ending)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "%s%s", p->name, ending);
    char *path = file_join_dup(dir, b.s);
    buf_release(&b);
    return path;
}

static int write_file(const struct plot *p, const char *dir, const char *ending, struct text t,
                      struct err *e)
{
    char *path = path_dup(p, dir, ending);
    int rc = file_write(path, t, e);
    free(path);
    return rc;
}

static int write_files(const struct plot *p, const char *dir, unsigned outputs, struct err *e)
{
    struct buf data, script;
    buf_init(&data);
    buf_init(&script);
    plot_put_data(p, &data);
    plot_put_script(p, outputs, &script);
    int rc = write_file(p, dir, ".dat", text_buf(&data), e) ||
                     write_file(p, dir, ".gp", text_buf(&script), e)
                 ? -1
                 : 0;
    buf_release(&data);
    buf_release(&script);
    return rc;
}

/* The child: gnuplot without anybody's settings, its complaints into the pipe, no clock in files.
 */
static _Noreturn void become_gnuplot(const struct plot *p, const char *dir, int complaints)
{
    char script[256];
    int null = open("/dev/null", O_RDWR);
    snprintf(script, sizeof script, "%s.gp", p->name);
    if (null < 0 || chdir(dir) || dup2(null, 0) < 0 || dup2(complaints, 1) < 0 ||
        dup2(complaints, 2) < 0 || setenv("LC_ALL", "C", 1) || setenv("SOURCE_DATE_EPOCH", "0", 1))
        _exit(1);
    execlp("gnuplot", "gnuplot", "-d", script, (char *)NULL);
    _exit(NOT_FOUND);
}

static void read_all(int fd, struct buf *out)
{
    char block[512];
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(out, block, (size_t)n);
}

/* The exit code of gnuplot, what it said in *said; -1 when it cannot be started. */
static int run_gnuplot(const struct plot *p, const char *dir, struct buf *said)
{
    int fd[2], status = 0;
    if (pipe(fd))
        return -1;
    pid_t child = fork();
    if (!child) {
        close(fd[0]);
        become_gnuplot(p, dir, fd[1]);
    }
    close(fd[1]);
    if (child > 0)
        read_all(fd[0], said);
    close(fd[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const struct plot *p, const char *dir, struct err *e)
{
    struct buf said;
    buf_init(&said);
    int code = run_gnuplot(p, dir, &said), rc = 0;
    for (size_t i = 0; i < said.n; i++)
        said.s[i] = (char)((unsigned char)said.s[i] < ' ' ? ' ' : said.s[i]);
    if (code == NOT_FOUND)
        rc = err_item(e,
                      "plot %s has no picture: gnuplot is not installed (apt-get install "
                      "gnuplot-nox)",
                      p->name);
    else if (code)
        rc = err_item(e, "plot %s has no picture: gnuplot failed: %.300s", p->name, said.s);
    buf_release(&said);
    return rc;
}

/* The clock's only place: cairo 1.16 does not ask SOURCE_DATE_EPOCH. */
static int take_date_out(const struct plot *p, const char *dir, struct err *e)
{
    static const char key[] = "/CreationDate (D:", epoch[] = "19700101000000";
    char *path = path_dup(p, dir, ".pdf");
    struct text t;
    int rc = file_read(path, &t, e);
    if (!rc) {
        size_t at = text_find(t, text_of(key), 0) + sizeof key - 1;
        if (at + sizeof epoch < t.n) {
            memcpy((char *)t.s + at, epoch, sizeof epoch - 1);
            rc = file_write(path, t, e);
        }
        free((void *)t.s);
    }
    free(path);
    return rc ? err_item(e, "plot %s has no picture", p->name) : 0;
}

int plot_draw(const struct plot *p, const char *dir, unsigned outputs, struct err *e)
{
    if (mkdir(dir, 0777) && errno != EEXIST)
        return err_user(e, "%s: the folder cannot be made: %s", dir, strerror(errno));
    if (write_files(p, dir, outputs, e) || run(p, dir, e))
        return -1;
    return outputs & PLOT_PDF ? take_date_out(p, dir, e) : 0;
}

int plot_write(const struct plot *p, const char *dir, struct err *e)
{
    return plot_draw(p, dir, PLOT_SVG | PLOT_PDF | PLOT_PNG, e);
}

/* ---- a picture within a page ---- */

static void remove_files(const struct plot *p, const char *dir)
{
    static const char *const endings[] = {".dat", ".gp", ".svg"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *path = path_dup(p, dir, endings[i]);
        unlink(path);
        free(path);
    }
    rmdir(dir);
}

/* The svg element without what comes before it in a file. */
static int put_svg_file(const struct plot *p, const char *dir, struct buf *out, struct err *e)
{
    char *path = path_dup(p, dir, ".svg");
    struct text t;
    int rc = file_read(path, &t, e);
    free(path);
    if (rc)
        return err_item(e, "plot %s has no picture", p->name);
    size_t from = text_find(t, text_of("<svg"), 0);
    buf_text(out, (struct text){t.s + from, t.n - from});
    free((void *)t.s);
    return 0;
}

int plot_put_svg(const struct plot *p, struct buf *out, struct err *e)
{
    const char *top = getenv("TMPDIR");
    struct buf dir;
    buf_init(&dir);
    buf_printf(&dir, "%s/kvlab-plot-XXXXXX", top && *top ? top : "/tmp");
    int rc = mkdtemp(dir.s) ? 0 : err_item(e, "%s: %s", dir.s, strerror(errno));
    if (!rc) {
        rc = plot_draw(p, dir.s, PLOT_SVG, e) || put_svg_file(p, dir.s, out, e) ? -1 : 0;
        remove_files(p, dir.s);
    }
    buf_release(&dir);
    return rc;
}
