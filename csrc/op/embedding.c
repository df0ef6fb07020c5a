// y[i, :] = weight[ids[i], :]: index_select for ids of any shape, which also brings both derivatives.
#include "op/embedding.h"

#include <string.h>

#include "op/index.h"
#include "op/shape.h"

lt_tensor *lt_embedding(lt_tensor *weight, lt_tensor *ids)
{
    if (lt_want_float(weight, 1, "weight") != LT_OK || lt_want_ndim(weight, 2, 1, "weight") != LT_OK ||
        lt_want_index(ids, weight->shape[0], 2, "ids") != LT_OK)
        return NULL;
    if (ids->ndim == LT_MAX_DIM) {
        lt_fail_arg(2, "ids: expected at most %d axes, got %s", LT_MAX_DIM - 1, lt_shape_text(ids));
        return NULL;
    }
    int64_t shape[LT_MAX_DIM];
    memcpy(shape, ids->shape, sizeof shape);
    shape[ids->ndim] = weight->shape[1];
    lt_tensor *flat = lt_tensor_window(ids, 0, 1, &ids->size), *rows = flat ? lt_index_select(weight, 0, flat) : NULL,
              *y = rows ? lt_view(rows, ids->ndim + 1, shape) : NULL;
    lt_release(flat);
    lt_release(rows);
    return y;
}
