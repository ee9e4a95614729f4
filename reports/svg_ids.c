#include "reports/svg_ids.h"

#include <ctype.h>
#include <string.h>

/* What stands right before an id or a reference to one. An attribute follows a space, and is "href"
 * of any namespace. */
static const struct place {
    const char *word;
    bool attribute;
} place[] = {{"id='", true},   {"id=\"", true},   {"href='#", true}, {"href=\"#", true},
             {"url(#", false}, {"url('#", false}, {"url(\"#", false}};

static bool begins(struct text t, size_t at, const char *word)
{
    const size_t n = strlen(word);
    return n <= t.n - at && !memcmp(t.s + at, word, n);
}

/* The length of the words at `at` that an id follows; 0: none. */
static size_t before_id(struct text tag, size_t at)
{
    const char before = at ? tag.s[at - 1] : ' ';
    for (size_t i = 0; i < sizeof place / sizeof *place; i++)
        if (begins(tag, at, place[i].word) &&
            (!place[i].attribute || isspace((unsigned char)before) ||
             (*place[i].word == 'h' && before == ':')))
            return strlen(place[i].word);
    return 0;
}

static void put_tag(struct text tag, const char *prefix, struct buf *out)
{
    for (size_t i = 0; i < tag.n;) {
        const size_t n = before_id(tag, i);
        buf_add(out, tag.s + i, n ? n : 1);
        if (n)
            buf_str(out, prefix);
        i += n ? n : 1;
    }
}

void svg_put_ids(struct text svg, const char *prefix, struct buf *out)
{
    while (svg.n) {
        const bool tag = *svg.s == '<';
        size_t n = text_find(svg, text_of(tag ? ">" : "<"), 0);
        n += tag && n < svg.n;
        if (tag)
            put_tag((struct text){svg.s, n}, prefix, out);
        else
            buf_add(out, svg.s, n);
        svg.s += n, svg.n -= n;
    }
}
