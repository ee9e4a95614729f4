/* Built with the AVX-512 flags, run where cpuid says so. */
#ifdef __x86_64__
#include "harness/tensor/kernels_avx512.h"

KERNELS(avx512, unpack, unpack_rows, scores_codes, mix_codes)
#else
typedef int kernels_avx512_needs_x86_64;
#endif
