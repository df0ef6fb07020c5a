// Many pictures out of files, by all threads.
#ifndef LT_IO_PICTURE_MANY_H
#define LT_IO_PICTURE_MANY_H

#include "data/fit.h"
#include "io/picture.h"

// What became of one file.
typedef struct {
    int64_t height, width; // of the picture in it; 0: it could not be read, and `reason` says why
    uint64_t hash;         // of its bytes at the size that it was brought to; 0 where it was not read
    bool blank;            // at that size no channel has a variance of 4 or more
    bool no_memory;
    char reason[512];
} lt_picture_found;

typedef struct {
    const char *const *paths;
    const lt_picture_options *options; // with channels; dtype uint8
    const lt_fit_options *fit;
    int64_t height, width;
    uint8_t *rows; // a picture of height x width x channels for each path
    lt_picture_found *found;
} lt_pictures;

// Reads n files, each into its row. One file is no matter to the others, and nothing depends on the number of threads.
// False where there was not memory enough for all at once: lt_pictures_load_rest reads those that are left one by one.
bool lt_pictures_load(lt_pictures *p, int64_t n);
void lt_pictures_load_rest(lt_pictures *p, int64_t n);
// Moves rows so that those of pictures that were read follow each other; returns how many there are.
int64_t lt_pictures_close_ranks(lt_pictures *p, int64_t n);

#endif
