#include "datasets/dataset.h"
#include "harness/base/utf8.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const unsigned char *data, size_t n)
{
    struct task_prompt p = {.template = {(const char *)data, n}};
    struct sample s = {.input = text_of("{context}"), .context = text_of("a {} b")};
    struct err e;
    if (utf8_invalid_at(p.template) < n || task_prompt_check(p.template, &e))
        return;
    struct buf b;
    buf_init(&b);
    task_prompt_fill(&p, &s, &b, &e);
    buf_release(&b);
}
