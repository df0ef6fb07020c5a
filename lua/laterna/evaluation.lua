--- Running a module as it paints: in evaluation mode, and with nothing recorded.
-- @module laterna.evaluation
local core = require "laterna.core"

local evaluation = {}

--- Runs f(...) with the module and all below it in evaluation mode. The modes come back even when f fails.
-- @tparam module module
-- @tparam function f
-- @return what f returns
function evaluation.run(module, f, ...)
  local training = {}
  for _, m in module:named_modules() do
    training[m], m.training = m.training, false
  end
  local results = table.pack(pcall(f, ...))
  for m, was in pairs(training) do m.training = was end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- The same, and nothing is recorded: how pictures are sampled.
-- @tparam module module
-- @tparam function f
-- @return what f returns
function evaluation.quietly(module, f, ...)
  return evaluation.run(module, core.no_grad, f, ...)
end

return evaluation
