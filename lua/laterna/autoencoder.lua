--- The extractor and a generator, trained together. A caption never says all that a picture shows; the extractor looks
-- at picture + caption and writes down the rest, the detail, and the generator must paint the picture back from caption
-- + detail. With no picture to look at, the detail is drawn at random.
--
--   loss = generator:loss(x, {text, detail = z}) + beta KL(q(z | x, caption) || N(0, I)),   z drawn from q
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

local function is_module(v)
  return nn.is_module(v), "a module"
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
--  - beta=1: price of the detail; free=0: free nats a coordinate
-- @treturn autoencoder
local Autoencoder = nn.class("autoencoder", function(self, options)
  local o = check.options("autoencoder", 1, options, {
    extractor = { is_module, required = true }, generator = { is_generator, required = true }, text = is_module,
    detail = { "integer", required = true, min = 1 }, beta = { "number", 1, min = 0 }, free = { "number", 0, min = 0 },
  })
  for key, value in pairs(o) do self[key] = value end
end)

local function extract(self, x, text)
  return self.extractor(x, text and text.pooled):chunk(2, -1)
end

local function check_picture(fname, x)
  if check.type(fname, 1, "x", x, "tensor"):dim() ~= 4 then
    check.fail(fname, 1, "x: expected pictures (n,h,w,c), got %d axes", x:dim())
  end
end

--- What to minimise: a scalar, and numbers to log (the generator's, and kl: nats a picture in the detail).
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam table cond text; beta for this step (warm-up); generator for the draw
-- @treturn Tensor
-- @treturn table
function Autoencoder:loss(x, cond)
  check_picture("loss", x)
  cond = cond or {}
  local text = condition.text("loss", 2, self.text, cond, x:size(1))
  local mu, logvar = extract(self, x, text)
  local z = detail.draw(mu, logvar, cond.generator)
  local loss, log = self.generator:loss(x, { text = text, detail = z, generator = cond.generator })
  local price, kl = detail.price(mu, logvar, self.free)
  log.kl = kl:item()
  return loss + price * (cond.beta or self.beta), log
end

--- The detail that the extractor sees: mean and log-variance.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text
-- @treturn Tensor mu (n,d)
-- @treturn Tensor logvar (n,d)
function Autoencoder:encode(x, cond)
  check_picture("encode", x)
  return condition.quietly(self, function()
    return extract(self, x, condition.text("encode", 2, self.text, cond, x:size(1)))
  end)
end

--- Pictures from captions and details; the detail is drawn from N(0, I) where it is not given.
-- @tparam table cond n, text, detail
-- @tparam[opt] table options temperature=1 (scales the drawn detail), generator; others are the generator's
-- @treturn Tensor (n,h,w,c) in [-1,1]
function Autoencoder:sample(cond, options)
  local n = condition.count("sample", 1, cond)
  local passed = {}
  for key, value in pairs(check.type("sample", 2, "options", options or {}, "table")) do passed[key] = value end
  local temperature = check.number("sample", 2, "temperature", passed.temperature or 1, 0)
  passed.temperature = nil
  local z = cond and cond.detail or core.randn(n, self.detail, { generator = passed.generator }) * temperature
  local text = condition.quietly(self, condition.text, "sample", 1, self.text, cond, n)
  return self.generator:sample({ n = n, text = text, detail = z }, passed)
end

--- Pictures painted again from their captions and the details that the extractor saw in them.
-- @tparam Tensor x (n,h,w,c)
-- @tparam[opt] table cond text; another caption than the picture's own repaints it as that
-- @tparam[opt] table options the generator's
-- @treturn Tensor (n,h,w,c)
function Autoencoder:reconstruct(x, cond, options)
  check_picture("reconstruct", x)
  check.type("reconstruct", 2, "cond", cond, "table|nil")
  return self:sample({ n = x:size(1), text = cond and cond.text, detail = (self:encode(x, cond)) }, options)
end

--- The way from one picture to another through their details, under one caption.
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
  local z = self:encode(core.stack { a, b }, caption and { text = { caption, caption } })
  local captions
  if caption then
    captions = {}
    for i = 1, steps do captions[i] = caption end
  end
  return self:sample { n = steps, text = captions, detail = detail.between(z[1], z[2], steps) }
end

return Autoencoder
