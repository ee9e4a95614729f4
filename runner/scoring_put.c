/* What scoring gives: result.json as eval.py writes it, the items, and all of it as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/json.h"
#include "runner/leaderboard.h"
#include "runner/scoring.h"

void scoring_put_float(double x, struct buf *out)
{
    size_t start = out->n;
    if (isnan(x)) {
        buf_str(out, "NaN");
        return;
    }
    json_put_number(out, x);
    if (!strpbrk(out->s + start, ".e"))
        buf_str(out, ".0");
}

static void put_buckets(const struct scoring_task *t, struct buf *out)
{
    buf_str(out, "{\n");
    for (int b = 0; b < AGGREGATE_BUCKETS; b++) {
        buf_printf(out, "%s        \"%s\": ", b ? ",\n" : "", aggregate_bucket_name[b]);
        scoring_put_float(t->bucket[b].score, out);
    }
    buf_str(out, "\n    }");
}

void scoring_put_result(const struct scoring *s, struct buf *out)
{
    const char *before = "{\n";
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        const struct scoring_task *t = &s->tasks[i];
        if (t->state != SCORING_DONE)
            continue;
        buf_printf(out, "%s    \"%s\": ", before, t->name);
        if (s->with_e)
            put_buckets(t, out);
        else
            scoring_put_float(t->all.score, out);
        before = ",\n";
        any = true;
    }
    buf_str(out, any ? "\n}" : "{}"); // no line end, as json.dump
}

void scoring_put_items(const struct scoring *s, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct scoring_task *t = &s->tasks[i];
        if (t->state != SCORING_DONE && t->state != SCORING_UNSCORED)
            continue;
        for (size_t k = 0; k < t->predictions.n; k++) {
            buf_printf(out, "{\"task\": \"%s\", \"i\": %zu, \"score\": ", t->name, k);
            scoring_put_float(t->scores[k], out);
            buf_str(out, "}\n");
        }
    }
}

/* ---- --json ---- */

static void put_member(struct buf *out, const char *before, const char *name, double x)
{
    buf_printf(out, "%s\"%s\":", before, name);
    json_put_number(out, x); // NaN: null
}

static void put_task(const struct scoring *s, const struct scoring_task *t, struct buf *out)
{
    static const char *const states[] = {"done", "skipped", "unscored", "refused"};
    buf_str(out, "{\"file\":");
    json_put_string(out, text_of(t->file));
    buf_printf(out, ",\"state\":\"%s\",\"n\":%zu", states[t->state], t->predictions.n);
    if (t->task) {
        buf_printf(out, ",\"task\":\"%s\",\"category\":\"%s\",\"language\":\"%s\"", t->name,
                   category_name(t->task->category), t->task->language);
        buf_printf(out, ",\"metric\":\"%s\"", scoring_metric(t->task, s->backend));
    }
    if (t->metric)
        buf_printf(out, ",\"metric_version\":%d", t->metric->version);
    put_member(out, ",", "score", t->all.score);
    put_member(out, ",", "raw", t->all.raw);
    for (int b = 0; b < AGGREGATE_BUCKETS && s->with_e; b++) {
        buf_printf(out, "%s\"%s\":{\"n\":%zu", b ? "," : ",\"by_length\":{",
                   aggregate_bucket_name[b], t->bucket[b].n);
        bool known = t->state == SCORING_DONE;
        put_member(out, ",", "score", known ? t->bucket[b].score : NAN);
        put_member(out, ",", "raw", known ? t->bucket[b].raw : NAN);
        buf_str(out, b == AGGREGATE_BUCKETS - 1 ? "}}" : "}");
    }
    if (t->state != SCORING_DONE) {
        buf_str(out, ",\"reason\":");
        json_put_string(out, text_of(t->why.msg));
    }
    buf_char(out, '}');
}

static void put_board(const struct leaderboard *l, const char *name, struct buf *out)
{
    buf_printf(out, "\"%s\":{\"tasks\":%zu", name, l->n_tasks);
    put_member(out, ",", "mean_of_tasks", l->mean_of_tasks);
    put_member(out, ",", "mean_of_categories", l->mean_of_categories);
    buf_str(out, ",\"categories\":{");
    for (int c = 0; c < CATEGORIES; c++)
        put_member(out, c ? "," : "", category_name((enum category)c), l->category[c]);
    buf_str(out, "}}");
}

void scoring_put_json(const struct scoring *s, struct buf *out)
{
    buf_printf(out, "{\"function\":\"%s\",\"code_sim\":\"%s\",\"tasks\":[",
               s->with_e ? "scorer_e" : "scorer", s->backend);
    for (size_t i = 0; i < s->n; i++) {
        buf_str(out, i ? ",\n" : "\n");
        put_task(s, &s->tasks[i], out);
    }
    buf_str(out, "],\n\"means\":{");
    for (int g = 0; g < LEADERBOARDS; g++) {
        struct leaderboard l;
        leaderboard_fill(&l, (enum leaderboard_group)g, s);
        buf_str(out, g ? "," : "");
        put_board(&l, leaderboard_name((enum leaderboard_group)g), out);
    }
    buf_str(out, "}}\n");
}
