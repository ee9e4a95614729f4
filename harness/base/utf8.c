#include "harness/base/utf8.h"

#include "harness/base/mem.h"

/* Length of the valid sequence at s with n bytes left, or 0. */
static size_t valid_length(const unsigned char *s, size_t n)
{
    unsigned c = s[0];
    size_t len = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F))
        return 0;
    if ((c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F))
        return 0;
    return len;
}

size_t utf8_invalid_at(struct text t)
{
    size_t i = 0;
    while (i < t.n) {
        size_t len = valid_length((const unsigned char *)t.s + i, t.n - i);
        if (!len)
            return i;
        i += len;
    }
    return t.n;
}

uint32_t utf8_at(const char *text, int *len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *len = 1;
        return s[0];
    }
    *len = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    uint32_t c = s[0] & (0x7Fu >> *len);
    for (int i = 1; i < *len; i++)
        c = c << 6 | (s[i] & 0x3F);
    return c;
}

int utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)((0xF0 << (4 - len)) | (int)c);
    return len;
}

void buf_code_point(struct buf *b, uint32_t c)
{
    char bytes[4];
    buf_add(b, bytes, (size_t)utf8_put(bytes, c));
}

size_t utf8_length(struct text t)
{
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++)
        n += ((unsigned char)t.s[i] & 0xC0) != 0x80;
    return n;
}

uint32_t *utf8_code_points_new(struct text t, size_t *n)
{
    uint32_t *out = xmalloc(mem_size(utf8_length(t) + 1, sizeof *out));
    *n = 0;
    for (size_t i = 0; i < t.n;) {
        int len;
        out[(*n)++] = utf8_at(t.s + i, &len);
        i += (size_t)len;
    }
    return out;
}
