-- Every function, every kind of value: calls each public function with each value of hostile_values in each place.
-- Runs in a process of its own (see hostile_spec): a crash must not take the other specs along. Before every call
-- the file "last" says which it is; the file "report" gets a line for each error that is not as it should be.
-- A third of the values are tried, which is another third for the next place; half of them under sanitizers, and all in
-- make nightly.

local core = require "laterna.core"
local values = require "spec.support.hostile_values"
local targets = require "spec.support.targets"
local STEP <const> = os.getenv "LATERNA_ATTACK" and 1 or os.getenv "LATERNA_SANITIZED" and 2 or 3

local last = assert(io.open("last", "wb"))
local report = assert(io.open("report", "w"))
local reported, calls = {}, 0

local function note(target, place, value, what)
  local key = target.path .. what:gsub("%d+", "")
  if reported[key] then return end -- one line a function and kind of fault is enough
  reported[key] = true
  report:write(("%s, %s = %s: %s\n"):format(target.path, place, value, what:sub(1, 300)))
  report:flush()
end

-- An error must be text that names a function. What the hostile values raise themselves passes through, and a method
-- of a Lua object that is called on something else may fail as Lua fails.
local function judge(target, place, value, ok, err)
  if ok then return end
  if type(err) ~= "string" then return note(target, place, value, "error is a " .. type(err)) end
  if #err > 1000 then err = err:sub(1, 500) .. err:sub(-500) end -- patterns take forever on a word of 100,000 letters
  for _, theirs in ipairs{ "hostile", "attempt to yield", "'for' limit" } do
    if err:find(theirs, 1, true) then return end
  end
  if target.method and place == "argument 1" then return end
  if err:find("attempt to", 1, true) then return note(target, place, value, "stumbles: " .. err) end
  if err:find "bad argument #?%d* ?to '" or err:find "calling '[%w_]+' on bad self" then return end
  if err:find "[%w_]+: not enough memory" or err:find "[%w_]+: shape .* is too large" then return end
  for name in target.names:gmatch "%S+" do
    if err:find(name, 1, true) then return end
  end
  note(target, place, value, "error names no function: " .. err)
end

local function restore()
  core.debug_fail_allocation(0)
  core.set_grad_enabled(true)
  core.catch_interrupt(false)
  core.threads(2)
end

local function call(target, place, value, args, n)
  calls = calls + 1
  local text = ("%s, %s = %s"):format(target.path, place, value)
  last:seek "set"
  last:write(text, (" "):rep(150 - #text), "\n")
  last:flush()
  local results = table.pack(pcall(target.f, table.unpack(args, 1, n)))
  judge(target, place, value, results[1], results[2])
  restore()
  return results[1]
end

local function arguments(target)
  if target.recipe then return table.pack(target.recipe()) end
  return table.pack(core.ones(2, 3))
end

-- What a call that fails was given must be as good as before, so the next one gets it again; after one that succeeds,
-- which may have changed it, all is made anew. set(args, v) puts the value where it belongs.
local first = 0
local function try_values(target, place, n, set)
  local args
  first = first % STEP + 1
  for i = first, #values, STEP do
    local value = values[i]
    args = args or arguments(target)
    set(args, value.make())
    if call(target, place, value.name, args, n) then args = nil end
  end
end

-- Values of all kinds in all places at once, so many times: LATERNA_ATTACK, of make nightly. The object of a method is
-- left in its place.
local ATTACKS <const> = tonumber(os.getenv "LATERNA_ATTACK") or 0

local function attack(target)
  local places = math.min(arguments(target).n + 1, 6)
  for _ = 1, ATTACKS do
    local args, names = arguments(target), {}
    for place = target.method and 2 or 1, places do
      if math.random() < 0.5 then
        local value = values[math.random(#values)]
        args[place] = value.make()
        names[#names + 1] = place .. ": " .. value.name
      end
    end
    call(target, "arguments", table.concat(names, ", "), args, math.max(args.n, places))
  end
end

local function try(target)
  local given = arguments(target)
  local n = given.n
  for place = 1, math.min(n + 1, 6) do
    try_values(target, "argument " .. place, math.max(n, place), function(args, v) args[place] = v end)
  end
  local options = given[n]
  if type(options) ~= "table" or getmetatable(options) then return end
  for key in pairs(options) do
    try_values(target, "option " .. tostring(key), n, function(args, v) args[n][key] = v end)
  end
end

-- ---- the run -----------
local function live()
  collectgarbage()
  collectgarbage()
  return core.memory().count
end
for _, target in ipairs(targets) do pcall(target.f, table.unpack(arguments(target))) end
restore()
for _, target in ipairs(targets) do
  local before = live()
  try(target)
  attack(target)
  local after = live()
  if after > before + 40 then note(target, "all", "all", ("keeps %d tensors"):format(after - before)) end
end

-- The state is still good.
local x = core.ones(2, 3, { requires_grad = true })
x:exp():sum():backward()
assert(math.abs(x.grad[1][1]:item() - math.exp(1)) < 1e-5)
io.stderr:write(("%d functions, %d calls\n"):format(#targets, calls))
report:close()
