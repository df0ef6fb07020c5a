--- laterna: train and sample generative image models, on the machine that you have.
-- Everything of the native core (tensors and their operations) stands in this table, and the parts below, which are
-- loaded when they are first used.
-- @module laterna
local core = require "laterna.core"

local lt = {}
for name, value in pairs(core) do lt[name] = value end

-- Files of tensors and of models; see laterna.model, which is loaded when one of them is first called.
for _, name in ipairs { "save", "load", "save_model", "open", "inspect" } do
  lt[name] = function(...) return require("laterna.model")[name](...) end
end

local autograd = require "laterna.autograd"
lt.autograd_function, lt.checkpoint = autograd.autograd_function, autograd.checkpoint

local parts = {
  nn = "laterna.nn", optim = "laterna.optim", train = "laterna.train",
  data = "laterna.data", text = "laterna.text",
  edit = "laterna.edit", profile = "laterna.profile", autograd = "laterna.autograd",
  show = "laterna.show", grid = "laterna.show.grid", plot = "laterna.show.plot", progress = "laterna.show.progress",
  schedule = "laterna.schedule", prediction = "laterna.prediction", samplers = "laterna.samplers",
  diffusion = "laterna.diffusion", metrics = "laterna.metrics",
  flow = "laterna.flow", gan = "laterna.gan",
  likelihood = "laterna.likelihood", prior = "laterna.prior", vae = "laterna.vae", autoencoder = "laterna.autoencoder",
}

return setmetatable(lt, {
  __index = function(_, name)
    if not parts[name] then return nil end
    local part = require("laterna.model.names").publish(name, require(parts[name]))
    rawset(lt, name, part)
    return part
  end,
})
