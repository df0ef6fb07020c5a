--- How a function that has no source text reads a name: what is typed at a prompt, and what was loaded without text.
-- Read from string.dump, in the format of Lua 5.4 (ldump.c, lopcodes.h); where that is another one, nothing is known.
-- @module laterna.bytecode
local bytecode = {}

-- Signature, version 5.4, format 0, the bytes that find damage, and the sizes of what follows.
local HEADER <const> = "\27Lua\x54\0\x19\x93\r\n\x1a\n" .. string.char(4, 8, 8)
local AFTER_HEADER <const> = #HEADER + 8 + 8 + 1 -- an integer, a number, how many upvalues

local GETFIELD <const>, SELF <const>, CALL <const>, TAILCALL <const> = 14, 20, 68, 69
local INTEGER <const>, FLOAT <const>, SHORT <const>, LONG <const> = 3, 19, 4, 20 -- constants that have a value

-- A size: seven bits a byte, the last of which has the eighth bit.
local function size_at(dump, at)
  local n = 0
  repeat
    local byte = dump:byte(at)
    n, at = n << 7 | byte & 0x7f, at + 1
  until byte >= 0x80
  return n, at
end

-- A text, whose size counts one more; nil where there is none.
local function text_at(dump, at)
  local n, first = size_at(dump, at)
  if n == 0 then return nil, first end
  return dump:sub(first, first + n - 2), first + n - 1
end

-- Instructions of a function, and its constants from 0: texts, and false for all else.
local function parts(dump)
  local _, at = text_at(dump, AFTER_HEADER + 1)
  for _ = 1, 2 do _, at = size_at(dump, at) end -- the lines where it begins and ends
  local n
  n, at = size_at(dump, at + 3) -- parameters, varargs, registers
  local code = {}
  for i = 1, n do code[i], at = string.unpack("<I4", dump, at) end
  local constants = {}
  n, at = size_at(dump, at)
  for i = 0, n - 1 do
    local kind = dump:byte(at)
    at, constants[i] = at + 1, false
    if kind == INTEGER or kind == FLOAT then at = at + 8 end
    if kind == SHORT or kind == LONG then constants[i], at = text_at(dump, at) end
  end
  return code, constants
end

local function opcode(instruction) return instruction & 0x7f end
local function a_of(instruction) return instruction >> 7 & 0xff end
local function c_of(instruction) return instruction >> 24 end

-- Is the next thing that happens to the register of an instruction that it is called?
local function is_called(code, i)
  for k = i + 1, #code do
    if a_of(code[k]) == a_of(code[i]) then return opcode(code[k]) == CALL or opcode(code[k]) == TAILCALL end
  end
  return false
end

local function calls(f, name)
  local dump = string.dump(f, true)
  if dump:sub(1, #HEADER) ~= HEADER then return false end
  local code, constants = parts(dump)
  local found = false
  for i, instruction in ipairs(code) do
    local op = opcode(instruction)
    if (op == SELF or op == GETFIELD) and constants[c_of(instruction)] == name then
      if op == GETFIELD and not is_called(code, i) then return false end
      found = true
    end
  end
  return found
end

-- Numbers of instructions are nobody's promise: a Lua that reads them otherwise is asked for nothing.
local function probe(x, y)
  x:first(1)
  x.second(y)
  if x.third then x.third(2) end
  return x.fourth
end
local function works()
  return calls(probe, "first") and calls(probe, "second") and not calls(probe, "third") and not calls(probe, "fourth")
end
local ok, fits = pcall(works)

--- Does a function call whatever it reads under a name, `x:name(...)` or `x.name(...)`, wherever it reads it?
-- @tparam function f
-- @tparam string name
-- @treturn boolean false too where it cannot be known: functions of C, and another Lua
function bytecode.calls(f, name)
  if not (ok and fits) then return false end
  local read, answer = pcall(calls, f, name)
  return read and answer
end

return bytecode
