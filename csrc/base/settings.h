// What a script sets for everything that follows, until it sets it again. Each is read at every call. The floor above
// decides whose settings hold: it gives this thread another record when another script, or another part of one, goes
// on.
#ifndef LT_BASE_SETTINGS_H
#define LT_BASE_SETTINGS_H

#include <stdbool.h>

// What matrix products and convolutions make of their inputs: nothing; bfloat16 where this processor multiplies that
// faster (base/gain.h), nothing elsewhere; bfloat16 in every product, whatever it costs.
typedef enum { LT_PRECISION_FLOAT32, LT_PRECISION_BF16, LT_PRECISION_ROUNDED } lt_precision_mode;
enum { LT_PRECISIONS = LT_PRECISION_ROUNDED + 1 };

// How convolutions are computed: the fastest way, or always as the sum of the definition.
typedef enum { LT_CONVOLUTION_AUTO, LT_CONVOLUTION_DIRECT } lt_convolution_mode;

typedef struct {
    bool recording; // are operations put on the tape? (tensor/tape.h)
    lt_precision_mode precision;
    lt_convolution_mode convolution;
} lt_settings;

// Recorded, float32, the fastest way.
#define LT_SETTINGS_AT_FIRST ((lt_settings){true, LT_PRECISION_FLOAT32, LT_CONVOLUTION_AUTO})

// The record that holds in this thread. A piece of parallel work has that of the thread which cut it.
lt_settings *lt_settings_now(void);
void lt_settings_use(lt_settings *settings); // until another is used; NULL: a record of this thread's own

lt_precision_mode lt_precision(void);
void lt_precision_set(lt_precision_mode mode);
lt_convolution_mode lt_convolution(void);
void lt_convolution_set(lt_convolution_mode mode);

#endif
