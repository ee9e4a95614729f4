/*
 * Weights rounded to few bits by the group quantizer and packed: group-wise round to nearest.
 *
 * The pair of a group is rounded to the format it is stored in before the codes are made, so codes
 * and pair fit each other, and a packed matrix is by definition what its codes decode to.
 * Knows matrices; which matrices of a model are packed is the model's affair.
 */
#ifndef KVLAB_QUANT_H
#define KVLAB_QUANT_H

#include "harness/base/opt.h"
#include "harness/base/pool.h"
#include "harness/tensor/matrix.h"

enum { QUANT_BITS_MAX = 8, QUANT_BITS_OFF = 16 };

/* The "weights" of a setting. */
struct quant_format {
    int bits;      // 2..8, or 16: as stored in the checkpoint
    int group;     // inputs that share a pair; 0: a whole row
    int symmetric; // no offset
    double clip;
    int pairs; // 0: f16, 1: f32
};
extern const struct opt quant_options[];

/* All options at their defaults but these members of an object. ERR_USER. */
int quant_format_read(struct quant_format *f, const struct json *object, const char *where,
                      struct err *e);
bool quant_format_on(const struct quant_format *f);
/* Do they give the same numbers? All that are off do. */
bool quant_format_equal(const struct quant_format *a, const struct quant_format *b);
/* "w4g128", "w4 sym clip 0.9": for tables. "w16" when off. */
void quant_format_name(const struct quant_format *f, struct buf *out);
/* Every option and the version of the arithmetic, as JSON; equal texts, equal numbers. */
void quant_format_canonical(const struct quant_format *f, struct buf *out);

/* Can rows of so many columns be packed? ERR_USER with the rule and the nearest group. */
int quant_format_check(const struct quant_format *f, int cols, const char *what, struct err *e);

/* Bytes that quant_pack fills, slack included. */
size_t quant_bytes(const struct quant_format *f, int rows, int cols);
/* w, packed into data (mem_aligned), over all threads: rows is set up to read it. */
void quant_pack(struct quant_rows *rows, uint8_t *data, const struct matrix *w,
                const struct quant_format *f, struct pool *pool);

#endif
