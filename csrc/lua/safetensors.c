// Named tensors in files: safetensors.
#include <string.h>

#include "io/safetensors.h"

#include "lua/io.h"

#define FILE_TYPE "laterna.Safetensors"

static int close_file(lua_State *L)
{
    lt_safetensors **file = luaL_checkudata(L, 1, FILE_TYPE);
    lt_safetensors_close(*file);
    *file = NULL;
    return 0;
}

// An empty box on the stack, closed by the collector if an error keeps us from closing it.
static lt_safetensors **file_box(lua_State *L)
{
    lt_safetensors **file = lua_newuserdatauv(L, sizeof *file, 0);
    *file = NULL;
    luaL_setmetatable(L, FILE_TYPE);
    return file;
}

static int open_into(lt_safetensors **file, const char *path)
{
    *file = lt_safetensors_open(path);
    return *file ? LT_OK : LT_FAIL;
}

// The file's metadata as a table on the stack.
static void push_metadata(lua_State *L, const lt_st_header *header)
{
    lua_newtable(L);
    for (size_t i = 0; i < header->pairs; i++) {
        lua_pushlstring(L, header->metadata[i].key.text, header->metadata[i].key.length);
        lua_pushlstring(L, header->metadata[i].value.text, header->metadata[i].value.length);
        lua_rawset(L, -3);
    }
}

static bool begins_with(lt_text name, lt_text prefix)
{
    return name.length >= prefix.length && memcmp(name.text, prefix.text, prefix.length) == 0;
}

/*** What a safetensors file holds, from its header alone, which is checked as load_safetensors does.
@function inspect_safetensors
@tparam string path
@treturn table name -> {dtype = the file's name of the type, "F32", "BF16" and so on; shape; numbers, how many}
@treturn table the file's metadata, string -> string
@raise as load_safetensors, of the header */
static int inspect_safetensors(lua_State *L)
{
    const char *path = lt_arg_path(L, 1);
    lua_settop(L, 1);
    lt_safetensors **file = file_box(L);
    LT_TRY(L, open_into(file, path));
    const lt_st_header *header = &(*file)->header;
    lua_newtable(L);
    for (size_t i = 0; i < header->count; i++) {
        const lt_st_entry *e = &header->entries[i];
        uint64_t numbers = 1; // of an empty tensor the product may pass 2^63 on its way to 0
        lua_pushlstring(L, e->name.text, e->name.length);
        lua_createtable(L, 0, 3);
        lua_pushstring(L, lt_st_type_name(e->type));
        lua_setfield(L, -2, "dtype");
        lua_createtable(L, e->ndim, 0);
        for (int d = 0; d < e->ndim; d++) {
            numbers *= (uint64_t)e->shape[d];
            lua_pushinteger(L, e->shape[d]);
            lua_rawseti(L, -2, d + 1);
        }
        lua_setfield(L, -2, "shape");
        lua_pushinteger(L, (lua_Integer)numbers);
        lua_setfield(L, -2, "numbers");
        lua_rawset(L, 3);
    }
    push_metadata(L, header);
    lt_safetensors_close(*file);
    *file = NULL;
    return 2;
}

/*** Reads a safetensors file. F32, F16, BF16 and F64 become float32; U8 and BOOL uint8; I32 and I64 int32.
The header is checked before memory is taken, each tensor is read straight into its place.
@function load_safetensors
@tparam string path
@tparam[opt] table options `prefix`: only the tensors whose names begin so, under what is left of their names; `map`:
do not read F32, U8 and I32 but map them, so that their pages are read when they are looked at and shared by all
processes that do. What is written to such a tensor does not reach the file, which must not be changed or made shorter
as long as the tensor lives; it may be replaced
@treturn table name -> Tensor
@treturn table the file's metadata, string -> string
@raise the path, and what is wrong: a header that is not strictly as specified (with the byte), a tensor (with its name)
 of another type, with offsets that do not fit, or with a number that does not fit its new type */
static int load_safetensors(lua_State *L)
{
    const char *path = lt_arg_path(L, 1), *text = "";
    bool map = false;
    const lt_option options[] = {
        {"prefix", LT_OPTION_STRING, &text, 0, 0}, {"map", LT_OPTION_BOOLEAN, &map, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 2, options);
    const lt_text prefix = {text, strlen(text)};
    lua_settop(L, 2);
    lt_safetensors **file = file_box(L);
    LT_TRY(L, open_into(file, path));
    const lt_st_header *header = &(*file)->header;
    lua_newtable(L);
    for (size_t i = 0; i < header->count; i++) {
        const lt_text name = header->entries[i].name;
        if (!begins_with(name, prefix))
            continue;
        lua_pushlstring(L, name.text + prefix.length, name.length - prefix.length);
        LT_PUSH(L, map ? lt_safetensors_map(*file, i) : lt_safetensors_read(*file, i));
        lua_rawset(L, 4);
    }
    push_metadata(L, header);
    lt_safetensors_close(*file);
    *file = NULL;
    return 2;
}

// What is to be saved. The arrays are Lua's memory and the texts in them belong to the tables: nothing to free.
typedef struct {
    lt_st_item *items;
    lt_st_pair *metadata;
    size_t count, pairs; // room, then what is there
} content;

static size_t count_pairs(lua_State *L, int table)
{
    size_t n = 0;
    if (lua_istable(L, table))
        for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
            n++;
    return n;
}

static lt_text text_at(lua_State *L, int index)
{
    lt_text s;
    s.text = lua_tolstring(L, index, &s.length);
    return s;
}

// From the tables at 2 and 3 into the arrays; allocates nothing, so no finalizer can run and change what was seen.
static void fill(lua_State *L, content *c)
{
    const size_t room = c->count, pair_room = c->pairs;
    c->count = c->pairs = 0;
    for (lua_pushnil(L); c->count < room && lua_next(L, 2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            lt_bad_argument(L, 2, "tensors: names are strings, got a %s", lt_type_name(L, -2));
        lt_tensor *t = lt_test_tensor(L, -1);
        if (!t)
            lt_bad_argument(L, 2, "tensors: expected tensor for '%s', got %s", lua_tostring(L, -2),
                            lt_type_name(L, -1));
        c->items[c->count++] = (lt_st_item){.name = text_at(L, -2), .tensor = t};
    }
    for (lua_pushnil(L); c->pairs < pair_room && lua_next(L, 3); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            lt_bad_argument(L, 3, "metadata: keys are strings, got a %s", lt_type_name(L, -2));
        if (lua_type(L, -1) != LUA_TSTRING)
            lt_bad_argument(L, 3, "metadata: expected string for '%s', got %s", lua_tostring(L, -2),
                            lt_type_name(L, -1));
        c->metadata[c->pairs++] = (lt_st_pair){text_at(L, -2), text_at(L, -1)};
    }
    lua_settop(L, 6);
}

/*** Writes named tensors as a safetensors file: float32 as F32, uint8 as U8, int32 as I32. The file is replaced as a
whole, or not at all: it is written under another name, synced and renamed. The same content gives the same bytes.
@function save_safetensors
@tparam string path
@tparam table tensors name -> Tensor
@tparam[opt] table metadata string -> string
@tparam[opt] table options dtype="bfloat16": float32 tensors of two axes or more are rounded to bfloat16, half the bytes
@raise a name that is not UTF-8; the path and the system's reason when it cannot be written */
static int save_safetensors(lua_State *L)
{
    const char *path = lt_arg_path(L, 1), *dtype = "float32";
    const lt_option options[] = {{"dtype", LT_OPTION_STRING, &dtype, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lua_settop(L, 4);
    if (!lua_istable(L, 2))
        lt_bad_argument(L, 2, "tensors: expected table, got %s", lt_type_name(L, 2));
    if (!lua_isnil(L, 3) && !lua_istable(L, 3))
        lt_bad_argument(L, 3, "metadata: expected table, got %s", lt_type_name(L, 3));
    lt_arg_options(L, 4, options);
    const bool halve = lt_one_of(L, 4, "dtype", dtype, 2, (const char *[]){"float32", "bfloat16"}) == 1;
    const size_t count = count_pairs(L, 2), pairs = count_pairs(L, 3);
    content c = {.count = count, .pairs = pairs};
    c.items = lua_newuserdatauv(L, count * sizeof *c.items, 0);
    c.metadata = lua_newuserdatauv(L, pairs * sizeof *c.metadata, 0);
    fill(L, &c);
    int status = lt_safetensors_save(path, c.items, c.count, c.metadata, c.pairs, halve);
    if (status != LT_OK && lt_collect_for_memory(L)) {
        c.count = count; // finalizers have run: look again
        c.pairs = pairs;
        fill(L, &c);
        status = lt_safetensors_save(path, c.items, c.count, c.metadata, c.pairs, halve);
    }
    return status == LT_OK ? 0 : lt_raise(L);
}

#define STREAM_TYPE "laterna.SafetensorsStream"

static int abort_stream(lua_State *L)
{
    lt_st_stream_abort(luaL_checkudata(L, 1, STREAM_TYPE));
    return 0;
}

/*** Begins a safetensors file whose tensors come piece by piece. What stood under the path stays until it is finished;
a stream that is closed or collected before that leaves nothing behind.
@function begin_stream
@tparam string path
@return the stream, which can be closed: `local s <close> = begin_stream(path)`
@raise the path and the system's reason when it cannot be written */
static int begin_stream(lua_State *L)
{
    const char *path = lt_arg_path(L, 1);
    lt_st_stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    s->file.fd = -1;
    luaL_setmetatable(L, STREAM_TYPE);
    LT_TRY(L, lt_st_stream_begin(s, path));
    return 1;
}

static lt_st_stream *open_stream(lua_State *L)
{
    lt_st_stream *s = luaL_testudata(L, 1, STREAM_TYPE);
    if (!s)
        lt_bad_argument(L, 1, "stream: expected one from begin_stream, got %s", lt_type_name(L, 1));
    if (s->file.fd < 0)
        lt_bad_argument(L, 1, "stream: it is closed");
    return s;
}

/*** The next values of a stream.
@function append_stream
@param stream
@tparam Tensor values, or a string of bytes
@raise the path and the system's reason when they cannot be written; the stream is closed then */
static int append_stream(lua_State *L)
{
    lt_st_stream *s = open_stream(L);
    const lt_tensor *t = lt_test_tensor(L, 2);
    size_t n = t ? (size_t)t->size * lt_dtype_size(t->dtype) : 0;
    const void *data = t ? t->data : lt_arg_string(L, 2, "values", &n);
    if (lt_st_stream_append(s, data, n) == LT_OK)
        return 0;
    lt_st_stream_abort(s);
    return lt_raise(L);
}

// The shape of part i, which is on top of the stack: {name, sizes ...}.
static lt_tensor shape_of_part(lua_State *L, int i)
{
    lt_tensor t = {.dtype = LT_UINT8, .size = 1};
    t.ndim = (int)lua_rawlen(L, -1) - 1;
    if (t.ndim < 0 || t.ndim > LT_MAX_DIM)
        lt_bad_argument(L, 2, "parts[%d]: expected a name and up to %d sizes", i, LT_MAX_DIM);
    for (int d = 0; d < t.ndim; d++) {
        lua_rawgeti(L, -1, d + 2);
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0)
            lt_bad_argument(L, 2, "parts[%d]: sizes are integers from 0 on", i);
        t.shape[d] = lua_tointeger(L, -1);
        if (__builtin_mul_overflow(t.size, t.shape[d], &t.size))
            lt_bad_argument(L, 2, "parts[%d]: its shape is too large", i);
        lua_pop(L, 1);
    }
    return t;
}

/*** Ends a stream: the file takes its place. Its tensors are uint8.
@function finish_stream
@param stream
@tparam {table,...} parts of what was appended, in its order: `{ name, size, ... }` with the sizes of its axes; 16 at
most
@tparam {table,...} metadata pairs `{ key, text }`, in the order in which the file has them
@raise sizes that are not those of what was appended; names and texts that do not fit into 4096 bytes; the path and the
system's reason when it cannot be written */
static int finish_stream(lua_State *L)
{
    enum { MOST = 16 };
    lt_st_stream *s = open_stream(L);
    lt_st_item items[MOST];
    lt_st_pair metadata[MOST];
    lt_tensor shapes[MOST];
    for (int arg = 2; arg <= 3; arg++)
        if (!lua_istable(L, arg))
            lt_bad_argument(L, arg, "expected table, got %s", lt_type_name(L, arg));
    const int count = (int)lua_rawlen(L, 2), pairs = (int)lua_rawlen(L, 3);
    if (count > MOST || pairs > MOST)
        lt_bad_argument(L, count > MOST ? 2 : 3, "more than %d", MOST);
    for (int i = 0; i < count + pairs; i++) {
        const bool part = i < count;
        if (lua_rawgeti(L, part ? 2 : 3, part ? i + 1 : i - count + 1) != LUA_TTABLE)
            lt_bad_argument(L, part ? 2 : 3, "expected a list of tables, got %s in it", lt_type_name(L, -1));
        lua_rawgeti(L, -1, 1); // texts are kept by the tables that they are in
        lua_rawgeti(L, -2, 2);
        if (lua_type(L, -2) != LUA_TSTRING || (!part && lua_type(L, -1) != LUA_TSTRING))
            lt_bad_argument(L, part ? 2 : 3, "expected text, got %s", lt_type_name(L, part ? -2 : -1));
        if (part)
            items[i].name = text_at(L, -2);
        else
            metadata[i - count] = (lt_st_pair){text_at(L, -2), text_at(L, -1)};
        lua_pop(L, 2);
        if (part) {
            shapes[i] = shape_of_part(L, i + 1);
            items[i].tensor = &shapes[i];
            items[i].halved = false;
        }
        lua_pop(L, 1);
    }
    LT_TRY(L, lt_st_stream_finish(s, items, (size_t)count, metadata, (size_t)pairs));
    return 0;
}

void lt_open_safetensors(lua_State *L)
{
    static const lt_function functions[] = {
        {"load_safetensors", load_safetensors, LT_IN_MODULE},
        {"inspect_safetensors", inspect_safetensors, LT_IN_MODULE},
        {"save_safetensors", save_safetensors, LT_IN_MODULE},
        {"begin_stream", begin_stream, LT_IN_MODULE},
        {"append_stream", append_stream, LT_IN_MODULE},
        {"finish_stream", finish_stream, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    if (luaL_newmetatable(L, FILE_TYPE)) {
        lua_pushcfunction(L, close_file);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    if (luaL_newmetatable(L, STREAM_TYPE)) {
        lua_pushcfunction(L, abort_stream);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "__gc");
        lua_setfield(L, -2, "__close");
    }
    lua_pop(L, 1);
    lt_register(L, functions);
}
