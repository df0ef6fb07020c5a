// The few pieces of JSON that a safetensors header is made of, read strictly: no duplicate, no half-valid UTF-8, no
// number that wraps goes unseen. There is no value of any kind here, so nothing can be nested deeper than the caller
// asks. White space before a piece is skipped. Messages tell the offset.
#ifndef LT_IO_JSON_H
#define LT_IO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/file.h"

typedef struct {
    char *start, *next, *end;
} lt_json;

// A string: not ended by a zero, may hold zeros.
typedef struct {
    const char *text;
    size_t length;
} lt_text;

int lt_json_fail(const lt_json *j, const char *expected); // "expected ... at byte n"
bool lt_json_accept(lt_json *j, char c);                  // takes c if it is next
int lt_json_expect(lt_json *j, char c);
int lt_json_string(lt_json *j, lt_text *out); // decoded in place: points into the JSON
int lt_json_u64(lt_json *j, uint64_t *out);   // digits only: no sign, fraction, exponent, leading zero
bool lt_json_at_end(lt_json *j);

// Appends the string in quotes, escaped.
int lt_json_write_string(lt_bytes *out, lt_text s);

// Length of the valid UTF-8 sequence at p (1..4), or 0.
int lt_utf8_length(const char *p, const char *end);
bool lt_utf8_valid(lt_text s);
int lt_text_compare(lt_text a, lt_text b); // as bytes

#endif
