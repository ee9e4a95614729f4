/* Published numbers, and ours beside them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/against.h"
#include "reports/report.h"

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e);

const struct report report_against = {
    .name = "against",
    .summary = "published numbers of a paper, ours beside them, and what the difference is worth",
    .help =
        "PAPER is one of kvlab import --published. Ours are the runs of a model of the same name: "
        "of its full cache ours, else settings of the same name. THEIRS=OURS says which setting "
        "or model of ours answers to one of the paper: \"KIVI-2=kvo 2 bit\".",
    .args = {"PAPER", "THEIRS=OURS", "THEIRS=OURS", "THEIRS=OURS"},
    .min_args = 1,
    .build = build,
};

/* Beyond it two numbers differ at the level of 5 %. */
static const double far_apart = 1.96;

static bool is_stated(const struct against_row *r)
{
    return !r->computed && !isnan(r->theirs.score);
}

/* ---- what people see ---- */

/* What nobody knows of any row has no column. */
struct known {
    bool error, n, missing;
};

static struct known known_of(const struct against_pair *p)
{
    struct known k = {false, false, false};
    for (int i = 0; i < p->n_rows; i++) {
        const struct against_row *r = &p->row[i];
        k.error = k.error || !isnan(r->theirs.error);
        k.n = k.n || r->theirs.n > 0;
        k.missing = k.missing || r->ours.missing > 0;
    }
    return k;
}

static struct grid *pair_grid(struct doc *d, struct known k)
{
    struct grid *g = doc_grid(d, DOC_SHOWN, "against", NULL);
    grid_column(g, "", "task", GRID_LEFT);
    grid_column(g, "published", "score", GRID_RIGHT);
    if (k.error)
        grid_column(g, "published", "\302\261", GRID_RIGHT);
    if (k.n)
        grid_column(g, "published", "n", GRID_RIGHT);
    grid_column(g, "ours", "score", GRID_RIGHT);
    grid_column(g, "ours", "\302\261", GRID_RIGHT);
    grid_column(g, "ours", "n", GRID_RIGHT);
    if (k.missing)
        grid_column(g, "ours", "missing", GRID_RIGHT);
    grid_column(g, "difference", "points", GRID_RIGHT);
    grid_column(g, "difference", "in our SE", GRID_RIGHT);
    if (k.error)
        grid_column(g, "difference", "in SE of both", GRID_RIGHT);
    return g;
}

static void add_count(struct grid *g, int64_t n)
{
    if (n > 0)
        grid_value(g, (double)n, "%lld", (long long)n);
    else
        grid_number(g, NAN, 0);
}

static void add_signed(struct grid *g, double x, int decimals)
{
    bool none = fabs(x) < 0.5 * pow(10, -decimals); // as printed: not -0.0
    if (isnan(x))
        grid_number(g, x, decimals);
    else
        grid_value(g, x, none ? "%.*f" : "%+.*f", decimals, none ? 0 : x);
}

static void add_row(struct grid *g, const struct against_row *r, struct known k)
{
    struct against_difference x = against_difference(r);
    double units = isnan(x.in_both) ? x.in_ours : x.in_both;
    grid_printf(g, "%s%s", r->task, r->computed ? " *" : "");
    grid_number(g, r->theirs.score, 2);
    if (k.error)
        grid_number(g, r->theirs.error, 2);
    if (k.n)
        add_count(g, r->theirs.n);
    grid_number(g, r->ours.score, 2);
    grid_number(g, r->ours.error, 2);
    add_count(g, r->ours.n);
    if (k.missing)
        add_count(g, r->ours.missing);
    add_signed(g, x.points, 2);
    if (fabs(units) > far_apart)
        grid_mark(g, GRID_DAGGER);
    add_signed(g, x.in_ours, 1);
    if (k.error)
        add_signed(g, x.in_both, 1);
}

static bool is_shown(const struct against_row *r)
{
    return !isnan(r->theirs.score);
}

static void put_pair(struct doc *d, const struct against_pair *p)
{
    doc_heading(d, "%s: %s, %s", p->model, p->setting, p->protocol);
    if (p->n_rows)
        doc_fact(d, "published", "%s", p->row[0].source);
    doc_fact(d, "ours", "run %lld (%s): %s, %s, %s", (long long)p->ours.run, p->ours.origin,
             p->ours.model, p->ours.setting, p->ours.protocol);
    struct known k = known_of(p);
    struct grid *g = pair_grid(d, k);
    bool averages = false;
    for (int i = 0; i < p->n_rows; i++) {
        if (!is_shown(&p->row[i]))
            continue;
        if (against_is_average(&p->row[i]) && !averages && i)
            grid_rule(g);
        averages = averages || against_is_average(&p->row[i]);
        add_row(g, &p->row[i], k);
    }
}

static int stated(const struct against_pair *p)
{
    int n = 0;
    for (int i = 0; i < p->n_rows; i++)
        n += is_stated(&p->row[i]);
    return n;
}

/* Tasks that the paper has and we have not, of a pair with ours. */
static void put_missing(struct doc *d, const struct against_pair *p)
{
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < p->n_rows; i++)
        if (is_stated(&p->row[i]) && !against_is_average(&p->row[i]) && isnan(p->row[i].ours.score))
            buf_printf(&b, "%s%s", b.n ? ", " : "", p->row[i].task);
    if (b.n)
        doc_note(d, "%s, %s: run %lld has no score of %s.", p->model, p->setting,
                 (long long)p->ours.run, b.s);
    buf_release(&b);
}

static void put_absent(struct doc *d, const struct against *a)
{
    for (int i = 0; i < a->n_pairs; i++) {
        const struct against_pair *p = &a->pair[i];
        if (p->ours.run)
            put_missing(d, p);
        else
            doc_note(d, "%s, %s (%s): none of our runs answers to it (%d published numbers).",
                     p->model, p->setting, p->protocol, stated(p));
    }
}

static bool has_any(const struct against *a, bool (*is)(const struct against_row *))
{
    for (int i = 0; i < a->n_pairs; i++)
        for (int k = 0; a->pair[i].ours.run && k < a->pair[i].n_rows; k++)
            if (is(&a->pair[i].row[k]))
                return true;
    return false;
}

static bool is_computed(const struct against_row *r)
{
    return r->computed;
}

static void put_notes(struct doc *d, const struct against *a)
{
    if (has_any(a, is_computed))
        doc_note(d, "* not stated by the paper: computed for both from the tasks.");
    if (has_any(a, is_shown)) {
        doc_note(d, "\342\200\240 further from 0 than 1.96 standard errors: of both where the "
                    "published one is known, else of ours.");
        doc_note(d, "\302\261 is the standard error by the chance of items, tasks being fixed. "
                    "Published numbers have no items, so nothing is paired: in units of ours alone "
                    "the published number is taken as exact, in units of both the items as other "
                    "ones. Answers to the same items make the true error of the difference "
                    "smaller than that of both.");
        doc_note(d, "Protocols, number formats and decoding of others are theirs, under the name "
                    "in the heading; a difference need not come from the cache.");
    }
    put_absent(d, a);
}

/* ---- what programs read ---- */

static void data_columns(struct grid *g)
{
    static const struct {
        const char *head;
        bool number;
    } columns[] = {{"paper", false},
                   {"model", false},
                   {"protocol", false},
                   {"setting", false},
                   {"task", false},
                   {"computed", true},
                   {"published", true},
                   {"published_stderr", true},
                   {"published_n", true},
                   {"source", false},
                   {"run", true},
                   {"our_model", false},
                   {"our_setting", false},
                   {"our_protocol", false},
                   {"score", true},
                   {"stderr", true},
                   {"n", true},
                   {"missing", true},
                   {"difference", true},
                   {"in_our_stderr", true},
                   {"in_both_stderr", true}};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        grid_column(g, "", columns[i].head, columns[i].number ? GRID_RIGHT : GRID_LEFT);
}

static void add_word(struct grid *g, const char *word)
{
    if (word)
        grid_cell(g, text_of(word));
    else
        grid_blank(g);
}

static void add_data(struct grid *g, const struct against *a, const struct against_pair *p,
                     const struct against_row *r)
{
    struct against_difference x = against_difference(r);
    const char *const words[] = {a->paper, p->model, p->protocol, p->setting, r->task};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add_word(g, words[i]);
    grid_number(g, r->computed, 0);
    grid_number(g, r->theirs.score, 2);
    grid_number(g, r->theirs.error, 2);
    add_count(g, r->theirs.n);
    add_word(g, r->source);
    add_count(g, p->ours.run);
    add_word(g, p->ours.model);
    add_word(g, p->ours.setting);
    add_word(g, p->ours.protocol);
    grid_number(g, r->ours.score, 2);
    grid_number(g, r->ours.error, 2);
    add_count(g, r->ours.n);
    grid_number(g, r->ours.n ? (double)r->ours.missing : NAN, 0);
    grid_number(g, x.points, 2);
    grid_number(g, x.in_ours, 1);
    grid_number(g, x.in_both, 1);
}

static void put_data(struct doc *d, const struct against *a)
{
    struct grid *g = doc_grid(d, DOC_DATA, "numbers", NULL);
    data_columns(g);
    for (int i = 0; i < a->n_pairs; i++)
        for (int k = 0; k < a->pair[i].n_rows; k++)
            if (is_shown(&a->pair[i].row[k]))
                add_data(g, a, &a->pair[i], &a->pair[i].row[k]);
    doc_main(d, g);
}

static int build(struct store *s, const struct report_request *r, struct doc *d, struct err *e)
{
    struct against a;
    if (against_load(&a, s, r->arg[0], &r->arg[1], r->n_args - 1, e))
        return -1;
    doc_title(d, "%s: published numbers and ours", a.paper);
    doc_field(d, "paper", a.paper);
    for (int i = 0; i < a.n_pairs; i++)
        if (a.pair[i].ours.run)
            put_pair(d, &a.pair[i]);
    put_notes(d, &a);
    put_data(d, &a);
    against_release(&a);
    return 0;
}
