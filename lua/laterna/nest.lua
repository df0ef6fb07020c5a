--- Things that last while a coroutine is at them, one within the other: training loops, and what is kept for each.
-- They end with `leave`, or with their coroutine: one that is dropped half-way takes along what it was at, so nobody
-- has to say so. Neither things nor coroutines are kept alive by it.
-- @module laterna.nest
local nest = {}

local Nest = {}
Nest.__index = Nest

--- @treturn table a nest without anything in it
function nest.new() return setmetatable({}, Nest) end

--- Begins a thing, in the present coroutine.
-- @tparam table thing kept alive by whoever is at it
-- @tparam[opt] table entry what goes with it; its fields are held as weakly as the thing
function Nest:enter(thing, entry)
  entry = entry or {}
  entry.thing, entry.thread = thing, coroutine.running()
  self[#self + 1] = setmetatable(entry, { __mode = "v" })
end

--- Ends a thing, if it has not ended.
function Nest:leave(thing)
  for i = #self, 1, -1 do
    if self[i].thing == thing then table.remove(self, i) end
  end
end

-- Is the coroutine running, or waiting for one that it has resumed? And is it, or the thing, no more?
local function is_active(entry)
  local status = entry.thing and entry.thread and coroutine.status(entry.thread)
  if not status or status == "dead" then return false, true end
  return status ~= "suspended"
end

--- The innermost thing that somebody is at: things of coroutines that have yielded are not.
-- @treturn ?table
function Nest:innermost()
  local thread, found = coroutine.running(), nil
  for i = #self, 1, -1 do
    local active, gone = is_active(self[i])
    if active and self[i].thread == thread then return self[i].thing end
    found = found or active and self[i].thing
    if gone then table.remove(self, i) end
  end
  return found or nil
end

--- The latest entry of the present coroutine.
-- @treturn ?table
function Nest:latest()
  local thread = coroutine.running()
  for i = #self, 1, -1 do
    if self[i].thing and self[i].thread == thread then return self[i] end
  end
end

--- Has a thing begun, and its coroutine not ended?
-- @tparam table thing
-- @treturn boolean
-- @treturn boolean whether its coroutine runs, or waits for one that it has resumed
function Nest:has(thing)
  for _, entry in ipairs(self) do
    if entry.thing == thing then
      local active, gone = is_active(entry)
      return not gone, active
    end
  end
  return false, false
end

return nest
