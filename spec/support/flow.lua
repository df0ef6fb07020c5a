-- What the specs of flows share: pictures, a short training, shaken weights.
local core = require "laterna.core"
local optim = require "laterna.optim"

local flow = {}

-- The nearest of 256 grey levels, in [-1,1].
function flow.levels(x)
  return ((x + 1) * 127.5):round():clamp(0, 255) * (1 / 127.5) - 1
end

-- n pictures of each kind that no training set has.
function flow.pictures(n, size)
  local shape = { n, table.unpack(size) }
  return { black = core.full(shape, -1), white = core.ones(shape), noise = flow.levels(core.rand(shape) * 2 - 1) }
end

-- Steps of Adam on batch(), which gives x and cond.
function flow.train(model, batch, steps, lr)
  local optimizer = optim.Adam(model:parameters(), { lr = lr or 3e-3 })
  for _ = 1, steps do
    local loss = model:loss(batch())
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
  end
end

-- Weights away from where a layer starts.
function flow.shake(layer, amount)
  for _, p in ipairs(layer:parameters()) do core.no_grad(p.add_, p, core.randn(p.shape) * (amount or 0.2)) end
  return layer
end

function flow.finite(t)
  return (t - t):sum():item() == 0
end

return flow
