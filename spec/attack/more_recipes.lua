-- Arguments that work for what hostile_recipes calls with one tensor: schedules, spacings, samplers, weights.
local core = require "laterna.core"

local recipes = {}

local function recipe(names, make)
  for name in names:gmatch "%S+" do recipes[name] = make end
end

local function vp(t) return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t) end

local function linear(n)
  local betas = {}
  for i = 1, n do betas[i] = i / (n + 1) end
  return betas
end

recipe("schedule.cosine", function() return { s = 0.01 } end)
recipe("schedule.sigmoid", function() return { start = -3, stop = 3, tau = 1 } end)
recipe("schedule.log_snr_linear", function() return { max = 12, min = -10 } end)
recipe("schedule.edm", function() return { sigma_max = 80, rho = 7 } end)
recipe("schedule.linear schedule.scaled_linear", function() return { first = 1e-4, last = 0.02, steps = 100 } end)
recipe("schedule.from_betas", function() return linear(10) end)
recipe("schedule.from_alpha_bar", function() return { 0.9, 0.5, 0.1 } end)
recipe("schedule.betas", function() return vp, 10, 0.99 end)
recipe("schedule.check schedule.zero_terminal", function() return vp end)
recipe("schedule.shift", function() return vp, 2 end)
recipe("schedule.ratio schedule.log_snr schedule.invert", function() return vp, 0.5 end)
recipe("schedule.spacing.uniform", function() return vp, 4, 1 end)
recipe("schedule.spacing.karras schedule.spacing.log_snr", function() return { sigma_min = 0.002, sigma_max = 80 } end)
recipe("schedule.spacing.leading schedule.spacing.trailing schedule.spacing.linspace", function()
  return { steps = 100 }
end)
recipe("schedule.spacing.list", function() return { 1, 0.5, 0 } end)
recipe("samplers.ddpm samplers.euler_ancestral samplers.dpmpp_2s_ancestral samplers.dpmpp_2m_sde samplers.dpmpp_sde"
  .. " samplers.lcm", function()
  return vp, { 0.9, 0.5, 0 }, { predict = "v", noise = { core.generator(1), core.generator(2) } }
end)
recipe("samplers.churn", function() return require("laterna.samplers").euler, { churn = 1, tmin = 0, tmax = 1 } end)
recipe("diffusion.weight.min_snr diffusion.weight.edm", function() return 2 end)
recipe("diffusion.weight.p2", function() return { k = 1, gamma = 1 } end)
recipe("diffusion.weight.constant diffusion.weight.snr diffusion.time_sampler.stratified", function() end)
recipe("diffusion.time_sampler.log_normal diffusion.time_sampler.logit_normal", function()
  return { mean = 0, std = 1 }
end)
recipe("optim.schedule.constant", function() return 0.1 end)
recipe("optim.schedule.cosine optim.schedule.linear", function() return 0.1, 10 end)
recipe("optim.schedule.step", function() return 0.1, 3, 0.5 end)
recipe("optim.schedule.warmup", function() return 10, 0.1 end)
recipe("precision", function() return "float32" end)
recipe("convolution", function() return "auto" end)
recipe("hash_strings", function() return { "a", "b" } end)
recipe("pictures.to_bytes", function() return core.rand(2, 4, 4, 3) end)
recipe("pictures.from_bytes", function() return core.zeros(2, 4, 4, 3, { dtype = "uint8" }) end)
recipe("nn.init.normal_ nn.init.uniform_ nn.init.xavier_normal_ nn.init.xavier_uniform_ nn.init.kaiming_normal_"
  .. " nn.init.kaiming_uniform_ nn.init.ones_ nn.init.zeros_ nn.init.fans", function() return core.ones(4, 3) end)
recipe("nn.groups_of", function() return 8 end)
recipe("prediction.coefficients", function() return "v", 0.6, 0.8 end)
recipe("profile", function() return function() return core.ones(2):exp() end end)
recipe("text.repeated", function() return { "a", "b", "a" }, 2 end)
recipe("train.budget", function() return 1 end)

return recipes
