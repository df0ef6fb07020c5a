--- Which layer was the first to give a number that is not finite.
-- @module laterna.flow.watch
local check = require "laterna.check"
local core = require "laterna.core"
local is_finite = require("laterna.finite").is_finite
local scope = require "laterna.scope"

local watch = {}
local watching, culprit

--- One layer of a container: y, logdet = layer(x, cond), or its inverse.
-- @tparam module layer
-- @tparam boolean inverse
-- @tparam Tensor x
-- @tparam[opt] table cond
-- @treturn Tensor
-- @treturn Tensor (n)
function watch.step(layer, inverse, x, cond)
  check.type("step", 1, "layer", layer, "table")
  local y, logdet
  if inverse then y, logdet = layer:inverse(x, cond) else y, logdet = layer(x, cond) end
  check.type("flow", nil, "what a layer gave", y, "tensor")
  check.type("flow", nil, "the log-determinant of a layer", logdet, "tensor")
  if watching and not culprit and not (is_finite(y) and is_finite(logdet)) then culprit = layer end
  return y, logdet
end

--- Runs f once more, nothing recorded, and looks at what every layer gives.
-- @tparam function f
-- @treturn ?module the first whose numbers are not finite; the innermost
function watch.first(f)
  check.type("first", 1, "f", f, "callable")
  local found
  local function enter() watching, culprit = true, found end
  local function leave() watching, found = false, culprit end
  local ok = pcall(scope.run, enter, leave, core.no_grad, f)
  return ok and found or nil
end

return watch
