--- Pictures with captions: drawn on the spot, from a folder, or from the files of a known data set.
-- Every function returns a `laterna.data.Dataset`; each is loaded when it is first used.
-- @module laterna.data
local NAMES = { fashion_mnist = true, idx = true, folder = true, scenes = true }

return setmetatable({}, {
  __index = function(self, name)
    if not NAMES[name] then return nil end
    self[name] = require("laterna.data." .. name)
    return self[name]
  end,
})
