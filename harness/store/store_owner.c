/*
 * Whose job is it? A pid alone would be taken for another process after a while, so the owner also
 * names when it started: clock ticks since boot, and which boot.
 */
#include "harness/store/store_int.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_line(const char *path, char *out, int n)
{
    FILE *f = fopen(path, "r");
    if (!f || !fgets(out, n, f))
        *out = 0;
    if (f)
        fclose(f);
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. Empty when
 * there is no such process. */
static void start_of(long pid, char out[64])
{
    char path[64], line[1024], boot[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, line, sizeof line);
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    char *p = strrchr(line, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (p)
        snprintf(out, 64, "%.8s-%ld", boot, strtol(p, NULL, 10));
    else
        *out = 0;
}

static void host_name(char out[256])
{
    if (gethostname(out, 256))
        snprintf(out, 256, "unknown");
    out[255] = 0;
    for (char *p = out; *p; p++)
        if (*p == '/')
            *p = '-';
}

/* host/pid/start, where start tells the process from an earlier one with the same pid. */
void store_owner_of(long pid, char out[STORE_OWNER_MAX])
{
    char host[256], start[64];
    host_name(host);
    start_of(pid, start);
    snprintf(out, STORE_OWNER_MAX, "%.200s/%ld/%s", host, pid, start);
}

enum store_owner_state store_owner_look(const char *owner)
{
    char host[256], start[64];
    host_name(host);
    host[200] = 0;
    const char *slash = strchr(owner, '/');
    if (!slash || (size_t)(slash - owner) != strlen(host) || strncmp(owner, host, strlen(host)))
        return OWNER_ELSEWHERE;
    char *end;
    long pid = strtol(slash + 1, &end, 10);
    if (pid <= 0 || *end != '/')
        return OWNER_DEAD;
    if (kill((pid_t)pid, 0) && errno == ESRCH)
        return OWNER_DEAD;
    start_of(pid, start);
    /* Without /proc nothing tells it from a later process: leave the job to it. */
    return !*start || !strcmp(start, end + 1) ? OWNER_ALIVE : OWNER_DEAD;
}

bool store_owner_is_dead(const char *owner)
{
    return store_owner_look(owner) == OWNER_DEAD;
}
