#include "reports/page_assets.h"

#include <stdlib.h>

#include "harness/base/hash.h"

static const char *const style[] = {
#include "report.css.inc"
    NULL};
static const char *const script[] = {
#include "report.js.inc"
    NULL};

static void put_lines(const char *const *line, struct buf *out)
{
    for (; *line; line++)
        buf_str(out, *line);
}

void page_assets_style(struct buf *out)
{
    put_lines(style, out);
}

void page_assets_script(struct buf *out)
{
    put_lines(script, out);
}

static unsigned byte_of(const char *hex)
{
    char two[3] = {hex[0], hex[1], 0};
    return (unsigned)strtoul(two, NULL, 16);
}

/* "'sha256-" and the hash in base 64: 32 bytes are ten times three and two. */
static void put_source(const char *const *line, struct buf *out)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char hex[SHA256_HEX];
    struct buf b;
    buf_init(&b);
    put_lines(line, &b);
    hash_sha256(text_buf(&b), hex);
    buf_release(&b);
    buf_str(out, "'sha256-");
    for (int i = 0; i < 32; i += 3) {
        unsigned bits = byte_of(hex + 2 * i) << 16 | byte_of(hex + 2 * i + 2) << 8;
        if (i + 2 < 32)
            bits |= byte_of(hex + 2 * i + 4);
        for (int k = 3; k >= (i + 2 < 32 ? 0 : 1); k--)
            buf_char(out, digit[bits >> (6 * k) & 63]);
    }
    buf_str(out, "='");
}

void page_assets_policy(struct buf *out)
{
    buf_str(out, "default-src 'none'; base-uri 'none'; form-action 'none'; script-src ");
    put_source(script, out);
    buf_str(out, "; style-src ");
    put_source(style, out);
}
