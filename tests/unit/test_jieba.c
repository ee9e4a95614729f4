/* The rules of the segmentation that are easy to get wrong, each by a case that tells; our own
 * text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/clock.h"
#include "harness/base/rng.h"
#include "harness/base/utf8.h"
#include "metrics/jieba.h"
#include "metrics/jieba_data.h"

/* want: the tokens, a "|" after each. */
static void check(struct text t, const char *want)
{
    struct words w = {0};
    struct buf got;
    buf_init(&got);
    jieba_cut(t, &w);
    for (size_t i = 0; i < w.n; i++) {
        buf_text(&got, w.word[i]);
        buf_char(&got, '|');
    }
    assert_string_equal(got.s, want);
    buf_release(&got);
    words_release(&w);
}

static void check_cut(const char *t, const char *want)
{
    check(text_of(t), want);
}

static void words_come_from_the_dictionary(void **state)
{
    (void)state;
    check_cut("", "");
    check_cut("我来到北京清华大学", "我|来到|北京|清华大学|");
    check_cut("这件T恤不错", "这件|T恤|不错|"); // words may hold letters
    check_cut("南京市长江大桥", "南京市|长江大桥|");
}

static void between_blocks_every_character_is_alone(void **state)
{
    (void)state;
    check_cut("\r\n\n\r \t", "\r\n|\n|\r| |\t|");
    check_cut("“上海”!?", "“|上海|”|!|?|");
    check_cut("é龦", "é|龦|"); // U+9FA6 is within the block, U+9FD6 is not
    check_cut("\xe9\xbf\x96\xe9\xbf\x96", "\xe9\xbf\x96|\xe9\xbf\x96|");
    struct words w = {0};
    jieba_cut((struct text){"\0\0", 2}, &w);
    assert_int_equal(w.n, 2);
    words_release(&w);
}

static void letters_and_numbers_stay_together(void **state)
{
    (void)state;
    check_cut("a1.5%b", "a1.5%|b|");
    check_cut("3.14.15", "3.14|.|15|");
    check_cut("v2.x", "v2|.|x|");
    check_cut("a+-b", "a|+-|b|"); // what is between the matches is one token
    check_cut("_", "_|");
    check_cut("%%", "%%|");
    check_cut("5%%", "5%|%|");
}

static void unknown_words_come_from_the_model(void **state)
{
    (void)state;
    check_cut("他来到了网易杭研大厦", "他|来到|了|网易|杭研|大厦|");
    check_cut("的的", "的|的|");
    check_cut("小明硕士毕业于中国科学院计算所", "小明|硕士|毕业|于|中国科学院|计算所|");
}

static void the_dictionary_is_whole(void **state)
{
    (void)state;
    struct jieba_data d;
    jieba_data_get(&d);
    uint32_t node = 0;
    const char *word = "中华人民共和国";
    for (int i = 0, len; word[i]; i += len) {
        node = jieba_child(&d, node, (uint32_t)jieba_symbol(utf8_at(word + i, &len)));
        assert_true(node > 0);
    }
    assert_true(d.weight_index[node] > 0);
    assert_int_equal(jieba_child(&d, node, 'x'), 0);
    assert_int_equal(jieba_symbol(0x4DFF), -1);
    assert_int_equal(jieba_symbol(0x9FD6), -1);
    assert_int_equal(jieba_symbol(0x9FD5), JIEBA_SYMBOLS - 1);
    assert_true(d.weight[0] < -17.9 && d.weight[0] > -18); // log(1 / 60101967)
    assert_true(d.start[JIEBA_M] == -3.14e100 && d.trans[JIEBA_B * JIEBA_STATES] == -3.14e100);
}

/* Random text of what blocks are made of and what not: the tokens are the text. */
static void tokens_are_the_text(void **state)
{
    (void)state;
    static const char *const part[] = {"中",
                                       "国",
                                       "的",
                                       "人",
                                       "民",
                                       "a",
                                       "1",
                                       ".",
                                       "%",
                                       "-",
                                       "\r",
                                       "\n",
                                       " ",
                                       "。",
                                       "é",
                                       "龦",
                                       "T",
                                       "恤",
                                       "\xf0\x9f\x98\x80"};
    struct rng r = {3};
    for (int round = 0; round < 2000; round++) {
        struct buf b;
        struct words w = {0};
        buf_init(&b);
        for (int k = rng_below(&r, 30); k > 0; k--)
            buf_str(&b, part[rng_below(&r, sizeof part / sizeof *part)]);
        jieba_cut(text_buf(&b), &w);
        const char *at = b.s;
        for (size_t i = 0; i < w.n; i++) {
            assert_true(w.word[i].s == at && w.word[i].n > 0);
            at += w.word[i].n;
        }
        assert_true(at == b.s + b.n);
        words_release(&w);
        buf_release(&b);
    }
}

/* A block of a million characters, by the model and by the dictionary. */
static void long_blocks_take_linear_time(void **state)
{
    (void)state;
    static const char *const part[] = {"龦", "中华人民共和国"};
    double start = clock_seconds();
    for (int i = 0; i < 2; i++) {
        struct buf b;
        struct words w = {0};
        buf_init(&b);
        while (b.n < 3000000)
            buf_str(&b, part[i]);
        jieba_cut(text_buf(&b), &w);
        assert_true(w.n > 1000);
        words_release(&w);
        buf_release(&b);
    }
    assert_true(clock_seconds() - start < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_from_the_dictionary),
        cmocka_unit_test(between_blocks_every_character_is_alone),
        cmocka_unit_test(letters_and_numbers_stay_together),
        cmocka_unit_test(unknown_words_come_from_the_model),
        cmocka_unit_test(the_dictionary_is_whole),
        cmocka_unit_test(tokens_are_the_text),
        cmocka_unit_test(long_blocks_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
