/* Prompts that begin alike are found, whatever their order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "runner/heads.h"

enum { LONG = 3 * HEAD_MIN };
static char document[3][LONG + 64];

/* The document, its first n bytes, and a question behind them. */
static struct text prompt(int which, size_t n, const char *question, char *room)
{
    memcpy(room, document[which], n);
    memcpy(room + n, question, strlen(question) + 1);
    return text_of(room);
}

static int fill_documents(void **state)
{
    (void)state;
    for (int d = 0; d < 3; d++)
        for (int i = 0; i < LONG; i++)
            document[d][i] = (char)('a' + (i * (d + 3) + i / 7) % 23);
    return 0;
}

static void questions_about_one_document_have_one_head(void **state)
{
    (void)state;
    static char room[6][LONG + 64];
    struct head h[6];
    const struct text t[] = {prompt(0, LONG, "who?", room[0]),  prompt(1, LONG, "who?", room[1]),
                             prompt(0, LONG, "when?", room[2]), prompt(2, LONG, "who?", room[3]),
                             prompt(1, LONG, "why?", room[4]),  prompt(0, LONG, "", room[5])};
    heads_find(t, 6, h);
    assert_string_equal(h[0].hash, h[2].hash);
    assert_string_equal(h[0].hash, h[5].hash);
    assert_string_equal(h[1].hash, h[4].hash);
    assert_string_not_equal(h[0].hash, h[1].hash);
    assert_string_equal(h[3].hash, ""); // nobody else asks about it
    assert_int_equal(strlen(h[0].hash), SHA256_HEX - 1);
}

static void a_short_beginning_is_none(void **state)
{
    (void)state;
    static char room[4][LONG + 64];
    struct head h[4];
    const struct text t[] = {
        prompt(0, HEAD_MIN - 1, "one", room[0]), prompt(0, HEAD_MIN - 1, "two", room[1]),
        prompt(1, HEAD_MIN, "one", room[2]), prompt(1, HEAD_MIN, "two", room[3])};
    heads_find(t, 4, h);
    assert_string_equal(h[0].hash, "");
    assert_string_equal(h[1].hash, "");
    assert_true(h[2].hash[0]);
    assert_string_equal(h[2].hash, h[3].hash);
}

static void one_text_and_none(void **state)
{
    (void)state;
    struct head h[1] = {{"x"}};
    const struct text t = {document[0], LONG};
    heads_find(&t, 1, h);
    assert_string_equal(h[0].hash, "");
    heads_find(NULL, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_about_one_document_have_one_head),
        cmocka_unit_test(a_short_beginning_is_none),
        cmocka_unit_test(one_text_and_none),
    };
    return cmocka_run_group_tests(tests, fill_documents, NULL);
}
