/* Probabilities of two-sided tests, and their correction where many are made. Pure arithmetic. */
#ifndef KVLAB_STATS_P_H
#define KVLAB_STATS_P_H

/* The regularised incomplete beta function I_x(a, b), 0 <= x <= 1; y is 1 - x, which the caller
 * may know more exactly. */
double stats_beta(double a, double b, double x, double y);

/* Exact sign test: as likely or less, where winning and losing are equally likely. 1 for none. */
double stats_sign_p(int won, int lost);

/* Student's t, |t| or more; degrees need not be whole. NaN where either is NaN. */
double stats_t_p(double t, double degrees);

/* Benjamini and Hochberg's: of those tests whose adjusted p is below q, a share q is expected to
 * be wrong. NaN is no test: not counted, and left. p and adjusted may be the same array. */
void stats_adjust(const double *p, int n, double *adjusted);

#endif
