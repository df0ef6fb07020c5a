--- A learned distribution of the detail, p(z | caption). What an extractor writes depends on the caption, and it fills
-- the space less evenly than N(0, I) would have it: details drawn from there are often none that any picture has. So
-- the distribution is learned along (Chen et al. 2017, arXiv 1611.02731), as a small flow over vectors:
--
--   u = f(z; caption),  u ~ N(0, I),   log p(z | caption) = log N(u; 0, I) + log |det df/dz|
--
-- f scales and shifts by the caption, then couples the two halves of the vector in turn (affine coupling, Dinh et al.
-- 2017, arXiv 1605.08803, with bounded log-scales).
--
-- Diffusion (laterna.prior.diffusion) can stand in its place, and Codes (laterna.prior.codes) are for details that are
-- quantised. All have log_prob(z, c), which gives the noise too, and inverse(u, c), which undoes it.
-- @module laterna.prior
local check = require "laterna.check"
local core = require "laterna.core"
local net = require "laterna.prior.net"
local nn = require "laterna.nn"

local mlp, scale_and_shift, beside = net.mlp, net.scale_and_shift, net.beside

--- A flow over details: `Flow(d, options)`.
-- @function Flow
-- @tparam integer d size of the detail, at least 2
-- @tparam[opt] table options {text=0 (size of the caption vector; condition: the same by its older name), layers=6,
-- hidden=128}
-- @treturn Flow
local Flow = nn.class("Flow", function(self, d, options)
  check.integer("Flow", 1, "d", d, 2)
  local o = net.options("Flow", options, {
    text = { "integer", 0, min = 0 }, condition = { "integer", min = 0 }, layers = { "integer", 6, min = 1, max = 256 },
    hidden = { "integer", 128, min = 1 },
  })
  self.d, self.half, self.text_size = d, d // 2, o.text
  self.base = o.text > 0 and mlp(o.text, o.hidden, 2 * d) or nil
  self.couplings = {}
  for i = 1, o.layers do
    local size = i % 2 == 1 and self.half or d - self.half
    self.couplings[i] = mlp(size + o.text, o.hidden, 2 * (d - size))
  end
end)

-- The half that coupling i looks at, and the one that it changes.
local function halves(self, i, z)
  local first, second = z:split({ self.half, self.d - self.half }, 2)
  if i % 2 == 1 then return first, second end
  return second, first
end

local function join(i, half, changed)
  return core.cat(i % 2 == 1 and { half, changed } or { changed, half }, 2)
end

--- From details to noise: log p(z | caption) in nats, and the noise. Details past 1e4 count as 1e4.
-- @tparam Tensor z (n,d)
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor (n)
-- @treturn Tensor u (n,d)
function Flow:log_prob(z, c)
  net.check("log_prob", self, "z", z, c)
  z = net.within_reach(z)
  local logdet = core.zeros(z:size(1))
  if self.base then
    local s, t = scale_and_shift(self.base, c)
    z, logdet = (z - t) * (-s):exp(), logdet - s:sum(2)
  end
  for i, coupling in ipairs(self.couplings) do
    local half, changed = halves(self, i, z)
    local s, t = scale_and_shift(coupling, beside(half, c))
    z, logdet = join(i, half, (changed - t) * (-s):exp()), logdet - s:sum(2)
  end
  return logdet - (z:square():sum(2) + self.d * math.log(2 * math.pi)) * 0.5, z
end

--- From noise to details: the inverse.
-- @tparam Tensor u (n,d)
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor z (n,d)
function Flow:inverse(u, c)
  net.check("inverse", self, "u", u, c)
  for i = #self.couplings, 1, -1 do
    local half, changed = halves(self, i, u)
    local s, t = scale_and_shift(self.couplings[i], beside(half, c))
    u = join(i, half, changed * s:exp() + t)
  end
  if self.base then
    local s, t = scale_and_shift(self.base, c)
    u = u * s:exp() + t
  end
  return u
end

return { Flow = Flow, Diffusion = require "laterna.prior.diffusion", Codes = require "laterna.prior.codes" }
