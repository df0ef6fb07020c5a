# Writes nn_torch.lua: names, layouts, first weights, outputs and optimizer paths of PyTorch, for the specs of nn and
# optim. Made with PyTorch 1.13.1 on CPU: python3 spec/golden/nn_torch.py > spec/golden/nn_torch.lua
import textwrap

import torch
from torch import nn


def say(text):
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        print("\n".join(textwrap.wrap(line, 118, initial_indent=indent, subsequent_indent=indent + "  ")))


def numbers(t):
    return "{ " + ", ".join("%.9g" % v for v in t.detach().reshape(-1).tolist()) + " }"


def state(module):
    lines = []
    for name, t in module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            shape = ", ".join(str(n) for n in t.shape)
            lines.append('    ["%s"] = { shape = { %s }, %s },' % (name, shape, numbers(t)[2:-2]))
    return "{\n" + "\n".join(lines) + "\n  }"


def wave(*shape):  # a picture that is the same everywhere: sin of the place, counted from 1
    n = 1
    for s in shape:
        n *= s
    return torch.sin(torch.arange(1, n + 1, dtype=torch.float32)).reshape(shape)


def channels_last(t):
    return t.permute(0, 2, 3, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList([
            nn.Sequential(nn.GroupNorm(2, 4), nn.SiLU(), nn.Conv2d(4, 4, (3, 1), groups=2, bias=False))
            for _ in range(2)])
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2, groups=2)
        self.words = nn.Embedding(5, 6)
        self.ln = nn.LayerNorm(6)
        self.attention = nn.MultiheadAttention(6, 2)
        self.cross = nn.MultiheadAttention(6, 2, kdim=4, vdim=4)
        self.out = nn.Linear(6, 3)


say("-- Made by nn_torch.py with PyTorch %s; states are in PyTorch's names and layouts, flattened." % torch.__version__)
say("return {")
torch.manual_seed(7)
say("  net = %s," % state(Net()))

say("  forward = {")
layers = {
    "conv": (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2), wave(2, 4, 5, 6)),
    "transposed": (nn.ConvTranspose2d(4, 6, (3, 2), stride=2, padding=1, output_padding=1, groups=2), wave(2, 4, 3, 4)),
}
for name, (layer, x) in layers.items():
    y = channels_last(layer(x))
    say("  %s = { state = %s,\n    x = %s,\n    shape = { %s }, y = %s }," % (
        name, state(layer), numbers(channels_last(x)), ", ".join(map(str, y.shape)), numbers(y)))

attention = nn.MultiheadAttention(6, 2, batch_first=True)
cross = nn.MultiheadAttention(6, 2, kdim=4, vdim=4, batch_first=True)
for layer in (attention, cross):
    nn.init.normal_(layer.in_proj_bias, 0, 0.1)
x, context = wave(2, 3, 6), wave(2, 5, 4)
keep = torch.tensor([[1, 1, 0], [1, 1, 1]])
keep_context = torch.tensor([[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]])
say("  attention = { state = %s,\n    y = %s," % (state(attention), numbers(attention(x, x, x)[0])))
say("    masked = %s," % numbers(attention(x, x, x, key_padding_mask=keep == 0)[0]))
say("    other = %s }," % numbers(attention(x, wave(2, 4, 6), wave(2, 4, 6))[0]))
say("  cross = { state = %s,\n    y = %s }," % (
    state(cross), numbers(cross(x, context, context, key_padding_mask=keep_context == 0)[0])))
say("  },")

say("  optim = {")
cases = [
    ("SGD", "{ lr = 0.1 }", lambda p: torch.optim.SGD(p, lr=0.1)),
    ("SGD", "{ lr = 0.1, momentum = 0.9, dampening = 0.2, weight_decay = 0.01 }",
     lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01)),
    ("SGD", "{ lr = 0.05, momentum = 0.8, nesterov = true }",
     lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True)),
    ("Adam", "{ lr = 0.02, betas = { 0.8, 0.95 }, eps = 1e-6, weight_decay = 0.1 }",
     lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    ("AdamW", "{ lr = 0.02 }", lambda p: torch.optim.AdamW(p, lr=0.02)),
    ("AdamW", "{ lr = 0.02, weight_decay = 0.3 }", lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.3)),
    ("RMSprop", "{ lr = 0.01 }", lambda p: torch.optim.RMSprop(p, lr=0.01)),
    ("RMSprop", "{ lr = 0.01, alpha = 0.9, momentum = 0.5, weight_decay = 0.1 }",
     lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.5, weight_decay=0.1)),
]
for name, options, make in cases:
    a, b = wave(2, 3).clone().requires_grad_(), (wave(5) * 2).requires_grad_()
    optimizer = make([a, b])
    for step in range(1, 7):
        optimizer.zero_grad(set_to_none=True)
        loss = (a * a * a * a).sum() * (0.1 * step)
        if step > 2:  # b joins late: it has taken fewer steps
            loss = loss + (b * b).sum()
        loss.backward()
        optimizer.step()
    say('    { "%s", %s, a = %s, b = %s },' % (name, options, numbers(a), numbers(b)))
say("  },")
say("}")
