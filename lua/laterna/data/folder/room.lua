--- Room in memory for the pictures of a folder: where laterna.data.folder.read puts them when there is no cache.
-- @module laterna.data.folder.room
local core = require "laterna.core"

local Room = {}
Room.__index = Room

--- A tensor and the first of n rows that may be written.
-- @tparam integer n
-- @treturn Tensor
-- @treturn integer
function Room:rows(_) return self.images, self.count + 1 end

--- The first n of them are pictures.
-- @tparam integer n
function Room:keep(n) self.count = self.count + n end

--- What was kept.
-- @treturn Tensor (n,height,width,channels) uint8, a view where some files were no pictures
function Room:finish()
  return self.count == #self.images and self.images or self.images[{ 1, self.count }]
end

--- Room for n pictures. None of it is touched before it is needed.
-- @function room
-- @tparam integer n
-- @tparam table o `height`, `width`, `channels`
-- @treturn Room
return function(n, o)
  local ok, images = pcall(core.picture_rows, n, o.height, o.width, o.channels)
  if not ok then
    error(("folder: %d pictures of %dx%dx%d: %s; with the option cache they are kept in a file instead"):format(n,
      o.height, o.width, o.channels, tostring(images):gsub("^[^\n]-:%d+: ", "")), 0)
  end
  return setmetatable({ images = images, count = 0 }, Room)
end
