/* A line as a record; when it is one, its input as a template that the record fills. */
#include "datasets/record.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct err e;
    struct sample s;
    struct buf b;
    if (record_parse((struct text){(const char *)data, n}, &s, &e))
        return;
    struct task_prompt p = {.template = s.input};
    buf_init(&b);
    if (!task_prompt_check(p.template, &e))
        task_prompt_fill(&p, &s, &b, &e);
    buf_release(&b);
    record_release(&s);
}
