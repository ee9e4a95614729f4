/*
 * A model as a GGUF file (version 3) that llama.cpp reads: for running both on the same weights.
 * Written only; nothing here reads one. Without a tokenizer ("no_vocab").
 *
 * GGUF's llama turns neighbouring numbers of a head, (2i, 2i+1), where Hugging Face's checkpoints
 * turn (i, i + head_dim/2): so row h * head_dim + 2i + j of a written attn_q or attn_k is row
 * h * head_dim + j * head_dim/2 + i of the checkpoint's, for j of 0 and 1. The scores are the same.
 */
#ifndef KVLAB_GGUF_H
#define KVLAB_GGUF_H

#include "harness/model/weights.h"

/* Matrices as they are stored, or in blocks of 32 signed bytes with an f16 scale; norms are F32. */
enum gguf_format { GGUF_STORED, GGUF_Q8_0 };

/* ERR_USER when it cannot be made; ERR_SYSTEM when it cannot be filled, and it is taken away
 * again. */
int gguf_write(const char *path, const struct model_config *c, const struct weights *w,
               enum gguf_format format, struct err *e);

#endif
