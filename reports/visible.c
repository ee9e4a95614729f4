#include "reports/visible.h"

#include <string.h>

#include "harness/base/utf8.h"

static bool within(uint32_t c, const uint32_t (*range)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= range[i][0] && c <= range[i][1])
            return true;
    return false;
}

/* The ranges that matter here; wcwidth() would depend on the user's locale. */
static int columns_of_code_point(uint32_t c)
{
    static const uint32_t wide[][2] = {{0x1100, 0x115F},  {0x2E80, 0x303E}, {0x3041, 0xA4CF},
                                       {0xAC00, 0xD7A3},  {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},
                                       {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF},
                                       {0x20000, 0x3FFFD}};
    static const uint32_t none[][2] = {
        {0x300, 0x36F}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0xFE00, 0xFE0F}};
    if (within(c, none, sizeof none / sizeof *none))
        return 0;
    return within(c, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

int visible_columns(struct text t)
{
    int n = 0, len;
    for (size_t i = 0; i < t.n; i += (size_t)len)
        n += columns_of_code_point(utf8_at(t.s + i, &len));
    return n;
}

/* Also what turns the direction of writing is escaped, not only control characters. */
static bool is_obeyed(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

static void put_escaped(uint32_t c, struct buf *out)
{
    if (c == '\n')
        buf_str(out, "\\n");
    else if (c == '\t')
        buf_str(out, "\\t");
    else if (c < 0x100)
        buf_printf(out, "\\x%02x", (unsigned)c);
    else
        buf_printf(out, "\\u%04x", (unsigned)c);
}

struct buf visible_new(struct text t)
{
    struct buf b;
    buf_init(&b);
    while (t.n) {
        size_t good = utf8_invalid_at(t);
        int len;
        for (size_t i = 0; i < good; i += (size_t)len) {
            uint32_t c = utf8_at(t.s + i, &len);
            if (is_obeyed(c))
                put_escaped(c, &b);
            else
                buf_add(&b, t.s + i, (size_t)len);
        }
        if (good < t.n)
            put_escaped((unsigned char)t.s[good++], &b);
        t.s += good, t.n -= good;
    }
    return b;
}

size_t visible_fitting(struct text t, int columns)
{
    size_t i = 0;
    int used = 0, len;
    while (i < t.n) {
        used += columns_of_code_point(utf8_at(t.s + i, &len));
        if (used > columns)
            break;
        i += (size_t)len;
    }
    return i;
}

void visible_put_wrapped(const char *s, int width, int indent, struct buf *out)
{
    int column = 0;
    while (*s) {
        size_t n = strcspn(s, " ");
        int w = visible_columns((struct text){s, n});
        if (column && width && column + 1 + w > width) {
            buf_char(out, '\n');
            for (int i = 0; i < indent; i++)
                buf_char(out, ' ');
            column = indent;
        } else if (column) {
            buf_char(out, ' ');
            column++;
        }
        buf_add(out, s, n);
        column += w;
        s += n + (s[n] == ' ');
    }
    buf_char(out, '\n');
}
