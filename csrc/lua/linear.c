// Matrix products and linear layers.
#include "op/linear.h"
#include "lua/check.h"
#include "op/matmul.h"

/*** Matrix product. Leading axes are a batch and broadcast; a vector on the left is a row, on the right a column, and
that axis is absent from the result (torch.matmul). Gradients of any order.
@function matmul
@tparam Tensor a (..,m,k) or (k)
@tparam Tensor b (..,k,n) or (k)
@treturn Tensor (..,m,n)
@raise when the inner sizes differ or the leading axes do not broadcast
@usage lt.matmul(lt.randn(8, 2, 3), lt.randn(3, 5)).shape  --> {8, 2, 5} */
static int matmul(lua_State *L)
{
    lt_tensor *a = lt_arg_tensor(L, 1, "a"), *b = lt_arg_tensor(L, 2, "b");
    LT_PUSH(L, lt_matmul(a, b));
    return 1;
}

/*** y = x weight' + bias over the last axis. Gradients of any order.
@function linear
@tparam Tensor x (..,in)
@tparam Tensor weight (out,in)
@tparam[opt] Tensor bias (out)
@treturn Tensor (..,out) */
static int linear(lua_State *L)
{
    lt_tensor *x = lt_arg_tensor(L, 1, "x"), *weight = lt_arg_tensor(L, 2, "weight");
    lt_tensor *bias = lt_arg_tensor_or_nil(L, 3, "bias");
    LT_PUSH(L, lt_linear(x, weight, bias));
    return 1;
}

void lt_open_linear(lua_State *L)
{
    static const lt_function functions[] = {
        {"matmul", matmul, LT_IN_BOTH}, {"linear", linear, LT_IN_BOTH}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
