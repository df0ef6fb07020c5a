// Signed distances of shapes and the patterns on them, as functions of a place.
#include "data/scene_parts.h"

static float length(float x, float y)
{
    return sqrtf(x * x + y * y);
}

static float box(float x, float y, float half_width, float half_height)
{
    return lt_maxf(fabsf(x) - half_width, fabsf(y) - half_height);
}

// Reflects (x, y) into the half plane on the far side of the line through 0 with unit normal (nx, ny).
static void fold(float *x, float *y, float nx, float ny)
{
    float d = *x * nx + *y * ny;
    if (d > 0) {
        *x -= 2 * d * nx;
        *y -= 2 * d * ny;
    }
}

// Ten mirror images: folded until one half of one spike is left, whose edge is a straight line from the tip
// (0, outer) to the notch inner * (sin 36, cos 36).
static float star(float x, float y)
{
    const float sin36 = 0.58778525f, cos36 = 0.80901699f, outer = 1.2f, inner = 0.56f;
    x = fabsf(x);
    y = -y;
    fold(&x, &y, cos36, -sin36);
    x = fabsf(x);
    fold(&x, &y, cos36, -sin36);
    x = fabsf(x);
    float ex = inner * sin36, ey = inner * cos36 - outer, e = length(ex, ey);
    return (x * -ey + (y - outer) * ex) / e;
}

// A square on its corner with a half disc on each upper side.
static float heart(float x, float y)
{
    const float s = 0.86f, half_root = 0.70710678f;
    x = fabsf(x);
    y = 0.18f - y;
    float square = (x + fabsf(y) - s) * half_root;
    float disc = length(x - s / 2, y - s / 2) - s * half_root;
    return lt_minf(square, disc);
}

float lt_shape_distance(int shape, float x, float y)
{
    float ax = fabsf(x), ay = fabsf(y);
    switch (shape) {
    case 1: // circle
        return length(x, y) - 0.93f;
    case 2: // square
        return box(x, y, 0.82f, 0.82f);
    case 3: // triangle, point up
        return lt_maxf(y - 0.2f, ax * 0.8660254f - (y - 0.2f) * 0.5f) - 0.625f;
    case 4:
        return star(x, y);
    case 5:
        return heart(x, y);
    case 6: // cross
        return lt_minf(box(x, y, 1, 0.34f), box(x, y, 0.34f, 1));
    case 7: // ring
        return fabsf(length(x, y) - 0.69f) - 0.29f;
    case 8: // diamond
        return (ax * 1.15f + ay * 0.8f - 0.92f) * 0.713808f;
    case 9: // moon
        return lt_maxf(length(x - 0.12f, y) - 1, 0.83f - length(x - 0.62f, y + 0.22f));
    default: // hexagon
        return lt_maxf(ax * 0.8660254f + ay * 0.5f, ay) - 0.86f;
    }
}

// Distance from t to the nearest edge of a wave of half-waves, positive in the first half of each period.
static float square_wave(float t, float period)
{
    float u = t / period;
    return (0.25f - fabsf(u - lt_floor(u) - 0.5f)) * period;
}

float lt_texture(int texture, float x, float y, float pixel)
{
    switch (texture) {
    case 2: // striped: slanting bands
        return lt_cover(square_wave((x + y) * 0.70710678f, 0.13f), pixel);
    case 3: { // dotted: discs on a staggered grid
        const float step = 0.13f;
        float row = lt_floor(y / step), shift = (int)row & 1 ? 0.5f : 0;
        float u = x / step + shift;
        float dx = (u - lt_floor(u) - 0.5f) * step, dy = y - (row + 0.5f) * step;
        return lt_cover(length(dx, dy) - 0.037f, pixel);
    }
    case 4: { // checked
        const float period = 0.17f;
        float a = 2 * lt_cover(square_wave(x, period), pixel) - 1, b = 2 * lt_cover(square_wave(y, period), pixel) - 1;
        return 0.5f + 0.5f * a * b;
    }
    default:
        return 0;
    }
}
