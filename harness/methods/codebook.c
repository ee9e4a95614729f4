#include "harness/methods/codebook.h"

#include <math.h>

enum { STEPS = 4096, PASSES = 1000 };

/* The density's mass below i * width, from 0 on, unnormalised. */
struct density {
    int d;
    double width, mass[STEPS + 1];
};

static double density_at(const struct density *f, double x)
{
    return x < 1 ? pow(1 - x * x, (f->d - 3) / 2.0) : 0;
}

/* Simpson's rule from 0 to where nothing is left. */
static void integrate(struct density *f, int d)
{
    double end = 12 / sqrt(d);
    f->d = d;
    f->width = (end < 1 ? end : 1) / STEPS;
    f->mass[0] = 0;
    for (int i = 0; i < STEPS; i++) {
        double x = i * f->width;
        f->mass[i + 1] = f->mass[i] + f->width / 6 *
                                          (density_at(f, x) + 4 * density_at(f, x + f->width / 2) +
                                           density_at(f, x + f->width));
    }
}

static double mass_below(const struct density *f, double x)
{
    double place = x / f->width;
    int i = place < STEPS ? (int)place : STEPS - 1;
    double part = place < STEPS ? place - i : 1;
    return f->mass[i] + part * (f->mass[i + 1] - f->mass[i]);
}

/* The integral of x times the density from 0 to x. */
static double moment_below(const struct density *f, double x)
{
    double half = (f->d - 1) / 2.0;
    return (1 - pow(1 - x * x, half)) / (2 * half);
}

/* n levels above 0. Returns the most that one has moved. */
static double improve(const struct density *f, double *level, int n)
{
    double most = 0, from = 0;
    for (int i = 0; i < n; i++) {
        double to = i + 1 < n ? (level[i] + level[i + 1]) / 2 : 1;
        double mean = (moment_below(f, to) - moment_below(f, from)) /
                      (mass_below(f, to) - mass_below(f, from));
        most = fmax(most, fabs(mean - level[i]));
        level[i] = mean;
        from = to;
    }
    return most;
}

void codebook_make(struct codebook *b, int bits, int d)
{
    struct density f;
    double level[CODEBOOK_LEVELS / 2];
    int half = 1 << (bits - 1);
    integrate(&f, d);
    for (int i = 0; i < half; i++)
        level[i] = (i + 0.5) / half * fmin(1, 3 / sqrt(d));
    for (int i = 0; i < PASSES && improve(&f, level, half) > 1e-12; i++)
        ;
    b->n = 2 * half;
    for (int i = 0; i < half; i++) {
        b->level[half + i] = (float)level[i];
        b->level[half - 1 - i] = -(float)level[i];
    }
    for (int i = 0; i + 1 < b->n; i++)
        b->edge[i] = (b->level[i] + b->level[i + 1]) / 2;
}
