#include "base/settings.h"

static _Thread_local lt_precision_mode precision = LT_PRECISION_FLOAT32;

lt_precision_mode lt_precision(void)
{
    return precision;
}

void lt_precision_set(lt_precision_mode mode)
{
    precision = mode;
}

static _Thread_local lt_convolution_mode convolution = LT_CONVOLUTION_AUTO;

lt_convolution_mode lt_convolution(void)
{
    return convolution;
}

void lt_convolution_set(lt_convolution_mode mode)
{
    convolution = mode;
}
