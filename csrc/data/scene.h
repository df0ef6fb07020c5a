// Captioned scenes: one or two flat objects on a background, drawn from a table of numbers. No tape: pictures are data.
#ifndef LT_DATA_SCENE_H
#define LT_DATA_SCENE_H

#include "tensor/tensor.h"

// Columns of a scene's row; ids are 1-based and follow the lists of lua/laterna/data/scenes/words.lua.
//   background, seed (of clouds, stars, waves ...; 0 .. 2^24 - 1), objects (0 .. 2), then for each object
//   shape, texture, x, y (centre, 0 .. 1 from the left and the top), radius (a part of the picture's side),
//   angle (radians, clockwise), red, green, blue (0 .. 1)
enum {
    LT_SCENE_HEAD = 3,
    LT_SCENE_OBJECT = 9,
    LT_SCENE_OBJECTS = 2,
    LT_SCENE_COLUMNS = LT_SCENE_HEAD + LT_SCENE_OBJECTS * LT_SCENE_OBJECT,
    LT_SCENE_SHAPES = 10,
    LT_SCENE_TEXTURES = 4,
    LT_SCENE_BACKGROUNDS = 9
};

// table (n, LT_SCENE_COLUMNS) float32 -> uint8 (n, size, size, channels); channels 1 (luminance) or 3.
// A picture depends on its row, size and channels, on nothing else.
lt_tensor *lt_draw_scenes(const lt_tensor *table, int64_t size, int64_t channels);

#endif
