--- How an autoencoder paints: what its generator's condition is, and where details come from.
-- @module laterna.autoencoder.painting
local check = require "laterna.check"
local condition = require "laterna.condition"
local edit = require "laterna.autoencoder.edit"
local evaluation = require "laterna.evaluation"
local noise = require "laterna.noise"

local painting = {}

local DRAWN = noise.with { temperature = { "number", 1, min = 0 } }

--- The keys of a condition that are the autoencoder's own in sample and rsample.
painting.keys = condition.keys(nil, DRAWN)

-- Details drawn at random. A generator that is to draw noise of its own after that goes on from the same source; where
-- each picture has a seed it gets new ones, or the first of its numbers would be those of the detail.
local function draw(fname, self, cond, passed, o)
  local source = noise.source(fname, 2, o, cond.n)
  local u = noise.draw({ cond.n, self.detail }, source) * o.temperature
  if type(source) == "table" then
    passed.seed, passed.seeds = nil, {}
    for i, g in ipairs(source) do passed.seeds[i] = g:integer(0, 1 << 40) end
  end
  return edit.from_noise(self, u, cond:bare())
end

-- The generator's condition, and the options that are its own. The noise is drawn here, and nothing that a judge of the
-- pictures says reaches the prior.
local function prepared(fname, self, cond, options)
  cond = condition.read(fname, 1, cond, self:condition_keys "sample"):read_by(self.text)
  local passed, own = {}, {}
  for key, value in next, check.type(fname, 2, "options", options or {}, "table") do
    if DRAWN[key] then own[key] = value end
    if key ~= "temperature" then passed[key] = value end
  end
  local o = check.options(fname, 2, own, DRAWN)
  return cond:with { detail = cond.detail or draw(fname, self, cond, passed, o) }, passed
end

--- Pictures from captions and details; the detail is drawn at random where it is not given. Painted in evaluation mode,
-- nothing recorded.
-- @tparam autoencoder self
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the noise that becomes the detail); seed, seeds or generator, as for
-- diffusion:sample; others are the generator's, such as guidance, which sets what a caption says of a detail against
-- the same detail without a caption
-- @treturn Tensor (n,h,w,c) in [-1,1]
function painting.sample(self, cond, options)
  return self.generator:sample(evaluation.quietly(self, prepared, "sample", self, cond, options))
end

--- The same in training mode and recorded, so that whoever judges the pictures can teach the generator. For generators
-- that have rsample.
-- @tparam autoencoder self
-- @tparam[opt] table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor (n,h,w,c)
function painting.rsample(self, cond, options)
  if type(self.generator.rsample) ~= "function" then
    check.fail("rsample", nil, "self: this generator has no rsample")
  end
  return self.generator:rsample(prepared("rsample", self, cond, options))
end

return painting
