-- One step of the two-minute tour, frozen: the extractor and the four painters that examples/tour.lua trained when this
-- was written, with the critic's turn, all optimizers and the moving average. The example may change; what this
-- measures stays, so that commits can be compared. The reader, whose weights the critic begins with, has not learned.
local lt = require "laterna"
local step = require "spec.bench.step"
local nn = lt.nn

local SIZE <const>, CHANNELS <const>, WIDTH <const>, TEXT <const>, DETAIL <const> = 16, 3, 8, 32, 16
local RATE <const>, FROM_PRIOR <const>, DROP <const> = 24, 0.5, 0.1
local STEPS <const> = 1000 -- of the whole training: rates fall until then

local function coder(more)
  local o = { size = SIZE, channels = CHANNELS, width = 2 * WIDTH, levels = 2 }
  for key, v in pairs(more) do o[key] = v end
  return o
end

local function gaussian_error(self, painted, x)
  return self.likelihood(painted, x):mean() * (#x / x:numel())
end

-- A flow or a diffusion model, with a picture of what caption and detail let expect, which is compared as a VAE's is.
-- residual_scale: the painter paints what the sketch leaves, which is about so large; nil: the whole picture.
local Refiner = nn.class("BenchRefiner", function(self, painter, sketch, residual_scale)
  self.painter, self.sketch, self.likelihood = painter, sketch, lt.likelihood.Gaussian()
  self.residual_scale = residual_scale
end)

-- A flow takes its measure from the first x that it sees, and cannot sketch before.
function Refiner:loss(x, cond)
  local function sketched() return self.sketch(self.painter.net, cond:pooled(), cond.detail) end
  local sketch = self.residual_scale and sketched()
  local task = sketch and (x - sketch:detach()) * (1 / self.residual_scale) or x
  local loss, log = self.painter:loss(task, cond:limited(lt.condition.keys()))
  local bits = gaussian_error(self, sketch or sketched(), x) * (1 / math.log(2))
  log.sketch = bits:item()
  return loss + bits, log
end

function Refiner:sample(cond, options) return self.painter:sample(cond, options) end

local function flow()
  local net = lt.flow.layers.Sequence {
    lt.flow.layers.ConditionalAffine(SIZE * SIZE * CHANNELS, { text = TEXT, detail = DETAIL, bound = 4,
      net = nn.PictureDecoder(coder { detail = TEXT + DETAIL, channels = 2 * CHANNELS }) }),
    lt.flow.Glow { size = { SIZE, SIZE, CHANNELS }, levels = 2, steps = 4, hidden = 4 * WIDTH, text = 0, logit = false,
      bound = 1 },
  }
  return Refiner(lt.flow { size = { SIZE, SIZE, CHANNELS }, temperature = 0.15, net = net }, function(by, pooled, z)
    local n, cond = pooled:size(1), { pooled = pooled, detail = z }
    local quiet = by[2]:inverse(lt.zeros(1, SIZE * SIZE * CHANNELS), cond)
    return (by[1]:inverse(quiet:expand(n, SIZE, SIZE, CHANNELS), cond))
  end)
end

-- A U-Net that sees the sketch beside what is noised.
local Denoiser = nn.class("BenchDenoiser", function(self, unet, expect) self.unet, self.expect = unet, expect end)

function Denoiser:forward(x, t, cond)
  local sketch = lt.no_grad(self.expect, lt.cat({ cond.pooled, cond.detail }, 2))
  return self.unet(lt.cat({ x, sketch }, 4), t, cond)
end

local function diffusion()
  local net = Denoiser(
    nn.UNet { size = SIZE, channels = 2 * CHANNELS, out_channels = CHANNELS, width = 2 * WIDTH,
      multipliers = { 1, 2, 4 }, blocks = 1, text = TEXT, detail = DETAIL },
    nn.PictureDecoder(coder { detail = TEXT + DETAIL }))
  return Refiner(lt.diffusion { net = net, schedule = "cosine", predict = "v", pixels = false,
    time_sampler = lt.diffusion.time_sampler.logit_normal { mean = -0.5, std = 1.4 } },
    function(by, pooled, z) return by.expect(lt.cat({ pooled, z }, 2)) end, 0.2)
end

-- A game, and a comparison of what was painted of a detail with the picture that it is of.
local Playing = nn.class("BenchPlaying", function(self, game)
  self.game, self.critic, self.likelihood = game, game.critic, lt.likelihood.Gaussian()
end)

function Playing:condition_keys(fname) return self.game:condition_keys(fname) end

function Playing:loss(x, cond)
  local loss, log = self.game:loss(x, cond)
  local nll = gaussian_error(self, self.game.generator(cond.detail, cond:encode()), x)
  log.nll = nll:item()
  return loss + nll, log
end

function Playing:critic_loss(x, cond) return self.game:critic_loss(x, cond) end

function Playing:sample(cond, options) return self.game:sample(cond, options) end

function Playing:generator_parameters()
  local list = self.game:generator_parameters()
  return table.move(self.likelihood:parameters(), 1, #self.likelihood:parameters(), #list + 1, list)
end

local function Critic(captions)
  return lt.gan.Critic { text = lt.text.Encoder(captions, { dim = 64, depth = 1 }),
    net = nn.Critic { size = SIZE, channels = CHANNELS, multipliers = { 1, 2 }, block = "vgg", blocks = { 1, 2 },
      width = 16, text = 64 } }
end

local function gan(captions, reader)
  local critic = Critic(captions)
  critic:load_state(reader:state())
  return Playing(lt.gan {
    generator = nn.PictureDecoder(coder { detail = DETAIL, text = TEXT }), critic = critic,
    detail = DETAIL, r1 = 0.3, r2 = 0.3, penalty_every = 4, negatives = 2,
  })
end

-- An extractor that sees besides what the reader sees last.
local Looking = nn.class("BenchLooking", function(self, eyes, extractor)
  self.eyes, self.buffers, self.extractor = eyes, { eyes = true }, extractor
  local maps = eyes.body(lt.zeros(1, SIZE, SIZE, CHANNELS))
  local k = maps[#maps]:numel()
  self.norm, self.hidden = nn.LayerNorm(k), nn.Linear(k + TEXT, 16 * WIDTH)
  self.out = nn.Linear(16 * WIDTH, 2 * DETAIL)
end)

function Looking:forward(x, cond)
  local maps = lt.no_grad(self.eyes.body, x)
  local h = self.hidden(lt.cat({ self.norm(maps[#maps]:flatten(2)), cond.pooled }, 2))
  return self.extractor(x, cond) + self.out(lt.silu(h))
end

local NAMES <const> = { "vae", "flow", "diffusion", "gan" }

local Painters = nn.class("BenchPainters", function(self, captions)
  local reader = Critic(captions):frozen_view()
  local shared = {
    extractor = Looking(reader.net, nn.Extractor(coder { detail = DETAIL, text = TEXT })),
    text = lt.text.Encoder(captions, { dim = TEXT, depth = 2 }),
    prior = lt.prior.Flow(DETAIL, { text = TEXT, layers = 8 }),
    regulariser = lt.autoencoder.regulariser.kl { rate = RATE }, detail = DETAIL, drop = DROP,
  }
  self.shared = { shared.extractor, shared.text, shared.prior }
  local generators = {
    lt.vae { decoder = nn.PictureDecoder(coder { detail = DETAIL, text = TEXT }), detail = DETAIL },
    flow(), diffusion(), gan(captions, reader),
  }
  for i, name in ipairs(NAMES) do
    shared.generator = generators[i]
    self[name] = lt.autoencoder(shared)
  end
end)

-- Learning rates of Muon; the critic has Adam.
local RATES <const> = { extractor = 4e-3, vae = 4e-3, flow = 1e-2, diffusion = 4e-3, gan = 4e-3, critic = 1e-3 }

local function optimizers(model)
  local parameters = { extractor = nn.Sequential(table.unpack(model.shared)):parameters(),
    gan = model.gan.generator:generator_parameters(), critic = model.gan.generator.critic:parameters() }
  local all = {}
  for name, lr in pairs(RATES) do
    local rate = lt.optim.schedule.cosine(lr, STEPS, { warmup = 50, final = 0.02 * lr })
    parameters[name] = parameters[name] or model[name].generator:parameters()
    all[name] = name == "critic" and lt.optim.Adam(parameters.critic, { lr = rate, betas = { 0, 0.99 } }) or
                lt.optim.Muon(parameters[name], { lr = rate })
  end
  local critic = all.critic
  all.critic, parameters.critic = nil, nil
  return all, parameters, critic
end

-- Each painter's loss is divided by the length of its gradient at the detail, a running mean.
local function weigh(lengths, number, name, loss, z)
  if number <= 100 or number % 10 == 0 or not lengths[name] then
    local now = lt.grad(loss, { z }, { retain_graph = true })[1]:norm():item()
    lengths[name] = lengths[name] and 0.8 * lengths[name] + 0.2 * now or now
  end
  return loss * (1 / math.max(lengths[name], 1e-6))
end

local function minimise(loss, all, parameters)
  for _, optimizer in pairs(all) do optimizer:zero_grad() end
  loss:backward()
  for _, list in pairs(parameters) do lt.optim.clip_norm(list, 1) end
  for _, optimizer in pairs(all) do optimizer:step() end
end

local tour = {}

--- Scenes as the tour draws them.
function tour.scenes(n)
  return lt.data.scenes { n = n, size = SIZE, objects = 1, seed = 1, textures = { "plain" }, sizes = { "large" },
    shapes = { "circle", "square", "star", "heart", "ring" },
    colours = { "red", "yellow", "green", "blue", "white" },
    backgrounds = { "day sky", "night sky", "grass", "sand" } }
end

--- train(number, batch) makes the step of that number and returns what the example logged; the model comes with it.
function tour.training(captions)
  local model = Painters(captions)
  local ema = lt.optim.Ema(model, 0.995)
  local all, parameters, critic = optimizers(model)
  local first, lengths = model.vae, {}
  return function(number, batch)
    local x, log = batch.x, {}
    local function note(prefix, numbers)
      for key, v in pairs(numbers) do log[prefix .. key] = v end
    end
    first.regulariser.rate = RATE * 5 ^ math.max(0, 1 - number / STEPS / 0.7)
    local posterior = first:extract(x, { text = batch.captions })
    local cond = { posterior = posterior }
    local game = { text = batch.captions, posterior = posterior, from_prior = FROM_PRIOR }
    local loss, numbers = model.gan:critic_loss(x, game)
    minimise(loss, { critic }, {})
    note("", numbers)
    local sum = 0
    for _, name in ipairs(NAMES) do
      loss, numbers = model[name]:loss(x, name == "gan" and game or cond)
      sum = sum + weigh(lengths, number, name, loss, posterior.z)
      note(name .. "_", numbers)
    end
    loss, numbers = first:penalty(posterior, { loss = #NAMES })
    note("", numbers)
    minimise(sum + loss, all, parameters)
    ema:update()
    return log
  end, model
end

--- The workload: batches are drawn beforehand, with their captions. Every fourth step has penalties and every tenth
-- weighs the losses, so one call makes 20 steps, of those after the first hundred.
function tour.workload(batch)
  return function()
    local scenes, batches = tour.scenes(20 * batch), {}
    local source, number = scenes:batches(batch, { seed = 1 }), 100
    for i = 1, 20 do batches[i] = source:next() end
    local train, model = tour.training(scenes.captions)
    return function()
      for _, drawn in ipairs(batches) do
        number = number + 1
        train(number, drawn)
      end
    end, step.count(model), 20
  end
end

return tour
