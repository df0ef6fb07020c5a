// What a user sets once for everything that follows. Each is of the calling thread and read at every call; lt_parallel
// hands it on to the threads that help.
#ifndef LT_BASE_SETTINGS_H
#define LT_BASE_SETTINGS_H

// What matrix products and convolutions make of their inputs: nothing, or bfloat16.
typedef enum { LT_PRECISION_FLOAT32, LT_PRECISION_BF16 } lt_precision_mode;

lt_precision_mode lt_precision(void);
void lt_precision_set(lt_precision_mode mode);

// How convolutions are computed: the fastest way, or always as the sum of the definition.
typedef enum { LT_CONVOLUTION_AUTO, LT_CONVOLUTION_DIRECT } lt_convolution_mode;

lt_convolution_mode lt_convolution(void);
void lt_convolution_set(lt_convolution_mode mode);

#endif
