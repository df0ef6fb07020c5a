--- Spectral normalisation (Miyato et al. 2018, arXiv 1802.05957): layers whose weight is divided by its largest
-- singular value, so that none of them stretches its input, and a critic made of them has a bounded slope.
--
--   W_sn = W / sigma(W),   sigma = u' W v,   v <- W'u / |W'u|,  u <- W v / |W v|        one step a call in training
--
-- u and v are constants to the gradient: that of sigma is u v', exact where they have converged. A second derivative is
-- exact too if it is by W once and by the input once, as in gradient penalties.
-- @module laterna.nn.spectral_norm
local check = require "laterna.check"
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local journal = require "laterna.journal"
local walk = require "laterna.nn.walk"

local START = 15 -- steps on the first weight, as in PyTorch: it may be a long way from random vectors

-- Which classes were made here, and which layer class each was made of.
local made, origin = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- The weight as a matrix (outputs, everything else), or its transpose, whose singular values are the same: a transposed
-- convolution has its outputs on the last axis.
local function matrix(class, weight)
  if class == conv.ConvTranspose2d then return weight:view(-1, weight:size(-1)) end
  return weight:view(weight:size(1), -1)
end

-- t at length 1; where it has none, as with a weight that starts at zero, the direction stays the one that was.
local function unit(t, before, eps)
  local length = t:norm():item()
  return length > eps and t * (1 / length) or before
end

-- u (rows,1) and v (columns,1) after so many steps.
local function iterate(w, u, v, steps, eps)
  local turned = w:transpose()
  for _ = 1, steps do
    v = unit(core.matmul(turned, u), v, eps)
    u = unit(core.matmul(w, v), u, eps)
  end
  return u, v
end

-- The weight divided by its sigma; in training mode u and v take their step first, and where a pass is computed again
-- they have taken it. A weight of nothing is left as it is: its slope would be infinite.
local function normalised(self, class)
  local o = self.spectral
  local w = matrix(class, self.weight)
  local u, v = core.no_grad(function()
    if not self.training or journal.again() then return self.weight_u:clone(), self.weight_v:clone() end
    local u, v = iterate(w:detach(), self.weight_u, self.weight_v, o.iterations, o.eps)
    journal.note(self.weight_u, self.weight_v)
    self.weight_u:copy_(u)
    self.weight_v:copy_(v)
    return u, v
  end)
  local sigma = (core.matmul(w, v) * u):sum()
  return sigma:item() > o.eps and self.weight / sigma or self.weight
end

-- A class like `class` whose forward sees the divided weight. It runs with a stand-in for self, so that the layer
-- itself never holds what is no parameter.
local function normalising(class)
  if made[class] then return made[class] end
  local new = {}
  for key, v in next, class do new[key] = v end
  new.__index = new
  function new.forward(self, ...)
    local stand_in = setmetatable({ weight = normalised(self, class) }, { __index = self })
    return class.forward(stand_in, ...)
  end
  function new.describe(self)
    local words = class.describe and class.describe(self)
    return (words and words .. ", " or "") .. "spectral norm"
  end
  new.__call = function(self, ...) return new.forward(self, ...) end
  walk.register(new)
  made[class], origin[new] = setmetatable(new, getmetatable(class)), class
  return new
end

local function is_layer(m)
  local weight = rawget(m, "weight")
  return check.is(weight, "tensor") and weight.dtype == "float32" and weight:dim() >= 2 and weight:numel() > 0
    and type(getmetatable(m).forward) == "function" and not origin[getmetatable(m)]
end

local function change(layer, o)
  local class = getmetatable(layer)
  local buffers = { weight_u = true, weight_v = true }
  for key, v in pairs(layer.buffers or {}) do buffers[key] = v end
  core.no_grad(function()
    local w = matrix(class, layer.weight:detach())
    local u = core.randn({ w:size(1), 1 }, { generator = o.generator })
    local v = core.randn({ w:size(2), 1 }, { generator = o.generator })
    u, v = u * (1 / u:norm():item()), v * (1 / v:norm():item())
    layer.weight_u, layer.weight_v = iterate(w, u, v, START, o.eps)
  end)
  layer.buffers, layer.spectral = buffers, { iterations = o.iterations, eps = o.eps }
  setmetatable(layer, normalising(class))
end

--- Spectral norm for a layer, or for all layers of a network: whatever has a parameter `weight` of two axes or more
-- (Linear, Conv2d, ConvTranspose2d, Embedding). They are changed where they stand: their names and parameters stay,
-- and the buffers weight_u and weight_v, saved with them, come along. Layers that have it already stay as they are.
--
--     local net = nn.spectral_norm(nn.Critic { size = 28, text = 64 })
--
-- Each call in training mode takes a step of the power iteration; in evaluation mode none.
-- @function spectral_norm
-- @tparam module module
-- @tparam[opt] table options iterations=1, steps a call; eps=1e-12, a norm that counts as none; generator for
-- the first u and v
-- @treturn module the same one
return function(module, options)
  if not walk.is_module(module) then
    check.fail("spectral_norm", 1, "module: expected a module, got %s", check.describe(module))
  end
  local o = check.options("spectral_norm", 2, options, {
    iterations = { "integer", 1, min = 1, max = 1000 }, eps = { "number", 1e-12, min = 0, max = 1 },
    generator = check.is_generator,
  })
  local found = false
  for _, entry in ipairs(walk.survey("spectral_norm", module).modules) do
    local m = entry.module
    if is_layer(m) then change(m, o) end
    found = found or origin[getmetatable(m)] ~= nil
  end
  if not found then check.fail("spectral_norm", 1, "module: it has no layer with a weight of two axes or more") end
  return module
end
