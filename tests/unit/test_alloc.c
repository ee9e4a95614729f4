/* A decode step allocates nothing: the C library's allocator is replaced by one that counts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>

#include "harness/model/model.h"
#include "runner/command.h"
#include "tests/unit/sequence.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#if defined(__GLIBC__) && !defined(SANITIZED)
#define COUNTING 1
#else
#define COUNTING 0 // a sanitizer has the allocator, or it has other names
#endif

static atomic_bool counting;
static atomic_int allocations;

#if COUNTING
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static void note(void)
{
    if (atomic_load(&counting))
        atomic_fetch_add(&allocations, 1);
}

void *malloc(size_t n)
{
    note();
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    note();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    note();
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    note();
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    note();
    *out = __libc_memalign(alignment, n);
    return *out ? 0 : ENOMEM;
}
#endif

static void skip_unless_counting(void)
{
    if (!COUNTING)
        skip();
}

static void the_counter_counts(void **state)
{
    (void)state;
    skip_unless_counting();
    void *volatile p;
    atomic_store(&allocations, 0);
    atomic_store(&counting, true);
    p = xmalloc(1);
    free(p);
    p = mem_aligned(1);
    free(p);
    p = xcalloc(1, 1);
    p = xrealloc(p, 1000);
    atomic_store(&counting, false);
    free(p);
    assert_int_equal(atomic_load(&allocations), 4);
}

static void open_default(struct kv_chain *c, const struct kv_method *m)
{
    struct settings s = {0};
    struct err e = {0};
    settings_default(&s, m);
    assert_int_equal(read_chain(c, s.text[0], &e), 0);
    settings_release(&s);
}

/* From a prompt over the borders of several windows. */
static void attention_allocates_nothing(void **state)
{
    (void)state;
    skip_unless_counting();
    enum { PROMPT = 150, MORE = 120 };
    const struct kv_shape shape = {3, 4, 2, 32};
    struct kv_engine engine = engine_new(2);
    struct sequence s = sequence_new(shape, PROMPT + MORE, 1);
    const struct sequence *of = &s;
    float *out = xmalloc(out_width(&shape) * sizeof *out);
    struct rows_of_step r = rows_of_step_new(&shape, 1);
    for (int i = 0; kv_method_all[i]; i++) {
        struct kv_chain chain;
        open_default(&chain, kv_method_all[i]);
        struct kv_cache *c = sequence_cache(&s, &engine, &chain, PROMPT, NULL);
        atomic_store(&allocations, 0);
        atomic_store(&counting, true);
        for (int step = 0; step < MORE; step++) {
            for (int layer = 0; layer < shape.n_layers; layer++)
                sequence_attend(&of, &c, 1, &engine, layer, &r, out);
            kv_cache_advance(c);
        }
        atomic_store(&counting, false);
        assert_int_equal(atomic_load(&allocations), 0);
        kv_cache_free(c);
        kv_chain_release(&chain);
    }
    rows_of_step_free(&r);
    sequence_release(&s);
    pool_free(engine.pool);
    free(out);
}

static struct model *open_mini(void)
{
    struct err e = {0};
    struct model_options o = {.threads = 2};
    char *dir = command_path_dup("configs/models/mini");
    struct model *m = model_open(dir, &o, &e);
    free(dir);
    if (!m)
        fail_msg("%s", e.msg);
    return m;
}

/* All methods' caches in one batch, over the border of a window. */
static void a_model_step_allocates_nothing(void **state)
{
    (void)state;
    skip_unless_counting();
    enum { PROMPT = 120, MORE = 12, MOST = 32 };
    struct model *m = open_mini();
    struct kv_chain chains[MOST];
    struct kv_cache *caches[MOST];
    int32_t ids[PROMPT + MORE], step_ids[MOST];
    int n = 0;
    float *logits = xmalloc(MOST * (size_t)model_get_config(m)->vocab * sizeof *logits);
    for (int i = 0; i < PROMPT + MORE; i++)
        ids[i] = 3 + i * 7 % 1000;
    for (; kv_method_all[n] && n < MOST; n++) {
        open_default(&chains[n], kv_method_all[n]);
        caches[n] = model_read(m, &chains[n], ids, PROMPT, PROMPT + MORE, logits);
    }
    atomic_store(&allocations, 0);
    atomic_store(&counting, true);
    for (int step = PROMPT; step < PROMPT + MORE; step++) {
        for (int i = 0; i < n; i++)
            step_ids[i] = ids[step];
        model_step(m, step_ids, caches, n, logits);
    }
    atomic_store(&counting, false);
    assert_int_equal(atomic_load(&allocations), 0);
    for (int i = 0; i < n; i++) {
        kv_cache_free(caches[i]);
        kv_chain_release(&chains[i]);
    }
    model_close(m);
    free(logits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(attention_allocates_nothing),
        cmocka_unit_test(a_model_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
