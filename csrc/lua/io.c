// Pictures and arrays in files: PNG, JPEG, WebP, GIF and IDX.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/idx.h"
#include "io/picture.h"
#include "lua/io.h"

#define FOLDER_TYPE "laterna.Folder"

#ifdef __APPLE__
#define MODIFIED(s) ((s).st_mtimespec)
#else
#define MODIFIED(s) ((s).st_mtim)
#endif

const char *lt_arg_path(lua_State *L, int arg)
{
    size_t length;
    const char *path = lt_arg_string(L, arg, "path", &length);
    if (strlen(path) != length)
        lt_bad_argument(L, arg, "path: a zero byte inside");
    return path;
}

static lt_picture_options picture_options(lua_State *L, int arg)
{
    const char *dtype = "uint8";
    int64_t channels = 0;
    lt_picture_options o = {.max_pixels = LT_PICTURE_MAX_PIXELS, .background = {1, 1, 1}};
    const lt_option options[] = {
        {"channels", LT_OPTION_INTEGER, &channels, 1, 4},
        {"dtype", LT_OPTION_STRING, &dtype, 0, 0},
        {"max_pixels", LT_OPTION_INTEGER, &o.max_pixels, 1, 0x1p40},
        {"background", LT_OPTION_COLOUR, o.background, -1, 1},
        {NULL, 0, NULL, 0, 0},
    };
    lt_arg_options(L, arg, options);
    o.dtype = lt_one_of(L, arg, "dtype", dtype, 2, (const char *[]){"uint8", "float32"}) ? LT_FLOAT32 : LT_UINT8;
    o.channels = (int)channels;
    return o;
}

static int load(lua_State *L, lt_tensor *(*read)(const char *, const lt_picture_options *))
{
    const char *path = lt_arg_path(L, 1);
    lt_picture_options options = picture_options(L, 2);
    LT_PUSH(L, read(path, &options));
    return 1;
}

static int decode(lua_State *L, lt_tensor *(*read)(const void *, size_t, const lt_picture_options *))
{
    size_t length;
    const char *bytes = lt_arg_string(L, 1, "bytes", &length);
    lt_picture_options options = picture_options(L, 2);
    LT_PUSH(L, read(bytes, length, &options));
    return 1;
}

/*** Reads a PNG file. Every kind of PNG (palette, 1 to 16 bits, grey, alpha, interlaced) ends up in one of four
layouts: 1 channel is grey, 2 grey and alpha, 3 red, green, blue, 4 red, green, blue, alpha (not premultiplied). A
palette counts as colour, transparency of any kind as alpha. Values are those in the file: gamma and colour profiles are
ignored.

With `channels`, grey becomes three equal channels; colour becomes grey as 0.299 r + 0.587 g + 0.114 b (Rec. 601);
missing alpha is opaque; alpha that is not wanted is composed over `background`.
@function load_png
@tparam string path
@tparam[opt] table options
 `channels` 1 to 4 (as in the file);
 `dtype` `"uint8"`: 0 to 255, 16 bits are rounded to 8 (the default), or `"float32"`: -1 to 1, with all that 16 bits
hold; `max_pixels` larger pictures are refused from their header (2^26); `background` what transparent pixels lie on
when alpha is dropped: a grey from -1 to 1, or {red, green, blue} (1: white)
@treturn Tensor (h,w,c)
@raise the path, and what is wrong: no such file, damage (checksums are verified), more than `max_pixels` */
static int load_png(lua_State *L)
{
    return load(L, lt_png_load);
}

/*** The same for a PNG file's bytes.
@function decode_png
@tparam string bytes
@tparam[opt] table options as for `load_png`
@treturn Tensor (h,w,c) */
static int decode_png(lua_State *L)
{
    return decode(L, lt_png_decode);
}

/*** Reads a picture of any format that this build knows: PNG, JPEG, WebP and GIF (the first frame of what moves), known
by its first bytes, whatever its name ends in. Layouts, values and options are those of `load_png`: a JPEG has 1 channel
or 3, a WebP 3 or 4, a GIF 3, or 4 where something is transparent. Ink (CMYK) becomes red, green, blue without a
profile.

What EXIF says of a JPEG or WebP about which way is up has been done to the picture. JPEG is decoded as libjpeg does by
default: for the same library, the numbers are those of Pillow. `lt.info().formats` lists what this build reads.
@function load_picture
@tparam string path
@tparam[opt] table options as for `load_png`
@treturn Tensor (h,w,c)
@raise the path, and what is wrong: no such file, damage, an end that comes too early, more than `max_pixels`, a kind
that is not read (12 bits a channel), a format for which laterna was built without the library */
static int load_picture(lua_State *L)
{
    return load(L, lt_picture_load);
}

/*** The same for the bytes of a picture's file.
@function decode_picture
@tparam string bytes
@tparam[opt] table options as for `load_png`
@treturn Tensor (h,w,c) */
static int decode_picture(lua_State *L)
{
    return decode(L, lt_picture_decode);
}

// A name that promises another format is a mistake; one that promises nothing is fine.
static void refuse_other_formats(lua_State *L, const char *path)
{
    static const char *const others[] = {"jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jxl"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof others / sizeof *others; i++)
        if (!strcasecmp(dot + 1, others[i]))
            lt_bad_argument(L, 1, "path: laterna writes PNG: expected a name that ends in .png, got '%s'",
                            lt_shown(path, strlen(path)));
}

/*** Writes a picture as PNG, 8 bits a channel. The file is replaced as a whole, or not at all: it is written under
another name, synced and renamed.
@function save_png
@tparam string path
@tparam Tensor picture (h,w) or (h,w,1..4), with channels as in `load_png`; uint8, or float32 from -1 to 1, which is
 rounded, and clamped where it lies outside
@raise a path that ends in another format's name (`.jpg`); NaN in the picture; the path and the system's reason when it
 cannot be written */
static int save_png(lua_State *L)
{
    const char *path = lt_arg_path(L, 1);
    refuse_other_formats(L, path);
    lt_tensor *picture = lt_arg_tensor(L, 2, "picture");
    LT_TRY(L, lt_png_save(path, picture, 2));
    return 0;
}

// A tensor of bytes: on the way to a Lua string they need an owner that survives an error.
static lt_tensor *encoded(const lt_tensor *picture)
{
    lt_bytes file = {0};
    if (lt_png_encode(picture, 1, &file) != LT_OK)
        return NULL;
    lt_tensor *out = lt_tensor_new(LT_UINT8, 1, (int64_t[]){(int64_t)file.size});
    if (out)
        memcpy(out->data, file.data, file.size);
    lt_bytes_free(&file);
    return out;
}

/*** A picture as the bytes of a PNG file.
@function encode_png
@tparam Tensor picture as for `save_png`
@treturn string */
static int encode_png(lua_State *L)
{
    lt_tensor *picture = lt_arg_tensor(L, 1, "picture");
    LT_PUSH(L, encoded(picture));
    const lt_tensor *bytes = lt_arg_tensor(L, -1, "bytes");
    lua_pushlstring(L, bytes->data, (size_t)bytes->size);
    return 1;
}

/*** Reads an IDX file, the format of MNIST and Fashion-MNIST, packed with gzip or not.
@function load_idx
@tparam string path
@treturn Tensor of the file's shape: uint8 from unsigned bytes; int32 from signed bytes, shorts and ints; float32 from
 floats and doubles
@raise the path, and what is wrong: the header and what is there differ, damage, a double that float32 cannot hold */
static int load_idx(lua_State *L)
{
    const char *path = lt_arg_path(L, 1);
    LT_PUSH(L, lt_idx_load(path));
    return 1;
}

/*** The same for an IDX file's bytes.
@function decode_idx
@tparam string bytes
@treturn Tensor as for `load_idx` */
static int decode_idx(lua_State *L)
{
    size_t length;
    const char *bytes = lt_arg_string(L, 1, "bytes", &length);
    LT_PUSH(L, lt_idx_decode(bytes, length));
    return 1;
}

static int put(lua_State *L, int (*write)(const char *, const void *, size_t))
{
    const char *path = lt_arg_path(L, 1);
    size_t length;
    const char *bytes = lt_arg_string(L, 2, "bytes", &length);
    LT_TRY(L, write(path, bytes, length));
    return 0;
}

/*** Replaces a file as a whole, or not at all, as save_png does.
@function replace_file
@tparam string path
@tparam string bytes
@raise the path and the system's reason when it cannot be written */
static int replace_file(lua_State *L)
{
    return put(L, lt_file_save);
}

/*** Adds bytes at the end of a file, all of them or none; it is made if need be.
@function append_file
@tparam string path
@tparam string bytes
@raise the path and the system's reason when it cannot be written */
static int append_file(lua_State *L)
{
    return put(L, lt_file_append);
}

/*** Waits until what was written to a file is on the disk.
@function sync_file
@tparam string path
@raise the path and the system's reason */
static int sync_file(lua_State *L)
{
    const char *path = lt_arg_path(L, 1);
    LT_TRY(L, lt_file_sync(path));
    return 0;
}

static int close_folder(lua_State *L)
{
    DIR **folder = luaL_checkudata(L, 1, FOLDER_TYPE);
    if (*folder)
        closedir(*folder);
    *folder = NULL;
    return 0;
}

static int fail_to_list(lua_State *L, const char *path)
{
    lt_fail_errno("list", path);
    return lt_raise(L);
}

static const char *kind_of(mode_t mode)
{
    return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "link" : "other";
}

// NULL where the folder alone does not say it.
static const char *kind_without_stat(const struct dirent *entry)
{
#ifdef DT_REG
    return entry->d_type == DT_REG   ? "file"
           : entry->d_type == DT_DIR ? "directory"
           : entry->d_type == DT_LNK ? "link"
                                     : NULL;
#else
    return NULL;
#endif
}

/*** What lies in a folder, in no order, without . and ..: four lists.
@function list_folder
@tparam string path
@tparam[opt=false] boolean names_only do not ask for sizes and times, which are 0 then
@treturn {string,...} names
@treturn {string,...} kinds, of the entries themselves: "file", "directory", "link" or "other"; "gone" where it is no
longer there
@treturn {integer,...} sizes in bytes
@treturn {integer,...} times of the last change, in nanoseconds since 1970
@raise the path and the system's reason */
static int list_folder(lua_State *L)
{
    const char *path = lt_arg_path(L, 1);
    const bool names_only = lt_arg_boolean_or(L, 2, "names_only", false);
    lua_settop(L, 1);
    DIR **folder = lua_newuserdatauv(L, sizeof *folder, 0);
    *folder = NULL;
    luaL_setmetatable(L, FOLDER_TYPE);
    for (int i = 0; i < 4; i++)
        lua_newtable(L); // 3 to 6
    if (!(*folder = opendir(path)))
        return fail_to_list(L, path);
    struct dirent *entry;
    for (lua_Integer i = 1; (errno = 0, entry = readdir(*folder)) != NULL;) {
        struct stat s = {0};
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        const char *kind = names_only ? kind_without_stat(entry) : NULL;
        if (!kind)
            kind = fstatat(dirfd(*folder), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 ? kind_of(s.st_mode) : "gone";
        lua_pushstring(L, entry->d_name);
        lua_rawseti(L, 3, i);
        lua_pushstring(L, kind);
        lua_rawseti(L, 4, i);
        lua_pushinteger(L, (lua_Integer)s.st_size);
        lua_rawseti(L, 5, i);
        lua_pushinteger(L, (lua_Integer)MODIFIED(s).tv_sec * 1000000000 + MODIFIED(s).tv_nsec);
        lua_rawseti(L, 6, i++);
    }
    if (errno != 0)
        return fail_to_list(L, path);
    closedir(*folder);
    *folder = NULL;
    return 4;
}

void lt_open_io(lua_State *L)
{
    if (luaL_newmetatable(L, FOLDER_TYPE)) {
        lua_pushcfunction(L, close_folder);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    static const lt_function functions[] = {
        {"load_png", load_png, LT_IN_MODULE},
        {"decode_png", decode_png, LT_IN_MODULE},
        {"load_picture", load_picture, LT_IN_MODULE},
        {"decode_picture", decode_picture, LT_IN_MODULE},
        {"save_png", save_png, LT_IN_MODULE},
        {"encode_png", encode_png, LT_IN_MODULE},
        {"replace_file", replace_file, LT_IN_MODULE},
        {"append_file", append_file, LT_IN_MODULE},
        {"sync_file", sync_file, LT_IN_MODULE},
        {"load_idx", load_idx, LT_IN_MODULE},
        {"decode_idx", decode_idx, LT_IN_MODULE},
        {"list_folder", list_folder, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
