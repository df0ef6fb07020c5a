// How a tensor looks at the prompt: shape and type, then its values, long ones cut.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/check.h"

enum { EDGE = 3, FEW = 8, MOST = 1000 }; // places shown at each end of an axis that is longer than FEW

typedef struct {
    luaL_Buffer *b;
    const lt_tensor *t;
    int width, digits;
    bool cut;
} printer;

static int64_t shown(const printer *p, int64_t size, int64_t i) // the i-th place that is shown; -1: "..."
{
    if (!p->cut || size <= FEW || i < EDGE)
        return i;
    return i == EDGE ? -1 : size - (2 * EDGE + 1) + i;
}

static int64_t places(const printer *p, int64_t size)
{
    return !p->cut || size <= FEW ? size : 2 * EDGE + 1;
}

static void element(const printer *p, int64_t at, char *text, size_t room)
{
    if (p->t->dtype == LT_FLOAT32)
        snprintf(text, room, "%.*f", p->digits, (double)lt_f32(p->t)[at]);
    else
        snprintf(text, room, "%d", p->t->dtype == LT_UINT8 ? lt_u8(p->t)[at] : lt_i32(p->t)[at]);
    if (p->digits < 0) // too large or too small for fixed point
        snprintf(text, room, "%.4g", (double)lt_f32(p->t)[at]);
}

// Nested brackets; recursion is at most LT_MAX_DIM deep.
static void rows(printer *p, int axis, int64_t at)
{
    const lt_tensor *t = p->t;
    char text[64];
    int64_t step = 1, n = places(p, t->shape[axis]);
    for (int i = axis + 1; i < t->ndim; i++)
        step *= t->shape[i];
    luaL_addchar(p->b, '[');
    for (int64_t i = 0; i < n; i++) {
        int64_t place = shown(p, t->shape[axis], i);
        if (i && axis + 1 == t->ndim)
            luaL_addstring(p->b, ", ");
        else if (i) {
            luaL_addstring(p->b, ",\n");
            for (int k = 0; k <= axis; k++)
                luaL_addchar(p->b, ' ');
        }
        if (place < 0)
            luaL_addstring(p->b, "...");
        else if (axis + 1 < t->ndim)
            rows(p, axis + 1, at + place * step);
        else {
            element(p, at + place, text, sizeof text);
            char padded[80];
            snprintf(padded, sizeof padded, "%*s", p->width, text);
            luaL_addstring(p->b, padded);
        }
    }
    luaL_addchar(p->b, ']');
}

// Digits after the point: 4 for values of common size, 0 for whole numbers, scientific (-1) for extremes.
static int digits_for(const lt_tensor *t)
{
    bool whole = true;
    float largest = 0, smallest = INFINITY;
    if (t->dtype != LT_FLOAT32)
        return 0;
    for (int64_t i = 0; i < t->size && i < 100000; i++) {
        float v = fabsf(lt_f32(t)[i]);
        if (!isfinite(v))
            continue;
        whole = whole && v == floorf(v);
        largest = v > largest ? v : largest;
        smallest = v > 0 && v < smallest ? v : smallest;
    }
    if (largest >= 1e6f || (largest > 0 && largest < 1e-3f))
        return -1;
    return whole ? 0 : 4;
}

static void measure(printer *p, int axis, int64_t at)
{
    char text[64];
    int64_t step = 1, n = places(p, p->t->shape[axis]);
    for (int i = axis + 1; i < p->t->ndim; i++)
        step *= p->t->shape[i];
    for (int64_t i = 0; i < n; i++) {
        int64_t place = shown(p, p->t->shape[axis], i);
        if (place < 0)
            continue;
        if (axis + 1 < p->t->ndim) {
            measure(p, axis + 1, at + place * step);
            continue;
        }
        element(p, at + place, text, sizeof text);
        int width = (int)strlen(text);
        p->width = width > p->width ? width : p->width;
    }
}

static int to_text(lua_State *L)
{
    const lt_tensor *t = lt_test_tensor(L, 1);
    if (!t) {
        lua_pushstring(L, luaL_testudata(L, 1, LT_TENSOR_TYPE) ? "freed tensor" : "no tensor");
        return 1;
    }
    luaL_Buffer b;
    char text[64];
    printer p = {.b = &b, .t = t, .digits = digits_for(t), .cut = t->size > MOST};
    luaL_buffinit(L, &b);
    luaL_addstring(&b, lt_dtype_name(t->dtype));
    luaL_addstring(&b, " tensor ");
    luaL_addstring(&b, lt_shape_text(t));
    luaL_addstring(&b, t->node ? " with grad\n" : "\n");
    if (t->ndim == 0) {
        element(&p, 0, text, sizeof text);
        luaL_addstring(&b, text);
    } else if (t->size == 0)
        luaL_addstring(&b, "[]");
    else {
        measure(&p, 0, 0);
        rows(&p, 0, 0);
    }
    luaL_pushresult(&b);
    return 1;
}

void lt_open_print(lua_State *L)
{
    lt_metamethod(L, "__tostring", to_text);
}
