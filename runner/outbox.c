#include "runner/outbox.h"

#include <stdlib.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"

enum { LETTERS_MAX = 256 };
static const double patience = 0.3; // seconds

struct letter *letter_new(int64_t job, int64_t build)
{
    struct letter *l = xcalloc(1, sizeof *l);
    l->job = job;
    l->build = build;
    l->result = STORE_RESULT;
    buf_init(&l->text);
    buf_init(&l->ids);
    return l;
}

static void letter_free(struct letter *l)
{
    buf_release(&l->text);
    buf_release(&l->ids);
    free(l->layers);
    free(l);
}

void outbox_send(struct outbox *o, struct letter *l)
{
    if (o->n == 0)
        o->since = clock_seconds();
    o->list = xrealloc(o->list, mem_size((size_t)o->n + 1, sizeof(struct letter *)));
    o->list[o->n++] = l;
}

static void empty(struct outbox *o)
{
    for (int i = 0; i < o->n; i++)
        letter_free(o->list[i]);
    o->n = 0;
}

int outbox_flush(struct outbox *o, bool due, outbox_report *report, void *arg, struct err *e)
{
    if (o->n == 0 || (due && o->n < LETTERS_MAX && clock_seconds() - o->since < patience))
        return 0;
    struct store_finished *list = xcalloc((size_t)o->n, sizeof *list);
    for (int i = 0; i < o->n; i++) {
        const struct letter *l = o->list[i];
        list[i] = (struct store_finished){l->job,    l->build,          &l->result,
                                          &l->score, l->scored ? 1 : 0, false};
    }
    int rc = store_finish(o->store, list, o->n, e);
    for (int i = 0; i < o->n && !rc; i++)
        if (list[i].kept)
            report(arg, o->list[i]);
    free(list);
    empty(o);
    return rc;
}

void outbox_release(struct outbox *o)
{
    empty(o);
    free(o->list);
    o->list = NULL;
}
