--- Parts of a data set that lie apart, as train/, test/ and validation/ do, and the folder that holds it all.
-- @module laterna.data.folder.splits
local splits = {}

local WORDS = {
  train = "train", training = "train", restval = "train", test = "test", testing = "test",
  validation = "validation", valid = "validation", val = "validation", dev = "validation",
}

-- Folders that hold a set, not a class of it.
local PLAIN = {}
for word in ([[images image img imgs pictures picture pics photos photo data dataset jpg jpeg png webp files raw samples
  sprites]]):gmatch "%S+" do PLAIN[word] = true end

--- The split that a folder or a field names: "train", "test", "validation", or nil. COCO's train2017 is one.
-- @param name
-- @treturn string|nil
function splits.of(name)
  return type(name) == "string" and WORDS[name:lower():gsub("^%s+", ""):gsub("[%s_%-]*%d*$", "")] or nil
end

--- The split that a word in the name of a table stands for: captions_train2017.json, test.csv.
-- @tparam string stem
-- @treturn string|nil
function splits.in_name(stem)
  for word in stem:lower():gmatch "%a+" do
    if WORDS[word] then return WORDS[word] end
  end
end

--- Is this the name of a folder for pictures of any kind?
-- @tparam string name
-- @treturn boolean
function splits.is_plain(name) return PLAIN[name:lower()] == true or splits.of(name) ~= nil end

--- What lies in a folder: the pictures right in it, and those further down by the sub-folder that leads to them.
-- @tparam {table,...} pictures
-- @tparam string base "" or a folder with a slash at its end
-- @treturn table `direct`, a list; `names`, a sorted list; `below`, by name a list of pictures
function splits.level(pictures, base)
  local level = { direct = {}, names = {}, below = {} }
  for _, file in ipairs(pictures) do
    if file.path:sub(1, #base) == base then
      local name = file.path:match("^([^/]+)/", #base + 1)
      if not name then
        table.insert(level.direct, file)
      elseif level.below[name] then
        table.insert(level.below[name], file)
      else
        level.below[name] = { file }
        table.insert(level.names, name)
      end
    end
  end
  table.sort(level.names)
  return level
end

-- All sub-folders with pictures are splits, or several are: one class may be called "train".
local function are_splits(level)
  local different, count = {}, 0
  for _, name in ipairs(level.names) do
    local split = splits.of(name)
    if split and not different[split] then different[split], count = true, count + 1 end
    if not split then different.other = true end
  end
  return count >= 2 or count == 1 and not different.other and #level.direct == 0
end

-- The split that a folder on the way to a file names: labels/val/a.txt.
local function on_the_way(folder)
  for name in folder:gmatch "[^/]+" do
    local split = splits.of(name)
    if split then return split end
  end
end

-- Where each file lies within the set, and its split: everything below base/train/, pictures, texts and tables, is of
-- "train", and so are texts and tables in another folder train/. A folder of pictures beside them is a split of its
-- own.
local function mark(found, base, level)
  for _, file in ipairs(found.files) do
    local inside = file.path:sub(1, #base) == base
    local name = level and inside and file.path:match("^([^/]+)/", #base + 1)
    local split = name and (splits.of(name) or level.below[name] and name) or nil
    file.within = inside and file.path:sub(#base + 1 + (split and #name + 1 or 0)) or file.path
    file.split = split or level and file.kind ~= "picture" and on_the_way(file.folder) or nil
  end
end

--- Finds the splits of a tree, and the folder in which the set begins: a folder that is alone in another is passed
-- through. Each file gets `split`, where it is of one, and `within`, its path inside the set and the split.
-- @tparam table found from tree.walk
-- @treturn table splits that were found, as keys
function splits.find(found)
  local base, there = "", {}
  while true do
    local level = splits.level(found.picture, base)
    if are_splits(level) then
      mark(found, base, level)
      for _, name in ipairs(level.names) do there[splits.of(name) or name] = true end
      return there
    end
    local inner = #level.names == 1 and #level.direct == 0 and level.names[1]
    local below = inner and splits.level(found.picture, base .. inner .. "/")
    if not inner or #below.direct > 0 or (#below.names < 2 and not splits.is_plain(inner)) then
      mark(found, base)
      return there
    end
    base = base .. inner .. "/"
  end
end

return splits
