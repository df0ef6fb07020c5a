-- A plain reader of C text: which loops of a file read or write elements of tensors. It knows names of pointers to
-- elements from declarations, and takes a loop to compute where its text indexes such a name, follows it, or copies
-- from or to it. What a loop hands on to a function of the kernel table is an address, which is no element.

local ELEMENTS = { "float", "uint8_t", "int32_t", "uint32_t", "char", "void" }
local DATA = { "lt_f32", "lt_u8", "lt_i32" }

local c_loops = {}

-- Text without comments, strings and includes; lines stay where they are.
local function bare(text)
  local function lines(s) return (s:gsub("[^\n]", " ")) end
  text = text:gsub("/%*.-%*/", lines):gsub("//[^\n]*", ""):gsub('\\"', ""):gsub('"[^"\n]*"', '""')
  return (text:gsub("#%s*include[^\n]*", ""))
end

-- Adds to `names` what one declaration (type and declarators, no semicolon) declares: name = "pointer", or "rows" for
-- an array of pointers.
local function declare(names, rest)
  rest = rest:gsub("%b()", ""):gsub("%b{}", ""):gsub("%b[]", "[]")
  for declarator in (rest .. ","):gmatch("(.-),") do
    local name, array = declarator:match("^%s*%*[%*%s]*([%a_][%w_%s]*)(%[?)")
    name = name and name:gsub("%f[%w_]const%f[^%w_]", ""):gsub("%f[%w_]restrict%f[^%w_]", ""):match("[%a_][%w_]*")
    if name then names[name] = array == "[" and "rows" or "pointer" end
  end
end

local function declarations(names, text, last)
  for _, kind in ipairs(ELEMENTS) do
    for rest in text:gmatch("%f[%w_]" .. kind .. "%f[^%w_]([^" .. last .. "]*)") do declare(names, rest) end
  end
  return names
end

-- The place after the statement that begins at `at`, with all that hangs on it.
local function statement(text, at)
  at = text:find("%S", at) or #text + 1
  if text:sub(at, at) == "{" then
    local _, last = text:find("^%b{}", at)
    return (last or #text) + 1
  end
  local word = text:match("^[%a_]+", at)
  local _, closed = text:find("^[%a_]+%s*%b()", at)
  if closed and (word == "for" or word == "while" or word == "if" or word == "switch") then
    local after = statement(text, closed + 1)
    local _, other = text:find("^%s*else%f[^%w_]", after)
    return other and word == "if" and statement(text, other + 1) or after
  end
  return (text:find(";", at, true) or #text) + 1
end

-- What a loop's text does to elements, or nil.
local function touches(loop, pointers, fields)
  for _, word in ipairs { "for", "while", "if" } do -- a statement begins after it: a star there is no product
    loop = loop:gsub("(%f[%w_]" .. word .. "%s*%b())", "%1;")
  end
  loop = loop:gsub("%f[%w_]else%f[^%w_]", "else;")
  for _, data in ipairs(DATA) do
    local found = loop:match("%f[%w_]" .. data .. "%s*%b()%s*%[") or loop:match("%*%s*" .. data .. "%s*%b()")
    if found then return found end
  end
  for before, name, after in loop:gmatch("([%.>]?)%f[%a_]([%a_][%w_]*)%s*(%b[]%s*%[?)") do
    local kind
    if before == "" then kind = pointers[name] else kind = fields[name] end
    if kind == "pointer" or kind == "rows" and after:sub(-1) == "[" then return name .. after end
  end
  for name in loop:gmatch("[%(=;{}&|<>+!?:]%s*%*%s*%(?([%a_][%w_]*)") do
    if pointers[name] == "pointer" then return "*" .. name end
  end
  for call, arguments in loop:gmatch("%f[%w_](mem%a+)%s*(%b())") do
    for before, name in arguments:gmatch("([%.>]?)%f[%a_]([%a_][%w_]*)") do
      local kind
      if before == "" then kind = pointers[name] else kind = name == "data" or fields[name] end
      if kind or name:find("^lt_[fui]%d+$") then return call .. " of " .. name end
    end
  end
end

--- The loops over elements in the text of a C file: a list of { name =, line =, what = }, name the function's, one for
-- every function that has one.
function c_loops.find(text)
  text = bare(text)
  local fields, found, at = {}, {}, 1
  for body in text:gmatch("struct%s*[%w_]*%s*(%b{})") do declarations(fields, body, ";") end
  while true do
    local open, close = text:find("%b{}", at)
    if not open then return found end
    local head, body = text:sub(at, open - 1), text:sub(open, close)
    local name, parameters = head:match("([%a_][%w_]*)%s*(%b())%s*$")
    if name then
      local pointers = declarations(declarations({}, parameters:sub(2, -2) .. ",", ","), body, ";")
      local from = 1
      while from do
        local first
        for _, start in ipairs { "for%s*%(", "while%s*%(", "do%s*{" } do
          local place = body:find("%f[%w_]" .. start, from)
          first = place and math.min(first or place, place) or first
        end
        local loop = first and body:sub(first, statement(body, first) - 1)
        if loop and loop:find("^do%f[^%w_]") then loop = body:sub(first, statement(body, first + 2) - 1) end
        local what = loop and touches(loop, pointers, fields)
        if what then
          local _, line = text:sub(1, open + first - 1):gsub("\n", "")
          found[#found + 1] = { name = name, line = line + 1, what = what }
          break
        end
        from = first and first + #loop
      end
    end
    at = close + 1
  end
end

return c_loops
