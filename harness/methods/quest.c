/*
 * Quest (Tang et al., ICML 2024; mit-han-lab/Quest): a step reads the pages of `page` consecutive
 * tokens that its query may like best, and all rows stay. Of each page the smallest and the largest
 * key are kept channel by channel; what a query can get of the page at most is
 *     sum over channels of max(q * smallest, q * largest),
 * with positions turned in. Each query head chooses for itself, among pages of its KV head's rows.
 *
 * Variants by `rule`, which in the authors' repository are two pieces of code:
 *   accuracy (evaluation/quest_attention.py): of ceil(n / page) pages as many as
 *            min(n, token_budget) / page, at least 3. The last page has to be chosen like others,
 *            so that the newest tokens, and its own, may be out of a query's sight; and a context
 *            that fits into the budget, but ends within a page, goes without one page (kept).
 *   kernel   (quest/utils/controller.py): token_budget / page pages, of which one is the last page,
 *            always read. At least 3 here, too; theirs has no such bound.
 * On a tie the first page is chosen. Layers 0 and 1 read all, as theirs do; the page of 16 is
 * theirs, a default of the budget they have not.
 *
 * Works over any codec: a page's keys are looked at as the cache holds them when a row of it comes
 * or is moved, as floats; keys that are packed only later may lie a little outside. What is kept of
 * a page is f16 and counts as index: of a KV head it is read once a step and written for the newest
 * page and for those whose rows moved. A look at a page's own rows is not counted.
 */
#include <stddef.h>
#include <string.h>

#include "harness/kv/method.h"
#include "harness/kv/rows.h"

enum { LEAST_PAGES = 3, PIECE = 16 }; // rows that are looked at together

enum { RULE_ACCURACY, RULE_KERNEL };
static const char *const rules[] = {"accuracy", "kernel", NULL};

struct quest_options {
    int token_budget, page, rule, first_layer;
};

#define AT(field) offsetof(struct quest_options, field)
static const struct opt options[] = {
    {"token_budget", OPT_INT, AT(token_budget), 1, 1e9, 1024, NULL, NULL, NULL,
     "tokens that a step reads, in whole pages, at least 3 of them; the authors run 512 to 4096"},
    {"page", OPT_INT, AT(page), 1, 512, 16, NULL, NULL, "chunk_size", "tokens of a page"},
    {"rule", OPT_CHOICE, AT(rule), 0, 0, RULE_ACCURACY, rules, NULL, NULL,
     "accuracy: the last page is chosen like the others; kernel: it is always one of those read"},
    {"first_layer", OPT_INT, AT(first_layer), 0, 1000, 2, NULL, NULL, NULL,
     "layers before it read all tokens"},
    {0}};

static int check(const void *opt, const struct kv_shape *shape, struct err *e)
{
    const struct quest_options *o = opt;
    if (o->first_layer > 0 && o->first_layer >= shape->n_layers)
        return err_user(e,
                        "first_layer %d leaves no layer that chooses, the model has %d: at most %d",
                        o->first_layer, shape->n_layers, shape->n_layers - 1);
    return 0;
}

/* ---- what is kept of pages ---- */

/* Of one KV head; two may choose at the same time. Behind all heads' lie the pages' ends:
 * [n_kv_heads][pages of cap][2][head_dim] f16, the largest, then the smallest of each channel. */
struct quest_state {
    int pages, looked_at;   // of the rows that are there; has a step looked at any?
    uint64_t read, written; // pages, in steps
};

static int pages_of(const void *opt, int rows)
{
    int page = ((const struct quest_options *)opt)->page;
    return (rows + page - 1) / page;
}

static size_t page_size(const struct kv_shape *shape) // numbers
{
    return 2 * (size_t)shape->head_dim;
}

static size_t state_size(const void *opt, const struct kv_shape *shape, int cap)
{
    size_t pages = mem_size((size_t)pages_of(opt, cap), page_size(shape) * sizeof(uint16_t));
    return mem_size((size_t)shape->n_kv_heads, sizeof(struct quest_state) + pages);
}

static uint16_t *ends_of(const struct kv_part *p, int kv_head, int page)
{
    struct quest_state *s = p->state;
    size_t at = (size_t)kv_head * (size_t)pages_of(p->opt, p->cap) + (size_t)page;
    return (uint16_t *)(s + p->shape.n_kv_heads) + at * page_size(&p->shape);
}

static void adopt(const struct kv_part *p, struct kv_rows *rows, const struct kv_kept *kept,
                  const void *seen)
{
    struct quest_state *s = p->state;
    (void)kept;
    (void)seen;
    for (int h = 0; h < p->shape.n_kv_heads; h++)
        s[h].pages = pages_of(p->opt, rows->n);
}

/* Which pages are read is all that the other options decide. */
static void content_key(const void *opt, struct buf *out)
{
    buf_printf(out, "pages of %d", ((const struct quest_options *)opt)->page);
}

static void count(const struct kv_part *p, struct kv_ledger *out)
{
    const struct quest_state *s = p->state;
    uint64_t bits = page_size(&p->shape) * 16;
    if (p->layer < ((const struct quest_options *)p->opt)->first_layer)
        return;
    for (int h = 0; h < p->shape.n_kv_heads; h++) {
        out->held[KV_INDEX] += (uint64_t)s[h].pages * bits;
        out->read[KV_INDEX] += s[h].read * bits;
        out->written[KV_INDEX] += s[h].written * bits;
    }
}

/* Of one KV head: how good pages are, the choice, a query's parts, and rows of a page. */
struct scratch {
    float *score; // [group][pages]
    float *parts; // [2][head_dim]
    float *k, *v; // [PIECE][head_dim]
    int *chosen;  // [group][pages]
};

static size_t choices(const void *opt, const struct kv_shape *shape, int cap)
{
    return (size_t)(shape->n_heads / shape->n_kv_heads) * (size_t)pages_of(opt, cap);
}

static size_t scratch_size(const void *opt, const struct kv_shape *shape, int cap)
{
    size_t numbers = (2 + 2 * PIECE) * (size_t)shape->head_dim;
    return choices(opt, shape, cap) * (sizeof(float) + sizeof(int)) + numbers * sizeof(float);
}

static struct scratch scratch_of(const struct kv_part *p)
{
    size_t d = (size_t)p->shape.head_dim, n = choices(p->opt, &p->shape, p->cap);
    struct scratch s = {.score = p->scratch};
    s.parts = s.score + n;
    s.k = s.parts + 2 * d;
    s.v = s.k + PIECE * d;
    s.chosen = (int *)(s.v + PIECE * d);
    return s;
}

static void widen_ends(float *largest, float *smallest, const float *k, int n, int d)
{
    for (int t = 0; t < n; t++, k += d)
        for (int c = 0; c < d; c++) {
            largest[c] = k[c] > largest[c] ? k[c] : largest[c];
            smallest[c] = k[c] < smallest[c] ? k[c] : smallest[c];
        }
}

static void look_at_page(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                         int page, const struct scratch *s)
{
    int d = p->shape.head_dim, size = ((const struct quest_options *)p->opt)->page;
    int from = page * size, to = from + size < layer->n ? from + size : layer->n;
    float *ends = s->parts;
    for (int t = from, n; t < to; t += n) {
        n = to - t < PIECE ? to - t : PIECE;
        layer->codec->read(layer->store, kv_head, t, n, s->k, s->v);
        for (int side = 0; t == from && side < 2; side++)
            memcpy(ends + side * d, s->k, (size_t)d * sizeof *ends);
        widen_ends(ends, ends + d, s->k, n, d);
    }
    p->kernels->narrow_f16(ends_of(p, kv_head, page), ends, 2L * d);
}

/* Pages with rows that came or moved. At the first look all did, but those of the prompt are no
 * step's work. */
static void look_at_pages(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                          const struct scratch *s)
{
    struct quest_state *state = (struct quest_state *)p->state + kv_head;
    int first = layer->moved / ((const struct quest_options *)p->opt)->page;
    state->pages = pages_of(p->opt, layer->n);
    for (int i = first; i < state->pages; i++)
        look_at_page(p, layer, kv_head, i, s);
    state->written += state->looked_at ? (uint64_t)(state->pages - first) : 1;
    state->looked_at = 1;
}

/* ---- choice ---- */

static int chosen_pages(const struct quest_options *o, int rows)
{
    int pages = pages_of(o, rows);
    int tokens = o->rule == RULE_ACCURACY && rows < o->token_budget ? rows : o->token_budget;
    int n = tokens / o->page > LEAST_PAGES ? tokens / o->page : LEAST_PAGES;
    return n < pages ? n : pages;
}

/* max(q * smallest, q * largest) takes the largest key where q is positive, else the smallest: one
 * product of what is positive and what is negative of q with both. */
static void rate_pages(const struct kv_part *p, int kv_head, const float *q, int pages,
                       float *parts, float *out)
{
    int d = p->shape.head_dim;
    for (int c = 0; c < d; c++) {
        parts[c] = q[c] > 0 ? q[c] : 0;
        parts[d + c] = q[c] > 0 ? 0 : q[c];
    }
    p->kernels->scores_f16(out, parts, ends_of(p, kv_head, 0), pages, 2 * d, 1);
}

static void put_ranges(const int *chosen, int n, int page, int rows, struct kv_range *out)
{
    for (int i = 0; i < n; i++) {
        int start = chosen[i] * page;
        out[i] = (struct kv_range){start, rows - start < page ? rows - start : page};
    }
}

static void choose(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                   const float *q, int n, const struct scratch *s)
{
    const struct quest_options *o = p->opt;
    int pages = pages_of(o, layer->n), group = p->shape.n_heads / p->shape.n_kv_heads;
    int last = o->rule == RULE_KERNEL;
    for (int g = 0; g < group; g++, q += p->shape.head_dim)
        rate_pages(p, kv_head, q, pages - last, s->parts,
                   s->score + (size_t)g * (size_t)(pages - last));
    kv_rows_top(s->chosen, n, s->score, group, pages - last, n - last);
    for (int g = 0; g < group && last; g++)
        s->chosen[g * n + n - 1] = pages - 1;
    ((struct quest_state *)p->state)[kv_head].read += (uint64_t)(pages - last);
}

static void select_rows(const struct kv_part *p, const struct kv_layer *layer, int kv_head,
                        const float *q, struct kv_range *out, int *n_out, int ld)
{
    const struct quest_options *o = p->opt;
    int n = chosen_pages(o, layer->n), group = p->shape.n_heads / p->shape.n_kv_heads;
    struct scratch s = scratch_of(p);
    if (p->layer < o->first_layer)
        return;
    look_at_pages(p, layer, kv_head, &s);
    if (n == pages_of(o, layer->n))
        return;
    choose(p, layer, kv_head, q, n, &s);
    for (int g = 0; g < group; g++, out += ld) {
        put_ranges(s.chosen + g * n, n, o->page, layer->n, out);
        n_out[g] = n;
    }
}

const struct kv_method method_quest = {
    .name = "quest",
    .version = 1,
    .summary = "a step reads the pages that its query may like best by their smallest and largest "
               "keys, all tokens stay",
    .cite = "Tang et al., ICML 2024",
    .hooks = 1u << KV_SELECT,
    .opt_size = sizeof(struct quest_options),
    .options = options,
    .check = check,
    .state_size = state_size,
    .scratch_size = scratch_size,
    .adopt = adopt,
    .content_key = content_key,
    .select = select_rows,
    .count = count,
};
