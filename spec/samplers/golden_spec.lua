-- Our samplers against the figures of diffusers' own tests and against k-diffusion's stochastic solvers.
local core = require "laterna.core"
local samplers = require "laterna.samplers"
local schedule = require "laterna.schedule"

local GOLDEN = require("spec.support.child").root .. "/spec/golden/"

-- Rounded to single precision, as that library computes betas, alpha_bar and sigmas.
local function single(x) return (string.unpack("<f", string.pack("<f", x))) end

-- alpha_bar by n = 0..T-1 (at list[n+1]).
local function alpha_bar(steps, first, last, kind)
  local list, product = {}, 1
  local root = kind == "scaled_linear"
  local from, to = root and first ^ 0.5 or first, root and last ^ 0.5 or last
  for n = 0, steps - 1 do
    local beta = single(from + (to - from) * n / (steps - 1))
    if root then beta = single(beta * beta) end
    product = product * single(1 - beta)
    list[n + 1] = single(product)
  end
  return list
end

-- Lin et al. 2023 (arXiv 2305.08891), algorithm 1: the roots shifted to end at 0 and scaled to begin where they did.
local function zero_terminal(list)
  local first, last, out = list[1] ^ 0.5, list[#list] ^ 0.5, {}
  for k, v in ipairs(list) do out[k] = ((v ^ 0.5 - last) * first / (first - last)) ^ 2 end
  return out
end

-- The discrete time at which log(sigma) has a value, between two entries of a list, and not outside it.
local function discrete(log_ratios, ratio)
  local v = math.log(math.max(ratio, 1e-10))
  local low, high = 1, #log_ratios
  while high - low > 1 do
    local middle = (low + high) // 2
    if log_ratios[middle] <= v then low = middle else high = middle end
  end
  local w = (log_ratios[low] - v) / (log_ratios[low] - log_ratios[high])
  return low - 1 + math.max(0, math.min(1, w))
end

-- What a case's schedule is: the function, the largest and the least ratio, the time of n, the clock of its network.
local function world(case)
  local scale = case.edm
  if scale then
    return { f = function(t) return 1, t * scale end, clock = function(t) return math.log(t * scale) / 4 end }
  elseif case.flow then
    return { f = schedule.flow(), clock = function(t) return case.clock == "whole" and t * 1000 // 1 or t * 1000 end }
  end
  local list = alpha_bar(table.unpack(case.betas))
  local steps, logs = #list, {}
  if case.zero then list = zero_terminal(list) end
  local f = schedule.from_alpha_bar(list)
  for n = 0, steps - 1 do logs[n + 1] = math.log(((1 - list[n + 1]) / list[n + 1]) ^ 0.5) end
  local function clock(t)
    if (case.clock or "linear") == "linear" then return t * steps - 1 end
    local n = discrete(logs, schedule.ratio(f, t))
    return case.clock == "round" and math.floor(n + 0.5) or n
  end
  return { f = f, clock = clock, max = math.exp(logs[steps]), min = math.exp(logs[1]),
    time = function(n) return (n + 1) / steps end }
end

local function times_of(case, w)
  local list = {}
  for k, n in ipairs(case.n or {}) do list[k] = w.time(n) end
  if case.sigmas then
    local sigmas = type(case.sigmas) == "function" and case.sigmas(w.max, w.min) or case.sigmas
    for k, sigma in ipairs(sigmas) do
      list[k] = case.edm and sigma / case.edm or case.flow and sigma or schedule.invert(w.f, sigma)
    end
  end
  local last = list[#list]
  if case.ends == "clean" then list[#list + 1] = 0
  elseif case.ends == "just beyond" then list[#list + 1] = last * (1 - 1e-6)
  elseif case.ends ~= "there" then list[#list + 1] = w.time(case.ends) end
  return list
end

-- (channel, row, column, picture) of the values counted upwards, as pictures (n,h,w,c).
local function ramp(shape, value)
  local n, h, w, c = table.unpack(shape)
  local list, count = {}, n * h * w * c
  for i = 0, count - 1 do list[i + 1] = value(i, count) end
  return core.tensor(list):view(c, h, w, n):permute(4, 2, 3, 1)
end

-- Draws in the order of (n,c,h,w), from a generator that is seeded with 0.
local function fresh_noise()
  local generator = core.generator(0)
  return function(shape)
    local n, h, w, c = table.unpack(shape)
    return core.randn(n, c, h, w, { generator = generator }):permute(1, 3, 4, 2)
  end
end

local function noise_of(case)
  if case.draws then
    local all, k = core.load_safetensors(GOLDEN .. "diffusers_brownian.safetensors")[case.draws], 0
    return function()
      k = k + 1
      return all[k]
    end
  end
  return case.options and case.options.noise == "none" and function(shape) return core.zeros(table.unpack(shape)) end
    or fresh_noise()
end

local function halved(x0) return x0:clamp(-0.5, 0.5) * 2 end

local function options_of(case)
  local options = {}
  for key, value in pairs(case.options or {}) do options[key] = value end
  options.noise = noise_of(case)
  if options.clip == "half" then options.clip = halved end
  return options
end

local function start(case, w, t, x)
  local alpha, sigma = w.f(t)
  local factor = case.start == "scaled" and w.max * alpha or case.noised and alpha or 1
  x = x * (case.factor or factor)
  if not case.noised then return x end
  return x + ramp(x.shape, function(i, n) return (n - 1 - i) / n end) * sigma
end

-- One loop of a case: the last x.
local function run(case, shift)
  local w = world(case)
  local times = times_of(case, w)
  local x = ramp(case.shape or { 4, 8, 8, 3 }, function(i, n) return i / n end)
  x = start(case, w, times[1], shift and x + shift or x)
  local options = options_of(case)
  local s = samplers[case.sampler](w.f, times, options)
  while s.t do
    local n, alpha, sigma = w.clock(s.t), w.f(s.t)
    local seen = case.input == "c_in" and x * ((sigma * sigma + 0.25) ^ -0.5) or x
    local said = seen * (n / (n + 1) * (case.sign or 1))
    if case.halved and case.sampler == "heun" and s.done % 2 == 1 then
      -- Ours goes on from this x, theirs from that before: only the noise that v tells of is that of the halved one.
      if options.predict == "v" then said = said - x * (sigma * (1 - alpha) / alpha) end
    elseif case.halved then
      x = x * alpha
    end
    x = s:step(x, said)
  end
  return x
end

local function agrees(case)
  local sum, count = 0, 0
  for _, part in ipairs(case.parts or { case }) do
    local one = setmetatable(part == case and {} or part, { __index = case })
    for _, v in ipairs(run(one, part[1]):view(-1):totable()) do sum, count = sum + math.abs(v), count + 1 end
  end
  assert.near(case.mean, sum / count, case.mean_tolerance or 1e-3)
  -- A sum of 1e4 is asserted there to less than single precision can tell: 1e-6 of it will do.
  if case.sum then assert.near(case.sum, sum, math.max(case.sum_tolerance or 1e-2, 1e-6 * case.sum)) end
end

describe("diffusers' own figure of", function()
  local cases, variances, flow_times = dofile(GOLDEN .. "diffusers_samplers.lua")
  for _, case in ipairs(cases) do
    it(case.name, function() agrees(case) end)
  end

  for _, case in ipairs(variances) do
    it(("%s's variance from %d to %s"):format(case.sampler, case.n, case.to or "the clean end"), function()
      local options = { predict = "x0", noise = function(shape) return core.ones(table.unpack(shape)) end }
      if case.sampler == "ddim" then options.eta = 1 end
      local f = schedule.from_alpha_bar(alpha_bar(1000, 1e-4, 0.02, "linear"))
      local s = samplers[case.sampler](f, { (case.n + 1) / 1000, case.to and (case.to + 1) / 1000 or 0 }, options)
      local nothing = core.zeros(1, 1, 1, 1)
      assert.near(case.variance, s:step(nothing, nothing):item() ^ 2, 1e-5)
    end)
  end

  it("Karras times of rectified flow", function()
    local karras = schedule.spacing.karras { sigma_min = flow_times.sigma_min, sigma_max = flow_times.sigma_max }
    local times = karras(schedule.flow(), #flow_times - 1)
    assert.equal(#flow_times, #times)
    for k, t in ipairs(flow_times) do assert.near(t, times[k], 1e-6) end
  end)
end)

describe("diffusers' result of", function()
  for _, case in ipairs(dofile(GOLDEN .. "diffusers_loops.lua")) do
    it(case.name, function() agrees(case) end)
  end
end)

-- x = x0 + sigma eps from eight Karras sigmas 20 .. .05 and 0; see k_diffusion_samplers.py.
local SIGMA_MAX = 20
local function straight(t) return 1, t * SIGMA_MAX end

local function k_diffusion_times()
  local list = {}
  for k = 0, 7 do list[k + 1] = (1 + k / 7 * ((0.05 / SIGMA_MAX) ^ (1 / 7) - 1)) ^ 7 end
  list[9] = 0
  return list
end

describe("k-diffusion's result of", function()
  for _, case in ipairs(dofile(GOLDEN .. "k_diffusion_samplers.lua")) do
    local words = {}
    for _, list in ipairs { case.options or {}, case.churn or {} } do
      for key, value in pairs(list) do words[#words + 1] = key .. "=" .. value end
    end
    table.sort(words)
    it(case.sampler .. " " .. table.concat(words, " "), function()
      local make, options = samplers[case.sampler], { predict = "x0", noise = fresh_noise() }
      for key, value in pairs(case.options or {}) do options[key] = value end
      if case.churn then
        options.noise { 4, 8, 8, 3 } -- those loops draw in the first step too, where they add nothing
        local churn = { churn = case.churn.churn, noise = case.churn.noise, tmax = case.above / SIGMA_MAX,
          tmin = case.below and case.below / SIGMA_MAX }
        make = samplers.churn(make, churn)
      end
      local s = make(straight, k_diffusion_times(), options)
      local x = ramp({ 4, 8, 8, 3 }, function(i, n) return i / n end) * SIGMA_MAX
      while s.t do x = s:step(x, (x * (1 / (1 + s.t * SIGMA_MAX))):tanh()) end
      assert.near(case.sum, x:sum():item(), 2e-3)
      assert.near(case.square, (x * x):sum():item(), 2e-3)
      for k, value in ipairs(case.first) do assert.near(value, x[1][1][k][1]:item(), 2e-5) end
    end)
  end
end)
