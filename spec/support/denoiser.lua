-- What every network that denoises has to do, whatever it is made of: net(x, t, cond) -> the shape of x.
local close = require "spec.support.close"
local core = require "laterna.core"

local denoiser = {}

--- Noised pictures (n,h,w,c) and their times (n), always the same.
function denoiser.pictures(n, h, w, c)
  return core.randn(n, h, w, c, { generator = core.generator(1) }), core.rand(n, { generator = core.generator(2) })
end

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

--- Padding is passed over, and each picture hears its own caption. For a net with text = 6 and two pictures x.
-- Returns the condition and what the net said of it.
function denoiser.passes_over_padding(net, x, t, tolerance)
  local cond = denoiser.condition(2, 4, 6, { padding = 2 })
  local y = net(x, t, cond)
  local tokens = cond.tokens:clone()
  tokens[1][{ 3, 4 }]:fill_(50)
  local changed = { tokens = tokens, mask = cond.mask, pooled = cond.pooled }
  close(net(x, t, changed), y, tolerance)
  tokens[1][2]:fill_(50)
  assert(denoiser.apart(net(x, t, changed)[1], y[1]) > 1e-4)
  close(net(x, t, changed)[2], y[2], tolerance)
  return cond, y
end

--- All that a net of text = 6 is, its state says: another of the same make, with that state, says the same.
function denoiser.is_in_its_state(make, x, t)
  local a, b = denoiser.shake(make { text = 6 }), denoiser.shake(make { text = 6 }, 77)
  local cond = denoiser.condition(2, 3, 6)
  assert(denoiser.apart(a(x, t, cond), b(x, t, cond)) > 1e-3)
  b:load_state(a:state())
  assert(denoiser.apart(a(x, t, cond), b(x, t, cond)) == 0)
end

return denoiser
