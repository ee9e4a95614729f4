/* A forecast in words and as JSON. */
#include <math.h>
#include <stdio.h>

#include "harness/base/clock.h"
#include "runner/forecast.h"

/* ---- for a person ---- */

static void put_bytes(double n, struct buf *out)
{
    if (n < 0x1p30)
        buf_printf(out, "%.1f MiB", n / 0x1p20);
    else
        buf_printf(out, "%.1f GiB", n / 0x1p30);
}

static void put_count(double n, struct buf *out)
{
    if (n < 10000)
        buf_printf(out, "%.0f", n);
    else if (n < 1e7)
        buf_printf(out, "%.0f k", n / 1e3);
    else
        buf_printf(out, "%.1f M", n / 1e6);
}

static const char *plural(double n)
{
    return n == 1 ? "" : "s";
}

static void put_tokens(const struct forecast *f, struct buf *out)
{
    const struct forecast_tokens *t = &f->tokens;
    buf_str(out, "tokens      ");
    put_count(t->prefill, out);
    buf_printf(out, " to prefill in %lld prompt%s (", (long long)t->prompts,
               plural((double)t->prompts));
    put_count(t->prefill_single, out);
    buf_printf(out, " in %lld if each setting read its own)\n            ", (long long)t->items);
    if (t->replay > 0) {
        buf_str(out, "about ");
        put_count(t->replay, out);
        buf_str(out, " to feed again in replays of prompts\n            ");
    }
    if (t->answers) {
        buf_str(out, "about ");
        put_count(t->decode, out);
        buf_printf(out, " to decode, as long as %lld stored answers; at most ",
                   (long long)t->answers);
        put_count(t->decode_most, out);
    } else {
        buf_str(out, "at most ");
        put_count(t->decode_most, out);
        buf_str(out, " to decode");
    }
    buf_char(out, '\n');
}

static void put_rates(const struct rates *r, struct buf *out)
{
    if (r->items)
        buf_printf(out, "rates of %lld stored items", (long long)r->items);
    if (r->items && r->measured)
        buf_str(out, " and ");
    if (r->measured)
        buf_printf(out, "%smeasured just now", r->items ? "others " : "rates ");
}

static void put_time(const struct forecast *f, struct buf *out)
{
    char span[32];
    buf_str(out, "time        ");
    if (f->tokens.items && isnan(f->seconds))
        buf_str(out, "not known: nothing could be measured\n");
    else if (!f->tokens.items)
        buf_str(out, "nothing is left to do\n");
    else {
        buf_printf(out, "about %s on %d worker%s of %d thread%s\n            ",
                   clock_span(span, f->seconds), f->size.workers, plural(f->size.workers),
                   crew_size_threads_each(&f->size), plural(crew_size_threads_each(&f->size)));
        put_rates(&f->rates, out);
        buf_printf(out, "%s\n", f->tokens.answers ? "" : "; answers at their longest");
    }
}

static void put_memory(const struct forecast *f, struct buf *out)
{
    const struct forecast_memory *m = &f->memory;
    buf_str(out, "memory      ");
    put_bytes((double)m->group, out);
    buf_printf(out, " for the largest prompt and its caches, %d at a time; ", f->size.workers);
    put_bytes((double)f->size.memory, out);
    buf_str(out, " allowed in all\n");
    if (m->fails) {
        buf_str(out, "            not enough: prompts whose cache needs more than ");
        put_bytes((double)f->size.memory / f->size.workers, out);
        buf_str(out, " fail (--memory, --workers)\n");
    } else if (m->cut) {
        buf_str(out,
                "            less than that: such prompts are read more than once, for some of "
                "their settings each\n");
    }
    buf_str(out, "            weights ");
    put_bytes((double)m->weights, out);
    buf_str(out, " mapped");
    if (m->packed) {
        buf_str(out, ", ");
        put_bytes((double)m->packed, out);
        buf_str(out, " packed");
    }
    buf_char(out, '\n');
}

static void put_difference(const struct forecast *f, struct buf *out)
{
    const struct difference *d = &f->difference;
    if (!d->tasks)
        return;
    buf_printf(
        out,
        "difference  %.1f points of the mean of %d task%s can be shown with %lld items (80 %% "
        "power, 5 %% level)\n            paired with %.60s\n            sd of paired "
        "differences %.1f points, ",
        d->points, d->tasks, plural(d->tasks), (long long)d->items, f->baseline, d->sd);
    if (d->pairs)
        buf_printf(out, "from %lld stored pairs", (long long)d->pairs);
    if (d->pairs && d->assumed)
        buf_printf(out, ", %d task%s assumed", d->assumed, plural(d->assumed));
    if (!d->pairs)
        buf_str(out, "assumed");
    buf_char(out, '\n');
}

void forecast_describe(const struct forecast *f, struct buf *out)
{
    if (f->tokens.items)
        put_tokens(f, out);
    put_time(f, out);
    if (f->tokens.items)
        put_memory(f, out);
    put_difference(f, out);
}

/* ---- for programs ---- */

static void put_number(const char *name, double x, struct buf *out)
{
    if (isnan(x))
        buf_printf(out, "\"%s\":null,", name);
    else
        buf_printf(out, "\"%s\":%.4f,", name, x);
}

static void put_int(const char *name, int64_t n, struct buf *out)
{
    buf_printf(out, "\"%s\":%lld,", name, (long long)n);
}

static void end_object(struct buf *out)
{
    out->s[out->n - 1] = '}';
    buf_char(out, ',');
}

static void put_tokens_json(const struct forecast_tokens *t, struct buf *out)
{
    put_int("items_left", t->items, out);
    put_int("prompts", t->prompts, out);
    buf_str(out, "\"tokens\":{");
    put_int("prefill", (int64_t)t->prefill, out);
    put_int("prefill_single", (int64_t)t->prefill_single, out);
    put_int("replay", (int64_t)t->replay, out);
    put_int("decode", (int64_t)t->decode, out);
    put_int("decode_most", (int64_t)t->decode_most, out);
    put_int("stored_answers", t->answers, out);
    end_object(out);
}

static void put_time_json(const struct forecast *f, struct buf *out)
{
    buf_str(out, "\"time\":{");
    put_number("seconds", f->seconds, out);
    put_int("workers", f->size.workers, out);
    put_int("threads_each", crew_size_threads_each(&f->size), out);
    put_int("stored_items", f->rates.items, out);
    put_int("measured_classes", f->rates.measured, out);
    end_object(out);
}

static void put_memory_json(const struct forecast *f, struct buf *out)
{
    buf_str(out, "\"memory\":{");
    put_int("group_bytes", (int64_t)f->memory.group, out);
    put_int("single_bytes", (int64_t)f->memory.single, out);
    put_int("allowed_bytes", (int64_t)f->size.memory, out);
    put_int("weights_bytes", (int64_t)f->memory.weights, out);
    put_int("packed_bytes", (int64_t)f->memory.packed, out);
    buf_printf(out, "\"cut\":%s,\"fails\":%s,", f->memory.cut ? "true" : "false",
               f->memory.fails ? "true" : "false");
    end_object(out);
}

void forecast_describe_json(const struct forecast *f, struct buf *out)
{
    const struct difference *d = &f->difference;
    put_tokens_json(&f->tokens, out);
    put_time_json(f, out);
    put_memory_json(f, out);
    buf_str(out, "\"difference\":{");
    put_number("points", d->points, out);
    put_number("sd", d->sd, out);
    put_int("tasks", d->tasks, out);
    put_int("tasks_assumed", d->assumed, out);
    put_int("items", d->items, out);
    put_int("stored_pairs", d->pairs, out);
    end_object(out);
}
