--- How a module was made: its class, and what the constructor was called with. A file of a model keeps this, so that
-- the model can be made again where nothing of it is known (laterna.model).
--
-- Plain tables of options are copied when the module is made, so that a later change of theirs does not matter. Modules
-- and functions stay themselves. What no file can hold, a tensor or an object, is not kept alive: a Missing stands for
-- it. Generators are left out: they only drew the first weights.
-- @module laterna.nn.recipe
local check = require "laterna.check"
local walk = require "laterna.nn.walk"

local recipe = {}

-- The key of a module's recipe. It is no name, so it is no field that a walk over a module would find.
local KEY = setmetatable({}, { __name = "recipe" })

local MOST = 10000 -- entries in the tables of one call: captions by the thousand are data, and belong in no file

local Recipe = { __name = "laterna.Recipe" }
local Missing = { __name = "laterna.Missing" }

-- Metatables of objects that a file can hold.
local savable = setmetatable({}, { __mode = "k" })

-- Tables and functions of the library by identity: constants[t] is a public name, made[f] is how f was made.
local constants, made = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- How many arguments the constructor of a class takes.
local arity = setmetatable({}, { __mode = "k" })

--- Makes it known how many arguments a class takes.
-- @tparam table class
-- @tparam function constructor (self, ...)
function recipe.register(class, constructor)
  local info = debug.getinfo(constructor, "u")
  arity[class] = info.isvararg and math.huge or info.nparams - 1
end

--- How many arguments a class takes; infinity where they are not counted.
-- @tparam table class
-- @treturn number
function recipe.takes(class)
  return arity[class] or math.huge
end

--- Objects with this metatable, such as tokenizers, stay themselves in a recipe.
-- @tparam table metatable
function recipe.keep(metatable)
  savable[metatable] = true
end

--- Is v what stands for something that a file cannot hold? Its field `what` says in a word what that was.
function recipe.is_missing(v)
  return getmetatable(v) == Missing
end

--- A stand-in for what a file cannot hold.
-- @tparam string what a word for it
-- @treturn table
function recipe.missing(what)
  return setmetatable({ what = what }, Missing)
end

-- v as a recipe keeps it. `state` counts entries, and remembers copies.
local function kept(v, state)
  local kind = type(v)
  if kind ~= "table" and kind ~= "userdata" and kind ~= "thread" then return v end
  if check.is_generator(v) then return nil end
  local metatable = debug.getmetatable(v)
  if kind ~= "table" or metatable ~= nil then
    if constants[v] or savable[metatable] or walk.is_module(v) then return v end
    return recipe.missing(check.is_tensor(v) and "tensor" or kind == "table" and "table with a metatable" or kind)
  end
  if constants[v] or state.copies[v] then return constants[v] and v or state.copies[v] end
  local out = {}
  state.copies[v] = out
  for key, inner in next, v do
    state.count = state.count + 1
    if state.count > MOST then return recipe.missing(("table of more than %d values"):format(MOST)) end
    out[key] = kept(inner, state)
  end
  return out
end

-- The arguments of a call as they are kept.
local function arguments(...)
  local args = table.pack(...)
  for i = 1, args.n do args[i] = kept(args[i], { count = 0, copies = {} }) end
  return args
end

--- Notes how a module was made. A class with a function `arguments(self)` says itself what its constructor is to be
-- called with; then nothing is kept.
-- @tparam module module
-- @tparam table class
-- @param ... what the constructor was called with
function recipe.note(module, class, ...)
  local args = type(class.arguments) ~= "function" and arguments(...) or nil
  if args then args.n = math.tointeger(math.min(args.n, recipe.takes(class))) end
  rawset(module, KEY, setmetatable({ class = class, args = args, changes = {} }, Recipe))
end

--- Notes what was done to a module after it was made, by a function of the library that has a public name.
-- @tparam module module
-- @tparam string name
-- @param ... what the function was called with, after the module
function recipe.note_change(module, name, ...)
  local r = rawget(module, KEY)
  if r then r.changes[#r.changes + 1] = { name = name, args = arguments(...) } end
end

--- How a module was made: its class, the arguments (with their count n), and changes: a list of {name, args}.
-- @tparam module module
-- @treturn ?table class
-- @treturn ?table args
-- @treturn ?table changes
function recipe.of(module)
  local r = rawget(module, KEY)
  if not r then return nil end
  if r.args then return r.class, r.args, r.changes end
  local said = table.pack(pcall(module.arguments, module))
  local args = { n = said.n - 1, table.unpack(said, 2, said.n) }
  if not said[1] then args[1] = recipe.missing "call that its class could not say" end
  return r.class, args, r.changes
end

--- Gives a copied module a recipe of its own, which names the copies.
-- @tparam module module the copy, with the original's recipe
-- @tparam function copy of a value: its copy
function recipe.copied(module, copy)
  local r = rawget(module, KEY)
  if not r then return end
  local args = r.args and { n = r.args.n }
  for i = 1, args and args.n or 0 do args[i] = copy(r.args[i]) end
  rawset(module, KEY, setmetatable({ class = r.class, args = args, changes = r.changes }, Recipe))
end

--- Notes that a function was made by a maker of the library: `lt.schedule.cosine { s = 0.01 }`.
-- @tparam function f
-- @tparam string name of the maker, as users type it
-- @param ... what the maker was called with
-- @treturn function f
function recipe.made(f, name, ...)
  if type(f) == "function" then made[f] = { name = name, args = arguments(...) } end
  return f
end

--- How a function was made.
-- @tparam function f
-- @treturn ?string the maker's name
-- @treturn ?table args
function recipe.maker_of(f)
  local m = made[f]
  if m then return m.name, m.args end
end

--- Gives a table or a function of the library a public name, under which files name it: `lt.gan.losses.hinge`.
-- @param v
-- @tparam string name
function recipe.name_constant(v, name)
  constants[v] = name
end

--- The public name of a table or a function, or nil.
function recipe.constant_name(v)
  return constants[v]
end

return recipe
