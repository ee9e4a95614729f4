#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "harness/base/rng.h"
#include "harness/base/utf8.h"
#include "harness/model/hf_config.h"
#include "harness/model/tokenizer.h"
#include "tests/unit/scratch.h"

static struct tokenizer *tok; // the built-in model's, NULL where there is none

static void open_in(const char *root, const char *folder)
{
    struct err e;
    char *dir = root && !tok ? file_join_dup(root, folder) : NULL;
    if (dir && file_is_dir(dir))
        tok = tokenizer_open(dir, &e);
    free(dir);
}

static int open_mini(void **state)
{
    open_in(getenv("KVLAB_HOME"), "configs/models/mini");
    open_in(".", "configs/models/mini");
    open_in(getenv("KVLAB_SHARED"), "mini");
    return scratch_enter(state);
}

static int close_mini(void **state)
{
    tokenizer_close(tok);
    return scratch_leave(state);
}

/* cmocka's skip() jumps out of the test. */
static void need_mini(void)
{
    if (!tok)
        skip();
}

static void encode(struct text t, bool bos, struct tokens *out)
{
    struct err e;
    assert_int_equal(tokenizer_encode(tok, t, bos, out, &e), 0);
}

static void check_ids(struct text t, const struct tokens *want)
{
    struct tokens got;
    tokens_init(&got);
    encode(t, true, &got);
    assert_int_equal(got.n, want->n);
    assert_memory_equal(got.v, want->v, want->n * sizeof *want->v);
    tokens_release(&got);
}

static void check_round_trip(struct text t)
{
    struct tokens ids;
    struct buf back;
    struct err e;
    tokens_init(&ids);
    buf_init(&back);
    encode(t, true, &ids);
    assert_int_equal(tokenizer_decode(tok, ids.v, ids.n, &back, &e), 0);
    assert_int_equal(back.n, t.n);
    assert_memory_equal(back.s, t.s, t.n);
    tokens_release(&ids);
    buf_release(&back);
}

static void text_of_special_tokens_becomes_their_ids(void **state)
{
    (void)state;
    need_mini();
    struct tokens want;
    tokens_init(&want);
    tokens_add(&want, 1);
    encode(text_of("Hello "), false, &want); // nothing is stripped before it
    tokens_add(&want, 1);
    encode(text_of("."), false, &want); // the run after it has a dummy prefix of its own
    check_ids(text_of("Hello <s>."), &want);
    tokens_reset(&want);
    for (int i = 0; i < 4; i++)
        tokens_add(&want, (int[]){1, 0, 2, 2}[i]);
    encode(text_of("<s"), false, &want);
    check_ids(text_of("<unk></s></s><s"), &want);
    tokens_release(&want);
}

static void bos_is_put_first_when_asked(void **state)
{
    (void)state;
    need_mini();
    struct tokens ids;
    tokens_init(&ids);
    encode(text_of(""), false, &ids);
    assert_int_equal(ids.n, 0);
    encode(text_of(""), true, &ids);
    assert_int_equal(ids.n, 1);
    assert_int_equal(ids.v[0], tokenizer_bos(tok));
    tokens_release(&ids);
}

static void u0000_and_spaces_survive(void **state)
{
    (void)state;
    need_mini();
    check_round_trip((struct text){"a\0b", 3});
    check_round_trip((struct text){"\0", 1});
    check_round_trip(text_of("  two before, two after  "));
    check_round_trip(text_of("\n\n\ttabs\r\n\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\xa6\x99"));
}

static void random_text_survives(void **state)
{
    (void)state;
    need_mini();
    struct rng r = {7};
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < 300; i++) {
        buf_reset(&b);
        for (int n = rng_below(&r, 40); n > 0; n--) {
            uint32_t c = (uint32_t)rng_below(&r, rng_below(&r, 2) ? 128 : 0xD800);
            if (c != 0x2581) // SentencePiece's own sign for a space
                buf_code_point(&b, c);
        }
        check_round_trip(text_buf(&b));
    }
    buf_release(&b);
}

static void special_ids_are_not_text(void **state)
{
    (void)state;
    need_mini();
    struct err e;
    struct tokens ids;
    struct buf b;
    tokens_init(&ids);
    buf_init(&b);
    encode(text_of("one two"), true, &ids);
    tokens_add(&ids, 0);
    tokens_add(&ids, 2);
    buf_str(&b, "> ");
    assert_int_equal(tokenizer_decode(tok, ids.v, ids.n, &b, &e), 0);
    assert_string_equal(b.s, "> one two");
    assert_int_equal(tokenizer_decode(tok, NULL, 0, &b, &e), 0);
    assert_true(tokenizer_is_special(tok, 0) && tokenizer_is_special(tok, 2));
    assert_false(tokenizer_is_special(tok, 3));
    tokens_release(&ids);
    buf_release(&b);
}

static void bad_input_is_an_item_error(void **state)
{
    (void)state;
    need_mini();
    struct err e;
    struct tokens ids;
    struct buf b;
    tokens_init(&ids);
    buf_init(&b);
    assert_int_equal(tokenizer_encode(tok, text_of("ab\xff"), true, &ids, &e), -1);
    assert_string_equal(e.msg, "byte 2 of the text is not valid UTF-8");
    assert_int_equal(e.class, ERR_ITEM);
    assert_int_equal(tokenizer_decode(tok, (int32_t[]){5, 4096}, 2, &b, &e), -1);
    assert_string_equal(e.msg, "token 1 is 4096, the tokenizer has ids 0 to 4095");
    assert_int_equal(tokenizer_decode(tok, (int32_t[]){-1}, 1, &b, &e), -1);
    assert_int_equal(b.n, 0);
    tokens_release(&ids);
    buf_release(&b);
}

static void a_tokenizer_fits_its_model(void **state)
{
    (void)state;
    need_mini();
    struct err e;
    struct model_config c = {.vocab = 4096, .bos = 1, .eos = {7, 2}, .n_eos = 2};
    assert_int_equal(tokenizer_fits(tok, &c, &e), 0);
    c.vocab = 512;
    assert_int_equal(tokenizer_fits(tok, &c, &e), -1);
    assert_non_null(strstr(e.msg, "tokenizer.model has 4096 pieces, the model's config.json has "
                                  "vocab_size 512"));
    c.vocab = 5000;
    c.bos = 3;
    assert_int_equal(tokenizer_fits(tok, &c, &e), -1);
    assert_non_null(strstr(e.msg, "bos id 1, the model's config.json has bos_token_id 3"));
    c.bos = 1;
    c.n_eos = 1;
    assert_int_equal(tokenizer_fits(tok, &c, &e), -1);
    assert_non_null(strstr(e.msg, "eos id 2, the model's config.json has eos_token_id 7"));
}

static void damaged_models_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct text bytes;
    assert_null(tokenizer_open("absent.model", &e));
    assert_string_equal(e.msg, "absent.model: No such file or directory");
    scratch_write("text.model", text_of("{\"not\": \"a model\"}"));
    assert_null(tokenizer_open("text.model", &e));
    assert_non_null(strstr(e.msg, "text.model: is not a whole SentencePiece model"));
    need_mini();
    assert_int_equal(file_read(tokenizer_path(tok), &bytes, &e), 0);
    for (size_t n = 0; n < bytes.n; n += bytes.n / 7) {
        scratch_write("cut.model", (struct text){bytes.s, n});
        tokenizer_close(tokenizer_open("cut.model", &e)); // a cut between two pieces cannot be seen
    }
    free((void *)bytes.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_special_tokens_becomes_their_ids),
        cmocka_unit_test(bos_is_put_first_when_asked),
        cmocka_unit_test(u0000_and_spaces_survive),
        cmocka_unit_test(random_text_survives),
        cmocka_unit_test(special_ids_are_not_text),
        cmocka_unit_test(bad_input_is_an_item_error),
        cmocka_unit_test(a_tokenizer_fits_its_model),
        cmocka_unit_test(damaged_models_are_refused),
    };
    return cmocka_run_group_tests(tests, open_mini, close_mini);
}
