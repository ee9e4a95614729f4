#include "tests/golden/golden_lines.h"

#include <stdlib.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"

int golden_lines_open(struct golden_lines *f, const char *path, struct err *e)
{
    *f = (struct golden_lines){.path = path};
    return file_read(path, &f->content, e);
}

const struct json *golden_lines_next(struct golden_lines *f, struct err *e)
{
    json_free(f->record);
    f->record = NULL;
    e->class = ERR_NONE;
    if (f->at >= f->content.n)
        return NULL;
    size_t end = text_find(f->content, text_of("\n"), f->at);
    f->line++;
    f->record = json_read((struct text){f->content.s + f->at, end - f->at}, e);
    f->at = end + 1;
    if (!f->record)
        err_in(e, "%s, line %zu", f->path, f->line);
    return f->record;
}

void golden_lines_close(struct golden_lines *f)
{
    json_free(f->record);
    free((void *)f->content.s);
    *f = (struct golden_lines){0};
}

struct text *golden_texts_new(const struct json *j, size_t *n)
{
    *n = 0;
    if (!j || json_type(j) != JSON_ARRAY)
        return NULL;
    struct text *out = xmalloc(mem_size(json_length(j) + 1, sizeof *out));
    for (const struct json *x = json_first(j); x; x = json_next(x))
        out[(*n)++] = json_string(x);
    return out;
}
