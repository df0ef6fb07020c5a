-- Recipes for hostile_recipes: arguments that work for flows and their layers.
local core = require "laterna.core"

local function T(...) return core.ones(...) end

-- recipe(names, make) notes them, R holds them.
return function(recipe, R)
  local function flow_layer(name)
    return require("laterna.flow").layers[name](R["flow.layers." .. name]())
  end
  local function coupling_net()
    return { hidden = 2, depth = 1, kernel = 1, text = 0, detail = 0, heads = 0, dropout = 0 }
  end
  local function coupling(more)
    return function()
      local own = require("laterna.flow").layers.CouplingNet(1, more.numbers, coupling_net())
      local options = { mask = "channel", flip = false, net = own }
      for key, v in pairs(more) do options[key] = key ~= "numbers" and v or nil end
      return 2, options
    end
  end
  for name, make in pairs {
    ActNorm = function() return 2 end,
    Conv1x1 = function() return 2, { actnorm = true, generator = core.generator(1) } end,
    AffineCoupling = coupling { numbers = 2, bound = 2 }, AdditiveCoupling = coupling { numbers = 1 },
    SplineCoupling = coupling { numbers = 5, bins = 2, bound = 2 },
    Permute = function() return 2, { 2, 1 }, { generator = core.generator(1) } end,
    Squeeze = function() return 2 end,
    Logit = function() return { alpha = 0.1, low = -2, high = 2 } end,
    Sequence = function() return { flow_layer "ActNorm" } end,
    MultiScale = function()
      return { flow_layer "ActNorm", require("laterna.flow").layers.ActNorm(1) }, { size = { 2 } }
    end,
    ConditionalAffine = function() return 2, { text = 3, detail = 0, bound = 2 } end,
    Dequantise = function() end,
    VariationalDequantise = function() return 1, { couplings = 1, hidden = 2, depth = 0, kernel = 1 } end,
  } do
    recipe("flow.layers." .. name, make)
    local pictures = name == "Squeeze" or name:find "Dequantise"
    local shape = pictures and { 2, 2, 2, name == "Squeeze" and 4 or 1 } or { 2, 2 }
    for _, method in ipairs { "forward", "inverse" } do
      recipe(("flow.layers.%s:%s"):format(name, method), function()
        return flow_layer(name), T(shape), { pooled = T(2, 3) }
      end)
    end
  end
  recipe("flow.layers.CouplingNet", function() return 1, 2, coupling_net() end)
  recipe("flow.layers.CouplingNet:forward", function() return flow_layer "CouplingNet", T(2, 1), {} end)
  recipe("flow.layers.spline", function() return T(2, 3), T(2, 3, 4), T(2, 3, 4), T(2, 3, 3), false, 2 end)
  local function flow()
    return { net = flow_layer "ActNorm", size = { 2 }, dequantise = "none", drop = 0.1 }
  end
  recipe("flow", flow)
  recipe("flow.Glow flow.RealNVP flow.SplineFlow", function()
    local options = coupling_net()
    options.size, options.levels, options.steps, options.bound, options.logit = { 4, 4, 1 }, 1, 1, 2, 0.1
    return options
  end)
  for method, make in pairs {
    loss = function() return T(2, 2), {} end, encode = function() return T(2, 2), {} end,
    log_prob = function() return T(2, 2), {}, { draws = 1, generator = core.generator(1) } end,
    decode = function() return T(2, 2), {}, { guidance = 1 } end, parts = function() return T(2, 2) end,
    rsample = function() return { n = 2 }, { temperature = 1, seed = 1 } end,
    sample = function() return { n = 2 }, { temperature = 1, guidance = 1, seed = 1 } end,
    join = function() return { T(2, 2) } end,
    classify = function() return T(2, 2), { "a" }, { draws = 1, batch = 2, generator = core.generator(1) } end,
  } do
    recipe("flow:" .. method, function() return require "laterna.flow"(flow()), make() end)
  end
end
