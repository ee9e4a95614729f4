/* Plots: where names stand, what the files hold, that a picture is the same each time, and what
 * happens where gnuplot is not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "reports/plot_int.h"
#include "tests/unit/scratch.h"

static struct err e;

static struct plot *sample_plot(const char *name)
{
    struct plot *p = plot_new("sample", "Title's `id`");
    plot_x(p, "KV bytes, %", PLOT_LOG);
    plot_y(p, "score", PLOT_LINEAR);
    plot_reference(p, "full cache", 50, 49.5, 50.5);
    for (int i = 0; i < 12; i++) {
        plot_series(p, i ? "kvo 4 bit" : name,
                    i % 3 == 0   ? PLOT_BARS
                    : i % 3 == 1 ? PLOT_BAND
                                 : PLOT_SCATTER);
        for (int k = 3; k >= 0; k--)
            plot_point(p, 10 << k, 40 + k + 0.01 * i, 39 + k, k == 2 ? NAN : 41 + k);
    }
    plot_point(p, 0, 40, NAN, NAN); // a logarithm has no place for it
    return p;
}

static void names_never_overlap(void **state)
{
    (void)state;
    struct plot *p = sample_plot("a name of many words, so long that it takes more than one line "
                                 "and even more than the three that there are");
    struct plot_layout l;
    plot_layout_make(p, &l);
    assert_int_equal(l.n_names, 13);
    for (int i = 0; i < l.n_names; i++) {
        const struct plot_name *n = &l.name[i];
        double half = n->lines * l.line_height / 2, below = i ? l.name[i - 1].y : 0;
        double below_half = i ? l.name[i - 1].lines * l.line_height / 2 : 0;
        assert_true(n->y - half >= below + below_half - 1e-9);
        assert_true(n->y + half <= 1 + 1e-9);
    }
    plot_layout_release(&l);
    plot_free(p);
}

/* Two far apart stay where their points are. */
static void names_stand_beside_their_points(void **state)
{
    (void)state;
    struct plot *p = plot_new("two", "");
    struct plot_layout l;
    for (int i = 0; i < 2; i++) {
        plot_series(p, "s", PLOT_BARS);
        plot_point(p, 1, 10 * i, NAN, NAN);
    }
    plot_layout_make(p, &l);
    assert_int_equal(l.name[0].line_of, 0);
    assert_true(fabs(l.name[0].y - 0.6 / 11.2) < 1e-9);
    assert_true(fabs(l.name[1].y - 10.6 / 11.2) < 1e-9);
    plot_layout_release(&l);
    plot_free(p);
}

static void lines_of_a_name_have_no_blanks_at_their_ends(void **state)
{
    (void)state;
    struct plot *p = plot_new("long", "");
    struct plot_layout l;
    plot_series(p, "thirty bytes of a name, and so on and on until it ends", PLOT_BARS);
    plot_point(p, 1, 1, NAN, NAN);
    plot_series(p, "thirty bytes without any mark, then more", PLOT_BARS);
    plot_point(p, 1, 9, NAN, NAN);
    plot_layout_make(p, &l);
    for (int i = 0; i < l.n_names; i++) {
        assert_true(l.name[i].lines > 1);
        for (int k = 0; k < l.name[i].lines; k++) {
            const struct text t = l.name[i].line[k];
            assert_true(t.n && t.s[0] != ' ' && t.s[t.n - 1] != ' ');
        }
    }
    plot_layout_release(&l);
    plot_free(p);
}

static void data_are_sorted_with_all_digits(void **state)
{
    (void)state;
    struct plot *p = plot_new("few", "");
    struct buf b;
    buf_init(&b);
    plot_series(p, "a\nb", PLOT_BARS);
    plot_point(p, 2, 1.0 / 3, 0.25, 0.5);
    plot_point(p, 1, 0.1, NAN, NAN);
    plot_series(p, "none", PLOT_BARS);
    plot_put_data(p, &b);
    assert_string_equal(b.s, "# x y low high; series by two empty lines apart\n# a\\nb\n"
                             "1 0.1 NaN NaN\n2 0.3333333333333333 0.25 0.5\n\n\n# none\n"
                             "NaN NaN NaN NaN\n");
    buf_release(&b);
    plot_free(p);
}

static void names_are_quoted(void **state)
{
    (void)state;
    struct plot *p = sample_plot("it's `id` \n\" @x \xff 汉");
    struct buf b;
    buf_init(&b);
    plot_put_script(p, PLOT_SVG, &b);
    assert_non_null(strstr(b.s, "set title 'Title''s `id`'\n"));
    assert_non_null(strstr(b.s, "set label 'it''s `id` \\n\" @x \\xff \\u6c49'"));
    buf_release(&b);
    plot_free(p);
}

/* ---- pictures ---- */

static bool has_gnuplot(void)
{
    return !system("command -v gnuplot >/dev/null 2>&1");
}

static struct text read_picture(const char *dir, const char *ending)
{
    char path[64];
    struct text t;
    snprintf(path, sizeof path, "%s/sample%s", dir, ending);
    if (file_read(path, &t, &e))
        fail_msg("%s", e.msg);
    return t;
}

static void remove_folder(const char *dir)
{
    static const char *const endings[] = {".dat", ".gp", ".svg", ".pdf", ".png"};
    char path[64];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/sample%s", dir, endings[i]);
        remove(path);
    }
    assert_int_equal(rmdir(dir), 0); // nothing else is left there
}

static void pictures_are_the_same_each_time(void **state)
{
    (void)state;
    static const char *const endings[] = {".dat", ".gp", ".svg", ".pdf", ".png"};
    if (!has_gnuplot())
        skip();
    struct plot *p = sample_plot("kvo");
    if (plot_write(p, "a", &e))
        fail_msg("%s", e.msg);
    sleep(1); // a clock would show
    if (plot_write(p, "b", &e))
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct text a = read_picture("a", endings[i]), b = read_picture("b", endings[i]);
        if (!a.n || !text_eq(a, b))
            fail_msg("%s differs", endings[i]);
        free((void *)a.s);
        free((void *)b.s);
    }
    remove_folder("a");
    remove_folder("b");
    plot_free(p);
}

static void a_page_gets_an_svg_element(void **state)
{
    (void)state;
    if (!has_gnuplot())
        skip();
    struct plot *p = sample_plot("<script>");
    struct buf b;
    buf_init(&b);
    if (plot_put_svg(p, &b, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(strncmp(b.s, "<svg", 4), 0);
    assert_non_null(strstr(b.s, "</svg>"));
    assert_null(strstr(b.s, "<script>"));
    buf_release(&b);
    plot_free(p);
}

static void without_gnuplot_its_package_is_named(void **state)
{
    (void)state;
    struct plot *p = sample_plot("kvo");
    char *path = strdup(getenv("PATH"));
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
    assert_int_equal(plot_write(p, "c", &e), -1);
    assert_int_equal(e.class, ERR_ITEM);
    assert_non_null(strstr(e.msg, "gnuplot-nox"));
    assert_int_equal(setenv("PATH", path, 1), 0);
    free(path);
    assert_true(file_exists("c/sample.dat"));
    assert_true(file_exists("c/sample.gp"));
    remove_folder("c");
    assert_int_equal(plot_write(p, "no/such/folder", &e), -1);
    assert_int_equal(e.class, ERR_USER);
    plot_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_never_overlap),
        cmocka_unit_test(names_stand_beside_their_points),
        cmocka_unit_test(lines_of_a_name_have_no_blanks_at_their_ends),
        cmocka_unit_test(data_are_sorted_with_all_digits),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(pictures_are_the_same_each_time),
        cmocka_unit_test(a_page_gets_an_svg_element),
        cmocka_unit_test(without_gnuplot_its_package_is_named),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
