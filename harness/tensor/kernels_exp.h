/*
 * exp() for vectors, over the operations of kernels_simd.h and three more: v_min, v_round (to
 * nearest even) and v_scale2 (x * 2^i for whole i).
 *
 * exp(x) = 2^i * exp(r) with i = round(x / ln 2), |r| <= ln 2 / 2, ln 2 in two parts (Cody and
 * Waite) and exp(r) a polynomial of degree 6 (Taylor's terms, Horner). At most 2 ulp from the true
 * value on [-87, 88]; below -87 the result is 0, as e^-87 is of no account beside a maximum of 1.
 */
static inline vec v_exp(vec x)
{
    vec low = v_set1(-87.0f);
    vec c = v_min(v_max(x, low), v_set1(88.0f));
    vec i = v_round(v_mul(c, v_set1(1.44269504088896341f)));
    vec r = v_fma(i, v_set1(-0.693359375f), c);
    r = v_fma(i, v_set1(2.12194440e-4f), r);
    vec p = v_set1(1.0f / 720.0f);
    p = v_fma(p, r, v_set1(1.0f / 120.0f));
    p = v_fma(p, r, v_set1(1.0f / 24.0f));
    p = v_fma(p, r, v_set1(1.0f / 6.0f));
    p = v_fma(p, r, v_set1(0.5f));
    p = v_fma(p, r, v_set1(1.0f));
    p = v_fma(p, r, v_set1(1.0f));
    return v_zero_below(v_scale2(p, i), x, low);
}
