# Writes norm_torch.lua: outputs and gradients of PyTorch's norms and losses in double precision, on inputs that the
# spec makes again by itself. Made with PyTorch 1.13.1 on CPU: python3 spec/golden/norm_torch.py > spec/golden/norm_torch.lua
import textwrap

import torch
from torch.nn import functional as F


def wave(k, *shape):  # the spec's twin: sin(k i) + i / n, i counted from 1
    n = 1
    for s in shape:
        n *= s
    i = torch.arange(1, n + 1, dtype=torch.float64)
    return (torch.sin(k * i) + i / n).reshape(shape)


def say(name, **values):
    print("  [%r] = {" % name)
    for key, t in values.items():
        text = "%s = { %s }," % (key, ", ".join("%.9g" % v for v in t.detach().reshape(-1).tolist()))
        print("\n".join(textwrap.wrap(text, 116, initial_indent="    ", subsequent_indent="      ")))
    print("  },")


def first(t):  # N,H,W,C of the library to PyTorch's N,C,H,W
    return t.permute(0, 3, 1, 2)


def last(t):
    return t.permute(0, 2, 3, 1)


def run(name, f, *inputs):
    for t in inputs:
        t.requires_grad_(True)
    y = f(*inputs)
    y.backward(wave(0.9, *y.shape))
    say(name, y=y, **{"d%d" % (i + 1): t.grad for i, t in enumerate(inputs)})


print("-- Made by norm_torch.py; not to be edited.\nreturn {")
x, w, b = lambda: wave(0.7, 2, 3, 1, 6), lambda: wave(1.3, 6), lambda: wave(2.1, 6)
run("group_norm", lambda x, w, b: last(F.group_norm(first(x), 3, w, b, 1e-5)), x(), w(), b())
run("layer_norm", lambda x, w, b: F.layer_norm(x, (6,), w, b, 1e-5), x(), w(), b())
mean, var = torch.full((6,), 0.25, dtype=torch.float64), torch.full((6,), 2.0, dtype=torch.float64)
run("batch_norm", lambda x, w, b: last(F.batch_norm(first(x), mean, var, w, b, True, 0.1, 1e-5)), x(), w(), b())
say("running", mean=mean, var=var)
run("batch_norm eval", lambda x, w, b: last(F.batch_norm(first(x), mean, var, w, b, False, 0.1, 1e-5)), x(), w(), b())
run("softmax", lambda x: F.softmax(x, 1), wave(0.7, 2, 5, 3))
run("log_softmax", lambda x: F.log_softmax(x, 1), wave(0.7, 2, 5, 3))
p, q = lambda: wave(0.7, 3, 5), lambda: wave(1.9, 3, 5)
for reduction in ("mean", "sum", "none"):
    run("mse_loss " + reduction, lambda x, y: F.mse_loss(x, y, reduction=reduction), p(), q())
    run("l1_loss " + reduction, lambda x, y: F.l1_loss(x, y, reduction=reduction), p(), q())
    run("huber_loss " + reduction, lambda x, y: F.huber_loss(x, y, delta=0.7, reduction=reduction), p(), q())
    run("bce_with_logits " + reduction,
        lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction=reduction), p(), q())
    ids = torch.tensor([4, 0, 2])
    run("cross_entropy " + reduction, lambda x: F.cross_entropy(x, ids, reduction=reduction), p())
    run("cross_entropy of distributions " + reduction,
        lambda x: F.cross_entropy(x, F.softmax(q(), 1), reduction=reduction), p())
    run("gaussian_nll " + reduction,
        lambda x, m, v: F.gaussian_nll_loss(m, x, v.exp(), full=True, eps=0, reduction=reduction), p(), q(),
        wave(0.3, 3, 5))
print("}")
