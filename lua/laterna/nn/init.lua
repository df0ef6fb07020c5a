--- Layers and the class that makes them: parameters in Lua tables, arithmetic in native calls.
-- See laterna.nn.module for what a module is and does.
-- @module laterna.nn
local Module = require "laterna.nn.module"
local clone = require "laterna.nn.clone"
local recipe = require "laterna.nn.recipe"
local walk = require "laterna.nn.walk"

local normalise = require "laterna.nn.spectral_norm"

-- With a note in the module, so that a file can say that it was done.
local function spectral_norm(module, options)
  local out = normalise(module, options)
  recipe.note_change(out, "lt.nn.spectral_norm", options)
  return out
end

local nn = {
  --- nn.class(name, constructor): a new class of modules.
  class = Module.class,
  --- nn.clone(module): a copy that shares no tensor.
  clone = clone,
  --- nn.is_module(value)
  is_module = walk.is_module,
  --- nn.module_rule: for check.options, an option that is a module.
  module_rule = function(v) return walk.is_module(v), "a module" end,
  --- Initialisers: nn.init.kaiming_uniform_(t, ...) and others.
  init = require "laterna.nn.initialise",
  --- Where a patch is: nn.position.fixed(h, w, d) and nn.position.rotary(h, w, d).
  position = require "laterna.nn.position",
  --- nn.reestimate(model, data): batch norm's statistics of averaged weights.
  reestimate = require "laterna.nn.reestimate",
  --- nn.spectral_norm(module): layers that stretch nothing.
  spectral_norm = spectral_norm,
}

local FILES = {
  "linear", "conv", "norm", "pool", "container", "attention", "resblock", "picture", "latent",
  "time", "spatial_attention", "unet", "dit", "critic", "generator", "extractor",
}
for _, file in ipairs(FILES) do
  for name, layer in pairs(require("laterna.nn." .. file)) do nn[name] = layer end
end

return nn
