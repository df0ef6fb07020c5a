// Floor 1: every loop over the elements of tensors, on float*, uint8_t*, int32_t* and sizes. An operation (csrc/op)
// checks shapes, allocates, records on the tape, merges axes and cuts the work into pieces for threads; it reads and
// writes elements only through the table lt_k, so that another device could stand behind that table one day. A loop
// that a new operation needs goes into the family it is like:
//
//   pointwise    every element by itself                  reduce, softmax, norm    many values to few, and back
//   copy         values moved, repeated, converted        gemm, conv, attention    products
//   index        places that an array of integers names   pool, resample           neighbours in a picture
//   loss         terms of losses and their slopes         spline, moments, threshold, update, peak,
//                                                         symmetric                                one user each
//
// Every file <family>.c here is compiled once for each instruction set (see the Makefile: portable, avx2, avx512, neon)
// with LT_ISA naming it, and defines one constant table of functions. dispatch.c picks the best set that the processor
// has, once, at load; LATERNA_ISA forces one.
#ifndef LT_KERNEL_KERNEL_H
#define LT_KERNEL_KERNEL_H

#include "base/gain.h"
#include "kernel/attention.h"
#include "kernel/conv.h"
#include "kernel/copy.h"
#include "kernel/gemm.h"
#include "kernel/index.h"
#include "kernel/loss.h"
#include "kernel/moments.h"
#include "kernel/norm.h"
#include "kernel/peak.h"
#include "kernel/pointwise.h"
#include "kernel/pool.h"
#include "kernel/reduce.h"
#include "kernel/resample.h"
#include "kernel/softmax.h"
#include "kernel/spline.h"
#include "kernel/symmetric.h"
#include "kernel/threshold.h"
#include "kernel/update.h"

typedef struct {
    const char *isa; // "portable", "avx2", "avx512", "avx512bf16", "amx", "neon", "neonbf16"
    lt_gain bf16;    // of this set on this processor
    const lt_pointwise_kernels *pointwise;
    const lt_copy_kernels *copy;
    const lt_index_kernels *index;
    const lt_reduce_kernels *reduce;
    const lt_softmax_kernels *softmax;
    const lt_loss_kernels *loss;
    const lt_moments_kernels *moments;
    const lt_norm_kernels *norm;
    const lt_update_kernels *update;
    const lt_gemm_kernels *gemm;
    const lt_gemm_kernels *gemm_float32; // whatever the precision, for what rounded inputs would spoil
    const lt_conv_kernels *conv;
    const lt_pool_kernels *pool;
    const lt_resample_kernels *resample;
    const lt_attention_kernels *attention;
    const lt_spline_kernels *spline;
    const lt_symmetric_kernels *symmetric;
    const lt_threshold_kernels *threshold;
    const lt_peak_kernels *peak;
} lt_kernels;

extern lt_kernels lt_k; // lt_k.gemm->...; filled by lt_kernels_init

// Chooses the instruction set, once a process; `forced` may be NULL or empty. LT_FAIL when the forced one is unknown,
// not of this machine, or another than was chosen before.
int lt_kernels_init(const char *forced);

// The sets of this machine, best first; returns their number.
enum { LT_MOST_SETS = 8 };
int lt_kernels_here(const char *names[LT_MOST_SETS]);

#endif
