--- Pictures of a list of files, brought to one size.
-- @module laterna.data.folder.read
local check = require "laterna.check"
local core = require "laterna.core"

-- A picture of the wanted size, with the height and width that it had; or nil and the reason.
local function load(path, o, height, width)
  local ok, result, h, w = pcall(function()
    local whole = core.load_picture(path, { channels = o.channels, max_pixels = o.max_pixels })
    local h, w = whole:size(1), whole:size(2)
    local fitted = core.fit_picture(whole, height, width)
    whole:free()
    return fitted, h, w
  end)
  if ok then return result, h, w end
  if tostring(result):find "interrupted!" then error(result, 0) end
  return nil, check.reason(result, path)
end

--- Reads the pictures of a list. What cannot be read is reported, as is a text that nobody else has.
-- @function read
-- @tparam string root
-- @tparam {table,...} list with `file`, and `text` where a picture has one; gets `h` and `w`
-- @tparam table o `size`, `channels`, `max_pixels`
-- @tparam Report report
-- @treturn Tensor|nil (n,height,width,channels) uint8; nil where none could be read
-- @treturn {table,...} those of the list that were read
return function(root, list, o, report)
  local height, width = o.size, o.size
  if type(o.size) == "table" then height, width = o.size[1], o.size[2] end
  local images, kept = nil, {}
  for _, picture in ipairs(list) do
    local x, h, w = load(root .. "/" .. picture.file.path, o, height, width)
    if x then
      images = images or core.zeros({ #list, height, width, o.channels }, { dtype = "uint8" })
      kept[#kept + 1], picture.h, picture.w = picture, h, w
      images[#kept] = x
      x:free()
      picture.file.used = true
      if picture.text then picture.text.used = true end
    else
      report:add("bad", picture.file.path, h, "unreadable: " .. h)
    end
  end
  for _, picture in ipairs(list) do
    local text = picture.text
    if text and not text.used and not report.noted[text.path] then
      report:add("orphans", text.path, picture.file.name .. " is bad", "the picture is bad")
    end
  end
  return images and images[{ 1, #kept }], kept
end
