#include "op/cast.h"

#include "kernel/kernel.h"
#include "op/shape.h"

lt_tensor *lt_cast(lt_tensor *x, lt_dtype dtype)
{
    const lt_pointwise_kernels *k = lt_k.pointwise;
    if (x->dtype == dtype)
        return lt_view_as(x, x);
    lt_tensor *y = lt_tensor_new(dtype, x->ndim, x->shape);
    if (!y)
        return NULL;
    if (dtype == LT_FLOAT32 && x->dtype == LT_UINT8)
        k->u8_to_f32(x->size, lt_u8(x), 1, 0, lt_f32(y));
    else if (dtype == LT_FLOAT32)
        k->i32_to_f32(x->size, lt_i32(x), lt_f32(y));
    else if (dtype == LT_UINT8 && x->dtype == LT_FLOAT32)
        k->f32_to_u8(x->size, lt_f32(x), 1, 0, lt_u8(y));
    else if (dtype == LT_INT32 && x->dtype == LT_FLOAT32)
        k->f32_to_i32(x->size, lt_f32(x), lt_i32(y));
    else if (dtype == LT_INT32)
        lt_k.copy->u8_to_i32(x->size, lt_u8(x), lt_i32(y));
    else
        lt_k.copy->i32_to_u8(x->size, lt_i32(x), lt_u8(y));
    return y;
}
