-- The prior has the last word. While all else is learning, what the extractor writes is never the same twice, and the
-- prior, which sees a batch of it a step, runs after it. When the rest is done, it can be fitted to all of it (in two
-- stages: Dai and Wipf 2019, arXiv 1903.05789); details drawn at random are then more like those of pictures.
local lt = require "laterna"
local detail = require "laterna.detail"
local LOOKED_AT, BATCH, RATE = 30000, 256, 2e-3

-- What the extractor writes of many pictures: mu, logvar, and the captions' vectors, a part of the captions left out.
local function written(ae, data, drop, g)
  local mu, logvar, pooled, n = {}, {}, {}, 0
  for batch in data:batches(math.min(100, #data), { seed = 1, epochs = 1 }) do
    local said = {}
    for i, caption in ipairs(batch.captions) do said[i] = g:uniform() < drop and "" or caption end
    local extracted = ae:extract(batch.x, { text = said })
    mu[#mu + 1], logvar[#mu + 1], pooled[#mu + 1] = extracted.mu, extracted.logvar, extracted.cond:pooled()
    n = n + #said
    if n >= LOOKED_AT then break end
  end
  return lt.cat(mu), lt.cat(logvar), lt.cat(pooled)
end

-- Fits ae.prior, of an autoencoder in evaluation mode. o: fit_prior (steps), drop, seed, quiet.
return function(ae, data, o)
  local g, prior = lt.generator(o.seed), ae.prior
  local mu, logvar, pooled = lt.no_grad(written, ae, data, o.drop, g)
  prior:unfreeze()
  local optimizer = lt.optim.Adam(prior:parameters(), {
    lr = lt.optim.schedule.cosine(RATE, o.fit_prior, { warmup = math.min(50, o.fit_prior // 10) }) })
  local ema = lt.optim.Ema(prior, 0.995)
  local run = lt.train.run { steps = o.fit_prior, model = prior, optimizer = optimizer, label = "prior",
    resume = false, progress = not o.quiet }
  for _ in run:steps() do
    local rows = lt.randint(1, #mu, { BATCH }, { generator = g })
    local wide = logvar:index_select(1, rows)
    local loss = detail.kl_under(detail.reparameterise(mu:index_select(1, rows), wide, g), wide, prior,
      pooled:index_select(1, rows), g)
    run:log(optimizer:update(loss, { kl = loss }, { clip_norm = 20 }))
    ema:update()
  end
  prior:load_state(ema.model:state())
  prior:freeze()
end
