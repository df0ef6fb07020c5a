// Writing safetensors: a header from what is there, then the values, all behind a temporary name.
// A safetensors file in place of the one before it, whole or not at all.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"

// Bytes of a value in the file.
static size_t width_of(const lt_st_item *item)
{
    return item->halved ? sizeof(uint16_t) : lt_dtype_size(item->tensor->dtype);
}

static int by_width_and_name(const void *a, const void *b)
{
    const lt_st_item *x = a, *y = b;
    const size_t wide = width_of(x), other = width_of(y);
    return wide != other ? (wide > other ? -1 : 1) : lt_text_compare(x->name, y->name);
}

static int by_key(const void *a, const void *b)
{
    return lt_text_compare(((const lt_st_pair *)a)->key, ((const lt_st_pair *)b)->key);
}

static int append_text(lt_bytes *out, const char *text)
{
    return lt_bytes_append(out, text, strlen(text));
}

static int append_metadata(lt_bytes *out, const lt_st_pair *metadata, size_t pairs)
{
    int status = append_text(out, "\"__metadata__\":{");
    for (size_t i = 0; status == LT_OK && i < pairs; i++)
        if ((i && append_text(out, ",") != LT_OK) || lt_json_write_string(out, metadata[i].key) != LT_OK ||
            append_text(out, ":") != LT_OK || lt_json_write_string(out, metadata[i].value) != LT_OK)
            status = LT_FAIL;
    return status == LT_OK ? append_text(out, "}") : LT_FAIL;
}

// "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}; moves *offset behind its data.
static int append_item(lt_bytes *out, const lt_st_item *item, uint64_t *offset)
{
    static const char *const types[] = {[LT_FLOAT32] = "F32", [LT_UINT8] = "U8", [LT_INT32] = "I32"};
    const lt_tensor *t = item->tensor;
    const uint64_t end = *offset + (uint64_t)t->size * width_of(item);
    char text[96];
    snprintf(text, sizeof text, ":{\"dtype\":\"%s\",\"shape\":[", item->halved ? "BF16" : types[t->dtype]);
    if (lt_json_write_string(out, item->name) != LT_OK || append_text(out, text) != LT_OK)
        return LT_FAIL;
    for (int d = 0; d < t->ndim; d++) {
        snprintf(text, sizeof text, "%s%" PRId64, d ? "," : "", t->shape[d]);
        if (append_text(out, text) != LT_OK)
            return LT_FAIL;
    }
    snprintf(text, sizeof text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *offset, end);
    *offset = end;
    return append_text(out, text);
}

static int check_names(const lt_st_item *items, size_t count, const lt_st_pair *metadata, size_t pairs)
{
    static const char reserved[] = "__metadata__";
    for (size_t i = 0; i < count; i++) {
        const lt_text name = items[i].name;
        if (!lt_utf8_valid(name))
            return lt_fail("tensor name '%s' is not UTF-8", lt_shown(name.text, name.length));
        if (lt_text_compare(name, (lt_text){reserved, sizeof reserved - 1}) == 0)
            return lt_fail("'__metadata__' cannot be the name of a tensor");
    }
    for (size_t i = 0; i < pairs; i++)
        if (!lt_utf8_valid(metadata[i].key) || !lt_utf8_valid(metadata[i].value))
            return lt_fail("metadata '%s' is not UTF-8", lt_shown(metadata[i].key.text, metadata[i].key.length));
    return LT_OK;
}

int lt_st_header_build(lt_bytes *out, const lt_st_item *items, size_t count, const lt_st_pair *metadata, size_t pairs,
                       size_t room)
{
    uint64_t length = 0, offset = 0;
    int status = check_names(items, count, metadata, pairs);
    if (status == LT_OK)
        status = lt_bytes_append(out, &length, 8);
    if (status == LT_OK)
        status = append_text(out, "{");
    if (status == LT_OK && pairs)
        status = append_metadata(out, metadata, pairs);
    for (size_t i = 0; status == LT_OK && i < count; i++) {
        if (i || pairs)
            status = append_text(out, ",");
        if (status == LT_OK)
            status = append_item(out, &items[i], &offset);
    }
    if (status == LT_OK)
        status = append_text(out, "}");
    if (status == LT_OK && room && out->size > room)
        return lt_fail("safetensors: a header of %zu bytes, where there is room for %zu", out->size, room);
    while (status == LT_OK && (room ? out->size < room : out->size % 8 != 0))
        status = append_text(out, " ");
    if (status != LT_OK)
        return LT_FAIL;
    length = out->size - 8;
    if (length > LT_SAFETENSORS_MAX_HEADER)
        return lt_fail("safetensors: a header of %" PRIu64 " bytes is longer than the format allows (%u)", length,
                       LT_SAFETENSORS_MAX_HEADER);
    memcpy(out->data, &length, 8);
    return LT_OK;
}

// To nearest, ties to even; NaN stays NaN.
static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int write_values(lt_replacement *r, const lt_st_item *item)
{
    enum { MOST = 1 << 13 };
    uint16_t chunk[MOST];
    const lt_tensor *t = item->tensor;
    if (!item->halved)
        return lt_replace_write(r, t->data, (size_t)t->size * lt_dtype_size(t->dtype));
    const float *values = t->data;
    for (int64_t at = 0; at < t->size; at += MOST) {
        const int64_t n = t->size - at < MOST ? t->size - at : MOST;
        for (int64_t i = 0; i < n; i++)
            chunk[i] = to_bf16(values[at + i]);
        if (lt_replace_write(r, chunk, (size_t)n * sizeof *chunk) != LT_OK)
            return LT_FAIL;
    }
    return LT_OK;
}

int lt_safetensors_save(const char *path, lt_st_item *items, size_t count, lt_st_pair *metadata, size_t pairs,
                        bool halve)
{
    lt_bytes header = {0};
    lt_replacement r;
    for (size_t i = 0; i < count; i++)
        items[i].halved = halve && items[i].tensor->dtype == LT_FLOAT32 && items[i].tensor->ndim >= 2;
    if (count > 1)
        qsort(items, count, sizeof *items, by_width_and_name);
    if (pairs > 1)
        qsort(metadata, pairs, sizeof *metadata, by_key);
    int status = lt_st_header_build(&header, items, count, metadata, pairs, 0);
    if (status == LT_OK && (status = lt_replace_begin(&r, path)) == LT_OK) {
        status = lt_replace_write(&r, header.data, header.size);
        for (size_t i = 0; status == LT_OK && i < count; i++)
            status = write_values(&r, &items[i]);
        if (status == LT_OK)
            status = lt_replace_commit(&r);
        else
            lt_replace_abort(&r);
    }
    lt_bytes_free(&header);
    return status;
}
