"""The layers that torch_plane.py and torch_tour.py are made of: those of lua/laterna/nn and lua/laterna/text, with the
same numbers of parameters. Pictures are N,C,H,W here."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def groups_of(channels):
    return next(g for g in range(8, 0, -1) if channels % g == 0)


class Norm(nn.GroupNorm):
    def __init__(self, channels):
        super().__init__(groups_of(channels), channels)


class ResBlock(nn.Module):
    """Two convolutions; the condition scales and shifts the second norm."""
    def __init__(self, inputs, outputs, condition):
        super().__init__()
        self.norm1, self.conv1 = Norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = Norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.film = nn.Linear(condition, 2 * outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conv2.weight); nn.init.zeros_(self.film.weight)

    def forward(self, x, c):
        scale, shift = self.film(c)[:, :, None, None].chunk(2, 1)
        h = torch.addcmul(shift, self.norm2(self.conv1(F.silu(self.norm1(x)))), 1 + scale)
        return self.conv2(F.silu(h)) + self.skip(x)


class SpatialAttention(nn.Module):
    """Places look at each other, then at the caption's tokens."""
    def __init__(self, channels, heads, context):
        super().__init__()
        self.heads, self.norm, self.context_norm = heads, Norm(channels), Norm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.q, self.kv = nn.Linear(channels, channels), nn.Linear(context, 2 * channels)
        self.context_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight); nn.init.zeros_(self.context_out.weight)

    def split(self, x):  # (n,l,c) -> (n,heads,l,c/heads)
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, tokens, mask):
        h, w = x.shape[2:]
        rows = lambda t: t.flatten(2).transpose(1, 2)
        y = rows(x)
        q, k, v = map(self.split, self.qkv(rows(self.norm(x))).chunk(3, 2))
        y = y + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        seen = self.context_norm(y.transpose(1, 2).unflatten(2, (h, w)))
        q, (k, v) = self.split(self.q(rows(seen))), map(self.split, self.kv(tokens).chunk(2, 2))
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        y = y + self.context_out(found.transpose(1, 2).flatten(2))
        return y.transpose(1, 2).unflatten(2, (h, w))


class TextBlock(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x, mask):
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        x = x + self.proj(y.transpose(1, 2).flatten(2))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class TextEncoder(nn.Module):
    """(tokens, mask, pooled) of ids (n,l) and a mask (n,l) of booleans: those that are there."""
    def __init__(self, words, dim, depth, heads=4, length=32):
        super().__init__()
        self.token, self.position = nn.Embedding(words, dim), nn.Parameter(0.02 * torch.randn(length, dim))
        self.blocks, self.norm = nn.ModuleList([TextBlock(dim, heads) for _ in range(depth)]), nn.LayerNorm(dim)

    def forward(self, ids, mask):
        x = self.token(ids) + self.position[:ids.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        x, present = self.norm(x), mask.to(torch.float32)
        return x, mask, (x * present[:, :, None]).sum(1) / present.sum(1, keepdim=True)


class PictureDecoder(nn.Module):
    """A vector to a picture: two levels, each a block and a transposed convolution."""
    def __init__(self, inputs, channels, width=16, side=4):
        super().__init__()
        self.side, self.start = side, nn.Linear(inputs, side * side * 4 * width)
        self.blocks = nn.ModuleList([ResBlock(4 * width, 4 * width, inputs), ResBlock(2 * width, 2 * width, inputs)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1),
                                 nn.ConvTranspose2d(2 * width, width, 4, 2, 1)])
        self.norm, self.out = Norm(width), nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, z):
        h = self.start(z).unflatten(1, (-1, self.side, self.side))
        for block, up in zip(self.blocks, self.up):
            h = up(block(h, z))
        return self.out(F.silu(self.norm(h)))


class Extractor(nn.Module):
    def __init__(self, channels, text, outputs, width=16, side=4, heads=4):
        super().__init__()
        self.input = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(width, 2 * width, 4, 2, 1), nn.Conv2d(2 * width, 4 * width, 4, 2, 1)])
        self.blocks = nn.ModuleList([ResBlock(2 * width, 2 * width, text), ResBlock(4 * width, 4 * width, text)])
        self.attention, self.norm = SpatialAttention(4 * width, heads, text), Norm(4 * width)
        self.hidden = nn.Linear(side * side * 4 * width + text, 8 * width)
        self.out = nn.Linear(8 * width, outputs)

    def forward(self, x, tokens, mask, pooled):
        h = self.input(x)
        for down, block in zip(self.down, self.blocks):
            h = block(down(h), pooled)
        h = F.silu(self.norm(self.attention(h, tokens, mask))).flatten(1)
        return self.out(F.silu(self.hidden(torch.cat([h, pooled], 1))))


class Stage(nn.Module):
    def __init__(self, inputs, outputs, condition, text, attends):
        super().__init__()
        self.block = ResBlock(inputs, outputs, condition)
        self.attention = SpatialAttention(outputs, 4, text) if attends else None

    def forward(self, x, e, tokens, mask):
        x = self.block(x, e)
        return self.attention(x, tokens, mask) if self.attention else x


class UNet(nn.Module):
    """One block a level, attention at the last; time, caption and detail scale and shift."""
    def __init__(self, channels, outputs, text, detail, width=16, multipliers=(1, 2, 4)):
        super().__init__()
        c, condition, last = width, 4 * width, len(multipliers) - 1
        self.waves, self.fc1, self.fc2 = width, nn.Linear(width, condition), nn.Linear(condition, condition)
        self.text = nn.Linear(text, condition, bias=False)
        self.detail = nn.Linear(detail, condition, bias=False)
        self.input = nn.Conv2d(channels, width, 3, padding=1)
        stage = lambda a, b, at: Stage(a, b, condition, text, at)
        self.down, self.shrink, self.up, self.grow = (nn.ModuleList() for _ in range(4))
        for level, m in enumerate(multipliers):
            k = width * m
            self.down.append(stage(c, k, level == last)); self.up.append(stage(2 * k, k, level == last))
            if level > 0:
                self.shrink.append(nn.Conv2d(c, c, 3, 2, 1)); self.grow.append(nn.Conv2d(k, c, 3, padding=1))
            c = k
        self.middle = nn.ModuleList([stage(c, c, True), stage(c, c, False)])
        self.norm, self.output = Norm(width), nn.Conv2d(width, outputs, 3, padding=1)
        nn.init.zeros_(self.output.weight); nn.init.zeros_(self.output.bias)

    def forward(self, x, t, tokens, mask, pooled, detail):
        f = torch.exp(torch.arange(self.waves // 2) * (-math.log(10000) / (self.waves // 2)))
        a = 1000 * t[:, None] * f
        e = self.fc2(F.silu(self.fc1(torch.cat([a.cos(), a.sin()], 1)))) + self.text(pooled) + self.detail(detail)
        e, skips, x = F.silu(e), [], self.input(x)
        for level, stage in enumerate(self.down):
            x = stage(x, e, tokens, mask)
            skips.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x)
        for stage in self.middle:
            x = stage(x, e, tokens, mask)
        for level in range(len(self.up) - 1, -1, -1):
            x = self.up[level](torch.cat([x, skips.pop()], 1), e, tokens, mask)
            if level > 0:
                x = self.grow[level - 1](F.interpolate(x, scale_factor=2))
        return self.output(F.silu(self.norm(x)))


def adam(params, lr, betas=(0.9, 0.999), decay=None):
    """Adam, or AdamW with a decay; in one pass over all parameters where this PyTorch has that on CPUs."""
    make = torch.optim.Adam if decay is None else torch.optim.AdamW
    more = {} if decay is None else {"weight_decay": decay}
    try:
        return make(params, lr, betas, fused=True, **more)
    except (RuntimeError, TypeError):
        return make(params, lr, betas, foreach=True, **more)


def cosine(lr, total, warmup, final):
    def rate(step):
        if step < warmup:
            return lr * step / warmup
        return final + (lr - final) * (1 + math.cos(math.pi * min(1, (step - warmup) / (total - warmup)))) / 2
    return rate


class Muon:
    """Muon (github.com/KellerJordan/Muon) with the momentum of torch.optim.Muon and its scale "match_rms_adamw", AdamW
    for what has one axis. torch.optim.Muon takes matrices only, one after the other, and rounds them to bfloat16, which
    is slow without instructions for it; here matrices of one shape go through Newton-Schulz together, in float32."""
    def __init__(self, params, rate, momentum=0.95, decay=0.01):
        params = list(params)
        self.rate, self.momentum, self.decay, self.taken, by_shape = rate, momentum, decay, 0, {}
        for p in params:
            if p.dim() >= 2:
                by_shape.setdefault((p.shape[0], p[0].numel()), []).append(p)
        self.groups = [(list_, torch.zeros(len(list_), *shape)) for shape, list_ in by_shape.items()]
        rest = [p for p in params if p.dim() < 2]
        self.rest = adam(rest, 1e-3, decay=decay) if rest else None
        self.params = params

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        self.taken += 1
        lr, a, b, c = self.rate(self.taken), 3.4445, -4.7750, 2.0315
        for list_, m in self.groups:
            g = torch.stack([p.grad.reshape(m.shape[1:]) for p in list_])
            m.lerp_(g, 1 - self.momentum)
            u = g.lerp_(m, self.momentum)
            tall = m.shape[1] > m.shape[2]
            u = u.mT if tall else u
            u = u / u.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
            for _ in range(5):
                gram = u @ u.mT
                u = torch.baddbmm(u, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), u, beta=a)
            u = u.mT if tall else u
            torch._foreach_mul_(list_, 1 - lr * self.decay)
            torch._foreach_add_(list_, [d.reshape(p.shape) for d, p in zip(u, list_)],
                                alpha=-lr * 0.2 * math.sqrt(max(m.shape[1:])))
        if self.rest:
            self.rest.param_groups[0]["lr"] = lr
            self.rest.step()


def bounded(x, bound):
    return torch.tanh(x * (1 / bound)) * bound


def coupling_mlp(inputs, hidden, outputs):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
                         nn.Linear(hidden, outputs))


def size_of(*modules):
    return sum(p.numel() for m in modules for p in m.parameters())
