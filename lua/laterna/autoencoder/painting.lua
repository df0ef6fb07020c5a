--- How an autoencoder paints: what its generator is told, and where details come from.
-- @module laterna.autoencoder.painting
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local edit = require "laterna.autoencoder.edit"

local painting = {}

-- What the generator is told, and the options that are its own. The noise is drawn here, and nothing that a picture's
-- judge says reaches the prior.
local function told(fname, self, cond, options)
  local n = condition.count(fname, 1, cond)
  local passed = {}
  for key, value in next, check.type(fname, 2, "options", options or {}, "table") do passed[key] = value end
  local temperature = check.number(fname, 2, "temperature", passed.temperature or 1, 0)
  passed.temperature = nil
  local text = condition.text(fname, 1, self.text, cond, n)
  local z = cond and cond.detail
  if not z then
    local u = core.randn(n, self.detail, { generator = passed.generator }) * temperature
    z = edit.from_noise(self, u, { text = text })
  end
  return { n = n, text = text, detail = z }, passed
end

--- Pictures from captions and details; the detail is drawn at random where it is not given. Painted in evaluation mode,
-- nothing recorded.
-- @tparam autoencoder self
-- @tparam table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the noise that becomes the detail), generator; others are the
-- generator's
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
function painting.paint(self, cond, options)
  if type(self.generator.paint) ~= "function" then
    check.fail("paint", nil, "self: this generator cannot paint and be recorded")
  end
  return self.generator:paint(told("paint", self, cond, options))
end

return painting
