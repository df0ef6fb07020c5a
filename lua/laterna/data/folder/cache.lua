--- A folder's data set in one file: pictures at their final size, captions, and all else that is known. The file is one
-- of safetensors, with uint8 tensors `images` (n,h,w,c), `files` and `rest` (laterna.data.folder.blob). Pictures are
-- mapped, not read: a set may be larger than memory.
-- @module laterna.data.folder.cache
local blob = require "laterna.data.folder.blob"
local check = require "laterna.check"
local core = require "laterna.core"
local fingerprint = require "laterna.data.folder.fingerprint"
local need = require "laterna.need"
local new_report = require "laterna.data.folder.report"
local version = require "laterna.version"

local Cache = {}
Cache.__index = Cache

local FORMAT <const> = "laterna.data.folder 1"
local OURS <const> = '{"__metadata__":{"cache":"laterna.data.folder ' -- how the header of every version begins
local AT_ONCE <const> = 1 << 25 -- bytes of pictures on their way to the file

local function is_ours(path)
  local f = io.open(path, "rb")
  local head = f and f:read(8 + #OURS)
  if f then f:close() end
  return head ~= nil and head:sub(9) == OURS
end

--- A cache, which may be there or not. Nothing is changed yet.
-- @function open
-- @tparam string path
-- @treturn Cache
-- @raise what stands under the path where it is no cache of a folder
local function open(path)
  local lfs = need("lfs", "lua-filesystem", "luafilesystem")
  local mode = lfs.attributes(path, "mode")
  if mode and not (mode == "file" and is_ours(path)) then
    check.fail("folder", 2, "cache: %s is there and no cache of a folder; it is left as it is", path)
  end
  local folder, name = path:match "^(.*/)([^/]*)$"
  return setmetatable({ path = path, exists = mode ~= nil, lfs = lfs, name = name or path,
    id = lfs.attributes(folder or ".", "ino") }, Cache)
end

--- Is a file of the walk this cache, or one on its way to become it?
-- @tparam string path
-- @tparam string name
-- @treturn boolean
function Cache:is(path, name)
  if name ~= self.name and name:sub(1, #self.name + 5) ~= self.name .. ".tmp-" then return false end
  return self.lfs.attributes(path:match "^(.*/)" or ".", "ino") == self.id
end

local function is_list_of(list, n, is)
  local ok = type(list) == "table" and (n == nil or #list == n)
  for i = 1, ok and #list or 0 do ok = ok and is(list[i]) end
  return ok
end

local function is_text(v) return type(v) == "string" end

local function is_count(v) return math.type(v) == "integer" and v >= 0 end

local function is_table(v) return type(v) == "table" end

-- What a set may know of each picture.
local LISTS <const> = {
  names = is_text, repeats = is_count, metadata = is_table,
  all_captions = function(v) return is_list_of(v, nil, is_text) and #v > 0 end,
}

-- Does a value have all that a data set of n pictures needs? A cache is a file like any other: nobody checked it.
local function is_whole(value, n)
  if not (is_table(value) and is_table(value.options) and is_table(value.lists) and is_table(value.report)) then
    return false
  end
  local ok = is_list_of(value.captions, n, is_text) and new_report.is_kept(value.report)
  for name, list in pairs(value.lists) do ok = ok and LISTS[name] ~= nil and is_list_of(list, n, LISTS[name]) end
  if not ok or value.classes == nil then return ok and value.labels == nil end
  return is_list_of(value.classes, nil, is_text) and is_list_of(value.labels, n, function(v)
    return is_count(v) and v >= 1 and v <= #value.classes
  end)
end

-- What a file holds, or nil and why it is no use.
local function load(path)
  local ok, tensors, metadata = pcall(core.load_safetensors, path, { map = true })
  if not ok and tensors:find("not enough memory", 1, true) then error(tensors, 0) end
  if not ok then return nil, "it is damaged: " .. check.reason(tensors, path) end
  if metadata.cache ~= FORMAT or metadata.version ~= version then return nil, "another version of laterna wrote it" end
  local images, files, rest = tensors.images, tensors.files, tensors.rest
  local whole = images and files and rest and images.dtype == "uint8" and images:dim() == 4 and #images > 0
  files, rest = whole and files:to_string(), whole and rest:to_string()
  if not whole or metadata.hash ~= core.hash_strings { files, rest } then
    return nil, "it is damaged"
  end
  local value = blob.decode(rest)
  if not is_whole(value, #images) then return nil, "it is damaged" end
  value.images, value.files = images, files
  return value
end

--- Compares the cache with what there is now.
-- @tparam table found from tree.walk
-- @tparam Report report of the walk
-- @tparam table o options
-- @treturn table|nil what `write` was called with, and `images`; nil where there is no cache or it is of no use: then
-- `self.why` says why
function Cache:read(found, report, o)
  self.now = { options = fingerprint.options(o), files = fingerprint.files(found, report) }
  if not self.exists then return nil end
  local value
  value, self.why = load(self.path)
  if not value then return nil end
  self.why = fingerprint.difference(value, self.now)
  if self.why then return nil end
  return value
end

--- Begins to write: see laterna.data.folder.read for what it does with it.
-- @tparam table o `height`, `width`, `channels`
-- @return what is to be closed, finished or not
function Cache:begin(o)
  local size = o.height * o.width * o.channels
  self.count, self.shape = 0, { o.height, o.width, o.channels }
  self.most = math.max(1, AT_ONCE // size)
  self.stream = core.begin_stream(self.path)
  return self.stream
end

function Cache:rows(n)
  if not self.room or #self.room < n then self.room = core.picture_rows(n, table.unpack(self.shape)) end
  return self.room, 1
end

function Cache:keep(n)
  if n > 0 then core.append_stream(self.stream, self.room[{ 1, n }]) end
  self.count = self.count + n
end

--- Ends it, with what else there is; nothing has been replaced before.
-- @tparam table value plain: booleans, numbers, texts, tables
-- @treturn Tensor the pictures, mapped
function Cache:finish(value)
  value.options = self.now.options
  local ok, rest = pcall(blob.encode, value)
  if not ok then error("folder: cache: what the tables say cannot be kept: " .. rest, 0) end
  local files, h, w, c = self.now.files, table.unpack(self.shape)
  self.room = nil
  core.append_stream(self.stream, files)
  core.append_stream(self.stream, rest)
  core.finish_stream(self.stream, { { "images", self.count, h, w, c }, { "files", #files }, { "rest", #rest } },
    { { "cache", FORMAT }, { "hash", core.hash_strings { files, rest } }, { "version", version } })
  local images = core.load_safetensors(self.path, { prefix = "images", map = true })[""]
  if not images or images:numel() ~= self.count * h * w * c then
    error(("folder: cache: %s was changed while it was written"):format(self.path), 0)
  end
  return images
end

return open
