#define _DEFAULT_SOURCE // madvise
#include "harness/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "harness/base/err.h"

enum { HUGE_PAGE = 2 << 20 };

size_t mem_size(size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        die("out of memory: %zu items of %zu bytes", n, size);
    return n * size;
}

void *xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p)
        die("out of memory: %zu bytes", n);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        die("out of memory: %zu items of %zu bytes", n, size);
    return p;
}

void *xrealloc(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        die("out of memory: %zu bytes", n);
    return p;
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

/* Rows that are read from end to end pass many pages: where the system has huge ones, whole huge
 * pages of a large block become such. Nothing beyond the block is touched. */
void *mem_aligned(size_t n)
{
    size_t align = n < HUGE_PAGE ? 64 : HUGE_PAGE;
    void *p = aligned_alloc(align, (n + align) / align * align);
    if (!p)
        die("out of memory: %zu bytes", n);
#ifdef MADV_HUGEPAGE
    if (n >= HUGE_PAGE)
        madvise(p, n / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

size_t mem_piece(size_t n)
{
    return (n / 64 + 1) * 64;
}

void mem_arena_init(struct mem_arena *a, size_t size)
{
    *a = (struct mem_arena){mem_aligned(size), size, 0};
}

void *mem_arena_take(struct mem_arena *a, size_t n)
{
    void *piece = a->at + a->used;
    a->used += mem_piece(n);
    assert(a->used <= a->size);
    return piece;
}

void mem_arena_release(struct mem_arena *a)
{
    free(a->at);
    *a = (struct mem_arena){0};
}

size_t mem_available(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[128];
    size_t kib = 0;
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1)
            break;
    fclose(f);
    return kib * 1024;
}

size_t mem_peak(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u))
        return 0;
    return (size_t)u.ru_maxrss * 1024;
}
