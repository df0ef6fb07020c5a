-- The library's side of the cases of torch_layers.py: each makes the layer, gives it the parameters and buffers of the
-- case, and calls it.
local core = require "laterna.core"
local likelihood = require "laterna.likelihood"
local losses = require "laterna.gan.losses"
local nn = require "laterna.nn"
local text = require "laterna.text"
local walk = require "laterna.nn.walk"

local layers = {}

-- Parameters by name, each with the order of axes that a state has it in, if that is another: {tensor, layout}.
local function parameters(layer)
  local out = {}
  for _, entry in ipairs(walk.survey("parameters", layer).tensors) do
    if not entry.buffer then out[entry.name] = entry end
  end
  return out
end

local function compared(layer)
  return { parameters = parameters(layer), state = function() return layer:state() end }
end

local function make(name, o, p)
  return nn[o.cls or name](table.unpack(o.arguments)):load_state(p)
end

-- A layer whose arguments are the inputs. Where the case has terms, those after the first are named by them.
for _, name in ipairs { "Linear", "Conv2d", "ConvTranspose2d", "Conv2d_uneven", "GroupNorm", "LayerNorm", "RMSNorm",
  "MaxPool2d", "AvgPool2d", "Upsample", "ResBlock", "SpatialAttention" } do
  layers["nn." .. name] = function(x, _, o, _, p)
    local layer = make(name, o, p)
    if not o.terms or o.terms == "" then return layer(table.unpack(x)), compared(layer) end
    local terms, k = {}, 1
    for term in o.terms:gmatch "%S+" do
      k = k + 1
      terms[term] = x[k]
    end
    return layer(x[1], terms), compared(layer)
  end
end

layers["nn.Embedding"] = function(_, i, o, _, p)
  local layer = make("Embedding", o, p)
  return layer(i[1]), compared(layer)
end

layers["nn.TimeEmbedding"] = function(_, _, o, c, p)
  local layer = make("TimeEmbedding", o, p)
  return layer(c[1]), compared(layer)
end

layers["nn.BatchNorm2d"] = function(x, _, o, _, p)
  local layer, out = make("BatchNorm2d", o, p), {}
  for k, mode in ipairs(o.modes) do out[k] = layer:train(mode)(x[k]):flatten() end
  return core.cat(out, 1), compared(layer)
end

layers["nn.MultiheadAttention"] = function(x, _, o, c, p)
  local layer = make("MultiheadAttention", o, p)
  return layer(x[1], x[2], c[1]), compared(layer)
end

layers["nn.spectral_norm"] = function(x, _, o, c, p)
  local layer = nn.spectral_norm(make(nil, o, p))
  layer.weight_u:copy_(c[1]:view(-1, 1))
  layer.weight_v:copy_(c[2]:view(-1, 1))
  layer:train(o.calls > 0)
  local y
  for _ = 1, math.max(1, o.calls) do y = layer(x[1]) end
  return y, compared(layer)
end

layers["nn.TextBlock"] = function(x, _, o, c, p)
  local dim, heads = table.unpack(o.arguments)
  local block = text.Encoder({ "a" }, { dim = dim, heads = heads, depth = 1 }).blocks[1]:load_state(p)
  return block(x[1], c[1]), compared(block)
end

for _, name in ipairs { "Bernoulli", "Gaussian", "Logistic" } do
  layers["nn." .. name] = function(x, _, _, _, p)
    local layer = likelihood[name]():load_state(p)
    return layer(x[1], x[2]), compared(layer)
  end
end

layers["nn.game"] = function(x, _, o)
  local loss = losses[o.name]
  return loss.critic(x[1], x[2]) + loss.generator(x[1], x[2]) * 0.5
end

return layers
