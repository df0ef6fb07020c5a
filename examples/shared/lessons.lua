-- How the painters of painters.lua are taught: lessons(model, names, length) has the optimizers, as lt.train.run takes
-- them, and step(number, batch, o, data), which gives numbers to log. length: steps or a budget. One painter or
-- several, with an extractor or without: the same loop.
local lt = require "laterna"
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local promises, rate_schedule = dofile(here .. "promises.lua"), dofile(here .. "rate_schedule.lua")

-- Learning rates of Muon that suit each; a critic has Adam, and so has a generator that does nothing but play.
local RATES = { extractor = 4e-3, vae = 4e-3, flow = 1e-2, diffusion = 4e-3, gan = 4e-3, critic = 1e-3 }

local function optimizers(model, names, length)
  local all, clipped = {}, {}
  local warmup = math.min(50, type(length) == "number" and length // 10 or 50)
  local function rate(name)
    local lr = RATES[name]
    return lt.optim.schedule.cosine(lr, length, { warmup = warmup, final = 0.02 * lr })
  end
  local function muon(name, parameters)
    clipped[#clipped + 1] = parameters
    all[name] = lt.optim.Muon(parameters, { lr = rate(name) })
  end
  if model.shared then muon("extractor", lt.nn.Sequential(table.unpack(model.shared)):parameters()) end
  for _, name in ipairs(names) do
    local painter = model.shared and model[name].generator or model[name]
    if name == "gan" then
      local how = { lr = rate "critic", betas = { 0, 0.99 } }
      all.critic = lt.optim.Adam(painter.critic:parameters(), how)
      if model.shared then
        muon("gan", painter:generator_parameters())
      else
        all.gan = lt.optim.Adam(painter:generator_parameters(), how)
      end
    else
      muon(name, painter:parameters())
    end
  end
  return all, clipped
end

-- The painters' losses have units of their own. Where several teach one extractor, none shall be louder: each one's
-- loss is divided by the length of its gradient at the detail, a running mean, for a net that starts at zero says
-- nothing at first.
local function weigh(length, number, name, loss, z)
  if number <= 100 or number % 10 == 0 or not length[name] then
    local now = lt.grad(loss, { z }, { retain_graph = true })[1]:norm():item()
    length[name] = length[name] and 0.8 * length[name] + 0.2 * now or now
  end
  return loss * (1 / math.max(length[name], 1e-6))
end

-- One step. o.extractor; o.from_prior: part of the critic's pictures that are painted from details at random; o.reader,
-- and o.feature_part and o.pooled_part, the parts that its features, and among them the pooled ones, have in painters'
-- likelihoods; batch.negatives: wrong captions for the critic, or nil; what the teller is short of (reader.lua) costs
-- o.tell times what the detail does, and what edits are (promises.lua, one painter's a step) o.edit times. data: of
-- which the batch is, with its words.
local function step(self, number, batch, o, data)
  local model, names, x = self.model, self.names, batch.x
  local first, cond, extracted, log = model[names[1]], { text = batch.captions }, nil, {}
  if o.extractor then
    local length = self.length
    first.regulariser.rate = rate_schedule(o.rate, type(length) == "number" and number / length or length:done())
    extracted = first:extract(x, cond)
    cond = { posterior = extracted }
  end
  cond.likelihood = o.feature_part > 0 and o.reader.eye(batch.captions, o.feature_part, o.pooled_part) or nil
  local game = { text = cond.text, posterior = extracted, from_prior = extracted and o.from_prior,
    negatives = batch.negatives, likelihood = extracted and cond.likelihood or nil } -- a game alone compares nothing
  local function note(prefix, numbers)
    for key, v in pairs(numbers) do log[prefix .. key] = v end
  end
  if model.gan then note("", self.optimizers.critic:update(model.gan:critic_loss(x, game))) end
  local sum = 0
  for _, name in ipairs(names) do
    local loss, said = model[name]:loss(x, name == "gan" and game or cond)
    sum = sum + (#names > 1 and extracted and weigh(self.lengths, number, name, loss, extracted.z) or loss)
    note(name .. "_", said)
  end
  if extracted then
    local cost, said = first:penalty(extracted, { loss = #names > 1 and #names or sum })
    sum = sum + cost
    note("", said)
    if model.teller then
      log.untold = model.teller:loss(extracted, data, batch.index)
      sum = sum + log.untold * (o.tell * said.beta)
    end
    if o.reader.misread and (o.edit or 0) > 0 then
      log.misread = promises(model[names[number % #names + 1]], extracted, o.reader.misread, data, batch.index,
        lt.default_generator())
      sum = sum + log.misread * (o.edit * said.beta)
    end
  end
  local critic = self.optimizers.critic
  for _, optimizer in pairs(self.optimizers) do
    if optimizer ~= critic then optimizer:zero_grad() end
  end
  sum:backward()
  for _, parameters in ipairs(self.clipped) do lt.optim.clip_norm(parameters, 1) end
  for _, optimizer in pairs(self.optimizers) do
    if optimizer ~= critic then optimizer:step() end
  end
  log.loss = sum
  return log
end

return function(model, names, length)
  local all, clipped = optimizers(model, names, length)
  return { model = model, names = names, optimizers = all, clipped = clipped, lengths = {}, length = length,
    step = step }
end
