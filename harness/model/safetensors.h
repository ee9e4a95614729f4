/*
 * safetensors files: a header of JSON and tensors, mapped read-only and shared by processes.
 * Single files and sharded checkpoints (model.safetensors.index.json) look the same from here.
 * Everything is checked at open: header length, JSON, dtypes, shapes, offsets (in range, no
 * overlap, size = shape x dtype). Tensors point into the map and live until close.
 */
#ifndef KVLAB_SAFETENSORS_H
#define KVLAB_SAFETENSORS_H

#include <stdint.h>

#include "harness/base/text.h"
#include "harness/tensor/dtype.h"

enum { TENSOR_DIMS = 8 };

struct tensor {
    const char *name;
    enum dtype dtype;
    int n_dims;
    int64_t shape[TENSOR_DIMS];
    const void *data;
    size_t bytes;
};

struct safetensors;

/* One file, or a *.index.json whose shards lie beside it. NULL on error (ERR_USER, names the file).
 */
struct safetensors *safetensors_open(const char *path, struct err *e);
void safetensors_close(struct safetensors *s);

size_t safetensors_count(const struct safetensors *s);
const struct tensor *safetensors_at(const struct safetensors *s, size_t i); // in order of name
const struct tensor *safetensors_find(const struct safetensors *s, const char *name); // or NULL

/* The files that were mapped, for hashing: n paths, borrowed. */
size_t safetensors_files(const struct safetensors *s, const char *const **paths);

/* The same checks on bytes in memory (tests, fuzzing): 0 when they are a valid file. */
int safetensors_check(const unsigned char *data, size_t n, struct err *e);

#endif
