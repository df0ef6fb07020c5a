--- JSON as files of models hold it, written in one way and read strictly: what dkjson lets pass, a key that is there
-- twice, text after the end, is an error here, as it is in the header around it. Nothing else is needed.
--
-- Lists are made by json.list: they know their length n, so that null, which is nil, can stand in them. Other tables
-- are objects, by string, in which null is refused.
-- Numbers keep their kind: 1 is an integer, 1.0 a float, and floats come back to the last bit.
-- @module laterna.model.json
local json = {}

local List = { __name = "list" }

local MOST_DEPTH = 200
local MOST_BYTES = 1 << 26

--- A list of n values.
-- @tparam[opt=0] integer n
-- @treturn table
function json.list(n)
  return setmetatable({ n = n or 0 }, List)
end

--- Is v a list?
function json.is_list(v)
  return getmetatable(v) == List
end

local function put_string(s)
  return '"' .. s:gsub('[%c"\\\127]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

local function put_number(v)
  if math.type(v) == "integer" then return ("%d"):format(v) end
  local text
  for digits = 15, 17 do -- the shortest that is the number again
    text = ("%." .. digits .. "g"):format(v)
    if tonumber(text) == v then break end
  end
  return text:find "[%.e]" and text or text .. ".0"
end

local put

local function put_table(v, out, depth)
  if depth > MOST_DEPTH then error(("nested deeper than %d"):format(MOST_DEPTH), 0) end
  if json.is_list(v) then
    out[#out + 1] = "["
    for i = 1, v.n do
      if i > 1 then out[#out + 1] = "," end
      put(v[i], out, depth + 1)
    end
    out[#out + 1] = "]"
    return
  end
  local keys = {}
  for key in next, v do keys[#keys + 1] = key end
  table.sort(keys)
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    out[#out + 1] = (i > 1 and "," or "") .. put_string(key) .. ":"
    put(v[key], out, depth + 1)
  end
  out[#out + 1] = "}"
end

function put(v, out, depth)
  local kind = type(v)
  if kind == "table" then return put_table(v, out, depth) end
  out[#out + 1] = kind == "string" and put_string(v) or kind == "number" and put_number(v)
    or kind == "nil" and "null" or tostring(v)
end

--- The text of a value: keys sorted, no white space, so that the same value is the same text. Strings must be UTF-8,
-- and numbers finite.
-- @param v
-- @treturn string
function json.encode(v)
  local out = {}
  put(v, out, 1)
  return table.concat(out)
end

local function expected(what, place)
  error(("expected %s at byte %d"):format(what, place), 0)
end

local function skip(text, place)
  return text:match("^[ \t\r\n]*()", place)
end

local ESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- \uXXXX, or two of them for what lies beyond; place is after the u.
local function get_code(text, place)
  local digits = text:match("^%x%x%x%x", place)
  if not digits then expected("four hexadecimal digits", place) end
  local code = tonumber(digits, 16)
  if code < 0xD800 or code > 0xDFFF then return utf8.char(code), place + 4 end
  local low = tonumber(text:match("^\\u(%x%x%x%x)", place + 4) or "0", 16)
  if code > 0xDBFF or low < 0xDC00 or low > 0xDFFF then expected("a pair of surrogates", place) end
  return utf8.char(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), place + 10
end

-- place is after the opening quote.
local function get_string(text, place)
  local parts = {}
  while true do
    local plain, after = text:match('^([^%c"\\]*)()', place)
    parts[#parts + 1], place = plain, after
    local c = text:sub(place, place)
    if c == '"' then return table.concat(parts), place + 1 end
    if c ~= "\\" then expected("the end of a string", place) end
    c = text:sub(place + 1, place + 1)
    if c == "u" then
      parts[#parts + 1], place = get_code(text, place + 2)
    elseif ESCAPES[c] then
      parts[#parts + 1], place = ESCAPES[c], place + 2
    else
      expected("an escape", place)
    end
  end
end

local function get_number(text, place)
  local digits, after = text:match("^(%-?%d+)()", place)
  if not digits or digits:find "^%-?0%d" then expected("a number", place) end
  local fraction, exponent = "", ""
  if text:find("^%.", after) then
    fraction, after = text:match("^(%.%d+)()", after)
    if not fraction then expected("digits", place) end
  end
  if text:find("^[eE]", after) then
    exponent, after = text:match("^([eE][%+%-]?%d+)()", after)
    if not exponent then expected("an exponent", place) end
  end
  local v = tonumber(digits .. fraction .. exponent)
  if fraction == "" and exponent == "" and math.type(v) ~= "integer" then expected("an integer of 64 bits", place) end
  if v - v ~= 0 then expected("a finite number", place) end
  return v, after
end

local get

local function get_list(text, place, depth)
  local out = json.list()
  place = skip(text, place)
  if text:find("^%]", place) then return out, place + 1 end
  while true do
    local v
    v, place = get(text, place, depth + 1)
    out.n = out.n + 1
    out[out.n] = v
    place = skip(text, place)
    local c = text:sub(place, place)
    place = place + 1
    if c == "]" then return out, place end
    if c ~= "," then expected("',' or ']'", place - 1) end
  end
end

local function get_object(text, place, depth)
  local out = {}
  place = skip(text, place)
  if text:find("^}", place) then return out, place + 1 end
  local known = {}
  while true do
    place = skip(text, place)
    if not text:find('^"', place) then expected("a key", place) end
    local key, v
    local start = place
    key, place = get_string(text, place + 1)
    if known[key] then error(("a key that is there twice at byte %d"):format(start), 0) end
    place = skip(text, place)
    if not text:find("^:", place) then expected("':'", place) end
    local value_at = place + 1
    v, place = get(text, value_at, depth + 1)
    if v == nil then expected("a value", value_at) end
    known[key], out[key] = true, v
    place = skip(text, place)
    local c = text:sub(place, place)
    place = place + 1
    if c == "}" then return out, place end
    if c ~= "," then expected("',' or '}'", place - 1) end
  end
end

local WORDS = { { "true", true }, { "false", false }, { "null", nil } }

function get(text, place, depth)
  if depth > MOST_DEPTH then error(("nested deeper than %d at byte %d"):format(MOST_DEPTH, place), 0) end
  place = skip(text, place)
  local c = text:sub(place, place)
  if c == "{" then return get_object(text, place + 1, depth) end
  if c == "[" then return get_list(text, place + 1, depth) end
  if c == '"' then return get_string(text, place + 1) end
  for _, word in ipairs(WORDS) do
    if text:sub(place, place + #word[1] - 1) == word[1] then return word[2], place + #word[1] end
  end
  return get_number(text, place)
end

--- The value of a text.
-- @tparam string text
-- @return the value
-- @raise what was expected, with the byte
function json.decode(text)
  if #text > MOST_BYTES then error(("longer than %d bytes"):format(MOST_BYTES), 0) end
  if not utf8.len(text) then error("not UTF-8", 0) end
  local v, place = get(text, 1, 1)
  place = skip(text, place)
  if place <= #text then expected("nothing more", place) end
  return v
end

return json
