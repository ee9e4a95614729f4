/*
 * libsentencepiece for C: the least that tokenizer.c needs. The only other file that knows it is
 * spm.cc. No exception leaves; a failure is -1 or NULL with its reason in why. Included by C++ too.
 * Every call but open and close leaves the model as it is: threads may share it.
 */
#ifndef KVLAB_SPM_H
#define KVLAB_SPM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SPM_WHY = 256 };
struct spm;

/* model: the n bytes of a tokenizer.model. */
struct spm *spm_open(const void *model, size_t n, char why[SPM_WHY]);
void spm_close(struct spm *s);

int spm_size(const struct spm *s);
int spm_unk(const struct spm *s); // -1 where the model has none, also of the next two
int spm_bos(const struct spm *s);
int spm_eos(const struct spm *s);
const char *spm_piece(const struct spm *s, int id); // id in range; lives as long as s

/* The caller frees *ids; text may hold U+0000. */
int spm_encode(const struct spm *s, const char *text, size_t n, int32_t **ids, size_t *n_ids,
               char why[SPM_WHY]);
/* ids in range; the caller frees *text. */
int spm_decode(const struct spm *s, const int32_t *ids, size_t n, char **text, size_t *n_text,
               char why[SPM_WHY]);

#ifdef __cplusplus
}
#endif

#endif
