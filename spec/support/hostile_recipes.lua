-- Arguments that work, by the name of a public function; each call builds its own. What is not listed here is called
-- with (2,3) first and nothing else. Used where "every function, every kind of value" needs the other arguments right.

local core = require "laterna.core"

local function T(...) return core.ones(...) end
local function P(...)
  local t = core.ones(...)
  return t:requires_grad_(true)
end
local function I(...) return core.tensor({ ... }, { dtype = "int32" }) end

local R = {}
local function recipe(names, make)
  for name in names:gmatch "%S+" do R[name] = make end
end

-- ---- tensors ----------
recipe("add sub mul div pow maximum minimum eq ne lt le gt ge", function() return T(2, 3), T(3) end)
recipe("where", function() return T(2, 3), T(2, 3), T(3) end)
recipe("addcmul", function() return T(2, 3), T(3), T(2, 3) end)
recipe("leaky_relu", function() return T(2, 3), 0.1 end)
recipe("gelu", function() return T(2, 3), { approximate = "tanh" } end)
recipe("clamp", function() return T(2, 3), 0, 1 end)
recipe("add_", function() return T(2, 3), T(3), 2 end)
recipe("mul_ copy_", function() return T(2, 3), T(3) end)
recipe("fill_", function() return T(2, 3), 1 end)
recipe("requires_grad_", function() return T(2, 3), true end)
recipe("backward", function()
  return P(2, 3):exp(), T(2, 3), { retain_graph = true, create_graph = true }
end)
recipe("grad", function()
  local x = P(2, 3)
  return x:exp():sum(), { x }, { create_graph = true, retain_graph = true, grad_output = core.tensor(1) }
end)
recipe("set_grad_enabled catch_interrupt memory", function() return true end)
recipe("no_grad", function() return function() end, 1 end)
recipe("record_function", function()
  local x = P(2, 3)
  return function(dy) return dy end, { x }, { T(2, 3) }, { x }
end)
recipe("recompute", function() return function(x) return x * 2 end, function() end, P(2, 3) end)
recipe("backward_inside", function() return { P(2, 3):exp() }, { T(2, 3) } end)
recipe("autograd_function", function() return function(_, x) return x * 2 end, function(_, dy) return dy end end)
recipe("saved_pieces autograd.saved", function() return P(2, 3):exp() end)
recipe("autograd.recompute", function() return function(x) return x * 2 end, P(2, 3) end)
local function random_states() return require("laterna.autograd").random_states() end
recipe("again", function() return random_states(), function(x) return x * 2 end, P(2, 3) end)
recipe("info", function() return { peak = false } end)
recipe("profile_rows", function() return function() end end)
recipe("zeros ones rand randn", function() return 2, 3, { dtype = "float32", requires_grad = true } end)
recipe("full", function() return { 2, 3 }, 1, { dtype = "float32", requires_grad = true } end)
recipe("tensor", function() return { { 1, 2 }, { 3, 4 } }, { dtype = "int32", requires_grad = false } end)
recipe("from_string", function() return ("\0"):rep(24), { 2, 3 }, { dtype = "float32", requires_grad = true } end)
recipe("arange", function() return 1, 5, 2, { dtype = "int32", requires_grad = false } end)
recipe("linspace", function() return 0, 1, 5 end)
recipe("eye randperm generator manual_seed threads isatty", function() return 2 end)
recipe("randint", function() return 1, 5, { 2, 3 }, { generator = core.generator(1) } end)
recipe("seed", function() return core.generator(1), 2 end)
recipe("uniform normal state", function() return core.generator(1) end)
recipe("integer", function() return core.generator(1), 1, 6 end)
recipe("set_state", function() return core.generator(1), core.generator(2):state() end)
recipe("index_select", function() return T(2, 3), 2, I(1, 3) end)
recipe("gather", function() return T(2, 3), 1, core.ones(1, 3, { dtype = "int32" }) end)
recipe("index", function() return T(4, 3), I(1, 2, 4) end)
recipe("one_hot", function() return I(1, 2), 3 end)
recipe("argsort sort", function() return T(2, 3), 1, { descending = true } end)
recipe("argmax argmin cumsum size squeeze unsqueeze", function() return T(2, 3), 1 end)
recipe("flatten", function() return T(2, 3, 4), 2 end)
recipe("sum mean prod max min norm", function() return T(2, 3), { 1, 2 }, { keepdim = true } end)
recipe("var std", function() return T(2, 3), 1, { keepdim = true, correction = 0 } end)
recipe("view reshape expand", function() return T(2, 3), 2, 3 end)
recipe("permute transpose", function() return T(2, 3), 2, 1 end)
recipe("narrow", function() return T(4, 3), 1, 2, 2 end)
recipe("chunk", function() return T(4, 3), 2, 1 end)
recipe("split", function() return T(4, 3), { 1, 3 }, 1 end)
recipe("cat stack", function() return { T(2, 3), T(2, 3) }, 1 end)
recipe("pad", function() return T(2, 3), { { 0, 1 }, { 1, 0 } }, 0.5 end)
recipe("flip", function() return T(2, 3), { 1, 2 } end)
recipe("repeat_interleave", function() return T(2, 3), 2, 1 end)
recipe("matmul", function() return T(2, 3, 4), T(4, 2) end)
recipe("solve", function() return core.eye(3), T(3, 2) end)
recipe("logdet inverse lu eigh qr", function() return core.eye(3) end)
recipe("frechet", function() return T(4, 3), T(5, 3) end)
recipe("item", function() return core.tensor(1) end)

-- ---- layers ----------
recipe("linear", function() return T(2, 3), T(4, 3), T(4) end)
recipe("conv2d", function()
  return T(2, 5, 5, 4), T(6, 3, 3, 2), T(6), { stride = 2, padding = 1, dilation = 1, groups = 2 }
end)
recipe("conv_transpose2d", function()
  return T(2, 5, 5, 4), T(4, 3, 3, 3), T(6), { stride = 2, padding = 1, output_padding = 1, dilation = 1, groups = 2 }
end)
recipe("avg_pool2d max_pool2d", function() return T(2, 4, 4, 3), 2, { stride = 2, padding = 1 } end)
recipe("upsample_nearest", function() return T(2, 4, 4, 3), 2 end)
recipe("resize_bilinear", function() return T(2, 4, 4, 3), { 3, 5 } end)
recipe("attention", function()
  return T(2, 3, 2, 4), T(2, 5, 2, 4), T(2, 5, 2, 4), { mask = T(2, 5), causal = false, scale = 0.5 }
end)
recipe("attention_qkv", function() return T(2, 3, 24), 2, { mask = T(2, 3), causal = false, scale = 0.5 } end)
recipe("spline", function() return T(2, 3), T(2, 3, 5), { inverse = true, bound = 4, least = 0.01 } end)
recipe("softmax log_softmax", function() return T(2, 3), 2 end)
local function told(c)
  return { eps = 1e-5, scale = T(2, c), shift = T(2, c), activation = "leaky_relu", slope = 0.1 }
end
recipe("group_norm", function() return T(2, 4, 4, 4), 2, T(4), T(4), told(4) end)
recipe("layer_norm", function() return T(2, 3), T(3), T(3), told(3) end)
recipe("rms_norm", function() return T(2, 3), T(3), { eps = 1e-5 } end)
recipe("batch_norm", function()
  return T(2, 4, 4, 3), T(3), T(3), core.zeros(3), T(3),
    { training = true, momentum = 0.1, eps = 1e-5, activation = "silu", slope = 0.1 }
end)
recipe("dropout", function() return T(2, 3), 0.5, { generator = core.generator(1) } end)
recipe("embedding", function() return T(5, 3), I(1, 5) end)
recipe("mse_loss l1_loss bce_with_logits", function() return T(2, 3), T(2, 3), { reduction = "sum" } end)
recipe("huber_loss", function() return T(2, 3), T(2, 3), { reduction = "none", delta = 0.5 } end)
recipe("cross_entropy", function() return T(2, 3), I(1, 3), { reduction = "mean" } end)
recipe("gaussian_nll", function() return T(2, 3), T(2, 3), T(2, 3), { reduction = "mean" } end)
recipe("kl_normal", function() return T(2, 3), T(2, 3), { reduction = "mean" } end)

-- ---- updates ----------
local function trained()
  local p = P(2, 3)
  p:exp():sum():backward()
  return p
end
recipe("sgd_update", function()
  return { trained() }, { core.zeros(2, 3) },
    { lr = 0.1, momentum = 0.9, dampening = 0, weight_decay = 0.1, nesterov = true }
end)
recipe("adam_update", function()
  return { trained() }, { core.zeros(2, 3) }, { core.zeros(2, 3) },
    { lr = 0.1, beta1 = 0.9, beta2 = 0.99, eps = 1e-8, weight_decay = 0.1, decoupled = true, step = 1 }
end)
recipe("rmsprop_update", function()
  return { trained() }, { core.zeros(2, 3) }, { core.zeros(2, 3) },
    { lr = 0.1, alpha = 0.9, eps = 1e-8, weight_decay = 0.1, momentum = 0.9 }
end)
recipe("lion_update", function()
  return { trained() }, { core.zeros(2, 3) }, { lr = 0.1, beta1 = 0.9, beta2 = 0.99, weight_decay = 0.1 }
end)
recipe("muon_update", function()
  return { trained() }, { core.zeros(2, 3) },
    { lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.1, steps = 2, eps = 1e-7 }
end)
recipe("ema_update", function() return { T(2, 3) }, { T(2, 3) }, 0.9 end)
recipe("clip_grad_norm clip_grad_value", function() return { trained() }, 1 end)

require "spec.support.hostile_files"(recipe)

-- ---- sampling ----------
recipe("combine", function() return { T(2, 3), T(2, 3) }, { 1, 2 } end)
recipe("randn_each", function() return { core.generator(1), core.generator(2) }, { 2, 3 } end)
recipe("threshold", function() return T(2, 3), 0.9, 2 end)
recipe("hold", function() return T(2, 3), -1, 1 end)
local function vp(t) return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t) end
local function told_by_v(more)
  return function()
    local options = { predict = "v", sigma_data = 1, clip = true, noise = { core.generator(1), core.generator(2) } }
    for key, v in pairs(more) do options[key] = v end
    return vp, { 0.9, 0.5, 0 }, options
  end
end
recipe("samplers.euler samplers.heun samplers.dpm2", told_by_v {})
recipe("samplers.ddim", told_by_v { eta = 0.5, recompute = true })
recipe("samplers.dpmpp_2m", told_by_v { lower_order_final = true })
recipe("samplers.lms", told_by_v { order = 3 })
recipe("samplers.unipc", told_by_v { order = 3, variant = "bh1", corrector = true, lower_order_final = true })
recipe("samplers.define", function() return "mine", {}, function() return 1 end, function(s) return s:noise() end end)
local function sampler() return require("laterna.samplers").ddim(vp, { 0.9, 0.5, 0 }, { eta = 1 }) end
recipe("samplers.drive", function() return sampler(), T(2, 3), function(x) return x end, function() end end)
recipe("samplers.certify", function()
  return require("laterna.samplers").heun, { schedule = vp, options = {}, predict = "v", sigma_data = 1,
    steps = { 2, 4 }, deviation = 0.5, most = 10, least = 0.1, spacing = "uniform" }
end)
recipe("samplers.move", function() return T(2, 3), T(2, 3), sampler().knots[1], sampler().knots[2] end)
recipe("sampler", sampler)
recipe("sampler:step", function() return sampler(), T(2, 3), T(2, 3) end)
recipe("sampler:ask", function() return sampler(), sampler().knots[1], T(2, 3) end)
recipe("sampler:knot_at", function() return sampler(), 0.5 end)
recipe("sampler:knot_with", function() return sampler(), sampler().knots[1], sampler().knots[2], 2 end)
recipe("sampler:knot_between", function() return sampler(), sampler().knots[1], sampler().knots[2], 0.5, "log" end)

-- ---- modules and what is built of them ----------
recipe("nn.Linear", function() return 3, 2, { bias = true } end)
recipe("nn.Embedding", function() return 5, 3 end)
recipe("nn.Conv2d", function() return 4, 6, 3, { stride = 1, padding = 1, dilation = 1, groups = 2, bias = true } end)
recipe("nn.ConvTranspose2d", function()
  return 4, 6, 3, { stride = 2, padding = 1, output_padding = 1, dilation = 1, groups = 2, bias = true }
end)
recipe("nn.GroupNorm", function() return 2, 4 end)
recipe("nn.LayerNorm", function() return 3, { affine = true, eps = 1e-5 } end)
recipe("nn.RMSNorm nn.BatchNorm2d", function() return 3 end)
recipe("nn.Dropout", function() return 0.5 end)
recipe("nn.AvgPool2d nn.MaxPool2d", function() return 2, { stride = 2, padding = 1 } end)
recipe("nn.Upsample", function() return { scale = 2, mode = "nearest" } end)
recipe("nn.MultiheadAttention", function() return 4, 2, { context_dim = 6 } end)
local function net() return require("laterna.nn").Linear(3, 2) end
recipe("nn.Sequential nn.Residual nn.clone nn.is_module", function() return net() end)
recipe("nn.spectral_norm", function() return net(), { iterations = 1, eps = 1e-12, generator = core.generator(1) } end)
recipe("nn.reestimate", function()
  return require("laterna.nn").BatchNorm2d(3), { T(4, 3) }, { batches = 1, forward = function(m, x) return m(x) end }
end)
recipe("nn.ResBlock", function() return 4, 4, { condition = 3 } end)
local function picture(options)
  options.size, options.channels, options.width, options.levels = 8, 1, 4, 1
  return options
end
recipe("nn.TimeEmbedding", function() return 4, { waves = 4, text = 3, detail = 2 } end)
recipe("nn.time_waves", function() return core.rand(2), 4 end)
recipe("nn.SpatialAttention", function() return 4, 2, { context = 3 } end)
recipe("nn.UNet", function()
  return { channels = 1, size = 8, width = 4, multipliers = { 1, 2 }, blocks = 1, attention = { 4 }, heads = 2,
           text = 3, detail = 2 }
end)
recipe("nn.DiT", function()
  return { channels = 1, size = 8, patch = 4, dim = 8, depth = 1, heads = 2, text = 3, detail = 2, mix = 3 }
end)
local function adversary()
  return { channels = 1, size = 8, width = 4, multipliers = { 1, 2 }, text = 3, caption = "cross", heads = 2 }
end
recipe("nn.Critic nn.Generator", adversary)
recipe("nn.Critic:forward nn.Critic:features", function()
  return require("laterna.nn").Critic(adversary()), T(2, 8, 8, 1), { pooled = T(2, 3), tokens = T(2, 4, 3) }
end)
recipe("nn.Critic:scores", function()
  return require("laterna.nn").Critic(adversary()), T(2, 8, 8, 1), { { pooled = T(2, 3) }, {} }
end)
recipe("nn.Generator:forward", function()
  return require("laterna.nn").Generator(adversary()), T(2, 64), { pooled = T(2, 3), tokens = T(2, 4, 3) }
end)
recipe("nn.position.fixed nn.position.rotary", function() return 2, 3, 8, { 1, 0.5 } end)
recipe("nn.position.rotate", function() return T(2, 6, 2, 8), require("laterna.nn").position.rotary(2, 3, 8) end)
recipe("nn.PictureEncoder", function() return picture { outputs = 4, text = 3 } end)
recipe("nn.PictureDecoder", function() return picture { detail = 2, text = 3 } end)
recipe("nn.SpatialEncoder", function() return { outputs = 2, channels = 1, width = 4, levels = 1, text = 3 } end)
recipe("nn.SpatialDecoder", function() return { detail = 2, channels = 1, width = 4, levels = 1, text = 3 } end)
recipe("likelihood.Bernoulli likelihood.Gaussian likelihood.Logistic", function() end)
local function vae(encoder)
  local nn = require "laterna.nn"
  return {
    decoder = nn.PictureDecoder(picture { detail = 2 }),
    encoder = encoder and nn.PictureEncoder(picture { outputs = 4 }) or nil,
    likelihood = require("laterna.likelihood").Gaussian(), detail = 2, beta = 1, free = 0.1,
  }
end
recipe("vae", function() return vae(true) end)
recipe("autoencoder", function()
  local nn = require "laterna.nn"
  return { extractor = nn.PictureEncoder(picture { outputs = 4 }), generator = require "laterna.vae"(vae(false)),
           detail = 2 }
end)
recipe("autoencoder:explain", function()
  return require "laterna.autoencoder"(R.autoencoder()), T(8, 8, 1), "", { strips = 1, steps = 2, draws = 2 }
end)
for _, family in ipairs{ "vae", "autoencoder" } do
  local function object() return require("laterna." .. family)(R[family]()) end
  recipe(family .. ":loss", function() return object(), T(2, 8, 8, 1), { beta = 0.5 } end)
  recipe(family .. ":encode", function() return object(), T(2, 8, 8, 1), {} end)
  recipe(family .. ":rsample", function() return object(), { n = 2, detail = T(2, 2) }, { temperature = 1 } end)
  recipe(family .. ":sample", function() return object(), { n = 2, detail = T(2, 2) }, { temperature = 1 } end)
  recipe(family .. ":reconstruct", function() return object(), T(2, 8, 8, 1), {}, {} end)
  recipe(family .. ":interpolate", function() return object(), T(8, 8, 1), T(8, 8, 1), 3, {} end)
end
local function denoiser(more)
  local options = {
    net = function(x) return x * 0.5 end, schedule = "cosine", predict = "v", sigma_data = 1, drop = 0.1,
    size = { 2, 2, 1 },
  }
  for key, v in pairs(more or {}) do options[key] = v end
  return options
end
recipe("diffusion", denoiser)
for method, make in pairs {
  loss = function() return T(2, 2, 2, 1), { detail = T(2, 3), noise = T(2, 2, 2, 1) } end,
  predict = function() return T(2, 2, 2, 1), 0.5, {} end,
  denoise = function() return T(2, 2, 2, 1), 0.5, {} end,
  sample = function()
    return { n = 2 }, {
      steps = 2, sampler = "euler", spacing = require("laterna.schedule").spacing.uniform, solver = {}, seed = 1,
      picture = T(2, 2, 2, 1), mask = T(2, 2, 2, 1), strength = 0.5, noise = T(2, 2, 2, 1), resample = 1, jump = 1,
      guidance = 1, interval = { 0, 1 }, rescale = 0, negative = "", clip = true, size = { 2, 2, 1 },
      callback = function() end,
    }
  end,
  rsample = function()
    return { n = 2, detail = T(2, 3) }, { steps = 2, noise = T(2, 2, 2, 1), size = { 2, 2, 1 }, seed = 1 }
  end,
  encode = function() return T(2, 2, 2, 1), {}, { steps = 2, sampler = "heun", clip = true } end,
  bits_per_dim = function()
    return T(2, 2, 2, 1), {}, { steps = 2, probes = 1, levels = 256, dequantize = true, generator = core.generator(1) }
  end,
} do
  recipe("diffusion:" .. method, function() return require "laterna.diffusion"(denoiser()), make() end)
end
recipe("vae:decode", function() return require("laterna.vae")(R.vae()), T(2, 2), {} end)
recipe("diffusion.distil.progressive diffusion.distil.consistency", function()
  local make = require "laterna.diffusion"
  local cond, options = { text = { "a", "b" } }, { steps = 2, guidance = 1, clip = true }
  return make(denoiser()), make(denoiser()), T(2, 4, 4, 1), cond, options
end)
recipe("diffusion.distil.step", function()
  return require "laterna.diffusion"(denoiser()), T(2, 4, 4, 1), 0.5, T(2, 4, 4, 1), 0.25, { text = { "a", "b" } }
end)
require "spec.support.hostile_flow"(recipe, R)
require "spec.support.hostile_gan"(recipe)
require "spec.support.hostile_judge"(recipe, R)
require "spec.support.hostile_autoencoder"(recipe, R)
recipe("prior.Flow", function() return 4, { condition = 3, layers = 2, hidden = 8 } end)
for _, method in ipairs{ "log_prob", "inverse" } do
  recipe("prior.Flow:" .. method, function()
    return require("laterna.prior").Flow(R["prior.Flow"]()), T(2, 4), T(2, 3)
  end)
end
local function editable()
  return {
    encode = function(_, x) return x:flatten(2) end, parts = function(_, z) return { z } end,
    sample = function() return T(2, 2, 2, 1) end, join = function(_, parts) return parts[1] end,
  }
end
recipe("edit.interpolate", function() return T(2, 3), T(2, 3), 3, { kind = "linear" } end)
recipe("edit.direction", function() return T(2, 3), T(4, 3) end)
recipe("edit.attribute", function() return editable(), T(2, 2, 2, 1), { "a", "b" }, "a", { batch = 1 } end)
recipe("edit.walk", function() return T(2, 3), T(1, 3), { -1, 0 } end)
recipe("edit.swap", function() return editable(), T(2, 3), T(2, 3), { 1 } end)
recipe("edit.temperatures", function() return editable(), { n = 2 }, { 0.5, 1 }, { seed = 1 } end)
recipe("metrics.accuracy metrics.total_variation metrics.spearman", function() return { 1, 2 }, { 1, 3 } end)
recipe("metrics.variety", function() return T(4, 3) end)
recipe("metrics.modes", function() return T(4, 2), T(3, 2), 1, { least = 1 } end)
recipe("plot", function() return { 1, 2, 3 }, { width = 20, height = 5 } end)
recipe("plot.histogram", function() return { 1, 2, 3 }, { bins = 2 } end)
recipe("plot.scatter", function() return { { 1, 2 }, { 3, 4 } }, { width = 20 } end)
recipe("plot.save", function() return "plot.png", { 1, 2, 3 }, { kind = "line", width = 200, height = 100 } end)
recipe("progress", function() return 10, { label = "x", first = 0 } end)
recipe("nn.init.constant_", function() return T(2, 3), 1 end)
recipe("nn.class", function() return "Net", function() end end)
for name in ("SGD Adam AdamW RMSprop Lion Muon"):gmatch "%S+" do
  recipe("optim." .. name, function() return net():parameters(), { lr = 0.1, weight_decay = 0.1 } end)
end
recipe("optim.Ema", function() return net(), 0.9 end)
recipe("text.Tokenizer text.Encoder", function() return { "a red star", "a blue star" }, { vocabulary = 300 } end)
recipe("text.Tokenizer.load", function() return require("laterna.text.tokenizer")({ "a red star" }):state() end)
require "spec.support.hostile_data"(recipe)
recipe("grid", function() return T(4, 4, 4, 3), { columns = 2 } end)
recipe("show", function() return T(4, 4, 3) end)

return R
