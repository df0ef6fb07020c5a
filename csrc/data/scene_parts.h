// The parts of a scene as functions of a place: signed distances of shapes, textures, backgrounds. Private to scene.c.
#ifndef LT_DATA_SCENE_PARTS_H
#define LT_DATA_SCENE_PARTS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/minmax.h"

typedef struct {
    float r, g, b;
} lt_rgb;

// Without SSE4.1 the library's floorf is a call, and this is most of what drawing does.
static inline float lt_floor(float x) // |x| below 2^31
{
    float t = (float)(int32_t)x;
    return t - (float)(t > x);
}

static inline float lt_clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static inline float lt_mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

static inline lt_rgb lt_mix_rgb(lt_rgb a, lt_rgb b, float t)
{
    return (lt_rgb){lt_mix(a.r, b.r, t), lt_mix(a.g, b.g, t), lt_mix(a.b, b.b, t)};
}

// How much of a pixel of side `pixel` lies inside a boundary at signed distance d (negative: inside).
static inline float lt_cover(float d, float pixel)
{
    return lt_clamp01(0.5f - d / pixel);
}

// Signed distance to shape (1 .. LT_SCENE_SHAPES) of about unit radius; y points down. Negative inside. Exact on the
// boundary and within; beyond a corner it may be smaller than the true distance.
float lt_shape_distance(int shape, float x, float y);

// Part of the second colour (0 .. 1) at a place of an object, in units of the picture's side.
float lt_texture(int texture, float x, float y, float pixel);

// A background: `paint` gives its colour at (x, y) in 0 .. 1. `seed` decides what no caption tells. The rest is kept
// between calls only to save work.
typedef struct {
    bool valid;
    int32_t i;
    float y, left, right;
} lt_noise;

typedef struct lt_ground lt_ground;
typedef lt_rgb (*lt_painter)(lt_ground *ground, float x, float y, float pixel);

struct lt_ground {
    lt_painter paint;
    uint32_t seed;
    float chance[2];
    lt_noise layer[2];
};

void lt_ground_init(lt_ground *ground, int background, uint32_t seed); // background: 1 .. LT_SCENE_BACKGROUNDS

#endif
