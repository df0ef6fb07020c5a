"""The GAN and the flow of the plane of plane.lua, a step of each."""
import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

import torch_nets as nets

BATCH, HIDDEN, STEPS = 512, 128, 16000


def mlp(inputs, outputs, bend):
    return nn.Sequential(nn.Linear(inputs, HIDDEN), bend, nn.Linear(HIDDEN, HIDDEN), bend, nn.Linear(HIDDEN, HIDDEN),
                         bend, nn.Linear(HIDDEN, outputs))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = mlp(2, 2, nn.Tanh())

    def forward(self, z):
        return z + self.net(z)


class Critic(nn.Module):
    """Sees a point and its waves of four octaves."""
    def __init__(self):
        super().__init__()
        self.net = mlp(18, 1, nn.LeakyReLU(0.2))

    def forward(self, x):
        waves = [w for k in range(1, 5) for w in ((x * 2 ** k).sin(), (x * 2 ** k).cos())]
        return self.net(torch.cat([x, *waves], 1)).squeeze(1)


def gan_training(mode):
    angles = torch.arange(8) * (math.pi / 4)
    centres = 2 * torch.stack([angles.cos(), angles.sin()], 1)
    draw = lambda: centres[torch.randint(8, (BATCH,))] + 0.05 * torch.randn(BATCH, 2)
    g, d = Generator(), Critic()
    mean, rate, calls = copy.deepcopy(nn.ModuleList([g, d])), nets.cosine(2e-3, STEPS, 50, 4e-5), 0
    og, od = nets.adam(g.parameters(), 2e-3, (0.0, 0.99)), nets.adam(d.parameters(), 2e-3, (0.0, 0.99))
    averages, weights = list(mean.parameters()), [*g.parameters(), *d.parameters()]
    paint = torch.compile(g) if "compile" in mode else g  # the critic's second derivatives cannot be compiled

    def turn(optimizer, loss):
        optimizer.zero_grad(); loss.backward()
        optimizer.param_groups[0]["lr"] = rate(calls)
        optimizer.step()
        return loss.item()

    def step():
        nonlocal calls
        calls += 1
        weight = 0.3 * (1e-3 / 0.3) ** (calls / STEPS)
        with torch.no_grad():
            fake = paint(torch.randn(BATCH, 2))
        x, fake = draw().requires_grad_(), fake.detach().clone().requires_grad_()
        real_score, fake_score = d(x), d(fake)
        loss = F.softplus(fake_score - real_score).mean()
        for score, at in ((real_score, x), (fake_score, fake)):
            gradient, = torch.autograd.grad(score.sum(), at, create_graph=True)
            loss = loss + weight / 2 * gradient.square().sum(1).mean()
        turn(od, loss)
        d.requires_grad_(False)
        with torch.no_grad():
            real_score = d(draw())
        turn(og, F.softplus(real_score - d(paint(torch.randn(BATCH, 2)))).mean())
        d.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1 - min(0.995, (1 + calls) / (10 + calls)))
    return step, nets.size_of(g, d)


def spline(x, said, bound):
    """Rational-quadratic (Durkan et al. 2019): y and log y' of x (n), from 3k-1 numbers each."""
    k = (said.shape[1] + 1) // 3
    least = 0.24 / k
    w, h, d = said.split([k, k, k - 1], 1)
    inside = x.abs() <= bound
    at = torch.where(inside, x, 0)
    size = lambda s: 2 * bound * (least + (1 - least * k) * s.softmax(1))
    ends = lambda s: F.pad(s.cumsum(1), (1, 0)) - bound
    w, h = size(w), size(h)
    d = F.pad(F.softplus(d + math.log(math.exp(1 - least) - 1)) + least, (1, 1), value=1.0)
    left, low = ends(w), ends(h)
    b = (torch.searchsorted(left.detach(), at[:, None], right=True) - 1).clamp(0, k - 1)
    pick = lambda t, i=b: t.gather(1, i).squeeze(1)
    w, h, d, e, x0, y0 = pick(w), pick(h), pick(d), pick(d, b + 1), pick(left), pick(low)
    s, p = h / w, ((at - x0) / w).clamp(0, 1)
    q = p * (1 - p)
    below = s + (d + e - 2 * s) * q
    y = y0 + h * (s * p * p + d * q) / below
    logs = 2 * s.log() + (e * p * p + 2 * s * q + d * (1 - p) ** 2).log() - 2 * below.log()
    return torch.where(inside, y, x), torch.where(inside, logs, 0)


class SplineCoupling(nn.Module):
    def __init__(self, flip, hidden=64, text=8, bins=16):
        super().__init__()
        self.flip, self.first, self.film = flip, nn.Linear(1, hidden), nn.Linear(text, 3 * hidden)
        self.middle, self.last = nn.ModuleList([nn.Linear(hidden, hidden) for _ in range(2)]), nn.Linear(hidden, 3 * bins - 1)
        nn.init.zeros_(self.last.weight); nn.init.zeros_(self.last.bias)

    def forward(self, x, pooled):
        seen, changed = x.flip(1).split(1, 1) if self.flip else x.split(1, 1)
        first, *others = self.film(pooled).chunk(3, 1)
        h = F.relu(self.first(seen) + first)
        for layer, shift in zip(self.middle, others):
            h = F.relu(layer(h) + shift)
        y, logs = spline(changed.squeeze(1), self.last(h), 5.0)
        y = torch.cat([seen, y[:, None]], 1)
        return (y.flip(1) if self.flip else y), logs


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([SplineCoupling(i % 2 == 1) for i in range(4)])
        self.text = nets.TextEncoder(277, 8, 1, heads=2)

    def loss(self, x, ids, mask):
        logdet, pooled = 0, self.text(ids, mask)[2]
        for layer in self.layers:
            x, logs = layer(x, pooled)
            logdet = logdet + logs
        logp = -0.5 * (x.square() + math.log(2 * math.pi)).sum(1) + logdet
        return -logp.mean() / (2 * math.log(2))


def flow_training(mode):
    flow = Flow()
    mean, n, calls = copy.deepcopy(flow), BATCH // 2, 0
    averages, weights = list(mean.parameters()), list(flow.parameters())
    ids = torch.tensor([[2, 262, 261, 3], [2, 260, 3, 1]]).repeat_interleave(n, 0)
    mask, rate = ids != 1, nets.cosine(5e-3, STEPS, 50, 5e-5)
    opt = nets.adam(flow.parameters(), 5e-3)
    loss_of = torch.compile(flow.loss) if "compile" in mode else flow.loss

    def moons():
        side, angle = torch.randint(2, (n,)).float(), torch.rand(n) * math.pi
        x, y = angle.cos() + side, angle.sin() * (1 - side * 2) + side * 0.5
        return (torch.stack([x - 0.5, y - 0.25], 1) + torch.randn(n, 2) * 0.08) * 2

    def checkerboard():
        column, row = torch.randint(8, (n,)).float(), torch.randint(4, (n,)).float() * 2
        return torch.stack([column + torch.rand(n), row + column % 2 + torch.rand(n)], 1) - 4

    def step():
        nonlocal calls
        calls += 1
        loss = loss_of(torch.cat([moons(), checkerboard()]), ids, mask)
        opt.zero_grad(); loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        opt.param_groups[0]["lr"] = rate(calls)
        opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1 - min(0.99, (1 + calls) / (10 + calls)))
        return loss.item()
    return step, nets.size_of(flow)


def workload(mode):
    cast = torch.autocast("cpu", torch.bfloat16, enabled=mode.startswith("bf16"))
    (play, a), (fit, b) = gan_training(mode), flow_training(mode)

    def step():
        with cast:
            play(); fit()
    return step, a + b
