--- All that lies below a folder, in a fixed order. Nothing is passed over, so that whatever is not used can be counted.
-- @module laterna.data.folder.tree
local core = require "laterna.core"
local need = require "laterna.need"

local tree = {}

local DOT <const> = ("."):byte()
local DEEPEST <const>, MOST <const> = 32, 1 << 22

local KINDS = { txt = "text", caption = "text", csv = "table", tsv = "table", jsonl = "table", json = "table" }

-- What a picture really is, its first bytes say; those that laterna does not read are reported as such.
for ending in ("png apng jpg jpeg jpe jfif webp gif bmp tif tiff avif heic jxl tga"):gmatch "%S+" do
  KINDS[ending] = "picture"
end

-- What operating systems leave behind.
local LEFT_BEHIND = { ["thumbs.db"] = true, ["desktop.ini"] = true, __macosx = true }

--- Joins a folder inside the root, "" for the root itself, and a name.
-- @tparam string a
-- @tparam string b
-- @treturn string
function tree.join(a, b) return a == "" and b or a .. "/" .. b end

-- One file: `path` inside root = `folder`/`name`, `name` = `stem`.`ending` (in small letters), `kind`, and `aside`: why
-- it is put aside, where it is. `size` and `time` are those of a link where it is one.
local function entry(folder, name, aside, size, time)
  local stem, ending = name:match "^(.+)%.([^.]+)$"
  ending = ending and ending:lower() or ""
  return { path = tree.join(folder, name), folder = folder, name = name, stem = stem or name, ending = ending,
    kind = KINDS[ending] or "other", size = size, time = time, aside = aside }
end

-- A link counts as bad where following it would have given something to read.
local function add_link(self, file, mode)
  self.links[file.path] = true
  local reason = mode and "a symbolic link; symlinks = true follows it" or "a symbolic link that leads nowhere"
  local wanted = not file.aside and (file.kind ~= "other" or mode == "directory")
  self.report:add(file.aside and "apart" or wanted and "bad" or "unused", file.path, reason)
end

-- The names of what lies in a folder, sorted; by name a place, and for each place what it is, its size and its time.
local function entries(self, folder)
  local ok, names, kinds, sizes, times = pcall(core.list_folder, tree.join(self.root, folder), not self.cache)
  if not ok then
    self.report:add("bad", folder == "" and "." or folder, "cannot be listed: " .. tostring(names):gsub("^.*: ", ""))
    return {}
  end
  local at = {}
  for i, name in ipairs(names) do at[name] = i end
  table.sort(names)
  return names, at, kinds, sizes, times
end

local walk

local function enter(self, file, attributes, depth)
  local id = attributes.ino ~= 0 and attributes.dev .. ":" .. attributes.ino or file.path
  if self.visited[id] then
    self.report:add("bad", file.path, "a link to a folder that is read as " .. self.visited[id])
  elseif depth > DEEPEST then
    self.report:add("bad", file.path, ("more than %d folders deep"):format(DEEPEST))
  else
    self.visited[id] = file.path
    walk(self, file.path, depth, file.aside)
  end
end

-- What a link leads to; nil where that is nothing.
local function follow(self, file)
  local at = self.lfs.attributes(self.root .. "/" .. file.path)
  if not at then return nil end
  file.size, file.time = at.size, math.floor(at.modification) * 1000000000
  return at.mode
end

local function visit(self, file, mode, depth)
  local link = mode == "link"
  if link then mode = follow(self, file) end
  if link and (not self.follow or not mode or file.aside) then
    add_link(self, file, mode)
  elseif mode == "directory" then
    enter(self, file, self.lfs.attributes(self.root .. "/" .. file.path) or {}, depth + 1)
  elseif mode == "file" and self.cache and self.cache:is(self.root .. "/" .. file.path, file.name) then
    return -- not a part of the set that it holds
  elseif mode == "file" then
    self.files[#self.files + 1] = file
    if #self.files > MOST then error(("folder: more than %d files"):format(MOST), 0) end
  else
    self.report:add(file.aside and "apart" or file.kind == "picture" and "bad" or "unused", file.path, "not a file")
  end
end

local function is_ignored(self, path, name)
  for _, pattern in ipairs(self.ignored) do
    if name:find(pattern) or path:find(pattern) then return true end
  end
  return false
end

function walk(self, folder, depth, aside)
  local names, at, kinds, sizes, times = entries(self, folder)
  for _, name in ipairs(names) do
    local i = at[name]
    local why = aside or (name:byte() == DOT or LEFT_BEHIND[name:lower()]) and "hidden" or
      #self.ignored > 0 and is_ignored(self, tree.join(folder, name), name) and "ignored" or nil
    visit(self, entry(folder, name, why, sizes[i], times[i]), kinds[i], depth)
  end
end

-- "*.md" as a pattern of Lua's.
local function pattern_of(name) return "^" .. name:gsub("[^%w%*]", "%%%0"):gsub("%*+", ".*") .. "$" end

--- Sorts files by path; most lists are in that order already.
-- @tparam {table,...} list
-- @tparam[opt] function file_of what in the list is a file, where its values are none
function tree.sort(list, file_of)
  local function before(a, b)
    if file_of then a, b = file_of(a), file_of(b) end
    return a.path < b.path
  end
  for i = 2, #list do
    if before(list[i], list[i - 1]) then return table.sort(list, before) end
  end
end

--- Walks a folder. Symbolic links are reported unless they are followed; a folder that several lead to is read once, so
-- that a ring of links comes to an end.
-- @tparam string root
-- @tparam table o `symlinks`: follow them; `ignore`: names, in which * stands for anything, of what is put aside
-- @tparam Report report
-- @tparam[opt] Cache cache which does not count where it lies in the folder
-- @treturn table `root`; `files`, all of them, with `path` and, for a cache, `size` in bytes and `time` of the last
-- change in nanoseconds; of those that are not put aside `picture`, `text`, `table` and `other`; and `links`, the paths
-- that are symbolic links, as keys
function tree.walk(root, o, report, cache)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  local self = { root = root, follow = o.symlinks, ignored = {}, report = report, cache = cache, lfs = lfs, files = {},
    links = {}, visited = {}, picture = {}, text = {}, table = {}, other = {} }
  for i, name in ipairs(o.ignore or {}) do self.ignored[i] = pattern_of(name) end
  local top = lfs.attributes(root) or {}
  if top.ino and top.ino ~= 0 then self.visited[top.dev .. ":" .. top.ino] = "." end
  walk(self, "", 0, nil)
  tree.sort(self.files)
  for _, file in ipairs(self.files) do
    if not file.aside then table.insert(self[file.kind], file) end
  end
  return self
end

return tree
