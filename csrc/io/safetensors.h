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
// The same, without reading where F32, U8 and I32 lie in the file as they do in memory: their pages are read when they
// are looked at, and shared by all processes that do. What is written to the tensor does not reach the file. The file
// must not be made shorter or changed while the tensor lives; one that is replaced stays.
lt_tensor *lt_safetensors_map(const lt_safetensors *f, size_t i);
void lt_safetensors_close(lt_safetensors *f);

typedef struct {
    lt_text name;
    const lt_tensor *tensor;
    bool halved; // set by lt_safetensors_save
} lt_st_item;

// Length, JSON, and spaces up to `room` bytes in all, or to a multiple of 8 where `room` is 0.
int lt_st_header_build(lt_bytes *out, const lt_st_item *items, size_t count, const lt_st_pair *metadata, size_t pairs,
                       size_t room);

// Replaces the file as a whole (io/file.h). Sorts items and pairs in place: first by width of their type, widest
// first, so that all values are aligned; then by name. The same content is the same file, byte for byte. Names and
// keys must differ from each other (the caller's table sees to that), be UTF-8, and not be "__metadata__". With `halve`
// float32 tensors of two axes or more are rounded to bfloat16, to nearest, ties to even; those of fewer axes are few
// numbers and stay as they are.
int lt_safetensors_save(const char *path, lt_st_item *items, size_t count, lt_st_pair *metadata, size_t pairs,
                        bool halve);

// The same for data that comes piece by piece, of tensors whose sizes are known only at the end. Items and pairs are
// written as they come: `tensor` is looked at for type and shape alone, and the header has to fit into its room.
#define LT_ST_STREAM_ROOM 4096u
typedef struct {
    lt_replacement file; // fd -1: it is finished or aborted
    uint64_t bytes;
} lt_st_stream;

int lt_st_stream_begin(lt_st_stream *s, const char *path);
int lt_st_stream_append(lt_st_stream *s, const void *data, size_t n);
int lt_st_stream_finish(lt_st_stream *s, const lt_st_item *items, size_t count, const lt_st_pair *metadata,
                        size_t pairs);
void lt_st_stream_abort(lt_st_stream *s);

#endif
