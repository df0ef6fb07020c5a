--- The loops that Ctrl-C stops, and whether it may end the process.
-- @module laterna.train.interrupt
local core = require "laterna.core"
local nest = require "laterna.nest"

local interrupt = {}

-- Loops that have begun and not ended. A coroutine that is dropped within its loop takes it along.
local loops = nest.new()

--- The run whose loop is the innermost one, of those that are running: loops of coroutines that have yielded are not.
-- @treturn ?table
function interrupt.innermost() return loops:innermost() end

--- Is a run in its loop? Not when the loop's coroutine was dropped.
-- @tparam table run
-- @treturn boolean
function interrupt.has(run)
  local there, active = loops:has(run)
  if there and not active then
    core.interrupted() -- the core keeps the coroutine that called it last
    collectgarbage()
    there = loops:has(run)
  end
  return there
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
  local loop = loops:latest()
  if loop then
    core.catch_interrupt(true, { notice = loop.notice, raises = loop.raises })
  else
    core.catch_interrupt(false)
  end
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
  loops:enter(run, { notice = notice, raises = is_session() })
  catch()
end

--- Its end.
-- @tparam table run
function interrupt.leave(run)
  loops:leave(run)
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
