#!/usr/bin/env python3
"""JAX's time (XLA on the CPU, one jitted function a step, buffers donated) for three of the steps of torch_steps.py: the
same nets, losses and optimizer. Pictures are N,H,W,C.

    python3 jax_steps.py --only NAME --modes fp32,bf16 [--threads 2] [--runs 7]

prints lines of JSON as torch_steps.py does. bf16: products and convolutions take bfloat16, sums, norms and weights stay
in float32. XLA has no option for the number of its threads: the process is held to so many cores instead."""
import argparse
import json
import math
import os
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("--only", required=True)
parser.add_argument("--modes", default="fp32")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--runs", type=int, default=7)
options = parser.parse_args()
if hasattr(os, "sched_setaffinity"):  # before jax makes its threads
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

MODE = {"fp32": jnp.float32, "bf16": jnp.bfloat16}


class Maker:
    """Weights by name, made where a layer first asks for them, as PyTorch would: uniform, 1 / sqrt(fan in)."""
    def __init__(self, weights=None, cast=jnp.float32):
        self.weights, self.made, self.cast, self.random = weights, {}, cast, np.random.default_rng(0)

    def get(self, name, shape, fan=None, value=0.0):
        if self.weights is not None:
            return self.weights[name]
        bound = (fan or 1) ** -0.5
        made = self.random.uniform(-bound, bound, shape) if fan else np.full(shape, value)
        self.made[name] = made.astype(np.float32)
        return self.made[name]

    def linear(self, name, x, outputs):
        inputs = x.shape[-1]
        w, b = self.get(name + ".w", (inputs, outputs), inputs), self.get(name + ".b", (outputs,), inputs)
        return jnp.matmul(x.astype(self.cast), w.astype(self.cast), preferred_element_type=jnp.float32) + b

    def conv(self, name, x, outputs, kernel=3, stride=1):
        inputs, pad = x.shape[-1], kernel // 2
        w = self.get(name + ".w", (kernel, kernel, inputs, outputs), kernel * kernel * inputs)
        y = lax.conv_general_dilated(x.astype(self.cast), w.astype(self.cast), (stride, stride), [(pad, pad)] * 2,
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y.astype(jnp.float32) + self.get(name + ".b", (outputs,), kernel * kernel * inputs)

    def group_norm(self, name, x, groups=8):
        n, h, w, c = x.shape
        y = x.reshape(n, h * w, groups, c // groups)
        mean, var = y.mean((1, 3), keepdims=True), y.var((1, 3), keepdims=True)
        y = ((y - mean) * lax.rsqrt(var + 1e-5)).reshape(x.shape)
        return y * self.get(name + ".g", (c,), value=1.0) + self.get(name + ".b", (c,))

    def attention(self, qkv, heads):  # (n,l,3d) -> (n,l,d)
        n, l, d = qkv.shape
        q, k, v = (t.reshape(n, l, heads, -1).astype(self.cast) for t in jnp.split(qkv, 3, -1))
        s = jnp.einsum("nqhd,nkhd->nhqk", q, k, preferred_element_type=jnp.float32) * q.shape[-1] ** -0.5
        p = jax.nn.softmax(s, -1).astype(self.cast)
        return jnp.einsum("nhqk,nkhd->nqhd", p, v, preferred_element_type=jnp.float32).reshape(n, l, d // 3)


def sinusoid(t, d):
    a = t[:, None] * jnp.exp(-math.log(10000) * jnp.arange(d // 2) / (d // 2))
    return jnp.concatenate([jnp.sin(a), jnp.cos(a)], 1)


def unet(m, x, t, d):
    silu = jax.nn.silu

    def res(name, x, out, e):
        h = m.conv(name + ".c1", silu(m.group_norm(name + ".n1", x)), out)
        h = h + m.linear(name + ".t", silu(e), out)[:, None, None]
        skip = x if x.shape[-1] == out else m.conv(name + ".skip", x, out, 1)
        return m.conv(name + ".c2", silu(m.group_norm(name + ".n2", h)), out) + skip

    def attend(name, x):
        n, h, w, c = x.shape
        qkv = m.conv(name + ".qkv", m.group_norm(name + ".n", x), 3 * c, 1).reshape(n, h * w, 3 * c)
        return x + m.conv(name + ".proj", m.attention(qkv, 4).reshape(n, h, w, c), c, 1)

    e = m.linear("temb2", silu(m.linear("temb1", sinusoid(t, d), 4 * d)), 4 * d)
    x, skips, widths = m.conv("inp", x, d), [], [d, 2 * d, 4 * d]
    for i, k in enumerate(widths):
        for j in (0, 1):
            x = res(f"down{i}{j}", x, k, e)
            skips.append(x)
        x = m.conv(f"shrink{i}", x, k, 3, 2) if i < 2 else x
    x = res("mid2", attend("mid1", res("mid0", x, 4 * d, e)), 4 * d, e)
    for i, k in reversed(list(enumerate(widths))):
        for j in (0, 1):
            x = res(f"up{i}{j}", jnp.concatenate([x, skips.pop()], -1), k, e)
        if i > 0:
            x = m.conv(f"grow{i}", jnp.repeat(jnp.repeat(x, 2, 1), 2, 2), k)
    return m.conv("out", silu(m.group_norm("norm", x)), 1)


def dit(m, x, t, d, depth, heads):
    def norm(x, shift, gain):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(var + 1e-6) * (1 + gain) + shift

    silu, patch = jax.nn.silu, x.shape[-1]
    c = m.linear("temb2", silu(m.linear("temb1", sinusoid(t, 256), d)), d)
    x = m.linear("inp", x, d) + m.get("pos", (1, x.shape[1], d))
    for i in range(depth):
        name = f"block{i}"
        s1, g1, a1, s2, g2, a2 = jnp.split(m.linear(name + ".ada", silu(c), 6 * d)[:, None], 6, -1)
        h = m.attention(m.linear(name + ".qkv", norm(x, s1, g1), 3 * d), heads)
        x = x + a1 * m.linear(name + ".proj", h, d)
        h = jax.nn.gelu(m.linear(name + ".f1", norm(x, s2, g2), 4 * d), approximate=True)
        x = x + a2 * m.linear(name + ".f2", h, d)
    s, g = jnp.split(m.linear("ada", silu(c), 2 * d)[:, None], 2, -1)
    return m.linear("out", norm(x, s, g), patch)


WORKLOADS = {
    "unet32_b64": (lambda m, x, t: unet(m, x, t, 32), (64, 32, 32, 1)),
    "unet64_b32": (lambda m, x, t: unet(m, x, t, 64), (32, 32, 32, 1)),
    "dit_small_b64": (lambda m, x, t: dit(m, x, t, 192, 6, 3), (64, 64, 16)),
    "dit_s2_b8": (lambda m, x, t: dit(m, x, t, 384, 12, 6), (8, 256, 4)),
}


def training(net, shape, cast):
    """A step of AdamW (lr 1e-3, decay 0.01) on the denoiser's loss; as `denoiser` in torch_steps.py."""
    random, maker = np.random.default_rng(1), Maker()
    x, eps = (random.standard_normal(shape).astype(np.float32) for _ in range(2))
    t = (random.random(shape[:1]) * 1000).astype(np.float32)
    jax.eval_shape(lambda x, t: net(maker, x, t), x, t)  # asks for every weight, computes nothing
    weights = maker.made
    zeros = lambda: {name: np.zeros_like(w) for name, w in weights.items()}
    state = [weights, zeros(), zeros(), np.zeros((), np.float32)]

    def update(weights, first, second, count):
        loss, grad = jax.value_and_grad(lambda w: jnp.mean((net(Maker(w, cast), x + eps, t) - eps) ** 2))(weights)
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grad)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grad)
        root = jnp.sqrt(1 - 0.999 ** count)
        weights = jax.tree.map(lambda w, m, v: w * (1 - 1e-3 * 0.01) - 1e-3 / (1 - 0.9 ** count) * m /
                               (jnp.sqrt(v) / root + 1e-8), weights, first, second)
        return weights, first, second, count, loss

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))

    def step():
        *state[:], loss = compiled(*state)
        return loss.block_until_ready()
    return step, sum(w.size for w in weights.values())


def main():
    for mode in options.modes.split(","):
        line = {"workload": options.only, "mode": mode}
        try:
            step, params = training(*WORKLOADS[options.only], MODE[mode])
            step()
            first = float(step())
        except Exception as e:  # a mode that this JAX cannot run says so
            print(json.dumps({**line, "error": str(e).splitlines()[0]}), flush=True)
            continue
        times = []
        for _ in range(options.runs):
            began = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - began))
        times.sort()
        print(json.dumps({**line, "ms": round(times[len(times) // 2], 2), "min_ms": round(times[0], 2), "loss": first,
                          "params": params, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                          "jax": jax.__version__}), flush=True)


if __name__ == "__main__":
    main()
