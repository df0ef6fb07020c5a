# A conv net's state between PyTorch and laterna, both ways, through Python's safetensors. Run by hand with PyTorch
# 1.13.1 and safetensors 0.8.0, after `make build`:
#     python3 spec/golden/conv_state.py write   # writes conv_state.safetensors: a state of PyTorch, input and output
#     python3 spec/golden/conv_state.py check   # laterna trains a step from it and saves; PyTorch loads that, strictly,
#                                               # and gives the same output to 1e-5
import os
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "conv_state.safetensors")
SAVED = "/tmp/laterna_conv_state.safetensors"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1)
        self.head = nn.Linear(2, 3)

    def forward(self, x):  # x is (n,c,h,w), the result (n,h,w,3)
        return self.head(self.up(self.down(x)).permute(0, 2, 3, 1))


def tensors(state):  # without batch norm's counter, which laterna has not
    return {k: v.contiguous() for k, v in state.items() if not k.endswith("num_batches_tracked")}


LUA = """
package.path = "lua/?.lua;lua/?/init.lua;./?.lua;" .. package.path
package.cpath = (os.getenv "LATERNA_BUILD" or "build") .. "/?.so;" .. package.cpath
local core, nn = require "laterna.core", require "laterna.nn"
local net = require "spec.support.conv_net" ()
local all = core.load_safetensors(arg[1])
local x = all["input.x"]
all["input.x"], all["output.y"] = nil, nil
net:load_state(all)
local opt = require("laterna.optim").SGD(net:parameters(), { lr = 0.1 })
net(x):square():mean():backward()
opt:step()
local state = net:eval():state()
state["output.y"] = core.no_grad(net.forward, net, x)
core.save_safetensors(arg[2], state)
"""

if sys.argv[1:] == ["write"]:
    torch.manual_seed(3)
    net = Net()
    net(torch.randn(16, 1, 8, 6))  # moves the running mean and variance
    x = torch.randn(2, 1, 8, 6)
    state = tensors(net.state_dict())
    state["input.x"] = x.permute(0, 2, 3, 1).contiguous()
    state["output.y"] = net.eval()(x).detach().contiguous()
    save_file(state, GOLDEN)
elif sys.argv[1:] == ["check"]:
    x = load_file(GOLDEN)["input.x"].permute(0, 3, 1, 2)
    subprocess.run(["lua5.4", "-e", LUA.replace("arg[1]", repr(GOLDEN)).replace("arg[2]", repr(SAVED))],
                   cwd=os.path.join(HERE, "../.."), check=True)
    state = load_file(SAVED)
    y = state.pop("output.y")
    net = Net()
    assert set(state) == set(tensors(net.state_dict()))
    state["down.1.num_batches_tracked"] = torch.tensor(0)
    net.load_state_dict(state, strict=True)
    difference = (net.eval()(x) - y).abs().max().item()
    print("largest difference", difference)
    assert difference < 1e-5
else:
    sys.exit("write or check?")
