/* Chains and options as a configuration writes them: what is refused, and by which words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/sequence.h"

static const struct kv_shape shape = {3, 4, 2, 32};

/* The message of a chain that must be refused. */
static const char *refusal(const char *text)
{
    static struct err e;
    struct kv_chain c;
    e = (struct err){0};
    if (read_chain(&c, text, &e) == 0)
        fail_msg("%s is taken", text);
    assert_int_equal(e.class, ERR_USER);
    assert_int_equal(strncmp(e.msg, "test: ", 6), 0);
    return e.msg;
}

static const char *refusal_of(const struct kv_method *m, const char *key, const char *value)
{
    char text[512];
    snprintf(text, sizeof text, "[{\"%s\":{\"%s\":%s}}]", m->name, key, value);
    return refusal(text);
}

static void names(const char *message, const char *what)
{
    if (!strstr(message, what))
        fail_msg("'%s' does not name '%s'", message, what);
}

static void option_is_named(const struct kv_method *m, const struct opt *o, const char *value)
{
    const char *message = refusal_of(m, o->name, value);
    names(message, m->name);
    names(message, o->name);
}

static void beyond_the_range(const struct kv_method *m, const struct opt *o)
{
    char value[64];
    if (o->type != OPT_INT && o->type != OPT_NUM)
        return;
    snprintf(value, sizeof value, "%.17g", o->min - 1);
    option_is_named(m, o, value);
    snprintf(value, sizeof value, "%.17g", o->max + 1);
    option_is_named(m, o, value);
    if (o->type == OPT_INT)
        option_is_named(m, o, "1.5");
}

static void of_another_type(const struct kv_method *m, const struct opt *o)
{
    bool text = o->type == OPT_CHOICE || o->type == OPT_STR;
    option_is_named(m, o, "null");
    option_is_named(m, o, "[1]");
    option_is_named(m, o, text ? "1" : "\"1\"");
    if (o->type == OPT_BOOL)
        option_is_named(m, o, "1");
    if (o->type == OPT_CHOICE)
        option_is_named(m, o, "\"no such choice\"");
}

/* A key with its last letter doubled is not there, and the right one is offered; the authors' own
 * name is translated. */
static void misspelt(const struct kv_method *m, const struct opt *o)
{
    char key[128], offer[160];
    snprintf(key, sizeof key, "%s%c", o->name, o->name[strlen(o->name) - 1]);
    const char *message = refusal_of(m, key, "1");
    names(message, m->name);
    names(message, key);
    snprintf(offer, sizeof offer, "'%s'", o->name);
    names(message, offer);
    if (o->alias)
        names(refusal_of(m, o->alias, "1"), offer);
}

static void wrong_options_are_refused_by_name(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        const struct kv_method *m = kv_method_all[i];
        names(refusal_of(m, "no_such_option", "1"), "no_such_option");
        for (const struct opt *o = m->options; o && o->name; o++) {
            beyond_the_range(m, o);
            of_another_type(m, o);
            misspelt(m, o);
        }
    }
}

static void options_are_documented(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        const struct kv_method *m = kv_method_all[i];
        assert_true(m->version >= 1);
        assert_true(strlen(m->summary) > 10 && strlen(m->cite) > 4);
        for (const struct opt *o = m->options; o && o->name; o++) {
            assert_true(strlen(o->help) > 10);
            assert_true(o->type == OPT_STR || (o->def >= o->min && o->def <= o->max) ||
                        o->type == OPT_CHOICE);
        }
    }
}

static void unknown_methods_get_the_nearest_name(void **state)
{
    (void)state;
    char text[128];
    for (int i = 0; kv_method_all[i]; i++) {
        const char *name = kv_method_all[i]->name;
        snprintf(text, sizeof text, "[\"%s%c\"]", name, name[strlen(name) - 1]);
        names(refusal(text), name);
    }
    names(refusal("[\"zzzzzzzz\"]"), "zzzzzzzz");
}

static void a_chain_is_a_list_of_methods(void **state)
{
    (void)state;
    refusal("[]");
    refusal("{}");
    refusal("\"text\"");
    refusal("[1]");
    refusal("[{}]");
    refusal("[[]]");
    for (int i = 0; kv_method_all[i]; i++) {
        char text[128];
        snprintf(text, sizeof text, "[{\"%s\":1}]", kv_method_all[i]->name);
        names(refusal(text), kv_method_all[i]->name);
    }
}

/* Some hooks cannot be met by others, whoever fills them: who orders tokens needs all of them, who
 * allots them some that are scored. */
static bool can_meet(unsigned hooks)
{
    unsigned removes = 1u << KV_SCORE | 1u << KV_EVICT, follows = 1u << KV_ALLOT | 1u << KV_MERGE;
    if (hooks & 1u << KV_ORDER && hooks & removes)
        return false;
    return !(hooks & follows) || hooks & 1u << KV_SCORE;
}

/* Two methods go together unless they fill the same hook; then both are named, and the hook. All
 * may observe. */
static void try_together(const struct kv_method *a, const struct kv_method *b)
{
    char text[128];
    unsigned both = a->hooks & b->hooks & ~(1u << KV_OBSERVE);
    snprintf(text, sizeof text, "[\"%s\",\"%s\"]", a->name, b->name);
    if (both) {
        const char *message = refusal(text);
        int h = 0;
        while (!(both & 1u << h))
            h++;
        names(message, a->name);
        names(message, b->name);
        names(message, kv_hook_name((enum kv_hook)h));
        return;
    }
    if (!can_meet(a->hooks | b->hooks)) {
        refusal(text);
        return;
    }
    struct kv_chain c;
    struct err e = {0};
    assert_int_equal(read_chain(&c, text, &e), 0);
    kv_chain_release(&c);
}

static void a_hook_has_one_owner(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++)
        for (int j = 0; kv_method_all[j]; j++)
            try_together(kv_method_all[i], kv_method_all[j]);
}

static void canonical(const char *text, struct buf *out)
{
    struct kv_chain c;
    struct err e = {0};
    buf_reset(out);
    if (read_chain(&c, text, &e))
        fail_msg("%s: %s", text, e.msg);
    kv_chain_canonical(&c, out);
    kv_chain_release(&c);
}

static void canonical_of(const struct kv_method *m, const struct opt *o, int value, struct buf *out)
{
    struct settings s = {0};
    struct buf member;
    buf_init(&member);
    put_option(&member, o, value);
    settings_add(&s, m, member.s);
    canonical(s.text[0], out);
    settings_release(&s);
    buf_release(&member);
}

/* What is written of a setting says all of it: both ends of each option have a text of their own,
 * and it is the same each time. */
static void canonical_text_tells_settings_apart(void **state)
{
    (void)state;
    struct buf low, again, high;
    buf_init(&low), buf_init(&again), buf_init(&high);
    for (int i = 0; kv_method_all[i]; i++)
        for (const struct opt *o = kv_method_all[i]->options; o && o->name; o++) {
            if (option_values(o) < 2)
                continue;
            canonical_of(kv_method_all[i], o, 0, &low);
            canonical_of(kv_method_all[i], o, 0, &again);
            canonical_of(kv_method_all[i], o, option_values(o) - 1, &high);
            assert_string_equal(low.s, again.s);
            assert_string_not_equal(low.s, high.s);
        }
    buf_release(&low), buf_release(&again), buf_release(&high);
}

static void defaults_fit_a_usual_shape(void **state)
{
    (void)state;
    for (int i = 0; kv_method_all[i]; i++) {
        struct settings s = {0};
        struct kv_chain c;
        struct err e = {0};
        settings_default(&s, kv_method_all[i]);
        assert_int_equal(read_chain(&c, s.text[0], &e), 0);
        assert_int_equal(kv_chain_check(&c, &shape, true, "test", &e), 0);
        kv_chain_release(&c);
        settings_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_are_refused_by_name),
        cmocka_unit_test(options_are_documented),
        cmocka_unit_test(unknown_methods_get_the_nearest_name),
        cmocka_unit_test(a_chain_is_a_list_of_methods),
        cmocka_unit_test(a_hook_has_one_owner),
        cmocka_unit_test(canonical_text_tells_settings_apart),
        cmocka_unit_test(defaults_fit_a_usual_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
