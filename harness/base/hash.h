/* SHA-256 for identities and files, SHA-1 for git's blob ids (nettle). Hex results, lower case. */
#ifndef KVLAB_HASH_H
#define KVLAB_HASH_H

#include "harness/base/text.h"

enum { SHA256_HEX = 65, SHA1_HEX = 41 }; // with the NUL

void hash_sha256(struct text t, char out[SHA256_HEX]);
int hash_sha256_file(const char *path, char out[SHA256_HEX], struct err *e);

/* What `git hash-object` prints for this content. */
void hash_git_blob(struct text t, char out[SHA1_HEX]);

#endif
