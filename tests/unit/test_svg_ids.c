/* Ids of pictures in one page. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "reports/svg_ids.h"

static void assert_becomes(const char *svg, const char *wanted)
{
    struct buf b;
    buf_init(&b);
    svg_put_ids(text_of(svg), "p2-", &b);
    assert_string_equal(b.s, wanted);
    buf_release(&b);
}

static void test_ids(void **state)
{
    (void)state;
    assert_becomes("<path id='gpPt0' d='M1'/>", "<path id='p2-gpPt0' d='M1'/>");
    assert_becomes("<g id=\"plot_1\"\n\tid=\"x\">", "<g id=\"p2-plot_1\"\n\tid=\"p2-x\">");
}

static void test_references(void **state)
{
    (void)state;
    assert_becomes("<use href='#gpPt0'/><use xlink:href=\"#gpDot\"/>",
                   "<use href='#p2-gpPt0'/><use xlink:href=\"#p2-gpDot\"/>");
    assert_becomes("<g clip-path=\"url(#c1)\" style=\"fill:url('#f')\">",
                   "<g clip-path=\"url(#p2-c1)\" style=\"fill:url('#p2-f')\">");
    assert_becomes("<a href='http://x/#y'>", "<a href='http://x/#y'>");
}

static void test_else_unchanged(void **state)
{
    (void)state;
    assert_becomes("<text>an id='gpPt0' and url(#c1)</text>",
                   "<text>an id='gpPt0' and url(#c1)</text>");
    assert_becomes("<g data-id='x' grid='y'>", "<g data-id='x' grid='y'>");
    assert_becomes("", "");
    assert_becomes("<cut id='", "<cut id='p2-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_else_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
