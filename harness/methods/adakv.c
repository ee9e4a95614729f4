/*
 * AdaKV (Feng et al. 2024, arXiv 2407.11550; FFY0/AdaKV): the heads of a layer share one budget.
 * Beside any method that scores tokens: what its budget leaves to choose in all heads goes to the
 * tokens that are worth most, whichever head's they are, so that heads keep different numbers of
 * them. Each head has a floor. Bytes are those of the tokens that each head keeps.
 *
 * Variants by options: rule=floor, the authors' and KVCache-Factory's: a head that would get c
 * tokens of base for each gets round(c * (1 - floor)) + int(base * floor), which may be up to one
 * more or less a head than the budget says (their rounding, kept); windows and sinks come on top.
 * rule=safeguard, kvpress (AdaKVPress, with normalize=false): the best int(budget * floor) tokens
 * of a head are safe, the others compete; sums are those of the budget. normalize (the default of
 * KVCache-Factory): scores of a head are first multiplied by the share of them that its own best
 * tokens would keep; it takes scores that are not negative, a head whose scores do not add up to
 * more than 0 stays as it is.
 *
 * A budget that windows use up leaves nothing to share. Of tokens worth the same that of the first
 * head goes first. Their code compresses a prompt that is as long as the budget; ours leaves it.
 * GQA: a head is what the scoring method keeps tokens for, at least each KV head.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "harness/kv/method.h"
#include "harness/tensor/topk.h"

enum { RULE_FLOOR, RULE_SAFEGUARD };
static const char *const rules[] = {"floor", "safeguard", NULL};

struct adakv_options {
    int rule, normalize;
    double floor;
};

#define AT(field) offsetof(struct adakv_options, field)
static const struct opt options[] = {
    {"rule", OPT_CHOICE, AT(rule), 0, 0, RULE_FLOOR, rules, NULL, NULL,
     "how a head is sure of its floor: a share of the budget beside what it wins (the authors), "
     "or its best tokens are safe (kvpress)"},
    {"floor", OPT_NUM, AT(floor), 0, 1, 0.2, NULL, NULL, "floor_alpha",
     "share of an even budget that each head is sure of"},
    {"normalize", OPT_BOOL, AT(normalize), 0, 1, 1, NULL, NULL, NULL,
     "first multiply a head's scores by the share of them that an even budget would keep"},
    {0}};

/* The tokens that heads may choose from: all but the forced ones. */
struct rivals {
    int n_slots;
    int *start;   // [n_slots + 1]: where a slot's begin
    int *base;    // [n_slots]: how many it would have on its own
    float *worth; // [start[n_slots]]
    int *chosen;  // room for as many
};

static void gather(const struct kv_contest *t, struct rivals *r)
{
    size_t slots = (size_t)t->n_slots, all = mem_size(slots, (size_t)t->n);
    *r = (struct rivals){.n_slots = t->n_slots};
    r->start = xcalloc(slots + 1, sizeof *r->start);
    r->base = xcalloc(slots, sizeof *r->base);
    r->worth = xcalloc(all, sizeof *r->worth);
    r->chosen = xcalloc(all, sizeof *r->chosen);
    for (int i = 0, n = 0; i < t->n_slots; i++) {
        const float *scores = t->scores + (size_t)i * (size_t)t->n;
        int left = t->keep[i] - kv_contest_forced(t, i);
        for (int j = 0; j < t->n; j++)
            if (!(scores[j] >= KV_FORCED))
                r->worth[n++] = scores[j];
        r->base[i] = left > 0 ? left : 0;
        r->start[i + 1] = n;
    }
}

static void release(struct rivals *r)
{
    free(r->start);
    free(r->base);
    free(r->worth);
    free(r->chosen);
}

static void normalize(const struct rivals *r, int slot)
{
    float *worth = r->worth + r->start[slot];
    int n = r->start[slot + 1] - r->start[slot], k = r->base[slot];
    double best = 0, all = 0;
    topk_indices(r->chosen, worth, n, k);
    for (int i = 0; i < k; i++)
        best += (double)worth[r->chosen[i]];
    for (int j = 0; j < n; j++)
        all += (double)worth[j];
    for (int j = 0; j < n && all > 0; j++)
        worth[j] *= (float)(best / all);
}

/* The best `safe` of a slot, of which the forced ones are some, before all others. */
static void safeguard(const struct rivals *r, int slot, int safe)
{
    float *worth = r->worth + r->start[slot];
    topk_indices(r->chosen, worth, r->start[slot + 1] - r->start[slot], safe > 0 ? safe : 0);
    for (int i = 0; i < safe; i++)
        worth[r->chosen[i]] = INFINITY;
}

/* won[slot]: its tokens among the best of all heads. */
static void compete(const struct rivals *r, int *won)
{
    int sum = 0, slot = 0;
    for (int i = 0; i < r->n_slots; i++) {
        sum += r->base[i];
        won[i] = 0;
    }
    topk_indices(r->chosen, r->worth, r->start[r->n_slots], sum);
    for (int i = 0; i < sum; i++) {
        while (r->chosen[i] >= r->start[slot + 1])
            slot++;
        won[slot]++;
    }
}

/* In f32 and to even, as torch.round has it. */
static int with_floor(int won, int base, double floor)
{
    return (int)rintf((float)won * (float)(1 - floor) + (float)(int)(base * floor));
}

static void allot(const void *opt, const struct kv_contest *t)
{
    const struct adakv_options *o = opt;
    struct rivals r;
    int *won = xcalloc((size_t)t->n_slots, sizeof *won);
    gather(t, &r);
    for (int i = 0; i < t->n_slots; i++) {
        int forced = t->n - (r.start[i + 1] - r.start[i]);
        if (o->normalize)
            normalize(&r, i);
        if (o->rule == RULE_SAFEGUARD && r.base[i] > 0)
            safeguard(&r, i, (int)(t->keep[i] * o->floor) - forced);
    }
    compete(&r, won);
    for (int i = 0; i < t->n_slots; i++)
        if (t->keep[i] < t->n && r.base[i] > 0)
            t->keep[i] +=
                (o->rule == RULE_FLOOR ? with_floor(won[i], r.base[i], o->floor) : won[i]) -
                r.base[i];
    release(&r);
    free(won);
}

static enum kv_heads heads(const void *opt)
{
    (void)opt;
    return KV_HEADS_KV;
}

const struct kv_method method_adakv = {
    .name = "adakv",
    .version = 1,
    .summary = "heads of a layer share one budget, beside a method that scores tokens",
    .cite = "Feng et al., arXiv 2407.11550",
    .hooks = 1u << KV_ALLOT,
    .opt_size = sizeof(struct adakv_options),
    .options = options,
    .heads = heads,
    .allot = allot,
};
