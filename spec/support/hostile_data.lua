-- Recipes for hostile_recipes: arguments that work for data sets.
local core = require "laterna.core"
local data = require "laterna.data"

local function U(...) return core.zeros(...):byte() end
local function set_of(n) return data.from(U(n, 4, 4, 3)) end

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
    return { set_of(1), set_of(2) }
  end)
  recipe("dataset:map", function() return set_of(2), function(item) return item end end)
  recipe("dataset:filter", function() return set_of(2), function() return true end end)
  recipe("dataset:split", function() return set_of(4), 0.5, { seed = 1 } end)
  recipe("dataset:concat", function()
    local set = set_of(2)
    return set, set
  end)
  recipe("dataset:batches", function()
    local set = data.from(U(2, 4, 4, 3), nil, { labels = { 1, 2 } })
    return set, 1, { seed = 1, balanced = true, repeats = true }
  end)
  recipe("data.fashion_mnist", function() return "test", "/absent" end)
end
