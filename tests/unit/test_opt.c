#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "harness/base/opt.h"

enum colour { RED, GREEN, BLUE };
static const char *const colours[] = {"red", "green", "blue", NULL};

struct paint {
    int layers, dry;
    double gloss;
    int colour;
    char maker[OPT_STR_MAX];
};

#define AT(field) offsetof(struct paint, field)
static const struct opt table[] = {
    {.name = "layers",
     .type = OPT_INT,
     .offset = AT(layers),
     .min = 1,
     .max = 9,
     .def = 2,
     .alias = "n_coats",
     .help = "how many"},
    {.name = "gloss",
     .type = OPT_NUM,
     .offset = AT(gloss),
     .min = 0,
     .max = 1,
     .def = 0.1,
     .help = "share of light"},
    {.name = "dry", .type = OPT_BOOL, .offset = AT(dry), .def = 1, .help = "between layers"},
    {.name = "colour",
     .type = OPT_CHOICE,
     .offset = AT(colour),
     .choices = colours,
     .def = GREEN,
     .help = "of all layers"},
    {.name = "maker", .type = OPT_STR, .offset = AT(maker), .def_str = "", .help = "who made it"},
    {0}};

/* Reads json over the defaults; the error's text, or NULL. */
static const char *read_paint(struct paint *p, const char *json)
{
    static struct err e;
    struct json *j = json_read(text_of(json), &e);
    assert_non_null(j);
    opt_defaults(table, p);
    int rc = opt_read(table, p, j, "paint", &e);
    json_free(j);
    assert_true(rc == 0 || e.class == ERR_USER);
    return rc ? e.msg : NULL;
}

static void defaults_and_every_type(void **state)
{
    (void)state;
    struct paint p;
    assert_null(read_paint(&p, "{}"));
    assert_int_equal(p.layers, 2);
    assert_int_equal(p.dry, 1);
    assert_true(p.gloss == 0.1);
    assert_int_equal(p.colour, GREEN);
    assert_string_equal(p.maker, "");
    assert_null(read_paint(&p, "{\"maker\": \"\xc3\xa9\", \"colour\": \"blue\", \"dry\": false,"
                               " \"gloss\": 1, \"layers\": 9}"));
    assert_int_equal(p.layers, 9);
    assert_int_equal(p.dry, 0);
    assert_true(p.gloss == 1);
    assert_int_equal(p.colour, BLUE);
    assert_string_equal(p.maker, "\xc3\xa9");
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "paint: is an array, must be an object"},
        {"{\"layers\": \"2\"}", "paint: key 'layers' is a string, must be a number"},
        {"{\"layers\": 0}", "paint: key 'layers' is 0, must be a whole number from 1 to 9"},
        {"{\"layers\": 10}", "paint: key 'layers' is 10, must be a whole number from 1 to 9"},
        {"{\"layers\": 1.5}", "paint: key 'layers' is 1.5, must be a whole number from 1 to 9"},
        {"{\"gloss\": 1.01}", "paint: key 'gloss' is 1.01, must be a number from 0 to 1"},
        {"{\"gloss\": -1e300}", "paint: key 'gloss' is -1e+300, must be a number from 0 to 1"},
        {"{\"dry\": 1}", "paint: key 'dry' is a number, must be true or false"},
        {"{\"colour\": 1}", "paint: key 'colour' is a number, must be a string"},
        {"{\"colour\": \"gren\"}", "paint: key 'colour' is 'gren', must be one of red, green, blue,"
                                   " did you mean 'green'?"},
        {"{\"maker\": null}", "paint: key 'maker' is null, must be a string"},
        {"{\"maker\": \"a\\u0000b\"}", "paint: key 'maker' must be shorter than 256 bytes and hold "
                                       "no U+0000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct paint p;
        const char *msg = read_paint(&p, cases[i][0]);
        assert_non_null(msg);
        assert_string_equal(msg, cases[i][1]);
    }
}

static void unknown_keys_are_refused(void **state)
{
    (void)state;
    struct paint p;
    assert_string_equal(read_paint(&p, "{\"layer\": 1}"),
                        "paint: unknown key 'layer', did you mean 'layers'?");
    assert_string_equal(read_paint(&p, "{\"temperature\": 1}"), "paint: unknown key 'temperature'");
    assert_string_equal(read_paint(&p, "{\"n_coats\": 1}"),
                        "paint: unknown key 'n_coats': it is called 'layers' here (how many)");
}

static void one_member(void **state)
{
    (void)state;
    struct paint p;
    struct err e;
    struct json *j = json_read(text_of("{\"layers\": 3, \"other\": 4}"), &e);
    opt_defaults(table, &p);
    assert_int_equal(opt_read_member(table, &p, json_first(j), "x", &e), 0);
    assert_int_equal(p.layers, 3);
    assert_int_equal(opt_read_member(table, &p, json_next(json_first(j)), "x", &e), 1);
    json_free(j);
}

/* The text that is hashed: in table order whatever the input's, and it reads back the same. */
static void canonical_text(void **state)
{
    (void)state;
    struct paint p, again;
    struct buf a, b;
    buf_init(&a);
    buf_init(&b);
    assert_null(read_paint(&p, "{\"maker\": \"\\\"q\\\"\", \"gloss\": 0.30000000000000004}"));
    opt_put_json(table, &p, &a);
    assert_string_equal(a.s, "{\"layers\":2,\"gloss\":0.30000000000000004,\"dry\":true,"
                             "\"colour\":\"green\",\"maker\":\"\\\"q\\\"\"}");
    assert_null(read_paint(&again, a.s));
    opt_put_json(table, &again, &b);
    assert_string_equal(a.s, b.s);
    buf_release(&a);
    buf_release(&b);
}

static void help_shows_every_row(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    opt_put_help(table, &b);
    assert_string_equal(b.s, "  layers            1..9, default 2; the authors' n_coats\n"
                             "                    how many\n"
                             "  gloss             0..1, default 0.1\n"
                             "                    share of light\n"
                             "  dry               true|false, default true\n"
                             "                    between layers\n"
                             "  colour            red|green|blue, default green\n"
                             "                    of all layers\n"
                             "  maker             text, default ''\n"
                             "                    who made it\n");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_every_type),  cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(unknown_keys_are_refused), cmocka_unit_test(one_member),
        cmocka_unit_test(canonical_text),           cmocka_unit_test(help_shows_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
