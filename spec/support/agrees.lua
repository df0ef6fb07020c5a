-- agrees(golden, f, inputs): y = f(inputs) and the gradients of <sin, y> are those of an entry of spec/golden.
local core = require "laterna.core"
local naive = require "spec.support.naive"
local wave = require "spec.support.wave"

return function(golden, f, inputs)
  for _, x in ipairs(inputs) do x:requires_grad_(true) end
  local y = f(table.unpack(inputs))
  for i, n in ipairs(golden.shape) do
    if y.shape[i] ~= n then error(("axis %d has %s places, PyTorch says %d"):format(i, y.shape[i], n), 2) end
  end
  local found = core.grad(y, inputs, { grad_output = wave(golden.shape, 300) })
  table.insert(found, 1, y)
  for i, t in ipairs(found) do
    local difference = naive.difference(t, i == 1 and golden.y or golden[i - 1])
    if difference > 1e-5 or difference ~= difference then
      error(("%s differs from PyTorch by %g"):format(i == 1 and "y" or "gradient " .. i - 1, difference), 2)
    end
  end
  return true
end
