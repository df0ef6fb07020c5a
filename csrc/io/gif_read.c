// Reading the first frame of a GIF with giflib.
#ifdef LT_HAVE_gif
#include <string.h>

#include <gif_lib.h>

#include "io/picture.h"

typedef struct {
    const uint8_t *next;
    size_t left;
    GifFileType *gif;
    int transparent;       // an index of the palette; NO_TRANSPARENT_COLOR
    int64_t height, width; // of the canvas, on which the frame lies
    const ColorMapObject *palette;
    uint8_t *indices, *pixels; // a row of the frame; a row of the canvas
    lt_rows rows;
    const lt_picture_options *options;
} reader;

static int read_bytes(GifFileType *gif, GifByteType *out, int n)
{
    reader *r = gif->UserData;
    const size_t most = (size_t)n < r->left ? (size_t)n : r->left;
    memcpy(out, r->next, most);
    r->next += most;
    r->left -= most;
    return (int)most;
}

// "No screen descriptor" is what giflib says where the file ends in it, and where there is no memory for its palette.
static int fail(const reader *r, int code)
{
    const bool in_head = code == D_GIF_ERR_NO_SCRN_DSCR;
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM || (in_head && r->left > 0))
        return lt_fail_memory((size_t)(r->width * r->height));
    if (code == D_GIF_ERR_READ_FAILED || code == D_GIF_ERR_EOF_TOO_SOON || in_head)
        return lt_fail("not a sound GIF file: the file ends too early");
    const char *reason = GifErrorString(code);
    return lt_fail("not a sound GIF file: %s", reason ? reason : "damaged");
}

// Up to the first frame; of what stands before it only the transparent colour matters.
static int find_frame(reader *r)
{
    GifRecordType type;
    for (;;) {
        if (DGifGetRecordType(r->gif, &type) != GIF_OK)
            return fail(r, r->gif->Error);
        if (type == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(r->gif) == GIF_OK ? LT_OK : fail(r, r->gif->Error);
        if (type == TERMINATE_RECORD_TYPE)
            return lt_fail("not a sound GIF file: it has no picture");
        int kind;
        GifByteType *block; // its first byte is its length
        GraphicsControlBlock control;
        int status = DGifGetExtension(r->gif, &kind, &block);
        for (; status == GIF_OK && block; status = DGifGetExtensionNext(r->gif, &block))
            if (kind == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
                r->transparent = control.TransparentColor;
        if (status != GIF_OK)
            return fail(r, r->gif->Error);
    }
}

// Before memory is taken for the picture. A frame may reach beyond the canvas, which then grows.
static int check_frame(reader *r)
{
    const GifFileType *gif = r->gif;
    const GifImageDesc *frame = &gif->Image;
    r->width = frame->Left + frame->Width > gif->SWidth ? frame->Left + frame->Width : gif->SWidth;
    r->height = frame->Top + frame->Height > gif->SHeight ? frame->Top + frame->Height : gif->SHeight;
    r->palette = frame->ColorMap ? frame->ColorMap : gif->SColorMap;
    if (frame->Width < 1 || frame->Height < 1)
        return lt_fail("not a sound GIF file: a frame of %dx%d pixels", frame->Width, frame->Height);
    if (!r->palette)
        return lt_fail("not a sound GIF file: no palette");
    return lt_picture_check_size(r->height, r->width, r->options);
}

// A row of the frame onto a row of the canvas, where all is transparent that no frame covers.
static int paint_row(reader *r, int y)
{
    const GifImageDesc *frame = &r->gif->Image;
    const int c = r->rows.from;
    if (DGifGetLine(r->gif, r->indices, frame->Width) != GIF_OK)
        return fail(r, r->gif->Error);
    for (int x = 0; x < frame->Width; x++) {
        uint8_t *p = r->pixels + (size_t)(frame->Left + x) * (size_t)c;
        const int i = r->indices[x];
        if (i == r->transparent) {
            memset(p, 0, 4);
            continue;
        }
        if (i >= r->palette->ColorCount)
            return lt_fail("not a sound GIF file: colour %d of a palette of %d", i + 1, r->palette->ColorCount);
        const GifColorType colour = r->palette->Colors[i];
        p[0] = colour.Red;
        p[1] = colour.Green;
        p[2] = colour.Blue;
        if (c == 4)
            p[3] = 255;
    }
    lt_rows_put(&r->rows, frame->Top + y, r->pixels);
    return LT_OK;
}

// Interlaced frames have every 8th row first, then those half-way between, and so on.
static int paint(reader *r)
{
    static const int starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
    const GifImageDesc *frame = &r->gif->Image;
    for (int64_t y = 0; y < r->height; y++)
        if (y < frame->Top || y >= frame->Top + frame->Height)
            lt_rows_put(&r->rows, y, r->pixels);
    for (int pass = 0; pass < (frame->Interlace ? 4 : 1); pass++)
        for (int y = starts[pass]; y < frame->Height; y += frame->Interlace ? steps[pass] : 1)
            if (paint_row(r, y) != LT_OK)
                return LT_FAIL;
    return LT_OK;
}

static int decode(reader *r)
{
    int code = 0;
    if (!(r->gif = DGifOpen(r, read_bytes, &code)))
        return fail(r, code);
    if (find_frame(r) != LT_OK || check_frame(r) != LT_OK)
        return LT_FAIL;
    const GifImageDesc *frame = &r->gif->Image;
    const bool covered = frame->Width == r->width && frame->Height == r->height;
    const int channels = r->transparent == NO_TRANSPARENT_COLOR && covered ? 3 : 4;
    if (lt_rows_begin(&r->rows, r->height, r->width, channels, 1, r->options) != LT_OK ||
        !(r->indices = lt_alloc((size_t)frame->Width)) ||
        !(r->pixels = lt_alloc_zeroed((size_t)r->width * (size_t)channels)))
        return LT_FAIL;
    return paint(r);
}

lt_tensor *lt_gif_decode(const void *bytes, size_t n, const lt_picture_options *options)
{
    reader r = {.next = bytes, .left = n, .transparent = NO_TRANSPARENT_COLOR, .options = options};
    if (decode(&r) != LT_OK) {
        lt_release(r.rows.out);
        r.rows.out = NULL;
    }
    if (r.gif)
        DGifCloseFile(r.gif, NULL);
    lt_rows_free(&r.rows);
    lt_free(r.indices);
    lt_free(r.pixels);
    return r.rows.out;
}
#endif
