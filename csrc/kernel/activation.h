// The functions that a kernel may apply to its result while it still has the numbers in registers.
#ifndef LT_KERNEL_ACTIVATION_H
#define LT_KERNEL_ACTIVATION_H

typedef enum {
    LT_LINEAR, // none
    LT_RELU,
    LT_LEAKY_RELU, // the only one with a setting: the slope below zero
    LT_SILU,
    LT_GELU,
    LT_GELU_TANH,
    LT_ACTIVATIONS // how many
} lt_activation;

#endif
