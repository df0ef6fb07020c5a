--- A model as text: the tree of its classes with what each was called with, and the tokenizers in it, as JSON.
--
--     {"$class": "lt.diffusion", "$args": [{"net": {"$class": "lt.nn.UNet", "$args": [{"width": 32}]}, "drop": 0.1}]}
--
-- Numbers, strings, booleans, lists and tables by string are themselves; null is nil. All else is an object with keys
-- that begin with a dollar sign:
--
--     {"$class": name, "$args": [...], "$id": n}     a module of the library; the id where it stands more than once
--     {"$own": name, ...}                            a module of a class of the script's, by its name in nn.class
--     {"$ref": n}                                    the module with that id
--     {"$tokenizer": n}                              the n-th tokenizer
--     {"$function": name, "$args": [...]}            what a maker of the library gives
--     {"$value": name}                               a function or table of the library
--     {"$pairs": [[key, value], ...]}                a table with other keys
--     {"$number": "inf"}                             inf, -inf or nan
--     {"$missing": "function"}                       what no file can hold: whoever opens the model passes it
-- @module laterna.model.write
local json = require "laterna.model.json"
local names = require "laterna.model.names"
local recipe = require "laterna.nn.recipe"
local vocabulary = require "laterna.nn.vocabulary"
local walk = require "laterna.nn.walk"

local write = {}

local MOST_DEPTH = 60 -- of tables and modules; JSON nests twice as deep

local put

local function put_list(list, n, self, depth)
  local out = json.list(n)
  for i = 1, n do out[i] = put(list[i], self, depth + 1) end
  return out
end

-- A table without a metatable: a list, a table by string, or pairs.
local function put_plain(t, self, depth)
  if depth > MOST_DEPTH then return { ["$missing"] = "table that is nested too deep" } end
  local count, listed, strings = 0, true, true
  for key in next, t do
    count = count + 1
    listed = listed and math.type(key) == "integer" and key >= 1 and key <= rawlen(t)
    strings = strings and type(key) == "string" and not key:find "^%$" and utf8.len(key) ~= nil
  end
  if listed and count == rawlen(t) then return put_list(t, count, self, depth) end
  local out, keys = {}, {}
  for key in next, t do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then return a < b end
    return type(a) < type(b)
  end)
  if strings then -- in order, so that a module stands in full where it is read first
    for _, key in ipairs(keys) do out[key] = put(t[key], self, depth + 1) end
    return out
  end
  out = json.list(#keys)
  for i, key in ipairs(keys) do out[i] = put_list({ key, t[key] }, 2, self, depth) end
  return { ["$pairs"] = out }
end

local function put_args(args, self, depth)
  return put_list(args, args.n, self, depth)
end

-- The class's entry: a public name, or the script's own. Two own classes of one name cannot be told apart.
local function put_class(class, self, node)
  local name = self.name_of(class)
  if name then
    node["$class"] = name
    return true
  end
  name = class.__name
  if utf8.len(name) == nil or self.own[name] and self.own[name] ~= class then return false end
  self.own[name], node["$own"] = class, name
  return true
end

local function put_module(m, self, depth)
  local node = self.nodes[m]
  if node then
    if not node["$id"] then
      self.ids = self.ids + 1
      node["$id"] = self.ids
    end
    return { ["$ref"] = node["$id"] }
  end
  local class, args = recipe.of(m)
  if not class or depth > MOST_DEPTH then return { ["$missing"] = "module" } end
  node = {}
  self.nodes[m] = node
  if not put_class(class, self, node) then
    return { ["$missing"] = ("module of one of several classes %s"):format(class.__name) }
  end
  node["$args"] = put_args(args, self, depth)
  return node
end

local function put_tokenizer(tokenizer, self)
  local n = self.numbers[tokenizer]
  if not n then
    n = #self.tokenizers + 1
    self.tokenizers[n], self.numbers[tokenizer] = tokenizer, n
  end
  return n
end

-- Whether something is missing in what was put.
local function lacks(node)
  if type(node) ~= "table" then return false end
  if node["$missing"] then return true end
  for _, inner in next, node do
    if lacks(inner) then return true end
  end
  return false
end

local function put_function(f, self, depth)
  local constant = names.of_function(f) or recipe.constant_name(f)
  if constant then return { ["$value"] = constant } end
  local maker, args = recipe.maker_of(f)
  local put_in = maker and put_args(args, self, depth)
  if maker and not lacks(put_in) then return { ["$function"] = maker, ["$args"] = put_in } end
  return { ["$missing"] = "function" }
end

function put(v, self, depth)
  local kind = type(v)
  if kind == "nil" or kind == "boolean" then return v end
  if kind == "number" then
    if math.type(v) == "integer" or v - v == 0 then return v end
    return { ["$number"] = v ~= v and "nan" or v > 0 and "inf" or "-inf" }
  end
  if kind == "string" then return utf8.len(v) and v or { ["$missing"] = "string that is not UTF-8" } end
  if kind == "function" then return put_function(v, self, depth) end
  if kind ~= "table" then return { ["$missing"] = kind } end
  if recipe.is_missing(v) then return { ["$missing"] = v.what } end
  if walk.is_module(v) then return put_module(v, self, depth) end
  if recipe.constant_name(v) then return { ["$value"] = recipe.constant_name(v) } end
  local metatable = getmetatable(v)
  if metatable == nil then return put_plain(v, self, depth) end
  if metatable.__name == "laterna.Tokenizer" then return { ["$tokenizer"] = put_tokenizer(v, self) } end
  return { ["$missing"] = "table with a metatable" }
end

-- What was done to modules after they were made, by the first name of each.
local function put_changes(model, self)
  local out = json.list()
  for name, m in model:named_modules() do
    local _, _, changes = recipe.of(m)
    for _, change in ipairs(changes or {}) do
      out.n = out.n + 1
      out[out.n] = { module = name, ["function"] = change.name, args = put_args(change.args, self, 1) }
    end
  end
  return out
end

-- Tokenizers as JSON has them: text, and what they were trained from.
local function put_tokenizers(list)
  local out = json.list(#list)
  for i, tokenizer in ipairs(list) do
    out[i] = { text = tokenizer:state(), captions = tokenizer.captions, hash = tokenizer.hash }
  end
  return out
end

local function new()
  return { name_of = names.of_classes(), own = {}, nodes = {}, ids = 0, tokenizers = {}, numbers = {} }
end

-- The vocabularies of {name = tokenizer}, as numbers of tokenizers.
local function put_vocabularies(by_name, self)
  local out = {}
  for name, tokenizer in next, by_name do out[name] = put_tokenizer(tokenizer, self) end
  return out
end

--- Metadata that says what a model is: strings by name: model, tokenizers, vocabularies.
-- @tparam module model
-- @treturn table {name = string}
function write.model(model)
  local self = new()
  local tree = put(model, self, 1)
  local text = json.encode { tree = tree, changes = put_changes(model, self) }
  local vocabularies = put_vocabularies(vocabulary.of(model), self)
  return {
    model = text, tokenizers = json.encode(put_tokenizers(self.tokenizers)), vocabularies = json.encode(vocabularies),
  }
end

--- Metadata of vocabularies alone.
-- @tparam table by_name {name of a module = tokenizer}
-- @treturn table {name = string}
function write.vocabularies(by_name)
  local self = new()
  local vocabularies = put_vocabularies(by_name, self)
  return { tokenizers = json.encode(put_tokenizers(self.tokenizers)), vocabularies = json.encode(vocabularies) }
end

return write
