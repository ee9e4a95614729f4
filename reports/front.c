#include "reports/front.h"

static void add_cell(const struct scores_cell *c, int n_items, struct front_bytes *b, double sum[5],
                     bool seen[2])
{
    for (int i = 0; i < n_items; i++) {
        const struct scores_item *it = &c->item[i];
        if (it->state != SCORES_DONE)
            continue;
        if (it->kv_bytes < 0 || it->kv_full_bytes <= 0) {
            b->without++;
            continue;
        }
        b->items++;
        seen[it->basis == SCORES_HELD] = true;
        sum[0] += (double)it->kv_bytes;
        sum[1] += (double)it->kv_full_bytes;
        if (it->kv_read_bytes < 0 || scores_steps(it) < 1)
            continue;
        sum[2] += (double)it->kv_read_bytes;
        sum[3] += (double)it->kv_read_full_bytes;
        sum[4] += scores_steps(it);
    }
}

static double share(double x, double of)
{
    return of > 0 ? x / of : NAN;
}

struct front_bytes front_bytes(const struct frame_table *t, int row)
{
    struct front_bytes b = {0};
    double sum[5] = {0};
    bool seen[2] = {false};
    for (int k = 0; k < t->n_tasks; k++)
        add_cell(&t->scores->row[row].cell[t->task[k]], t->scores->task[t->task[k]].n_items, &b,
                 sum, seen);
    b.mixed = seen[0] && seen[1];
    b.held_share = share(sum[0], sum[1]);
    b.held_token = b.held_share * t->full_token;
    b.read_share = share(sum[2], sum[3]);
    b.read_step = share(sum[2], sum[4]);
    return b;
}

static bool beats(const struct front_point *a, const struct front_point *b, int sign)
{
    double more = sign * (a->y - b->y);
    return a->x <= b->x && more >= 0 && (a->x < b->x || more > 0);
}

static bool is_better(const struct front_point *a, const struct front_point *b, int sign)
{
    return sign * a->y > sign * b->y || (a->y == b->y && a->x < b->x);
}

void front_find(struct front_point *p, int n, int sign)
{
    for (int i = 0; i < n; i++) {
        p[i].beaten_by = -1;
        for (int k = 0; k < n; k++)
            if (beats(&p[k], &p[i], sign) &&
                (p[i].beaten_by < 0 || is_better(&p[k], &p[p[i].beaten_by], sign)))
                p[i].beaten_by = k;
        p[i].front = !isnan(p[i].x) && !isnan(p[i].y) && p[i].beaten_by < 0;
    }
}
