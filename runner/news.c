#include "runner/news.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct news) <= PIPE_BUF, "news must be written whole");

int news_open(int out[2], struct err *e)
{
    if (pipe(out) || fcntl(out[0], F_SETFL, O_NONBLOCK) || fcntl(out[0], F_SETFD, FD_CLOEXEC) ||
        fcntl(out[1], F_SETFD, FD_CLOEXEC))
        return err_system(e, "cannot make a pipe: %s", strerror(errno));
    return 0;
}

void news_send(int fd, const struct news *n)
{
    ssize_t sent;
    do
        sent = write(fd, n, sizeof *n);
    while (sent < 0 && errno == EINTR);
}

int news_receive(int fd, struct news *n)
{
    ssize_t got;
    do
        got = read(fd, n, sizeof *n);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *n;
}
