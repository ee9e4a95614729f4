/* Windows of a text: whatever it is, records that the reader takes, or a refusal. */
#include "datasets/record.h"
#include "datasets/text_file.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

void fuzz_one(const unsigned char *data, size_t n)
{
    static const struct text_windows sizes[] = {{1, 1}, {3, 2}, {2, 7}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf lines;
        struct samples s;
        struct err e;
        buf_init(&lines);
        if (!text_windows_put((struct text){(const char *)data, n}, "text", &sizes[i], 9, &lines,
                              &e)) {
            int rc = records_read(text_buf(&lines), "windows", 0, &s, &e);
            assert(!rc && s.n > 0 && s.n <= 9);
            samples_release(&s);
        }
        buf_release(&lines);
    }
}
