/* jieba_cut: every line of DIR/metrics/jieba_cut.jsonl, the same tokens. */
#include "tests/golden/golden.h"

#include <stdlib.h>

#include "harness/base/file.h"
#include "metrics/jieba.h"
#include "tests/golden/golden_lines.h"

static int check_line(const struct json *record, size_t line, struct tally *t, struct err *e)
{
    const struct json *text = json_need(record, "text", JSON_STRING, e);
    const struct json *list = json_need(record, "tokens", JSON_ARRAY, e);
    if (!text || !list)
        return -1;
    size_t n, same = 0;
    struct text *want = golden_texts_new(list, &n);
    struct words got = {0};
    jieba_cut(json_string(text), &got);
    while (same < n && same < got.n && text_eq(got.word[same], want[same]))
        same++;
    bool equal = same == n && same == got.n;
    tally_add(t, equal, !equal, "line %zu, token %zu: '%.*s', official '%.*s'", line, same + 1,
              same < got.n ? (int)got.word[same].n : 0, same < got.n ? got.word[same].s : "",
              same < n ? (int)want[same].n : 0, same < n ? want[same].s : "");
    words_release(&got);
    free(want);
    return 0;
}

int golden_jieba_cut(const char *dir, struct tally *t, struct err *e)
{
    struct golden_lines f;
    const char *path = golden_path(dir, "metrics/jieba_cut.jsonl");
    if (!file_exists(path))
        return GOLDEN_ABSENT;
    if (golden_lines_open(&f, path, e))
        return -1;
    int rc = 0;
    for (const struct json *record; !rc && (record = golden_lines_next(&f, e));)
        if (check_line(record, f.line, t, e))
            rc = err_in(e, "jieba_cut.jsonl, line %zu", f.line);
    if (e->class != ERR_NONE)
        rc = -1;
    golden_lines_close(&f);
    return rc;
}
