/*
 * Runs one fuzz target over a corpus as an ordinary test: every file of the folder, then for each a
 * number of seeded mutations (bytes changed, cut, doubled). A target must return whatever it is
 * fed; a crash or a sanitizer report is the failure. Prints TAP.
 * usage: fuzz_NAME CORPUS [MUTATIONS-A-FILE]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/rng.h"
#include "tests/fuzz/fuzz.h"

static void mutate(struct rng *r, struct text seed)
{
    struct buf b;
    buf_init(&b);
    buf_text(&b, seed);
    for (int k = rng_below(r, 4); k >= 0 && b.n; k--) {
        size_t at = (size_t)rng_below(r, (int)b.n);
        switch (rng_below(r, 5)) {
        case 0:
            b.s[at] = (char)rng_below(r, 256);
            break;
        case 1:
            b.s[at] ^= (char)(1 << rng_below(r, 8));
            break;
        case 2:
            b.n = at;
            break;
        case 3:
            memmove(b.s + at, b.s + at + 1, b.n - at - 1);
            b.n--;
            break;
        default: {
            char *copy = xstrndup(b.s + at, b.n - at);
            buf_add(&b, copy, (size_t)rng_below(r, (int)(b.n - at) + 1));
            free(copy);
        }
        }
    }
    fuzz_one((const unsigned char *)b.s, b.n);
    buf_release(&b);
}

int main(int argc, char **argv)
{
    struct rng r = {20261123};
    int n = 0;
    long mutations = argc > 2 ? strtol(argv[2], NULL, 10) : 300;
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
    if (!d) {
        printf("not ok 1 - no corpus %s\n", argc > 1 ? argv[1] : "given");
        return 1;
    }
    for (struct dirent *f; (f = readdir(d));) {
        char *path = file_join_dup(argv[1], f->d_name);
        struct text seed;
        struct err e;
        if (!file_is_dir(path) && !file_read(path, &seed, &e)) {
            fuzz_one((const unsigned char *)seed.s, seed.n);
            for (long i = 0; i < mutations; i++)
                mutate(&r, seed);
            free((void *)seed.s);
            printf("ok %d - %s\n", ++n, f->d_name);
        }
        free(path);
    }
    closedir(d);
    return n == 0;
}
