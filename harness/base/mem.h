/*
 * Memory that is always there: these never return NULL (out of memory is die()).
 * Freed with free(). mem_aligned() memory too.
 */
#ifndef KVLAB_MEM_H
#define KVLAB_MEM_H

#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* 64-byte aligned, not zeroed: rows that kernels read. */
void *mem_aligned(size_t n);

/* Many pieces in one run of memory, so that they share large pages: pieces of mem_aligned, freed
 * all at once. */
struct mem_arena {
    char *at;
    size_t size, used;
};
/* Bytes that a piece of n takes. */
size_t mem_piece(size_t n);
void mem_arena_init(struct mem_arena *a, size_t size);
void *mem_arena_take(struct mem_arena *a, size_t n); // which must fit
void mem_arena_release(struct mem_arena *a);

/* n * size, or die when that overflows. */
size_t mem_size(size_t n, size_t size);

/* Bytes of memory in the machine that can be had without swapping (MemAvailable). */
size_t mem_available(void);
/* Largest resident size of this process so far, in bytes. */
size_t mem_peak(void);

#endif
