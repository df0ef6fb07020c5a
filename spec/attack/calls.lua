-- One call of a random program: which function, with what, and whether its error is as an error should be.
local recipes = require "spec.attack.more_recipes"
local targets = require "spec.support.targets"
local values = require "spec.attack.values"

local calls = {}

-- What would end the program, or change how memory is given out; and what opens other processes' terminals.
local SKIP = { debug_fail_allocation = true, limit_memory = true, catch_interrupt = true, isatty = true,
               terminal_size = true, profile_rows = true, profile = true, set_grad_enabled = true,
               ["nn.module_rule"] = true, ["optim.is_optimizer"] = true, ["condition.keys_of"] = true }

-- Operations of tensors and everything else, apart: a program that drew from all alike would hardly compute.
local low, high = {}, {}
for _, target in ipairs(targets) do
  if not SKIP[target.path] then
    target.recipe = target.recipe or recipes[target.path]
    local list = target.path:find "^[%w_]+$" and low or target.path:find "^tensor%." and low or high
    list[#list + 1] = target
  end
end

--- How many functions there are: operations, and the others.
function calls.counts() return #low, #high end

-- Names of Lua's own functions, whose errors say nothing to a user, and what else an error must not say.
local FOREIGN = {
  "attempt to", "'for iterator'", "to 'format'", "to 'insert'", "to 'concat'", "to 'rep'", "to 'unpack'", "to 'ipairs'",
  "to 'pairs'", "to 'next'", "to 'char'", "to 'gsub'", "to 'find'", "to 'select'", "to 'setmetatable'", "to 'sort'",
  "to 'getmetatable'", "to 'tonumber'", "'for' ", "to 'move'", "invalid order function", "stack overflow", "internal",
  "no integer representation", "to '?'", "assertion failed",
}
local THEIRS = { "attack: callback", "hostile", "attempt to yield", "cannot yield", "cannot resume", "dead coroutine" }

--- The kind of an error: "argument", "memory", "callback", "other"; or "finding", for what no user should read.
-- @param err what was raised
-- @tparam boolean on_self whether the object of a method may have been of another kind
-- @treturn string
function calls.kind(err, on_self)
  if type(err) == "table" and err.attack then return "callback" end
  if type(err) ~= "string" then return "finding" end
  for _, theirs in ipairs(THEIRS) do
    if err:find(theirs, 1, true) then return "callback" end
  end
  -- (name: expected ..., got ...) is how the library's own begin; and (unknown option ...
  local named = err:find "%([%w_%.%[%]' ]+: " or err:find "%(unknown option "
  for _, word in ipairs(FOREIGN) do
    if not named and err:find(word, 1, true) then return on_self and "argument" or "finding" end
  end
  if err:find "bad argument #?%d* ?to '" or err:find "calling '[%w_]+' on bad self" then return "argument" end
  if err:find "not enough memory" or err:find "too large" then return "memory" end
  return "other"
end

--- A target and arguments for it. Without a recipe a function gets a tensor of the pool.
-- @tparam table pool
-- @treturn table target, nil when its arguments could not be made
-- @treturn table arguments, with n
-- @treturn boolean whether the object of a method is of another kind
function calls.draw(pool)
  local list = values.once_in(4) and high or low
  local target = list[math.random(#list)]
  local args = { n = 1 }
  if target.recipe then
    local made = table.pack(pcall(target.recipe))
    if not made[1] then return end
    args = values.vary_arguments(table.pack(table.unpack(made, 2, made.n)), pool, target.method and 2 or 1)
  else
    args[1] = pool:any()
  end
  local other = target.method and values.once_in(80)
  if other then args[1] = pool:any() end
  return target, args, other
end

return calls
