-- Emoji as a folder of small pictures with captions, for emoji.lua and for whoever wants a data set of drawings: the
-- colour bitmaps of a font and Unicode's names of them, as lt.data.folder reads them.
--
--   apt-get install fonts-noto-color-emoji unicode-data unicode-cldr-core lua-dkjson lua-filesystem
--   lua5.4 examples/emoji_folder.lua                       writes runs/emoji_pictures
--   lua5.4 examples/emoji_folder.lua --size 64 --folder F
local lfs = require "lfs"
local lt = require "laterna"
local write = dofile((arg[0]:match "^(.*/)" or "") .. "shared/emoji_folder.lua")

local o = lt.train.arguments { folder = "runs/emoji_pictures", size = 48, skin_tones = false }

for parent in o.folder:gmatch "()/" do
  local path = o.folder:sub(1, parent - 1)
  if path ~= "" and not lfs.attributes(path) then assert(lfs.mkdir(path)) end
end
local count, missing = write(o.folder, { size = o.size, skin_tones = o.skin_tones })
print(("wrote %d pictures of %dx%d to %s"):format(count, o.size, o.size, o.folder))
if #missing > 0 then print("the font has no picture of: " .. table.concat(missing, ", ")) end
