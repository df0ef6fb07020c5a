// Reading safetensors: the header first, then each tensor from the file straight into its place.
// Tensors out of a safetensors file whose header has been accepted.
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/safetensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is read as it lies in the file");

static int open_file(lt_safetensors *f, const char *path)
{
    uint64_t size, length;
    if ((f->fd = lt_file_open(path, &size)) < 0)
        return LT_FAIL;
    if (size < 8)
        lt_fail("too short for safetensors: %llu bytes", (unsigned long long)size);
    else if (lt_file_read_at(f->fd, path, 0, &length, 8) != LT_OK)
        return LT_FAIL;
    else if (length > LT_SAFETENSORS_MAX_HEADER || length > size - 8)
        lt_fail("not a safetensors file: a header of %llu bytes, of %llu that may be", (unsigned long long)length,
                (unsigned long long)(size - 8 < LT_SAFETENSORS_MAX_HEADER ? size - 8 : LT_SAFETENSORS_MAX_HEADER));
    else {
        char *json = lt_alloc(length);
        if (!json)
            return LT_FAIL;
        if (lt_file_read_at(f->fd, path, 8, json, length) != LT_OK) {
            lt_free(json);
            return LT_FAIL;
        }
        f->data_start = 8 + length;
        if (lt_st_header_parse(&f->header, json, length, size - f->data_start) == LT_OK)
            return LT_OK;
    }
    return lt_fail_in_file(path);
}

lt_safetensors *lt_safetensors_open(const char *path)
{
    lt_safetensors *f = lt_alloc_zeroed(sizeof *f);
    if (!f)
        return NULL;
    f->fd = -1;
    if (open_file(f, path) != LT_OK) {
        lt_safetensors_close(f);
        return NULL;
    }
    strncpy(f->path, path, sizeof f->path - 1); // opened, so no longer than PATH_MAX
    return f;
}

void lt_safetensors_close(lt_safetensors *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    lt_st_header_free(&f->header);
    lt_free(f);
}

static float from_half(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3FF;
    uint32_t bits;
    float f;
    if (exponent == 0) {
        f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (exponent == 31 ? 0x7F800000 : (exponent + 112) << 23) | mantissa << 13;
    memcpy(&f, &bits, 4);
    return f;
}

static int fail_value(const lt_st_entry *e, const char *format, const char *type)
{
    return lt_fail("tensor '%s' holds %s, which %s cannot", lt_shown(e->name.text, e->name.length), format, type);
}

// n values at `in`, of the file's type, into out from element `at` on.
static int convert(const lt_st_entry *e, const uint8_t *in, int64_t n, lt_tensor *out, int64_t at)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t bits;
        int64_t integer;
        double d;
        switch (e->type) {
        case LT_ST_F16:
            memcpy(&half, in + 2 * i, 2);
            lt_f32(out)[at + i] = from_half(half);
            break;
        case LT_ST_BF16:
            memcpy(&half, in + 2 * i, 2);
            bits = (uint32_t)half << 16;
            memcpy(lt_f32(out) + at + i, &bits, 4);
            break;
        case LT_ST_F64:
            memcpy(&d, in + 8 * i, 8);
            lt_f32(out)[at + i] = (float)d;
            if (isfinite(d) && isinf(lt_f32(out)[at + i]))
                return fail_value(e, "a number above 3.4e38", "float32");
            break;
        case LT_ST_I64:
            memcpy(&integer, in + 8 * i, 8);
            if (integer < INT32_MIN || integer > INT32_MAX)
                return fail_value(e, "an integer beyond 32 bits", "int32");
            lt_i32(out)[at + i] = (int32_t)integer;
            break;
        case LT_ST_BOOL:
            lt_u8(out)[at + i] = in[i] != 0;
            break;
        default: // F32, U8, I32 are read in place
            break;
        }
    }
    return LT_OK;
}

static int read_values(const lt_safetensors *f, const lt_st_entry *e, lt_tensor *out)
{
    uint8_t chunk[1 << 14];
    uint64_t offset = f->data_start + e->begin;
    const uint64_t bytes = e->end - e->begin;
    if (e->type == LT_ST_F32 || e->type == LT_ST_U8 || e->type == LT_ST_I32)
        return lt_file_read_at(f->fd, f->path, offset, out->data, bytes);
    const int64_t width = out->size ? (int64_t)(bytes / (uint64_t)out->size) : 1;
    const int64_t most = (int64_t)sizeof chunk / width;
    for (int64_t at = 0; at < out->size;) {
        const int64_t n = out->size - at < most ? out->size - at : most;
        if (lt_file_read_at(f->fd, f->path, offset, chunk, (size_t)(n * width)) != LT_OK)
            return LT_FAIL;
        if (convert(e, chunk, n, out, at) != LT_OK)
            return lt_fail_in_file(f->path);
        offset += (uint64_t)(n * width);
        at += n;
    }
    return LT_OK;
}

static lt_dtype dtype_of(lt_st_type type)
{
    return type == LT_ST_U8 || type == LT_ST_BOOL   ? LT_UINT8
           : type == LT_ST_I32 || type == LT_ST_I64 ? LT_INT32
                                                    : LT_FLOAT32;
}

lt_tensor *lt_safetensors_map(const lt_safetensors *f, size_t i)
{
    const lt_st_entry *e = &f->header.entries[i];
    const bool as_it_is = e->type == LT_ST_F32 || e->type == LT_ST_U8 || e->type == LT_ST_I32;
    const uint64_t start = f->data_start + e->begin, page = (uint64_t)sysconf(_SC_PAGESIZE), before = start % page;
    const size_t bytes = (size_t)(e->end - e->begin);
    if (!as_it_is || bytes == 0 || start % lt_dtype_size(dtype_of(e->type)) != 0)
        return lt_safetensors_read(f, i);
    uint8_t *map =
        mmap(NULL, bytes + before, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, f->fd, (off_t)(start - before));
    if (map == MAP_FAILED) {
        lt_fail_memory(bytes);
        return NULL;
    }
    return lt_tensor_of_map(dtype_of(e->type), e->ndim, e->shape, map, bytes + before, map + before);
}

lt_tensor *lt_safetensors_read(const lt_safetensors *f, size_t i)
{
    const lt_st_entry *e = &f->header.entries[i];
    const lt_dtype dtype = dtype_of(e->type);
    lt_tensor *out = lt_tensor_new(dtype, e->ndim, e->shape);
    if (out && read_values(f, e, out) != LT_OK) {
        lt_release(out);
        return NULL;
    }
    return out;
}
