--- A detail of a few numbers: finite scalar quantisation (Mentzer et al. 2023, arXiv 2309.15505). What the detail can
-- tell is limited by its codebook, so that it needs no further price.
-- @module laterna.autoencoder.fsq
local check = require "laterna.check"
local core = require "laterna.core"
local given = require "laterna.autoencoder.given"
local nn = require "laterna.nn"
local Codes = require("laterna.prior").Codes

local EDGE = 1e-3 -- the outermost numbers are reached, as in the paper

local function is_levels(v)
  local ok = type(v) == "table" and rawlen(v) > 0
  for i = 1, ok and rawlen(v) or 0 do
    local k = rawget(v, i)
    ok = ok and type(k) == "number" and math.tointeger(k) ~= nil and k >= 2 and k <= 1024
  end
  return ok, "a list of integers from 2 to 1024"
end

--- `lt.autoencoder.regulariser.fsq(options)`: every coordinate is bounded and rounded to one of its levels, and gradients
-- pass as if it had not been rounded:
--
--   b = tanh(out + shift) (L - 1) / 2 - offset,   z = round(b) / floor(L / 2);   offset = 1/2 for an even L, else 0
--
-- The extractor writes one number a coordinate (nn.Extractor's outputs = 1). The gap is -log p(z | caption), for q is
-- certain: the logarithm of the codebook's size where all codes are alike, and less where a prior has been learned.
-- @function fsq
-- @tparam table options
--
--  - levels: {L,...}, begun again until every coordinate of the detail has one: {8, 5, 5, 5}
--  - learned=true: learn p(z | caption) along (lt.prior.Codes); false: all codes alike
--  - condition=0: size of the caption vector, for the learned prior; hidden=64: of its nets
--  - beta=1: weight of the prior's -log p(z | caption) in the loss; only the prior and the text encoder learn from it
-- @treturn fsq
local Fsq = nn.class("fsq", function(self, options)
  local o = check.options("fsq", 1, options, {
    levels = { is_levels, required = true }, learned = { "boolean", true }, condition = { "integer", 0, min = 0 },
    hidden = { "integer", 64, min = 1 }, beta = { "number", 1, min = 0, max = 1e30 },
  })
  self.levels, self.beta, self.learned = {}, o.beta, o.learned
  for i = 1, rawlen(o.levels) do self.levels[i] = math.tointeger(rawget(o.levels, i)) end
  self.told = { learned = o.learned, condition = o.condition, hidden = o.hidden }
end)

-- The levels of d coordinates.
local function spread(self, d)
  local list = {}
  for i = 1, d do list[i] = self.levels[(i - 1) % #self.levels + 1] end
  return list
end

--- Numbers that the extractor writes for a detail of d.
function Fsq.outputs(_, d) return check.integer("outputs", 1, "d", d, 1) end

--- The distribution of such details.
-- @tparam integer d
-- @treturn Codes
function Fsq:prior(d)
  return Codes(spread(self, check.integer("prior", 1, "d", d, 1, 1 << 16)), self.told)
end

--- What the extractor's numbers mean.
-- @tparam Tensor out (n,d)
-- @treturn table mu and z, the same
function Fsq:read(out)
  if check.type("read", 1, "out", out, "tensor"):dim() ~= 2 then
    check.fail("read", 1, "out: expected (n,d), got %d axes", out:dim())
  end
  local shift, half, offset, scale = {}, {}, {}, {}
  for i, count in ipairs(spread(self, out:size(2))) do
    half[i], offset[i] = (count - 1) * (1 + EDGE) / 2, count % 2 == 0 and 0.5 or 0
    local at = offset[i] / half[i]
    shift[i], scale[i] = 0.5 * math.log((1 + at) / (1 - at)), 1 / (count // 2)
  end
  local b = (out + core.tensor(shift)):tanh() * core.tensor(half) - core.tensor(offset)
  local z = (b + (b:round() - b):detach()) * core.tensor(scale)
  return { mu = z, z = z }
end

--- What it costs: -log p(z | caption) for the prior to learn from, and numbers to log (kl: the same, nats a picture).
-- @tparam table seen z
-- @tparam table told prior, pooled (n,k), beta in place of the option
-- @treturn Tensor
-- @treturn table
function Fsq:penalty(seen, told)
  given.check("penalty", seen, told, { "z" }, "bound")
  local cost = -told.prior:bound(seen.z, told.pooled):mean()
  return cost * (told.beta or self.beta), { kl = cost:item() }
end

--- KL(q || p) = -log p(z | caption) of each picture, in nats.
-- @tparam table seen z
-- @tparam table told prior, pooled (n,k)
-- @treturn Tensor (n)
function Fsq.gap(_, seen, told)
  given.check("gap", seen, told, { "z" }, "bound")
  return -told.prior:bound(seen.z, told.pooled)
end

return Fsq
