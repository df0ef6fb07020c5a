# Writes diffusers_brownian.safetensors: what torchsde's Brownian tree gives to diffusers' DPMSolverSDEScheduler in its
# own tests (seed 0, ten steps), for spec/samplers/golden_spec.lua. Made with PyTorch 2.15.0, diffusers 0.42.1 and
# torchsde 0.2.6 on CPU: python3 spec/golden/diffusers_brownian.py
#
# In a step from sigma to sigma', with the middle m, the scheduler asks the tree for W(sigma) - W(m), over
# sqrt(sigma - m), and then for W(sigma) - W(sigma'), over sqrt(sigma - sigma'): the second contains the first. Written
# down are the independent parts, each of variance 1: over (sigma, m) and over (m, sigma'). Shape (2 a step,n,h,w,c).
import math
import os

import torch
from diffusers import DPMSolverSDEScheduler
from diffusers.schedulers import scheduling_dpmsolver_sde as module
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))


def draws(**options):
    asked = []
    ask = module.BrownianTreeNoiseSampler.__call__

    def listen(self, sigma, sigma_next):
        noise = ask(self, sigma, sigma_next)
        asked.append((float(sigma), float(sigma_next), noise))
        return noise

    module.BrownianTreeNoiseSampler.__call__ = listen
    scheduler = DPMSolverSDEScheduler(num_train_timesteps=1100, beta_start=0.0001, beta_end=0.02,
                                      beta_schedule="linear", noise_sampler_seed=0, **options)
    scheduler.set_timesteps(10)
    x = (torch.arange(768).reshape(3, 8, 8, 4) / 768).permute(3, 0, 1, 2) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        x = scheduler.scale_model_input(x, t)
        x = scheduler.step((x * t / (t + 1)).float(), t, x).prev_sample
    module.BrownianTreeNoiseSampler.__call__ = ask
    parts = []
    for (sigma, middle, first), (again, after, both) in zip(asked[::2], asked[1::2]):
        assert sigma == again
        rest = both * math.sqrt(sigma - after) - first * math.sqrt(sigma - middle)
        parts += [first, rest / math.sqrt(middle - after)]
    return torch.stack(parts).permute(0, 1, 3, 4, 2).contiguous().float()


save_file({"linspace": draws(), "karras": draws(use_karras_sigmas=True)},
          os.path.join(HERE, "diffusers_brownian.safetensors"))
