# Writes diffusers_loops.lua: loops of diffusers' schedulers whose figures its own tests do not assert: stochastic DDIM,
# spaced DDPM, zero terminal SNR, the SDE form of DPM-Solver++ 2M, rectified flow. Made with PyTorch 2.15.0 and
# diffusers 0.42.1 on CPU: python3 spec/golden/diffusers_loops.py > spec/golden/diffusers_loops.lua
# The loop, the network, the sample and the fields of a case are those of diffusers_samplers.lua; zero: betas rescaled
# to zero terminal SNR; flow: alpha = 1 - sigma, sigma = t, the network told 1000 t (or the whole part of that).
import textwrap

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler

LINEAR = dict(num_train_timesteps=1000, beta_start=0.0001, beta_end=0.02, beta_schedule="linear")
V = dict(prediction_type="v_prediction")


def loop(scheduler, steps, **how):
    scheduler.set_timesteps(steps)
    x = (torch.arange(768).reshape(3, 8, 8, 4) / 768).permute(3, 0, 1, 2)
    generator = torch.manual_seed(0)
    for t in scheduler.timesteps:
        x = scheduler.step((x * t / (t + 1)).float(), t, x, generator=generator, **how).prev_sample
    return x


def case(name, fields, scheduler, steps, **how):
    x = loop(scheduler, steps, **how)
    times = scheduler.sigmas[:-1] if "flow" in fields else scheduler.timesteps
    line = '{ name = "%s", ends = "clean", %s, %s = { %s }, sum = %.5f, mean = %.7f },' % (
        name, fields, "sigmas" if "flow" in fields else "n", ", ".join("%.7g" % t for t in times.tolist()),
        x.double().abs().sum(), x.double().abs().mean())
    print("\n".join(textwrap.wrap(line, 118, initial_indent="  ", subsequent_indent="    ")))


print("-- Made by diffusers_loops.py; not to be edited.")
print("return {")
BETAS = "betas = { 1000, 1e-4, 0.02, \"linear\" }"
for eta in (0.5, 1.0):
    case("ddim: eta %g" % eta, 'sampler = "ddim", %s, options = { eta = %g }' % (BETAS, eta),
         DDIMScheduler(clip_sample=False, **LINEAR), 10, eta=eta)
zero = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", **V, **LINEAR)
for eta in (0.0, 0.7):  # with 1 the library itself gives NaN
    case("ddim: zero terminal SNR, trailing, v, eta %g" % eta,
         'sampler = "ddim", %s, zero = true, options = { eta = %g, predict = "v" }' % (BETAS, eta),
         DDIMScheduler(clip_sample=False, **zero), 10, eta=eta)
for kind in ("small", "large"):
    case("ddpm: 20 steps, %s variance" % kind,
         'sampler = "ddpm", %s, options = { clip = true, variance = "%s" }' % (BETAS, kind),
         DDPMScheduler(variance_type="fixed_" + kind, clip_sample=True, **LINEAR), 20)
case("ddpm: zero terminal SNR, trailing, v", 'sampler = "ddpm", %s, zero = true, options = { predict = "v" }' % BETAS,
     DDPMScheduler(variance_type="fixed_small", clip_sample=False, **zero), 20)
for kind in ("midpoint", "heun"):
    for name, more in (("eps", {}), ("v", V)):
        case("dpmpp_2m_sde: %s, %s" % (kind, name),
             'sampler = "dpmpp_2m_sde", %s, options = { solver_type = "%s", predict = "%s" }' % (BETAS, kind, name),
             DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++", solver_type=kind, lower_order_final=False,
                                         **more, **LINEAR), 12)
for name, algorithm in (("dpmpp_2m", "dpmsolver++"), ("dpmpp_2m_sde", "sde-dpmsolver++")):
    case(name + ": flow, shift 3",
         'sampler = "%s", flow = true, clock = "whole", options = { predict = "velocity" }' % name,
         DPMSolverMultistepScheduler(algorithm_type=algorithm, use_flow_sigmas=True, flow_shift=3.0,
                                     lower_order_final=False, prediction_type="flow_prediction"), 10)
case("euler: flow, shift 3", 'sampler = "euler", flow = true, options = { predict = "velocity" }',
     FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0), 10)
print("}")
