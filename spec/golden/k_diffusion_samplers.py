# Writes k_diffusion_samplers.lua: what the stochastic solvers of Katherine Crowson's k-diffusion give, those that
# diffusers' tests have no figure of. Made with PyTorch 2.15.0 on CPU and k_diffusion/sampling.py at commit 4601bf0853:
#     python3 spec/golden/k_diffusion_samplers.py path/to/k-diffusion > spec/golden/k_diffusion_samplers.lua
#
# x = x0 + sigma eps (n,c,h,w) = (4,3,8,8), the sample of diffusers' tests times sigma_max; the denoiser says
# x0 = tanh(x / (1 + sigma)); eight Karras sigmas 20 .. .05, then 0. Noise is randn of seed 0 in that order of axes,
# drawn once a step (by the Euler, Heun and DPM2 loops in every step, even where nothing is added), and for dpmpp_sde in
# two independent parts a step.
import math
import sys
import types

import torch

for name in ("torchdiffeq", "torchsde", "tqdm", "tqdm.auto"):  # imported there, not needed here
    sys.modules[name] = types.ModuleType(name)
sys.modules["torchdiffeq"].odeint = None
sys.modules["tqdm.auto"].trange = sys.modules["tqdm.auto"].tqdm = lambda n, disable=None: range(n)
utils = types.ModuleType("k_diffusion.utils")
utils.append_dims = lambda x, n: x[(...,) + (None,) * (n - x.ndim)]
package = types.ModuleType("k_diffusion")
package.__path__ = [sys.argv[1] + "/k_diffusion"]
package.utils = utils
sys.modules["k_diffusion"], sys.modules["k_diffusion.utils"] = package, utils
from k_diffusion import sampling  # noqa: E402

MAX, MIN, COUNT = 20.0, 0.05, 8


def independent_parts(x):
    # The Brownian path over sigma, from two draws a step: first from sigma to the middle, then on to the next sigma.
    held = []

    def sampler(sigma, to):
        sigma, to = float(sigma), float(to)
        if not held:
            held.extend([to, torch.randn_like(x)])
            return held[1]
        middle, first = held
        held.clear()
        part = first * math.sqrt(sigma - middle) + torch.randn_like(x) * math.sqrt(middle - to)
        return part / math.sqrt(sigma - to)

    return sampler


def denoise(x, sigma):
    return torch.tanh(x / (1 + sigma.reshape(-1, 1, 1, 1)))


def case(name, fields, **options):
    ramp = torch.linspace(0, 1, COUNT, dtype=torch.float64)
    sigmas = ((MAX ** (1 / 7) + ramp * (MIN ** (1 / 7) - MAX ** (1 / 7))) ** 7).float()
    sigmas = torch.cat([sigmas, sigmas.new_zeros([1])])
    x = (torch.arange(768).reshape(3, 8, 8, 4) / 768).permute(3, 0, 1, 2).contiguous() * MAX
    torch.manual_seed(0)
    if name in ("dpmpp_sde", "dpmpp_2m_sde"):
        options["noise_sampler"] = (independent_parts if name == "dpmpp_sde" else sampling.default_noise_sampler)(x)
    y = getattr(sampling, "sample_" + name)(denoise, x, sigmas, **options)
    print("  { %s,\n    sum = %.6f, square = %.6f, first = { %s } }," % (
        fields, y.double().sum(), y.double().square().sum(), ", ".join("%.6f" % v for v in y[0, 0, 0, :4])))


print("-- Made by k_diffusion_samplers.py; not to be edited.")
print("-- first: the four leftmost values of channel 1, row 1, picture 1.")
print("return {")
case("euler_ancestral", 'sampler = "euler_ancestral"')
case("euler_ancestral", 'sampler = "euler_ancestral", options = { eta = 0.5, s_noise = 0.9 }', eta=0.5, s_noise=0.9)
case("dpmpp_2s_ancestral", 'sampler = "dpmpp_2s_ancestral"')
case("dpmpp_2s_ancestral", 'sampler = "dpmpp_2s_ancestral", options = { eta = 0.6, s_noise = 1.1 }', eta=0.6,
     s_noise=1.1)
for kind in ("midpoint", "heun"):
    case("dpmpp_2m_sde", 'sampler = "dpmpp_2m_sde", options = { solver_type = "%s" }' % kind, solver_type=kind)
    case("dpmpp_2m_sde", 'sampler = "dpmpp_2m_sde", options = { solver_type = "%s", eta = 0.4, s_noise = 0.9 }' % kind,
         solver_type=kind, eta=0.4, s_noise=0.9)
case("dpmpp_sde", 'sampler = "dpmpp_sde"')
case("dpmpp_sde", 'sampler = "dpmpp_sde", options = { eta = 0.5, s_noise = 0.9, r = 0.4 }', eta=0.5, s_noise=0.9, r=0.4)
for name, ours in (("euler", "euler"), ("heun", "heun"), ("dpm_2", "dpm2")):
    # the first sigma lies above s_tmax: a wrapper cannot churn it
    case(name, 'sampler = "%s", churn = { churn = 3, noise = 1.003 }, above = 15' % ours, s_churn=3.0, s_noise=1.003,
         s_tmax=15.0)
    case(name, 'sampler = "%s", churn = { churn = 40, noise = 1 }, above = 15, below = 0.3' % ours, s_churn=40.0,
         s_tmin=0.3, s_tmax=15.0)
print("}")
