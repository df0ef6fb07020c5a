--- What a module holds: its parameters, buffers and sub-modules, by dotted name, in one stable order.
-- Fields are visited in natural order (`block2` before `block10`), numbers before names; numbers are written from 0,
-- as PyTorch does: the weight of `self.blocks[1]` is `blocks.0.weight`.
-- @module laterna.nn.walk
local check = require "laterna.check"

local walk = {}

-- The metatables that nn.class made.
local classes = setmetatable({}, { __mode = "k" })

--- Makes a metatable known as a class of modules.
function walk.register(class)
  classes[class] = true
end

--- Is v a class made by nn.class?
function walk.is_class(v)
  return type(v) == "table" and classes[v] == true
end

--- Is v an instance of a class made by nn.class?
function walk.is_module(v)
  if type(v) ~= "table" then return false end
  local class = getmetatable(v)
  return class ~= nil and classes[class] == true
end

-- "block10b" -> { "block", 10, "b" }: texts at odd places, numbers at even ones. Every step asks for the parameters,
-- and names come again, so they are kept; when there are very many, all are forgotten at once.
local kept, kept_count = {}, 0

local function pieces(name)
  local out = kept[name]
  if out then return out end
  if kept_count >= 10000 then kept, kept_count = {}, 0 end
  out = {}
  kept[name], kept_count = out, kept_count + 1
  for text, digits in name:gmatch "(%D*)(%d*)" do
    out[#out + 1] = text
    out[#out + 1] = tonumber(digits)
  end
  return out
end

--- Natural order of two names or numbers; numbers come first.
function walk.before(a, b)
  if type(a) ~= type(b) then return type(a) == "number" end
  if type(a) == "number" then return a < b end
  local x, y = pieces(a), pieces(b)
  for i = 1, math.max(#x, #y) do
    if x[i] == nil or y[i] == nil then return x[i] == nil and y[i] ~= nil end
    if x[i] ~= y[i] then
      if type(x[i]) ~= type(y[i]) then return type(x[i]) == "number" end
      return x[i] < y[i]
    end
  end
  return a < b
end

-- A name or a number: what else can be a key leads nowhere.
local function is_place(key)
  return type(key) == "string" or type(key) == "number"
end

-- The keys of a table as they were in order when it was last walked: every step asks for the parameters.
local ordered = setmetatable({}, { __mode = "k" })

-- Keys whose values may lead to tensors, in order. A word list of ten thousand strings costs one look at each.
local function keys_of(t)
  local last, keys, same = ordered[t], {}, true
  for key, v in next, t do
    local kind = type(v)
    if (kind == "table" or kind == "userdata" and check.is_tensor(v)) and is_place(key) then
      keys[#keys + 1] = key
      same = same and last ~= nil and last.is_key[key]
    end
  end
  if #keys <= 1 then return keys end
  if same and #last.keys == #keys then return last.keys end
  table.sort(keys, walk.before)
  local is_key = {}
  for _, key in ipairs(keys) do is_key[key] = true end
  ordered[t] = { keys = keys, is_key = is_key }
  return keys
end

local function join(prefix, key)
  local name = math.type(key) == "integer" and tostring(key - 1) or tostring(key)
  return prefix == "" and name or prefix .. "." .. name
end

-- kind: nil for a parameter, "buffer", or "nonpersistent"; own: its class's layout and range of it; old: the name that
-- it had before, in files of then.
local function add_tensor(found, fname, name, t, kind, own, old)
  if found.named[name] then check.fail(fname, nil, "two fields are called %s", name) end
  found.named[name] = true
  local known = found.entry[t]
  if known then
    known.aliases[#known.aliases + 1] = name
    return
  end
  local buffer = kind ~= nil or t.dtype ~= "float32"
  if not buffer and not t.is_leaf then
    check.fail(fname, nil, "field %s is the result of an operation, not a parameter: modules keep no activations", name)
  end
  local entry = { name = name, tensor = t, buffer = buffer, saved = kind ~= "nonpersistent", layout = own.layout,
                  range = own.range, aliases = { old } }
  found.entry[t] = entry
  found.tensors[#found.tensors + 1] = entry
end

-- Tables without a metatable are walked too: a list of modules, a list of weights. Other objects are not looked into.
local function visit(found, fname, prefix, t, kind, deep, old)
  if found.visited[t] then return end
  found.visited[t] = true
  local buffers, nonpersistent, layout, ranges, formerly = {}, {}, {}, {}, {}
  if walk.is_module(t) then
    found.modules[#found.modules + 1] = { name = prefix, module = t }
    buffers, nonpersistent, layout = t.buffers or buffers, t.nonpersistent or nonpersistent, t.layout or layout
    ranges, formerly = t.ranges or ranges, t.formerly or formerly
    check.type(fname, nil, "buffers", buffers, "table")
    check.type(fname, nil, "nonpersistent", nonpersistent, "table")
  end
  for _, key in ipairs(keys_of(t)) do
    local v, name = t[key], join(prefix, key)
    local own = nonpersistent[key] == true and "nonpersistent" or kind or buffers[key] == true and "buffer" or nil
    local before = (old or formerly[key]) and join(old or prefix, formerly[key] or key) or nil
    if type(v) ~= "table" then
      add_tensor(found, fname, name, v, own, { layout = layout[key], range = ranges[key] }, before)
    elseif getmetatable(v) == nil or deep and walk.is_module(v) then
      visit(found, fname, name, v, not walk.is_module(v) and own or nil, deep, before)
    end
  end
end

--- Everything below a module. Shared tensors and modules count once, under the first of their names; a module that
-- leads back to itself is not entered again.
-- @tparam string fname the function to be named in errors
-- @tparam table module
-- @tparam[opt] boolean shallow stop at sub-modules
-- @treturn table {modules = {{name, module}}, tensors = {{name, tensor, buffer, saved, layout, range,
-- aliases}}}
function walk.survey(fname, module, shallow)
  local found = { modules = {}, tensors = {}, entry = {}, named = {}, visited = {} }
  visit(found, fname, "", module, nil, not shallow)
  return found
end

local function gather(list, visited, t)
  visited[t] = true
  if walk.is_module(t) then list[#list + 1] = t end
  for key, v in next, t do
    if type(v) == "table" and not visited[v] and is_place(key) and (getmetatable(v) == nil or walk.is_module(v)) then
      gather(list, visited, v)
    end
  end
end

--- A module and all below it, each once, in no particular order: for what is done to every one of them. It costs a
-- fraction of a survey, which names and sorts.
-- @tparam table module
-- @treturn {module,...}
function walk.modules(module)
  local list = {}
  gather(list, {}, module)
  return list
end

return walk
