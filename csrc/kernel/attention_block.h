// What forward and gradient of attention share: blocks of queries by blocks of keys. Private to csrc/kernel.
//
// A block of scores is up to 96 queries by 512 keys, 196 KB: with the keys and values packed beside it, it stays in a
// second-level cache of 512 KB and more. Rows of it lie an odd number of cache lines apart, so that a column's elements
// do not fall into the same few sets of the first-level cache.
//
// In bfloat16 (see bf16.h) the inputs of all products are rounded: those that are tensors by who calls, or while
// packed; probabilities and gradients of scores here, or while packed. Sums over p stay sums of what was not rounded.
#ifndef LT_KERNEL_ATTENTION_BLOCK_H
#define LT_KERNEL_ATTENTION_BLOCK_H

#include <math.h>
#include <string.h>

#include "base/settings.h"
#include "kernel/attention.h"
#include "kernel/isa.h"
#include "kernel/rounding.h"
#if defined(__AVX512BF16__) || defined(LT_NEON_BF16)
#include "kernel/panel_bf16.h"
enum { LT_ATTENTION_PAIRS = true };
#else
#include "kernel/panel.h"
enum { LT_ATTENTION_PAIRS = false };
LT_INLINE lt_vec lt_as_packed(lt_vec x)
{
    return x;
}
#endif

enum { LT_ATTENTION_KEYS = 512, LT_ATTENTION_ITEMS = 16 };

// LT_FAIL only when scratch memory is short.
int LT_NAME(lt_attention_backward)(const lt_attention_shape *s, const float *q, const float *k, const float *v,
                                   const float *out, const float *lse, const float *dout, float *dq, float *dk,
                                   float *dv);

// Queries [first, first + rows) by keys [key, key + keys) of one head of one sample.
typedef struct {
    int64_t b, head, first, rows, key, keys;
} lt_attention_block;

// Equal blocks of up to `most`, a multiple of `unit`.
LT_INLINE int64_t lt_attention_cut(int64_t length, int64_t most, int64_t unit)
{
    int64_t blocks = (length + most - 1) / most;
    return ((length + blocks - 1) / blocks + unit - 1) / unit * unit;
}

LT_INLINE int64_t lt_attention_queries(const lt_attention_shape *s)
{
    return lt_min_i64(s->lq, lt_attention_cut(s->lq, LT_ROWS, 24));
}

LT_INLINE int64_t lt_attention_keys(const lt_attention_shape *s)
{
    return lt_min_i64(s->lk, lt_attention_cut(s->lk, LT_ATTENTION_KEYS, LT_NR_MAX));
}

// What a column of a packed panel of k rows takes, in floats: bfmmla reads two pairs at least (tile_neon_bf16.h).
LT_INLINE int64_t lt_attention_depth(int64_t k)
{
#if defined(LT_NEON_BF16)
    return lt_max_i64(k, lt_pairs(1));
#else
    return k;
#endif
}

// Floats from one row of scores to the next.
LT_INLINE int64_t lt_attention_ld(const lt_attention_shape *s)
{
    return lt_panel_room(lt_attention_keys(s)) + 16;
}

// Offset of (batch, position, head) in a tensor of `length` positions, `step` apart.
LT_INLINE int64_t lt_attention_at(const lt_attention_shape *s, int64_t b, int64_t length, int64_t position,
                                  int64_t head, int64_t step)
{
    return (b * length + position) * step + head * s->d;
}

// How many of a block's keys its query i may see as far as `causal` goes: the first of them.
LT_INLINE int64_t lt_attention_seen(const lt_attention_shape *s, const lt_attention_block *at, int64_t i)
{
    if (!s->causal)
        return at->keys;
    return lt_max_i64(0, lt_min_i64(at->keys, at->first + i + s->lk - s->lq + 1 - at->key));
}

// A row that a product is to read; packing it in pairs would round it anyway.
LT_INLINE void lt_attention_round(float *row, int64_t n)
{
    if (!LT_ATTENTION_PAIRS && lt_precision() == LT_PRECISION_ROUNDED)
        lt_round_floats(row, n, row);
}

// Scores of a block, -inf where a key may not be seen. keys: scale k', packed. The block has no more keys than its last
// query may see.
static __attribute__((unused)) void lt_attention_scores(const lt_attention_shape *s, const float *q,
                                                        const lt_attention_block *at, const lt_panels *keys,
                                                        float *score)
{
    const int64_t ld = lt_attention_ld(s);
    lt_rows_times_panels(q + lt_attention_at(s, at->b, s->lq, at->first, at->head, s->q_step), s->q_step, at->rows,
                         keys, 0, at->keys, NULL, 0, score, ld);
    if (LT_ATTENTION_PAIRS) // panels of pairs hold k', not scale k'
        for (int64_t i = 0; i < at->rows; i++)
            for (int64_t c = 0; c < at->keys; c++)
                score[i * ld + c] *= s->scale;
    if (!s->mask && !s->causal)
        return;
    for (int64_t i = 0; i < at->rows; i++) {
        float *row = score + i * ld;
        if (s->mask) {
            const float *mask = s->mask + at->b * s->mask_n + at->head * s->mask_h + (at->first + i) * s->mask_q;
            for (int64_t c = 0; c < at->keys; c++)
                row[c] = mask[at->key + c] != 0 ? row[c] : -INFINITY;
        }
        for (int64_t c = lt_attention_seen(s, at, i); c < at->keys; c++)
            row[c] = -INFINITY;
    }
}

#endif
