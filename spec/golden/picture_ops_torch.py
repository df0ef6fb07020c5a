# Writes picture_ops_torch.lua: convolution, pooling, resampling and attention by PyTorch on inputs that are the same
# everywhere (sines of the place), with gradients of <sin, y>. Pictures are written as n,h,w,c, weights as out,kh,kw,in.
# Made with PyTorch 1.13 on CPU: python3 spec/golden/picture_ops_torch.py > spec/golden/picture_ops_torch.lua
import textwrap

import torch
import torch.nn.functional as F


def wave(shape, start):  # sin(start + 1), sin(start + 2), ... in the order of memory
    n = 1
    for s in shape:
        n *= s
    return torch.sin(torch.arange(1, n + 1, dtype=torch.float64) + start).reshape(shape)


def picture(shape, start):  # given as n,h,w,c
    return wave(shape, start).permute(0, 3, 1, 2).detach().requires_grad_(True)


def last(t):
    return t.permute(0, 2, 3, 1).contiguous()


def numbers(t):
    return "{ " + ", ".join("%.9g" % v for v in t.detach().reshape(-1).tolist()) + " }"


def entry(name, y, *grads):
    text = "  %s = { shape = { %s }, y = %s,\n" % (name, ", ".join(map(str, y.shape)), numbers(y))
    text += ",\n".join("    " + numbers(g) for g in grads) + " },"
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        print("\n".join(textwrap.wrap(line, 118, initial_indent=indent, subsequent_indent=indent + "  ")))


def convolution(name, f, x, w, b, **options):
    x, w, b = picture(x, 0), picture(w, 100), wave((b,), 200).requires_grad_(True)
    y = last(f(x, w, b, **options))
    (y * wave(y.shape, 300)).sum().backward()
    entry(name, y, last(x.grad), last(w.grad), b.grad)


def one(name, f, shape):
    x = picture(shape, 0)
    y = last(f(x))
    (y * wave(y.shape, 300)).sum().backward()
    entry(name, y, last(x.grad))


def attention(name, lq, lk, mask=None):
    q, k, v = [wave((2, l, 2, 4), s).requires_grad_(True) for l, s in ((lq, 0), (lk, 100), (lk, 200))]
    s = torch.einsum("nihd,njhd->nhij", q, k) * 4 ** -0.5
    if mask is not None:
        s = s.masked_fill(mask == 0, -torch.inf)
    y = torch.einsum("nhij,njhd->nihd", s.softmax(-1), v)
    (y * wave(y.shape, 300)).sum().backward()
    entry(name, y, q.grad, k.grad, v.grad)


print("-- Made by picture_ops_torch.py with PyTorch %s in float64." % torch.__version__)
print("return {")
convolution("strided", F.conv2d, (2, 5, 4, 3), (4, 3, 2, 3), 4, stride=(2, 1), padding=(1, 2), dilation=(1, 2))
convolution("grouped", F.conv2d, (1, 3, 4, 4), (6, 2, 2, 2), 6, groups=2)
convolution("transposed", F.conv_transpose2d, (1, 3, 2, 3), (3, 3, 3, 2), 2, stride=2, padding=1, output_padding=1)
one("average", lambda x: F.avg_pool2d(x, (3, 2), stride=2, padding=1), (1, 5, 4, 2))
one("largest", lambda x: F.max_pool2d(x, 3, stride=2, padding=1), (1, 5, 4, 2))
one("nearest", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), (1, 2, 3, 2))
one("larger", lambda x: F.interpolate(x, size=(5, 7), mode="bilinear", align_corners=False), (1, 3, 4, 2))
one("smaller", lambda x: F.interpolate(x, size=(2, 3), mode="bilinear", align_corners=False), (1, 5, 4, 2))
attention("attention", 3, 5)
attention("causal", 3, 3, torch.tril(torch.ones(3, 3)))
attention("masked", 2, 3, torch.tensor([[1, 0, 1], [0, 1, 1]])[:, None, None, :])
print("}")
