--- Every step several times, with noise put back in between (RePaint, Lugmayr et al. 2022, arXiv 2201.09865, section
-- 4.2): what is painted gets more chances to agree with what is known around it. A wrapper of any sampler, and itself
-- one: `resample(lt.samplers.ddim, { repeats = 5, jump = 2 })(schedule, times, options)`.
-- @module laterna.diffusion.resample
local check = require "laterna.check"
local noise = require "laterna.noise"
local schedules = require "laterna.schedule"
local spelling = require "laterna.spelling"

local Resampling = {}
Resampling.__index = Resampling
setmetatable(Resampling, { __index = spelling.methods("a sampler", Resampling) })

-- The inner sampler, afresh for the steps of one stretch of times.
local function begin(self)
  local s = self.inner(self.schedule, self.stretches[self.at], self.options)
  self.running, self.t = s, s.t
end

-- From the end of a stretch back to its beginning, as the forward process would go.
local function noised(self, x)
  local times = self.stretches[self.at]
  local alpha, sigma = self.schedule(times[1])
  local alpha0, sigma0 = self.schedule(times[#times])
  local k = alpha / alpha0
  return x * k + noise.draw(x.shape, self.options.noise) * math.max(0, sigma * sigma - k * k * sigma0 * sigma0) ^ 0.5
end

function Resampling:step(x, said)
  local s = self.running
  x = s:step(x, said)
  self.x0, self.t = s.x0, s.t
  if s.t then return x end
  self.round = self.round + 1
  if self.round <= self.repeats then
    x = noised(self, x)
  else
    self.round, self.at = 1, self.at + 1
    if self.at > #self.stretches then return x end
  end
  begin(self)
  return x
end

--- @tparam function inner a sampler
-- @tparam table options repeats=1: how often each stretch is walked; jump=1: steps in a stretch. Solvers that remember
-- earlier steps do so within a stretch only
-- @treturn function (schedule, times, options) -> a sampler object with repeats times the calls of inner
return function(inner, options)
  check.type("resample", 1, "inner", inner, "callable")
  local o = check.options("resample", 2, options, {
    repeats = { "integer", 1, min = 1, max = 10000 }, jump = { "integer", 1, min = 1, max = 100000 },
  })
  return function(schedule, times, more)
    if type(times) == "number" then times = schedules.spacing.uniform(schedule, times) end
    local self = setmetatable({
      inner = inner, schedule = schedule, options = more or {}, repeats = o.repeats,
      stretches = {}, at = 1, round = 1, calls = 0,
    }, Resampling)
    for first = 1, #times - 1, o.jump do
      local stretch = table.move(times, first, math.min(first + o.jump, #times), 1, {})
      self.stretches[#self.stretches + 1] = stretch
      self.calls = self.calls + o.repeats * inner(schedule, stretch, self.options).calls
    end
    begin(self)
    return self
  end
end
