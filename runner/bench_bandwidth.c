/*
 * What the memory gives: numbers that all threads read, over buffers of several sizes. A step of
 * decoding can be no faster than its bytes at this rate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/clock.h"
#include "harness/base/mem.h"
#include "harness/base/pool.h"
#include "harness/tensor/kernels.h"
#include "runner/bench.h"

enum { ROW = 4096, ROWS = 16 }; // f32 of a row; rows of one task: 256 KiB
enum { MEMORY_MIB = 512, PASSES = 7 };

struct reader {
    struct pool *pool;
    float *x, *q;
    size_t items;
    float *sums; // [items][ROWS]
};

static void open_reader(struct reader *r, int threads, size_t mib)
{
    size_t bytes = mib << 20;
    *r = (struct reader){.pool = pool_new(threads),
                         .x = mem_aligned(bytes),
                         .q = mem_aligned(ROW * sizeof(float)),
                         .items = bytes / (ROW * ROWS * sizeof(float))};
    r->sums = mem_aligned(r->items * ROWS * sizeof(float));
    memset(r->x, 0, bytes);
    memset(r->q, 0, ROW * sizeof(float));
}

static void close_reader(struct reader *r)
{
    pool_free(r->pool);
    free(r->x);
    free(r->q);
    free(r->sums);
}

static void read_item(void *arg, int item, int worker)
{
    const struct reader *r = arg;
    size_t at = (size_t)item * ROWS;
    (void)worker;
    kernels_best()->scores(r->sums + at, r->q, r->x + at * ROW, ROWS, ROW, 1.0f);
}

static double time_reading(void *arg, long n)
{
    struct reader *r = arg;
    double start = clock_seconds();
    for (long i = 0; i < n; i++)
        pool_run(r->pool, (int)r->items, read_item, r);
    return clock_seconds() - start;
}

double bench_memory_rate(struct bench *b)
{
    struct reader r;
    if (b->bandwidth > 0)
        return b->bandwidth;
    open_reader(&r, b->threads, MEMORY_MIB);
    for (int i = 0; i < PASSES; i++) {
        double rate = (double)(MEMORY_MIB << 20) * 1e-9 / time_reading(&r, 1);
        b->bandwidth = rate > b->bandwidth ? rate : b->bandwidth;
    }
    close_reader(&r);
    return b->bandwidth;
}

static int run(struct bench *b, struct err *e)
{
    static const size_t sizes[] = {MEMORY_MIB, 64, 16, 4};
    char name[64];
    (void)e;
    bench_title(b, "reading on all threads");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct reader all, one;
        double work = (double)(sizes[i] << 20) * 1e-9;
        open_reader(&all, b->threads, sizes[i]);
        open_reader(&one, 1, sizes[i]);
        snprintf(name, sizeof name, "read of %zu MiB", sizes[i]);
        struct bench_pair p = {.name = name,
                               .unit = "GB/s",
                               .against = "one thread",
                               .work_a = work,
                               .work_b = work,
                               .a = time_reading,
                               .b = time_reading,
                               .arg_a = &all,
                               .arg_b = &one};
        bench_compare(b, &p);
        close_reader(&all);
        close_reader(&one);
    }
    return 0;
}

const struct bench_kind bench_bandwidth = {
    .name = "bandwidth", .summary = "what reading memory gives", .run = run};
