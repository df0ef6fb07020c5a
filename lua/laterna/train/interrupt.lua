--- Whether Ctrl-C may end the process.
-- @module laterna.train.interrupt
local interrupt = {}

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
