// A safetensors file that is written before it is known how long its tensors are: room for a header, the data, and then
// the header. It replaces another as a whole, or not at all.
#include <string.h>

#include "io/safetensors.h"

int lt_st_stream_begin(lt_st_stream *s, const char *path)
{
    char room[LT_ST_STREAM_ROOM];
    memset(room, ' ', sizeof room);
    s->bytes = 0;
    if (lt_replace_begin(&s->file, path) != LT_OK)
        return LT_FAIL;
    if (lt_replace_write(&s->file, room, sizeof room) == LT_OK)
        return LT_OK;
    lt_replace_abort(&s->file);
    return LT_FAIL;
}

int lt_st_stream_append(lt_st_stream *s, const void *data, size_t n)
{
    if (lt_replace_write(&s->file, data, n) != LT_OK)
        return LT_FAIL;
    s->bytes += n;
    return LT_OK;
}

int lt_st_stream_finish(lt_st_stream *s, const lt_st_item *items, size_t count, const lt_st_pair *metadata,
                        size_t pairs)
{
    uint64_t bytes = 0;
    lt_bytes header = {0};
    for (size_t i = 0; i < count; i++)
        bytes += (uint64_t)items[i].tensor->size * lt_dtype_size(items[i].tensor->dtype);
    if (bytes != s->bytes)
        return lt_fail("safetensors: tensors of %llu bytes, but %llu were written", (unsigned long long)bytes,
                       (unsigned long long)s->bytes);
    int status = lt_st_header_build(&header, items, count, metadata, pairs, LT_ST_STREAM_ROOM);
    if (status == LT_OK)
        status = lt_replace_write_at(&s->file, 0, header.data, header.size);
    if (status == LT_OK)
        status = lt_replace_commit(&s->file);
    lt_bytes_free(&header);
    return status;
}

void lt_st_stream_abort(lt_st_stream *s)
{
    lt_replace_abort(&s->file);
}
