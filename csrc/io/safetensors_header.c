// Parsing of safetensors headers. The grammar is fixed: objects of objects of arrays, three deep, nothing else.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/safetensors.h"

static const struct {
    const char *name;
    lt_st_type type;
    size_t width;
} types[] = {
    {"F32", LT_ST_F32, 4}, {"F16", LT_ST_F16, 2},   {"BF16", LT_ST_BF16, 2}, {"F64", LT_ST_F64, 8},
    {"U8", LT_ST_U8, 1},   {"BOOL", LT_ST_BOOL, 1}, {"I32", LT_ST_I32, 4},   {"I64", LT_ST_I64, 8},
};

const char *lt_st_type_name(lt_st_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].name;
    return "?";
}

static bool is(lt_text s, const char *word)
{
    return s.length == strlen(word) && memcmp(s.text, word, s.length) == 0;
}

static int fail_tensor(lt_text name, const char *what)
{
    return lt_fail("header: tensor '%s': %s", lt_shown(name.text, name.length), what);
}

static int parse_type(lt_json *j, lt_text name, lt_st_type *type, size_t *width)
{
    lt_text text;
    if (lt_json_string(j, &text) != LT_OK)
        return LT_FAIL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (is(text, types[i].name)) {
            *type = types[i].type;
            *width = types[i].width;
            return LT_OK;
        }
    return lt_fail("header: tensor '%s' is of type %s, which laterna does not read", lt_shown(name.text, name.length),
                   lt_shown(text.text, text.length));
}

static int parse_shape(lt_json *j, lt_st_entry *e)
{
    uint64_t size;
    e->ndim = 0;
    if (lt_json_expect(j, '[') != LT_OK)
        return LT_FAIL;
    if (lt_json_accept(j, ']'))
        return LT_OK;
    do {
        if (lt_json_u64(j, &size) != LT_OK)
            return LT_FAIL;
        if (e->ndim == LT_MAX_DIM)
            return fail_tensor(e->name, "more than 8 axes");
        if (size > INT64_MAX)
            return fail_tensor(e->name, "a size above 2^63-1");
        e->shape[e->ndim++] = (int64_t)size;
    } while (lt_json_accept(j, ','));
    return lt_json_expect(j, ']');
}

static int parse_offsets(lt_json *j, lt_st_entry *e)
{
    if (lt_json_expect(j, '[') != LT_OK || lt_json_u64(j, &e->begin) != LT_OK || lt_json_expect(j, ',') != LT_OK ||
        lt_json_u64(j, &e->end) != LT_OK)
        return LT_FAIL;
    return lt_json_expect(j, ']');
}

// Offsets must be as far apart as shape and type say.
static int check_extent(const lt_st_entry *e, size_t width)
{
    size_t bytes = width;
    for (int d = 0; d < e->ndim; d++)
        if (lt_mul_size(bytes, (size_t)e->shape[d], &bytes) != LT_OK)
            return fail_tensor(e->name, "its shape is too large");
    if (e->begin > e->end || e->end - e->begin != bytes)
        return lt_fail("header: tensor '%s': offsets %llu to %llu, but %s needs %zu bytes",
                       lt_shown(e->name.text, e->name.length), (unsigned long long)e->begin, (unsigned long long)e->end,
                       lt_shape_text_of(e->ndim, e->shape), bytes);
    return LT_OK;
}

static int parse_entry(lt_json *j, lt_st_entry *e)
{
    enum { TYPE = 1, SHAPE = 2, OFFSETS = 4 };
    size_t width = 0;
    int seen = 0;
    if (lt_json_expect(j, '{') != LT_OK)
        return LT_FAIL;
    do {
        lt_text key;
        if (lt_json_string(j, &key) != LT_OK || lt_json_expect(j, ':') != LT_OK)
            return LT_FAIL;
        const int field = is(key, "dtype") ? TYPE : is(key, "shape") ? SHAPE : is(key, "data_offsets") ? OFFSETS : 0;
        if (field == 0 || (seen & field))
            return lt_fail("header: tensor '%s': %s key '%s'", lt_shown(e->name.text, e->name.length),
                           field ? "repeated" : "unknown", lt_shown(key.text, key.length));
        seen |= field;
        int status = field == TYPE    ? parse_type(j, e->name, &e->type, &width)
                     : field == SHAPE ? parse_shape(j, e)
                                      : parse_offsets(j, e);
        if (status != LT_OK)
            return LT_FAIL;
    } while (lt_json_accept(j, ','));
    if (lt_json_expect(j, '}') != LT_OK)
        return LT_FAIL;
    if (seen != (TYPE | SHAPE | OFFSETS))
        return fail_tensor(e->name, "expected dtype, shape and data_offsets");
    return check_extent(e, width);
}

static int parse_metadata(lt_json *j, lt_st_header *h)
{
    if (lt_json_expect(j, '{') != LT_OK)
        return LT_FAIL;
    if (lt_json_accept(j, '}'))
        return LT_OK;
    do {
        lt_st_pair pair;
        if (lt_json_string(j, &pair.key) != LT_OK || lt_json_expect(j, ':') != LT_OK ||
            lt_json_string(j, &pair.value) != LT_OK || lt_bytes_append(&h->pair_bytes, &pair, sizeof pair) != LT_OK)
            return LT_FAIL;
    } while (lt_json_accept(j, ','));
    return lt_json_expect(j, '}');
}

static int parse_members(lt_json *j, lt_st_header *h)
{
    bool metadata = false;
    if (j->next == j->end || *j->next != '{') // not even white space before it
        return lt_json_fail(j, "'{'");
    j->next++;
    if (lt_json_accept(j, '}'))
        return LT_OK;
    do {
        lt_st_entry e = {0};
        if (lt_json_string(j, &e.name) != LT_OK || lt_json_expect(j, ':') != LT_OK)
            return LT_FAIL;
        if (is(e.name, "__metadata__")) {
            if (metadata)
                return lt_fail("header: repeated key '__metadata__'");
            metadata = true;
            if (parse_metadata(j, h) != LT_OK)
                return LT_FAIL;
        } else if (parse_entry(j, &e) != LT_OK || lt_bytes_append(&h->entry_bytes, &e, sizeof e) != LT_OK)
            return LT_FAIL;
    } while (lt_json_accept(j, ','));
    return lt_json_expect(j, '}');
}

static int by_name(const void *a, const void *b)
{
    return lt_text_compare(((const lt_st_entry *)a)->name, ((const lt_st_entry *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return lt_text_compare(((const lt_st_pair *)a)->key, ((const lt_st_pair *)b)->key);
}

static int by_offset(const void *a, const void *b)
{
    const lt_st_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return by_name(a, b); // empty tensors: any order would do, this one is reproducible
}

static int check_repeats(lt_st_header *h)
{
    if (h->pairs > 1)
        qsort(h->metadata, h->pairs, sizeof *h->metadata, by_key);
    for (size_t i = 1; i < h->pairs; i++)
        if (by_key(&h->metadata[i - 1], &h->metadata[i]) == 0)
            return lt_fail("header: repeated metadata key '%s'",
                           lt_shown(h->metadata[i].key.text, h->metadata[i].key.length));
    if (h->count > 1)
        qsort(h->entries, h->count, sizeof *h->entries, by_name);
    for (size_t i = 1; i < h->count; i++)
        if (by_name(&h->entries[i - 1], &h->entries[i]) == 0)
            return fail_tensor(h->entries[i].name, "repeated");
    return LT_OK;
}

// The data must be covered exactly: what no tensor shows could hide anything, what two show could be changed twice.
static int check_tiling(lt_st_header *h, uint64_t data_size)
{
    uint64_t at = 0;
    if (h->count > 1)
        qsort(h->entries, h->count, sizeof *h->entries, by_offset);
    for (size_t i = 0; i < h->count; at = h->entries[i++].end) {
        const lt_st_entry *e = &h->entries[i];
        if (e->end > data_size)
            return fail_tensor(e->name, "its data ends after the file does");
        if (e->begin != at)
            return fail_tensor(e->name, e->begin < at ? "its data overlaps another's" : "a hole before its data");
    }
    if (at != data_size)
        return lt_fail("%llu bytes after the last tensor", (unsigned long long)(data_size - at));
    return LT_OK;
}

int lt_st_header_parse(lt_st_header *h, char *json, size_t n, uint64_t data_size)
{
    lt_json j = {json, json, json + n};
    *h = (lt_st_header){.json = json};
    if (parse_members(&j, h) != LT_OK)
        return LT_FAIL;
    if (!lt_json_at_end(&j))
        return lt_json_fail(&j, "nothing more");
    h->entries = (lt_st_entry *)(void *)h->entry_bytes.data;
    h->count = h->entry_bytes.size / sizeof *h->entries;
    h->metadata = (lt_st_pair *)(void *)h->pair_bytes.data;
    h->pairs = h->pair_bytes.size / sizeof *h->metadata;
    return check_repeats(h) == LT_OK ? check_tiling(h, data_size) : LT_FAIL;
}

void lt_st_header_free(lt_st_header *h)
{
    lt_free(h->json);
    lt_bytes_free(&h->entry_bytes);
    lt_bytes_free(&h->pair_bytes);
    *h = (lt_st_header){0};
}
