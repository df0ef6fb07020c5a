-- Recipes for hostile_recipes: arguments that work for GANs, their critics, losses and penalties.
local core = require "laterna.core"

-- recipe(names, make) notes them.
return function(recipe)
  local nn = require "laterna.nn"
  local function captions() return { "a", "b" } end
  local function text() return require "laterna.text".Encoder(captions(), { dim = 4, depth = 0, heads = 1 }) end
  local function critic() return { net = nn.Linear(2, 1), text = text() } end
  local function gan()
    return {
      generator = nn.Linear(3, 2), critic = require "laterna.gan".Critic(critic()), text = text(), detail = 3,
      loss = "hinge", r1 = 1, r2 = 1, gradient_penalty = 1, penalty_every = 1, negative_weight = 1, negatives = 2,
      augment = function(x) return x end,
    }
  end
  local function points() return core.randn(2, 2) end
  local function judge(x) return x:square():sum(2) end
  local function cond()
    return { n = 2, text = captions(), detail = core.randn(2, 3), generator = core.generator(1) }
  end

  recipe("gan", gan)
  recipe("gan.Critic", critic)
  for name in pairs(require "laterna.gan".losses) do
    for _, side in ipairs { "critic", "generator" } do
      recipe(("gan.losses.%s.%s"):format(name, side), function() return core.randn(2), core.randn(2) end)
    end
  end
  recipe("gan.losses.relativistic.ranking", function() return core.randn(2), core.randn(2, 3) end)
  recipe("gan.penalties.r1 gan.penalties.r2", function() return judge, points(), {} end)
  recipe("gan.penalties.gradient_penalty", function()
    return judge, points(), points(), { generator = core.generator(1) }
  end)
  recipe("gan.penalties.squared_norms", function()
    local x = points():requires_grad_(true)
    return judge(x), x
  end)
  recipe("gan.watch.boundary", function() return 0, core.randn(2), core.randn(2) end)
  recipe("gan.watch.above", function() return core.randn(2), 0 end)
  recipe("gan.watch.gradient_norm", function() return { points():requires_grad_(true) } end)
  recipe("gan.watch.held_out", function() return require "laterna.gan"(gan()), points(), cond() end)
  recipe("gan.watch.limits", function() return { a = { most = 1, least = 0 } }, { patience = 1 } end)
  local function with(key, v)
    local c = cond()
    c[key] = v
    return points(), c
  end
  for method, make in pairs {
    loss = function() return with("judged_detail", core.randn(1, 3)) end,
    critic_loss = function() return with("negatives", { { "b", "a" }, { "a", "a" } }) end,
    reading_loss = function() return with("negatives", { { "b", "a" }, { "a", "a" } }) end,
    sample = function() return cond(), { temperature = 1, seed = 1 } end,
    rsample = function() return cond(), { temperature = 1, seed = 1, generator = core.generator(1) } end,
  } do
    recipe("gan:" .. method, function() return require "laterna.gan"(gan()), make() end)
  end
  for method, make in pairs {
    forward = function() return points(), cond() end, features = function() return points(), cond() end,
    match = function() return points(), captions() end, scores = function() return points(), { cond(), cond() } end,
    rank = function() return points(), captions(), { batch = 1 } end,
  } do
    recipe("gan.Critic:" .. method, function()
      return require "laterna.gan".Critic(critic()), make()
    end)
  end
end
