--- Which times a model is trained at. Each is a function time_sampler(n, generator, schedule) -> tensor (n) of times in
-- (0,1].
-- @module laterna.diffusion.time_sampler
local check = require "laterna.check"
local core = require "laterna.core"
local schedules = require "laterna.schedule"

local time_sampler = {}

local FIRST = 1e-4 -- at t = 0 there is nothing to remove

--- Equally likely everywhere.
-- @treturn function
function time_sampler.uniform()
  return function(n, generator)
    return core.rand(n, { generator = generator }) * (1 - FIRST) + FIRST
  end
end

--- Equally likely, but a batch has one time in each of n equal parts of [0,1]: less noise in the loss (Kingma et al.
-- 2021, arXiv 2107.00630, appendix I.1).
-- @treturn function
function time_sampler.stratified()
  return function(n, generator)
    local u, list = core.rand(1, { generator = generator }):item(), {}
    for i = 1, n do list[i] = FIRST + (1 - FIRST) * (i - 1 + u) / n end
    return core.tensor(list)
  end
end

-- Times at which sigma / alpha is each of some numbers.
local function at_ratios(ratios, schedule)
  for i, ratio in ipairs(ratios) do ratios[i] = math.max(FIRST, schedules.invert(schedule, ratio)) end
  return core.tensor(ratios)
end

--- log(sigma / alpha) is normal (Karras et al. 2022, arXiv 2206.00364, table 1): most where pictures take shape.
-- @tparam[opt] table options mean=-1.2, std=1.2
-- @treturn function
function time_sampler.log_normal(options)
  local o = check.options("log_normal", 1, options, {
    mean = { "number", -1.2, min = -50, max = 50 }, std = { "number", 1.2, min = 1e-6, max = 50 } })
  return function(n, generator, schedule)
    local list = core.randn(n, { generator = generator }):totable()
    for i, z in ipairs(list) do list[i] = math.exp(o.mean + o.std * z) end
    return at_ratios(list, schedule)
  end
end

--- t = sigmoid(z), z normal (Esser et al. 2024, arXiv 2403.03206, eq. 19): most in the middle of the way.
-- @tparam[opt] table options mean=0, std=1
-- @treturn function
function time_sampler.logit_normal(options)
  local o = check.options("logit_normal", 1, options, {
    mean = { "number", 0, min = -50, max = 50 }, std = { "number", 1, min = 1e-6, max = 50 } })
  return function(n, generator)
    local z = core.randn(n, { generator = generator }) * o.std + o.mean
    return z:sigmoid():clamp(FIRST, 1)
  end
end

return time_sampler
