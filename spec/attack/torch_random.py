# Random tensors and sizes for the cases of torch_cases.py, all of one generator. Numbers are those of float32, held in
# double precision.
import math
import random

import torch

R = random.Random()


def size(most=7):
    return R.choice([1, 1, 2, 3, 4, 5, 7, most])


def shape(axes, most=7):
    return [size(most) for _ in range(axes)]


def normal(*s):
    return torch.randn(s, dtype=torch.float32).double()


def positive(*s):
    return (torch.rand(s, dtype=torch.float32) + 0.5).double()


def off_zero(*s):
    x = torch.randn(s, dtype=torch.float32)
    return (x + x.sign() * 0.1).double()


def spread(*s):  # no two alike
    n = math.prod(s)
    return (torch.randperm(n).float() * 0.25 - n / 8).double().reshape(s)


def first(t):  # N,H,W,C of the library to PyTorch's N,C,H,W
    return t.permute(0, 3, 1, 2)


def last(t):
    return t.permute(0, 2, 3, 1)


# Of a convolution whose output has 1 to 39 pixels a side.
def geometry(transposed):
    while True:
        n, groups = R.choice([1, 2, 3]), R.choice([1, 1, 1, 2, 3])
        cin, cout = groups * R.choice([1, 2, 3, 5, 16, 32]), groups * R.choice([1, 2, 4, 7, 32])
        h, w = R.randrange(1, 14), R.randrange(1, 14)
        kh, kw = R.choice([1, 2, 3, 3, 4, 5]), R.choice([1, 2, 3, 3, 4, 5])
        stride, padding, dilation = R.choice([1, 1, 2, 3]), R.randrange(0, 4), R.choice([1, 1, 2, 3])
        out = R.randrange(0, max(stride, dilation)) if transposed else 0
        if transposed:
            oh, ow = ((s - 1) * stride - 2 * padding + dilation * (k - 1) + out + 1 for s, k in ((h, kh), (w, kw)))
        else:
            oh, ow = ((s + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for s, k in ((h, kh), (w, kw)))
        if min(oh, ow) >= 1 and max(oh, ow) < 40:
            return n, groups, cin, cout, h, w, kh, kw, stride, padding, dilation, out
