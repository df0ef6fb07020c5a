--- Numbers for every picture of a batch, ready to be multiplied with it.
-- @module laterna.diffusion.columns
local core = require "laterna.core"

--- What f gives for each of a list of times, as tensors (n,1,1,1), one for each number that it gives.
-- @function columns
-- @tparam {number,...} times
-- @tparam function f (time, i) -> numbers
-- @treturn Tensor
-- @treturn ... more of them
return function(times, f)
  local lists = {}
  for i, t in ipairs(times) do
    for k, v in ipairs { f(t, i) } do
      lists[k] = lists[k] or {}
      lists[k][i] = v
    end
  end
  for k, list in ipairs(lists) do lists[k] = core.tensor(list):view(-1, 1, 1, 1) end
  return table.unpack(lists)
end
