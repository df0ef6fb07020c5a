--- What forward passes write down besides their results, and how it is taken back: batch norm's running statistics, the
-- vectors of spectral norm, a layer's start from its first batch, counts of calls. A pass that is then thrown away, for
-- its loss was refused or it only computed again what had been forgotten, must leave no trace.
--
-- A layer says `journal.note(t)` before it writes to a tensor of its own in a forward pass. While a scope is open, the
-- tensor's numbers are kept, and `undo` puts them back:
--
--     local scope <close> = journal.open()
--     local loss = model:loss(x)                 -- an error here, and everything is as it was
--     return scope:keep(loss)
--
-- A scope belongs to the coroutine that opened it; what a training loop has of its own (`journal.loop`) is for all that
-- its steps call, in other coroutines too. Where there is no loop of a run, optimizers that may refuse a step share a
-- scope for all that a script does (`journal.plain`).
-- @module laterna.journal
local check = require "laterna.check"
local core = require "laterna.core"
local nest = require "laterna.nest"

local journal = {}

local Scope = {}
Scope.__index = Scope

local innermost = setmetatable({}, { __mode = "k" }) -- of each coroutine
local loops = nest.new() -- what training loops have of their own
local plain, wanted = nil, setmetatable({}, { __mode = "k" }) -- what scripts without one have, and for whose sake

local function new(fields)
  -- copies: of tensors that were ever noted, to be used again; noted: whose copy is what undo puts back
  fields.copies, fields.noted = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
  return setmetatable(fields, Scope)
end

local function note(scope, t)
  if scope.noted[t] then return end
  local copy = scope.copies[t]
  if copy then core.no_grad(copy.copy_, copy, t) else scope.copies[t] = t:detach():clone() end
  scope.noted[t] = true
end

-- What is around all scopes of a coroutine.
local function around() return loops:innermost() or next(wanted) and plain or nil end

--- Called before a forward pass writes to tensors that outlive it.
-- @tparam Tensor ...
function journal.note(...)
  local scope = innermost[coroutine.running()] or around()
  if not scope then return end
  for i = 1, select("#", ...) do
    note(scope, check.type("note", i, "t", (select(i, ...)), "tensor"))
  end
end

--- Opens a scope, for a variable with `<close>`: unless it was kept, closing puts back what was written in it.
-- @tparam[opt=false] boolean again whether what runs in it has run before (journal.again)
-- @treturn table a scope
function journal.open(again)
  local thread = coroutine.running()
  local outer = innermost[thread]
  local scope = new { thread = thread, outer = outer, again = again or outer and outer.again or false }
  innermost[thread] = scope
  return scope
end

--- Is this a pass that computes again what has been computed before? Then a layer whose result depends on what it
-- writes down must take what the first pass left.
-- @treturn boolean
function journal.again()
  local scope = innermost[coroutine.running()]
  return scope ~= nil and scope.again
end

--- Puts back what was written since the scope was opened, or since `commit`.
function Scope:undo()
  core.no_grad(function()
    for t in next, self.noted do t:copy_(self.copies[t]) end
  end)
  self.noted = setmetatable({}, { __mode = "k" })
  self:watch()
end

--- What was written so far stays; from here on it is noted anew.
function Scope:commit()
  self.noted = setmetatable({}, { __mode = "k" })
  self:watch()
end

-- Notes the tensors of a loop that are to be put back whoever writes to them.
function Scope:watch()
  for _, t in ipairs(self.watched or {}) do note(self, t) end
end

--- What was written stays, unless the scope around it is undone.
-- @param ... anything
-- @return the same
function Scope:keep(...)
  local outer = self.outer or around()
  if outer then
    for t in next, self.noted do
      if not outer.noted[t] then outer.copies[t], outer.noted[t] = self.copies[t], true end
    end
  end
  self.noted = {}
  return ...
end

function Scope:__close()
  if next(self.noted) then self:undo() end
  if innermost[self.thread] == self then innermost[self.thread] = self.outer end
end

--- The scope of a training loop, from the last step that was taken to the next one; it ends with `leave`.
-- @tparam {tensor,...} watched to be put back even if the layer that writes to them does not say so
-- @treturn table a scope
function journal.loop(watched)
  local scope = new { watched = check.type("loop", 1, "watched", watched, "table") }
  loops:enter(scope)
  scope:watch()
  return scope
end

--- From now on notes what is written in no loop of a run, as long as somebody lives who may want it put back.
-- @tparam table somebody an optimizer
function journal.want(somebody)
  wanted[somebody], plain = true, plain or new {}
end

--- The scope of what is written in no loop of a run, if anybody ever wanted it.
-- @treturn ?table a scope
function journal.plain() return plain end

--- Ends the scope of a training loop; what was written stays.
function Scope:leave() loops:leave(self) end

--- A function that leaves no trace when it raises an error: what its forward passes wrote is put back.
-- @tparam function f
-- @treturn function
function journal.whole(f)
  check.type("whole", 1, "f", f, "function")
  return function(...)
    local scope <close> = journal.open()
    return scope:keep(f(...))
  end
end

return journal
