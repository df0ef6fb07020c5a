# Cases of layers with parameters and buffers: {name: function -> case}. A case is a module of PyTorch, or one written
# here from the formula that the layer's comment cites, in double precision, whose parameters bear the library's names;
# all of them are random, so that no weight of one and no bias of zero hides a fault. What is compared: the output, the
# gradients of inputs and parameters, and the buffers afterwards.
import math

import torch
from torch import nn
from torch.nn import functional as F

from torch_random import R, first, geometry, last, normal, positive, shape, size, spread

LAYERS = {}


def layer(f):
    LAYERS["nn." + f.__name__] = f
    return f


# m: the module; x: inputs; f(*x) -> y; arguments: of the library's constructor; o: more for the Lua side.
# Scales stay away from 0, so that gradients are of one size.
def case(m, x, f, arguments, tolerance=1e-4, **more):
    with torch.no_grad():
        for name, p in m.named_parameters():
            p.copy_(normal(*p.shape) * (0.3 if p.dim() >= 2 else 1.0))
        for name, b in m.named_buffers():
            if b.dtype.is_floating_point:
                b.copy_(positive(*b.shape) if name.endswith("var") else normal(*b.shape))
    return dict(m=m, x=x, f=f, tolerance=tolerance, o=dict(arguments=arguments, **more))


def pair(v):
    return v if R.random() < 0.5 else [v, v]


ACTIVATIONS = {
    "none": lambda x: x, "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.1), "silu": F.silu, "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}


# Of those with a kink only one input in a thousand comes near enough to it to differ.
def activation(o):
    name = R.choice(["none", "none"] + [a for a in ACTIVATIONS if "relu" not in a])
    o.update(activation=name, slope=0.1)
    return ACTIVATIONS[name]


@layer
def Linear():
    k, n, bias = size(70), size(40), R.random() < 0.7
    m = nn.Linear(k, n, bias).double()
    return case(m, [normal(*shape(R.randrange(1, 4)), k)], m, [k, n, dict(bias=bias)])


@layer
def Embedding():
    n, d = R.randrange(1, 9), size()
    m = nn.Embedding(n, d).double()
    ids = torch.randint(0, n, shape(R.randrange(1, 3)))
    return dict(case(m, [], lambda: m(ids), [n, d]), i=[ids])


@layer
def Conv2d():
    n, g, cin, cout, h, w, kh, kw, s, p, d, _ = geometry(False)
    o = dict(stride=pair(s), padding=pair(p), dilation=pair(d), groups=g, bias=R.random() < 0.7)
    m = nn.Conv2d(cin, cout, (kh, kw), s, p, d, g, o["bias"]).double()
    x = [normal(n, h, w, cin)]
    terms = R.choice(["", "", "shift", "add", "shift add"])
    y = last(m(first(x[0])))
    if "shift" in terms:
        x.append(normal(n, cout))
    if "add" in terms:
        x.append(normal(*y.shape))

    def f(x, *more):
        y = last(m(first(x)))
        for t in more:
            y = y + (t[:, None, None, :] if t.dim() == 2 else t)
        return y
    return case(m, x, f, [cin, cout, [kh, kw], o], terms=terms)


@layer
def ConvTranspose2d():
    n, g, cin, cout, h, w, kh, kw, s, p, d, out = geometry(True)
    o = dict(stride=s, padding=p, dilation=d, groups=g, output_padding=out, bias=R.random() < 0.7)
    m = nn.ConvTranspose2d(cin, cout, (kh, kw), s, p, out, g, o["bias"], d).double()
    return case(m, [normal(n, h, w, cin)], lambda x: last(m(first(x))), [cin, cout, [kh, kw], o])


# Sizes apart in height and width, which PyTorch's modules take as pairs.
@layer
def Conv2d_uneven():
    cin, cout = size(), size()
    k, s, p, d = ([R.randrange(low, 4) for _ in range(2)] for low in (1, 1, 0, 1))
    n, h, w = size(3), R.randrange(8, 12), R.randrange(8, 12)
    m = nn.Conv2d(cin, cout, k, s, p, d).double()
    o = dict(stride=s, padding=p, dilation=d)
    return case(m, [normal(n, h, w, cin)], lambda x: last(m(first(x))), [cin, cout, k, o], cls="Conv2d")


def film(y, scale, shift):
    middle = [1] * (y.dim() - 2)
    return y * (1 + scale.reshape(len(y), *middle, -1)) + shift.reshape(len(y), *middle, -1)


@layer
def GroupNorm():
    g, per = R.randrange(1, 5), R.randrange(1, 5)
    c, n, o = g * per, size(3), dict(eps=R.choice([1e-5, 1e-3]), affine=R.random() < 0.8)
    act = activation(o)
    m = nn.GroupNorm(g, c, o["eps"], o["affine"]).double()
    x = [normal(n, R.randrange(2, 6), R.randrange(2, 6), c)]
    scaled = R.random() < 0.4
    if scaled:
        x += [normal(n, c), normal(n, c)]

    def f(x, *more):
        y = last(m(first(x)))
        return act(film(y, *more) if more else y)
    return case(m, x, f, [g, c, o], 3e-4, terms="scale shift" if scaled else "")


@layer
def LayerNorm():
    c, n = R.randrange(4, 40), size(3)
    o = dict(eps=R.choice([1e-5, 1e-3]), affine=R.random() < 0.8)
    act = activation(o)
    m = nn.LayerNorm(c, o["eps"], o["affine"]).double()
    x = [normal(n, size(), c)]
    scaled = R.random() < 0.4
    if scaled:
        x += [normal(n, c), normal(n, c)]

    def f(x, *more):
        y = m(x)
        return act(film(y, *more) if more else y)
    return case(m, x, f, [c, o], 3e-4, terms="scale shift" if scaled else "")


class RootMeanSquare(nn.Module):  # Zhang and Sennrich 2019, equation 4
    def __init__(self, c, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(c, dtype=torch.double)), eps

    def forward(self, x):
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.eps) * self.weight


@layer
def RMSNorm():
    c, eps = R.randrange(2, 40), R.choice([1e-6, 1e-3])
    m = RootMeanSquare(c, eps)
    return case(m, [normal(*shape(2), c)], m, [c, dict(eps=eps)], 2e-4)


# Up to three batches one after another: the running statistics are those of all that were in training mode. In
# evaluation mode with copies of them, for PyTorch takes those of the moment of backward for the gradient.
@layer
def BatchNorm2d():
    c = R.randrange(1, 9)
    o = dict(momentum=R.choice([0.1, 0.3, 1.0]), eps=R.choice([1e-5, 1e-3]), affine=R.random() < 0.8)
    act = activation(o)
    m = nn.BatchNorm2d(c, o["eps"], o["momentum"], o["affine"]).double()
    modes = [R.random() < 0.6 for _ in range(R.randrange(1, 4))]
    x = [normal(3, R.randrange(2, 5), R.randrange(2, 5), c) for _ in modes]

    def one(mode, t):
        if mode:
            return m.train()(first(t))
        return F.batch_norm(first(t), m.running_mean.clone(), m.running_var.clone(), m.weight, m.bias, eps=o["eps"])

    def f(*x):
        return torch.cat([act(last(one(mode, t))).flatten() for mode, t in zip(modes, x)])
    return case(m, x, f, [c, o], 3e-4, modes=modes)


# mask: of keys, or of every query and head; causal, with the last query at the last key, beside it, or neither. Where a
# query would see no key, which gives NaN in PyTorch, there is no causal mask.
@layer
def MultiheadAttention():
    heads, d, n, lq = R.randrange(1, 4), R.choice([1, 2, 4, 5, 8]), size(3), R.randrange(1, 20)
    dim, itself, bias, causal = heads * d, R.random() < 0.4, R.random() < 0.7, R.random() < 0.3
    lk = lq if itself else R.randrange(1, 20)
    other = None if itself or R.random() < 0.5 else size(9)
    m = nn.MultiheadAttention(dim, heads, bias=bias, kdim=other, vdim=other, batch_first=True).double()
    x = [normal(n, lq, dim)] + ([] if itself else [normal(n, lk, other or dim)])
    way = R.choice(["", "keys", "all"])
    seen = torch.rand((n, lk) if way == "keys" else (n, heads, lq, lk)) < 0.7
    seen[..., 0] = True
    allowed = torch.ones(n, heads, lq, lk, dtype=torch.bool)
    if way:
        allowed = allowed & (seen[:, None, None, :] if way == "keys" else seen)
    causal = causal and lk >= lq
    if causal:
        allowed = allowed & (torch.arange(lk)[None, :] <= torch.arange(lq)[:, None] + lk - lq)

    def f(x, *context):
        c = context[0] if context else x
        return m(x, c, c, attn_mask=~allowed.reshape(n * heads, lq, lk), need_weights=False)[0]
    o = dict(bias=bias, causal=causal)
    if other:
        o["context_dim"] = other
    return dict(case(m, x, f, [dim, heads, o], 2e-4, mask=bool(way)), c=[seen.double()] if way else [])


@layer
def MaxPool2d():
    k, s = R.randrange(1, 4), R.randrange(1, 4)
    x = spread(size(3), R.randrange(k, 9), R.randrange(k, 9), size())
    m = nn.MaxPool2d(k, s, k // 2)
    return case(m, [x], lambda x: last(m(first(x))), [k, dict(stride=s, padding=k // 2)])


@layer
def AvgPool2d():
    k = R.randrange(1, 4)
    m = nn.AvgPool2d(k, None, k // 2)
    x = normal(size(3), R.randrange(k, 9), R.randrange(k, 9), size())
    return case(m, [x], lambda x: last(m(first(x))), [k, dict(padding=k // 2)])


@layer
def Upsample():
    scale, mode = R.randrange(1, 4), R.choice(["nearest", "bilinear"])
    m = nn.Upsample(scale_factor=scale, mode=mode, **({} if mode == "nearest" else dict(align_corners=False)))
    x = normal(size(3), R.randrange(1, 7), R.randrange(1, 7), size())
    return case(m, [x], lambda x: last(m(first(x))), [dict(scale=scale, mode=mode)])


class Film(nn.Module):  # laterna.nn.resblock
    def __init__(self, inputs, outputs, condition):
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(max(g for g in range(1, 9) if c % g == 0), c) for c in (inputs, outputs))
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if condition:
            self.film = nn.Linear(condition, 2 * outputs)
        if inputs != outputs:
            self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, c=None):
        x = first(x)
        h = last(self.norm2(self.conv1(F.silu(self.norm1(x)))))
        if c is not None:
            h = film(h, *self.film(c).chunk(2, -1))
        return last(self.conv2(first(F.silu(h))) + (self.skip(x) if hasattr(self, "skip") else x))


@layer
def ResBlock():
    inputs, outputs, condition, n = R.choice([2, 4, 6, 16]), R.choice([2, 4, 6, 16]), R.choice([0, 3]), size(3)
    m = Film(inputs, outputs, condition).double()
    x = [normal(n, R.randrange(2, 7), R.randrange(2, 7), inputs)] + ([normal(n, condition)] if condition else [])
    arguments = [inputs, outputs, dict(condition=condition) if condition else {}]
    return case(m, x, m, arguments, 2e-3)  # a bias before the norm of one channel: its gradient is what cancels


class Look(nn.Module):  # laterna.nn.spatial_attention
    def __init__(self, c, heads, context):
        super().__init__()
        groups = max(g for g in range(1, 9) if c % g == 0)
        self.heads, self.norm = heads, nn.GroupNorm(groups, c)
        self.qkv, self.out = nn.Linear(c, 3 * c), nn.Conv2d(c, c, 1)
        if context:
            self.context_norm, self.q, self.kv = nn.GroupNorm(groups, c), nn.Linear(c, c), nn.Linear(context, 2 * c)
            self.context_out = nn.Conv2d(c, c, 1)

    def attend(self, q, k, v, n, h, w, c):
        q, k, v = (t.reshape(n, -1, self.heads, c // self.heads) for t in (q, k, v))
        s = torch.einsum("nqhd,nkhd->nhqk", q, k) / math.sqrt(c // self.heads)
        return first(torch.einsum("nhqk,nkhd->nqhd", s.softmax(-1), v).reshape(n, h, w, c))

    def forward(self, x, context=None):
        n, h, w, c = x.shape
        qkv = self.qkv(last(self.norm(first(x)))).chunk(3, -1)
        x = x + last(self.out(self.attend(*qkv, n, h, w, c)))
        if context is not None:
            q, (k, v) = self.q(last(self.context_norm(first(x)))), self.kv(context).chunk(2, -1)
            x = x + last(self.context_out(self.attend(q, k, v, n, h, w, c)))
        return x


@layer
def SpatialAttention():
    heads = R.randrange(1, 4)
    c, n, context = heads * R.choice([2, 4]), size(3), R.choice([0, 3])
    m = Look(c, heads, context).double()
    x = [normal(n, R.randrange(2, 5), R.randrange(2, 5), c)]
    if context:
        x.append(normal(n, R.randrange(1, 6), context))
    return case(m, x, m, [c, heads, dict(context=context)], 5e-4)


class Clock(nn.Module):  # laterna.nn.time: no gradient of the times, which are a constant here
    def __init__(self, width, waves):
        super().__init__()
        self.waves, self.fc1, self.fc2 = waves, nn.Linear(waves, width), nn.Linear(width, width)

    def forward(self, t):
        half = self.waves // 2
        a = 1000 * t[:, None] * torch.exp(-math.log(10000) / half * torch.arange(half).double())
        return self.fc2(F.silu(self.fc1(torch.cat([a.cos(), a.sin()], 1))))


# Waves of thousands of radians: float32 has five digits behind the point there.
@layer
def TimeEmbedding():
    width, waves = size(20), 2 * R.randrange(1, 9)
    m, t = Clock(width, waves).double(), torch.rand(size(), dtype=torch.float32).double()
    return dict(case(m, [], lambda: m(t), [width, dict(waves=waves)], 1e-3), c=[t])


class Norms(nn.Module):  # weights as PyTorch's own spectral_norm names them, under the library's names
    def __init__(self, inner, calls):
        super().__init__()
        self.inner, self.calls = inner, calls

    def forward(self, x):
        for _ in range(self.calls):
            y = self.inner(x)
        return y


# The layer, its power iteration begun at the same u and v; the last of several calls in training, or one in evaluation.
@layer
def spectral_norm():
    convolution, calls = R.random() < 0.5, R.randrange(0, 4)
    k, n = R.randrange(2, 9), R.randrange(2, 9)
    inner = nn.Conv2d(k, n, 3, padding=1) if convolution else nn.Linear(k, n)
    inner = nn.utils.spectral_norm(inner.double())
    x = normal(2, 4, 5, k) if convolution else normal(3, k)
    out = case(inner, [x], None, [k, n, 3, dict(padding=1)] if convolution else [k, n], 5e-4)
    inner.train()(first(x) if convolution else x)  # u and v that belong to the weight
    inner.train(calls > 0)
    v = inner.weight_v
    if convolution:  # of the library's order of axes
        v = v.reshape(k, 3, 3).permute(1, 2, 0).reshape(-1)
    m = Norms(inner, max(1, calls)).double()
    rename = {"inner.weight_orig": "weight", "inner.bias": "bias"}
    out.update(m=m, rename=rename, f=lambda x: last(m(first(x))) if convolution else m(x),
               c=[inner.weight_u.clone(), v.clone()])
    out["o"].update(calls=calls, cls="Conv2d" if convolution else "Linear")
    return out


class Block(nn.Module):  # laterna.text.encoder: PyTorch's own block, under the library's names
    def __init__(self, dim, heads):
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, "gelu", norm_first=True, batch_first=True)
        self.norm1, self.norm2, self.attention = layer.norm1, layer.norm2, layer.self_attn
        self.fc1, self.fc2 = layer.linear1, layer.linear2
        self.whole = [layer]  # no child of its own: each parameter has one name

    def forward(self, x, padded):
        return self.whole[0](x, src_key_padding_mask=padded)


# What is padded is compared too: it looks at the others.
@layer
def TextBlock():
    heads, n, k = R.randrange(1, 4), size(3), R.randrange(1, 12)
    dim = heads * R.choice([2, 4])
    m, mask = Block(dim, heads).double(), torch.rand(n, k) < 0.7
    mask[:, 0] = True
    x = [normal(n, k, dim)]
    return dict(case(m, x, lambda x: m(x, ~mask), [dim, heads], 5e-4), c=[mask.double()])


# ---- likelihoods: negative logarithms of a picture's probability ----------

class Learned(nn.Module):
    def __init__(self, name, value):
        super().__init__()
        setattr(self, name, nn.Parameter(torch.tensor([value], dtype=torch.double)))


def grey(*s):  # 256 levels from -1 to 1, black and white among them
    levels = torch.randint(0, 256, s)
    levels = torch.where(torch.rand(s) < 0.2, (torch.rand(s) < 0.5) * 255, levels)
    return (levels.float() / 127.5 - 1).double()


def per_picture(t):
    return -t.flatten(1).sum(1)


@layer
def Bernoulli():
    s = shape(4)
    x = [normal(*s), grey(*s)]
    return case(nn.Identity(), x, lambda out, x: per_picture(
        torch.distributions.Bernoulli(logits=out, validate_args=False).log_prob(x / 2 + 0.5)), [])


@layer
def Gaussian():
    s = shape(4)
    m = Learned("logvar", 0.0)
    return case(m, [normal(*s), normal(*s)], lambda out, x: per_picture(
        torch.distributions.Normal(out, (m.logvar / 2).exp()).log_prob(x)), [])


# The mass of a level is a difference of sigmoids, and four digits of float32 are left of it.
@layer
def Logistic():
    s = shape(4, 3)
    m, x = Learned("logscale", 0.0), grey(*s)
    out = (x + 0.1 * normal(*s)).float().double()

    def f(out, x):
        scale = m.logscale.exp()
        above = torch.where(x > 0.999, torch.ones_like(x), torch.sigmoid((x + 1 / 255 - out) / scale))
        below = torch.where(x < -0.999, torch.zeros_like(x), torch.sigmoid((x - 1 / 255 - out) / scale))
        return per_picture((above - below).log())
    c = case(m, [out, x], f, [], 1e-2)
    with torch.no_grad():
        m.logscale.fill_(R.choice([-3.0, -2.0, -1.0, -0.5]))
    return c


# Losses of the game, from the formulas of their papers; sums of both sides, so that both gradients are compared.
@layer
def game():
    name, k = R.choice(["non_saturating", "hinge", "least_squares", "wasserstein", "relativistic"]), size()
    critic, generator = {
        "non_saturating": (lambda r, f: -F.logsigmoid(r).mean() - F.logsigmoid(-f).mean(),
                           lambda r, f: -F.logsigmoid(f).mean()),
        "hinge": (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda r, f: -f.mean()),
        "least_squares": (lambda r, f: ((r - 1) ** 2).mean() / 2 + (f ** 2).mean() / 2,
                          lambda r, f: ((f - 1) ** 2).mean() / 2),
        "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
        "relativistic": (lambda r, f: -F.logsigmoid(r - f).mean(), lambda r, f: -F.logsigmoid(f - r).mean()),
    }[name]
    x = [normal(k), normal(k)]
    return case(nn.Identity(), x, lambda r, f: critic(r, f) + 0.5 * generator(r, f), [], name=name)
