/* What an experiment changes one at a time: from the ablations that its configuration declares, or
 * found among its settings beside one of them. */
#ifndef KVLAB_ABLATION_DATA_H
#define KVLAB_ABLATION_DATA_H

#include "harness/store/store.h"

/* A run with one factor changed, or the base of it itself. */
struct ablation_change {
    char *ablation; // its name; "": found, not declared
    char *factor;   // "kvo.key_bits"
    char *value;
    int64_t run, base; // ids; equal of the base
};

/* Changes of one ablation are together, of these those of one factor, its base first. */
struct ablation_changes {
    struct ablation_change *v;
    int n;
};

/* baseline: NULL: what is declared. Else the settings that differ from that one in one option, of
 * the same chain of methods. */
int ablation_changes_load(struct ablation_changes *c, struct store *s, int64_t experiment,
                          const char *baseline, struct err *e);
void ablation_changes_release(struct ablation_changes *c);

#endif
