--- Pictures from the details of pictures: under another caption, or on the way to another picture.
--
-- A detail under one caption may say what another caption says itself. What stays the same under every caption is the
-- noise that a learned prior makes the detail from, so that is what is kept: u of z under the picture's own caption,
-- then the detail that u makes under the other. Where no prior was learned, the two are the same.
-- @module laterna.autoencoder.edit
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local detail = require "laterna.detail"
local evaluation = require "laterna.evaluation"

local KEYS = condition.keys()

local edit = {}

local function rows_of(fname, i, name, t, d)
  check.type(fname, i, name, t, "tensor")
  if t:dim() ~= 2 or t:size(2) ~= d or t:size(1) == 0 then
    check.fail(fname, i, "%s: expected (n,%d), got (%s)", name, d, table.concat(t.shape, ","))
  end
end

--- The noise that details come from, under their captions. Evaluation mode, nothing recorded.
-- @tparam autoencoder self
-- @tparam Tensor z (n,d)
-- @tparam[opt] table cond text
-- @treturn Tensor u (n,d), N(0, I) where z is as the prior has it
function edit.to_noise(self, z, cond)
  rows_of("to_noise", 1, "z", z, self.detail)
  cond = condition.read("to_noise", 2, cond, KEYS, z:size(1))
  return evaluation.quietly(self, function()
    if not self.prior then return z end
    local _, u = self.prior:log_prob(z, cond:pooled(self.text))
    return u
  end)
end

--- The details that noise makes under captions. Evaluation mode, nothing recorded.
-- @tparam autoencoder self
-- @tparam Tensor u (n,d)
-- @tparam[opt] table cond text
-- @treturn Tensor z (n,d)
function edit.from_noise(self, u, cond)
  rows_of("from_noise", 1, "u", u, self.detail)
  cond = condition.read("from_noise", 2, cond, KEYS, u:size(1))
  return evaluation.quietly(self, function()
    return self.prior and self.prior:inverse(u, cond:pooled(self.text)) or u
  end)
end

--- Pictures painted again from their captions and the details that the extractor read in them.
-- @tparam autoencoder self
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text
-- @tparam[opt] table options the generator's
-- @treturn Tensor (n,h,w,c)
function edit.reconstruct(self, x, cond, options)
  condition.pictures("reconstruct", x, 1, true)
  cond = condition.read("reconstruct", 2, cond, KEYS, x:size(1)):bare()
  return self:sample(cond:with { detail = (self:encode(x, cond)) }, options)
end

-- One caption is that of all: the condition for n pictures.
local function spread(fname, i, cond, n)
  local text = check.type(fname, i, "cond", cond, "table|nil") and cond.text
  if type(text) ~= "table" or rawlen(text) ~= 1 or n == 1 then return condition.read(fname, i, cond, KEYS, n) end
  local list = {}
  for k = 1, n do list[k] = rawget(text, 1) end
  return condition.read(fname, i, { text = list, n = rawget(cond, "n") }, KEYS, n)
end

--- Pictures under other captions, with all that their own captions left out kept.
-- @tparam autoencoder self
-- @tparam Tensor x (n,h,w,c)
-- @tparam table own text: the pictures' own captions, or one for all
-- @tparam table other text: what the pictures are to be, or one for all
-- @tparam[opt] table options keep="noise": what is kept, "noise" or "detail" (laterna.autoencoder.edit says why);
-- others are the generator's
-- @treturn Tensor (n,h,w,c)
-- @treturn Tensor the details under the other captions (n,d)
function edit.edit(self, x, own, other, options)
  condition.pictures("edit", x, 1, true)
  local n, passed = x:size(1), {}
  own, other = spread("edit", 2, own, n), spread("edit", 3, other, n)
  for key, v in next, check.type("edit", 4, "options", options or {}, "table") do passed[key] = v end
  local keep = check.one_of("edit", 4, "keep", passed.keep or "noise", { "noise", "detail" })
  passed.keep = nil
  local z = self:encode(x, own)
  if keep == "noise" then z = self:from_noise(self:to_noise(z, own), other) end
  return self:sample(other:with { detail = z }, passed), z
end

--- The way from one picture to another through the noise that their details come from, under one caption.
-- @tparam autoencoder self
-- @tparam Tensor a (h,w,c)
-- @tparam Tensor b (h,w,c)
-- @tparam integer steps pictures, the two ends included
-- @tparam[opt] table cond text: one caption
-- @treturn Tensor (steps,h,w,c)
function edit.interpolate(self, a, b, steps, cond)
  check.type("interpolate", 1, "a", a, "tensor")
  check.type("interpolate", 2, "b", b, "tensor")
  check.integer("interpolate", 3, "steps", steps, 2, 1 << 16)
  local both, way = spread("interpolate", 4, cond, 2), spread("interpolate", 4, cond, steps)
  local u = self:to_noise(self:encode(core.stack { a, b }, both), both)
  return self:sample(way:with { detail = self:from_noise(detail.between(u[1], u[2], steps), way) })
end

return edit
