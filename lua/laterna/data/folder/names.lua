--- Names of pictures that somebody wrote into a file. They stand for pictures that were found below the root and for
-- nothing else: no file is opened by a name that came from a file.
-- @module laterna.data.folder.names
local join = require("laterna.data.folder.tree").join

local names = {}

local function put(t, key, file)
  t[key] = t[key] or {}
  table.insert(t[key], file)
end

--- What `find` looks in: all pictures but those that the report names already.
-- @tparam table found from tree.walk
-- @tparam Report report
-- @treturn table
function names.index(found, report)
  local index = { exact = {}, by_path_stem = {}, list = {}, links = found.links, others = {} }
  for _, file in ipairs(found.files) do
    if file.kind == "picture" and not file.aside and not report.noted[file.path] then
      index.exact[file.path] = file
      index.list[#index.list + 1] = file
      local key = join(file.folder, file.stem)
      local other = index.by_path_stem[key]
      index.by_path_stem[key] = other == nil and file or false -- false: there are several
    else
      index.others[file.path] = true
    end
  end
  return index
end

-- A name without ".", "//" and "/" at its end; or nil and why it is refused.
local function cleaned(name)
  if type(name) ~= "string" or name == "" then
    return nil, "file_name: expected text, got " .. (name == "" and "none" or type(name))
  end
  if name:find "%z" then return nil, "file_name: holds a zero byte" end
  if name:find "^[/\\]" or name:find "^%a:" then return nil, "file_name: absolute paths are refused" end
  for part in name:gmatch "[^/\\]+" do
    if part == ".." then return nil, "file_name: leads out of the folder" end
  end
  name = ("/" .. name):gsub("/+", "/")
  while name:find("/./", 1, true) do name = name:gsub("/%./", "/") end
  return (name:sub(2):gsub("/%.?$", ""))
end

-- The one of a list, or the only one of a split.
local function only(list, split)
  if not list then return nil end
  local one
  for _, file in ipairs(list) do
    if #list == 1 or file.split == split then
      if one then return nil end
      one = file
    end
  end
  return one
end

local function as_written(index, below, name)
  local file = index.exact[join(below, name)] or index.exact[name] or
    index.by_path_stem[join(below, name)] or index.by_path_stem[name] or nil
  local rest = name
  while not file and rest:find "/.*/" do -- data/images/a.png -> images/a.png
    rest = rest:gsub("^[^/]*/", "")
    file = index.exact[join(below, rest)] or index.exact[rest]
  end
  return file
end

-- Pictures by their names alone, for who asks.
local function index_names(index)
  index.by_name, index.by_stem = {}, {}
  for _, file in ipairs(index.list) do
    put(index.by_name, file.name, file)
    put(index.by_stem, file.stem, file)
  end
end

local function look_up(index, below, name, split)
  local file = as_written(index, below, name)
  if not file and not name:find "/" then
    if not index.by_name then index_names(index) end
    file = only(index.by_name[name], split) or only(index.by_stem[name], split)
  end
  return file
end

local function passes_link(index, below, name)
  for _, path in ipairs { join(below, name), name } do
    local so_far = ""
    for part in path:gmatch "[^/]+" do
      so_far = join(so_far, part)
      if index.links[so_far] then return true end
    end
  end
  return false
end

--- The picture that a name stands for: a path from the folder of the file in which it is written or from the root, also
-- without its ending or its first folders; a name alone also wherever the only picture of that name lies.
-- @tparam table index
-- @tparam string below the folder of the file, inside the root
-- @param name
-- @tparam[opt] string split which of several pictures of one name is meant
-- @treturn table|nil a file of the tree; or nil
-- @treturn string the reason
-- @treturn string|nil where it is only that there is no such picture, its name
function names.find(index, below, name, split)
  local clean, reason = cleaned(name)
  if not clean then return nil, reason end
  local file = look_up(index, below, clean, split)
  if not file and clean:find("\\", 1, true) then -- as Windows writes paths
    file = look_up(index, below, clean:gsub("\\+", "/"), split)
  end
  if not file and clean:find "#%d+$" then -- Flickr30k: 1000092795.jpg#0
    file = look_up(index, below, clean:gsub("#%d+$", ""), split)
  end
  if file then return file end
  if passes_link(index, below, clean) then
    return nil, "file_name: passes a symbolic link; symlinks = true follows it"
  end
  if index.others[join(below, clean)] or index.others[clean] then return nil, "file_name: not a picture" end
  return nil, "file_name: no such picture", clean
end

return names
