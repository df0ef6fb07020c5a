--- Running a module as it paints: in evaluation mode, and with nothing recorded.
-- @module laterna.evaluation
local core = require "laterna.core"
local scope = require "laterna.scope"
local walk = require "laterna.nn.walk"

local evaluation = {}

--- Runs f(...) with the module and all below it in evaluation mode. The modes come back when it returns, fails, or
-- yields: then they are as they were until it goes on.
-- @tparam module module
-- @tparam function f
-- @return what f returns
function evaluation.run(module, f, ...)
  local training
  local function enter()
    training = {}
    for _, m in ipairs(walk.modules(module)) do
      training[m], m.training = m.training, false
    end
  end
  local function leave()
    for m, was in pairs(training) do m.training = was end
  end
  return scope.run(enter, leave, f, ...)
end

--- The same, and nothing is recorded: how pictures are sampled.
-- @tparam module module
-- @tparam function f
-- @return what f returns
function evaluation.quietly(module, f, ...)
  return evaluation.run(module, core.no_grad, f, ...)
end

return evaluation
