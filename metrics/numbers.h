/* Runs of decimal digits, of any script, as re's \d+ finds them. */
#ifndef KVLAB_NUMBERS_H
#define KVLAB_NUMBERS_H

#include "harness/base/text.h"

/* How many of the runs in t are, as strings, `wanted`; 0.0 when there is no run. */
double numbers_share(struct text t, struct text wanted);

/* The digits of the first match of label(\d+); false when there is none. */
bool numbers_after(struct text t, struct text label, struct text *digits);

#endif
