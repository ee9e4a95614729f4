/* A prediction file; when it is one, its first line is written and read again. */
#include <assert.h>

#include "datasets/prediction.h"
#include "tests/fuzz/fuzz.h"

static void put(const struct prediction *p, struct buf *out)
{
    buf_str(out, "{\"pred\": ");
    prediction_put_string(p->pred, out);
    buf_str(out, ", \"answers\": ");
    prediction_put_list(p->answers, p->n_answers, out);
    buf_str(out, ", \"all_classes\": ");
    prediction_put_list(p->classes, p->n_classes, out);
    buf_char(out, '}');
}

void fuzz_one(const unsigned char *data, size_t n)
{
    struct err e;
    struct predictions all;
    struct prediction again;
    struct buf b;
    if (predictions_read((struct text){(const char *)data, n}, "fuzz", n % 2, &all, &e))
        return;
    buf_init(&b);
    put(&all.list[0], &b);
    if (!prediction_parse(text_buf(&b), &again, &e)) {
        assert(text_eq(again.pred, all.list[0].pred));
        assert(again.n_answers == all.list[0].n_answers);
        prediction_release(&again);
    } else {
        assert(!"what was written is refused");
    }
    buf_release(&b);
    predictions_release(&all);
}
