--- Classes out of folders: the top folder of a picture is its class, and kohya's `10_name` says how often an epoch
-- shows its pictures (kohya-ss, sd-scripts: "train_README").
-- @module laterna.data.folder.classes
local files = require "laterna.data.folder.files"
local splits = require "laterna.data.folder.splits"

local classes = {}

-- The pictures by the top folder within the set; a folder for pictures of any kind, alone at the top, is passed
-- through.
local function tops(pictures)
  local skip = {}
  while true do
    local names, count, direct, last = {}, 0, {}, nil
    for _, file in ipairs(pictures) do
      local top = file.within:match("^([^/]+)/", 1 + (skip[file] or 0))
      if not top then
        direct[#direct + 1] = file
      elseif names[top] then
        table.insert(names[top], file)
      else
        names[top], count, last = { file }, count + 1, top
      end
    end
    if count ~= 1 or #direct > 0 or not splits.is_plain(last) then return names, direct, count end
    for _, file in ipairs(pictures) do skip[file] = (skip[file] or 0) + #last + 1 end
  end
end

-- Numbers that count folders, 1, 2, 3 or with zeros in front, are no repeats.
local function are_counted(numbers)
  local values = {}
  for _, digits in ipairs(numbers) do
    if digits:find "^0" then return true end
    values[#values + 1] = math.tointeger(tonumber(digits)) or -1
  end
  table.sort(values)
  for i, v in ipairs(values) do
    if v ~= i then return false end
  end
  return #values >= 2
end

-- Are these kohya's folders? Their names without the number, and the numbers, by name; else nil.
local function kohya(names)
  local numbers, name_of, repeats_of = {}, {}, {}
  for top in pairs(names) do
    local digits, name = top:match "^(%d+)_(.+)$"
    if not digits or #digits > 4 then return nil end
    numbers[#numbers + 1] = digits
    name_of[top], repeats_of[top] = name, math.tointeger(tonumber(digits))
  end
  if #numbers == 0 or are_counted(numbers) then return nil end
  return name_of, repeats_of
end

-- kohya's tree: img/ holds the folders; reg/ holds pictures that are not to be learnt.
local function is_kohya_tree(names)
  local inner = {}
  for _, file in ipairs(names.img or {}) do
    inner[file.within:match "^img/([^/]+)/" or file.within] = true
  end
  for top in pairs(names) do
    if top ~= "img" and top ~= "reg" then return false end
  end
  return kohya(inner) ~= nil
end

local function inside_img(names, report)
  for _, file in ipairs(names.reg or {}) do
    report:add("unused", file.path, "a picture for kohya's regularisation, which laterna has not")
  end
  for _, file in ipairs(names.img) do file.within = file.within:gsub("^img/", "") end
  return names.img
end

local COMPANIONS = {}
for word in ("mask masks segmentation depth conditioning_images thumbs thumbnails previews"):gmatch "%S+" do
  COMPANIONS[word] = true
end

-- Beside a folder for pictures of any kind, masks and thumbnails are no classes: those that are left.
local function without_companions(pictures, names, report)
  local plain, left = false, {}
  for top in pairs(names) do plain = plain or splits.is_plain(top) end
  if not plain then return pictures end
  for _, file in ipairs(pictures) do
    local top = file.within:match "^([^/]+)/"
    if top and COMPANIONS[top:lower()] then
      report:add("unused", file.path, "in a folder of " .. top:lower())
    else
      left[#left + 1] = file
    end
  end
  return left
end

--- A folder's name as a caption: "01_ankle_boot" -> "ankle boot".
-- @tparam string name
-- @treturn string|nil nil where it is no text
-- @treturn string the reason
function classes.caption(name) return files.caption((name:gsub("^%d+[%._%-%s]+([^%d])", "%1"):gsub("_", " "))) end

--- Finds the classes of a set's pictures.
-- @tparam {table,...} pictures with `within`, from splits.find
-- @tparam Report report
-- @treturn table `pictures`, those to learn from; `of`, by picture the name of its class; `repeats`, by picture a
-- number, where the folders are kohya's; `count`, how many classes there are; `direct`, pictures in no folder
function classes.find(pictures, report)
  local names = tops(pictures)
  local is_kohya = names.img and is_kohya_tree(names)
  pictures = is_kohya and inside_img(names, report) or without_companions(pictures, names, report)
  local direct, count
  names, direct, count = tops(pictures)
  local name_of, repeats_of = kohya(names)
  local found = { pictures = pictures, of = {}, repeats = repeats_of and {}, direct = direct, count = count }
  for top, list in pairs(names) do
    for _, file in ipairs(list) do
      found.of[file] = name_of and name_of[top] or top
      if repeats_of then found.repeats[file] = repeats_of[top] end
    end
  end
  return found
end

return classes
