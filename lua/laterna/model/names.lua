--- The public names of the library's classes, functions and tables, as users type them: what a file of a model may
-- name, and nothing else. A name is looked up in tables that are written here; no text of a file reaches `require`.
-- @module laterna.model.names
local core = require "laterna.core"
local recipe = require "laterna.nn.recipe"
local walk = require "laterna.nn.walk"

local names = {}

-- Tables whose classes are public, under `lt.`. The families are classes, and tables of more.
local ROOMS = {
  "nn", "text", "likelihood", "prior", "vae", "diffusion", "flow", "flow.layers", "gan", "autoencoder",
  "autoencoder.regulariser",
}

-- Functions of one tensor that may stand in a network as they are.
local FUNCTIONS = {
  "abs", "cos", "exp", "gelu", "leaky_relu", "log", "log_softmax", "relu", "sigmoid", "silu", "sin", "softmax",
  "softplus", "sqrt", "square", "tanh",
}

-- Functions that make functions. A file says with what they were called.
local MAKERS = {
  schedule = { "cosine", "sigmoid", "log_snr_linear", "edm", "flow", "linear", "scaled_linear", "from_betas",
               "from_alpha_bar", "zero_terminal", "shift" },
  ["diffusion.weight"] = true, ["diffusion.time_sampler"] = true, ["gan.augment.kinds"] = true,
}

-- Tables of tables and functions that options are chosen from.
local CHOICES = { ["gan.losses"] = true }

local function class_name(class)
  return class.__name
end

-- Classes of a room by their public name; of a class that has two the one like its own name stands.
local function classes_of(room, part, by_class, by_name)
  local keys = {}
  for key, v in next, part do
    if type(key) == "string" and not key:find "^_" and walk.is_class(v) then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local class, name = part[key], ("lt.%s.%s"):format(room, key)
    by_name[name] = class
    if not by_class[class] or key == class_name(class) then by_class[class] = name end
  end
  if walk.is_class(part) then
    by_class[part], by_name["lt." .. room] = "lt." .. room, part
  end
end

-- The table at a path such as gan.augment.kinds below a part, which has the first name.
local function below(part, path)
  for key in path:gmatch "%.([%w_]+)" do
    part = type(part) == "table" and part[key] or nil
  end
  return part
end

-- Rooms that are loaded; all of them if asked.
local function survey(all)
  local by_class, by_name = {}, {}
  for _, room in ipairs(ROOMS) do
    local file = "laterna." .. room:match "^[^%.]+"
    local part = package.loaded[file] or all and require(file)
    part = part and below(part, room)
    if part then classes_of(room, part, by_class, by_name) end
  end
  return by_class, by_name
end

--- A function from classes to their public names, nil for a class that has none.
-- @treturn function
function names.of_classes()
  local by_class, all = survey(false), nil
  return function(class)
    if not by_class[class] and not all then by_class, all = survey(true), true end
    return by_class[class]
  end
end

--- The class of a public name, or nil.
-- @tparam string name
-- @treturn ?table
function names.class(name)
  local _, by_name = survey(false)
  if by_name[name] then return by_name[name] end
  _, by_name = survey(true)
  return by_name[name]
end

--- The public name of one of the core's functions that may stand in a network, or nil.
-- @tparam function f
-- @treturn ?string
function names.of_function(f)
  for _, name in ipairs(FUNCTIONS) do
    if core[name] == f then return "lt." .. name end
  end
end

local wrapped = setmetatable({}, { __mode = "k" })

-- Makers note how a function was made.
local function wrap_makers(t, path, list)
  if not list then
    list = {}
    for key, v in next, t do
      if type(v) == "function" then list[#list + 1] = key end
    end
  end
  for _, key in ipairs(list) do
    local make, name = t[key], ("lt.%s.%s"):format(path, key)
    t[key] = function(...) return recipe.made(make(...), name, ...) end
  end
end

local function name_choices(t, path)
  for key, v in next, t do
    local name = ("lt.%s.%s"):format(path, key)
    if type(v) == "table" or type(v) == "function" then recipe.name_constant(v, name) end
    for inner, f in next, type(v) == "table" and v or {} do
      if type(f) == "function" then recipe.name_constant(f, name .. "." .. inner) end
    end
  end
end

--- Makes what a part of the library offers known by name, when the part is first used as `lt.<name>`.
-- @tparam string name
-- @tparam table part
-- @treturn table the part
function names.publish(name, part)
  local function each(paths, f)
    for path, list in next, paths do
      local t = path:match "^[^%.]+" == name and below(part, path)
      if t and not wrapped[t] then
        wrapped[t] = true
        f(t, path, list ~= true and list or nil)
      end
    end
  end
  each(MAKERS, wrap_makers)
  each(CHOICES, name_choices)
  return part
end

-- The table of a path, published.
local function room_of(path)
  local part = path:match "^[^%.]+"
  return below(names.publish(part, require("laterna." .. part)), path)
end

local function split(name)
  return name:match "^lt%.([%w_%.]+)%.([%w_]+)$"
end

--- The maker of a public name, or nil.
-- @tparam string name
-- @treturn ?function
function names.maker(name)
  local path, key = split(name)
  local list = path and rawget(MAKERS, path)
  if not list then return nil end
  if list ~= true then
    local found = false
    for _, known in ipairs(list) do found = found or known == key end
    if not found then return nil end
  end
  local f = rawget(room_of(path), key)
  return type(f) == "function" and f or nil
end

--- The function or table of a public name: one of the core's functions that may stand in a network, or one of the
-- tables of choices, or a function in these. Or nil.
-- @tparam string name
-- @return the function or table
function names.constant(name)
  for _, known in ipairs(FUNCTIONS) do
    if name == "lt." .. known then return core[known] end
  end
  for path in next, CHOICES do
    local key = name:sub(1, #path + 4) == "lt." .. path .. "." and name:sub(#path + 5)
    local first, second = (key or ""):match "^([%w_]+)%.?([%w_]*)$"
    local v = first and rawget(room_of(path), first)
    if type(v) == "table" and second ~= "" then v = rawget(v, second) end
    if type(v) == "table" and second == "" or type(v) == "function" then return v end
  end
end

return names
