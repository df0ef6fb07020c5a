--- From text to normalised text to pieces: code points are kept whole, bytes that are no UTF-8 stand alone.
-- @module laterna.text.words
local words = {}

-- Kinds of code points: letters and digits join into words, blanks become one space, the rest stands alone.
local function is_ascii_word(c) return c >= 48 and c <= 57 or c >= 65 and c <= 90 or c >= 97 and c <= 122 end

-- Beyond ASCII what is not clearly punctuation, a symbol, or writing without spaces counts as a letter.
local ALONE = {
  { 0x80, 0xBF }, { 0xD7, 0xD7 }, { 0xF7, 0xF7 }, { 0x2000, 0x2BFF }, { 0x2E00, 0xABFF }, { 0xD7FC, 0x10FFFF },
}
local function is_word(c)
  if c < 0x80 then return is_ascii_word(c) end
  for _, range in ipairs(ALONE) do
    if c >= range[1] and c <= range[2] then return false end
  end
  return true
end

-- Small letters of the scripts whose capitals lie at a fixed distance: Latin-1, Latin Extended-A, Greek, Cyrillic.
local function lower(c)
  if c < 0x80 then return c >= 65 and c <= 90 and c + 32 or c end
  if c >= 0xC0 and c <= 0xDE and c ~= 0xD7 then return c + 32 end
  if c >= 0x100 and c <= 0x137 and c ~= 0x130 or c >= 0x14A and c <= 0x177 then return c | 1 end
  if c >= 0x139 and c <= 0x148 or c >= 0x179 and c <= 0x17E then return c + (c & 1) end
  if c == 0x178 then return 0xFF end
  if c >= 0x391 and c <= 0x3A9 and c ~= 0x3A2 or c >= 0x410 and c <= 0x42F then return c + 32 end
  if c >= 0x400 and c <= 0x40F then return c + 80 end
  return c
end

-- Calls f(first, last, valid) for the stretches of s that are UTF-8 and for every single byte that is not.
local function stretches(s, f)
  local from = 1
  while from <= #s do
    local length, bad = utf8.len(s, from)
    local last = length and #s or bad - 1
    if last >= from then f(from, last, true) end
    if bad then f(bad, bad, false) end
    from = (bad or #s) + 1
  end
end

local function normalise_stretch(s, lowercase)
  if not s:find "[\128-\255]" then return lowercase and s:gsub("%u+", string.lower) or s end
  if not lowercase then return s end
  return (s:gsub(utf8.charpattern, function(char) return utf8.char(lower(utf8.codepoint(char))) end))
end

--- The text that a tokenizer keeps: blanks (spaces, tabs, line ends) become single spaces, none at either end;
-- capitals become small where asked. Bytes that are not UTF-8 stay as they are.
-- @tparam string s
-- @tparam boolean lowercase
-- @treturn string
function words.normalise(s, lowercase)
  s = s:gsub("[ \t\n\v\f\r]+", " "):gsub("^ ", ""):gsub(" $", "")
  if not s:find "[\128-\255]" then return normalise_stretch(s, lowercase) end
  local out = {}
  stretches(s, function(first, last, valid)
    local stretch = s:sub(first, last)
    out[#out + 1] = valid and normalise_stretch(stretch, lowercase) or stretch
  end)
  return table.concat(out)
end

--- The characters of a string: every code point, and every byte that belongs to none.
-- @tparam string s
-- @treturn {string,...}
-- @treturn {boolean,...} which of them are UTF-8
function words.characters(s)
  local chars, valid = {}, {}
  stretches(s, function(first, last, good)
    if not good then
      chars[#chars + 1], valid[#valid + 1] = s:sub(first, last), false
      return
    end
    for char in s:sub(first, last):gmatch(utf8.charpattern) do
      chars[#chars + 1], valid[#valid + 1] = char, true
    end
  end)
  return chars, valid
end

-- " star," -> " star" ","
local function ascii_pieces(s)
  local pieces, at = {}, 1
  while at <= #s do
    local _, last = s:find("^ ?[0-9A-Za-z]+", at)
    if not last then _, last = s:find("^ ?.", at) end
    pieces[#pieces + 1] = s:sub(at, last)
    at = last + 1
  end
  return pieces
end

--- Cuts normalised text into words and single signs, each with the space before it, as if the text began with one:
-- concatenated they are the text after a space.
-- @tparam string s
-- @treturn {string,...}
function words.pieces(s)
  if s == "" then return {} end
  if not s:find "[\128-\255]" then return ascii_pieces(" " .. s) end
  local pieces, word = {}, { " " }
  local function flush()
    if #word > 0 then pieces[#pieces + 1] = table.concat(word) end
    word = {}
  end
  local chars, valid = words.characters(s)
  local in_word = false
  for i, char in ipairs(chars) do
    local joins = valid[i] and char ~= " " and is_word(utf8.codepoint(char))
    if char == " " or not (joins and in_word or #word == 1 and word[1] == " ") then flush() end
    word[#word + 1] = char
    in_word = joins
  end
  flush()
  return pieces
end

return words
