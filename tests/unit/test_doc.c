/* Documents in every format: what each makes of the same one, and of names that attack it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "reports/format.h"
#include "reports/html.h"
#include "tests/unit/scratch.h"

static struct err e;
static const struct format_look plain = {.width = 100};

/* Shown and data at once; groups, marks, a rule, a gap, a repeated name. */
static void add_scores(struct doc *d)
{
    struct grid *g = doc_grid(d, DOC_BOTH, "scores", "Scores");
    grid_column(g, "", "setting", GRID_LEFT);
    grid_column(g, "code", "lcc", GRID_RIGHT);
    grid_column(g, "code", "n", GRID_RIGHT);
    grid_column(g, "few-shot", "mini_trec", GRID_RIGHT);
    grid_short(g, "few-shot", "trec");
    grid_column(g, "few-shot", "n", GRID_RIGHT);
    grid_column(g, "", "change", GRID_RIGHT);
    grid_unit(g, "points");
    const struct {
        const char *name;
        double lcc, trec, change;
        unsigned marks;
        bool repeated;
    } row[] = {{"full", 58.649, 1.0 / 3, NAN, 0, false},
               {"kvo", 57.2, 64.5, -1.449, GRID_BOLD | GRID_DAGGER, false},
               {"kvo", 7.25, NAN, -0.04, GRID_STAR, true}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (i == 1)
            grid_rule(g);
        grid_cell(g, text_of(row[i].name));
        if (row[i].repeated)
            grid_repeated(g);
        grid_number(g, row[i].lcc, 1);
        grid_mark(g, row[i].marks);
        grid_number(g, 200, 0);
        grid_number(g, row[i].trec, 1);
        grid_value(g, 100, "%d of 200", 100);
        if (i)
            grid_number(g, row[i].change, 1);
        else
            grid_blank(g);
    }
}

static struct doc *sample_doc(void)
{
    struct doc *d = doc_new("sample");
    doc_title(d, "A sample of %d rows", 3);
    doc_field(d, "experiment", "ours");
    doc_heading(d, "ours: mini");
    doc_fact(d, "commit", "%s", "abc");
    doc_fact(d, "threads", "%d", 2);
    add_scores(d);
    doc_note(d, "* of fewer items.");
    doc_note(d, "† the interval excludes 0.");
    doc_quote(d, "answer", text_of("one\ntwo"));
    struct grid *g = doc_grid(d, DOC_DATA, "tidy", NULL);
    grid_column(g, "", "a", GRID_RIGHT);
    grid_number(g, 0.1, 1);
    doc_end(d);
    return d;
}

static char *written_dup(const struct doc *d, const char *format, const struct format_look *look)
{
    struct buf b;
    const struct format *f = format_find(format, &e);
    buf_init(&b);
    assert_non_null(f);
    if (f->put(d, look, &b, &e))
        fail_msg("%s: %s", format, e.msg);
    return b.s;
}

static void is(const char *format, const struct format_look *look, const char *want)
{
    struct doc *d = sample_doc();
    char *got = written_dup(d, format, look);
    assert_string_equal(got, want);
    free(got);
    doc_free(d);
}

static void text_is_aligned(void **state)
{
    (void)state;
    is("text", &plain,
       "ours: mini\n\n"
       "commit   abc\nthreads  2\n\n"
       "Scores\n\n"
       "         code         few-shot\n"
       "setting     lcc    n  trec           n  change\n"
       "-------  ------  ---  ----  ----------  ------\n"
       "full     58.6    200   0.3  100 of 200\n"
       "-------  ------  ---  ----  ----------  ------\n"
       "kvo      57.2†   200  64.5  100 of 200    -1.4\n"
       "          7.2 *  200     -  100 of 200     0.0\n\n"
       "* of fewer items.\n† the interval excludes 0.\n\n"
       "answer\n    one\n    two\n");
}

static void markdown_is_a_pipe_table(void **state)
{
    (void)state;
    is("markdown", &plain,
       "### ours: mini\n\n"
       "- **commit**: abc\n- **threads**: 2\n\n"
       "#### Scores\n\n"
       "| setting | code<br>lcc | code<br>n | few-shot<br>mini\\_trec | few-shot<br>n | change |\n"
       "| :-- | --: | --: | --: | --: | --: |\n"
       "| full | 58.6 | 200 | 0.3 | 100 of 200 | |\n"
       "| kvo | **57.2**† | 200 | 64.5 | 100 of 200 | -1.4 |\n"
       "| kvo | 7.2\\* | 200 | - | 100 of 200 | 0.0 |\n\n"
       "- \\* of fewer items.\n- † the interval excludes 0.\n\n"
       "**answer**\n\n> one\\\n> two\n");
}

static void csv_is_the_main_grid_with_all_digits(void **state)
{
    (void)state;
    is("csv", &plain,
       "setting,lcc,code n,mini_trec,few-shot n,change\n"
       "full,58.649,200,0.3333333333333333,100,\n"
       "kvo,57.2,200,64.5,100,-1.449\n"
       "kvo,7.25,200,,100,-0.04\n");
    is("csv", &(struct format_look){.grid = "tidy"}, "a\n0.1\n");
    struct doc *d = sample_doc();
    struct buf b;
    buf_init(&b);
    assert_int_equal(format_find("csv", &e)->put(d, &(struct format_look){.grid = "score"}, &b, &e),
                     -1);
    assert_string_equal(
        e.msg, "report sample has no grid 'score', did you mean 'scores'?; it has: scores, tidy");
    buf_release(&b);
    doc_free(d);
}

static void json_has_every_grid(void **state)
{
    (void)state;
    is("json", &plain,
       "{\"report\": \"sample\",\n \"title\": \"A sample of 3 rows\",\n \"experiment\": \"ours\",\n"
       " \"grids\": {\n  \"scores\": [\n"
       "   {\"setting\": \"full\", \"lcc\": 58.649, \"code n\": 200, \"mini_trec\": "
       "0.3333333333333333, \"few-shot n\": 100, \"change\": null},\n"
       "   {\"setting\": \"kvo\", \"lcc\": 57.2, \"code n\": 200, \"mini_trec\": 64.5, "
       "\"few-shot n\": 100, \"change\": -1.449},\n"
       "   {\"setting\": \"kvo\", \"lcc\": 7.25, \"code n\": 200, \"mini_trec\": null, "
       "\"few-shot n\": 100, \"change\": -0.04}],\n"
       "  \"tidy\": [\n   {\"a\": 0.1}]},\n"
       " \"units\": {\n  \"scores\": {\"change\": \"points\"}},\n"
       " \"facts\": [\n  {\"name\": \"commit\", \"value\": \"abc\"},\n"
       "  {\"name\": \"threads\", \"value\": \"2\"}],\n"
       " \"text\": [],\n \"quotes\": [\n  {\"label\": \"answer\", \"words\": \"one\\ntwo\"}],\n"
       " \"notes\": [\n  \"* of fewer items.\",\n  \"† the interval excludes 0.\"]}\n");
}

static void latex_is_a_table_of_booktabs(void **state)
{
    (void)state;
    is("latex", &plain,
       "% kvlab report sample; in the preamble: \\usepackage{booktabs}\n\n"
       "\\subsection*{ours: mini}\n\n"
       "\\begin{description}\n\\item[{commit}] abc\n\\item[{threads}] 2\n\\end{description}\n\n"
       "\\begin{table}\n\\centering\\small\n\\caption{Scores}\n\\label{tab:scores}\n"
       "\\setlength{\\tabcolsep}{5pt}\n\\begin{tabular}{lrrrrr}\n\\toprule\n"
       " & \\multicolumn{2}{c}{code} & \\multicolumn{2}{c}{few-shot} &  \\\\\n"
       "\\cmidrule(lr){2-3}\\cmidrule(lr){4-5}\n"
       "setting & lcc & n & trec & n & change \\\\\n\\midrule\n"
       "full & 58.6 & 200 & 0.3 & 100 of 200 &  \\\\\n\\midrule\n"
       "kvo & \\textbf{57.2}$^{\\dagger}$ & 200 & 64.5 & 100 of 200 & $-$1.4 \\\\\n"
       " & 7.2$^{*}$ & 200 & - & 100 of 200 & 0.0 \\\\\n"
       "\\bottomrule\n\\end{tabular}\n\n"
       "\\smallskip\n{\\footnotesize\\raggedright $^{*}$ of fewer items.\\par}\n\n"
       "\\smallskip\n{\\footnotesize\\raggedright $^{\\dagger}$ the interval excludes 0.\\par}\n"
       "\\end{table}\n\n"
       "\\paragraph{answer}\n\\begin{quote}\n\\mbox{}one\\par\ntwo\\par\n\\end{quote}\n");
}

static void html_is_a_table_with_heads_and_values(void **state)
{
    (void)state;
    struct doc *d = sample_doc();
    char *got = written_dup(d, "html", &plain);
    static const char heads[] =
        "<figure id=\"scores\">\n<table>\n<caption>Scores</caption>\n<thead>\n"
        "<tr><th scope=\"col\" rowspan=\"2\">setting</th>"
        "<th scope=\"colgroup\" colspan=\"2\">code</th>";
    static const char *const want[] = {
        "<!DOCTYPE html>\n",
        "<title>A sample of 3 rows</title>",
        "prefers-color-scheme:dark",
        "<h1>A sample of 3 rows</h1>\n<h2>ours: mini</h2>\n<dl>\n<dt>commit</dt>\n<dd>abc</dd>\n",
        heads,
        "<th scope=\"row\">full</th><td class=\"n\" data-value=\"58.649\">58.6</td>",
        "<td class=\"n\" data-value=\"57.2\"><strong>57.2</strong><sup>†</sup></td>",
        "<tr class=\"rule\">",
        "<ul class=\"notes\">\n<li>* of fewer items.</li>\n",
        "<blockquote>one\ntwo</blockquote>\n",
        "</main>\n</body>\n</html>\n"};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        if (!strstr(got, want[i]))
            fail_msg("HTML has no %s:\n%s", want[i], got);
    assert_null(strstr(got, "tidy")); // data are not for people
    free(got);
    doc_free(d);
}

/* ---- names that attack ---- */

static const char *const hostile[] = {"<script>alert(1)</script>",
                                      "</table></style><!--",
                                      "\\input{secret} $x^2_3$ #1 & 50%",
                                      "a|b `code` **bold** [link](http://x)",
                                      "=1+1,\"quoted\"\r\nline",
                                      "\033[31mred\033[0m \a",
                                      "\xff\xfe not UTF-8 \xc3",
                                      "汉字 wide \xe2\x80\xae turned \xef\xbf\xbe",
                                      "- # > 1. ~~~ ---",
                                      "' or ''quotes'' `id`",
                                      ""};

static struct doc *hostile_doc(const char *s)
{
    struct doc *d = doc_new("sample");
    doc_title(d, "%s", s);
    doc_field(d, "experiment", s);
    doc_heading(d, "%s", s);
    doc_para(d, "%s", s);
    doc_fact(d, s, "%s", s);
    doc_quote(d, s, text_of(s));
    struct grid *g = doc_grid(d, DOC_BOTH, "scores", s);
    grid_column(g, s, s, GRID_LEFT);
    grid_column(g, s, s, GRID_RIGHT);
    grid_column(g, "", s, GRID_RIGHT);
    for (int i = 0; i < 6; i++)
        grid_cell(g, text_of(s));
    doc_note(d, "%s", s);
    doc_end(d);
    return d;
}

static void json_is_valid_whatever_the_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct doc *d = hostile_doc(hostile[i]);
        char *got = written_dup(d, "json", &plain);
        struct json *j = json_read(text_of(got), &e); // refuses doubled keys, too
        if (!j)
            fail_msg("%s: %s\n%s", hostile[i], e.msg, got);
        json_free(j);
        free(got);
        doc_free(d);
    }
}

static void nothing_is_obeyed(void **state)
{
    (void)state;
    static const struct {
        const char *format, *never;
    } bad[] = {{"html", "<script"},     {"html", "<!--"},        {"html", "\xef\xbf\xbe"},
               {"text", "\033"},        {"text", "\a"},          {"markdown", "\033"},
               {"markdown", " **bold"}, {"markdown", "<script"}, {"latex", "\\input"},
               {"latex", " #1"},        {"latex", " & 50"},      {"text", "\xe2\x80\xae"},
               {"html", "\xe2\x80\xae"}};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            struct doc *d = hostile_doc(hostile[i]);
            char *got = written_dup(d, bad[k].format, &plain);
            if (strstr(got, bad[k].never))
                fail_msg("%s has %s:\n%s", bad[k].format, bad[k].never, got);
            free(got);
            doc_free(d);
        }
}

static void grids_of_one_name_get_numbers(void **state)
{
    (void)state;
    struct doc *d = doc_new("sample");
    for (int i = 0; i < 2; i++) {
        struct grid *g = doc_grid(d, DOC_BOTH, "scores", NULL);
        grid_column(g, "", "a", GRID_LEFT);
        grid_column(g, "", "a", GRID_LEFT);
        grid_number(g, i, 0);
        grid_number(g, 5, 0);
    }
    doc_end(d);
    char *got = written_dup(d, "csv", &(struct format_look){.grid = "scores_2"});
    assert_string_equal(got, "a,a 2\n1,5\n");
    free(got);
    doc_free(d);
}

static void endings_tell_formats(void **state)
{
    (void)state;
    static const struct {
        const char *path, *format;
    } known[] = {{"a.md", "markdown"}, {"b/c.TEX", "latex"}, {"x.html", "html"},
                 {"x.y.json", "json"}, {"x.csv", "csv"},     {"x.txt", "text"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_string_equal(format_of_path(known[i].path)->name, known[i].format);
    assert_null(format_of_path("a.md/table"));
    assert_null(format_of_path("x.pdf"));
    assert_null(format_find("markdwn", &e));
    assert_non_null(strstr(e.msg, "did you mean 'markdown'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_aligned),
        cmocka_unit_test(markdown_is_a_pipe_table),
        cmocka_unit_test(csv_is_the_main_grid_with_all_digits),
        cmocka_unit_test(json_has_every_grid),
        cmocka_unit_test(latex_is_a_table_of_booktabs),
        cmocka_unit_test(html_is_a_table_with_heads_and_values),
        cmocka_unit_test(json_is_valid_whatever_the_names),
        cmocka_unit_test(nothing_is_obeyed),
        cmocka_unit_test(grids_of_one_name_get_numbers),
        cmocka_unit_test(endings_tell_formats),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
