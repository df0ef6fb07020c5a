// Names for one instruction set's copy of a kernel file: LT_NAME(lt_gemm) is lt_gemm_avx2 when compiled with
// -DLT_ISA=avx2. Private to csrc/kernel.
#ifndef LT_KERNEL_ISA_H
#define LT_KERNEL_ISA_H

#ifndef LT_ISA
#define LT_ISA portable
#endif
#define LT_PASTE_(a, b) a##_##b
#define LT_PASTE(a, b)  LT_PASTE_(a, b)
#define LT_NAME(name)   LT_PASTE(name, LT_ISA)

#endif
