#include "io/idx.h"

#include <math.h>
#include <string.h>

#include "io/file.h"
#include "io/unpack.h"

enum { UBYTE = 0x08, BYTE = 0x09, SHORT = 0x0B, INT = 0x0C, FLOAT = 0x0D, DOUBLE = 0x0E };

static uint64_t big_endian(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

// One value of a type that is not UBYTE into element i.
static int convert(int type, const uint8_t *p, lt_tensor *out, int64_t i)
{
    uint32_t bits;
    uint64_t bits64;
    double d;
    switch (type) {
    case BYTE:
        lt_i32(out)[i] = (int8_t)p[0];
        return LT_OK;
    case SHORT:
        lt_i32(out)[i] = (int16_t)big_endian(p, 2);
        return LT_OK;
    case DOUBLE:
        bits64 = big_endian(p, 8);
        memcpy(&d, &bits64, 8);
        lt_f32(out)[i] = (float)d;
        if (isfinite(d) && !isfinite(lt_f32(out)[i]))
            return lt_fail("IDX: %g is too large for float32", d);
        return LT_OK;
    default: // INT, FLOAT: the same bits in the machine's order
        bits = (uint32_t)big_endian(p, 4);
        memcpy((char *)out->data + i * 4, &bits, 4);
        return LT_OK;
    }
}

static int read_values(lt_unpack *u, int type, size_t width, lt_tensor *out)
{
    uint8_t chunk[8192];
    if (type == UBYTE)
        return lt_unpack_read(u, out->data, (size_t)out->size);
    const int64_t most = (int64_t)(sizeof chunk / width);
    for (int64_t i = 0; i < out->size;) {
        const int64_t n = out->size - i < most ? out->size - i : most;
        if (lt_unpack_read(u, chunk, (size_t)n * width) != LT_OK)
            return LT_FAIL;
        for (int64_t j = 0; j < n; j++, i++)
            if (convert(type, chunk + (size_t)j * width, out, i) != LT_OK)
                return LT_FAIL;
    }
    return LT_OK;
}

static lt_tensor *decode(lt_unpack *u)
{
    static const uint8_t widths[16] = {[UBYTE] = 1, [BYTE] = 1, [SHORT] = 2, [INT] = 4, [FLOAT] = 4, [DOUBLE] = 8};
    uint8_t magic[4], sizes[4 * LT_MAX_DIM];
    int64_t shape[LT_MAX_DIM];
    if (lt_unpack_read(u, magic, 4) != LT_OK)
        return NULL;
    const int type = magic[2], ndim = magic[3];
    const size_t width = type < 16 ? widths[type] : 0;
    if (magic[0] || magic[1] || !width || ndim < 1 || ndim > LT_MAX_DIM) {
        lt_fail("IDX: not such a file: it starts with %02x %02x %02x %02x", magic[0], magic[1], magic[2], magic[3]);
        return NULL;
    }
    if (lt_unpack_read(u, sizes, 4 * (size_t)ndim) != LT_OK)
        return NULL;
    size_t bytes = width;
    for (int d = 0; d < ndim; d++) {
        shape[d] = (int64_t)big_endian(sizes + 4 * d, 4);
        if (lt_mul_size(bytes, (size_t)shape[d], &bytes) != LT_OK)
            bytes = SIZE_MAX; // stays above anything that a file holds, or becomes 0 with the sizes
    }
    // Before memory is taken: can the file hold that much?
    if (bytes > lt_unpack_most(u) || (!u->gzip && bytes < u->left)) {
        lt_fail("IDX: the header says %s, %zu bytes; the file holds %s%llu", lt_shape_text_of(ndim, shape), bytes,
                u->gzip ? "at most " : "", (unsigned long long)lt_unpack_most(u));
        return NULL;
    }
    lt_dtype dtype = type == UBYTE ? LT_UINT8 : type <= INT ? LT_INT32 : LT_FLOAT32;
    lt_tensor *out = lt_tensor_new(dtype, ndim, shape);
    if (out && (read_values(u, type, width, out) != LT_OK || lt_unpack_end(u) != LT_OK)) {
        lt_release(out);
        return NULL;
    }
    return out;
}

lt_tensor *lt_idx_decode(const void *bytes, size_t n)
{
    lt_unpack u;
    if (lt_unpack_begin(&u, bytes, n) != LT_OK)
        return NULL;
    lt_tensor *out = decode(&u);
    lt_unpack_free(&u);
    return out;
}

lt_tensor *lt_idx_load(const char *path)
{
    lt_bytes file = {0};
    if (lt_file_read(path, (uint64_t)1 << 40, &file) != LT_OK)
        return NULL;
    lt_tensor *out = lt_idx_decode(file.data, file.size);
    lt_bytes_free(&file);
    if (!out)
        lt_fail_in_file(path);
    return out;
}
