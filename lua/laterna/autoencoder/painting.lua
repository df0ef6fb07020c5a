--- How an autoencoder paints: what its generator is told, and where details come from.
-- @module laterna.autoencoder.painting
local check = require "laterna.check"
local condition = require "laterna.condition"
local edit = require "laterna.autoencoder.edit"
local noise = require "laterna.noise"

local painting = {}

local DRAWN = noise.with { temperature = { "number", 1, min = 0 } }

-- Details drawn at random. A generator that is to draw noise of its own after that goes on from the same source; where
-- each picture has a seed it gets new ones, or the first of its numbers would be those of the detail.
local function draw(fname, self, n, text, passed, o)
  local source = noise.source(fname, 2, o, n)
  local u = noise.draw({ n, self.detail }, source) * o.temperature
  if type(source) == "table" then
    passed.seed, passed.seeds = nil, {}
    for i, g in ipairs(source) do passed.seeds[i] = g:integer(0, 1 << 40) end
  end
  return edit.from_noise(self, u, { text = text })
end

-- What the generator is told, and the options that are its own. The noise is drawn here, and nothing that a picture's
-- judge says reaches the prior.
local function told(fname, self, cond, options)
  local n = condition.count(fname, 1, cond)
  local passed, own = {}, {}
  for key, value in next, check.type(fname, 2, "options", options or {}, "table") do
    if DRAWN[key] then own[key] = value end
    if key ~= "temperature" then passed[key] = value end
  end
  local o = check.options(fname, 2, own, DRAWN)
  local text = condition.text(fname, 1, self.text, cond, n)
  local z = cond and cond.detail or draw(fname, self, n, text, passed, o)
  return { n = n, text = text, detail = z }, passed
end

--- Pictures from captions and details; the detail is drawn at random where it is not given. Painted in evaluation mode,
-- nothing recorded.
-- @tparam autoencoder self
-- @tparam table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the noise that becomes the detail); seed, seeds or generator, as for
-- diffusion:sample; others are the generator's, such as guidance, which sets what a caption says of a detail against
-- the same detail without a caption
-- @treturn Tensor (n,h,w,c) in [-1,1]
function painting.sample(self, cond, options)
  return self.generator:sample(condition.quietly(self, told, "sample", self, cond, options))
end

--- The same in training mode and recorded, so that whoever judges the pictures can teach the generator. For generators
-- that can paint so.
-- @tparam autoencoder self
-- @tparam table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor (n,h,w,c)
function painting.rsample(self, cond, options)
  if type(self.generator.rsample) ~= "function" then
    check.fail("rsample", nil, "self: this generator cannot paint and be recorded")
  end
  return self.generator:rsample(told("rsample", self, cond, options))
end

return painting
