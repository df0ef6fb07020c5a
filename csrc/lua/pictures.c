// Pictures that are data: scenes drawn from numbers, batches gathered from bytes, one picture brought to a size, many
// read from files, with the texts beside them.
#include "data/pictures.h"

#include <string.h>

#include "data/scene.h"
#include "io/file_many.h"
#include "io/picture_many.h"
#include "lua/io.h"

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

// max_pixels is no option where it is NULL.
static lt_fit_options fit_options(lua_State *L, int arg, int64_t *max_pixels)
{
    const char *way = "crop";
    lt_fit_options o = {.background = {1, 1, 1}};
    const lt_option options[] = {
        {"fit", LT_OPTION_STRING, &way, 0, 0},
        {"background", LT_OPTION_COLOUR, o.background, -1, 1},
        {max_pixels ? "max_pixels" : NULL, LT_OPTION_INTEGER, max_pixels, 1, 0x1p40},
        {NULL, 0, NULL, 0, 0},
    };
    lt_arg_options(L, arg, options);
    o.way = lt_one_of(L, arg, "fit", way, 2, (const char *[]){"crop", "pad"}) ? LT_FIT_PAD : LT_FIT_CROP;
    return o;
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
    const lt_fit_options o = fit_options(L, 4, NULL);
    LT_PUSH(L, lt_fit_picture(picture, &o, height, width));
    return 1;
}

// "root/path" of each text in the table at `arg`, one after the other with a zero byte after each, on the stack.
static const char *push_paths(lua_State *L, const char *root, int arg)
{
    const lua_Integer n = (lua_Integer)lua_rawlen(L, arg);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = 1; i <= n; i++) {
        luaL_addstring(&b, root);
        luaL_addchar(&b, '/');
        if (lua_rawgeti(L, arg, i) != LUA_TSTRING)
            lt_bad_argument(L, arg, "paths[%d]: expected string, got %s", (int)i, lt_type_name(L, -1));
        if (strlen(lua_tostring(L, -1)) != lua_rawlen(L, -1))
            lt_bad_argument(L, arg, "paths[%d]: a zero byte inside", (int)i);
        luaL_addvalue(&b);
        luaL_addlstring(&b, "", 1);
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

// Field `field` of the table on top of the stack: a list of what `push` pushes for each file.
static void set_list(lua_State *L, const lt_picture_found *found, int64_t n, const char *field,
                     void (*push)(lua_State *, const lt_picture_found *))
{
    lua_createtable(L, (int)n, 0);
    for (int64_t i = 0; i < n; i++) {
        push(L, &found[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, field);
}

static void push_height(lua_State *L, const lt_picture_found *f)
{
    lua_pushinteger(L, f->height);
}

static void push_width(lua_State *L, const lt_picture_found *f)
{
    lua_pushinteger(L, f->width);
}

static void push_hash(lua_State *L, const lt_picture_found *f)
{
    lua_pushinteger(L, (lua_Integer)f->hash);
}

static void push_blank(lua_State *L, const lt_picture_found *f)
{
    lua_pushboolean(L, f->blank);
}

static void push_reason(lua_State *L, const lt_picture_found *f)
{
    if (f->height)
        lua_pushboolean(L, false);
    else
        lua_pushstring(L, f->reason);
}

#define FILES_TYPE "laterna.Files"

// Files that were read, as a userdata: on the way to Lua strings they need an owner that survives an error.
typedef struct {
    lua_Integer n;
    lt_file_found found[];
} files;

static int free_files(lua_State *L)
{
    files *f = luaL_checkudata(L, 1, FILES_TYPE);
    for (lua_Integer i = 0; i < f->n; i++)
        lt_bytes_free(&f->found[i].bytes);
    f->n = 0;
    return 0;
}

static const char **split_paths(lua_State *L, const char *text, lua_Integer n)
{
    const char **paths = lua_newuserdatauv(L, (size_t)n * sizeof *paths, 0);
    for (lua_Integer i = 0; i < n; i++, text += strlen(text) + 1)
        paths[i] = text;
    return paths;
}

/*** Reads many small files, by all threads.
@function read_files
@tparam string root folder of all paths
@tparam {string,...} paths 4096 at most
@tparam integer most bytes of each
@treturn table for each path what the file holds, or false
@treturn table for each path why it could not be read, or false
@raise not enough memory */
static int read_files(lua_State *L)
{
    const char *root = lt_arg_path(L, 1);
    if (!lua_istable(L, 2))
        lt_bad_argument(L, 2, "paths: expected table, got %s", lt_type_name(L, 2));
    const lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
    if (n > 4096)
        lt_bad_argument(L, 2, "paths: more than 4096");
    const uint64_t most = (uint64_t)lt_arg_integer(L, 3, "most", 0, INT64_MAX);
    lua_settop(L, 3);
    const char **paths = split_paths(L, push_paths(L, root, 2), n);
    files *f = lua_newuserdatauv(L, sizeof *f + (size_t)n * sizeof *f->found, 0);
    memset(f, 0, sizeof *f + (size_t)n * sizeof *f->found);
    f->n = n;
    luaL_setmetatable(L, FILES_TYPE);
    lua_createtable(L, (int)n, 0); // 7
    lua_createtable(L, (int)n, 0);
    if (!lt_files_read(paths, n, most, f->found)) {
        lua_gc(L, LUA_GCCOLLECT);
        lt_memory_trim();
        if (!lt_files_read(paths, n, most, f->found)) {
            lt_fail_memory((size_t)most);
            return lt_raise(L);
        }
    }
    for (lua_Integer i = 0; i < n; i++) {
        const lt_file_found *one = &f->found[i];
        if (one->failed)
            lua_pushboolean(L, false);
        else
            lua_pushlstring(L, (const char *)one->bytes.data, one->bytes.size);
        lua_rawseti(L, 7, i + 1);
        if (one->failed)
            lua_pushstring(L, one->reason);
        else
            lua_pushboolean(L, false);
        lua_rawseti(L, 8, i + 1);
    }
    for (lua_Integer i = 0; i < n; i++)
        lt_bytes_free(&f->found[i].bytes);
    f->n = 0;
    return 2;
}

/*** Room for pictures: a tensor of bytes that are not set.
@function picture_rows
@tparam integer n how many
@tparam integer height
@tparam integer width
@tparam integer channels 1 to 4
@treturn Tensor (n,height,width,channels) uint8 */
static int picture_rows(lua_State *L)
{
    const int64_t shape[] = {lt_arg_integer(L, 1, "n", 0, INT64_MAX), lt_arg_integer(L, 2, "height", 1, LT_FIT_MOST),
                             lt_arg_integer(L, 3, "width", 1, LT_FIT_MOST), lt_arg_integer(L, 4, "channels", 1, 4)};
    LT_PUSH(L, lt_tensor_new(LT_UINT8, 4, shape));
    return 1;
}

/*** Reads many files of pictures, whatever their format, by all threads, and brings each to the size of a row of `out`,
with its number of channels. Rows are filled without gaps, in the order of the files that could be read. A file that
cannot is no matter to the others, and nothing depends on the number of threads.
@function load_pictures
@tparam Tensor out (rows,h,w,1..4) uint8
@tparam integer first row to be written, from 1; at most as many as there are paths are
@tparam string root folder of all paths
@tparam {string,...} paths
@tparam[opt] table options `fit` and `background` as for `fit_picture`, `background` and `max_pixels` as for
`load_picture`
@treturn integer how many were read
@treturn table lists by name, with a place for each path: `reason`, why it could not be read, or false; `height` and
`width` of the picture in the file; of its row `hash`, an integer, and `blank`, whether no channel has a variance of 4
or more */
static int load_pictures(lua_State *L)
{
    lt_tensor *out = lt_arg_tensor(L, 1, "out");
    LT_TRY(L, lt_want_dtype(out, LT_UINT8, 1, "out"));
    LT_TRY(L, lt_want_ndim(out, 4, 1, "out"));
    if (out->size == 0 || out->shape[3] > 4)
        lt_bad_argument(L, 1, "out: expected (rows,h,w,c) with 1 to 4 channels, got %s", lt_shape_text(out));
    const int64_t first = lt_arg_integer(L, 2, "first", 1, out->shape[0]);
    const char *root = lt_arg_path(L, 3);
    if (!lua_istable(L, 4))
        lt_bad_argument(L, 4, "paths: expected table, got %s", lt_type_name(L, 4));
    const int64_t n = (int64_t)lua_rawlen(L, 4);
    if (n > out->shape[0] - first + 1)
        lt_bad_argument(L, 4, "paths: more than the %d rows that are left", (int)(out->shape[0] - first + 1));
    lt_picture_options options = {
        .channels = (int)out->shape[3], .dtype = LT_UINT8, .max_pixels = LT_PICTURE_MAX_PIXELS};
    const lt_fit_options fit = fit_options(L, 5, &options.max_pixels);
    memcpy(options.background, fit.background, sizeof options.background);
    lua_settop(L, 5);
    const char **paths = split_paths(L, push_paths(L, root, 4), n);
    lt_picture_found *found = lua_newuserdatauv(L, (size_t)n * sizeof *found, 0);
    lt_pictures p = {.paths = paths, .options = &options, .fit = &fit, .found = found};
    p.height = out->shape[1];
    p.width = out->shape[2];
    p.rows = lt_u8(out) + (first - 1) * (out->size / out->shape[0]);
    if (!lt_pictures_load(&p, n)) {
        lua_gc(L, LUA_GCCOLLECT);
        lt_memory_trim();
        lt_pictures_load_rest(&p, n);
    }
    lua_pushinteger(L, lt_pictures_close_ranks(&p, n));
    lt_touch(out);
    lua_newtable(L);
    set_list(L, found, n, "height", push_height);
    set_list(L, found, n, "width", push_width);
    set_list(L, found, n, "hash", push_hash);
    set_list(L, found, n, "blank", push_blank);
    set_list(L, found, n, "reason", push_reason);
    return 2;
}

void lt_open_pictures(lua_State *L)
{
    static const lt_function functions[] = {
        {"draw_scenes", draw_scenes, LT_IN_MODULE},     {"gather_pictures", gather_pictures, LT_IN_MODULE},
        {"take_pictures", take_pictures, LT_IN_MODULE}, {"fit_picture", fit_picture, LT_IN_MODULE},
        {"picture_rows", picture_rows, LT_IN_MODULE},   {"load_pictures", load_pictures, LT_IN_MODULE},
        {"read_files", read_files, LT_IN_MODULE},       {NULL, NULL, 0},
    };
    if (luaL_newmetatable(L, FILES_TYPE)) {
        lua_pushcfunction(L, free_files);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    lt_register(L, functions);
}
