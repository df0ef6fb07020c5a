--- Plain values as bytes, and back: what a cache keeps beside its pictures. Strings may hold any bytes, numbers come
-- back to the last bit, and reading never runs anything.
--
--     true t   false f   integer i<8 bytes>   float n<8 bytes>   string s<length, 4 bytes><bytes>
--     list l<count, 4 bytes> values   other table m<count, 4 bytes> key value key value ..., keys sorted
--
-- @module laterna.data.folder.blob
local blob = {}

local DEEPEST <const> = 100

local function by_kind_and_value(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  return a < b
end

local function is_key(key) return type(key) == "string" or math.type(key) == "integer" end

local function is_list(v, n)
  for i = 1, n do
    if v[i] == nil then return false end
  end
  return true
end

local put

local function put_table(v, out, depth)
  if depth > DEEPEST then error(("tables nest deeper than %d"):format(DEEPEST), 0) end
  local keys, n = {}, #v
  for key in next, v do
    if not is_key(key) then error(("a %s cannot be a key"):format(type(key)), 0) end
    keys[#keys + 1] = key
  end
  if #keys == n and is_list(v, n) then
    out[#out + 1] = ("<c1I4"):pack("l", n)
    for i = 1, n do put(v[i], out, depth + 1) end
    return
  end
  table.sort(keys, by_kind_and_value)
  out[#out + 1] = ("<c1I4"):pack("m", #keys)
  for _, key in ipairs(keys) do
    put(key, out, depth + 1)
    put(v[key], out, depth + 1)
  end
end

function put(v, out, depth)
  local kind = math.type(v) or type(v)
  if kind == "string" then out[#out + 1] = ("<c1s4"):pack("s", v)
  elseif kind == "integer" then out[#out + 1] = ("<c1i8"):pack("i", v)
  elseif kind == "float" then out[#out + 1] = ("<c1d"):pack("n", v)
  elseif kind == "boolean" then out[#out + 1] = v and "t" or "f"
  elseif kind == "table" then put_table(v, out, depth)
  else error("a " .. kind .. " cannot be kept", 0) end
end

--- Bytes of a value made of booleans, numbers, strings and tables with keys that are strings or integers.
-- @param v
-- @treturn string
-- @raise anything else, and tables that nest deeper than 100
function blob.encode(v)
  local out = {}
  put(v, out, 1)
  return table.concat(out)
end

local get

local function get_table(text, place, kind, depth)
  if depth > DEEPEST then error("broken", 0) end
  local count, after = ("<I4"):unpack(text, place)
  local out = {}
  place = after
  for i = 1, count do
    local key = i
    if kind == "m" then key, place = get(text, place, depth + 1) end
    if not is_key(key) then error("broken", 0) end
    out[key], place = get(text, place, depth + 1)
  end
  return out, place
end

function get(text, place, depth)
  local kind = text:sub(place, place)
  place = place + 1
  if kind == "s" then return ("<s4"):unpack(text, place) end
  if kind == "i" then return ("<i8"):unpack(text, place) end
  if kind == "n" then return ("<d"):unpack(text, place) end
  if kind == "t" or kind == "f" then return kind == "t", place end
  if kind == "l" or kind == "m" then return get_table(text, place, kind, depth) end
  error("broken", 0)
end

--- The value that bytes stand for.
-- @tparam string text
-- @return the value, or nil where the text is not one that encode writes
function blob.decode(text)
  local ok, value, place = pcall(get, text, 1, 1)
  if ok and place == #text + 1 then return value end
  return nil
end

return blob
