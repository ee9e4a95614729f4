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

/* n * size, or die when that overflows. */
size_t mem_size(size_t n, size_t size);

/* Bytes of memory in the machine that can be had without swapping (MemAvailable). */
size_t mem_available(void);
/* Largest resident size of this process so far, in bytes. */
size_t mem_peak(void);

#endif
