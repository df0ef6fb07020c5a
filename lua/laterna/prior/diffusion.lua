--- A diffusion over details, p(z | caption): a small denoiser of vectors, trained along with the extractor (latent
-- score-based generative models: Vahdat et al. 2021, arXiv 2106.05931). z is shifted and scaled by the caption first,
-- so that the diffusion begins as that gaussian; then, for angles a in [0, pi/2] (Salimans and Ho 2022, arXiv
-- 2202.00512, appendix D),
--
--   x = cos(a) z + sin(a) noise,   v = cos(a) noise - sin(a) z,   the net's v^(x, a, caption) is trained to be E v
--
-- and dx/da = v^ carries details to noise and back, deterministically. A net of two hidden layers has a divergence in
-- closed form, so the log-density along that path (Chen et al. 2018, arXiv 1806.07366) costs little more than the path.
-- @module laterna.prior.diffusion
local check = require "laterna.check"
local core = require "laterna.core"
local net = require "laterna.prior.net"
local nn = require "laterna.nn"

local LOUD, QUIET = -6, 9         -- log signal-to-noise ratios between which the net is trained
local WAVES = { 1, 2, 4, 8, 16 }  -- of the angle, as the net hears it

--- A diffusion: `Diffusion(d, options)`.
-- @function Diffusion
-- @tparam integer d size of the detail
-- @tparam[opt] table options {text=0 (size of the caption vector; condition: the same by its older name), hidden=128,
-- steps=24 (of the path, four calls of the net each)}
-- @treturn Diffusion
local Diffusion = nn.class("Diffusion", function(self, d, options)
  self.d = check.integer("Diffusion", 1, "d", d, 1)
  local o = net.options("Diffusion", options, {
    text = { "integer", 0, min = 0 }, condition = { "integer", min = 0 }, hidden = { "integer", 128, min = 1 },
    steps = { "integer", 24, min = 1, max = 10000 },
  })
  self.text_size, self.steps = o.text, o.steps
  self.base = o.text > 0 and net.mlp(o.text, o.hidden, 2 * d) or nil
  self.first = nn.Linear(d + o.text + 2 * #WAVES, o.hidden)
  self.second, self.last = nn.Linear(o.hidden, o.hidden), net.silent(o.hidden, d)
  for _, layer in ipairs { self.first, self.second } do -- smaller weights are nearly linear, and learn late
    nn.init.kaiming_normal_(layer.weight, { nonlinearity = "relu" })
  end
end)

-- What the net hears of angles, a row each.
local function waves(angles)
  local rows = {}
  for i, a in ipairs(angles) do
    local row = {}
    for k, w in ipairs(WAVES) do row[2 * k - 1], row[2 * k] = math.cos(w * a), math.sin(w * a) end
    rows[i] = row
  end
  return core.tensor(rows)
end

-- Pre-activations of the hidden layers, and v^; heard (n or 1, 2 waves).
local function run(self, x, heard, c)
  local n = x:size(1)
  local h1 = self.first(core.cat({ net.beside(x, c), heard:expand(n, 2 * #WAVES) }, 2))
  local h2 = self.second(h1:silu())
  return self.last(h2:silu()), h1, h2
end

local function silu_slope(h)
  local s = h:sigmoid()
  return s * (h * (1 - s) + 1)
end

-- For div v^ = sum_ab s'(h2)_a W2_ab s'(h1)_b (W1 W3)_ba: the product of the weights, which does not depend on x.
local function crossing(self)
  local w1 = self.first.weight:transpose(1, 2):narrow(1, 1, self.d) -- (d,h)
  return self.second.weight * self.last.weight:transpose(1, 2):matmul(w1)
end

-- v^, and its divergence where the crossing comes with it.
local function slope(self, x, a, c, cross)
  local v, h1, h2 = run(self, x, waves { a }, c)
  if not cross then return v end
  return v, (silu_slope(h2):matmul(cross) * silu_slope(h1)):sum(2)
end

-- From one angle to the next by Runge and Kutta's fourth order; with cross also the integral of the divergence.
local function step(self, x, a, b, c, cross)
  local h, sum = b - a, 0
  local k1, d1 = slope(self, x, a, c, cross)
  local k2, d2 = slope(self, x + k1 * (h / 2), a + h / 2, c, cross)
  local k3, d3 = slope(self, x + k2 * (h / 2), a + h / 2, c, cross)
  local k4, d4 = slope(self, x + k3 * h, b, c, cross)
  if cross then sum = (d1 + (d2 + d3) * 2 + d4) * (h / 6) end
  return x + (k1 + (k2 + k3) * 2 + k4) * (h / 6), sum
end

-- Angles of the path, closer together near the details, where what is small is decided.
local function angle(self, i)
  return math.pi / 2 * (i / self.steps) ^ 1.5
end

-- Details without what the caption shifts and scales, and the log-determinant of that.
local function whitened(self, z, c)
  z = net.within_reach(z)
  if not self.base then return z, core.zeros(z:size(1)) end
  local s, t = net.scale_and_shift(self.base, c)
  return (z - t) * (-s):exp(), -s:sum(2)
end

--- From details to noise along the path: log p(z | caption) in nats, as exact as the path's steps, and the noise.
-- Details past 1e4 count as 1e4.
-- @tparam Tensor z (n,d)
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor (n)
-- @treturn Tensor u (n,d)
function Diffusion:log_prob(z, c)
  net.check("log_prob", self, "z", z, c)
  local x, logp = whitened(self, z, c)
  local cross = crossing(self)
  for i = 1, self.steps do
    local more
    x, more = step(self, x, angle(self, i - 1), angle(self, i), c, cross)
    logp = logp + more
  end
  return logp - (x:square():sum(2) + self.d * math.log(2 * math.pi)) * 0.5, x
end

--- From noise to details: the same path back.
-- @tparam Tensor u (n,d)
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor z (n,d)
function Diffusion:inverse(u, c)
  net.check("inverse", self, "u", u, c)
  for i = self.steps, 1, -1 do u = step(self, u, angle(self, i), angle(self, i - 1), c) end
  if not self.base then return u end
  local s, t = net.scale_and_shift(self.base, c)
  return u * s:exp() + t
end

--- What is trained with: a draw of the variational lower bound of log p(z | caption) (Kingma et al. 2021, arXiv
-- 2107.00630, eq. 11-18), one noise level for each vector, one call of the net. With l the log signal-to-noise ratio,
--
--   -log p(z) <= KL(N(alpha z, sigma^2) || N(0, I)) at the loudest l + d/2 (1 + log 2 pi - l) at the quietest
--                + 1/2 integral dl alpha^2 E |v - v^|^2
-- @tparam Tensor z (n,d)
-- @tparam[opt] Tensor c (n,text)
-- @tparam[opt] Generator generator
-- @treturn Tensor (n)
function Diffusion:bound(z, c, generator)
  net.check("bound", self, "z", z, c)
  if generator ~= nil and not check.is_generator(generator) then
    check.fail("bound", 3, "generator: expected a generator, got %s", check.describe(generator))
  end
  local x, logdet = whitened(self, z, c)
  local n, d = x:size(1), self.d
  local start, angles, alphas, sigmas = core.rand(1, { generator = generator }):item(), {}, {}, {}
  for i = 1, n do -- levels as evenly spread over the batch as can be
    local l = LOUD + (QUIET - LOUD) * (((i - 1) / n + start) % 1)
    local a = math.atan(math.exp(-l / 2))
    angles[i], alphas[i], sigmas[i] = a, { math.cos(a) }, { math.sin(a) }
  end
  local alpha, sigma, noise = core.tensor(alphas), core.tensor(sigmas), core.randn({ n, d }, { generator = generator })
  local v = noise * alpha - x * sigma
  local residual = v - run(self, x * alpha + noise * sigma, waves(angles), c)
  local along = (residual * alpha):square():sum(2) * ((QUIET - LOUD) / 2)
  local far = math.atan(math.exp(-LOUD / 2))
  local a2, s2 = math.cos(far) ^ 2, math.sin(far) ^ 2
  local loudest = (x:square() * a2 + (s2 - 1 - math.log(s2))):sum(2) * 0.5
  return logdet - (along + loudest + d / 2 * (1 + math.log(2 * math.pi) - QUIET))
end

return Diffusion
