# Writes random cases of operations, layers, optimizers and streams with PyTorch's outputs and gradients, in double
# precision:
#   python3 spec/attack/torch_cases.py FILE SEED COUNT
# FILE is a safetensors file, written by hand: tensors "N.x1" (inputs), "N.i1" (indices from 1), "N.c1" (constants),
# "N.p:NAME" (parameters and buffers before), "N.g" (the gradient of the output), and what is right: "N.y", "N.d1",
# "N.q:NAME" (gradients of parameters), "N.b:NAME" (what the state is afterwards). Half of the cases have the second
# derivative too, "N.v:NAME" and "N.s:NAME", where the name of an input is its number. The metadata "cases" is a JSON
# list of {op, options, inputs, tolerance, each}; each: whether every number is compared by itself.
import json
import math
import struct
import sys

import torch
from torch.nn import functional as F

from torch_hostile import HOSTILE
from torch_layers import LAYERS
from torch_random import R, first, geometry, last, normal, off_zero, positive, shape, size, spread
from torch_steps import STEPS

OPS = {**LAYERS, **STEPS, **HOSTILE}


def op(f):
    OPS[f.__name__] = f
    return f


def unary(name, f, make, **more):
    OPS[name] = lambda: dict(x=[make(*shape(R.randrange(0, 5)))], f=f, **more)


for name in ("exp", "square", "sin", "cos", "tanh", "sigmoid", "erf", "neg"):
    unary(name, getattr(torch, name), normal)
unary("silu", F.silu, normal)
unary("softplus", F.softplus, normal)
unary("gelu", F.gelu, normal)
for name in ("log", "log1p", "sqrt", "rsqrt", "reciprocal"):
    unary(name, getattr(torch, name), positive)
for name in ("abs", "sign", "floor"):
    unary(name, getattr(torch, name), off_zero)
unary("relu", F.relu, off_zero)
unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2), off_zero, o=dict(slope=0.2))
unary("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), normal)
unary("clamp", lambda x: x.clamp(-0.5, 0.7), normal)


def broadcast(make, other=None):
    a = shape(R.randrange(0, 4))
    b = [1 if R.random() < 0.3 else s for s in a][R.randrange(0, len(a) + 1):]
    a = [1 if R.random() < 0.15 else s for s in a]
    return [make(*a), (other or make)(*b)]


for name, make, other in (("add", normal, None), ("sub", normal, None), ("mul", normal, None),
                          ("div", normal, positive), ("pow", positive, normal), ("maximum", normal, None),
                          ("minimum", normal, None)):
    OPS[name] = lambda name=name, make=make, other=other: dict(x=broadcast(make, other), f=getattr(torch, name))


@op
def addcmul():
    a, b = broadcast(normal)
    return dict(x=[a, b, normal(*b.shape)], f=torch.addcmul)


def axes_of(n):
    return sorted(R.sample(range(n), R.randrange(1, n + 1)))


def reduction(name, f, make):
    def case():
        s = shape(R.randrange(1, 5))
        axes, keep = axes_of(len(s)), R.random() < 0.5
        return dict(x=[make(*s)], f=lambda x: f(x, axes, keep), o=dict(axes=[a + 1 for a in axes], keepdim=keep))
    OPS[name] = case


reduction("sum", lambda x, a, k: x.sum(a, keepdim=k), normal)
reduction("mean", lambda x, a, k: x.mean(a, keepdim=k), normal)
reduction("max", lambda x, a, k: x.amax(a, keepdim=k), spread)
reduction("min", lambda x, a, k: x.amin(a, keepdim=k), spread)
reduction("norm", lambda x, a, k: torch.sqrt((x * x).sum(a, keepdim=k)), off_zero)
reduction("std", lambda x, a, k: torch.sqrt(x.var(a, unbiased=False, keepdim=k) + 0),
          lambda *s: spread(*(t + 1 for t in s)))
reduction("var", lambda x, a, k: x.var(a, unbiased=False, keepdim=k), normal)


def prod(x, axes, keep):
    for a in reversed(axes):
        x = x.prod(a, keepdim=keep)
    return x


reduction("prod", prod, positive)


def along(name, f, make):
    def case():
        s = shape(R.randrange(1, 5))
        a = R.randrange(len(s))
        return dict(x=[make(*s)], f=lambda x: f(x, a), o=dict(axis=a + 1))
    OPS[name] = case


along("cumsum", lambda x, a: x.cumsum(a), normal)
along("softmax", F.softmax, normal)
along("log_softmax", F.log_softmax, normal)
along("sort", lambda x, a: x.sort(a)[0], spread)
along("argsort", lambda x, a: x.argsort(a).double() + 1, spread)
along("argmax", lambda x, a: x.argmax(a).double() + 1, spread)
along("flip", lambda x, a: x.flip(a), normal)
along("repeat_interleave", lambda x, a: x.repeat_interleave(2, a), normal)


@op
def permute():
    s = shape(R.randrange(1, 6))
    p = list(range(len(s)))
    R.shuffle(p)
    return dict(x=[normal(*s)], f=lambda x: x.permute(p), o=dict(axes=[a + 1 for a in p]))


@op
def cat():
    s, a = shape(3), R.randrange(3)
    t = s[:a] + [size()] + s[a + 1:]
    return dict(x=[normal(*s), normal(*t)], f=lambda x, y: torch.cat([x, y], a), o=dict(axis=a + 1))


@op
def gather():
    s, a = shape(3), R.randrange(3)
    t = s[:a] + [size()] + s[a + 1:]
    i = torch.randint(0, s[a], t)
    return dict(x=[normal(*s)], i=[i], f=lambda x: x.gather(a, i), o=dict(axis=a + 1))


@op
def index_select():
    s, a = shape(3), R.randrange(3)
    i = torch.randint(0, s[a], [size()])
    return dict(x=[normal(*s)], i=[i], f=lambda x: x.index_select(a, i), o=dict(axis=a + 1))


along("argmin", lambda x, a: x.argmin(a).double() + 1, spread)


@op
def narrow():
    s = shape(R.randrange(1, 5))
    a = R.randrange(len(s))
    start = R.randrange(s[a])
    count = R.randrange(1, s[a] - start + 1)
    return dict(x=[normal(*s)], f=lambda x: x.narrow(a, start, count), o=dict(axis=a + 1, start=start + 1, count=count))


@op
def split():
    s, a, sizes = shape(3), R.randrange(3), [size(4) for _ in range(R.randrange(1, 4))]
    s[a] = sum(sizes)
    weight = [R.choice([-1.0, 0.5, 2.0]) for _ in sizes]
    return dict(x=[normal(*s)], o=dict(axis=a + 1, sizes=sizes, weight=weight),
                f=lambda x: torch.cat([t * w for t, w in zip(x.split(sizes, a), weight)], a))


@op
def stack():
    s, k = shape(R.randrange(0, 4)), R.randrange(1, 4)
    a = R.randrange(len(s) + 1)
    return dict(x=[normal(*s) for _ in range(k)], f=lambda *x: torch.stack(x, a), o=dict(axis=a + 1))


@op
def expand():
    s = shape(R.randrange(1, 4))
    x = normal(*[1 if R.random() < 0.5 else n for n in s])
    s = shape(R.randrange(0, 2)) + s
    return dict(x=[x], f=lambda x: x.expand(s), o=dict(shape=s))


@op
def pad():
    s, value = shape(R.randrange(1, 5)), R.choice([0.0, -1.5])
    sides = [[R.randrange(3), R.randrange(3)] for _ in s]
    flat = [n for both in reversed(sides) for n in both]
    return dict(x=[normal(*s)], f=lambda x: F.pad(x, flat, value=value), o=dict(sides=sides, value=value))


@op
def where():
    x = broadcast(normal)
    mask = (torch.rand(x[1].shape) < 0.5).double()
    return dict(x=x, c=[mask], f=lambda a, b: torch.where(mask > 0, a, b))


@op
def compare():
    name, x = R.choice(["lt", "le", "gt", "ge", "eq", "ne"]), broadcast(lambda *s: normal(*s).round())
    return dict(x=x, f=lambda a, b: getattr(torch, name)(a, b).double(), o=dict(name=name))


@op
def one_hot():
    i = torch.randint(0, 5, shape(2))
    return dict(x=[], i=[i], f=lambda: F.one_hot(i, 5).double())


@op
def matmul():
    n, m, k = (size(40), size(40), size(70)) if R.random() < 0.8 else (size(200), size(150), size(300))
    lead = shape(R.randrange(0, 3), 3)
    return dict(x=[normal(*lead, n, k), normal(*(lead if R.random() < 0.5 else []), k, m)], f=torch.matmul)


@op
def linear():
    k, m = size(70), size(40)
    return dict(x=[normal(*shape(R.randrange(1, 3)), k), normal(m, k), normal(m)], f=F.linear)


@op
def embedding():
    i = torch.randint(0, 6, shape(2))
    return dict(x=[normal(6, size())], i=[i], f=lambda w: F.embedding(i, w))


@op
def conv2d():
    n, g, cin, cout, h, w, kh, kw, s, p, d, _ = geometry(False)
    x = [normal(n, h, w, cin), normal(cout, kh, kw, cin // g), normal(cout)]
    return dict(x=x, f=lambda x, v, b: last(F.conv2d(first(x), first(v), b, s, p, d, g)), tolerance=4e-5,
                o=dict(stride=s, padding=p, dilation=d, groups=g))


@op
def conv_transpose2d():
    n, g, cin, cout, h, w, kh, kw, s, p, d, out = geometry(True)
    x = [normal(n, h, w, cin), normal(cin, kh, kw, cout // g), normal(cout)]
    return dict(x=x, f=lambda x, v, b: last(F.conv_transpose2d(first(x), first(v), b, s, p, out, g, d)), tolerance=4e-5,
                o=dict(stride=s, padding=p, dilation=d, groups=g, output_padding=out))


@op
def max_pool2d():
    k, s = R.randrange(1, 4), R.randrange(1, 4)
    x = spread(size(), R.randrange(k, 9), R.randrange(k, 9), size())
    return dict(x=[x], f=lambda x: last(F.max_pool2d(first(x), k, s, k // 2)), o=dict(k=k, stride=s, padding=k // 2))


@op
def avg_pool2d():
    k, s = R.randrange(1, 4), R.randrange(1, 4)
    x = normal(size(), R.randrange(k, 9), R.randrange(k, 9), size())
    return dict(x=[x], f=lambda x: last(F.avg_pool2d(first(x), k, s)), o=dict(k=k, stride=s, padding=0))


@op
def resize_bilinear():
    h, w = R.randrange(1, 9), R.randrange(1, 9)
    x = normal(size(), R.randrange(1, 9), R.randrange(1, 9), size())
    return dict(x=[x], f=lambda x: last(F.interpolate(first(x), (h, w), mode="bilinear", align_corners=False)),
                o=dict(size=[h, w]), tolerance=4e-5)


@op
def upsample_nearest():
    k, x = R.randrange(1, 5), normal(*shape(4))
    return dict(x=[x], f=lambda x: last(F.interpolate(first(x), scale_factor=k, mode="nearest")), o=dict(scale=k))


@op
def attention_qkv():
    n, heads, d, l = R.randrange(1, 4), R.randrange(1, 4), size(16), size(33)

    def f(x):
        q, k, v = (t.reshape(n, l, heads, d) for t in x.chunk(3, -1))
        s = torch.einsum("nqhd,nkhd->nhqk", q, k) / math.sqrt(d)
        return torch.einsum("nhqk,nkhd->nqhd", s.softmax(-1), v).reshape(n, l, heads * d)
    return dict(x=[normal(n, l, 3 * heads * d)], f=f, o=dict(heads=heads), tolerance=4e-5)


@op
def attention():
    n, heads, d, lq, lk = R.randrange(1, 4), R.randrange(1, 4), size(16), size(33), size(33)
    mask = torch.rand(n, lk) < 0.7
    mask[:, 0] = True

    def f(q, k, v):
        s = torch.einsum("nqhd,nkhd->nhqk", q, k) / math.sqrt(d)
        s = s.masked_fill(~mask[:, None, None, :], -math.inf)
        return torch.einsum("nhqk,nkhd->nqhd", s.softmax(-1), v)
    return dict(x=[normal(n, lq, heads, d), normal(n, lk, heads, d), normal(n, lk, heads, d)], f=f, c=[mask.double()],
                tolerance=4e-5)


@op
def group_norm():
    g, per = R.randrange(1, 4), R.randrange(1, 5)
    x = [normal(size(), R.randrange(1, 5), R.randrange(2, 6), g * per), normal(g * per), normal(g * per)]
    return dict(x=x, f=lambda x, w, b: last(F.group_norm(first(x), g, w, b, 1e-5)), o=dict(groups=g), tolerance=2e-4)


@op
def layer_norm():
    c = R.randrange(3, 40)
    return dict(x=[normal(*shape(2), c), normal(c), normal(c)], f=lambda x, w, b: F.layer_norm(x, [c], w, b, 1e-5),
                tolerance=2e-4)


@op
def rms_norm():
    c = R.randrange(2, 40)
    return dict(x=[normal(*shape(2), c), normal(c)], tolerance=1e-4,
                f=lambda x, w: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * w)


@op
def batch_norm():
    c, training = R.randrange(1, 9), R.random() < 0.5
    mean, var = normal(c), positive(c)
    x = [normal(3, R.randrange(2, 5), R.randrange(2, 5), c), normal(c), normal(c)]

    def f(x, w, b):
        m, v = mean.clone(), var.clone()
        y = last(F.batch_norm(first(x), m, v, w, b, training, 0.1, 1e-5))
        return torch.cat([y.flatten(), m, v]) if training else y.flatten()
    return dict(x=x, f=f, c=[mean, var], o=dict(training=training), tolerance=2e-4, part=True)


def loss(name, f, make):
    def case():
        r = R.choice(["mean", "sum", "none"])
        return dict(x=make(), f=lambda *x: f(*x, r), o=dict(reduction=r), tolerance=4e-5)
    OPS[name] = case


def reduce(t, r):
    return t if r == "none" else getattr(t, r)()


def pair():
    s = shape(R.randrange(1, 4))
    return [normal(*s), normal(*s)]


loss("mse_loss", lambda x, y, r: F.mse_loss(x, y, reduction=r), pair)
loss("l1_loss", lambda x, y, r: F.l1_loss(x, y, reduction=r), pair)
loss("huber_loss", lambda x, y, r: F.huber_loss(x, y, delta=0.7, reduction=r), pair)
loss("bce_with_logits", lambda x, y, r: F.binary_cross_entropy_with_logits(x, y, reduction=r), pair)
loss("gaussian_nll", lambda x, m, v, r: reduce((v + (x - m) ** 2 * (-v).exp() + math.log(2 * math.pi)) / 2, r),
     lambda: pair() + [normal(1)])
loss("kl_normal", lambda m, v, r: reduce((m ** 2 + v.exp() - 1 - v) / 2, r), pair)


@op
def cross_entropy():
    n, c, r = size(), R.randrange(1, 9), R.choice(["mean", "sum", "none"])
    i = torch.randint(0, c, [n])
    return dict(x=[normal(n, c)], i=[i], f=lambda x: F.cross_entropy(x, i, reduction=r), o=dict(reduction=r))


def regular(n):
    return normal(n, n) + 4 * torch.eye(n, dtype=torch.double) * math.sqrt(n)


@op
def solve():
    n = R.randrange(1, 6)
    return dict(x=[regular(n), normal(n, size())], f=torch.linalg.solve, tolerance=2e-4)


@op
def inverse():
    return dict(x=[regular(R.randrange(1, 6))], f=torch.inverse, tolerance=2e-4)


@op
def logdet():
    return dict(x=[regular(R.randrange(1, 6))], f=lambda a: torch.linalg.slogdet(a)[1], tolerance=2e-4)


# Factors are compared by what they make, for their signs are free.
def symmetric(n):
    a = normal(n, n)
    return a + a.T


@op
def eigh():
    return dict(x=[symmetric(R.randrange(1, 9))], f=lambda a: torch.cat([torch.linalg.eigvalsh(a), a.flatten()]),
                no_gradient=True, tolerance=1e-4)


@op
def qr():
    a = normal(R.randrange(1, 9), R.randrange(1, 9))
    k = min(a.shape)
    return dict(x=[a], f=lambda a: torch.cat([a.flatten(), torch.eye(k, dtype=torch.double).flatten()]),
                no_gradient=True, tolerance=1e-4)


@op
def lu():
    return dict(x=[normal(*[R.randrange(1, 9)] * 2)], f=lambda a: a + 0, no_gradient=True, tolerance=1e-4)


@op
def frechet():
    d = R.randrange(1, 6)
    a, b = normal(R.randrange(d + 2, 30), d), normal(R.randrange(d + 2, 30), d) * 1.5 + 1

    def f(a, b):
        s, t = (torch.atleast_2d(torch.cov(x.T)) for x in (a, b))
        root = torch.linalg.eigvals(s @ t).real.clamp(min=0).sqrt().sum()
        return ((a.mean(0) - b.mean(0)) ** 2).sum() + s.trace() + t.trace() - 2 * root
    return dict(x=[a, b], f=f, no_gradient=True, tolerance=1e-4)


def write(path, tensors, metadata):
    header, data, at = {"__metadata__": metadata}, [], 0
    for name, t in tensors.items():
        code, kind = ("i", "I32") if name.split(".")[1][0] == "i" else ("f", "F32")
        values = (t.detach().float() if code == "f" else t).reshape(-1).tolist()
        packed = struct.pack("<%d%s" % (len(values), code), *values)
        header[name] = dict(dtype=kind, shape=list(t.shape), data_offsets=[at, at + len(packed)])
        at += len(packed)
        data.append(packed)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


# The second derivative, where PyTorch has it: that of the sum of all gradients, each times a random tensor "v:NAME".
def second(y, g, leaves):
    try:
        grads = torch.autograd.grad(y, list(leaves.values()), g, create_graph=True, allow_unused=True)
        recorded = {n: d for n, d in zip(leaves, grads) if d is not None and d.requires_grad}
        if not recorded:
            return {}
        out = {"v:" + n: normal(*d.shape) for n, d in recorded.items()}
        total = sum((d * out["v:" + n]).sum() for n, d in recorded.items())
        twice = torch.autograd.grad(total, list(leaves.values()), retain_graph=True, allow_unused=True)
    except RuntimeError:
        return {}
    out.update({"s:" + n: torch.zeros_like(t) if d is None else d for (n, t), d in zip(leaves.items(), twice)})
    return out


# Tensors of a case by the letters of their names: what the library gets, and what is right. The module of a case keeps
# its parameters under PyTorch's names, which `rename` may turn into the library's.
def solved(c):
    x, m, rename = [t.clone() for t in c["x"]], c.get("m"), c.get("rename")
    named = [(rename[n] if rename else n, p) for n, p in m.named_parameters() if not rename or n in rename] if m else []
    out = {"p:" + n: p.detach().clone() for n, p in named}
    buffers = [(n, b) for n, b in m.named_buffers() if b.dtype.is_floating_point] if m and not rename else []
    out.update({"p:" + n: b.clone() for n, b in buffers})
    out.update({"p:" + n: t for n, t in c.get("before", {}).items()})
    for t in x:
        t.requires_grad_(not c.get("no_gradient"))
    y = c["f"](*x)
    for letter, list_ in (("x", x), ("i", [t + 1 for t in c.get("i", [])]), ("c", c.get("c", []))):
        out.update({"%s%d" % (letter, k + 1): t for k, t in enumerate(list_)})
    out["y"] = y
    if y.requires_grad:
        out["g"] = g = normal(*y.shape)
        if c.get("part"):  # running statistics have no gradient
            g[x[0].numel():] = 0
        if c.get("twice") and y.numel() > 0:
            out.update(second(y, g, {**{str(k + 1): t for k, t in enumerate(x)}, **dict(named)}))
        y.backward(g)
        grads = [("d%d" % (k + 1), t) for k, t in enumerate(x)] + [("q:" + n, p) for n, p in named]
        out.update({n: t.grad if t.grad is not None else torch.zeros_like(t) for n, t in grads})
    out.update({"b:" + n: b for n, b in buffers})
    out.update({"b:" + n: b for n, b in c["after"]().items()} if "after" in c else {})
    return out


def main(path, seed, count):
    R.seed(seed)
    torch.manual_seed(seed)
    tensors, cases, names = {}, [], sorted(OPS)
    for n in range(1, count + 1):
        name = names[(n - 1 + seed) % len(names)]
        c = OPS[name]()
        c["twice"] = R.random() < 0.5 and not c.get("once")
        tensors.update({"%d.%s" % (n, key): t for key, t in solved(c).items()})
        cases.append(dict(op=name, options=c.get("o", {}), inputs=len(c["x"]), tolerance=c.get("tolerance", 2e-5),
                          each=bool(c.get("each"))))
    write(path, tensors, {"cases": json.dumps(cases)})


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
