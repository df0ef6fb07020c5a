# Cases of optimizers, learning rates, averages, clipping, whole trainings and random streams: {name: function -> case}.
import math

import torch
from torch import nn
from torch.nn import functional as F

from torch_random import R, first, last, normal, positive, shape, size

STEPS = {}


def step(f):
    STEPS[f.__name__] = f
    return f


def decay():
    return R.choice([0.0, 0.0, 0.01, 0.1])


def betas():
    return [R.choice([0.0, 0.8, 0.9]), R.choice([0.9, 0.99, 0.999])]


# The gradient of each of k steps is an input; y is the parameter after them.
def optimizer(name, make, options, tolerance=4e-5, axes=2, most=7):
    def case():
        o, s, k = options(), shape(axes, most), R.randrange(1, 6)
        p, g = normal(*s), normal(k, *s)

        def f(p, g):
            q = nn.Parameter(p.detach().clone())
            opt = make([q], o)
            for row in g:
                q.grad = row.detach().clone()
                opt.step()
            return q.detach()
        return dict(x=[p, g], f=f, o=o, no_gradient=True, tolerance=tolerance)
    STEPS[name] = case


optimizer("SGD", lambda p, o: torch.optim.SGD(p, **o), lambda: R.choice([
    dict(lr=0.1, weight_decay=decay()), dict(lr=0.1, momentum=0.9, weight_decay=decay(), nesterov=True),
    dict(lr=0.1, momentum=0.9, dampening=0.5, weight_decay=decay())]))
optimizer("Adam", lambda p, o: torch.optim.Adam(p, **o),
          lambda: dict(lr=0.01, betas=betas(), eps=R.choice([1e-8, 1e-3]), weight_decay=decay()))
optimizer("AdamW", lambda p, o: torch.optim.AdamW(p, **o),
          lambda: dict(lr=0.01, betas=betas(), eps=R.choice([1e-8, 1e-3]), weight_decay=decay()))
optimizer("RMSprop", lambda p, o: torch.optim.RMSprop(p, **o),
          lambda: dict(lr=0.01, alpha=0.9, weight_decay=decay(), momentum=R.choice([0.0, 0.9])))


class Lion:  # Chen et al. 2023, algorithm 2
    def __init__(self, params, o):
        self.p, self.o, self.m = params[0], o, torch.zeros_like(params[0])

    def step(self):
        (b1, b2), lr, g = self.o["betas"], self.o["lr"], self.p.grad
        with torch.no_grad():
            self.p.mul_(1 - lr * self.o["weight_decay"]).sub_(lr * (b1 * self.m + (1 - b1) * g).sign())
        self.m = b2 * self.m + (1 - b2) * g


optimizer("Lion", Lion, lambda: dict(lr=0.01, betas=[0.9, 0.99], weight_decay=decay()))


# Jordan et al. 2024: x -> a x + (b x x' + c (x x')^2) x, `steps` times, from x / |x|; wide matrices, or transposed.
def zeroth_power(x, steps):
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


# With the scale of Liu et al. 2025, equation 4. What has more axes than two is a matrix of its first.
class Muon:
    def __init__(self, params, o):
        self.p, self.o, self.m = params[0], o, torch.zeros_like(params[0])

    def step(self):
        o, g = self.o, self.p.grad
        self.m = o["momentum"] * self.m + (1 - o["momentum"]) * g
        u = o["momentum"] * self.m + (1 - o["momentum"]) * g if o["nesterov"] else self.m
        u = u.reshape(u.shape[0], -1)
        scale = 0.2 * math.sqrt(max(u.shape))
        with torch.no_grad():
            self.p.mul_(1 - o["lr"] * o["weight_decay"])
            self.p.sub_(o["lr"] * scale * zeroth_power(u, o["ns_steps"]).reshape(self.p.shape))


def muon_options():
    return dict(lr=0.1, momentum=R.choice([0.5, 0.9, 0.95]), nesterov=R.random() < 0.6, weight_decay=decay(),
                ns_steps=R.choice([1, 3, 5, 5, 5]))


# The polynomial multiplies what rounding leaves of small singular values by up to 3.4^5.
optimizer("Muon", Muon, muon_options, 5e-4, 2, 40)
optimizer("Muon.convolution", Muon, muon_options, 5e-4, 4)


# A list of a matrix and a vector, one after the other in the inputs: the vector goes by AdamW.
@step
def Muon_beside_AdamW():
    o, n, m, k = muon_options(), size(), size(), R.randrange(1, 6)
    o.update(betas=betas(), eps=1e-3)

    def f(p, q, g, h):
        p, q = (nn.Parameter(t.detach().clone()) for t in (p, q))
        one = Muon([p], o)
        other = torch.optim.AdamW([q], lr=o["lr"], betas=o["betas"], eps=o["eps"], weight_decay=o["weight_decay"])
        for a, b in zip(g, h):
            p.grad, q.grad = a.detach().clone(), b.detach().clone()
            one.step()
            other.step()
        return torch.cat([p.detach().flatten(), q.detach()])
    x = [normal(n, m), normal(m), normal(k, n, m), normal(k, m)]
    return dict(x=x, f=f, o=o, no_gradient=True, tolerance=5e-4)


# ---- learning rates: y is the rate of every step ----------

# The library counts steps from 1 and PyTorch's schedulers from 0; both have gone all the way at step `total`.
def rates(make, n, lr, skip):
    opt = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler, out = make(opt), []
    for _ in range(n + skip):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        scheduler.step()
    return torch.tensor(out[skip:], dtype=torch.double)


@step
def schedule():
    lr, total, final = R.choice([0.1, 1.0, 3.0]), R.randrange(1, 30), R.choice([0.0, 0.05])
    name = R.choice(["cosine", "linear", "step", "warmup", "constant"])
    every, factor, scheduler = R.randrange(1, 9), R.choice([0.1, 0.5]), torch.optim.lr_scheduler
    n = total if name in ("cosine", "linear") else 30
    make, skip = {
        "cosine": (lambda o: scheduler.CosineAnnealingLR(o, total, eta_min=final), 1),
        "linear": (lambda o: scheduler.LinearLR(o, 1.0, final / lr, total), 1),
        "step": (lambda o: scheduler.StepLR(o, every, factor), 0),
        "warmup": (lambda o: scheduler.LinearLR(o, 1 / every, 1.0, every - 1) if every > 1 else
                   scheduler.LambdaLR(o, lambda _: 1.0), 0),
        "constant": (lambda o: scheduler.LambdaLR(o, lambda _: 1.0), 0),
    }[name]
    arguments = {"cosine": [lr, total, dict(final=final)], "linear": [lr, total, dict(final=final)],
                 "step": [lr, every, factor], "warmup": [every, lr], "constant": [lr]}[name]
    y = rates(make, n, lr, skip)
    return dict(x=[], f=lambda: y, o=dict(name=name, arguments=arguments, n=n), no_gradient=True, tolerance=1e-6)


# ---- averages and clipping ----------

@step
def ema():
    s, k, d, warmup = shape(2), R.randrange(1, 6), R.choice([0.1, 0.5, 0.9, 0.999]), R.random() < 0.5

    def f(p, g):
        average = p.clone()
        for t, row in enumerate(g, 1):
            now = min(d, (1 + t) / (10 + t)) if warmup else d
            average = now * average + (1 - now) * row
        return average
    return dict(x=[normal(*s), normal(k, *s)], f=f, o=dict(decay=d, warmup=warmup), no_gradient=True)


# y: the norm before, where it is one of norms, and the gradients after.
@step
def clip_gradients():
    shapes, most = [shape(R.randrange(1, 4)) for _ in range(R.randrange(1, 5))], R.choice([0.1, 1.0, 100.0])
    by = R.choice(["norm", "value"])

    def f(*grads):
        p = [nn.Parameter(torch.zeros_like(g)) for g in grads]
        for q, g in zip(p, grads):
            q.grad = g.detach().clone()
        before = getattr(nn.utils, "clip_grad_%s_" % by)(p, most)
        return torch.cat([t.reshape(-1) for t in ([before] if by == "norm" else []) + [q.grad for q in p]])
    return dict(x=[normal(*s) for s in shapes], f=f, o=dict(by=by, most=most), no_gradient=True)


# ---- whole trainings ----------

# A small network of two convolutions with batch norm between them, clipped, with a rate that falls, and an average.
# What is compared: the loss of every step, all of the state afterwards, and that of the average. No bias stands before
# the norm: its gradient is what rounding leaves of 0, and Adam would make a step of it.
@step
def training():
    cin, width, cout, k = size(3), R.randrange(1, 6), size(3), R.randrange(1, 5)
    net = nn.Sequential(nn.Conv2d(cin, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.SiLU(),
                        nn.Conv2d(width, cout, 3, 1, 1)).double()
    names = {"0.weight": "0.weight", "1.weight": "1.weight", "1.bias": "1.bias", "3.weight": "2.weight",
             "3.bias": "2.bias", "1.running_mean": "1.running_mean", "1.running_var": "1.running_var"}
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if name in names:
                t.copy_(positive(*t.shape) if name == "1.running_var" else 0.5 * normal(*t.shape))
    x, target = normal(k, 3, 8, 6, cin), normal(k, 3, 4, 3, cout)
    which, lr, d = R.choice(["SGD", "AdamW"]), 0.02, R.choice([0.5, 0.9])
    o = dict(SGD=dict(momentum=0.9, weight_decay=0.01), AdamW=dict(eps=1e-2, weight_decay=0.1))[which]
    clip = R.choice([0.05, 1000.0])
    before = {names[n]: t.clone() for n, t in net.state_dict().items() if n in names}
    average, after = {n: t.clone() for n, t in before.items()}, {}

    def f(x, target):
        opt = getattr(torch.optim, which)(net.parameters(), lr=lr, **o)
        scheduler, losses = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10), []
        for a, b in zip(x, target):
            scheduler.step()
            opt.zero_grad()
            loss = F.mse_loss(last(net(first(a.detach()))), b.detach())
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), clip)
            opt.step()
            losses.append(loss.detach())
            for n, t in net.state_dict().items():
                if n in names:
                    moved = t if "running" in n else d * average[names[n]] + (1 - d) * t
                    average[names[n]] = moved.clone()
        after.update({names[n]: t for n, t in net.state_dict().items() if n in names})
        after.update({"ema." + n: t for n, t in average.items()})
        return torch.stack(losses)
    return dict(x=[x, target], f=f, before=before, after=lambda: after, no_gradient=True, tolerance=5e-4,
                o=dict(sizes=[cin, width, cout], which=which, lr=lr, optimizer=o, clip=clip, decay=d))


# ---- streams: the same bits as PyTorch's generator on CPU ----------

def stream(name, draw):
    def case():
        seed, n = R.randrange(1 << 31), R.choice([1, 3, 15, 16, 17, 100, 1000])
        torch.manual_seed(seed)
        y = draw(n).double()
        return dict(x=[], f=lambda: y, o=dict(seed=seed, n=n), no_gradient=True, tolerance=1e-6)
    STEPS[name] = case


stream("rand", torch.rand)
stream("randn", torch.randn)
stream("randperm", lambda n: torch.randperm(n) + 1)
stream("randint", lambda n: torch.randint(1, n + 1, (7,)))


# The same weights as PyTorch's initialisers give after the same seed; those of convolutions in the library's layout.
@step
def init():
    name, s = R.choice(["uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_",
                        "xavier_normal_"]), shape(R.choice([2, 4]), 20)
    options = R.choice([{}, dict(gain=1.7)]) if "xavier" in name else {}
    if "kaiming" in name:
        options = dict(mode=R.choice(["fan_in", "fan_out"]), nonlinearity=R.choice(["relu", "leaky_relu", "tanh"]),
                       a=R.choice([0, 0.2]))
    seed = R.randrange(1 << 31)
    torch.manual_seed(seed)
    y = getattr(nn.init, name)(torch.empty(s), **options)
    y = (y.permute(0, 2, 3, 1) if len(s) == 4 else y).double()
    return dict(x=[], f=lambda: y, o=dict(name=name, options=options, seed=seed, shape=list(y.shape)),
                no_gradient=True, tolerance=1e-6)
