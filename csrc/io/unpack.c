#include "io/unpack.h"

#include <string.h>

#include "base/memory.h"

static voidpf allocate(voidpf opaque, uInt items, uInt size)
{
    void *p = lt_alloc((size_t)items * size);
    if (!p)
        ((lt_unpack *)opaque)->out_of_memory = true;
    return p;
}

static void release(voidpf opaque, voidpf p)
{
    lt_free(p);
}

int lt_unpack_begin(lt_unpack *u, const void *bytes, size_t n)
{
    *u = (lt_unpack){.next = bytes, .left = n};
    if (n < 2 || u->next[0] != 0x1F || u->next[1] != 0x8B)
        return LT_OK;
    u->z = (z_stream){.zalloc = allocate, .zfree = release, .opaque = u};
    if (inflateInit2(&u->z, 15 + 16) != Z_OK) // 16: a gzip wrapper, nothing else
        return u->out_of_memory ? LT_FAIL : lt_fail("gzip: cannot start");
    u->gzip = true;
    return LT_OK;
}

void lt_unpack_free(lt_unpack *u)
{
    if (u->gzip)
        inflateEnd(&u->z);
    u->gzip = false;
}

uint64_t lt_unpack_most(const lt_unpack *u)
{
    // 258 bytes from 2 bits is the most that deflate can do; its window may hold 32 KiB more.
    return u->gzip ? (uint64_t)u->left * 1032 + 65536 : u->left;
}

// Unpacks up to n bytes; *got is less only at the end of the stream. A gzip file may be several streams in a row.
static int inflate_some(lt_unpack *u, uint8_t *out, size_t n, size_t *got)
{
    *got = 0;
    while (*got < n && !u->ended) {
        const size_t room = n - *got;
        const uInt in = (uInt)(u->left < (1u << 30) ? u->left : 1u << 30);
        const uInt space = (uInt)(room < (1u << 30) ? room : 1u << 30);
        u->z.next_in = (Bytef *)u->next;
        u->z.avail_in = in;
        u->z.next_out = out + *got;
        u->z.avail_out = space;
        int status = inflate(&u->z, Z_NO_FLUSH);
        u->next += in - u->z.avail_in;
        u->left -= in - u->z.avail_in;
        *got += space - u->z.avail_out;
        if (status == Z_STREAM_END) {
            u->ended = u->left == 0;
            if (!u->ended && (u->left < 2 || u->next[0] != 0x1F || u->next[1] != 0x8B || inflateReset(&u->z) != Z_OK))
                return lt_fail("gzip: %zu bytes too many at the end", u->left);
        } else if (status == Z_MEM_ERROR && u->out_of_memory)
            return LT_FAIL;
        else if (status == Z_BUF_ERROR || (status == Z_OK && u->left == 0 && u->z.avail_out > 0))
            return lt_fail("gzip: the file ends too early");
        else if (status != Z_OK)
            return lt_fail("gzip: %s", u->z.msg ? u->z.msg : "the data is damaged");
    }
    return LT_OK;
}

int lt_unpack_read(lt_unpack *u, void *out, size_t n)
{
    size_t got = n < u->left ? n : u->left;
    if (u->gzip) {
        if (inflate_some(u, out, n, &got) != LT_OK)
            return LT_FAIL;
    } else if (got) {
        memcpy(out, u->next, got);
        u->next += got;
        u->left -= got;
    }
    return got == n ? LT_OK : lt_fail("the file ends too early");
}

int lt_unpack_end(lt_unpack *u)
{
    uint8_t more;
    size_t got = u->left;
    if (u->gzip && inflate_some(u, &more, 1, &got) != LT_OK)
        return LT_FAIL;
    return got == 0 ? LT_OK : lt_fail("there are bytes too many at the end");
}
