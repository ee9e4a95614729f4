/* Text as LaTeX shows it, with nothing but its own packages: pdflatex reads the result. */
#include <string.h>

#include "harness/base/utf8.h"
#include "reports/format.h"
#include "reports/visible.h"

struct mapped {
    uint32_t c;
    const char *as;
};

/* Characters that LaTeX obeys, and those of which its fonts have another. */
static const struct mapped own[] = {{'\\', "\\textbackslash{}"},
                                    {'{', "\\{"},
                                    {'}', "\\}"},
                                    {'$', "\\$"},
                                    {'&', "\\&"},
                                    {'#', "\\#"},
                                    {'_', "\\_"},
                                    {'^', "\\textasciicircum{}"},
                                    {'~', "\\textasciitilde{}"},
                                    {'%', "\\%"},
                                    {'<', "\\textless{}"},
                                    {'>', "\\textgreater{}"},
                                    {'|', "\\textbar{}"},
                                    {'"', "{''}"},
                                    {'`', "{`}"},
                                    {'\'', "{'}"},
                                    {'[', "{[}"},
                                    {']', "{]}"},
                                    {'*', "{*}"},
                                    {'?', "{?}"},
                                    {'!', "{!}"}};

static const struct mapped beyond[] = {
    {0xA0, "~"},
    {0xA7, "\\S{}"},
    {0xA9, "\\copyright{}"},
    {0xAC, "$\\neg$"},
    {0xB0, "$^{\\circ}$"},
    {0xB1, "$\\pm$"},
    {0xB2, "$^{2}$"},
    {0xB3, "$^{3}$"},
    {0xB5, "$\\mu$"},
    {0xB7, "$\\cdot$"},
    {0xB9, "$^{1}$"},
    {0xD7, "$\\times$"},
    {0xF7, "$\\div$"},
    {0x394, "$\\Delta$"},
    {0x3A3, "$\\Sigma$"},
    {0x3B1, "$\\alpha$"},
    {0x3B2, "$\\beta$"},
    {0x3B3, "$\\gamma$"},
    {0x3B4, "$\\delta$"},
    {0x3B5, "$\\epsilon$"},
    {0x3BB, "$\\lambda$"},
    {0x3BC, "$\\mu$"},
    {0x3C3, "$\\sigma$"},
    {0x2010, "{-}"},
    {0x2011, "{-}"},
    {0x2012, "--"},
    {0x2013, "--"},
    {0x2014, "---"},
    {0x2018, "`"},
    {0x2019, "'"},
    {0x201C, "``"},
    {0x201D, "''"},
    {0x2020, "$^{\\dagger}$"},
    {0x2021, "$^{\\ddagger}$"},
    {0x2022, "$\\bullet$"},
    {0x2026, "\\dots{}"},
    {0x202F, "~"},
    {0x2190, "$\\leftarrow$"},
    {0x2191, "$\\uparrow$"},
    {0x2192, "$\\rightarrow$"},
    {0x2193, "$\\downarrow$"},
    {0x2208, "$\\in$"},
    {0x2211, "$\\sum$"},
    {0x2212, "$-$"},
    {0x221A, "$\\surd$"},
    {0x221E, "$\\infty$"},
    {0x2248, "$\\approx$"},
    {0x2260, "$\\neq$"},
    {0x2264, "$\\leq$"},
    {0x2265, "$\\geq$"},
};

static const char *find(const struct mapped *list, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].c == c)
            return list[i].as;
    return NULL;
}

/* Letters with accents that every installation composes. */
static bool is_composed(uint32_t c)
{
    return c >= 0xC0 && c <= 0xFF && c != 0xD0 && c != 0xDE && c != 0xF0 && c != 0xFE;
}

static void put_code_point(uint32_t c, const char *s, int n, struct buf *out)
{
    const char *as = c < 0x80 ? find(own, sizeof own / sizeof *own, c)
                              : find(beyond, sizeof beyond / sizeof *beyond, c);
    if (as)
        buf_str(out, as);
    else if (c < 0x80 || is_composed(c))
        buf_add(out, s, (size_t)n);
    else
        buf_printf(out, "(U+%04X)", (unsigned)c);
}

void format_put_latex(struct text t, struct buf *out)
{
    struct buf b = visible_new(t);
    int len;
    for (size_t i = 0; i < b.n; i += (size_t)len) {
        uint32_t c = utf8_at(b.s + i, &len);
        if (c == '-' && i && b.s[i - 1] == '-') // two of them would be a dash
            buf_str(out, "{}");
        put_code_point(c, b.s + i, len, out);
    }
    buf_release(&b);
}
