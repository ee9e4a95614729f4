/* A file of published numbers; what is read keeps its promises. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "runner/published.h"
#include "tests/fuzz/fuzz.h"

static void look_at(const struct published_number *x)
{
    assert(x->score >= 0 && x->score <= 100);
    assert(x->n >= 0 && (isnan(x->error) || x->error >= 0));
    assert((x->what.kind == PUBLISHED_TASK) == (x->what.task != NULL));
    assert(*x->model && *x->setting && *x->source && !strchr(x->remarks, '\n'));
}

void fuzz_one(const unsigned char *data, size_t n)
{
    struct err e;
    struct published p;
    struct buf wrong;
    if (published_parse(&p, "fuzz", (struct text){(const char *)data, n}, &e))
        return;
    assert(p.n && *p.paper);
    for (size_t i = 0; i < p.n; i++)
        look_at(&p.list[i]);
    buf_init(&wrong);
    struct published_check c = published_check(&p, &wrong);
    assert(c.wrong <= c.checked && c.checked <= c.averages && c.averages <= p.n);
    buf_release(&wrong);
    published_release(&p);
}
