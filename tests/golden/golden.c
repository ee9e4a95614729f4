/* golden DIR [GROUP ...]: every comparison with the reference values in DIR. Exit 1 on any miss. */
#include "tests/golden/golden.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct group {
    const char *name;
    int (*run)(const char *dir, struct tally *t, struct err *e);
};

#define GOLDEN(name) {#name, golden_##name},
static const struct group groups[] = {
#include "tests/golden/golden.def"
    {NULL, NULL}};
#undef GOLDEN

void tally_add(struct tally *t, int equal, double deviation, const char *fmt, ...)
{
    t->total++;
    t->equal += equal != 0;
    if (isnan(deviation) || deviation > t->worst)
        t->worst = deviation;
    if (!equal && !t->first_miss[0]) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(t->first_miss, sizeof t->first_miss, fmt, ap);
        va_end(ap);
    }
}

const char *golden_path(const char *dir, const char *name)
{
    static char path[4][4096];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], name))
            return 1;
    return argc <= 2;
}

/* Returns 0 equal, 1 missed, 2 absent. */
static int run_group(const struct group *g, const char *dir)
{
    struct tally t = {.name = g->name};
    struct err e = {0};
    int rc = g->run(dir, &t, &e);
    if (rc == GOLDEN_ABSENT) {
        printf("%s: skipped, not in %s\n", g->name, dir);
        return 2;
    }
    if (rc) {
        printf("%s: %ld equal of %ld, stopped: %s\n", g->name, t.equal, t.total, e.msg);
        return 1;
    }
    printf("%s: %ld equal of %ld, worst %.3g\n", g->name, t.equal, t.total, t.worst);
    if (t.equal != t.total)
        printf("  first miss: %s\n", t.first_miss);
    fflush(stdout);
    return t.equal != t.total || t.total == 0;
}

int main(int argc, char **argv)
{
    int count[3] = {0};
    if (argc < 2) {
        fprintf(stderr, "usage: golden DIR [GROUP ...]\n");
        return 2;
    }
    for (const struct group *g = groups; g->name; g++)
        if (wanted(g->name, argc, argv))
            count[run_group(g, argv[1])]++;
    printf("%d passed, %d failed, %d skipped\n", count[0], count[1], count[2]);
    return count[1] != 0;
}
