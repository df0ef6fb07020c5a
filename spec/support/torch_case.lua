-- Runs a case of spec/golden/norm_torch.lua: the same inputs, made by the same formula, and PyTorch's numbers.
local close = require "spec.support.close"
local core = require "laterna.core"
local golden = require "spec.golden.norm_torch"

local M = {}

-- sin(k i) + i / n, i counted from 1; norm_torch.py has the twin.
function M.wave(k, ...)
  local n = 1
  for _, s in ipairs { ... } do n = n * s end
  local list = {}
  for i = 1, n do list[i] = math.sin(k * i) + i / n end
  return core.tensor(list):view(...)
end

-- f(inputs...) and the gradients of every input, for the output gradient wave(0.9, ...).
function M.check(name, f, ...)
  local wanted, inputs = golden[name], { ... }
  for _, x in ipairs(inputs) do x:requires_grad_() end
  local y = f(table.unpack(inputs))
  close(y, wanted.y, 4e-6)
  y:backward(M.wave(0.9, table.unpack(y.shape)):view(y.shape))
  for i, x in ipairs(inputs) do close(x.grad, wanted["d" .. i], 4e-6) end
end

return M
