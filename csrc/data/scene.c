#include "data/scene.h"

#include "base/threads.h"
#include "data/scene_parts.h"

typedef struct {
    int shape, texture;
    float x, y, radius, cosine, sine;
    lt_rgb colour, second, outline;
} object;

typedef struct {
    const float *table;
    uint8_t *pictures;
    int64_t size, channels;
} job;

static float luminance(lt_rgb c)
{
    return 0.299f * c.r + 0.587f * c.g + 0.114f * c.b;
}

static object read_object(const float *row)
{
    object o = {.shape = (int)row[0], .texture = (int)row[1], .x = row[2], .y = row[3], .radius = row[4]};
    o.cosine = cosf(row[5]);
    o.sine = sinf(row[5]);
    o.colour = (lt_rgb){row[6], row[7], row[8]};
    float light = luminance(o.colour);
    // The texture's second colour and the outline stand out from the first, whatever it is.
    const lt_rgb white = {1, 1, 1}, black = {0, 0, 0};
    o.second = light > 0.55f ? lt_mix_rgb(o.colour, black, 0.58f) : lt_mix_rgb(o.colour, white, 0.72f);
    o.outline = light < 0.15f ? (lt_rgb){0.85f, 0.85f, 0.88f} : lt_mix_rgb(o.colour, black, 0.72f);
    return o;
}

static float distance(const object *o, float x, float y)
{
    float dx = (x - o->x) / o->radius, dy = (y - o->y) / o->radius;
    return o->radius * lt_shape_distance(o->shape, o->cosine * dx + o->sine * dy, o->cosine * dy - o->sine * dx);
}

// What the object makes of the colour under it: a soft shadow to the lower right, the textured face, an outline.
static lt_rgb paint(const object *o, lt_rgb under, float x, float y, float pixel)
{
    float d = distance(o, x, y);
    const float fall = 0.022f, blur = 0.05f;
    if (d > 1.4143f * fall + blur / 2 && d > pixel)
        return under; // out of the shadow's reach too: distances change no faster than places
    float inside = lt_cover(d, pixel);
    if (inside < 1) {
        float shade = 0.42f * lt_cover(distance(o, x - fall, y - fall), blur);
        under = lt_mix_rgb(under, (lt_rgb){0, 0, 0.03f}, shade);
        if (inside <= 0)
            return under;
    }
    float u = o->cosine * (x - o->x) + o->sine * (y - o->y), v = o->cosine * (y - o->y) - o->sine * (x - o->x);
    lt_rgb face = lt_mix_rgb(o->colour, o->second, lt_texture(o->texture, u, v, pixel));
    // Lit from above: a little towards white at the top, towards black at the bottom.
    float tilt = 0.14f * (y - o->y) / o->radius;
    face = tilt < 0 ? lt_mix_rgb(face, (lt_rgb){1, 1, 1}, lt_minf(-tilt, 0.2f))
                    : lt_mix_rgb(face, (lt_rgb){0, 0, 0}, lt_minf(tilt, 0.2f));
    float width = lt_maxf(0.014f, 0.5f * pixel);
    face = lt_mix_rgb(o->outline, face, lt_cover(d + width, pixel));
    return lt_mix_rgb(under, face, inside);
}

static uint8_t to_byte(float x)
{
    return (uint8_t)(lt_clamp01(x) * 255 + 0.5f);
}

static void draw_scene(const float *row, uint8_t *out, int64_t size, int64_t channels)
{
    object objects[LT_SCENE_OBJECTS];
    int count = (int)row[2];
    lt_ground ground;
    lt_ground_init(&ground, (int)row[0], (uint32_t)row[1]);
    for (int k = 0; k < count; k++)
        objects[k] = read_object(row + LT_SCENE_HEAD + k * LT_SCENE_OBJECT);
    float pixel = 1 / (float)size;
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < size; j++, out += channels) {
            float x = ((float)j + 0.5f) * pixel, y = ((float)i + 0.5f) * pixel;
            lt_rgb c = ground.paint(&ground, x, y, pixel);
            for (int k = 0; k < count; k++) {
                // No shape reaches further than 1.25 radii, no shadow further than 0.08 beyond it.
                float reach = 1.25f * objects[k].radius + 0.08f;
                if (fabsf(x - objects[k].x) < reach && fabsf(y - objects[k].y) < reach)
                    c = paint(&objects[k], c, x, y, pixel);
            }
            if (channels == 1) {
                out[0] = to_byte(luminance(c));
            } else {
                out[0] = to_byte(c.r);
                out[1] = to_byte(c.g);
                out[2] = to_byte(c.b);
            }
        }
}

static void draw_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    int64_t bytes = j->size * j->size * j->channels;
    for (int64_t i = begin; i < end; i++)
        draw_scene(j->table + i * LT_SCENE_COLUMNS, j->pictures + i * bytes, j->size, j->channels);
}

static int want_range(int64_t scene, const char *name, float value, float min, float max)
{
    if (value >= min && value <= max) // false for NaN
        return LT_OK;
    return lt_fail_arg(1, "scenes: scene %lld: expected %s from %g to %g, got %g", (long long)scene + 1, name,
                       (double)min, (double)max, (double)value);
}

static int check_scene(int64_t scene, const float *row)
{
    static const struct {
        const char *name;
        float min, max;
    } columns[LT_SCENE_OBJECT] = {
        {"shape", 1, LT_SCENE_SHAPES},
        {"texture", 1, LT_SCENE_TEXTURES},
        {"x", -1, 2},
        {"y", -1, 2},
        {"radius", 0.001f, 1},
        {"angle", -100, 100},
        {"red", 0, 1},
        {"green", 0, 1},
        {"blue", 0, 1},
    };
    if (want_range(scene, "background", row[0], 1, LT_SCENE_BACKGROUNDS) != LT_OK ||
        want_range(scene, "seed", row[1], 0, 16777215) != LT_OK ||
        want_range(scene, "objects", row[2], 0, LT_SCENE_OBJECTS) != LT_OK)
        return LT_FAIL;
    for (int k = 0; k < (int)row[2]; k++)
        for (int column = 0; column < LT_SCENE_OBJECT; column++)
            if (want_range(scene, columns[column].name, row[LT_SCENE_HEAD + k * LT_SCENE_OBJECT + column],
                           columns[column].min, columns[column].max) != LT_OK)
                return LT_FAIL;
    return LT_OK;
}

lt_tensor *lt_draw_scenes(const lt_tensor *table, int64_t size, int64_t channels)
{
    if (lt_want_float(table, 1, "scenes") != LT_OK)
        return NULL;
    if (table->ndim != 2 || table->shape[1] != LT_SCENE_COLUMNS) {
        lt_fail_arg(1, "scenes: expected (n,%d), got %s", LT_SCENE_COLUMNS, lt_shape_text(table));
        return NULL;
    }
    if (size < 8 || size > 512) {
        lt_fail_arg(2, "size: expected 8 to 512, got %lld", (long long)size);
        return NULL;
    }
    if (channels != 1 && channels != 3) {
        lt_fail_arg(3, "channels: expected 1 or 3, got %lld", (long long)channels);
        return NULL;
    }
    int64_t n = table->shape[0];
    for (int64_t i = 0; i < n; i++)
        if (check_scene(i, lt_f32(table) + i * LT_SCENE_COLUMNS) != LT_OK)
            return NULL;
    lt_tensor *pictures = lt_tensor_new(LT_UINT8, 4, (int64_t[]){n, size, size, channels});
    if (!pictures)
        return NULL;
    job j = {lt_f32(table), lt_u8(pictures), size, channels};
    lt_parallel(n, 4, draw_piece, &j);
    return pictures;
}
