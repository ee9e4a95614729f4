/* The nearest of some names to a word that was not found: "did you mean ...?" */
#ifndef KVLAB_NEAR_H
#define KVLAB_NEAR_H

#include <stddef.h>

/* The nearest of names[0..n-1] within a third of the word's length, or NULL. */
const char *near_name(const char *word, const char *const *names, size_t n);

/* Writes ", did you mean 'x'?" or nothing into out and returns out. */
const char *near_hint(char out[128], const char *word, const char *const *names, size_t n);

#endif
