--- Metadata of a model's file, read strictly: its JSON, its tokenizers, who reads with them.
-- @module laterna.model.read
local check = require "laterna.check"
local json = require "laterna.model.json"
local Tokenizer = require "laterna.text.tokenizer"

local read = {}

--- Raises a sentence, which is formatted if there is more than the text.
function read.refuse(...)
  error((select("#", ...) > 1 and string.format or tostring)(...), 0)
end

-- The part of a metadata's JSON, as an object or a list.
local function part(metadata, key, is_list)
  local text = metadata[key]
  if text == nil then read.refuse("metadata %s is missing", key) end
  local ok, v = pcall(json.decode, text)
  if not ok then read.refuse("metadata %s: %s", key, v) end
  if type(v) ~= "table" or json.is_list(v) ~= is_list then
    read.refuse("metadata %s: expected %s", key, is_list and "a list" or "an object")
  end
  return v
end

--- Refuses keys of an object that are none of these.
-- @tparam table object
-- @tparam string where for the message
-- @tparam string ... keys
function read.only(object, where, ...)
  local known = {}
  for _, key in ipairs { ... } do known[key] = true end
  for key in next, object do
    if not known[key] then read.refuse("%s: unknown key %s", where, check.describe(key)) end
  end
end

local function is_count(v)
  return math.type(v) == "integer" and v >= 0 and v < 1 << 53
end

--- The tokenizers of a file.
-- @tparam table metadata
-- @treturn {Tokenizer,...}
function read.tokenizers(metadata)
  local out = {}
  for i, node in ipairs(part(metadata, "tokenizers", true)) do
    local where = ("metadata tokenizers: %d"):format(i)
    if type(node) ~= "table" then read.refuse("%s: expected an object", where) end
    read.only(node, where, "text", "captions", "hash")
    if type(node.text) ~= "string" then read.refuse("%s: expected a text", where) end
    if node.captions ~= nil and not is_count(node.captions) then
      read.refuse("%s: captions: expected a count", where)
    end
    if node.hash ~= nil and (type(node.hash) ~= "string" or not node.hash:find "^%x+$") then
      read.refuse("%s: hash: expected hexadecimal digits", where)
    end
    local ok, tokenizer = pcall(Tokenizer.load, node.text)
    if not ok then read.refuse("%s: %s", where, check.plain(tokenizer)) end
    tokenizer.captions, tokenizer.hash = node.captions, node.hash
    out[i] = tokenizer
  end
  if #out ~= part(metadata, "tokenizers", true).n then read.refuse "metadata tokenizers: null among them" end
  return out
end

--- The tokenizers of a file by the name of the module that reads with them.
-- @tparam table metadata
-- @tparam {Tokenizer,...} tokenizers
-- @treturn table {name = Tokenizer}
function read.vocabularies(metadata, tokenizers)
  local out = {}
  for name, n in next, part(metadata, "vocabularies", false) do
    if math.type(n) ~= "integer" or not tokenizers[n] then
      read.refuse("metadata vocabularies: %s: expected the number of a tokenizer, got %s", name, check.describe(n))
    end
    out[name] = tokenizers[n]
  end
  return out
end

--- The tags of an object: keys that begin with a dollar sign.
-- @tparam table object
-- @treturn table {tag = true}
function read.tags(object)
  local out = {}
  for key in next, object do
    if type(key) == "string" and key:find "^%$" then out[key] = true end
  end
  return out
end

--- The tree of a model, decoded but not looked into.
-- @tparam table metadata
-- @treturn table {tree, changes}
function read.tree(metadata)
  local v = part(metadata, "model", false)
  read.only(v, "metadata model", "tree", "changes")
  return v
end

return read
