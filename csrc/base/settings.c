#include "base/settings.h"

#include <stddef.h>

static _Thread_local lt_settings own = {true, LT_PRECISION_FLOAT32, LT_CONVOLUTION_AUTO};
static _Thread_local lt_settings *now; // NULL: own

lt_settings *lt_settings_now(void)
{
    return now ? now : &own;
}

void lt_settings_use(lt_settings *settings)
{
    now = settings;
}

lt_precision_mode lt_precision(void)
{
    return lt_settings_now()->precision;
}

void lt_precision_set(lt_precision_mode mode)
{
    lt_settings_now()->precision = mode;
}

lt_convolution_mode lt_convolution(void)
{
    return lt_settings_now()->convolution;
}

void lt_convolution_set(lt_convolution_mode mode)
{
    lt_settings_now()->convolution = mode;
}
