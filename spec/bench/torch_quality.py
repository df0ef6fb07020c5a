"""PyTorch's side of quality.lua: the same U-Net from the same weights, the same pictures, times and noise in the same
order (laterna draws PyTorch's random numbers), trained for so many minutes of this process's time on one core.

    python3 spec/bench/torch_quality.py <folder> <minutes> <seed> <mode> <mark,mark,..> <idx file of pictures>

reads <folder>/start.safetensors, and writes <folder>/torch-<minutes>.safetensors at each mark, with the moving averages
of the weights under laterna's names (its files have PyTorch's order of axes); a line of JSON each, with steps and loss."""
import copy
import gzip
import json
import math
import re
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import torch_nets
import torch_steps


def theirs(name):  # laterna's name of a parameter -> ours
    name = re.sub(r"^temb([12])", lambda m: "temb." + ("0" if m[1] == "1" else "2"), name)
    return re.sub(r"^up\.(\d+)\.2\.", r"up.\1.2.1.", name)


def read(path):
    blob = open(path, "rb").read()
    size, = struct.unpack("<Q", blob[:8])
    header, tensors = json.loads(blob[8:8 + size]), {}
    for name, of in header.items():
        if name != "__metadata__":
            a, b = of["data_offsets"]
            t = torch.from_numpy(np.frombuffer(blob[8 + size + a:8 + size + b], np.float32).copy())
            tensors[name] = t.view(of["shape"])
    return tensors


def write(path, tensors):
    header, parts, at = {}, [], 0
    for name, t in tensors.items():
        data = t.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(parts))


def main():
    folder, minutes, seed, mode, marks, idx = sys.argv[1:7]
    minutes, marks = float(minutes), [float(m) for m in marks.split(",")]
    torch.set_num_threads(1)
    data = (gzip.open if idx.endswith(".gz") else open)(idx, "rb").read()
    pictures = torch.from_numpy(np.frombuffer(data, np.uint8, offset=16).copy()).view(-1, 1, 28, 28)
    start, net = read(folder + "/start.safetensors"), torch_steps.UNet(d=32)
    state = {theirs(name): t for name, t in start.items()}
    net.load_state_dict(state)
    mean = copy.deepcopy(net)
    if mode.endswith("-cl"):
        net.to(memory_format=torch.channels_last)
    opt = torch_nets.adam(net.parameters(), 1e-3, decay=0.01)
    averages, weights = list(mean.parameters()), list(net.parameters())

    def loss(x, t, eps):
        a, s = (t * (math.pi / 2)).cos()[:, None, None, None], (t * (math.pi / 2)).sin()[:, None, None, None]
        return F.mse_loss(net(x * a + eps * s, t * 1000), eps * a - x * s)

    def batch():
        rows = (torch.rand(32) * len(pictures)).long()
        t, eps = torch.rand(32), torch.randn(32, 28, 28, 1).view(32, 1, 28, 28)
        x = pictures[rows].float() / 127.5 - 1
        if mode.endswith("-cl"):
            x, eps = (v.contiguous(memory_format=torch.channels_last) for v in (x, eps))
        return x, t, eps

    if mode == "compile":
        loss = torch.compile(loss)
        loss(*batch()).backward()  # so that compiling costs none of the minutes
    torch.manual_seed(seed := int(seed))
    count, spent = 0, 0.0
    while marks:
        began = time.process_time()
        count += 1
        opt.param_groups[0]["lr"] = 1e-3 * min(1, count / 100)
        value = loss(*batch())
        opt.zero_grad()
        value.backward()
        opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1 - min(0.999, (1 + count) / (10 + count)))
        value = value.item()
        spent += time.process_time() - began
        done = spent >= marks[0] * 60
        if count <= 3 or done:
            print(json.dumps({"side": "torch", "step": count, "minutes": spent / 60, "loss": value,
                              **({"mark": marks[0]} if done else {})}), flush=True)
        if done:
            trained = dict(mean.named_parameters())
            write(f"{folder}/torch-{marks.pop(0):g}.safetensors", {n: trained[theirs(n)].detach() for n in start})


if __name__ == "__main__":
    main()
