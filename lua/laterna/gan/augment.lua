--- Augmentation for critics: real and painted pictures are changed at random in the same ways before the critic sees
-- them, and gradients pass through to whoever painted (DiffAugment: Zhao et al. 2020, arXiv 2006.10738). Done to both
-- sides, a change does not leak into what is painted.
--
-- Adaptive (ADA: Karras et al. 2020, arXiv 2006.06676): each kind is done to a picture with probability p, which rises
-- while the critic is surer of the real pictures than it should be, r > target, and falls otherwise:
--
--   r = E[sign(score of real)],    p <- p + sign(r - target) pictures / length       every 4 calls of update
--
--     local gan = lt.gan { ..., augment = lt.gan.augment() }                        -- DiffAugment
--     local gan = lt.gan { ..., augment = lt.gan.augment { adaptive = true } }      -- lt.gan calls update by itself
-- @module laterna.gan.augment
local check = require "laterna.check"
local core = require "laterna.core"
local journal = require "laterna.journal"
local kinds = require "laterna.gan.kinds"
local nn = require "laterna.nn"

local function is_list(v)
  local ok, meant = type(v) == "table" and rawlen(v) > 0, ""
  for i = 1, ok and rawlen(v) or 0 do
    local kind = rawget(v, i)
    local known = check.is(kind, "callable") or type(kind) == "string" and rawget(kinds, kind) ~= nil
    if ok and not known then meant = check.meant(kind, kinds, "; for " .. check.describe(kind) .. " ") end
    ok = ok and known
  end
  return ok, "a list of kinds: functions, or names in lt.gan.augment.kinds" .. meant
end

--- An augmentation: `lt.gan.augment(options)`, a module that is called as augment(x) with pictures (n,h,w,c). The
-- changes are drawn anew in each call; augment(x, y, ...) does the same to the i-th picture of each.
-- @function augment
-- @tparam[opt] table options
--
--  - kinds={"colour", "translation", "cutout"}: what is done, in this order; functions of lt.gan.augment.kinds, or
--    their names for the usual strength
--  - p=1: with which probability each kind is done to a picture; of the adaptive one, where it starts, by default at 0
--  - adaptive=false: true to let p follow the scores that `update` gets
--  - target=0.6, every=4 calls of update, length=500000 pictures from 0 to 1: of the adaptive one
--  - generator: for the draws
-- @treturn augment
local Augment = nn.class("augment", function(self, options)
  local o = check.options("augment", 1, options, {
    kinds = { is_list, { "colour", "translation", "cutout" } }, p = { "number", min = 0, max = 1 },
    adaptive = { "boolean", false }, target = { "number", 0.6, min = -1, max = 1 },
    every = { "integer", 4, min = 1, max = 1 << 30 }, length = { "number", 5e5, min = 1 },
    generator = check.is_generator,
  })
  self.list = {}
  for i = 1, rawlen(o.kinds) do
    local kind = rawget(o.kinds, i)
    self.list[i] = type(kind) == "string" and kinds[kind]() or kind
  end
  self.adaptive, self.target, self.every, self.length = o.adaptive, o.target, o.every, o.length
  self.generator = o.generator
  self.p = core.tensor { o.p or (o.adaptive and 0 or 1) }
  self.since = core.zeros(3) -- since p moved last: signs of scores, pictures, calls
  self.buffers = { p = true, since = true }
end)

Augment.kinds = kinds
Augment.ranges = { p = { 0, 1 } }
Augment.formerly = { since = "told" } -- in files of earlier versions

local function pictures(i, x, first)
  check.type("augment", i, "x", x, "tensor")
  local got = table.concat(x.shape, ",")
  if x:dim() ~= 4 or x.dtype ~= "float32" or x:numel() == 0 then
    check.fail("augment", i, "x: expected float32 (n,h,w,c), got %s (%s)", x.dtype, got)
  end
  local want = first and table.concat(first.shape, ",") or got
  if want ~= got then check.fail("augment", i, "x: expected (%s) as before, got (%s)", want, got) end
end

function Augment:forward(...)
  local list = table.pack(...)
  for i = 1, math.max(1, list.n) do pictures(i, list[i], list[1]) end
  local p, shape, generator = self.p:item(), list[1].shape, self.generator
  if p <= 0 then return ... end
  for _, kind in ipairs(self.list) do
    local f = kind(table.move(shape, 1, 4, 1, {}), generator)
    check.type("augment", nil, "what a kind gave", f, "callable")
    local on = p < 1 and core.rand({ shape[1], 1, 1, 1 }, { generator = generator }):lt(p)
    for i = 1, list.n do
      local y = f(list[i])
      pictures(i, y, list[i])
      list[i] = on and core.where(on, y, list[i]) or y
    end
  end
  return table.unpack(list, 1, list.n)
end

--- Hears the critic's scores of real pictures, once for each of its steps. Every so many calls p of the adaptive one
-- moves.
-- @tparam Tensor scores any shape; above 0 where the critic takes a picture for real
-- @treturn number p
-- @treturn number r, the mean sign since p moved last
function Augment:update(scores)
  local n = check.type("update", 1, "scores", scores, "tensor"):numel()
  if n == 0 or scores.dtype ~= "float32" then
    check.fail("update", 1, "scores: expected float32 scores, got %s (%s)", scores.dtype,
      table.concat(scores.shape, ","))
  end
  local sum = core.no_grad(scores.sign, scores):sum():item()
  if sum ~= sum then check.fail("update", 1, "scores: they are not all finite") end
  local signs, pictures_since, calls = table.unpack(self.since:totable())
  signs, pictures_since, calls = signs + sum, pictures_since + n, calls + 1
  local p, r = self.p:item(), signs / pictures_since
  journal.note(self.p, self.since)
  if calls >= self.every then
    if self.adaptive then
      local way = r > self.target and 1 or r < self.target and -1 or 0
      p = math.min(1, math.max(0, p + way * pictures_since / self.length))
      self.p:fill_(p)
    end
    signs, pictures_since, calls = 0, 0, 0
  end
  self.since:copy_(core.tensor { signs, pictures_since, calls })
  return p, r
end

return Augment
