-- What every network that denoises has to do, whatever it is made of: net(x, t, cond) -> the shape of x.
local core = require "laterna.core"

local denoiser = {}

--- Moves every parameter a little from where it was: what starts at zero, and so hides what is behind it, speaks.
function denoiser.shake(net, seed)
  local generator = core.generator(seed or 5)
  core.no_grad(function()
    for _, p in ipairs(net:parameters()) do p:add_(core.randn(p.shape, { generator = generator }) * 0.1) end
  end)
  return net
end

--- A condition: n captions of l tokens of width d, the last `padding` tokens of the first of them padding.
function denoiser.condition(n, l, d, o)
  o = o or {}
  local generator = core.generator(o.seed or 9)
  local mask = core.ones(n, l)
  for k = 0, (o.padding or 0) - 1 do mask[1][l - k] = 0 end
  return {
    tokens = core.randn(n, l, d, { generator = generator }), mask = mask,
    pooled = core.randn(n, d, { generator = generator }),
    detail = o.detail and core.randn(n, o.detail, { generator = generator }),
  }
end

--- The largest difference of two tensors.
function denoiser.apart(a, b)
  return (a - b):abs():max():item()
end

--- Parameters whose gradient is missing or zero after some steps of optimisation.
function denoiser.dead(net, x, t, cond)
  local wanted = core.randn(net(x, t, cond).shape, { generator = core.generator(3) })
  for _ = 1, 4 do
    net:zero_grad()
    core.mse_loss(net(x, t, cond), wanted):backward()
    core.no_grad(function()
      for _, p in ipairs(net:parameters()) do
        if p.grad then p:add_(p.grad:sign() * -0.01) end
      end
    end)
  end
  local dead = {}
  for name, p in net:named_parameters() do
    if not p.grad or p.grad:abs():max():item() == 0 then dead[#dead + 1] = name end
  end
  return dead
end

return denoiser
