/* A fuzz target is one file fuzz_NAME.c that defines this, and a folder corpus/NAME of seeds. */
#ifndef KVLAB_FUZZ_H
#define KVLAB_FUZZ_H

#include <stddef.h>

/* Feed n bytes to the parser; whatever they are, it returns. data may be read only. */
void fuzz_one(const unsigned char *data, size_t n);

#endif
