#include "harness/base/hash.h"

#include <stdio.h>

#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "harness/base/file.h"

static void hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = 0;
}

void hash_sha256(struct text t, char out[SHA256_HEX])
{
    struct sha256_ctx c;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&c);
    sha256_update(&c, t.n, (const uint8_t *)t.s);
    sha256_digest(&c, sizeof digest, digest);
    hex(out, digest, sizeof digest);
}

int hash_sha256_file(const char *path, char out[SHA256_HEX], struct err *e)
{
    struct file_map m;
    if (file_map(path, &m, e))
        return -1;
    hash_sha256((struct text){(const char *)m.data, m.size}, out);
    file_unmap(&m);
    return 0;
}

void hash_git_blob(struct text t, char out[SHA1_HEX])
{
    struct sha1_ctx c;
    char head[32];
    uint8_t digest[SHA1_DIGEST_SIZE];
    int n = snprintf(head, sizeof head, "blob %zu", t.n);
    sha1_init(&c);
    sha1_update(&c, (size_t)n + 1, (const uint8_t *)head);
    sha1_update(&c, t.n, (const uint8_t *)t.s);
    sha1_digest(&c, sizeof digest, digest);
    hex(out, digest, sizeof digest);
}
