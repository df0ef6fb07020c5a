--- Modules: plain tables that hold parameters, and a forward function.
--
--     local Net = nn.class("Net", function(self, width)
--       self.fc = nn.Linear(4, width)
--       self.scale = lt.ones(width)           -- a tensor field is a parameter
--     end)
--     function Net:forward(x) return self.fc(x) * self.scale end
--     local net = Net(32)
--     local y = net(x)
--
-- Tensors listed in `self.buffers = { name = true }`, and integer tensors, are buffers: saved, but not trained. Those
-- in `self.nonpersistent = { name = true }` are buffers that are not saved either: what can be computed again.
-- A class may declare `layout = { weight = {1, 4, 2, 3} }`: the order in which state() writes the axes of a field.
-- What a constructor was called with is noted (laterna.nn.recipe), so that lt.open can make the module again; a class
-- with a function `arguments(self)` says itself what that call is to be.
-- A class may declare `ranges = { p = {0, 1} }`: smallest and largest numbers that a field can have; states with others
-- are refused.
-- A class may declare `formerly = { field = "old_name" }`: states of files that have a field's old name load, too.
-- Modules hold parameters, never activations, so one module may be called many times in a step.
-- @module laterna.nn.module
local check = require "laterna.check"
local recipe = require "laterna.nn.recipe"
local recompute = require "laterna.nn.recompute"
local spelling = require "laterna.spelling"
local walk = require "laterna.nn.walk"
local state = require "laterna.nn.state"
local clone = require "laterna.nn.clone"
local describe = require "laterna.nn.describe"

local Module = {}

local function self_check(fname, self)
  if not walk.is_module(self) then
    check.fail(fname, nil, "self: expected a module, got %s; call it as m:%s()", check.describe(self), fname)
  end
end

local function construct(class, constructor, ...)
  local self = setmetatable({ training = true }, class)
  recipe.note(self, class, ...) -- first, for a constructor may change the tables that it gets
  constructor(self, ...)
  for _, entry in ipairs(walk.survey(class.__name, self, true).tensors) do
    if not entry.buffer then entry.tensor:requires_grad_(true) end
  end
  return self
end

--- A new class of modules. Calling the class builds a module: `constructor(self, ...)` fills the fields of an empty
-- one, after which every float32 tensor field requires a gradient, unless it is a buffer.
-- @tparam string name shown by tostring
-- @tparam function constructor
-- @treturn table the class; give it a `forward(self, ...)`, and `describe(self)` for a few words in tostring
function Module.class(name, constructor)
  check.type("class", 1, "name", name, "string")
  check.type("class", 2, "constructor", constructor, "function")
  local class = { __name = name, __tostring = describe.tree }
  class.__index = class
  class.recomputed = false
  class.__call = function(self, ...)
    if self.recomputed then return recompute.call(self, ...) end
    return self:forward(...)
  end
  walk.register(class)
  recipe.register(class, constructor)
  return setmetatable(class, {
    __index = spelling.methods(name, class, Module.methods),
    __call = function(_, ...) return construct(class, constructor, ...) end,
    __tostring = function() return "class " .. name end,
  })
end

local methods = {}
Module.methods = methods

--- What m(...) computes; every class defines its own.
function methods:forward()
  self_check("forward", self)
  check.fail("forward", nil, "class %s has no forward function", getmetatable(self).__name)
end

-- Steps through a list of entries, giving name and value of each.
local function each(list, field)
  local i = 0
  return function()
    i = i + 1
    local entry = list[i]
    if entry then return entry.name, entry[field] end
  end
end

local function select_tensors(fname, self, buffer)
  self_check(fname, self)
  local out = {}
  for _, entry in ipairs(walk.survey(fname, self).tensors) do
    if entry.buffer == buffer then out[#out + 1] = entry end
  end
  return out
end

--- Every parameter once, frozen ones too, as a list in stable order.
-- @treturn {tensor,...}
function methods:parameters()
  local out = {}
  for i, entry in ipairs(select_tensors("parameters", self, false)) do out[i] = entry.tensor end
  return out
end

--- `for name, parameter in m:named_parameters() do`: dotted names as PyTorch writes them, `blocks.0.fc.weight`.
function methods:named_parameters()
  return each(select_tensors("named_parameters", self, false), "tensor")
end

--- `for name, buffer in m:named_buffers() do`: tensors that are not trained.
function methods:named_buffers()
  return each(select_tensors("named_buffers", self, true), "tensor")
end

--- `for name, module in m:named_modules() do`: the module itself first (its name is ""), then all below it.
function methods:named_modules()
  self_check("named_modules", self)
  return each(walk.survey("named_modules", self).modules, "module")
end

--- Calls f(module) for every module, children before parents; returns the module.
-- @tparam function f
function methods:apply(f)
  self_check("apply", self)
  check.type("apply", 1, "f", f, "callable")
  local modules = walk.survey("apply", self).modules
  for i = #modules, 1, -1 do f(modules[i].module) end
  return self
end

local function set_training(fname, self, on)
  self_check(fname, self)
  for _, m in ipairs(walk.modules(self)) do m.training = on end
  return self
end

--- Training mode (`m.training` is true in it and all below): dropout drops, batch norm uses the batch. Returns m.
-- @tparam[opt=true] boolean on
function methods:train(on)
  check.type("train", 1, "on", on, "boolean|nil")
  return set_training("train", self, on ~= false)
end

--- Evaluation mode: no dropout, batch norm uses its running numbers. Returns m.
function methods:eval()
  return set_training("eval", self, false)
end

local function set_requires_grad(fname, self, on)
  for _, entry in ipairs(select_tensors(fname, self, false)) do entry.tensor:requires_grad_(on) end
  return self
end

--- No parameter requires a gradient any more: optimizers leave them alone. Returns m.
function methods:freeze()
  return set_requires_grad("freeze", self, false)
end

--- Every parameter requires a gradient again. Returns m.
function methods:unfreeze()
  return set_requires_grad("unfreeze", self, true)
end

--- Forgets the gradients of all parameters. Returns m.
function methods:zero_grad()
  for _, entry in ipairs(select_tensors("zero_grad", self, false)) do entry.tensor:zero_grad() end
  return self
end

--- Copies of all parameters and buffers by name, in PyTorch's layouts (a convolution's weight is (out,in,kh,kw)). The
-- vocabularies of text encoders go along, in the table's metatable, and lt.save writes them.
-- @treturn table {name = tensor}, as lt.save takes it
function methods:state()
  self_check("state", self)
  return state.export(self)
end

--- Copies a state into the parameters and buffers. Strict: every missing, extra and misshapen name is listed in one
-- error, and then the module is as it was. So is another vocabulary: word numbers would mean other words. PyTorch's
-- `num_batches_tracked` counters are passed over.
-- @tparam table values {name = tensor}, as state() or lt.load give it
-- @tparam[opt] table options
--
--  - strict=true; false: what fits is loaded, and what does not is returned. Under another vocabulary the word vectors
--    count as what does not fit
--  - prefix: only names of the state that begin so are looked at, without it: `"module."`, `"ema."`
--  - skip: names of the module that are left as they are: a Lua pattern, a list of them, or a function(name) -> boolean
-- @treturn module itself
-- @treturn ?table with strict = false what was left out: lists of names {missing, extra, misshapen}, the last with the
-- shapes, and vocabulary, the modules whose vocabulary is another
function methods:load_state(values, options)
  self_check("load_state", self)
  check.type("load_state", 1, "state", values, "table")
  local left = state.import(self, values, options)
  return self, left
end

--- The first half of load_state: checks a state, strictly, and changes nothing.
-- @tparam table values as for load_state
-- @tparam[opt] table options finite=false; true: numbers that are not finite are refused too, but for buffers that hold
-- such numbers by their nature, as masks do
-- @treturn function that puts the state in place, and cannot fail
function methods:prepare_state(values, options)
  self_check("prepare_state", self)
  check.type("prepare_state", 1, "state", values, "table")
  local o = check.options("prepare_state", 2, options, { finite = { "boolean", false } })
  return (state.prepare(self, values, nil, o.finite))
end

--- From now on the module's blocks, itself or those below it, are computed again in backward, which keeps only what
-- they are called with: less memory, more time, the same results (laterna.nn.recompute). Returns m.
-- @tparam[opt=true] boolean on
function methods:recompute(on)
  self_check("recompute", self)
  check.type("recompute", 1, "on", on, "boolean|nil")
  local blocks = recompute.blocks("recompute", self)
  for _, block in ipairs(#blocks > 0 and blocks or { self }) do block.recomputed = on ~= false end
  return self
end

--- A copy that shares no parameter and no buffer with m; see laterna.nn.clone.
function methods:clone()
  self_check("clone", self)
  return clone(self)
end

return Module
