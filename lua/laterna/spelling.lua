--- Names that are misspelt: an error that says what was meant, in place of a nil that somebody calls later.
--
-- Tables of names, such as lt and lt.nn, hold nothing optional: reading what they have not is an error. Ask with
-- `rawget(lt.nn, "UNet")` whether there is such a name; pairs goes over all of them. Names that begin with an
-- underscore, which other programs ask every table for, are nil as everywhere.
--
-- Objects have fields that may be nil, so reading one stays a plain nil. But `model:smaple()` can only fail: where the
-- line that reads a name also calls or indexes it, and it is like the name of a method, the error says which one. What
-- is typed at a prompt has no lines that could be read; there the compiled code says whether it calls what it reads.
-- @module laterna.spelling
local bytecode = require "laterna.bytecode"
local check = require "laterna.check"

local spelling = {}

local MOST_SHOWN = 24 -- names: more than that are no help in one line

local function all_names(t)
  local names = {}
  for name in pairs(t) do
    if type(name) == "string" and name:sub(1, 1) ~= "_" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- Raises: the table of a path has no such name. `elsewhere(name)` may know where it is.
local function no_name(path, t, name, elsewhere)
  local names = all_names(t)
  local words, other = check.meant(name, names, "; "), elsewhere and elsewhere(name)
  if other then words = (words == "" and "; did you mean %s?" or words:sub(1, -2) .. " or %s?"):format(other) end
  if words == "" and #names <= MOST_SHOWN then words = "; it has: " .. table.concat(names, ", ") end
  check.raise("%s has no %s%s", path, check.describe(name), words)
end

--- Makes reading an unknown name of a table an error.
-- @tparam string path what users call it, "lt.nn"
-- @tparam table t gets a metatable, or has one
-- @tparam[opt] function find (name) -> value: what is loaded when it is first used; nil where there is none
-- @tparam[opt] function elsewhere (name) -> a text such as "lt.nn.UNet", or nil
-- @treturn table t
function spelling.names(path, t, find, elsewhere)
  local mt = getmetatable(t) or {}
  function mt.__index(_, name)
    local v = find and find(name)
    if v == nil and type(name) == "string" and name:sub(1, 1) ~= "_" then no_name(path, t, name, elsewhere) end
    return v
  end
  return setmetatable(t, mt)
end

local function holds_function(t)
  for _, v in next, t do
    if check.is(v, "callable") then return true end
  end
  return false
end

-- Is t a table of names? It holds functions, or tables that do, and no numbers or texts: those are data.
local function is_room(t)
  local mt, functions = getmetatable(t), false
  if mt and mt.__index then return false end
  for name, v in next, t do
    if type(name) ~= "string" or type(v) ~= "function" and type(v) ~= "table" then return false end
    functions = functions or check.is(v, "callable") or holds_function(v)
  end
  return functions
end

--- The same for a part of the library and all tables of names in it.
-- @tparam string path
-- @param part a table of names, or a class with such tables in it; what is no table stays as it is
-- @tparam[opt] function elsewhere as in names
-- @return part
function spelling.part(path, part, elsewhere)
  if type(part) ~= "table" then return part end
  for name, v in next, part do
    if type(v) == "table" and type(name) == "string" and name:sub(1, 2) ~= "__" then
      spelling.part(path .. "." .. name, v, elsewhere)
    end
  end
  return is_room(part) and spelling.names(path, part, nil, elsewhere) or part
end

local function text_line(text, number)
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number - 1
    if number == 0 then return line end
  end
end

-- The line that runs at a level: of a file, or of a text that was loaded. nil where nobody has it.
local function source_line(info)
  local kind = info.source:sub(1, 1)
  if kind == "=" or info.currentline < 1 then return nil end
  if kind ~= "@" then return text_line(info.source, info.currentline) end
  local file = io.open(info.source:sub(2), "r")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text and text_line(text, info.currentline)
end

-- Does a line use the name wherever it reads it? `x:name(...)`, `x.name{}`, `x.name.y`; not `if x.name then`.
local function uses(line, name)
  local found = false
  for after in line:gmatch("[%.:]%f[%w_]" .. name .. "%f[^%w_]%s*(.?)") do
    if not after:find "[%({\"'%[%.:]" then return false end
    found = true
  end
  return found
end

-- What was found out of a line, by place and name: a loop that reads an optional field asks again and again. Of code
-- without lines, by function and name: at a prompt every line is line 1.
local kept, kept_count, kept_of = {}, 0, setmetatable({}, { __mode = "k" })

local function line_uses(info, name)
  local place = ("%s:%d:%s"):format(info.source, info.currentline, name)
  if kept[place] == nil then
    if kept_count >= 1000 then kept, kept_count = {}, 0 end
    local line = source_line(info)
    kept[place], kept_count = line and uses(line, name) or line == nil and "unknown", kept_count + 1
  end
  return kept[place]
end

local function code_uses(f, name)
  local names = kept_of[f] or {}
  kept_of[f] = names
  if names[name] == nil then names[name] = bytecode.calls(f, name) end
  return names[name]
end

local function used_at(level, name)
  local info = debug.getinfo(level + 1, "Slf")
  if not info or info.what == "C" then return false end
  local used = line_uses(info, name)
  if used == "unknown" then used = code_uses(info.func, name) end
  return used
end

local function methods_of(class, more)
  local names = {}
  for _, t in ipairs { class, more } do
    for name, v in next, t do
      local shown = type(name) == "string" and name:sub(1, 1) ~= "_"
      if shown and (check.is(v, "callable") or getmetatable(v)) then names[#names + 1] = name end
    end
  end
  return names
end

--- For the metatable of a class: what its objects have not is nil, or an error where it is used at once and is like
-- the name of a method.
-- @tparam string noun what an object is called in the error
-- @tparam table class the functions in it are the methods
-- @tparam[opt] table more further methods by name
-- @treturn function __index
function spelling.methods(noun, class, more)
  local meant = {} -- by misspelt name
  return function(_, name)
    local method = more and more[name]
    if method ~= nil or type(name) ~= "string" then return method end
    if meant[name] == nil then
      meant[name] = name:find "^%a[%w_]*$" and check.meant(name, methods_of(class, more)) or ""
    end
    if meant[name] ~= "" and used_at(2, name) then
      check.raise("%s has no %s; %s", noun, check.describe(name), meant[name])
    end
    return nil
  end
end

return spelling
