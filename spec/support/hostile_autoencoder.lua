-- Recipes for hostile_recipes: arguments that work for autoencoders, regularisers of their details, and learned priors.
local core = require "laterna.core"

local function T(...) return core.ones(...) end

-- recipe(names, make) notes them, R holds them.
return function(recipe, R)
  local nn, prior = require "laterna.nn", require "laterna.prior"
  local function object() return require "laterna.autoencoder"(R.autoencoder()) end
  local function said(n)
    local list = {}
    for i = 1, n do list[i] = i % 2 == 0 and "a" or "b" end
    return { text = list }
  end

  recipe("nn.Extractor", function()
    return { size = 8, channels = 1, width = 4, levels = 1, blocks = 1, detail = 2, text = 3, heads = 2, outputs = 2 }
  end)
  recipe("nn.Extractor:forward", function()
    return nn.Extractor(R["nn.Extractor"]()), T(2, 8, 8, 1),
      { tokens = T(2, 4, 3), mask = T(2, 4), pooled = T(2, 3) }
  end)

  local function posterior() return { mu = T(2, 2), logvar = T(2, 2), z = T(2, 2) } end
  for method, make in pairs {
    extract = function() return T(2, 8, 8, 1), { text = said(2).text, generator = core.generator(1) } end,
    penalty = function() return posterior(), { beta = 1, loss = 2, generator = core.generator(1) } end,
    gap = function() return T(3, 8, 8, 1), said(3), { draws = 2, batch = 2, generator = core.generator(1) } end,
    report = function() return T(3, 8, 8, 1), said(3).text, { draws = 1, batch = 2 } end,
    edit = function() return T(2, 8, 8, 1), said(2), said(1), { keep = "noise" } end,
    to_noise = function() return T(2, 2), said(2) end, from_noise = function() return T(2, 2), said(2) end,
    critic_loss = function() return T(2, 8, 8, 1), {} end,
    decode = function() return T(2, 2), said(2), {} end,
    interpolate = function() return T(8, 8, 1), T(8, 8, 1), 3, said(1) end,
  } do
    recipe("autoencoder:" .. method, function() return object(), make() end)
  end

  local function options()
    return { pooled = T(2, 3), loss = 1, beta = 1, draws = 1, generator = core.generator(1) }
  end
  recipe("autoencoder.regulariser.kl", function() return { beta = 1, free = 0.1, rate = 2, speed = 0.1 } end)
  recipe("autoencoder.regulariser.mmd", function() return { weight = 1, beta = 1, kernel = "rbf" } end)
  recipe("autoencoder.regulariser.fsq", function()
    return { levels = { 3, 2 }, learned = true, text = 3, hidden = 4, beta = 1 }
  end)
  for _, name in ipairs { "kl", "mmd", "fsq" } do
    local path = "autoencoder.regulariser." .. name
    local function regulariser() return require "laterna.autoencoder.regulariser"[name](R[path]()) end
    local function arguments()
      local g, p = options(), regulariser()
      g.prior = p.prior and p:prior(2) or nil
      return g
    end
    local function looked() return name == "fsq" and { mu = T(2, 2) * 0, z = T(2, 2) * 0 } or posterior() end
    recipe(path .. ":outputs", function() return regulariser(), 2 end)
    recipe(path .. ":prior", function() return regulariser(), 2 end)
    recipe(path .. ":read", function() return regulariser(), T(2, 4), core.generator(1) end)
    recipe(path .. ":penalty", function() return regulariser(), looked(), arguments() end)
    recipe(path .. ":gap", function() return regulariser(), looked(), arguments() end)
  end

  recipe("prior.Diffusion", function() return 4, { text = 3, hidden = 8, steps = 2 } end)
  recipe("prior.Codes", function() return { 3, 2, 3, 2 }, { learned = true, text = 3, hidden = 4 } end)
  for _, name in ipairs { "Diffusion", "Codes" } do
    for _, method in ipairs { "log_prob", "inverse", "bound" } do
      recipe(("prior.%s:%s"):format(name, method), function()
        return prior[name](R["prior." .. name]()), T(2, 4) * 0, T(2, 3)
      end)
    end
  end
end
