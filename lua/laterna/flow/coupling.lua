--- Couplings: one half of an example decides how the other half is changed, number by number (Dinh et al. 2014, arXiv
-- 1410.8516; 2017, arXiv 1605.08803; splines: Durkan et al. 2019, arXiv 1906.04032).
--
--   y_seen = x_seen,   y_changed = f(x_changed; net(x_seen, cond))
--
-- All take the same options: mask="channel" or "checkerboard"; flip=false, true to look at the other half; net, a
-- function (seen, cond) -> numbers, or the options of the one that is built (laterna.flow.coupling_net: hidden, depth,
-- kernel, text, detail, heads, dropout).
-- @module laterna.flow.coupling
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local masks = require "laterna.flow.mask"
local nn = require "laterna.nn"
local spline = require "laterna.flow.spline"
local coupling_net = require "laterna.flow.coupling_net"
local flow_condition = require "laterna.flow.condition"

local coupling = {}

local LIMIT = 1e12 -- noise that no example has runs back to numbers that large at most

-- An option table with the network's own put in, and what is left for the coupling.
local function read(name, channels, options, own)
  check.integer(name, 1, "channels", channels, 1, layer.MOST)
  local known = { mask = { "string", "channel", one_of = masks.kinds }, flip = { "boolean", false }, net = "callable" }
  for key, rule in pairs(coupling_net.options) do known[key] = rule end
  for key, rule in pairs(own) do known[key] = rule end
  return check.options(name, 2, options, known)
end

local function net_of(o, mask, numbers)
  if o.net then return o.net end
  local options = {}
  for key in pairs(coupling_net.options) do options[key] = o[key] end
  return coupling_net.CouplingNet(mask.inputs, numbers * mask.outputs, options)
end

-- What the network says of the part that is seen, as large as the part that is changed, `numbers` times.
local function ask(self, name, seen, changed, cond)
  local said = flow_condition.ask(self.net, seen, cond)
  local axes, want = changed:dim(), changed:size(changed:dim()) * self.numbers
  check.type(name, nil, "what net said", said, "tensor")
  if said:dim() ~= axes or said:numel() ~= changed:numel() * self.numbers or said:size(axes) ~= want then
    check.fail(name, nil, "what net said: expected %d channels, got (%s)", want, table.concat(said.shape, ","))
  end
  return said
end

-- A class of couplings. `map(self, x, said, inverse)` gives y and the log-derivatives, both like x; nil for zeros.
local function class(name, own, numbers, map)
  local Class = nn.class(name, function(self, channels, options)
    local o = read(name, channels, options, own)
    self.channels, self.mask = channels, masks.new(name, channels, o.mask, o.flip)
    for key in pairs(own) do self[key] = o[key] end
    self.numbers = numbers(o)
    self.net = net_of(o, self.mask, self.numbers)
  end)

  local function apply(self, x, cond, inverse)
    layer.check(name, x, cond, self.channels)
    local seen, changed = self.mask:split(x)
    local y, logs = map(self, changed, ask(self, name, seen, changed, cond), inverse)
    local logdet = logs and layer.total(self.mask:kept(logs)) or layer.none(x)
    return self.mask:join(seen, inverse and y:hold(-LIMIT, LIMIT) or y), logdet
  end

  function Class:forward(x, cond) return apply(self, x, cond, false) end

  function Class:inverse(y, cond) return apply(self, y, cond, true) end

  function Class:describe()
    return ("%d channels, %s"):format(self.channels, self.mask.c and "channel" or "checkerboard")
  end

  return Class
end

--- y = x exp(s) + t. The log-scale is bounded, s = bound tanh(said / bound), so that no step can blow up or lose an
-- example.
-- @function AffineCoupling
-- @tparam integer channels
-- @tparam[opt] table options as all couplings, and bound=2
coupling.AffineCoupling = class("AffineCoupling", { bound = { "number", 2, min = 1e-3, max = 10 } },
  function() return 2 end,
  function(self, x, said, inverse)
    local s, t = said:chunk(2, -1)
    s = layer.bounded(s, self.bound)
    if inverse then return (x - t) * (-s):exp(), -s end
    return core.addcmul(t, x, s:exp()), s
  end)

--- y = x + t: keeps volumes.
-- @function AdditiveCoupling
-- @tparam integer channels
-- @tparam[opt] table options as all couplings
coupling.AdditiveCoupling = class("AdditiveCoupling", {}, function() return 1 end,
  function(_, x, said, inverse) return inverse and x - said or x + said end)

--- A monotone rational-quadratic spline for each number, the identity outside [-bound,bound].
-- @function SplineCoupling
-- @tparam integer channels
-- @tparam[opt] table options as all couplings, and bins=8, bound=4
coupling.SplineCoupling = class("SplineCoupling",
  { bins = { "integer", 8, min = 2, max = 64 }, bound = { "number", 4, min = 1e-3, max = 1e6 } },
  function(o) return 3 * o.bins - 1 end,
  function(self, x, said, inverse)
    local shape = x.shape
    shape[#shape + 1] = 3 * self.bins - 1
    return spline(x, said:view(shape), inverse, self.bound)
  end)

return coupling
