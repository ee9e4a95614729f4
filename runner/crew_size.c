#include "runner/crew_size.h"

#include <unistd.h>

#include "harness/base/mem.h"

static const size_t small_weights = (size_t)256 << 20;
static const double memory_share = 0.8; // of what is free

static int default_workers(const struct crew_size *c, const struct crew_work *w)
{
    enum { THREADS_EACH = 8 };
    int n = w->weights < small_weights ? c->threads : c->threads / THREADS_EACH;
    if (n > w->groups)
        n = (int)w->groups;
    while (n > 1 && w->group_bytes > c->memory / (size_t)n)
        n--;
    return n > 1 ? n : 1;
}

void crew_size_choose(struct crew_size *c, const struct crew_work *w)
{
    if (!c->threads)
        c->threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (c->threads < 1)
        c->threads = 1;
    if (!c->memory)
        c->memory = (size_t)((double)mem_available() * memory_share);
    if (!c->workers)
        c->workers = default_workers(c, w);
}

int crew_size_threads_each(const struct crew_size *c)
{
    return c->threads / c->workers > 0 ? c->threads / c->workers : 1;
}
