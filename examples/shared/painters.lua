-- Four painters of the same pictures, one of each family. All get caption and detail and compare pictures in their
-- own way. `painters.vae(o)` gives a generator for lt.autoencoder, `painters.vae(o, text)`, with a text encoder, one
-- that paints without an extractor. o: size, channels, width, text (of a caption's vectors), detail (of what the
-- extractor writes), rate (nats in it), prior ("flow" or "diffusion"), drop, nll_weight (beside the gan's game),
-- captions (whose words are read), extractor, reader (of reader.lua, as whom the gan's critic begins).
local lt = require "laterna"
local nn = lt.nn
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local reader = dofile(here .. "reader.lua")
local painters = { names = { "vae", "flow", "diffusion", "gan" } }

local function shape_of(o, more)
  local shape = { size = o.size, channels = o.channels, width = 2 * o.width }
  for key, v in pairs(more) do shape[key] = v end
  return shape
end

-- Encoders and decoders halve a picture twice.
local function coder_of(o, more)
  local shape = shape_of(o, more)
  shape.levels = 2
  return shape
end

local function encoder(o) return lt.text.Encoder(o.captions, { dim = o.text, depth = 2 }) end

-- A decoder says at once what is likeliest. Alone it needs an encoder in training, as VAEs do.
function painters.vae(o, text)
  return lt.vae { decoder = nn.PictureDecoder(coder_of(o, { detail = o.detail, text = o.text })), detail = o.detail,
    encoder = text and nn.PictureEncoder(coder_of(o, { outputs = 2 * o.detail, text = o.text })) or nil, text = text }
end

-- How far what was painted is from x, a mean over pictures and numbers, in nats: as cond.likelihood sees it, or as the
-- painter's own does.
local function nll(own, painted, x, cond)
  return (cond.likelihood or own)(painted, x, own):mean() * (#x / x:numel())
end

-- What a picture shows is a few nats, grain is thousands, and noise hides neither, so a likelihood or a denoising error
-- hardly notices the first. So what caption and detail let expect is a picture too, a sketch, which is compared as a
-- VAE compares; the flow or the diffusion begins where it ends. `painter` is the family; sketch(net, text, detail) the
-- picture by its net, or by a copy's, as is the one of averaged weights; `residual_scale`: the painter paints what the
-- sketch leaves, and that is about so large; `residual_gain`: of which so much is painted in the end.
local Refiner = nn.class("Refiner", function(self, painter, sketch, residual_scale, residual_gain)
  self.painter, self.sketch, self.likelihood = painter, sketch, lt.likelihood.Gaussian()
  self.residual_scale, self.residual_gain = residual_scale, residual_gain
end)

local PLAIN, COMPARED = lt.condition.keys(), lt.condition.keys { likelihood = "callable" }

function Refiner:condition_keys(fname)
  return fname == "sample" and self.painter:condition_keys(fname) or COMPARED
end

local function sketched(self, cond)
  return self.sketch(self.painter.net, cond:pooled(self.painter.text), cond.detail)
end

-- A flow takes its measure from the first x that it sees, and cannot sketch before.
function Refiner:loss(x, cond)
  cond = lt.condition.read("loss", 2, cond, COMPARED, x:size(1))
  local sketch = self.residual_scale and sketched(self, cond)
  local task = sketch and (x - sketch:detach()) * (1 / self.residual_scale) or x
  local loss, log = self.painter:loss(task, cond:limited(PLAIN):settle())
  sketch = sketch or sketched(self, cond)
  local bits = nll(self.likelihood, sketch, x, cond) * (1 / math.log(2))
  log.sketch = bits:item()
  return loss + bits, log
end

function Refiner:sample(cond, options)
  cond = lt.condition.read("sample", 1, cond, self:condition_keys "sample")
  local painted = self.painter:sample(cond, options)
  if not self.residual_scale then return painted end
  local sketch = lt.no_grad(sketched, self, cond)
  return (sketch + painted * (self.residual_scale * self.residual_gain)):clamp(-1, 1)
end

function Refiner:rsample(cond)
  return sketched(self, lt.condition.read("rsample", 1, cond, self:condition_keys "sample"))
end

local function both(pooled, detail) return detail and lt.cat({ pooled, detail }, 2) or pooled end

-- The first layer takes from a picture what is expected; a Glow makes noise of what remains, which is grain, as nobody
-- can tell. The sketch is what no noise at all paints; louder noise paints over small things, but where there is no
-- detail the noise is all that makes one picture differ from another.
function painters.flow(o, text)
  local h, c, width = o.size, o.channels, text and o.text or 0
  local size, detail = { h, h, c }, text and 0 or o.detail
  local net = lt.flow.layers.Sequence {
    lt.flow.layers.ConditionalAffine(h * h * c, { text = o.text, detail = detail, bound = 4,
      net = nn.PictureDecoder(coder_of(o, { detail = o.text + detail, channels = 2 * c })) }),
    lt.flow.Glow { size = size, levels = 2, steps = 4, hidden = 4 * o.width, text = width, logit = false, bound = 1 },
  }
  local function sketch(by, pooled, z)
    local n, cond = pooled:size(1), { pooled = pooled, detail = z }
    local quiet = by[2]:inverse(lt.zeros(width > 0 and n or 1, h * h * c), cond)
    return (by[1]:inverse(quiet:expand(n, h, h, c), cond))
  end
  return Refiner(lt.flow { size = size, text = text, temperature = text and 1 or 0.15, net = net }, sketch)
end

-- A U-Net that sees the sketch beside what is noised.
local Denoiser = nn.class("Denoiser", function(self, unet, expect) self.unet, self.expect = unet, expect end)

function Denoiser:forward(x, t, cond)
  local sketch = lt.no_grad(self.expect, both(cond.pooled, cond.detail))
  return self.unet(lt.cat({ x, sketch }, 4), t, cond)
end

-- A U-Net takes noise away, a little at a time, from what the sketch leaves (predict and refine: Whang et al. 2022,
-- arXiv 2112.02475). Half of it is painted: grain is to be seen and not to hide what it lies on, as with the flow.
-- Without a detail a sketch leaves nearly everything, and the whole picture is painted.
function painters.diffusion(o, text)
  local detail = text and 0 or o.detail
  local net = Denoiser(
    nn.UNet(shape_of(o, { channels = 2 * o.channels, out_channels = o.channels, multipliers = { 1, 2, 4 }, blocks = 1,
      text = o.text, detail = detail })),
    nn.PictureDecoder(coder_of(o, { detail = o.text + detail })))
  local diffusion = lt.diffusion { net = net, text = text, schedule = "cosine", predict = "v",
    pixels = text ~= nil, time_sampler = lt.diffusion.time_sampler.logit_normal { mean = -0.5, std = 1.4 } }
  local residual_scale = not text and 0.2 or nil
  return Refiner(diffusion, function(by, pooled, z) return by.expect(both(pooled, z)) end, residual_scale, 0.5)
end

-- A game, and a comparison of what was painted of a detail with the picture that it is of; `weight` of the second.
local Playing = nn.class("Playing", function(self, game, weight)
  self.game, self.critic, self.weight, self.likelihood = game, game.critic, weight, lt.likelihood.Gaussian()
end)

function Playing:condition_keys(fname) return lt.condition.joined(COMPARED, self.game:condition_keys(fname)) end

-- The condition with its likelihood, and as the game takes it.
local function conditions(self, fname, x, cond)
  cond = lt.condition.read(fname, 2, cond, self:condition_keys "loss", x:size(1))
  return cond, cond:limited(self.game:condition_keys "loss")
end

function Playing:loss(x, cond)
  local played
  cond, played = conditions(self, "loss", x, cond)
  local loss, log = self.game:loss(x, played)
  local nats = nll(self.likelihood, self.game.generator(cond.detail, cond:encode()), x, cond)
  log.nll = nats:item()
  return loss + nats * self.weight, log
end

function Playing:critic_loss(x, cond)
  return self.game:critic_loss(x, select(2, conditions(self, "critic_loss", x, cond)))
end

function Playing:sample(cond, options) return self.game:sample(cond, options) end

function Playing:rsample(cond, options) return self.game:rsample(cond, options) end

function Playing:generator_parameters()
  local list = self.game:generator_parameters()
  for _, p in ipairs(self.likelihood:parameters()) do list[#list + 1] = p end
  return list
end

-- The detail takes the place of noise. A critic, which has learned to read before, judges pictures with their captions.
function painters.gan(o, text)
  local critic = o.reader.new()
  critic:load_state(o.reader.critic:state())
  local game = lt.gan {
    generator = nn.PictureDecoder(coder_of(o, { detail = o.detail, text = o.text })), critic = critic,
    text = text, detail = o.detail, r1 = 0.3, r2 = 0.3, penalty_every = 4, negatives = 2,
  }
  return text and game or Playing(game, o.nll_weight)
end

-- What one training makes: an autoencoder for each name, all with the same extractor, text encoder, prior, regulariser
-- and teller. With o.extractor = false the painters by themselves.
painters.Model = nn.class("Painters", function(self, names, o)
  if not o.extractor then
    for _, name in ipairs(names) do self[name] = painters[name](o, encoder(o)) end
    return
  end
  local sees = coder_of(o, { detail = o.detail, text = o.text })
  local shared = {
    extractor = reader.looking(o.reader.critic, nn.Extractor(sees), sees),
    text = encoder(o), prior = o.prior == "diffusion" and lt.prior.Diffusion(o.detail, { text = o.text })
      or lt.prior.Flow(o.detail, { text = o.text, layers = 8 }),
    regulariser = lt.autoencoder.regulariser.kl { rate = o.rate }, detail = o.detail, drop = o.drop,
  }
  self.teller = o.reader.teller and (o.tell or 0) > 0 and o.reader.teller(o.text + o.detail) or nil
  self.shared = { shared.extractor, shared.text, shared.prior, self.teller }
  for _, name in ipairs(names) do
    shared.generator = painters[name](o)
    self[name] = lt.autoencoder(shared)
  end
end)

-- What the painters need to know of a data set. o: data ("scenes" or "fashion_mnist"), pictures, samples, seed,
-- reading, out. Sets size, channels, captions and reader; returns the data sets for training and test.
function painters.study(o)
  local train, test
  if o.data == "scenes" then
    train = lt.data.scenes { n = o.pictures, objects = 1, seed = o.seed }
    test = lt.data.scenes { n = o.samples, objects = 1, seed = o.seed + 1000 }
  else
    train, test = lt.data.fashion_mnist "train", lt.data.fashion_mnist("test"):subset(1, o.samples)
  end
  o.size, o.channels, o.captions = train.images:size(2), train.images:size(4), train.captions
  o.reader = reader.learned(train, { reading = o.reading, seed = o.seed,
    keep = o.out .. "/" .. o.data .. "_reader.safetensors", quiet = o.quiet })
  return train, test
end

-- A model's weights, and with which options it was made.
function painters.save(path, model, names, o)
  local about = { names = table.concat(names, " ") }
  for key, v in pairs(o) do
    if type(v) ~= "table" then about[key] = ("%s %s"):format(math.type(v) or type(v), v) end
  end
  lt.save(path, model:state(), about)
end

local READ = { string = tostring, integer = math.tointeger, float = tonumber,
  boolean = function(said) return said == "true" end }

-- One painter of a file: the autoencoder, or the family where there was no extractor.
function painters.load(path, name)
  local about = lt.inspect(path).metadata
  local o, names, said = {}, {}, about.names or error(path .. " is not a file of extractor.lua's", 0)
  about.names = nil
  for key, v in pairs(about) do
    local kind, text = v:match "^(%a+) (.*)$"
    if READ[kind] then o[key] = READ[kind](text) end
  end
  for each in said:gmatch "%a+" do names[#names + 1] = each end
  painters.study(o)
  local model = painters.Model(names, o)
  model:load_state(lt.load(path))
  return assert(model[name or names[1]], "no such painter in " .. path):eval():freeze()
end

return painters
