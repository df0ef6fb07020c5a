-- Recipes for hostile_recipes: arguments that work for augmentations of pictures and judges of families.
local core = require "laterna.core"

local function T(...) return core.ones(...) end

-- recipe(names, make) notes them, R holds them.
return function(recipe, R)
  recipe("gan.augment", function()
    return { kinds = { "colour", "flip" }, p = 0.5, adaptive = true, target = 0.5, every = 2, length = 100 }
  end)
  local function augmented() return require("laterna.gan.augment")(R["gan.augment"]()) end
  recipe("gan.augment:forward", function() return augmented(), T(2, 4, 4, 1), T(2, 4, 4, 1) end)
  recipe("gan.augment:update", function() return augmented(), T(4) end)
  recipe("gan.augment.kinds.flip", function() end)
  local function double() -- a critic of one layer
    local Net = require("laterna.nn").class("Net", function(self) self.w = T(1) end)
    function Net:features(x) return (x * self.w):mean { 2, 3, 4 }, { x * self.w } end
    function Net:forward(x) return (self:features(x)) end
    return require("laterna.gan.critic") { net = Net() }
  end
  recipe("gan.judge", function()
    local model = require "laterna.vae"(R.vae())
    return model, {
      critic = double(), weight = 1, last = model.decoder.out.weight, features = 0.5, rsample = { temperature = 1 },
      loss = "hinge", r1 = 1, r2 = 0, gradient_penalty = 0, penalty_every = 2, negative_weight = 0,
      augment = function(x) return x end,
    }
  end)
  local function judge() return require("laterna.gan.judge")(R["gan.judge"]()) end
  for _, method in ipairs{ "loss", "critic_loss" } do
    recipe("gan.judge:" .. method, function()
      return judge(), T(2, 8, 8, 1), { detail = T(2, 2), beta = 1, generator = core.generator(1) }
    end)
  end
  for kind in ("brightness saturation contrast colour translation scale cutout"):gmatch "%S+" do
    recipe("gan.augment.kinds." .. kind, function() return 0.5 end)
  end
end
