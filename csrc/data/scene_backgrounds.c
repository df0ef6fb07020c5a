// Backgrounds are functions of the place and a seed, made of gradients, value noise and jittered grids, so that a
// picture of 8 and one of 512 pixels show the same scene. Only + - * / floor: the same bits on every machine.
#include "data/scene_parts.h"

// A number in [0, 1) for a cell of a grid; `salt` tells the uses apart.
static float cell(uint32_t seed, int32_t i, int32_t j, uint32_t salt)
{
    uint32_t h = seed * 0x9e3779b1u ^ (uint32_t)i * 0x85ebca77u ^ (uint32_t)j * 0xc2b2ae3du ^ salt * 0x27d4eb2fu;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    h ^= h >> 15;
    return (float)(h >> 8) * (1.0f / 16777216.0f);
}

// Value noise: cells' numbers, smoothly interpolated, downwards and then across. Pictures are drawn row by row, so the
// two columns that a place lies between are kept until it leaves them.
static float column(const lt_ground *g, int32_t i, float y, uint32_t salt)
{
    float fy = lt_floor(y), v = y - fy;
    return lt_mix(cell(g->seed, i, (int32_t)fy, salt), cell(g->seed, i, (int32_t)fy + 1, salt), v * v * (3 - 2 * v));
}

static float noise(lt_ground *g, int layer, float x, float y)
{
    lt_noise *n = &g->layer[layer];
    float fx = lt_floor(x), u = x - fx;
    int32_t i = (int32_t)fx;
    if (!n->valid || n->i != i || n->y != y) {
        n->left = n->valid && n->i + 1 == i && n->y == y ? n->right : column(g, i, y, 16 + layer);
        n->right = column(g, i + 1, y, 16 + layer);
        n->valid = true;
        n->i = i;
        n->y = y;
    }
    return lt_mix(n->left, n->right, u * u * (3 - 2 * u));
}

// A sine-like wave of period 1 and height -1 .. 1, from two parabolas.
static float wave(float t)
{
    t = t - lt_floor(t);
    return t < 0.5f ? 16 * t * (0.5f - t) : -16 * (t - 0.5f) * (1 - t);
}

static float ramp(float x, float from, float to)
{
    float t = lt_clamp01((x - from) / (to - from));
    return t * t * (3 - 2 * t);
}

static lt_rgb day_sky(lt_ground *g, float x, float y, float pixel)
{
    lt_rgb sky = lt_mix_rgb((lt_rgb){0.30f, 0.56f, 0.90f}, (lt_rgb){0.72f, 0.87f, 0.98f}, y);
    float drift = 8 * g->chance[0];
    float cloud = 0.65f * noise(g, 0, x * 2.6f + drift, y * 5) + 0.35f * noise(g, 1, x * 6 + drift, y * 10);
    return lt_mix_rgb(sky, (lt_rgb){0.98f, 0.99f, 1}, 0.85f * ramp(cloud, 0.52f, 0.74f));
}

// Round spots, at most one in each cell of a jittered grid and never over its edge.
static float spots(const lt_ground *g, float x, float y, float pixel, float step, float radius, float chance)
{
    float u = x / step, v = y / step;
    int32_t i = (int32_t)lt_floor(u), j = (int32_t)lt_floor(v);
    if (cell(g->seed, i, j, 4) >= chance)
        return 0;
    float r = radius * (0.6f + 0.8f * cell(g->seed, i, j, 5));
    float room = 1 - 2 * lt_minf(0.5f, (r + pixel / 2) / step);
    float dx = (u - (float)i - 0.5f - room * (cell(g->seed, i, j, 6) - 0.5f)) * step;
    float dy = (v - (float)j - 0.5f - room * (cell(g->seed, i, j, 7) - 0.5f)) * step;
    // A spot smaller than a pixel is drawn one pixel wide and fainter.
    float wide = lt_maxf(r, pixel * 0.5f);
    return lt_cover(sqrtf(dx * dx + dy * dy) - wide, pixel) * lt_minf(1, 0.35f + 0.65f * r / wide);
}

static lt_rgb night_sky(lt_ground *g, float x, float y, float pixel)
{
    lt_rgb sky = lt_mix_rgb((lt_rgb){0.02f, 0.03f, 0.12f}, (lt_rgb){0.13f, 0.12f, 0.32f}, y);
    float star = spots(g, x, y, pixel, 0.14f, 0.010f, 0.5f);
    return lt_mix_rgb(sky, (lt_rgb){1, 0.98f, 0.85f}, star);
}

static lt_rgb sunset(lt_ground *g, float x, float y, float pixel)
{
    const lt_rgb top = {0.29f, 0.20f, 0.45f}, middle = {0.88f, 0.42f, 0.38f}, low = {0.99f, 0.80f, 0.45f};
    lt_rgb sky = y < 0.55f ? lt_mix_rgb(top, middle, y / 0.55f) : lt_mix_rgb(middle, low, (y - 0.55f) / 0.45f);
    float drift = 8 * g->chance[0];
    float band = noise(g, 0, x * 1.5f + drift, y * 14);
    return lt_mix_rgb(sky, (lt_rgb){0.55f, 0.24f, 0.42f}, 0.5f * ramp(band, 0.6f, 0.85f));
}

static lt_rgb grass(lt_ground *g, float x, float y, float pixel)
{
    float blades = noise(g, 0, x * 30, y * 9 + 2 * g->chance[0]);
    float patches = noise(g, 1, x * 4, y * 4);
    float light = 0.15f + 0.45f * blades + 0.4f * patches;
    lt_rgb green = lt_mix_rgb((lt_rgb){0.16f, 0.42f, 0.13f}, (lt_rgb){0.47f, 0.72f, 0.28f}, light);
    return lt_mix_rgb(green, (lt_rgb){0.66f, 0.82f, 0.45f}, 0.3f * (1 - y));
}

static lt_rgb sea(lt_ground *g, float x, float y, float pixel)
{
    lt_rgb water = lt_mix_rgb((lt_rgb){0.20f, 0.60f, 0.70f}, (lt_rgb){0.04f, 0.25f, 0.48f}, y);
    const float spacing = 0.145f;
    float shift = g->chance[0];
    float row = lt_floor(y / spacing + shift);
    float phase = cell(g->seed, 0, (int32_t)row, 2);
    float crest = (row + 0.55f - shift) * spacing + 0.026f * wave(x * 3.3f + phase);
    float foam = lt_cover(fabsf(y - crest) - 0.011f, lt_maxf(pixel, 0.012f));
    float trough = ramp(y, crest, crest + 0.09f);
    water = lt_mix_rgb(water, (lt_rgb){0.03f, 0.20f, 0.42f}, 0.35f * (y > crest ? 1 - trough : 0));
    return lt_mix_rgb(water, (lt_rgb){0.82f, 0.94f, 0.96f}, 0.75f * foam);
}

static lt_rgb sand(lt_ground *g, float x, float y, float pixel)
{
    float bend = 0.9f * noise(g, 0, x * 2.2f, y * 2.2f);
    float ripple = 0.5f + 0.5f * wave(y * 5 + bend * 1.7f + g->chance[0]);
    float grain = noise(g, 1, x * 34, y * 34);
    return lt_mix_rgb((lt_rgb){0.74f, 0.60f, 0.38f}, (lt_rgb){0.95f, 0.86f, 0.64f}, 0.55f * ripple + 0.45f * grain);
}

static lt_rgb snow(lt_ground *g, float x, float y, float pixel)
{
    lt_rgb air = lt_mix_rgb((lt_rgb){0.62f, 0.69f, 0.78f}, (lt_rgb){0.80f, 0.85f, 0.91f}, y);
    air = lt_mix_rgb(air, (lt_rgb){1, 1, 1}, spots(g, x, y, pixel, 0.155f, 0.020f, 0.7f));
    float hill = 0.74f + 0.10f * (noise(g, 0, x * 2.5f, 0.5f) - 0.5f);
    lt_rgb ground = lt_mix_rgb((lt_rgb){0.97f, 0.98f, 1}, (lt_rgb){0.84f, 0.89f, 0.96f}, ramp(y, hill, 1.05f));
    return lt_mix_rgb(air, ground, lt_cover(hill - y, pixel));
}

static lt_rgb bricks(lt_ground *g, float x, float y, float pixel)
{
    const float height = 0.125f, width = 0.27f, mortar = 0.010f;
    float v = y / height + g->chance[0], row = lt_floor(v);
    float u = x / width + g->chance[1] + 0.5f * ((int)row & 1), column = lt_floor(u);
    float dx = lt_minf(u - column, column + 1 - u) * width, dy = lt_minf(v - row, row + 1 - v) * height;
    float tone = cell(g->seed, (int32_t)column, (int32_t)row, 3);
    lt_rgb brick = lt_mix_rgb((lt_rgb){0.50f, 0.27f, 0.22f}, (lt_rgb){0.68f, 0.41f, 0.32f}, tone);
    return lt_mix_rgb(brick, (lt_rgb){0.80f, 0.76f, 0.70f}, lt_cover(lt_minf(dx, dy) - mortar, pixel));
}

static lt_rgb tiles(lt_ground *g, float x, float y, float pixel)
{
    const float side = 0.25f;
    float u = x / side + g->chance[0], v = y / side + g->chance[1];
    float i = lt_floor(u), j = lt_floor(v);
    float dx = lt_minf(u - i, i + 1 - u) * side, dy = lt_minf(v - j, j + 1 - v) * side;
    float light = ((int)i + (int)j) & 1 ? 0.74f : 0.54f;
    // Halfway to the neighbour's tone at the edge, so that the edge is a pixel wide.
    light = lt_mix(light, 0.64f, lt_cover(lt_minf(dx, dy), pixel));
    light += 0.04f * (cell(g->seed, (int32_t)i, (int32_t)j, 3) - 0.5f);
    return (lt_rgb){light, light * 0.97f, light * 0.92f};
}

void lt_ground_init(lt_ground *g, int background, uint32_t seed)
{
    static const lt_painter painters[] = {day_sky, night_sky, sunset, grass, sea, sand, snow, bricks, tiles};
    *g = (lt_ground){.paint = painters[background - 1], .seed = seed};
    g->chance[0] = cell(seed, 0, 0, 1);
    g->chance[1] = cell(seed, 0, 0, 2);
}
