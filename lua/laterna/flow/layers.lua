--- The invertible layers by name: `lt.flow.layers.Conv1x1(4)`.
-- @module laterna.flow.layers
local layers = {}

local FILES = { "actnorm", "conv1x1", "coupling", "rearrange", "container", "logit", "dequantise", "prior" }
for _, file in ipairs(FILES) do
  for name, value in pairs(require("laterna.flow." .. file)) do layers[name] = value end
end
layers.Noise = require("laterna.flow.noise").Noise
layers.CausalBlock = require("laterna.flow.tarflow").CausalBlock
layers.spline = require "laterna.flow.spline"
layers.CouplingNet = require("laterna.flow.coupling_net").CouplingNet

return layers
