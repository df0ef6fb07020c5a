-- Four painters of the same pictures, one of each family. All are told caption and detail and compare pictures in their
-- own way. `painters.vae(o)` gives a generator for lt.autoencoder, `painters.vae(o, text)`, with a text encoder, one
-- that paints without an extractor. o: size, channels, width, text (of a caption's vectors), detail (of what the
-- extractor writes), rate (nats in it), prior ("flow" or "diffusion"), drop, compare (weight), captions (whose words
-- are read), extractor.
local lt = require "laterna"
local nn = lt.nn
local painters = { names = { "vae", "flow", "diffusion", "gan" } }

local function shape_of(o, more)
  local shape = { size = o.size, channels = o.channels, width = 2 * o.width }
  for key, v in pairs(more) do shape[key] = v end
  return shape
end

-- How often an encoder or decoder halves a picture: 32 to 4, 28 to 7, 16 to 4.
local function levels_of(o)
  return o.size % 32 == 0 and 3 or 2
end

local function encoder(o) return lt.text.Encoder(o.captions, { dim = o.text, depth = 2 }) end

-- A decoder says at once what is likeliest. Alone it needs an encoder in training, as VAEs do.
function painters.vae(o, text)
  local shape = shape_of(o, { levels = levels_of(o), condition = o.text })
  return lt.vae { decoder = nn.PictureDecoder(o.detail, o.channels, shape), detail = o.detail, text = text,
    encoder = text and nn.PictureEncoder(2 * o.detail, shape) or nil }
end

-- A likelihood hardly notices what a picture shows: that is a few nats, and grain is thousands. So what the flow's
-- first layer expects is compared with the picture by itself too, as a VAE compares.
local Sketching = nn.class("Sketching", function(self, flow)
  self.flow, self.compare = flow, lt.likelihood.Gaussian()
end)

function Sketching:loss(x, cond)
  local flow = self.flow
  local text = cond.text.pooled and cond.text or flow.text(cond.text)
  local loss, log = flow:loss(x, { text = text, detail = cond.detail })
  local expected = flow.net[1].net(cond.detail and lt.cat({ text.pooled, cond.detail }, 2) or text.pooled):chunk(2, 4)
  local bits = self.compare(expected, x):mean() * (1 / (flow.d * math.log(2)))
  log.sketch = bits:item()
  return loss + bits, log
end

function Sketching:sample(cond, options) return self.flow:sample(cond, options) end

-- The first layer takes from a picture what caption and detail let expect; a Glow makes noise of what remains.
function painters.flow(o, text)
  local size, detail = { o.size, o.size, o.channels }, text and 0 or o.detail
  local expect = nn.PictureDecoder(o.text + detail, 2 * o.channels, shape_of(o, { levels = levels_of(o) }))
  return Sketching(lt.flow {
    size = size, text = text, temperature = 0.5,
    net = lt.flow.layers.Sequence {
      lt.flow.layers.ConditionalAffine(o.size * o.size * o.channels,
        { text = o.text, detail = detail, net = expect, bound = 4 }),
      lt.flow.Glow { size = size, levels = 2, steps = 4, hidden = 4 * o.width, text = o.text, detail = detail,
        logit = false, bound = 1 },
    },
  })
end

-- A U-Net takes noise away, a little at a time.
function painters.diffusion(o, text)
  return lt.diffusion {
    net = nn.UNet(shape_of(o, { multipliers = { 1, 2, 4 }, blocks = 1, text = o.text,
      detail = text and 0 or o.detail })),
    text = text, schedule = "cosine", predict = "v", draw = lt.diffusion.draw.logit_normal { mean = -0.5, std = 1.4 },
  }
end

-- The detail takes the place of noise. A critic judges pictures with their captions; what it sees in a picture and in
-- the same picture painted again is compared.
function painters.gan(o, text)
  local multipliers = { 1, 2, levels_of(o) == 3 and 4 or nil }
  local shape = shape_of(o, { block = "dcgan", multipliers = multipliers, text = o.text })
  local critic = lt.gan.Critic { net = nn.Critic(shape), text = encoder(o) }
  shape.detail = o.detail
  return lt.gan { generator = nn.Generator(shape), critic = critic, text = text, detail = o.detail, r1 = 10, r2 = 10,
    penalty_every = 2, compare = not text and o.compare or nil }
end

-- What one training makes: an autoencoder for each name, all with the same extractor, text encoder, prior and price.
-- With o.extractor = false the painters by themselves.
painters.Model = nn.class("Painters", function(self, names, o)
  if not o.extractor then
    for _, name in ipairs(names) do self[name] = painters[name](o, encoder(o)) end
    return
  end
  local shared = {
    extractor = nn.Extractor(shape_of(o, { levels = levels_of(o), detail = o.detail, text = o.text })),
    text = encoder(o), prior = o.prior == "diffusion" and lt.prior.Diffusion(o.detail, { condition = o.text })
      or lt.prior.Flow(o.detail, { condition = o.text, layers = 8 }),
    price = lt.autoencoder.price.kl { rate = o.rate }, detail = o.detail, drop = o.drop,
  }
  self.shared = { shared.extractor, shared.text, shared.prior }
  for _, name in ipairs(names) do
    shared.generator = painters[name](o)
    self[name] = lt.autoencoder(shared)
  end
end)

return painters
