--- Containers.
-- @module laterna.nn.container
local check = require "laterna.check"
local class = require("laterna.nn.module").class

--- Layers one after another; each a module or a function: `nn.Sequential(nn.Linear(4, 8), lt.silu, nn.Linear(8, 1))`.
-- The i-th is `self[i]`, and `i-1` in the names of its parameters, as in PyTorch.
-- @function Sequential
-- @param ... modules or functions
local Sequential = class("Sequential", function(self, ...)
  for i = 1, select("#", ...) do
    self[i] = check.type("Sequential", i, "layer", (select(i, ...)), "callable")
  end
end)

Sequential.holds_blocks = true

function Sequential:forward(x)
  for i = 1, #self do x = self[i](x) end
  return x
end

--- x + module(x, ...), or skip(x) + module(x, ...) where the shapes differ.
-- @function Residual
-- @tparam module|function module
-- @tparam[opt] table options {skip = module or function}
local Residual = class("Residual", function(self, module, options)
  self.module = check.type("Residual", 1, "module", module, "callable")
  self.skip = check.options("Residual", 2, options, { skip = "callable" }).skip
end)

Residual.is_block = true

function Residual:forward(x, ...)
  return (self.skip and self.skip(x) or x) + self.module(x, ...)
end

return { Sequential = Sequential, Residual = Residual }
