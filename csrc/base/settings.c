#include "base/settings.h"

static lt_precision_mode precision = LT_PRECISION_FLOAT32;

lt_precision_mode lt_precision(void)
{
    return precision;
}

void lt_precision_set(lt_precision_mode mode)
{
    precision = mode;
}
