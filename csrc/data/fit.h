// One picture brought to a size. No tape: pictures are data.
#ifndef LT_DATA_FIT_H
#define LT_DATA_FIT_H

#include "tensor/tensor.h"

typedef enum { LT_FIT_CROP, LT_FIT_PAD } lt_fit_way;

typedef struct {
    lt_fit_way way;
    double background[3]; // red, green, blue in [-1,1]: what LT_FIT_PAD puts around a picture
} lt_fit_options;

enum { LT_FIT_MOST = 1 << 15 }; // of a side

// picture (h,w,c) uint8 -> height x width x c bytes at `out`, averaged over areas where it shrinks and interpolated
// linearly where it grows. LT_FIT_CROP: of the picture the largest centred part of the wanted proportions. LT_FIT_PAD:
// the whole picture, as large as it fits, in the middle; around it lies the background, which is grey where c = 1 and
// transparent, 0 in all channels, where c = 2 or 4. Of 2 and 4 channels the last is alpha: colours count by area x
// alpha, and a pixel with alpha 0 is 0 in all channels.
int lt_fit_into(const lt_tensor *picture, const lt_fit_options *options, uint8_t *out, int64_t height, int64_t width);
lt_tensor *lt_fit_picture(const lt_tensor *picture, const lt_fit_options *options, int64_t height, int64_t width);

#endif
