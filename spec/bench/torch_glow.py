"""PyTorch's Glow of torch_steps.py on Fashion-MNIST, to stand beside examples/glow.lua: bits per dimension of test
pictures over the minutes of training, evaluations not counted.

    python3 spec/bench/torch_glow.py <folder with train-images-idx3-ubyte.gz and t10k-...> [minutes=20] [fp32|compile]

28 can be halved twice only, so the third level keeps 7x7. AdamW at 1e-3, batch 32; of the weights as they are, and of
their moving average."""
import copy
import gzip
import math
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch_steps as steps

FULL = (5, 10, 20)  # minutes after which the whole test set is looked at


class Glow28(nn.Module):
    def __init__(self, flow_steps=8, hidden=128):
        super().__init__()
        self.levels, c = nn.ModuleList(), 1
        for level in range(3):
            c *= 4 if level < 2 else 1
            self.levels.append(nn.ModuleList([steps.FlowStep(c, hidden) for _ in range(flow_steps)]))
            c //= 2

    def nats(self, x):
        """-log p of pictures in [0,1)"""
        logdet, logp, x = torch.zeros(x.shape[0]), 0.0, x - 0.5
        normal = lambda z: -0.5 * (z * z + math.log(2 * math.pi)).sum((1, 2, 3))
        for i, level in enumerate(self.levels):
            if i < 2:
                x = steps.squeeze(x)
            for step in level:
                x, logdet = step(x, logdet)
            if i < 2:
                x, z = x.chunk(2, 1)
                logp = logp + normal(z)
        return -(logp + normal(x) + logdet)


def read(path):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32)


def bits(nats):
    return nats / (784 * math.log(2)) + 8


@torch.no_grad()
def test(net, pictures):
    generator, total = torch.Generator().manual_seed(5), 0.0
    for i in range(0, len(pictures), 500):
        x = torch.from_numpy(pictures[i:i + 500])
        total += net.nats((x + torch.rand(x.shape, generator=generator)) / 256).sum().item()
    return bits(total / len(pictures))


def main():
    folder, minutes = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 20
    torch.set_num_threads(2)
    torch.manual_seed(1)
    train, held = read(folder + "/train-images-idx3-ubyte.gz"), read(folder + "/t10k-images-idx3-ubyte.gz")
    net = Glow28()
    mean, opt = copy.deepcopy(net), torch.optim.AdamW(net.parameters(), 1e-3)
    loss = lambda x: bits(net.nats(x).mean())
    if sys.argv[3:] == ["compile"]:
        loss = torch.compile(loss)
        loss(torch.rand(32, 1, 28, 28)).backward()  # so that compiling costs none of the minutes
    rng, count, spent, due = np.random.default_rng(1), 0, 0.0, 1
    while spent < minutes * 60:
        began = time.perf_counter()
        x = torch.from_numpy(train[rng.integers(0, len(train), 32)])
        value = loss((x + torch.rand_like(x)) / 256)
        opt.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 100.0)
        opt.step()
        count += 1
        with torch.no_grad():
            rate = 1 - min(0.999, (1 + count) / (10 + count))
            torch._foreach_lerp_(list(mean.parameters()), list(net.parameters()), rate)
        spent += time.perf_counter() - began
        if spent >= due * 60:
            some = held if due in FULL else held[:1000]
            print(f"{due} minutes, step {count}: {test(net, some):.3f} bits of {len(some)} test pictures, "
                  f"{test(mean, some):.3f} by the moving average", flush=True)
            due += 1


if __name__ == "__main__":
    main()
