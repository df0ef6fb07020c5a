-- sin(start + 1), sin(start + 2), ... in a shape: the inputs that the scripts in spec/golden use too.
local core = require "laterna.core"

return function(shape, start)
  local count, values = 1, {}
  for _, s in ipairs(shape) do count = count * s end
  for i = 1, count do values[i] = math.sin(start + i) end
  return core.tensor(values):view(shape)
end
