#include "harness/kv/meter.h"

#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"

struct kv_meter *kv_meters_new(const struct kv_shape *shape, int units)
{
    size_t n = (size_t)shape->n_kv_heads;
    struct kv_meter *m = mem_aligned(mem_size(n, sizeof *m));
    memset(m, 0, n * sizeof *m);
    for (size_t h = 0; h < n; h++)
        for (int s = 0; s < KV_SIDES; s++)
            m[h].seen[s] = xcalloc((size_t)units, sizeof *m[h].seen[s]);
    kv_meters_step(m, shape);
    return m;
}

void kv_meters_free(struct kv_meter *m, const struct kv_shape *shape)
{
    for (int h = 0; m && h < shape->n_kv_heads; h++)
        for (int s = 0; s < KV_SIDES; s++)
            free(m[h].seen[s]);
    free(m);
}

void kv_meters_step(struct kv_meter *m, const struct kv_shape *shape)
{
    for (int h = 0; h < shape->n_kv_heads; h++)
        m[h].step++;
}

void kv_meters_copy(struct kv_meter *to, const struct kv_meter *from, const struct kv_shape *shape)
{
    for (int h = 0; h < shape->n_kv_heads; h++)
        to[h].ledger = from[h].ledger;
    kv_meters_step(to, shape);
}

void kv_meters_add(const struct kv_meter *m, const struct kv_shape *shape, struct kv_ledger *out)
{
    for (int h = 0; h < shape->n_kv_heads; h++)
        for (int c = 0; c < KV_CLASSES; c++) {
            out->held[c] += m[h].ledger.held[c];
            out->read[c] += m[h].ledger.read[c];
            out->written[c] += m[h].ledger.written[c];
        }
}

uint64_t kv_meter_rows(struct kv_meter *m, enum kv_side side, bool together, struct kv_run run)
{
    uint64_t n = 0;
    if (together && !kv_meter_chose(m))
        return (uint64_t)run.n;
    for (int i = 0; i < run.n; i++)
        n += kv_meter_first(m, side, run.start + i * run.step);
    return n;
}

bool kv_meter_base(struct kv_meter *m, int unit)
{
    if (m->scan_step == m->step && unit < m->scanned)
        return false;
    m->single_step = m->step;
    return kv_meter_first(m, KV_BASE_SIDE, unit);
}

uint64_t kv_meter_scan(struct kv_meter *m, int n)
{
    uint64_t first = 0;
    int from = m->scan_step == m->step ? m->scanned : 0;
    if (m->single_step == m->step)
        for (int i = from; i < n; i++)
            first += kv_meter_first(m, KV_BASE_SIDE, i);
    else
        first = n > from ? (uint64_t)(n - from) : 0;
    m->scan_step = m->step;
    m->scanned = n > from ? n : from;
    return first;
}
