// Picks one instruction set's tables, once, and in them, at every product, those of the precision that is set. Compiled
// once, with no instruction set of its own.
#include <cblas.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "base/error.h"
#include "base/gain.h"
#include "base/settings.h"
#include "base/threads.h"
#include "kernel/bf16.h"
#include "kernel/kernel.h"

#define TABLES(set)                                                                                                    \
    extern const lt_pointwise_kernels lt_pointwise_##set;                                                              \
    extern const lt_copy_kernels lt_copy_##set;                                                                        \
    extern const lt_index_kernels lt_index_##set;                                                                      \
    extern const lt_reduce_kernels lt_reduce_##set;                                                                    \
    extern const lt_softmax_kernels lt_softmax_##set;                                                                  \
    extern const lt_loss_kernels lt_loss_##set;                                                                        \
    extern const lt_moments_kernels lt_moments_##set;                                                                  \
    extern const lt_norm_kernels lt_norm_##set;                                                                        \
    extern const lt_update_kernels lt_update_##set;                                                                    \
    extern const lt_gemm_kernels lt_gemm_##set;                                                                        \
    extern const lt_conv_kernels lt_conv_##set;                                                                        \
    extern const lt_pool_kernels lt_pool_##set;                                                                        \
    extern const lt_resample_kernels lt_resample_##set;                                                                \
    extern const lt_spline_kernels lt_spline_##set;                                                                    \
    extern const lt_symmetric_kernels lt_symmetric_##set;                                                              \
    extern const lt_threshold_kernels lt_threshold_##set;                                                              \
    extern const lt_attention_kernels lt_attention_##set;                                                              \
    extern const lt_peak_kernels lt_peak_##set;                                                                        \
    extern const lt_product_kernels lt_rounded_##set;                                                                  \
    static const lt_kernels kernels_##set = {                                                                          \
        .pointwise = &lt_pointwise_##set,                                                                              \
        .copy = &lt_copy_##set,                                                                                        \
        .index = &lt_index_##set,                                                                                      \
        .reduce = &lt_reduce_##set,                                                                                    \
        .softmax = &lt_softmax_##set,                                                                                  \
        .loss = &lt_loss_##set,                                                                                        \
        .moments = &lt_moments_##set,                                                                                  \
        .norm = &lt_norm_##set,                                                                                        \
        .update = &lt_update_##set,                                                                                    \
        .gemm = &lt_gemm_##set,                                                                                        \
        .conv = &lt_conv_##set,                                                                                        \
        .pool = &lt_pool_##set,                                                                                        \
        .resample = &lt_resample_##set,                                                                                \
        .spline = &lt_spline_##set,                                                                                    \
        .symmetric = &lt_symmetric_##set,                                                                              \
        .threshold = &lt_threshold_##set,                                                                              \
        .attention = &lt_attention_##set,                                                                              \
        .peak = &lt_peak_##set,                                                                                        \
    }

#define BF16_TABLES(set)                                                                                               \
    extern const lt_gemm_kernels lt_gemm_##set;                                                                        \
    extern const lt_conv_kernels lt_conv_##set;                                                                        \
    extern const lt_attention_kernels lt_attention_##set;                                                              \
    extern const lt_peak_kernels lt_peak_##set;                                                                        \
    static const lt_product_kernels products_##set = {                                                                 \
        .gemm = &lt_gemm_##set, .conv = &lt_conv_##set, .attention = &lt_attention_##set}

TABLES(portable);
#if defined(__x86_64__)
TABLES(avx2);
TABLES(avx512);
#if defined(LT_HAVE_avx512bf16) // the compiler knows them
BF16_TABLES(avx512bf16);
#endif

#if defined(LT_HAVE_amx)
BF16_TABLES(amx);

// AMX, and the kernel's leave to use its registers, which has to be asked for once.
static bool amx_here(void)
{
#if defined(LT_AMX_EMULATED)
    return true;
#elif defined(__linux__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 22 & 1) && (edx >> 24 & 1) && // BF16, TILE
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}
#endif
#elif defined(__aarch64__)
TABLES(neon);
#if defined(LT_HAVE_neonbf16)
BF16_TABLES(neonbf16);

static bool bf16_here(void)
{
#if defined(__linux__)
    enum { BF16 = 1 << 14 }; // HWCAP2_BF16, which older headers do not have
    return getauxval(AT_HWCAP2) & BF16;
#elif defined(__APPLE__)
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_BF16", &has, &size, NULL, 0) == 0 && has;
#else
    return false;
#endif
}
#endif
#endif

// A set's kernels of both precisions.
typedef struct {
    const char *isa;
    const lt_kernels *full;
    const lt_product_kernels *bf16;
    bool here; // has this processor everything that the compiler flags allow the compiler to use (see the Makefile)?
    const lt_peak_kernels *peak; // NULL: that of `full`
} set;

#if defined(__x86_64__)
static bool f16c_here(void) // clang's __builtin_cpu_supports does not know it
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx >> 29 & 1);
}
#endif

// Best first. Returns their number.
static int list_sets(set *sets)
{
    int n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c_here();
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#if defined(LT_HAVE_amx)
    sets[n++] = (set){"amx", &kernels_avx512, &products_amx,
                      avx512 && __builtin_cpu_supports("avx512bf16") && amx_here(), &lt_peak_amx};
#endif
#if defined(LT_HAVE_avx512bf16)
    sets[n++] = (set){"avx512bf16", &kernels_avx512, &products_avx512bf16,
                      avx512 && __builtin_cpu_supports("avx512bf16"), &lt_peak_avx512bf16};
#endif
    sets[n++] = (set){"avx512", &kernels_avx512, &lt_rounded_avx512, avx512, NULL};
    sets[n++] = (set){"avx2", &kernels_avx2, &lt_rounded_avx2, avx2, NULL};
#elif defined(__aarch64__)
#if defined(LT_HAVE_neonbf16)
    sets[n++] = (set){"neonbf16", &kernels_neon, &products_neonbf16, bf16_here(), &lt_peak_neonbf16};
#endif
    sets[n++] = (set){"neon", &kernels_neon, &lt_rounded_neon, true, NULL};
#endif
    sets[n++] = (set){"portable", &kernels_portable, &lt_rounded_portable, true, NULL};
    return n;
}

// Both are of the process and written once, by the first thread that opens the module, under the process's lock, which
// every other thread takes when it opens it.
lt_kernels lt_k;
static lt_product_kernels products[LT_PRECISIONS];

// A product that is too small for bfloat16 to gain is computed in float32, unless all are to be rounded.
static const lt_gemm_kernels *gemm_of(const lt_gemm_args *p)
{
    const lt_precision_mode mode = lt_precision();
    return products[mode == LT_PRECISION_BF16 && !lt_bf16_pays(p->m, p->n) ? LT_PRECISION_FLOAT32 : mode].gemm;
}

// What lt_k holds of products: asks for the precision, then goes on.
static int gemm_run(const lt_gemm_args *p)
{
    return gemm_of(p)->run(p);
}

static int gemm_batched(const lt_gemm_args *p, int64_t batch, const int64_t *offset_a, const int64_t *offset_b)
{
    return gemm_of(p)->batched(p, batch, offset_a, offset_b);
}

static int conv_forward(const lt_conv_shape *s, const float *x, const float *weight, const lt_conv_terms *terms,
                        float *y)
{
    return products[lt_precision()].conv->forward(s, x, weight, terms, y);
}

static int conv_input_gradient(const lt_conv_shape *s, const float *dy, const float *weight, const lt_conv_terms *terms,
                               float *dx)
{
    return products[lt_precision()].conv->input_gradient(s, dy, weight, terms, dx);
}

static int conv_weight_gradient(const lt_conv_shape *s, const float *x, const float *dy, float *dweight)
{
    return products[lt_precision()].conv->weight_gradient(s, x, dy, dweight);
}

static int attention_forward(const lt_attention_shape *s, const float *q, const float *k, const float *v, float *out,
                             float *lse)
{
    return products[lt_precision()].attention->forward(s, q, k, v, out, lse);
}

static int attention_backward(const lt_attention_shape *s, const float *q, const float *k, const float *v,
                              const float *out, const float *lse, const float *dout, float *dq, float *dk, float *dv)
{
    return products[lt_precision()].attention->backward(s, q, k, v, out, lse, dout, dq, dk, dv);
}

static void use(const set *chosen)
{
    static const lt_gemm_kernels gemm = {.run = gemm_run, .batched = gemm_batched};
    static const lt_conv_kernels conv = {
        .forward = conv_forward, .input_gradient = conv_input_gradient, .weight_gradient = conv_weight_gradient};
    static const lt_attention_kernels attention = {.forward = attention_forward, .backward = attention_backward};
    lt_k = *chosen->full;
    products[LT_PRECISION_FLOAT32] = (lt_product_kernels){lt_k.gemm, lt_k.conv, lt_k.attention};
    products[LT_PRECISION_ROUNDED] = *chosen->bf16;
    lt_k.bf16 = lt_bf16_gain(lt_processor_here(), chosen->isa);
    products[LT_PRECISION_BF16] = products[lt_k.bf16.faster ? LT_PRECISION_ROUNDED : LT_PRECISION_FLOAT32];
    lt_k.isa = chosen->isa;
    lt_k.peak = chosen->peak ? chosen->peak : lt_k.peak;
    lt_k.gemm_float32 = lt_k.gemm;
    lt_k.gemm = &gemm;
    lt_k.conv = &conv;
    lt_k.attention = &attention;
}

static int choose(const char *forced)
{
    set sets[LT_MOST_SETS];
    int n = list_sets(sets), i = 0;
    while (i < n && !(forced ? !strcmp(forced, sets[i].isa) : sets[i].here))
        i++;
    if (i == n)
        return lt_fail("unknown instruction set '%s'", forced);
    if (!sets[i].here)
        return lt_fail("instruction set '%s' is not of this processor", forced);
    use(&sets[i]);
    openblas_set_num_threads(1); // it runs inside our pieces, never beside them
    return LT_OK;
}

int lt_kernels_init(const char *forced)
{
    int status = LT_OK;
    if (forced && !*forced)
        forced = NULL;
    lt_process_lock();
    if (!lt_k.isa)
        status = choose(forced);
    else if (forced && strcmp(forced, lt_k.isa) != 0)
        status = lt_fail("'%s' comes too late: this process computes with '%s'", forced, lt_k.isa);
    lt_process_unlock();
    return status;
}

int lt_kernels_here(const char *names[LT_MOST_SETS])
{
    set sets[LT_MOST_SETS];
    int n = list_sets(sets), here = 0;
    for (int i = 0; i < n; i++)
        if (sets[i].here)
            names[here++] = sets[i].isa;
    return here;
}
