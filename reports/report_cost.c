/* What settings cost: time, memory, bytes by class, and how long answers get. */
#include "reports/cost_data.h"

static int build_cost(struct store *s, const struct report_request *r, struct doc *d,
                      struct err *e);

const struct report report_cost = {
    .name = "cost",
    .summary = "seconds, tokens a second, bytes of the cache by class, lengths of answers",
    .help = "Over all finished items of each setting. Seconds are those of the machine and load of "
            "the run: kvlab bench compares in turns.",
    .takes = REPORT_EXPERIMENT | REPORT_MODEL,
    .build = build_cost,
};

/* ---- a column: what it says of a setting ---- */

enum kind { PLAIN, BYTES };

struct column {
    const char *group, *head, *key, *unit;
    int decimals;
    enum kind kind;
    double (*of)(const struct cost_row *r);
};

static double done(const struct cost_row *r)
{
    return r->done;
}

static double prefill_item(const struct cost_row *r)
{
    return cost_share(r->prefill_seconds, r->timed);
}

static double prefill_tps(const struct cost_row *r)
{
    return cost_share(r->prompt_tokens, r->prefill_seconds);
}

static double shared(const struct cost_row *r)
{
    return 100 * cost_share(r->shared_tokens, r->prompt_tokens);
}

static double replay_item(const struct cost_row *r)
{
    return cost_share(r->replay_seconds, r->timed);
}

static double replay_tokens(const struct cost_row *r)
{
    return cost_share(r->replay_tokens, r->timed);
}

static double decode_item(const struct cost_row *r)
{
    return cost_share(r->decode_seconds, r->decoded);
}

static double decode_tps(const struct cost_row *r)
{
    return cost_share(r->new_tokens, r->decode_seconds);
}

static double batch(const struct cost_row *r)
{
    return cost_share(r->batch, r->batched);
}

static double wall_item(const struct cost_row *r)
{
    return prefill_item(r) + replay_item(r) + decode_item(r);
}

static double kv_item(const struct cost_row *r)
{
    return cost_share(r->kv, r->held);
}

static double kv_full_item(const struct cost_row *r)
{
    return cost_share(r->kv_full, r->held);
}

static double kv_times(const struct cost_row *r)
{
    return cost_share(r->kv_full, r->kv);
}

static double read_step(const struct cost_row *r)
{
    return cost_share(r->read, r->steps);
}

static double read_full_step(const struct cost_row *r)
{
    return cost_share(r->read_full, r->steps);
}

static double read_times(const struct cost_row *r)
{
    return cost_share(r->read_full, r->read);
}

static double answer_mean(const struct cost_row *r)
{
    return cost_share(r->answer_tokens, r->answers);
}

static double at_limit(const struct cost_row *r)
{
    return 100 * cost_share(r->at_limit, r->answers);
}

static const struct column time_columns[] = {
    {"", "items", "items", "items", 0, PLAIN, done},
    {"prefill", "seconds", "prefill_seconds_item", "seconds", 3, PLAIN, prefill_item},
    {"prefill", "tokens/s", "prefill_tokens_second", "tokens a second", 1, PLAIN, prefill_tps},
    {"prefill", "shared %", "shared_tokens_percent", "percent", 1, PLAIN, shared},
    {"decode", "seconds", "decode_seconds_item", "seconds", 3, PLAIN, decode_item},
    {"decode", "tokens/s", "decode_tokens_second", "tokens a second", 1, PLAIN, decode_tps},
    {"decode", "batch", "decode_batch", "items", 1, PLAIN, batch},
    {"", "seconds an item", "seconds_item", "seconds", 3, PLAIN, wall_item},
};

static const struct column replay_columns[] = {
    {"replay", "seconds", "replay_seconds_item", "seconds", 3, PLAIN, replay_item},
    {"replay", "tokens", "replay_tokens_item", "tokens", 1, PLAIN, replay_tokens},
};

static const struct column memory_columns[] = {
    {"held at the end", "KV", "held_bytes_item", "bytes", 0, BYTES, kv_item},
    {"held at the end", "full cache", "held_full_bytes_item", "bytes", 0, BYTES, kv_full_item},
    {"held at the end", "times less", "held_times_less", NULL, 2, PLAIN, kv_times},
    {"read a step", "KV", "read_bytes_step", "bytes", 0, BYTES, read_step},
    {"read a step", "full cache", "read_full_bytes_step", "bytes", 0, BYTES, read_full_step},
    {"read a step", "times less", "read_times_less", NULL, 2, PLAIN, read_times},
};

static const struct column answer_columns[] = {
    {"tokens", "mean", "answer_tokens_mean", "tokens", 1, PLAIN, answer_mean},
    {"tokens", "median", "answer_tokens_median", "tokens", 1, PLAIN, cost_median},
    {"", "cut at the limit %", "cut_at_limit_percent", "percent", 1, PLAIN, at_limit},
};

#define COUNT(x) (sizeof(x) / sizeof *(x))

static void put_columns(struct grid *g, const struct column *c, size_t n, bool data)
{
    for (size_t i = 0; i < n; i++) {
        grid_column(g, data ? "" : c[i].group, data ? c[i].key : c[i].head, GRID_RIGHT);
        if (data && c[i].unit)
            grid_unit(g, c[i].unit);
    }
}

static void put_cells(struct grid *g, const struct column *c, size_t n, const struct cost_row *r)
{
    for (size_t i = 0; i < n; i++)
        if (c[i].kind == BYTES)
            frame_put_bytes(g, c[i].of(r));
        else
            grid_number(g, c[i].of(r), c[i].decimals);
}

/* ---- tables for people ---- */

struct part {
    const struct scores_table *t;
    const struct cost_table *c;
};

static void add_plain(const struct part *p, const char *name, const char *caption,
                      const struct column *c, size_t n, struct doc *d)
{
    struct grid *g = doc_grid(d, DOC_SHOWN, name, caption);
    grid_column(g, "", "setting", GRID_LEFT);
    put_columns(g, c, n, false);
    for (int row = 0; row < p->t->n_rows; row++) {
        grid_cell(g, text_of(p->t->row[row].name));
        put_cells(g, c, n, &p->c->row[row]);
    }
}

static bool has_replay(const struct part *p)
{
    for (int row = 0; row < p->t->n_rows; row++)
        if (p->c->row[row].replay_tokens > 0)
            return true;
    return false;
}

/* Against the full cache's answers: compression can lengthen them. */
static void add_answers(const struct part *p, struct doc *d)
{
    const int full = scores_reference(p->t);
    struct grid *g = doc_grid(d, DOC_SHOWN, "answers", "Lengths of the answers");
    grid_column(g, "", "setting", GRID_LEFT);
    put_columns(g, answer_columns, COUNT(answer_columns), false);
    if (full >= 0)
        grid_column(g, "", "mean, % of the full cache's", GRID_RIGHT);
    for (int row = 0; row < p->t->n_rows; row++) {
        const struct cost_row *r = &p->c->row[row];
        grid_cell(g, text_of(p->t->row[row].name));
        put_cells(g, answer_columns, COUNT(answer_columns), r);
        if (full >= 0)
            grid_number(g, 100 * cost_share(answer_mean(r), answer_mean(&p->c->row[full])), 1);
    }
}

static double held_class(const struct cost_row *r, int c)
{
    return cost_share(r->held_of[c], r->ledgers);
}

static double read_class(const struct cost_row *r, int c)
{
    return cost_share(r->read_of[c], r->ledger_steps);
}

static bool has_class(const struct part *p, int c)
{
    for (int row = 0; row < p->t->n_rows; row++)
        if (p->c->row[row].held_of[c] + p->c->row[row].read_of[c] > 0)
            return true;
    return false;
}

static bool has_ledger(const struct part *p)
{
    for (int row = 0; row < p->t->n_rows; row++)
        if (p->c->row[row].ledgers)
            return true;
    return false;
}

static void add_classes(const struct part *p, const char *name, const char *caption,
                        double (*of)(const struct cost_row *r, int c), struct doc *d)
{
    if (!has_ledger(p))
        return;
    struct grid *g = doc_grid(d, DOC_SHOWN, name, caption);
    grid_column(g, "", "setting", GRID_LEFT);
    for (int c = 0; c < EMA_CLASSES; c++)
        if (has_class(p, c))
            grid_column(g, "", ema_class_name((enum ema_class)c), GRID_RIGHT);
    for (int row = 0; row < p->t->n_rows; row++) {
        grid_cell(g, text_of(p->t->row[row].name));
        for (int c = 0; c < EMA_CLASSES; c++)
            if (has_class(p, c))
                frame_put_bytes(g, of(&p->c->row[row], c));
    }
}

/* ---- data: a row a setting, everything in it ---- */

static void class_columns(struct grid *g, const char *what)
{
    struct buf key;
    buf_init(&key);
    for (int c = 0; c < EMA_CLASSES; c++) {
        buf_reset(&key);
        buf_printf(&key, "%s_%s", what, ema_class_name((enum ema_class)c));
        grid_column(g, "", key.s, GRID_RIGHT);
        grid_unit(g, "bytes");
    }
    buf_release(&key);
}

static struct grid *data_grid(struct doc *d)
{
    static const char *const words[] = {"model", "protocol", "variant", "setting", "method"};
    struct grid *g = doc_grid(d, DOC_DATA, "cost_data", NULL);
    for (size_t i = 0; i < COUNT(words); i++)
        grid_column(g, "", words[i], GRID_LEFT);
    put_columns(g, time_columns, COUNT(time_columns), true);
    put_columns(g, replay_columns, COUNT(replay_columns), true);
    put_columns(g, memory_columns, COUNT(memory_columns), true);
    put_columns(g, answer_columns, COUNT(answer_columns), true);
    grid_column(g, "", "failed", GRID_RIGHT);
    grid_column(g, "", "left", GRID_RIGHT);
    grid_column(g, "", "items_by_class", GRID_RIGHT);
    class_columns(g, "held_item");
    class_columns(g, "read_step");
    doc_main(d, g);
    return g;
}

static void add_data(const struct part *p, const struct frame_table *t, struct grid *g)
{
    for (int row = 0; row < p->t->n_rows; row++) {
        const struct cost_row *r = &p->c->row[row];
        grid_cell(g, text_of(p->t->model_name));
        grid_cell(g, text_of(p->t->protocol_name));
        grid_cell(g, text_of(t->variant));
        grid_cell(g, text_of(p->t->row[row].name));
        grid_cell(g, text_of(p->t->row[row].method));
        put_cells(g, time_columns, COUNT(time_columns), r);
        put_cells(g, replay_columns, COUNT(replay_columns), r);
        put_cells(g, memory_columns, COUNT(memory_columns), r);
        put_cells(g, answer_columns, COUNT(answer_columns), r);
        grid_number(g, r->failed, 0);
        grid_number(g, r->left, 0);
        grid_number(g, r->ledgers, 0);
        for (int c = 0; c < EMA_CLASSES; c++)
            frame_put_bytes(g, held_class(r, c));
        for (int c = 0; c < EMA_CLASSES; c++)
            frame_put_bytes(g, read_class(r, c));
    }
}

/* ---- notes ---- */

static void put_totals(const struct part *p, struct doc *d)
{
    int items = 0, unfinished = 0, no_ledger = 0;
    for (int row = 0; row < p->t->n_rows; row++) {
        const struct cost_row *r = &p->c->row[row];
        items += r->done;
        unfinished += r->failed + r->left;
        no_ledger += r->done - r->ledgers;
    }
    doc_note(d,
             "All settings together: %d items, %d prefills (those shared counted once) in %.1f s, "
             "decoding in %.1f s.",
             items, p->c->prefills, p->c->prefill_seconds, p->c->decode_seconds);
    if (p->c->replays)
        doc_note(d, "Beside that %d replays (those shared counted once) in %.1f s.", p->c->replays,
                 p->c->replay_seconds);
    if (unfinished)
        doc_note(d, "%d item%s failed or not finished: not counted.", unfinished,
                 unfinished == 1 ? " is" : "s are");
    if (no_ledger)
        doc_note(d,
                 "%d finished item%s without bytes by class: imported, or of a database of "
                 "version 1.",
                 no_ledger, no_ledger == 1 ? " is" : "s are");
    doc_notes_end(d);
}

static void put_notes(struct doc *d)
{
    doc_note(d, "prefill: each item has the whole time of the prefill that it shared with items of "
                "other settings, compressing all their caches included; shared: prompt tokens that "
                "were not read again because an earlier prompt began with them.");
    doc_note(d,
             "decode: an item's share of the steps that it took with others: its own attention as "
             "measured, an even part of the rest; batch: how many items took a step together. "
             "seconds an item: prefill, replay and decode.");
    doc_note(d, "replay: what a method had fed to the model again after the prompt, to see what it "
                "attends to; no part of prefill; settings that share one have all of it.");
    doc_note(
        d, "times less: than a full cache of 16-bit numbers with the same tokens. By class: held "
           "at the end by an item, read by a step; k, M: 1000, 1000000 bytes. weights are read by "
           "a step and no part of the cache.");
    doc_note(d, "cut at the limit: answers that did not end by themselves.");
}

/* ---- the report ---- */

static void add_table(const struct frame *f, int at, const struct cost *c, struct grid *data,
                      struct doc *d)
{
    const struct part p = {f->table[at].scores, &c->table[at]};
    struct buf heading = frame_heading_new(f, (struct frame_group){at, at + 1});
    doc_heading(d, "%s", heading.s);
    buf_release(&heading);
    add_plain(&p, "time", "Time, the mean of an item", time_columns, COUNT(time_columns), d);
    if (has_replay(&p))
        add_plain(&p, "replay", "Replays of the prompt, the mean of an item", replay_columns,
                  COUNT(replay_columns), d);
    add_plain(&p, "memory", "Bytes of the cache", memory_columns, COUNT(memory_columns), d);
    add_classes(&p, "held_classes", "Bytes held at the end, by class", held_class, d);
    add_classes(&p, "read_classes", "Bytes read a step, by class", read_class, d);
    add_answers(&p, d);
    put_totals(&p, d);
    add_data(&p, &f->table[at], data);
}

static int build_cost(struct store *s, const struct report_request *r, struct doc *d, struct err *e)
{
    struct frame f;
    struct cost c;
    if (frame_load(&f, s, r, FRAME_MEASURES, e))
        return -1;
    int rc = cost_load(&c, s, &f, e);
    if (!rc) {
        frame_put_head(&f, "what settings cost", d);
        struct grid *data = data_grid(d);
        for (int i = 0; i < f.n_tables; i++)
            add_table(&f, i, &c, data, d);
        put_notes(d);
    }
    cost_release(&c);
    frame_release(&f);
    return rc;
}
