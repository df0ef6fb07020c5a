// safetensors (https://huggingface.co/docs/safetensors): named tensors, and nothing that could be executed.
//   8 bytes      length of the header, little-endian
//   header       JSON: {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...,
//                "__metadata__": {"key": "text"}}, padded with spaces
//   data         little-endian values, row by row; offsets count from here and must cover it without holes or overlaps
#ifndef LT_IO_SAFETENSORS_H
#define LT_IO_SAFETENSORS_H

#include "io/file.h"
#include "io/json.h"
#include "tensor/tensor.h"

#define LT_SAFETENSORS_MAX_HEADER 100000000u // of the format itself

typedef enum { LT_ST_F32, LT_ST_F16, LT_ST_BF16, LT_ST_F64, LT_ST_U8, LT_ST_BOOL, LT_ST_I32, LT_ST_I64 } lt_st_type;

typedef struct {
    lt_text name;
    lt_st_type type;
    int ndim;
    int64_t shape[LT_MAX_DIM];
    uint64_t begin, end; // of its data
} lt_st_entry;

typedef struct {
    lt_text key, value;
} lt_st_pair;

// A header, understood and checked. Texts point into `json`.
typedef struct {
    char *json;
    size_t count, pairs;
    lt_st_entry *entries; // in the order of the data
    lt_st_pair *metadata; // by key
    lt_bytes entry_bytes, pair_bytes;
} lt_st_header;

const char *lt_st_type_name(lt_st_type type); // as in the header: "F32"

// `json` (from lt_alloc) belongs to the header from here on, also after a failure: always lt_st_header_free.
int lt_st_header_parse(lt_st_header *h, char *json, size_t n, uint64_t data_size);
void lt_st_header_free(lt_st_header *h);

// An open file. Values are read straight into their tensor: a file needs its own size of memory, not twice that.
typedef struct {
    int fd;
    char path[PATH_MAX];
    uint64_t data_start;
    lt_st_header header;
} lt_safetensors;

lt_safetensors *lt_safetensors_open(const char *path);
// F32 F16 BF16 F64 -> float32; U8 BOOL -> uint8; I32 I64 -> int32. Finite numbers that do not fit are errors.
lt_tensor *lt_safetensors_read(const lt_safetensors *f, size_t i);
void lt_safetensors_close(lt_safetensors *f);

typedef struct {
    lt_text name;
    const lt_tensor *tensor;
    bool halved; // set by lt_safetensors_save
} lt_st_item;

// Replaces the file as a whole (io/file.h). Sorts items and pairs in place: first by width of their type, widest
// first, so that all values are aligned; then by name. The same content is the same file, byte for byte. Names and
// keys must differ from each other (the caller's table sees to that), be UTF-8, and not be "__metadata__". With `halve`
// float32 tensors of two axes or more are rounded to bfloat16, to nearest, ties to even; those of fewer axes are few
// numbers and stay as they are.
int lt_safetensors_save(const char *path, lt_st_item *items, size_t count, lt_st_pair *metadata, size_t pairs,
                        bool halve);

#endif
