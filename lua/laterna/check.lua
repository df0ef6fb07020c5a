--- Argument checks for Lua, in the words of the C half: `bad argument #2 to 'grid' (pad: expected ..., got ...)`.
-- Every check returns the value that it checks, so `local n = check.integer("grid", 2, "columns", n, 1)` reads well.
-- Errors point at the nearest line outside the library, which is the user's, however deep the check is.
-- @module laterna.check
local core = require "laterna.core"

local check = {}
local HOME = debug.getinfo(1, "S").source:match "^(.*)check%.lua$" or "?"
core.set_home(HOME)

-- The level, counted for the function that calls this one, of the nearest Lua function outside the library.
local function user_level()
  for level = 2, math.huge do
    local info = debug.getinfo(level, "S")
    if not info then return 0 end
    if info.what ~= "C" and info.source:sub(1, #HOME) ~= HOME then return level - 1 end
  end
end

local TENSOR <const> = debug.getmetatable(core.zeros(0))

--- Is it a tensor (freed ones are tensors too)?
function check.is_tensor(v)
  return type(v) == "userdata" and debug.getmetatable(v) == TENSOR
end

--- A few words for what came: `nil`, `3.5`, `"text"`, `tensor`, `table`.
function check.describe(v)
  local kind = type(v)
  if kind == "number" or kind == "boolean" then return tostring(v) end
  if check.is_tensor(v) then return pcall(v.dim, v) and "tensor" or "freed tensor" end
  if kind ~= "string" then return kind end
  v = #v > 40 and v:sub(1, 37) .. "..." or v
  return '"' .. v:gsub("%c", function(c) return ("\\%03d"):format(c:byte()) end) .. '"'
end

--- Raises a message of its own, at the user's line.
function check.raise(message, ...)
  error(select("#", ...) > 0 and message:format(...) or message, user_level())
end

--- Which known word a misspelt one was meant to be, as a question: `did you mean "model"?`.
-- @param word anything; only strings are misspelt
-- @tparam table known a list of words, of which only the strings count, or a table with words for keys
-- @tparam[opt=""] string before what stands before the question
-- @treturn string "" where none of them is like the word
function check.meant(word, known, before)
  if type(word) ~= "string" then return "" end
  local words = {}
  for key, v in next, known do
    if type(key) == "string" then words[#words + 1] = key elseif type(v) == "string" then words[#words + 1] = v end
  end
  local nearest = core.nearest(word, words)
  return nearest and ("%sdid you mean %s?"):format(before or "", check.describe(nearest)) or ""
end

--- Raises `bad argument #i to 'fname' (message)`; i is nil when it is not about one argument.
function check.fail(fname, i, message, ...)
  message = select("#", ...) > 0 and message:format(...) or message
  error(("bad argument %sto '%s' (%s)"):format(i and ("#%s "):format(i) or "", fname, message), user_level())
end

--- An error's message without the line that it points at, which is of no use to who opens a file.
-- @tparam string message
-- @treturn string
function check.plain(message)
  return (tostring(message):gsub("^[^\n]-:%d+: ", ""):gsub("\nstack traceback:.*", ""))
end

--- An error's message as a reason within a sentence: without the line, the function that was called, and the path that
-- the sentence names already.
-- @tparam string message
-- @tparam[opt] string path
-- @treturn string
function check.reason(message, path)
  local text = check.plain(message):gsub("^%l+_%l+: ", "") -- load_safetensors:, append_file:
  text = text:gsub("^bad argument #?%d* ?to '[%w_]+' %((.*)%)$", "%1")
  for _, verb in ipairs(path and { "cannot open ", "cannot read ", "" } or {}) do
    local start = ("%s'%s': "):format(verb, path)
    if text:sub(1, #start) == start then text = text:sub(#start + 1) end
  end
  return text
end

local function expected(fname, i, name, what, v)
  check.fail(fname, i, "%s: expected %s, got %s", name, what, check.describe(v))
end

--- Is v of a kind: Lua's names of types, "tensor" (not freed), "integer" (3.0 is one), "callable".
-- @param v anything
-- @tparam string kind
-- @treturn boolean
function check.is(v, kind)
  if kind == "tensor" then return core.is_tensor(v) end
  if kind == "integer" then return type(v) == "number" and math.tointeger(v) ~= nil end
  if kind ~= "callable" then return type(v) == kind end
  local mt = debug.getmetatable(v)
  return type(v) == "function" or (mt ~= nil and mt.__call ~= nil)
end

-- A table's metatable may answer for its length, with anything; what counts to it would fail in Lua's own words.
local function check_length(fname, i, name, v)
  local meta = debug.getmetatable(v)
  local n = meta and rawget(meta, "__len") ~= nil and #v or 0
  if math.type(n) ~= "integer" then
    check.fail(fname, i, "%s: expected table, got one whose length is %s", name, check.describe(n))
  end
end

--- Checks a type: Lua's names, "tensor" (not freed), "integer" (3.0 is one), "callable"; or any of "number|nil".
function check.type(fname, i, name, v, kinds)
  local right = check.is(v, kinds) -- most have one kind, and need no search
  if not right then
    for kind in kinds:gmatch "[^|]+" do right = right or check.is(v, kind) end
  end
  if right then
    if type(v) == "table" then check_length(fname, i, name, v) end
    return v
  end
  expected(fname, i, name, kinds:gsub("|", " or "), v)
end

local function range(what, min, max)
  if min and max then return ("%s from %s to %s"):format(what, min, max) end
  return min and what .. " of at least " .. min or max and what .. " of at most " .. max or what
end

--- A number, NaN refused, within min..max where there are limits.
function check.number(fname, i, name, v, min, max)
  if type(v) == "number" and v == v and (not min or v >= min) and (not max or v <= max) then return v end
  expected(fname, i, name, range("number", min, max), v)
end

--- An integer within min..max where there are limits; returned as Lua's integer subtype.
function check.integer(fname, i, name, v, min, max)
  local n = type(v) == "number" and math.tointeger(v)
  if n and (not min or n >= min) and (not max or n <= max) then return n end
  expected(fname, i, name, range("integer", min, max), v)
end

--- A count in a state that was saved: an integer in Lua's own sense, for those that count write no 3.0, from 0 to 2^53.
function check.count(fname, i, name, v)
  if math.type(v) == "integer" and v >= 0 and v <= 1 << 53 then return v end
  expected(fname, i, name, "a count, an integer from 0 to 2^53", v)
end

--- No keys in a table but these.
function check.only(fname, i, name, t, ...)
  local known = {}
  for _, key in ipairs { ... } do known[key] = true end
  for key in next, t do
    if not known[key] then check.fail(fname, i, "%s: unknown key %s", name, check.describe(key)) end
  end
end

--- One value of a list.
function check.one_of(fname, i, name, v, list)
  local words = {}
  for k, choice in ipairs(list) do
    if rawequal(v, choice) then return v end
    words[k] = check.describe(choice)
  end
  local all = table.concat(words, ", "):gsub(", ([^,]*)$", " or %1")
  check.fail(fname, i, "%s: expected %s, got %s%s", name, all, check.describe(v), check.meant(v, list, "; "))
end

--- What to say of a key that nobody knows: `unknown option "modle", did you mean "model"? known: data, model`.
-- @tparam string what "option", "key"
-- @param key
-- @tparam table known with the known names for keys
-- @treturn string
function check.unknown(what, key, known)
  local names = {}
  for name in next, known do names[#names + 1] = name end
  table.sort(names)
  local meant = check.meant(key, known, ", ")
  return ("unknown %s %s%s known: %s"):format(what, check.describe(key), meant ~= "" and meant or ";",
    table.concat(names, ", "))
end

-- A list whose metatable has a say in its length is taken as it is stored: `#v` may be anything. What can be indexed by
-- its metatable is an object, and stays one.
local function as_stored(v)
  local meta = type(v) == "table" and debug.getmetatable(v)
  if not meta or rawget(meta, "__len") == nil or rawget(meta, "__index") ~= nil then return v end
  local out = {}
  for key, value in next, v do out[key] = value end
  return out
end

local function option(fname, i, key, v, rule)
  v = as_stored(v)
  local kind = rule[1]
  if rule.one_of then return check.one_of(fname, i, key, v, rule.one_of) end
  if kind == "integer" then return check.integer(fname, i, key, v, rule.min, rule.max) end
  if kind == "number" then return check.number(fname, i, key, v, rule.min, rule.max) end
  if type(kind) == "string" then return check.type(fname, i, key, v, kind) end
  local ok, what, names = kind(v)
  if ok then return v end
  check.fail(fname, i, "%s: expected %s, got %s%s", key, what or "another value", check.describe(v),
    check.meant(v, names or {}, "; "))
end

--- For check.options: is it a generator?
function check.is_generator(v)
  return type(v) == "userdata" and (debug.getmetatable(v) or {}).__name == "laterna.Generator", "a generator"
end

--- An option table (nil: none): a new table with every known key, checked, or its default. Unknown keys are errors.
-- @tparam table known what a key takes: a type as for check.type, or a function of the value that returns true, or
-- false, words for what was expected, and the names that could have been meant, as check.meant takes them; or a table
-- of one of these, the default, and any of `required = true`, `one_of = {...}`, and `min`, `max` for numbers and
-- integers: `{"integer", 3, min = 1}`.
function check.options(fname, i, t, known)
  if t ~= nil and type(t) ~= "table" then expected(fname, i, "options", "table or nil", t) end
  for key in next, t or {} do -- first: a name that is misspelt is also one that is missing
    if known[key] == nil then check.fail(fname, i, check.unknown("option", key, known)) end
  end
  local out = {}
  for key, rule in pairs(known) do
    local v = t and rawget(t, key)
    rule = type(rule) == "table" and rule or { rule }
    if v ~= nil then out[key] = option(fname, i, key, v, rule) else out[key] = rule[2] end
    if v == nil and rule.required then check.fail(fname, i, "option %s is missing", key) end
  end
  return out
end

return check
