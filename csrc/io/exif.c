// The one number of EXIF that changes a picture: which way up it is.
#include "io/picture.h"

// Numbers of 2 or 4 bytes in the order that the structure itself names.
static uint32_t number(const uint8_t *p, int bytes, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[little ? bytes - 1 - i : i];
    return v;
}

// TIFF: "II" or "MM", 42, where the first directory lies; a directory: the number of its entries, then 12 bytes each:
// tag, type, count, value. Orientation has tag 274 and is a SHORT (type 3).
int lt_exif_orientation(const uint8_t *tiff, size_t n)
{
    enum { HEAD = 8, ENTRY = 12, ORIENTATION = 274, SHORT = 3 };
    if (n < HEAD || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M'))
        return 1;
    const bool little = tiff[0] == 'I';
    size_t at = number(tiff + 4, 4, little);
    if (number(tiff + 2, 2, little) != 42 || at > n - 2)
        return 1;
    uint32_t entries = number(tiff + at, 2, little);
    for (at += 2; entries > 0 && n - at >= ENTRY; at += ENTRY, entries--)
        if (number(tiff + at, 2, little) == ORIENTATION) {
            const uint32_t v = number(tiff + at + 8, 2, little);
            const bool sound = number(tiff + at + 2, 2, little) == SHORT && number(tiff + at + 4, 4, little) == 1;
            return sound && v >= 1 && v <= 8 ? (int)v : 1;
        }
    return 1;
}
