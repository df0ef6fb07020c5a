// mt19937 and PyTorch's CPU streams: the same seed gives the numbers of torch.manual_seed, rand and randn.
#ifndef LT_BASE_RANDOM_H
#define LT_BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t word[624];
    int position;   // next word; 624: refill first
    int has_normal; // a second normal value of the short path is waiting
    double next_normal;
} lt_random;

void lt_random_seed(lt_random *r, uint64_t seed); // the low 32 bits count, as in PyTorch
bool lt_random_valid(const lt_random *r);         // can a generator be in this state?
uint32_t lt_random_u32(lt_random *r);
uint64_t lt_random_u64(lt_random *r);
float lt_random_uniform(lt_random *r);                           // one value in [0, 1), 24 bits
void lt_random_fill_uniform(lt_random *r, float *x, int64_t n);  // torch.rand
void lt_random_fill_normal(lt_random *r, float *x, int64_t n);   // torch.randn, both of its paths
int64_t lt_random_below(lt_random *r, int64_t n);                // integer in [0, n), n >= 1: torch.randint
void lt_random_permutation(lt_random *r, int32_t *p, int64_t n); // a permutation of 0 .. n-1, as torch.randperm

#endif
