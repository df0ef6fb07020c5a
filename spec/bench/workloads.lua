-- Whole training steps, with the mathematics of torch_steps.py beside this file: each entry builds a model and returns
-- a function that makes one step, the number of parameters, and how many steps one call makes where it is not one.
local dcgan = require "spec.bench.dcgan"
local dit = require "spec.bench.dit"
local glow = require "spec.bench.glow"
local plane = require "spec.bench.plane"
local tour = require "spec.bench.tour"
local unet = require "spec.bench.unet"
local vae = require "spec.bench.vae"

return {
  { name = "vae_mlp_b128", make = vae.mlp },
  { name = "vae_conv_b128", make = vae.conv },
  { name = "unet32_b64", make = unet.training(32, 64) },
  { name = "unet64_b32", make = unet.training(64, 32) },
  { name = "dit_small_b64", make = dit(64, 192, 6, 3, 64, 16) },
  { name = "dit_s2_b8", make = dit(8, 384, 12, 6, 256, 4) },
  { name = "glow_b32", make = glow(32) },
  { name = "dcgan_b64", make = dcgan(64) },
  { name = "ddim50_unet32_b16", make = unet.sampling(16, 50) },
  { name = "unet_b1", make = unet.latency },
  { name = "tour_b32", make = tour.workload(32) },
  { name = "mlp_2d", make = plane.workload },
}
