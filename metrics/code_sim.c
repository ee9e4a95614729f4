#include "metrics/code_sim.h"

#include <math.h>
#include <stdlib.h>

#include "harness/base/utf8.h"

static bool has(struct text line, const char *mark)
{
    return text_find(line, text_of(mark), 0) < line.n;
}

struct text code_sim_line(struct text t)
{
    size_t from = 0;
    while (from < t.n && t.s[from] == '\n')
        from++;
    while (from < t.n) {
        size_t end = text_find(t, text_of("\n"), from);
        struct text line = {t.s + from, end - from};
        if (!has(line, "`") && !has(line, "#") && !has(line, "//"))
            return line;
        from = end + 1;
    }
    return text_of("");
}

/* In whole percents, ties to even: Python's round() of a double. */
static double percents(struct text a, struct text b, code_sim_ratio *ratio)
{
    size_t na, nb;
    if (text_eq(a, b))
        return 100;
    if (!a.n || !b.n)
        return 0;
    uint32_t *x = utf8_code_points_new(a, &na), *y = utf8_code_points_new(b, &nb);
    double r = rint(100 * ratio(x, na, y, nb));
    free(x);
    free(y);
    return r;
}

double code_sim(struct text prediction, struct text truth, code_sim_ratio *ratio)
{
    return percents(code_sim_line(prediction), truth, ratio) / 100;
}
