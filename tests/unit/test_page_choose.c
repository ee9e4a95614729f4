/* Which items a page shows, and in what order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "reports/page_int.h"
#include "tests/unit/made_scores.h"

enum { FULL, KVO, N_ITEMS = 6 };

/* Item 0 lost 60, 1 failed, 2 gained, 3 is one that the full cache has no score for, 4 has none
 * itself, 5 was not worked on. */
static struct scores_table made(void)
{
    static const double full[N_ITEMS] = {90, 50, 20, NAN, 50, 50}, kvo[] = {30, NAN, 40, 0, NAN};
    struct scores_table t = made_table("a", 2, N_ITEMS);
    for (int i = 0; i < N_ITEMS; i++)
        made_put(&t, FULL, 0, i, full[i]);
    for (int i = 0; i < N_ITEMS - 1; i++)
        made_put(&t, KVO, 0, i, kvo[i]);
    t.row[KVO].cell[0].item[1].state = SCORES_FAILED;
    t.row[FULL].cell[0].item[3].state = SCORES_FAILED;
    return t;
}

/* Places of the shown items of a row, as digits. */
static void assert_shown(int items, int row, const char *wanted, int of)
{
    struct scores_table t = made();
    struct comparison c = {.options.baseline = FULL};
    const struct report_request r = {.items = items};
    struct page p = {.request = &r, .scores = {.table = &t, .n_tables = 1}, .comparison = &c};
    char got[2 * N_ITEMS + 1] = "";
    int n = 0;
    page_choose_items(&p);
    for (int i = 0; i < p.n_items; i++)
        if (p.item[i].row == row)
            got[n++] = (char)('0' + p.item[i].place);
    assert_string_equal(got, wanted);
    assert_int_equal(p.of_items, of);
    free(p.item);
    made_release(&t);
}

static void test_order(void **state)
{
    (void)state;
    assert_shown(-1, KVO, "14023", 11);   // failed, no score, lost, gained, nothing to compare with
    assert_shown(-1, FULL, "321450", 11); // failed, then its own scores
}

static void test_limit(void **state)
{
    (void)state;
    assert_shown(2, KVO, "1", 11); // the first of each cell
    assert_shown(2, FULL, "3", 11);
    assert_shown(3, KVO, "14", 11); // then who needs it most: no score
    assert_shown(0, KVO, "", 11);
    assert_shown(1000, KVO, "14023", 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
