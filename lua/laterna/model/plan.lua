--- The tree of a model, checked as a whole before anything is made of it: tags, names, references, and what is missing
-- and has to come from whoever opens the file. The result is a plan, from which laterna.model.build makes the model.
-- @module laterna.model.plan
local check = require "laterna.check"
local json = require "laterna.model.json"
local names = require "laterna.model.names"
local read = require "laterna.model.read"
local recipe = require "laterna.nn.recipe"

local plan = {}

local only, refuse = read.only, read.refuse

local MOST_MADE = 256 -- functions that a text may have made: some cost a millisecond, and none needs many

-- The keys that go with each tag.
local TAGS = {
  ["$class"] = { "$args", "$id" }, ["$own"] = { "$args", "$id" }, ["$ref"] = {}, ["$tokenizer"] = {},
  ["$function"] = { "$args" }, ["$value"] = {}, ["$pairs"] = {}, ["$number"] = {}, ["$missing"] = {},
}
local NUMBERS = { inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0 }

--- Numbers that JSON has not.
plan.NUMBERS = NUMBERS

local inspect_node

--- The keys of an object. Objects are gone through in one order, when they are checked and when they are built: a
-- module stands in full where it is met first, and references follow.
-- @tparam table object
-- @treturn {string,...}
function plan.sorted_keys(object)
  local keys = {}
  for key in next, object do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function join(path, key)
  return path == "" and tostring(key) or path .. "." .. key
end

-- Arguments: the names of options stand for themselves, other arguments go by their number.
local function inspect_args(node, self, path, owner)
  local args = node["$args"]
  if not json.is_list(args) then refuse("%s: expected a list of arguments", owner) end
  for i = 1, args.n do
    local v = args[i]
    local options = type(v) == "table" and not json.is_list(v) and not next(read.tags(v))
    inspect_node(v, self, options and path or join(path, i), owner)
  end
end

-- The one tag of an object, or nil for a plain table.
local function tag_of(object, owner)
  local tags, tag = read.tags(object), nil
  if next(tags) == nil then return nil end
  for key in next, TAGS do
    if tags[key] then
      if tag then refuse("%s: an object with %s and %s", owner, tag, key) end
      tag = key
    end
  end
  if not tag then refuse("%s: unknown key %s", owner, check.describe((next(tags)))) end
  only(object, owner, tag, table.unpack(TAGS[tag]))
  return tag
end

local checks = {}

-- More arguments than a class takes would be passed over without a word.
local function inspect_class(node, self, path, name)
  inspect_args(node, self, path, name)
  local n, most = node["$args"].n, recipe.takes(self.value[node])
  if n > most then refuse("%s: %d arguments, of %d that it takes", name, n, most) end
end

checks["$class"] = function(node, self, path, owner)
  local name = node["$class"]
  local class = type(name) == "string" and names.class(name)
  if not class then refuse("%s: unknown class %s", owner, check.describe(name)) end
  self.value[node] = class
  inspect_class(node, self, path, name)
end

checks["$own"] = function(node, self, path, owner)
  local name = node["$own"]
  if type(name) ~= "string" then refuse("%s: expected the name of a class, got %s", owner, check.describe(name)) end
  self.value[node] = self.classes[name]
  if not self.value[node] then
    refuse("class %s is the script's own; give it: lt.open(path, { classes = { %s = %s } })", name, name, name)
  end
  inspect_class(node, self, path, name)
end

checks["$ref"] = function(node, self, _, owner)
  local id = node["$ref"]
  if type(id) ~= "number" or not self.ids[id] then
    refuse("%s: a reference to %s, which no module before it is", owner, check.describe(id))
  end
end

checks["$tokenizer"] = function(node, self, _, owner)
  local n = node["$tokenizer"]
  if math.type(n) ~= "integer" or not self.tokenizers[n] then
    refuse("%s: no tokenizer %s", owner, check.describe(n))
  end
end

checks["$function"] = function(node, self, path, owner)
  local name = node["$function"]
  local maker = type(name) == "string" and names.maker(name)
  if not maker then refuse("%s: unknown function %s", owner, check.describe(name)) end
  self.made = self.made + 1
  if self.made > MOST_MADE then refuse("more than %d functions", MOST_MADE) end
  self.value[node] = maker
  inspect_args(node, self, path, name)
end

checks["$value"] = function(node, self, _, owner)
  local name = node["$value"]
  local v = type(name) == "string" and names.constant(name)
  if not v then refuse("%s: unknown function %s", owner, check.describe(name)) end
  self.value[node] = v
end

checks["$pairs"] = function(node, self, path, owner)
  local list = node["$pairs"]
  if not json.is_list(list) then refuse("%s: expected a list of pairs", owner) end
  for i = 1, list.n do
    local pair = list[i]
    if not json.is_list(pair) or pair.n ~= 2 or type(pair[1]) == "table" or pair[1] == nil then
      refuse("%s: expected pairs of a key and a value", owner)
    end
    inspect_node(pair[2], self, join(path, tostring(pair[1])), owner)
  end
end

checks["$number"] = function(node, _, _, owner)
  if not NUMBERS[node["$number"]] then refuse("%s: unknown number %s", owner, check.describe(node["$number"])) end
end

checks["$missing"] = function(node, self, path, owner)
  local what = node["$missing"]
  if type(what) ~= "string" then refuse("%s: expected a word for what is missing", owner) end
  self.missing[#self.missing + 1] = { node = node, path = path, owner = owner, what = what }
end

function inspect_node(v, self, path, owner)
  if type(v) ~= "table" then return end
  if json.is_list(v) then
    for i = 1, v.n do inspect_node(v[i], self, join(path, i), owner) end
    return
  end
  local tag = tag_of(v, owner)
  if not tag then
    for _, key in ipairs(plan.sorted_keys(v)) do inspect_node(v[key], self, join(path, key), owner) end
    return
  end
  self.tag[v] = tag
  checks[tag](v, self, path, owner)
  local id = v["$id"]
  if id == nil then return end
  if math.type(id) ~= "integer" or self.ids[id] then
    refuse("%s: expected an id of its own, got %s", owner, check.describe(id))
  end
  self.ids[id] = true
end

-- ---- what stands in for what is missing --------------------------------------------------------------------------

local function last_of(path)
  return path:match "[^%.]*$"
end

-- How many of the missing have this last name.
local function namesakes(self, name)
  local count = 0
  for _, m in ipairs(self.missing) do
    if last_of(m.path) == name then count = count + 1 end
  end
  return count
end

-- The shortest name that means one of the missing.
local function name_of(self, m)
  local last = last_of(m.path)
  return namesakes(self, last) == 1 and not tonumber(last) and last or m.path
end

local function sentence(self, m)
  local name = name_of(self, m)
  local key = name:find "^[%a_][%w_]*$" and name or ("[%q]"):format(name)
  return ("option %s of %s was a %s; give it: lt.open(path, { %s = ... })"):format(name, m.owner, m.what, key)
end

-- Takes what is missing from the caller's options; what is not there, or there without being asked for, is an error.
local function take(self, values)
  local used, lines = {}, {}
  for _, m in ipairs(self.missing) do
    local last = last_of(m.path)
    local name = values[m.path] ~= nil and m.path or last
    if values[name] ~= nil and name ~= m.path and namesakes(self, last) > 1 then
      refuse("option %s stands in several places; give it by its path, %s", last, m.path)
    end
    if values[name] ~= nil then
      self.taken[m.node], used[name] = values[name], true
    else
      lines[#lines + 1] = sentence(self, m)
    end
  end
  if #lines > 0 then refuse(table.concat(lines, "\n")) end
  for name in next, values do
    if not used[name] then
      refuse("nothing that is called %s is missing in this file", check.describe(name))
    end
  end
end

local function inspect_changes(changes, self)
  if not json.is_list(changes) then refuse "metadata model: changes: expected a list" end
  for i = 1, changes.n do
    local c = changes[i]
    if type(c) ~= "table" or json.is_list(c) then refuse "metadata model: changes: expected objects" end
    only(c, "metadata model: changes", "module", "function", "args")
    local name = c["function"]
    if type(name) ~= "string" or not self.known_changes[name] then
      refuse("metadata model: changes: unknown function %s", check.describe(name))
    end
    if type(c.module) ~= "string" then refuse "metadata model: changes: expected a module's name" end
    if not json.is_list(c.args) then refuse("%s: expected a list of arguments", name) end
    for k = 1, c.args.n do inspect_node(c.args[k], self, name, name) end
  end
end

--- The plan of a model.
-- @tparam table v the tree and the changes, from read.tree
-- @tparam {Tokenizer,...} tokenizers
-- @tparam table classes the script's own, by name
-- @tparam table values of options that no file can hold, by name or by dotted path
-- @tparam table known_changes {name = function} that a file may name among its changes
-- @treturn table by node: tag; value, the class or function that is named; taken, what stands in for what is missing
-- @raise in words, what is wrong or missing
function plan.of(v, tokenizers, classes, values, known_changes)
  local self = { tokenizers = tokenizers, classes = classes, known_changes = known_changes, value = {}, tag = {},
                 ids = {}, missing = {}, taken = {}, by_id = {}, made = 0 }
  local root = type(v.tree) == "table" and (v.tree["$class"] or v.tree["$own"])
  if not root then refuse "metadata model: expected a class" end
  inspect_node(v.tree, self, "", tostring(root))
  inspect_changes(v.changes, self)
  take(self, values)
  return self
end

return plan
