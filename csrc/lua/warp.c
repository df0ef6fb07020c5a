// Pictures moved, turned and scaled: what laterna.data.augment draws is done here.
#include "data/warp.h"
#include "lua/check.h"

/*** Pictures seen through maps of places, one for each: moved, turned, scaled, mirrored, bilinearly. A pixel of the
result at (x, y) shows the place (a x + b y + e, c x + d y + f), in pixels from the middle of the picture. Outside of a
picture its edge goes on; where there is alpha (2 or 4 channels) nothing lies outside, colours count by their alpha, and
a pixel whose alpha is 0 (below half a byte) is -1 in every channel. Nothing is recorded.
@function warp_pictures
@tparam Tensor x (n,h,w,c) float32 in [-1,1]
@tparam Tensor maps (n,6) float32: a row {a, b, e, c, d, f} a picture
@treturn Tensor like x */
static int warp_pictures(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x");
    lt_tensor *maps = lt_arg_tensor(L, 2, "maps");
    LT_PUSH(L, lt_warp_pictures(x, maps));
    return 1;
}

void lt_open_warp(lua_State *L)
{
    static const lt_function functions[] = {
        {"warp_pictures", warp_pictures, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
