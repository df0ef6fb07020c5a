"""The step of the two-minute tour of tour.lua: an extractor, four painters and a critic, trained together. What the Lua
side reads in captions is made of random words here, as many and as long."""
import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

import torch_nets as nets

SIZE, CHANNELS, WIDTH, TEXT, DETAIL, WORDS, LENGTH = 16, 3, 8, 32, 16, 311, 13
RATE, FROM_PRIOR, DROP, STEPS, PENALTY, EVERY, NEGATIVES = 24, 0.5, 0.1, 1000, 0.3, 4, 2
BITS = 1 / math.log(2)


class Likelihood(nn.Module):
    """-log of a Gaussian around what was painted, of a picture."""
    def __init__(self):
        super().__init__()
        self.logvar = nn.Parameter(torch.tensor([-2.0]))

    def forward(self, painted, x):
        logvar, n = self.logvar.clamp(-12, 4), x[0].numel()
        error = (painted - x).square().sum((1, 2, 3))
        return ((error * (-logvar).exp() + (logvar + math.log(2 * math.pi)) * n) * 0.5).mean() / n


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.decoder, self.likelihood = nets.PictureDecoder(TEXT + DETAIL, CHANNELS), Likelihood()

    def forward(self, x, cond, z):
        return self.likelihood(self.decoder(torch.cat([z, cond[2]], 1)), x) * x[0].numel()


class FlowStep(nn.Module):
    """Actnorm and an invertible convolution, folded into one product, and an affine coupling."""
    def __init__(self, c, hidden=4 * WIDTH, bound=1):
        super().__init__()
        p, l, u = torch.linalg.lu(torch.linalg.qr(torch.randn(c, c))[0])
        self.logs, self.lower, self.upper = (nn.Parameter(t) for t in (u.diag().abs().log(), l.tril(-1), u.triu(1)))
        self.bias, self.norm_logs = nn.Parameter(torch.zeros(c)), nn.Parameter(torch.zeros(c))
        for name, t in (("p", p), ("sign", u.diag().sign()), ("centre", torch.zeros(c)), ("eye", torch.eye(c))):
            self.register_buffer(name, t)
        self.net = nn.Sequential(nn.Conv2d(c // 2, hidden, 3, padding=1), nn.ReLU(), nn.Conv2d(hidden, hidden, 1),
                                 nn.ReLU(), nn.Conv2d(hidden, c, 3, padding=1))
        self.bound = bound
        nn.init.zeros_(self.net[4].weight); nn.init.zeros_(self.net[4].bias)

    def terms(self):
        logs, norm_logs = self.logs.clamp(-5, 5), self.norm_logs.clamp(-12, 12)
        u = self.upper.triu(1) + torch.diag(self.sign * logs.exp())
        w = self.p @ ((self.lower.tril(-1) + self.eye) @ u)
        return w, norm_logs.exp(), logs.sum() + norm_logs.sum()

    def forward(self, x):
        w, scale, logdet = self.terms()
        x = F.conv2d(x, (w * scale)[:, :, None, None], w @ (self.bias - self.centre * scale))
        seen, changed = x.chunk(2, 1)
        s, t = self.net(seen).chunk(2, 1)
        s = nets.bounded(s, self.bound)
        x = torch.cat([seen, torch.addcmul(t, changed, s.exp())], 1)
        return x, logdet * (x.shape[2] * x.shape[3]) + s.sum((1, 2, 3))

    def inverse(self, y):
        seen, changed = y.chunk(2, 1)
        s, t = self.net(seen).chunk(2, 1)
        y = torch.cat([seen, (changed - t) * (-nets.bounded(s, self.bound)).exp()], 1)
        w, scale, _ = self.terms()
        return F.conv2d(y, (w * scale).inverse()[:, :, None, None], self.centre - self.bias / scale)


class Glow(nn.Module):
    def __init__(self):
        super().__init__()
        self.levels = nn.ModuleList([nn.ModuleList([FlowStep(c) for _ in range(4)]) for c in (12, 24)])

    def forward(self, x):
        logdet, parts = 0, []
        for i, level in enumerate(self.levels):
            x = F.pixel_unshuffle(x, 2)
            for step in level:
                x, more = step(x)
                logdet = logdet + more
            if i == 0:
                x, part = x.chunk(2, 1)
                parts.append(part.flatten(1))
        return torch.cat([*parts, x.flatten(1)], 1), logdet

    def inverse(self, z):
        half, side = z.shape[1] // 2, SIZE // 4
        part, x = z[:, :half].unflatten(1, (6, 2 * side, 2 * side)), z[:, half:].unflatten(1, (24, side, side))
        for i in (1, 0):
            x = torch.cat([x, part], 1) if i == 0 else x
            for step in reversed(self.levels[i]):
                x = step.inverse(x)
            x = F.pixel_shuffle(x, 2)
        return x


class Flow(nn.Module):
    """Glow on what a decoder leaves of the picture; the decoder's guess is compared with the picture as well."""
    def __init__(self):
        super().__init__()
        self.net, self.glow = nets.PictureDecoder(TEXT + DETAIL, 2 * CHANNELS), Glow()
        self.likelihood = Likelihood()

    def forward(self, x, cond, z):
        d = x[0].numel()
        t, s = self.net(torch.cat([z, cond[2]], 1)).chunk(2, 1)
        s = nets.bounded(s, 4)
        y = ((x + 1) * 127.5).round().clamp(0, 255)
        y = (y + torch.rand_like(y)) * (1 / 128) - 1
        z, logdet = self.glow((y - t) * (-s).exp())
        logp = -0.5 * (z.square() + math.log(2 * math.pi)).sum(1) + logdet - s.sum((1, 2, 3)) - d * math.log(128)
        quiet = self.glow.inverse(torch.zeros(1, d))
        return -logp.mean() * (BITS / d) + self.likelihood(torch.addcmul(t, quiet, s.exp()), x) * BITS


class Diffusion(nn.Module):
    """A U-Net that sees the sketch beside what is noised, and is to say what the sketch leaves."""
    def __init__(self):
        super().__init__()
        self.unet = nets.UNet(2 * CHANNELS, CHANNELS, TEXT, DETAIL, 2 * WIDTH)
        self.expect, self.likelihood = nets.PictureDecoder(TEXT + DETAIL, CHANNELS), Likelihood()

    def forward(self, x, cond, z):
        sketch = self.expect(torch.cat([cond[2], z], 1))
        held = sketch.detach()
        task, eps = (x - held) * (1 / 0.2), torch.randn_like(x)
        t = (torch.randn(len(x)) * 1.4 - 0.5).sigmoid().clamp(1e-4, 1)
        alpha, sigma = (f(t * (math.pi / 2))[:, None, None, None] for f in (torch.cos, torch.sin))
        said = self.unet(torch.cat([task * alpha + eps * sigma, held], 1), t, *cond, z)
        return F.mse_loss(said, eps * alpha - task * sigma) + self.likelihood(sketch, x) * BITS


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in ((CHANNELS, 16), (16, 32), (32, 32))])
        self.basis, self.phi = nn.Conv2d(32, 32, 4, groups=32, bias=False), nn.Linear(32, 32, bias=False)
        self.weight, self.bias = nn.Parameter(torch.randn(32)), nn.Parameter(torch.zeros(1))
        self.caption, self.text = nn.Linear(64, 32, bias=False), nets.TextEncoder(WORDS, 64, 1)

    def body(self, x):
        first, second, third = self.convs
        x = F.max_pool2d(F.leaky_relu(first(x), 0.2), 2)
        return F.max_pool2d(F.leaky_relu(third(F.leaky_relu(second(x), 0.2)), 0.2), 2)

    def look(self, x):
        return self.phi(self.basis(self.body(x)).flatten(1))

    def score(self, phi, pooled):
        return (phi * (self.caption(pooled) + self.weight)).sum(1) * 32 ** -0.5 + self.bias


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.critic, self.likelihood = nets.PictureDecoder(TEXT + DETAIL, CHANNELS), Critic(), Likelihood()

    def forward(self, x, cond, z, drawn, ids, mask):
        painted = self.generator(torch.cat([z, cond[2]], 1))
        more = self.generator(torch.cat([drawn, cond[2][:len(drawn)]], 1))
        with torch.no_grad():
            pooled = self.critic.text(ids, mask)[2]
            real = self.critic.score(self.critic.look(x), pooled)
        fake = self.critic.score(self.critic.look(torch.cat([more, painted[len(drawn):]])), pooled)
        return F.softplus(real - fake).mean() + self.likelihood(painted, x)

    def own_parameters(self):
        return [*self.generator.parameters(), *self.likelihood.parameters()]


class Shared(nn.Module):
    """The extractor, which sees besides what the reader sees last; the captions' encoder; the details' prior."""
    def __init__(self):
        super().__init__()
        k = 32 * (SIZE // 4) ** 2
        self.extractor, self.norm = nets.Extractor(CHANNELS, TEXT, 2 * DETAIL, 2 * WIDTH), nn.LayerNorm(k)
        self.hidden, self.out = nn.Linear(k + TEXT, 16 * WIDTH), nn.Linear(16 * WIDTH, 2 * DETAIL)
        self.text, half = nets.TextEncoder(WORDS, TEXT, 2), DETAIL // 2
        self.base = nets.coupling_mlp(TEXT, 128, 2 * DETAIL)
        self.couplings = nn.ModuleList([nets.coupling_mlp(half + TEXT, 128, 2 * half) for _ in range(8)])

    def forward(self, x, seen, ids, mask):
        cond = self.text(ids, mask)
        h = self.hidden(torch.cat([self.norm(seen), cond[2]], 1))
        mu, logvar = (self.extractor(x, *cond) + self.out(F.silu(h))).chunk(2, 1)
        logvar = logvar.clamp(-30, 20)
        return cond, mu + (logvar * 0.5).exp() * torch.randn_like(mu), logvar

    @staticmethod
    def terms(m, x):
        s, t = m(x).chunk(2, 1)
        return nets.bounded(s, 2), t

    def kl(self, z, logvar, c):
        s, t = self.terms(self.base, c)
        u, logdet = (z.clamp(-1e4, 1e4) - t) * (-s).exp(), -s.sum(1)
        for i, coupling in enumerate(self.couplings):
            half, changed = u.chunk(2, 1) if i % 2 == 0 else reversed(u.chunk(2, 1))
            s, t = self.terms(coupling, torch.cat([half, c], 1))
            changed, logdet = (changed - t) * (-s).exp(), logdet - s.sum(1)
            u = torch.cat([half, changed] if i % 2 == 0 else [changed, half], 1)
        logp = logdet - 0.5 * (u.square().sum(1) + DETAIL * math.log(2 * math.pi))
        return -(0.5 * (logvar + (1 + math.log(2 * math.pi))).sum(1) + logp).mean()

    @torch.no_grad()
    def draw(self, u, c):
        for i in range(len(self.couplings) - 1, -1, -1):
            half, changed = u.chunk(2, 1) if i % 2 == 0 else reversed(u.chunk(2, 1))
            s, t = self.terms(self.couplings[i], torch.cat([half, c], 1))
            changed = changed * s.exp() + t
            u = torch.cat([half, changed] if i % 2 == 0 else [changed, half], 1)
        s, t = self.terms(self.base, c)
        return u * s.exp() + t


class Training:
    def __init__(self, mode, batch):
        self.k, self.batch, self.log_beta, self.number, self.calls, self.lengths = round(FROM_PRIOR * batch), batch, None, 100, 0, {}
        self.shared, self.gan = Shared(), Gan()
        self.eyes = copy.deepcopy(self.gan.critic).requires_grad_(False)
        self.painters = {"vae": Vae(), "flow": Flow(), "diffusion": Diffusion(), "gan": self.gan}
        self.model = nn.ModuleList([self.shared, *self.painters.values()])
        if mode.endswith("-cl"):
            self.model.to(memory_format=torch.channels_last)
        self.mean = copy.deepcopy(self.model)
        self.lists = {"shared": list(self.shared.parameters()), "gan": self.gan.own_parameters()}
        for name in ("vae", "flow", "diffusion"):
            self.lists[name] = list(self.painters[name].parameters())
        rate = lambda lr: nets.cosine(lr, STEPS, 50, 0.02 * lr)
        self.optimizers = [nets.Muon(list_, rate(1e-2 if name == "flow" else 4e-3)) for name, list_ in self.lists.items()]
        self.critic_rate = rate(1e-3)
        self.critic_adam = nets.adam(self.gan.critic.parameters(), 1e-3, (0.0, 0.99))
        compile_ = torch.compile if "compile" in mode else lambda f: f  # the critic's second derivatives stay as they are
        self.extract, self.kl = compile_(self.shared), compile_(self.shared.kl)
        self.losses = {name: compile_(painter) for name, painter in self.painters.items()}

    def critic_turn(self, x, ids, mask, z, drawn, pooled):
        critic, self.calls = self.gan.critic, self.calls + 1
        penalised = (self.calls - 1) % EVERY == 0
        with torch.no_grad():
            fake = self.gan.generator(torch.cat([torch.cat([drawn, z[self.k:]]), pooled], 1))
        x, fake = x.detach().requires_grad_(penalised), fake.requires_grad_(penalised)
        phi, own = critic.look(x), critic.text(ids, mask)[2]
        negatives = []
        for _ in range(NEGATIVES):
            other = (torch.arange(len(x)) + torch.randint(1, len(x), (1,))) % len(x)
            negatives.append(critic.score(phi, critic.text(ids[other], mask[other])[2]))
        real, painted = critic.score(phi, own), critic.score(critic.look(fake), own)
        worst = torch.stack(negatives, 1) - real[:, None]
        loss = F.softplus(painted - real).mean() + F.softplus(worst.logsumexp(1)).mean()
        if penalised:
            for score, at in ((real, x), (painted, fake)):
                gradient, = torch.autograd.grad(score.sum(), at, create_graph=True)
                loss = loss + PENALTY / 2 * EVERY * gradient.square().sum((1, 2, 3)).mean()
        self.critic_adam.zero_grad(); loss.backward()
        self.critic_adam.param_groups[0]["lr"] = self.critic_rate(self.calls)
        self.critic_adam.step()
        return loss.item()

    def beta(self, kl):
        rate = RATE * 5 ** max(0, 1 - self.number / STEPS / 0.7)
        e = max(-1, min(1, math.log(kl / rate))) if kl > 0 else -1
        self.log_beta = max(-60, min(60, (math.log(1e-3 * 4) if self.log_beta is None else self.log_beta) + 0.02 * e))
        return math.exp(self.log_beta + e)

    def weigh(self, name, loss, z):
        if self.number % 10 == 0 or name not in self.lengths:
            length = torch.autograd.grad(loss, z, retain_graph=True)[0].norm().item()
            self.lengths[name] = 0.8 * self.lengths.get(name, length) + 0.2 * length
        return loss * (1 / max(self.lengths[name], 1e-6))

    def step(self, x, ids, mask):
        self.number += 1
        log, kept = {}, (torch.rand(len(x)) < DROP)[:, None] & (torch.arange(LENGTH) > 0)
        ids, mask = ids.masked_fill(kept, 1), mask & ~kept
        with torch.no_grad():
            seen = self.eyes.body(x).flatten(1)
        cond, z, logvar = self.extract(x, seen, ids, mask)
        drawn = self.shared.draw(torch.randn(self.k, DETAIL), cond[2][:self.k])
        log["critic"] = self.critic_turn(x, ids, mask, z.detach(), drawn, cond[2].detach())
        self.gan.critic.requires_grad_(False)
        total = 0
        for name, loss_of in self.losses.items():
            more = (self.shared.draw(torch.randn(self.k, DETAIL), cond[2][:self.k]), ids, mask) if name == "gan" else ()
            loss = loss_of(x, cond, z, *more)
            total, log[name] = total + self.weigh(name, loss, z), loss.item()
        kl = self.kl(z, logvar, cond[2])
        log["kl"] = kl.item()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        (total + kl * self.beta(log["kl"])).backward()
        self.gan.critic.requires_grad_(True)
        for list_ in self.lists.values():
            nn.utils.clip_grad_norm_(list_, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        with torch.no_grad():
            decay = min(0.995, (1 + self.number) / (10 + self.number))
            torch._foreach_lerp_(list(self.mean.parameters()), list(self.model.parameters()), 1 - decay)
        return log


def workload(batch):
    def make(mode):
        if "compile" in mode:
            torch._functorch.config.donated_buffer = False  # the weights of the losses walk a graph twice
        training, batches = Training(mode, batch), []
        for _ in range(20):
            lengths = torch.randint(3, LENGTH + 1, (batch, 1)).index_fill_(0, torch.tensor([0]), LENGTH)
            mask = torch.arange(LENGTH) < lengths
            x = torch.rand(batch, CHANNELS, SIZE, SIZE) * 2 - 1
            x = x.to(memory_format=torch.channels_last) if mode.endswith("-cl") else x
            batches.append((x, torch.randint(4, WORDS, (batch, LENGTH)).masked_fill(~mask, 1), mask))
        cast = torch.autocast("cpu", torch.bfloat16, enabled=mode.startswith("bf16"))

        def steps():
            with cast:
                for drawn in batches:
                    log = training.step(*drawn)
            return log
        return steps, nets.size_of(training.model, training.eyes) - nets.size_of(training.eyes.text), 20
    return make
