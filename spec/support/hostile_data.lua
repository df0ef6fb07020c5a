-- Recipes for hostile_recipes: arguments that work for data sets and what makes them.
local core = require "laterna.core"

local function U(...) return core.zeros(...):byte() end
local function from(...) return require("laterna.data").from(...) end

-- recipe(names, make) notes them.
return function(recipe)
  recipe("data.scenes", function() return { n = 3, size = 16, seed = 1 } end)
  recipe("data.folder", function()
    return ".", { size = 16, captions = "txt", key = "text", split = "train", bad = "skip", quiet = true,
      ignore = { "x" } }
  end)
  recipe("data.from", function()
    return U(3, 4, 4, 3), { "a", "b", "c" }, { labels = { 1, 2, 1 }, classes = { "x", "y" } }
  end)
  recipe("data.concat", function()
    return { from(U(1, 4, 4, 3)), from(U(2, 4, 4, 3)) }
  end)
  recipe("dataset:map", function() return from(U(2, 4, 4, 3)), function(item) return item end end)
  recipe("dataset:filter", function() return from(U(2, 4, 4, 3)), function() return true end end)
  recipe("dataset:split", function() return from(U(4, 4, 4, 3)), 0.5, { seed = 1 } end)
  recipe("dataset:concat", function()
    local set = from(U(2, 4, 4, 3))
    return set, set
  end)
  recipe("dataset:batches", function()
    local set = from(U(2, 4, 4, 3), nil, { labels = { 1, 2 } })
    return set, 1, { seed = 1, balanced = true, repeats = true }
  end)
  recipe("data.fashion_mnist", function() return "test", "/absent" end)
end
