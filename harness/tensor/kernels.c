#include "harness/tensor/kernels.h"

#include <assert.h>
#include <string.h>

static bool runs_here(const struct kernels *kn)
{
#ifdef __x86_64__
    if (!__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
        return kn == &kernels_plain;
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (kn == &kernels_avx512)
        return avx512;
    if (kn == &kernels_avx512vbmi)
        return avx512 && __builtin_cpu_supports("avx512vbmi") &&
               __builtin_cpu_supports("avx512vbmi2");
    if (kn == &kernels_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return kn == &kernels_plain;
}

static const struct kernels *const levels[] = {
#ifdef __x86_64__
    &kernels_avx512vbmi,
    &kernels_avx512,
    &kernels_avx2,
#endif
    &kernels_plain,
};

const struct kernels *kernels_best(void)
{
    size_t i = 0, last = sizeof levels / sizeof *levels - 1; // the last runs everywhere
    while (i < last && !runs_here(levels[i]))
        i++;
    return levels[i];
}

const struct kernels *kernels_named(const char *name)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(levels[i]->name, name))
            return runs_here(levels[i]) ? levels[i] : NULL;
    return NULL;
}

void kernels_matmul(const struct kernels *kn, float *out, int ld_out, const float *x, int ld_x,
                    int m, const void *w, enum dtype format, int n, int k)
{
    assert(format == DT_F32 || format == DT_F16 || format == DT_BF16);
    if (format == DT_F32)
        kn->matmul_f32(out, ld_out, x, ld_x, m, w, n, k);
    else if (format == DT_F16)
        kn->matmul_f16(out, ld_out, x, ld_x, m, w, n, k);
    else
        kn->matmul_bf16(out, ld_out, x, ld_x, m, w, n, k);
}
