# Cases at hostile points: zeros of both signs, equal values, ties, bounds met exactly, subnormal and large numbers.
# What is right is what PyTorch does there, its choice of subgradients too: {name: function -> case}. Every number is
# compared by itself, so that large ones hide nothing, and infinities are to be the same.
import torch
from torch.nn import functional as F

from torch_random import R, shape, size

HOSTILE = {}

POINTS = [0.0, 0.0, -0.0, 1.0, 1.0, -1.0, 0.5, -0.5, 2.0, 1e-40, -1e-40, 100.0, -100.0]


def points(*s):
    return torch.tensor(R.choices(POINTS, k=max(1, torch.Size(s).numel())), dtype=torch.float32).double().reshape(s)


def normal_range(x):
    return torch.where(x.abs() < 1e-30, torch.zeros_like(x), x)


def far(*s):
    return torch.where(torch.rand(s) < 0.2, 1e4 * points(*s), points(*s))


# Rows of which many are constant, or zero.
def constant(*s):
    x = points(*s)
    return torch.where(torch.rand(s[:-1] + (1,)) < 0.5, x[..., :1].expand(s), x)


def hostile(name, make, f, tolerance=2e-5, **more):
    def case():
        x, options = make()
        return dict(x=x, f=lambda *x: f(*x, **options), o=options, tolerance=tolerance, each=True, **more)
    HOSTILE["hostile." + name] = case


def unary(name, f, make=points, once=False):
    hostile(name, lambda: ([make(*shape(R.randrange(0, 4)))], {}), f, 2e-5, once=once)


for name in ("sin", "cos", "tanh", "sigmoid", "erf", "square", "abs", "neg", "sign", "relu"):
    unary(name, getattr(torch, name))
unary("silu", F.silu, far)
unary("softplus", F.softplus, far)
unary("gelu", F.gelu, far)
unary("leaky_relu", lambda x: F.leaky_relu(x, 0.01))
# Infinite at zero, where their second derivatives are products of infinities. The slope of a subnormal number's
# logarithm is infinite in float32, so there is none here.
for name in ("sqrt", "rsqrt", "log", "reciprocal"):
    unary(name, getattr(torch, name), lambda *s: normal_range(points(*s)).abs() + 0.0, True)


def of_axis(name, make, f, tolerance=2e-5, **more):
    def inputs():
        s = tuple(n + 1 for n in shape(R.randrange(1, 4), 4))
        return [make(*s)], dict(axis=len(s))
    hostile(name, inputs, lambda x, axis: f(x, axis - 1), tolerance, **more)


of_axis("softmax", far, F.softmax)
of_axis("log_softmax", far, F.log_softmax)


def of_axes(name, make, f, tolerance=2e-5, **more):
    def inputs():
        s = tuple(n + 1 for n in shape(R.randrange(1, 4), 4))
        return [make(*s)], dict(axes=[len(s)], keepdim=R.random() < 0.5)
    hostile(name, inputs, lambda x, axes, keepdim: f(x, axes[0] - 1, keepdim), tolerance, **more)


# Of subnormal factors PyTorch, which divides, loses the second derivative.
of_axes("prod", lambda *s: normal_range(points(*s)).clamp(-2, 2), lambda x, a, k: x.prod(a, keepdim=k))
of_axes("max", points, lambda x, a, k: x.amax(a, keepdim=k))
of_axes("min", points, lambda x, a, k: x.amin(a, keepdim=k))
of_axes("norm", constant, lambda x, a, k: torch.linalg.vector_norm(x, 2, a, k), once=True)
of_axes("std", constant, lambda x, a, k: x.std(a, unbiased=False, keepdim=k), once=True)
of_axes("var", constant, lambda x, a, k: x.var(a, unbiased=False, keepdim=k), 1e-4)


def pair(make):
    s = shape(R.randrange(0, 4))
    return [make(*s), make(*s)]


for name in ("mse_loss", "l1_loss"):
    hostile(name, lambda: (pair(points), dict(reduction=R.choice(["mean", "sum", "none"]))),
            lambda x, y, reduction, f=getattr(F, name): f(x, y, reduction=reduction))
hostile("bce_with_logits", lambda: ([far(3, 2), torch.rand(3, 2, dtype=torch.float32).round().double()],
                                    dict(reduction="none")),
        lambda x, y, reduction: F.binary_cross_entropy_with_logits(x, y, reduction=reduction))
for name in ("maximum", "minimum"):
    hostile(name, lambda: (pair(points), {}), getattr(torch, name))
hostile("clamp", lambda: ([points(*shape(2))], dict(bounds=[-0.5, 0.5])), lambda x, bounds: x.clamp(*bounds))
hostile("pow", lambda: ([points(3, 2).abs().round(), torch.tensor(R.choices([1.0, 2.0, 3.0], k=2)).double()], {}),
        torch.pow, once=True)
hostile("mul", lambda: (pair(far), {}), torch.mul)
hostile("div", lambda: ([points(3, 2), points(3, 2).abs() + 0.5], {}), torch.div)


def norm_case(name, f):
    def inputs():
        c = R.randrange(2, 6)
        return [constant(size(3), size(3), c), points(c), points(c)], {}
    hostile(name, inputs, f, 1e-3)


norm_case("layer_norm", lambda x, w, b: F.layer_norm(x, w.shape, w, b, 1e-5))
