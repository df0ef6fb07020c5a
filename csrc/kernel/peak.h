// What the processor can do at best, measured: the figures that times of kernels are set against.
#ifndef LT_KERNEL_PEAK_H
#define LT_KERNEL_PEAK_H

typedef struct {
    double fp32;   // GF/s of float32 multiply-adds (two operations each), all threads
    double bf16;   // the same of bfloat16 products summed in float32; 0: this instruction set has none
    double memory; // GB/s of y = s x over arrays far larger than the caches, bytes read and bytes written
} lt_peak;

typedef struct {
    int (*measure)(lt_peak *out); // takes about 0.2 s; LT_FAIL when there is no memory
} lt_peak_kernels;

#endif
