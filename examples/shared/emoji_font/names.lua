-- What emoji are called: Unicode's emoji-test.txt (UTS 51) and, for keywords, CLDR's annotations (UTS 35, part 2).
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""
local function part(name) return dofile(here .. name .. ".lua") end
local file = part "file"

local names = {}

local MOST = 16 << 20        -- bytes of a file of names
local LONGEST = 32           -- code points of one emoji; the longest has 10
local SKIN_FIRST, SKIN_LAST = 0x1F3FB, 0x1F3FF
local SELECTOR = "\u{FE0F}"

-- One line of text without blanks around it; nil and the reason where it is no text.
local function line_of(text)
  if not utf8.len(text) then return nil, "not valid UTF-8" end
  return (text:gsub("[%s%c]+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- "1F44B 1F3FB" -> code points, and whether a skin tone is among them; nil and the reason where they are none.
local function codes_of(text)
  local codes, toned = {}, false
  for digits in text:gmatch "%S+" do
    local code = #digits <= 6 and tonumber(digits, 16)
    if not code or code > 0x10FFFF then return nil, "code points from 0 to 10FFFF expected" end
    if #codes == LONGEST then return nil, ("more than %d code points"):format(LONGEST) end
    codes[#codes + 1] = code
    toned = toned or code >= SKIN_FIRST and code <= SKIN_LAST
  end
  if #codes == 0 then return nil, "no code points" end
  return codes, toned
end

-- One line of emoji-test.txt -> an entry, or nil where the line is about something else.
local function entry(path, number, line)
  local codes_text, status, rest = line:match "^([^;#]*);%s*([%a-]+)%s*#(.*)$"
  if status ~= "fully-qualified" then return nil end
  local codes, toned = codes_of(codes_text)
  local name = rest:match "^ %S+ E%d+%.%d+ (.+)$"
  local clean, reason = line_of(name or "")
  reason = not codes and toned or not name and "no name after the version" or not clean and reason
  if reason then error(("%s:%d: %s"):format(path, number, reason), 0) end
  return { codes = codes, text = utf8.char(table.unpack(codes)), name = clean, toned = toned }
end

--- The fully-qualified emoji of a file like emoji-test.txt, in its order.
-- @tparam string path
-- @treturn ?table list of {codes, text (UTF-8), name, toned (with a skin tone), group, subgroup}; nil: no such file
-- @treturn ?string the reason
function names.read(path)
  local bytes, reason = file.read(path, MOST)
  if not bytes then return nil, reason end
  local list, number, group, subgroup = {}, 0, "", ""
  for line in bytes:gmatch "([^\r\n]*)\r?\n?" do
    number = number + 1
    local heading, title = line:match "^# (s?u?b?group): (.*)$"
    if heading == "group" then
      group = title
    elseif heading == "subgroup" then
      subgroup = title
    else
      local one = entry(path, number, line)
      if one then
        one.group, one.subgroup = group, subgroup
        list[#list + 1] = one
      end
    end
  end
  if #list == 0 then error(path .. ": no line of a fully-qualified emoji", 0) end
  return list
end

local ENTITIES = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function unescape(s)
  return (s:gsub("&(#?x?)(%w+);", function(kind, word)
    if kind == "" then return ENTITIES[word] end
    local code = #word <= 7 and tonumber(word, kind == "#x" and 16 or 10)
    return code and code <= 0x10FFFF and utf8.char(code) or nil
  end))
end

-- CLDR writes emoji without the selector that asks for the picture.
local function bare(text) return (text:gsub(SELECTOR, "")) end

--- Adds the keywords of a file of CLDR's annotations to those there are.
-- @tparam string path
-- @tparam table into bare text of an emoji -> list of keywords
-- @treturn boolean false: no such file
function names.keywords(path, into)
  local bytes = file.read(path, MOST)
  if not bytes then return false end
  for line in bytes:gmatch "[^\r\n]+" do
    local emoji, said = line:match '^%s*<annotation cp="([^"]*)">([^<]*)</annotation>'
    if emoji then
      local words = {}
      for word in unescape(said):gmatch "[^|]+" do
        local clean = line_of(word)
        if clean and clean ~= "" then words[#words + 1] = clean end
      end
      into[bare(unescape(emoji))] = words
    end
  end
  return true
end

--- The keywords of an emoji; none is an empty list.
-- @tparam table keywords as `names.keywords` filled it
-- @tparam string text
-- @treturn {string,...}
function names.of(keywords, text) return keywords[bare(text)] or {} end

return names
