--- Plain values as text that is safe in any JSON, and back: for the small state beside a checkpoint's tensors.
-- Strings may hold any bytes, floats come back to the last bit, and reading never runs anything.
--
--     nil z   true t   false f   integer i<decimal>;   float n<hexadecimal>;   string s<length>:<hexadecimal digits>
--     table  { key value key value ... }   keys sorted, so the same value is the same text
--
-- @module laterna.train.pack
local pack = {}

local MAX_DEPTH = 20
local put

local function put_table(v, out, depth)
  if depth > MAX_DEPTH then error("tables nest deeper than " .. MAX_DEPTH, 0) end
  if getmetatable(v) ~= nil then error("a table with a metatable cannot be saved", 0) end
  local keys, texts = {}, {}
  for key in next, v do
    local text = {}
    put(key, text, depth + 1)
    text = table.concat(text)
    keys[#keys + 1], texts[text] = text, key
  end
  table.sort(keys)
  out[#out + 1] = "{"
  for _, text in ipairs(keys) do
    out[#out + 1] = text
    put(v[texts[text]], out, depth + 1)
  end
  out[#out + 1] = "}"
end

function put(v, out, depth)
  local kind = math.type(v) or type(v)
  if kind == "nil" then out[#out + 1] = "z"
  elseif kind == "boolean" then out[#out + 1] = v and "t" or "f"
  elseif kind == "integer" then out[#out + 1] = ("i%d;"):format(v)
  elseif kind == "float" then out[#out + 1] = ("n%a;"):format(v)
  elseif kind == "string" then
    out[#out + 1] = ("s%d:"):format(#v) .. v:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  elseif kind == "table" then put_table(v, out, depth)
  else error("a " .. kind .. " cannot be saved", 0) end
end

--- Text of a value made of nil, booleans, numbers, strings and plain tables; anything else is an error.
-- @param v
-- @treturn string
function pack.encode(v)
  local out = {}
  put(v, out, 1)
  return table.concat(out)
end

local function broken(place)
  error("broken text at byte " .. place, 0)
end

local get

local function get_table(text, place, depth)
  if depth > MAX_DEPTH then broken(place) end
  local out = {}
  while text:sub(place, place) ~= "}" do
    local key, value
    local start = place
    key, place = get(text, place, depth + 1)
    value, place = get(text, place, depth + 1)
    if key == nil or key ~= key or value == nil or out[key] ~= nil then broken(start) end
    out[key] = value
  end
  return out, place + 1
end

local WORDS = { inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0, ["-nan"] = 0 / 0 }

local function get_float(text, place)
  local digits, after = text:match("^([%-%+%.%x%apP]+);()", place)
  local v = digits and (WORDS[digits] or tonumber(digits))
  if not v then broken(place) end
  return v + 0.0, after
end

local function get_integer(text, place)
  local digits, after = text:match("^(%-?%d+);()", place)
  local v = math.tointeger(tonumber(digits))
  if not v then broken(place) end
  return v, after
end

local function get_string(text, place)
  local digits, start = text:match("^(%d+):()", place)
  local length = math.tointeger(tonumber(digits))
  if not length or length > #text then broken(place) end
  local hex = text:sub(start, start + 2 * length - 1)
  if #hex ~= 2 * length or hex:find "%X" then broken(start) end
  return (hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)), start + 2 * length
end

function get(text, place, depth)
  local mark = text:sub(place, place)
  place = place + 1
  if mark == "z" then return nil, place end
  if mark == "t" or mark == "f" then return mark == "t", place end
  if mark == "i" then return get_integer(text, place) end
  if mark == "n" then return get_float(text, place) end
  if mark == "s" then return get_string(text, place) end
  if mark == "{" then return get_table(text, place, depth) end
  broken(place - 1)
end

--- The value of a text; a text that encode does not write is an error that names the byte.
-- @tparam string text
function pack.decode(text)
  local v, after = get(text, 1, 1)
  if after ~= #text + 1 then broken(after) end
  return v
end

return pack
