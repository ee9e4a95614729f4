#include "datasets/text_file.h"

#include <string.h>

#include "harness/base/json.h"
#include "harness/base/utf8.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Written without spaces. */
static bool is_ideograph(uint32_t c)
{
    return (c >= 0x2e80 && c < 0xa000) || (c >= 0xf900 && c < 0xfb00) || c >= 0x20000;
}

/* Behind the word at `at`, which is no white space. */
static size_t word_end(struct text t, size_t at)
{
    int n;
    if (is_ideograph(utf8_at(t.s + at, &n)))
        return at + (size_t)n;
    do
        at += (size_t)n;
    while (at < t.n && !is_space(t.s[at]) && !is_ideograph(utf8_at(t.s + at, &n)));
    return at;
}

/* Behind so many words from `at` on; t.n + 1 when there are not so many. */
static size_t skip_words(struct text t, size_t at, int words)
{
    while (words > 0) {
        while (at < t.n && is_space(t.s[at]))
            at++;
        if (at == t.n)
            return t.n + 1;
        at = word_end(t, at);
        words--;
    }
    return at;
}

/* A place where a text may be cut. */
struct cut {
    size_t end, next; // of what is before it, and where the rest begins
};

static bool may_cut(struct text t, size_t at, struct cut *cut)
{
    if (at == 0 || at + 1 >= t.n || is_space(t.s[at + 1]))
        return false;
    *cut = (struct cut){t.s[at] == '\n' ? at + 1 : at, at + 1};
    return t.s[at] == '\n' || (t.s[at] == ' ' && !is_space(t.s[at - 1]));
}

/* The first one behind so many words from `at` on. */
static bool find_cut(struct text t, size_t at, int words, struct cut *cut)
{
    for (at = skip_words(t, at, words); at < t.n; at++)
        if (may_cut(t, at, cut))
            return true;
    return false;
}

/* The answer's end; the end of the text is one. */
static bool find_end(struct text t, size_t at, int words, size_t *end)
{
    struct cut cut;
    size_t behind = skip_words(t, at, words);
    if (behind > t.n)
        return false;
    *end = find_cut(t, at, words, &cut) ? cut.end : behind;
    return true;
}

static void put_record(size_t index, struct text context, struct text answer, int words,
                       struct buf *out)
{
    buf_str(out, "{\"input\":\"\",\"context\":");
    json_put_string(out, context);
    buf_str(out, ",\"answers\":[");
    json_put_string(out, answer);
    buf_printf(out,
               "],\"length\":%d,\"dataset\":\"text\",\"language\":\"any\",\"all_classes\":null,"
               "\"_id\":\"window %zu\"}\n",
               words, index);
}

static int check(struct text t, const char *label, struct err *e)
{
    size_t bad = utf8_invalid_at(t), line = 1;
    if (bad == t.n)
        return 0;
    for (size_t i = 0; i < bad; i++)
        line += t.s[i] == '\n';
    return err_user(e, "%s:%zu: byte 0x%02x is not UTF-8: a text file is wanted", label, line,
                    (unsigned)(unsigned char)t.s[bad]);
}

int text_windows_put(struct text content, const char *label, const struct text_windows *w,
                     size_t limit, struct buf *out, struct err *e)
{
    size_t at = 0, n = 0, end;
    struct cut cut;
    if (check(content, label, e))
        return -1;
    while ((!limit || n < limit) && find_cut(content, at, w->words, &cut) &&
           find_end(content, cut.next, w->answer, &end)) {
        put_record(n++, (struct text){content.s + at, cut.end - at},
                   (struct text){content.s + cut.next, end - cut.next}, w->words, out);
        at = cut.next;
    }
    if (n)
        return 0;
    return err_user(e,
                    "%s: no %d words and %d behind them, with a space or a line's end between: "
                    "smaller words or answer are wanted",
                    label, w->words, w->answer);
}
