-- One random program: twenty to a hundred statements over a pool of tensors. A seed and an index give the same program
-- again.
local calls = require "spec.attack.calls"
local check = require "laterna.check"
local core = require "laterna.core"
local family = require "spec.attack.family"
local values = require "spec.attack.values"

local program = {}

local random = math.random

local Program = {}
Program.__index = Program

local function describe(args)
  local words = {}
  for i = 1, args.n do
    local v = args[i]
    if check.is(v, "tensor") then
      words[i] = ("(%s)%s"):format(table.concat(v.shape, ","), v.requires_grad and "g" or "")
    else
      words[i] = check.describe(v)
    end
  end
  return table.concat(words, ", ")
end

--- Calls f(...), notes what comes of it, and returns whether it succeeded, and its results.
-- @tparam string what for the trace
-- @tparam boolean on_self whether the object of the method may be of another kind
function Program:try(what, on_self, f, ...)
  self.report.last(self.index, what)
  self.latest = what
  self.report.calls = self.report.calls + 1
  local results = table.pack(xpcall(f, function(err)
    return { err = err, where = type(err) == "string" and err:find "attempt to" and debug.traceback("", 2) or "" }
  end, ...))
  if results[1] then
    self.report.count "returned"
    for i = 2, results.n do self.pool:add(results[i]) end
    return true, table.unpack(results, 2, results.n)
  end
  -- Where memory is short Lua gives its text without a call of the handler.
  local caught = type(results[2]) == "table" and results[2] or { err = results[2], where = "" }
  local err = caught.err
  local kind = calls.kind(err, on_self)
  self.report.count(kind)
  if kind == "finding" or kind == "other" then
    self.report.error(kind, self.index, what, tostring(err) .. caught.where)
  end
  return false
end

local statements = {}

local function call(self)
  local target, args, on_self = calls.draw(self.pool)
  if not target then return end
  self:try(("%s(%s)"):format(target.path, describe(args)), on_self, target.f, table.unpack(args, 1, args.n))
end

-- Backward from a tensor of the pool, in one of the ways that there are.
function statements.backward(self)
  local y = self.pool:any()
  local way = random(5)
  if way == 1 then return self:try("backward", false, function() y:sum():backward() end) end
  if way == 2 then return self:try("backward twice", false, function()
    local s = (y * y):sum()
    s:backward(nil, { retain_graph = true })
    s:backward()
  end) end
  local x = self.pool:any()
  if way == 3 then return self:try("grad of grad", false, function()
    local xs = x:detach():requires_grad_(true)
    local z = (xs * xs):exp():sum() + y:sum() * xs:sum()
    local g = core.grad(z, { xs }, { create_graph = true })[1]
    return core.grad((g * g):sum(), { xs })[1]
  end) end
  if way == 4 then return self:try("grad", false, function() return core.grad(y:sum(), { x })[1] end) end
  self:try("edit of what is saved", false, function()
    local z = x:exp():sum()
    core.no_grad(x.add_, x, 1)
    z:backward()
  end)
end

-- What may enclose other calls, and call back: each takes a function of no argument.
local SCOPES = {
  no_grad = function(f) return core.no_grad(f) end,
  recompute = function(f, self) return require "laterna.autograd".recompute(function(x) f() return x * 2 end,
                                                                            self.pool:any()) end,
  autograd_function = function(f, self)
    local twice = require "laterna.autograd".autograd_function(
      function(_, x) f() return x * 2 end, function(_, dy) f() return dy end)
    local y = twice(self.pool:any():detach():requires_grad_(true))
    y:sum():backward()
    return y
  end,
  sort = function(f) table.sort({ 3, 1, 2 }, function(a, b) f() return a < b end) end,
  profile = function(f) return require "laterna.profile"(f) end,
  sampler = function(f, self)
    local vp = function(t) return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t) end
    local samplers = require "laterna.samplers"
    local x = self.pool:any():detach()
    return samplers.drive(samplers.ddim(vp, { 0.9, 0.5, 0 }), x, function(x_t) f() return x_t * 0.5 end, f)
  end,
  pcall = function(f) return pcall(f) end,
}
local SCOPE_NAMES = {}
for name in pairs(SCOPES) do SCOPE_NAMES[#SCOPE_NAMES + 1] = name end
table.sort(SCOPE_NAMES)

local function in_scope(self, depth, inner)
  local name = SCOPE_NAMES[random(#SCOPE_NAMES)]
  self:try("within " .. name, false, SCOPES[name], function()
    inner()
    if depth < 3 and values.once_in(4) then in_scope(self, depth + 1, inner) end
  end, self)
end

-- Calls within scopes, some of which raise.
function statements.scope(self)
  in_scope(self, 1, function()
    call(self)
    if values.once_in(6) then error { attack = true } end
  end)
end

-- The same in a coroutine that yields wherever it may; then it goes on, is closed, or is dropped.
function statements.coroutine(self)
  local co = coroutine.create(function()
    in_scope(self, 1, function()
      call(self)
      if coroutine.isyieldable() and values.once_in(2) then coroutine.yield() end
      if values.once_in(8) then error { attack = true } end
    end)
  end)
  local end_of_it = random(3)
  for _ = 1, end_of_it == 1 and 50 or random(3) do
    self:try("resume", false, function()
      local ok, err = coroutine.resume(co)
      if not ok and coroutine.status(co) ~= "dead" then error(err, 0) end
    end)
    if coroutine.status(co) ~= "suspended" then break end
    if values.once_in(3) then call(self) end
  end
  if end_of_it == 2 then self:try("close", false, function()
    local ok, err = coroutine.close(co)
    if not ok and type(err) ~= "table" then error(err, 0) end
  end) end
end

function statements.memory(self)
  local way = random(4)
  if way == 1 then collectgarbage() elseif way == 2 then collectgarbage "step" end
  if way == 3 and #self.pool > 0 then self.pool[random(#self.pool)]:free() end
  if way == 4 then core.threads(random(5)) end
end

-- A family takes as long as hundreds of other calls.
function statements.family(self)
  if values.once_in(4) then family(self) else call(self) end
end

-- Statements by how often they are drawn, of a hundred.
local OFTEN = { { "backward", 10 }, { "scope", 6 }, { "coroutine", 6 }, { "memory", 5 }, { "family", 1 } }

local function restore()
  core.debug_fail_allocation(0)
  core.set_grad_enabled(true)
  core.catch_interrupt(false)
  core.precision "float32"
  core.convolution "auto"
  core.threads(2)
  core.manual_seed(1)
end

local function statement(self)
  if not core.grad_enabled() then
    self.report.error("finding", self.index, "before", "recording is off after " .. self.latest)
    core.set_grad_enabled(true)
  end
  local n = random(100)
  for _, entry in ipairs(OFTEN) do
    n = n - entry[2]
    if n <= 0 then return statements[entry[1]](self) end
  end
  call(self)
end

local function run(seed, index, report)
  math.randomseed(seed, index)
  restore()
  local self = setmetatable({ pool = values.pool(), latest = "the start", report = report, index = index }, Program)
  for _ = 1, random(20, 100) do statement(self) end
  restore()
end

local function live()
  collectgarbage()
  collectgarbage()
  return core.memory().count
end

--- Runs a program. What it leaves in memory is a finding, if it leaves it a second time too: the first time it may have
-- filled what is kept on purpose.
-- @tparam integer seed
-- @tparam integer index
-- @tparam table report calls, last(index, what), count(kind), error(kind, index, what, message)
function program.run(seed, index, report)
  local before = live()
  run(seed, index, report)
  local after = live()
  if after <= before then return end
  run(seed, index, report)
  local again = live()
  if again > after then
    report.error("finding", index, "end", ("leaves %d tensors behind"):format(again - after))
  end
end

return program
