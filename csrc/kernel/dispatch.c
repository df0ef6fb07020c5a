// Picks one instruction set's tables, once. Compiled once, with no instruction set of its own.
#include <cblas.h>
#include <string.h>

#include "base/error.h"
#include "kernel/kernel.h"

#define TABLES(set)                                                                                                    \
    extern const lt_pointwise_kernels lt_pointwise_##set;                                                              \
    extern const lt_reduce_kernels lt_reduce_##set;                                                                    \
    extern const lt_softmax_kernels lt_softmax_##set;                                                                  \
    extern const lt_norm_kernels lt_norm_##set;                                                                        \
    extern const lt_update_kernels lt_update_##set;                                                                    \
    extern const lt_gemm_kernels lt_gemm_##set;                                                                        \
    extern const lt_conv_kernels lt_conv_##set;                                                                        \
    extern const lt_pool_kernels lt_pool_##set;                                                                        \
    extern const lt_resample_kernels lt_resample_##set;                                                                \
    extern const lt_attention_kernels lt_attention_##set;                                                              \
    static const lt_kernels kernels_##set = {                                                                          \
        .isa = #set,                                                                                                   \
        .pointwise = &lt_pointwise_##set,                                                                              \
        .reduce = &lt_reduce_##set,                                                                                    \
        .softmax = &lt_softmax_##set,                                                                                  \
        .norm = &lt_norm_##set,                                                                                        \
        .update = &lt_update_##set,                                                                                    \
        .gemm = &lt_gemm_##set,                                                                                        \
        .conv = &lt_conv_##set,                                                                                        \
        .pool = &lt_pool_##set,                                                                                        \
        .resample = &lt_resample_##set,                                                                                \
        .attention = &lt_attention_##set,                                                                              \
    }

TABLES(portable);
#if defined(__x86_64__)
TABLES(avx2);
TABLES(avx512);
#endif

lt_kernels lt_k;

// Best first. Each set needs everything that its compiler flags allow the compiler to use (see the Makefile).
static const lt_kernels *best(const char *forced, bool *known)
{
    *known = false;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    struct {
        const lt_kernels *kernels;
        bool here;
    } sets[] = {{&kernels_avx512, avx512}, {&kernels_avx2, avx2}, {&kernels_portable, true}};
#else
    struct {
        const lt_kernels *kernels;
        bool here;
    } sets[] = {{&kernels_portable, true}};
#endif
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (forced && strcmp(forced, sets[i].kernels->isa))
            continue;
        *known = true;
        if (sets[i].here)
            return sets[i].kernels;
    }
    return NULL;
}

int lt_kernels_init(const char *forced)
{
    bool known;
    const lt_kernels *chosen = best(forced, &known);
    if (!chosen)
        return lt_fail(known ? "instruction set '%s' is not of this processor" : "unknown instruction set '%s'",
                       forced);
    lt_k = *chosen;
    openblas_set_num_threads(1); // it runs inside our pieces, never beside them
    return LT_OK;
}
