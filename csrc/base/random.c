#include "base/random.h"

#include <math.h>

enum { WORDS = 624, AHEAD = 397 };

void lt_random_seed(lt_random *r, uint64_t seed)
{
    r->word[0] = (uint32_t)seed;
    for (int i = 1; i < WORDS; i++)
        r->word[i] = 1812433253u * (r->word[i - 1] ^ (r->word[i - 1] >> 30)) + (uint32_t)i;
    r->position = WORDS;
    r->has_normal = 0;
    r->next_normal = 0;
}

// Of word 0 only the highest bit counts; where it and all other words are 0 the stream is 0 for ever, and no seed leads
// there. The value that waits is at most sqrt(-2 log 2^-53) = 8.58.
bool lt_random_valid(const lt_random *r)
{
    uint32_t any = r->word[0] & 0x80000000u;
    for (int i = 1; i < WORDS; i++)
        any |= r->word[i];
    return any != 0 && r->position >= 0 && r->position <= WORDS && (r->has_normal == 0 || r->has_normal == 1) &&
           fabs(r->next_normal) < 8.6;
}

// Four words at a time: what every processor's vectors hold.
typedef uint32_t four __attribute__((vector_size(16)));
typedef uint32_t four_u __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t four_signed __attribute__((vector_size(16)));
typedef float four_floats __attribute__((vector_size(16)));
typedef float four_floats_u __attribute__((vector_size(16), aligned(4), may_alias));

// Of one word or of four.
#define TWIST(a, b, far) ((far) ^ ((((a)&0x80000000u) | ((b)&0x7fffffffu)) >> 1) ^ (-((b)&1) & 0x9908b0dfu))
#define TEMPER(y)                                                                                                      \
    ((y) ^= (y) >> 11, (y) ^= ((y) << 7) & 0x9d2c5680u, (y) ^= ((y) << 15) & 0xefc60000u, (y) ^= (y) >> 18)

// Words [from, to): each depends on those 1 and `far` words further on, which are at least 4 away.
static void twist(uint32_t *w, int from, int to, int far)
{
    int i = from;
    for (; i + 4 <= to; i += 4) {
        const four a = *(const four_u *)(w + i), b = *(const four_u *)(w + i + 1);
        *(four_u *)(w + i) = TWIST(a, b, *(const four_u *)(w + i + far));
    }
    for (; i < to; i++)
        w[i] = TWIST(w[i], w[i + 1], w[i + far]);
}

// Matsumoto & Nishimura 1998, the 32-bit generator with its usual constants.
static void refill(lt_random *r)
{
    uint32_t *w = r->word;
    twist(w, 0, WORDS - AHEAD, AHEAD);
    twist(w, WORDS - AHEAD, WORDS - 1, AHEAD - WORDS);
    w[WORDS - 1] = TWIST(w[WORDS - 1], w[0], w[AHEAD - 1]);
    r->position = 0;
}

uint32_t lt_random_u32(lt_random *r)
{
    if (r->position >= WORDS)
        refill(r);
    uint32_t y = r->word[r->position++];
    TEMPER(y);
    return y;
}

uint64_t lt_random_u64(lt_random *r)
{
    uint64_t high = lt_random_u32(r);
    return high << 32 | lt_random_u32(r);
}

float lt_random_uniform(lt_random *r)
{
    return (float)(lt_random_u32(r) & 0xFFFFFF) * 0x1p-24f;
}

void lt_random_fill_uniform(lt_random *r, float *x, int64_t n)
{
    while (n > 0) {
        if (r->position >= WORDS)
            refill(r);
        const int64_t left = WORDS - r->position, count = n < left ? n : left, whole = count / 4 * 4;
        for (int64_t i = 0; i < whole; i += 4) {
            four y = *(const four_u *)(r->word + r->position + i);
            TEMPER(y);
            *(four_floats_u *)(x + i) = __builtin_convertvector((four_signed)(y & 0xFFFFFF), four_floats) * 0x1p-24f;
        }
        r->position += (int)whole;
        for (int64_t i = whole; i < count; i++)
            x[i] = lt_random_uniform(r);
        x += count;
        n -= count;
    }
}

// Box-Muller on a block of 16 uniforms: eight pairs (d[j], d[j + 8]).
static void normal_block(float *d)
{
    for (int j = 0; j < 8; j++) {
        float u1 = 1 - d[j], u2 = d[j + 8];
        float radius = sqrtf(-2 * logf(u1)), angle = 2.0f * (float)M_PI * u2;
        d[j] = radius * cosf(angle);
        d[j + 8] = radius * sinf(angle);
    }
}

// The short path works in double precision on 53-bit uniforms and keeps the second value of each pair.
static double normal_one(lt_random *r)
{
    if (r->has_normal) {
        r->has_normal = 0;
        return r->next_normal;
    }
    double u1 = (double)(lt_random_u64(r) & ((1ull << 53) - 1)) * 0x1p-53;
    double u2 = (double)(lt_random_u64(r) & ((1ull << 53) - 1)) * 0x1p-53;
    double radius = sqrt(-2 * log1p(-u2)), angle = 2 * M_PI * u1;
    r->next_normal = radius * sin(angle);
    r->has_normal = 1;
    return radius * cos(angle);
}

void lt_random_fill_normal(lt_random *r, float *x, int64_t n)
{
    if (n < 16) {
        for (int64_t i = 0; i < n; i++)
            x[i] = (float)normal_one(r);
        return;
    }
    lt_random_fill_uniform(r, x, n);
    for (int64_t i = 0; i + 16 <= n; i += 16)
        normal_block(x + i);
    if (n % 16) { // the last 16 are drawn afresh, over what the last whole block left
        lt_random_fill_uniform(r, x + n - 16, 16);
        normal_block(x + n - 16);
    }
}

int64_t lt_random_below(lt_random *r, int64_t n)
{
    if (n >= (int64_t)1 << 32)
        return (int64_t)(lt_random_u64(r) % (uint64_t)n);
    return (int64_t)(lt_random_u32(r) % (uint32_t)n);
}

void lt_random_permutation(lt_random *r, int32_t *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = (int32_t)i;
    for (int64_t i = 0; i + 1 < n; i++) {
        int64_t j = i + (int64_t)(lt_random_u32(r) % (uint32_t)(n - i));
        int32_t swap = p[i];
        p[i] = p[j];
        p[j] = swap;
    }
}
