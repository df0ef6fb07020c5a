--- The extractor and a generator, trained together. A caption never says all that a picture shows; the extractor looks
-- at picture + caption and writes down the rest, the detail, and the generator must paint the picture back from caption
-- + detail. With no picture to look at, the detail is drawn at random: from N(0, I), or from a prior learned along.
--
--   loss = generator:loss(x, {text, detail = z}) + beta KL(q(z | x, caption) || p(z | caption)),   z drawn from q
--
-- What the generator compares is its own business. One text encoder serves both.
--
--     local ae = lt.autoencoder {
--       extractor = nn.PictureEncoder(2 * 16, { condition = 64 }),
--       generator = lt.vae { decoder = nn.PictureDecoder(16, 1, { condition = 64 }), detail = 16 },
--       detail = 16, text = lt.text.Encoder(captions),
--     }
-- @module laterna.autoencoder
local check = require "laterna.check"
local condition = require "laterna.condition"
local core = require "laterna.core"
local detail = require "laterna.detail"
local nn = require "laterna.nn"

local function is_prior(v)
  return nn.is_module(v) and type(v.log_prob) == "function" and type(v.draw) == "function",
    "a prior: a module with log_prob and draw"
end

local function is_generator(v)
  return nn.is_module(v) and type(v.loss) == "function" and type(v.sample) == "function",
    "a generator: a module with loss and sample"
end

--- An auto-encoder: `lt.autoencoder(options)`.
-- @function autoencoder
-- @tparam table options
--
--  - extractor: module, (x, caption vector (n,k) or nil) -> (n,2d): mu beside logvar of the detail
--  - generator: any family that takes cond.text and cond.detail
--  - detail: d, the size of the detail
--  - text: a text encoder; without one captions are ignored
--  - prior: a module with log_prob(z, c) and draw(u, c), such as lt.prior.Flow; N(0, I) without one
--  - beta=1: price of the detail; free=0: free nats a coordinate (for N(0, I) only)
-- @treturn autoencoder
local Autoencoder = nn.class("autoencoder", function(self, options)
  local o = check.options("autoencoder", 1, options, {
    extractor = { nn.module_rule, required = true }, generator = { is_generator, required = true },
    text = nn.module_rule, detail = { "integer", required = true, min = 1 }, beta = { "number", 1, min = 0 },
    free = { "number", 0, min = 0 }, prior = is_prior,
  })
  for key, value in pairs(o) do self[key] = value end
end)

local function extract(self, x, text)
  return self.extractor(x, text and text.pooled):chunk(2, -1)
end

-- Noise (n,d) ~ N(0, I) to details and back. The two are the same where no prior was learned.
local function from_noise(self, u, text)
  return self.prior and self.prior:draw(u, text and text.pooled) or u
end

local function to_noise(self, z, text)
  if not self.prior then return z end
  local _, u = self.prior:log_prob(z, text and text.pooled)
  return u
end

-- What the draw z from (mu, logvar) costs, and the KL divergence in nats a picture.
local function price(self, z, mu, logvar, text)
  if not self.prior then return detail.price(mu, logvar, self.free) end
  local kl = detail.price_under(z, logvar, self.prior, text and text.pooled)
  return kl, kl
end

--- What to minimise: a scalar, and numbers to log (the generator's, and kl: nats a picture in the detail).
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam table cond text; beta for this step (warm-up); generator for the draw; likelihood for a generator that takes
-- one (vae)
-- @treturn Tensor
-- @treturn table
function Autoencoder:loss(x, cond)
  condition.pictures("loss", x)
  cond = cond or {}
  local text = condition.text("loss", 2, self.text, cond, x:size(1))
  local mu, logvar = extract(self, x, text)
  local z = detail.draw(mu, logvar, cond.generator)
  local loss, log = self.generator:loss(x, {
    text = text, detail = z, generator = cond.generator, likelihood = cond.likelihood,
  })
  local paid, kl = price(self, z, mu, logvar, text)
  log.kl = kl:item()
  return loss + paid * (cond.beta or self.beta), log
end

--- The detail that the extractor sees: mean and log-variance.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor mu (n,d)
-- @treturn Tensor logvar (n,d)
function Autoencoder:encode(x, cond)
  condition.pictures("encode", x)
  return condition.quietly(self, function()
    return extract(self, x, condition.text("encode", 2, self.text, cond, x:size(1)))
  end)
end

-- What the generator is told, and the options that are its own. The noise is drawn here, and nothing that a picture's
-- judge says reaches the prior.
local function told(fname, self, cond, options)
  local n = condition.count(fname, 1, cond)
  local passed = {}
  for key, value in pairs(check.type(fname, 2, "options", options or {}, "table")) do passed[key] = value end
  local temperature = check.number(fname, 2, "temperature", passed.temperature or 1, 0)
  passed.temperature = nil
  local text = condition.text(fname, 1, self.text, cond, n)
  local z = cond and cond.detail
  if not z then
    local u = core.randn(n, self.detail, { generator = passed.generator }) * temperature
    z = condition.quietly(self, from_noise, self, u, text)
  end
  return { n = n, text = text, detail = z }, passed
end

--- Pictures from captions and details; the detail is drawn at random where it is not given. Painted in evaluation mode,
-- nothing recorded.
-- @tparam table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the noise that becomes the detail), generator; others are the
-- generator's
-- @treturn Tensor (n,h,w,c) in [-1,1]
function Autoencoder:sample(cond, options)
  return self.generator:sample(condition.quietly(self, told, "sample", self, cond, options))
end

--- The same in training mode and recorded, so that whoever judges the pictures can teach the generator. For generators
-- that can paint so.
-- @tparam table cond n, text, detail
-- @tparam[opt] table options as for sample
-- @treturn Tensor (n,h,w,c)
function Autoencoder:paint(cond, options)
  if type(self.generator.paint) ~= "function" then
    check.fail("paint", nil, "self: this generator cannot paint and be recorded")
  end
  return self.generator:paint(told("paint", self, cond, options))
end

--- Pictures painted again from their captions and the details that the extractor saw in them.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text; another caption than the picture's own repaints it as that
-- @tparam[opt] table options the generator's
-- @treturn Tensor (n,h,w,c)
function Autoencoder:reconstruct(x, cond, options)
  condition.pictures("reconstruct", x)
  check.type("reconstruct", 2, "cond", cond, "table|nil")
  return self:sample({ n = x:size(1), text = cond and cond.text, detail = (self:encode(x, cond)) }, options)
end

--- The way from one picture to another through the noise that their details come from, under one caption.
-- @tparam Tensor a (h,w,c)
-- @tparam Tensor b (h,w,c)
-- @tparam integer steps pictures, the two ends included
-- @tparam[opt] table cond text: one caption
-- @treturn Tensor (steps,h,w,c)
function Autoencoder:interpolate(a, b, steps, cond)
  check.type("interpolate", 1, "a", a, "tensor")
  check.type("interpolate", 2, "b", b, "tensor")
  check.integer("interpolate", 3, "steps", steps, 2, 1 << 16)
  check.type("interpolate", 4, "cond", cond, "table|nil")
  local caption = cond and cond.text and cond.text[1]
  local function said(n)
    local list = {}
    for i = 1, n do list[i] = caption end
    return { n = n, text = caption and list or nil }
  end
  local z = self:encode(core.stack { a, b }, said(2))
  return condition.quietly(self, function()
    local u = to_noise(self, z, condition.text("interpolate", 4, self.text, said(2), 2))
    local way = said(steps)
    way.detail = from_noise(self, detail.between(u[1], u[2], steps),
      condition.text("interpolate", 4, self.text, way, steps))
    return self:sample(way)
  end)
end

return Autoencoder
