--- The loops that Ctrl-C stops, and whether it may end the process.
-- @module laterna.train.interrupt
local core = require "laterna.core"

local interrupt = {}

-- Loops that have begun and not ended, the latest last. A coroutine that is dropped within its loop takes it along.
local loops = {}

-- Is the loop's coroutine running, or waiting for one that it has resumed? And is it no more?
local function is_active(loop)
  local status = loop.run and loop.thread and coroutine.status(loop.thread)
  if not status or status == "dead" then return false, true end
  return status ~= "suspended"
end

--- The run whose loop is the innermost one, of those that are running: loops of coroutines that have yielded are not.
-- @treturn ?table
function interrupt.innermost()
  local thread, found = coroutine.running(), nil
  for i = #loops, 1, -1 do
    local active, gone = is_active(loops[i])
    if active and loops[i].thread == thread then return loops[i].run end
    found = found or active and loops[i].run
    if gone then table.remove(loops, i) end
  end
  return found or nil
end

--- Is a run in its loop? Not when the loop's coroutine was dropped.
-- @tparam table run
-- @treturn boolean
function interrupt.has(run)
  for _, loop in ipairs(loops) do
    if loop.run == run then
      if not is_active(loop) then
        core.interrupted() -- the core keeps the coroutine that called it last
        collectgarbage()
      end
      local _, gone = is_active(loop)
      return not gone
    end
  end
  return false
end

--- The step that the innermost loop is in, or nil.
-- @treturn ?integer
function interrupt.step()
  local run = interrupt.innermost()
  return run and run.in_step and run.step or nil
end

--- Does the innermost loop leave out steps that are not finite?
-- @treturn boolean
function interrupt.skips()
  local run = interrupt.innermost()
  return run ~= nil and run.nonfinite == "skip"
end

-- Ctrl-C is caught for the loops of the present coroutine, in the way of the latest of them.
local function catch()
  local thread = coroutine.running()
  for i = #loops, 1, -1 do
    if loops[i].run and loops[i].thread == thread then
      return core.catch_interrupt(true, { notice = loops[i].notice, raises = loops[i].raises })
    end
  end
  core.catch_interrupt(false)
end

-- The name of the script that the stand-alone interpreter runs; nil at a prompt, after -i, and elsewhere.
local function script()
  local words = rawget(_G, "arg")
  if type(words) ~= "table" or type(words[0]) ~= "string" then return nil end
  local i = -1
  while words[i] ~= nil do
    if words[i] == "-i" then return nil end
    i = i - 1
  end
  return words[0]
end

-- At a prompt the session is worth more than the loop. A program that embeds Lua is not ours to end either.
local function is_session()
  local name = script()
  return not name or arg[-1] == nil and core.isatty(0)
end

--- A loop begins: until interrupt.leave(run) Ctrl-C is a wish to stop. A second one ends a script; at a prompt it
-- raises an error.
-- @tparam table run
-- @tparam[opt] string notice what the terminal shows at once when Ctrl-C is pressed
function interrupt.enter(run, notice)
  local loop = { run = run, thread = coroutine.running(), notice = notice, raises = is_session() }
  loops[#loops + 1] = setmetatable(loop, { __mode = "v" })
  catch()
end

--- Its end.
-- @tparam table run
function interrupt.leave(run)
  for i = #loops, 1, -1 do
    if loops[i].run == run then table.remove(loops, i) end
  end
  catch()
end

--- Does the running function belong to a script, and to nothing but the script? That is so if
--
--  - this is the main coroutine;
--  - from here down to the script's main chunk (the file arg[0]) every function is written in Lua: no pcall, xpcall,
--    dofile or require stands in between, nor any other function in C that may want to go on afterwards;
--  - the main chunk was started by the interpreter's own function, below which there is nothing, and without -i.
--
-- Then nobody but the script can be waiting for anything, and the process may end as if the signal had ended it.
-- @treturn boolean
function interrupt.in_script()
  local name = script()
  if not name or not select(2, coroutine.running()) then return false end
  local level = 1
  local info = debug.getinfo(level, "S")
  while info and info.what ~= "C" and not (info.what == "main" and info.source == "@" .. name) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  if not info or info.what == "C" then return false end
  local below = debug.getinfo(level + 1, "S")
  return below ~= nil and below.what == "C" and debug.getinfo(level + 2, "S") == nil
end

return interrupt
