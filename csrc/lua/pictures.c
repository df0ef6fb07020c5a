// Pictures that are data: scenes drawn from numbers, batches gathered from bytes, one picture brought to a size.
#include "data/pictures.h"
#include "data/fit.h"
#include "data/scene.h"
#include "lua/check.h"

/*** Draws scenes from a table of numbers, one row a picture. `laterna.data.scenes` writes such tables; the columns are
described in csrc/data/scene.h. A picture depends on its row, size and channels only.
@function draw_scenes
@tparam Tensor scenes (n,21) float32
@tparam integer size side of the pictures, 8 to 512
@tparam[opt=3] integer channels 3, or 1 for luminance
@treturn Tensor (n,size,size,channels) uint8 */
static int draw_scenes(lua_State *L)
{
    lt_tensor *scenes = lt_arg_tensor(L, 1, "scenes");
    int64_t size = lt_arg_integer(L, 2, "size", 8, 512);
    int64_t channels = lt_arg_integer_or(L, 3, "channels", 1, 3, 3);
    LT_PUSH(L, lt_draw_scenes(scenes, size, channels));
    return 1;
}

/*** A batch of pictures as numbers: row i of the result is picture `index[i]`, bytes 0 to 255 as -1 to 1.
@function gather_pictures
@tparam Tensor pictures (n,h,w,c) uint8
@tparam Tensor index (b) int32, from 1
@tparam[opt] Tensor flip (b) uint8: pictures to mirror left to right
@treturn Tensor (b,h,w,c) float32 */
static int gather_pictures(lua_State *L)
{
    lt_tensor *pictures = lt_arg_tensor(L, 1, "pictures");
    lt_tensor *index = lt_arg_tensor(L, 2, "index");
    lt_tensor *flip = lt_arg_tensor_or_nil(L, 3, "flip");
    LT_PUSH(L, lt_gather_pictures(pictures, index, flip));
    return 1;
}

/*** A selection of pictures, still as bytes: row i of the result is picture `index[i]`.
@function take_pictures
@tparam Tensor pictures (n,h,w,c) uint8
@tparam Tensor index (b) int32, from 1
@treturn Tensor (b,h,w,c) uint8 */
static int take_pictures(lua_State *L)
{
    lt_tensor *pictures = lt_arg_tensor(L, 1, "pictures");
    lt_tensor *index = lt_arg_tensor(L, 2, "index");
    LT_PUSH(L, lt_take_pictures(pictures, index));
    return 1;
}

/*** Brings one picture to a size, averaged over areas where it shrinks, interpolated linearly where it grows: of other
proportions, the largest centred part (`fit = "crop"`), or the whole picture in the middle, as large as it fits, with a
background around it (`fit = "pad"`). With 2 and 4 channels that background is transparent: 0 in all channels. Of 2 and
4 channels the last is alpha, and not multiplied into the colours: those are weighted by area x alpha, so that the
colour behind a transparent pixel shows at no edge (Porter and Duff 1984, "Compositing digital images"; Pillow, GIMP and
ImageMagick do the same). A pixel whose alpha is 0 in the result is 0 in every channel, at any size, its own too.
@function fit_picture
@tparam Tensor picture (h,w,c) uint8; c = 2: grey and alpha, c = 4: colour and alpha
@tparam integer height of the result, 1 to 32768
@tparam integer width
@tparam[opt] table options
 `fit` `"crop"` (the default) or `"pad"`; `background` for `"pad"`: a grey from -1 to 1, or {red, green, blue} (1:
white, as in `load_picture`)
@treturn Tensor (height,width,c) uint8 */
static int fit_picture(lua_State *L)
{
    lt_tensor *picture = lt_arg_tensor(L, 1, "picture");
    int64_t height = lt_arg_integer(L, 2, "height", 1, LT_FIT_MOST);
    int64_t width = lt_arg_integer(L, 3, "width", 1, LT_FIT_MOST);
    const char *way = "crop";
    lt_fit_options o = {.background = {1, 1, 1}};
    const lt_option options[] = {
        {"fit", LT_OPTION_STRING, &way, 0, 0},
        {"background", LT_OPTION_COLOUR, o.background, -1, 1},
        {NULL, 0, NULL, 0, 0},
    };
    lt_arg_options(L, 4, options);
    o.way = lt_one_of(L, 4, "fit", way, 2, (const char *[]){"crop", "pad"}) ? LT_FIT_PAD : LT_FIT_CROP;
    LT_PUSH(L, lt_fit_picture(picture, &o, height, width));
    return 1;
}

void lt_open_pictures(lua_State *L)
{
    static const lt_function functions[] = {
        {"draw_scenes", draw_scenes, LT_IN_MODULE},
        {"gather_pictures", gather_pictures, LT_IN_MODULE},
        {"take_pictures", take_pictures, LT_IN_MODULE},
        {"fit_picture", fit_picture, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
