--- Pictures with captions: drawn on the spot, from a folder, from tensors, or from the files of a known data set.
-- Every function returns a `laterna.data.Dataset`; each is loaded when it is first used.
-- @module laterna.data
local spelling = require "laterna.spelling"

local NAMES = { concat = true, fashion_mnist = true, folder = true, from = true, idx = true, scenes = true }

local data = setmetatable({}, {
  __pairs = function(all)
    for name in next, NAMES do assert(all[name]) end
    return next, all
  end,
})

return spelling.names("lt.data", data, function(name)
  if not NAMES[name] then return nil end
  data[name] = spelling.part("lt.data." .. name, (require("laterna.data." .. name)))
  return data[name]
end)
