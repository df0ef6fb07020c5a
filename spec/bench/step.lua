-- What every workload is made of: a training step, and the number of parameters it trains.
local lt = require "laterna"

local step = {}

-- Numbers in all parameters of some models.
function step.count(...)
  local n = 0
  for _, model in ipairs { ... } do
    for _, p in ipairs(model:parameters()) do n = n + p:numel() end
  end
  return n
end

-- One step of AdamW on loss(); as `trainer` in torch_steps.py.
function step.trainer(model, loss)
  local optimizer = lt.optim.AdamW(model:parameters(), { lr = 1e-3 })
  return function()
    optimizer:zero_grad()
    local value = loss()
    value:backward()
    optimizer:step()
    return value
  end, step.count(model)
end

-- A denoiser learns to say what noise was added; as `denoiser` in torch_steps.py.
function step.denoiser(model, sizes)
  local x = lt.randn(sizes)
  local t, eps = lt.rand(sizes[1]) * 1000, lt.randn(sizes)
  return step.trainer(model, function() return lt.mse_loss(model(x + eps, t), eps) end)
end

-- sin and cos of t (n) at d / 2 frequencies -> (n,d)
function step.sinusoid(t, d)
  local f = (lt.arange(0, d // 2 - 1):float() * (-math.log(10000) / (d // 2))):exp()
  local a = t:view(-1, 1) * f:view(1, -1)
  return lt.cat({ a:sin(), a:cos() }, 2)
end

return step
