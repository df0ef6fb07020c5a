--- Optimizers: they move parameters in place, along the gradients that backward left in `p.grad`.
--
--     local opt = lt.optim.AdamW(model:parameters(), { lr = 3e-4 })
--     opt:zero_grad(); loss:backward(); opt:step()     -- or, in one: opt:update(loss)
--
-- The first argument is a list of parameters, or of groups `{ params = {...}, lr = 1e-4 }` whose options go before the
-- optimizer's own. `lr` is a number or a function of the step, counted from 1. Options are plain fields of the
-- optimizer and may be changed between steps. Frozen parameters and those without a gradient are left alone.
-- @module laterna.optim
local check = require "laterna.check"
local core = require "laterna.core"
local optimizer = require "laterna.optim.optimizer"

local optim = {
  --- Is a value an optimizer?
  is_optimizer = optimizer.is,
  Ema = require "laterna.optim.ema",
  --- Learning rates as functions of the step.
  schedule = require "laterna.optim.schedule",
}

local function betas(v)
  local ok = type(v) == "table" and #v == 2
  for i = 1, 2 do ok = ok and type(v[i]) == "number" and v[i] >= 0 and v[i] < 1 end
  return ok, "two numbers in [0, 1)"
end

local function learning_rate(v)
  if type(v) == "number" then return v >= 0 and v < math.huge, "a finite number of at least 0" end
  local mt = getmetatable(v)
  return type(v) == "function" or mt ~= nil and mt.__call ~= nil, "a number or a function of the step"
end

local AMOUNT = { "number", 0, min = 0 }
local EPS = { "number", 1e-8, min = 0 }

--- Stochastic gradient descent: b = momentum b + (1 - dampening) g; p = p - lr b, or lr (g + momentum b) with nesterov.
-- weight_decay is added to the gradient.
-- @function SGD
-- @tparam table params
-- @tparam table options {lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=false}
optim.SGD = optimizer.define("SGD", {
  lr = { learning_rate, 1e-3 }, momentum = AMOUNT, dampening = { "number", 0 }, weight_decay = AMOUNT,
  nesterov = { "boolean", false },
}, function(o) return o.momentum > 0 and { "momentum" } or {} end, function(params, slots, o, count)
  -- the first step takes the gradient as it is
  local dampening = count == 1 and 0 or o.dampening
  core.sgd_update(params, slots.momentum, { lr = o.lr, momentum = o.momentum, dampening = dampening,
    weight_decay = o.weight_decay, nesterov = o.nesterov })
end)

local function adam(name, weight_decay, decoupled)
  return optimizer.define(name, {
    lr = { learning_rate, 1e-3 }, betas = { betas, { 0.9, 0.999 } }, eps = EPS,
    weight_decay = { "number", weight_decay, min = 0 },
  }, function() return { "exp_avg", "exp_avg_sq" } end, function(params, slots, o, count)
    core.adam_update(params, slots.exp_avg, slots.exp_avg_sq, { lr = o.lr, beta1 = o.betas[1], beta2 = o.betas[2],
      eps = o.eps, weight_decay = o.weight_decay, decoupled = decoupled, step = count })
  end)
end

--- Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980); weight_decay is added to the gradient.
-- @function Adam
-- @tparam table params
-- @tparam table options {lr=1e-3, betas={0.9,0.999}, eps=1e-8, weight_decay=0}
optim.Adam = adam("Adam", 0, false)

--- Adam with decoupled weight decay (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101).
-- @function AdamW
-- @tparam table params
-- @tparam table options {lr=1e-3, betas={0.9,0.999}, eps=1e-8, weight_decay=0.01}
optim.AdamW = adam("AdamW", 0.01, true)

--- RMSprop (Hinton 2012): p = p - lr g / (sqrt(v) + eps), v the running mean of g^2.
-- @function RMSprop
-- @tparam table params
-- @tparam table options {lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0}
optim.RMSprop = optimizer.define("RMSprop", {
  lr = { learning_rate, 1e-2 }, alpha = { "number", 0.99, min = 0, max = 1 }, eps = EPS, weight_decay = AMOUNT,
  momentum = AMOUNT,
}, function(o)
  return o.momentum > 0 and { "square_avg", "momentum" } or { "square_avg" }
end, function(params, slots, o)
  core.rmsprop_update(params, slots.square_avg, slots.momentum, { lr = o.lr, alpha = o.alpha, eps = o.eps,
    weight_decay = o.weight_decay, momentum = o.momentum })
end)

--- Lion (Chen et al. 2023, https://arxiv.org/abs/2302.06675): steps of the sign of a running mean.
-- @function Lion
-- @tparam table params
-- @tparam table options {lr=1e-4, betas={0.9,0.99}, weight_decay=0}
optim.Lion = optimizer.define("Lion", {
  lr = { learning_rate, 1e-4 }, betas = { betas, { 0.9, 0.99 } }, weight_decay = AMOUNT,
}, function() return { "exp_avg" } end, function(params, slots, o)
  core.lion_update(params, slots.exp_avg, { lr = o.lr, beta1 = o.betas[1], beta2 = o.betas[2],
    weight_decay = o.weight_decay })
end)

local muon = optimizer.define("Muon", {
  lr = { learning_rate, 1e-3 }, rule = { "string", "muon", one_of = { "muon", "adamw" } },
  momentum = { "number", 0.95, min = 0, max = 1 }, nesterov = { "boolean", true },
  ns_steps = { "integer", 5, min = 1, max = 100 }, betas = { betas, { 0.9, 0.999 } }, eps = EPS,
  weight_decay = { "number", 0.01, min = 0 },
}, function(o)
  return o.rule == "muon" and { "momentum" } or { "exp_avg", "exp_avg_sq" }
end, function(params, slots, o, count)
  if o.rule == "muon" then
    core.muon_update(params, slots.momentum, { lr = o.lr, momentum = o.momentum, nesterov = o.nesterov,
      weight_decay = o.weight_decay, steps = o.ns_steps })
  else
    core.adam_update(params, slots.exp_avg, slots.exp_avg_sq, { lr = o.lr, beta1 = o.betas[1], beta2 = o.betas[2],
      eps = o.eps, weight_decay = o.weight_decay, decoupled = true, step = count })
  end
end)

--- Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum whose matrices are made orthogonal,
-- so that a step changes every direction of a layer by the same amount. Steps are scaled to the size of AdamW's (Liu et
-- al. 2025, https://arxiv.org/abs/2502.16982, equation 4), so its learning rates serve, or a few times more. Weights of
-- convolutions are matrices of as many rows as they have output channels. What is no matrix (biases, scales) goes by
-- AdamW: a list of parameters is parted by itself, and a group says `rule = "muon"` (the default) or `rule = "adamw"`,
-- which is also the usual rule for embeddings and last layers.
-- @function Muon
-- @tparam table params
-- @tparam table options {lr=1e-3, momentum=0.95, nesterov=true, ns_steps=5, weight_decay=0.01; for AdamW
-- betas={0.9,0.999}, eps=1e-8}
function optim.Muon(params, options)
  if type(params) ~= "table" or not check.is_tensor(rawget(params, 1)) then return muon(params, options) end
  check.type("Muon", 1, "params", params, "table")
  local matrices, rest = { params = {}, rule = "muon" }, { params = {}, rule = "adamw" }
  for i = 1, #params do
    local p = check.type("Muon", 1, ("params[%d]"):format(i), params[i], "tensor")
    table.insert(p:dim() >= 2 and matrices.params or rest.params, p)
  end
  local groups = {}
  for _, group in ipairs { matrices, rest } do
    if #group.params > 0 then groups[#groups + 1] = group end
  end
  return muon(groups, options)
end

-- Cheap, since it runs at every step: the native function looks closer.
local function tensors(fname, params)
  check.type(fname, 1, "params", params, "table")
  for i = 1, #params do check.type(fname, 1, "params", params[i], "tensor") end
end

--- Scales all gradients by one factor, so that their joint norm is at most max.
-- @tparam {tensor,...} params
-- @tparam number max above 0
-- @treturn number the norm before
function optim.clip_norm(params, max)
  tensors("clip_norm", params)
  return core.clip_grad_norm(params, check.number("clip_norm", 2, "max", max, 0))
end

--- Clamps every number of every gradient to [-max, max].
-- @tparam {tensor,...} params
-- @tparam number max above 0
function optim.clip_value(params, max)
  tensors("clip_value", params)
  core.clip_grad_value(params, check.number("clip_value", 2, "max", max, 0))
end

return optim
