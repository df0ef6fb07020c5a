--- A tokenizer trained from captions: whole words where they are known, else known characters, else bytes, so that
-- no caption is ever unknown and decoding gives the normalised text back exactly.
--
--     local tok = Tokenizer({ "a red star", "a blue star" })
--     tok:decode(tok:encode "a green star")    --> "a green star"
--
-- It knows how many captions it was trained from, and their hash (fields captions, hash), not the captions themselves.
-- Ids count from 1: padding, start, stop, the 256 bytes, then the words by how often they occur.
-- @module laterna.text.tokenizer
local check = require "laterna.check"
local core = require "laterna.core"
local recipe = require "laterna.nn.recipe"
local spelling = require "laterna.spelling"
local words = require "laterna.text.words"

local Tokenizer = {}
Tokenizer.__index = Tokenizer
Tokenizer.__name = "laterna.Tokenizer"
recipe.keep(Tokenizer)

local PADDING, START, STOP = 1, 2, 3
local FIXED = 3 + 256
local LONGEST = 64            -- bytes of a vocabulary entry: bounds the search for the longest match
local MOST = 1000000          -- entries of a vocabulary
local HEADER = "laterna tokenizer 1"

-- A word may enter the vocabulary when it survives a line of text: UTF-8, no control characters, not too long.
local function storable(word)
  return #word <= LONGEST and not word:find "[%z\1-\31\127]" and utf8.len(word) ~= nil
end

local function build(list, lowercase)
  local self = setmetatable({ padding = PADDING, start = START, stop = STOP, lowercase = lowercase == true,
                              size = FIXED + #list, words = list, id = {}, longest = 1 }, Tokenizer)
  for i, word in ipairs(list) do
    self.id[word] = FIXED + i
    self.longest = math.max(self.longest, #word)
  end
  return self
end

-- How often each word occurs; every character of a word counts as a rare word of its own.
local function count_words(captions, lowercase)
  local times = {}
  for i = 1, #captions do
    local caption = captions[i]
    if type(caption) ~= "string" then
      check.fail("Tokenizer", 1, "captions: expected strings, got %s at %d", check.describe(caption), i)
    end
    times[caption] = (times[caption] or 0) + 1
  end
  local count, chars = {}, {}
  for caption, n in pairs(times) do
    for _, piece in ipairs(words.pieces(words.normalise(caption, lowercase))) do
      count[piece] = (count[piece] or 0) + n
    end
  end
  for piece in pairs(count) do
    for _, char in ipairs((words.characters(piece))) do chars[char] = true end
  end
  for char in pairs(chars) do count[char] = count[char] or 0 end
  return count
end

local function train(captions, options)
  check.type("Tokenizer", 1, "captions", captions, "table")
  local o = check.options("Tokenizer", 2, options, {
    vocabulary = { "integer", 8192, min = FIXED, max = FIXED + MOST }, lowercase = { "boolean", true },
  })
  local count, list = count_words(captions, o.lowercase), {}
  for word in pairs(count) do
    if storable(word) then list[#list + 1] = word end
  end
  table.sort(list, function(a, b)
    if count[a] ~= count[b] then return count[a] > count[b] end
    return a < b
  end)
  for i = #list, o.vocabulary - FIXED + 1, -1 do list[i] = nil end
  local self = build(list, o.lowercase)
  self.captions, self.hash = #captions, core.hash_strings(captions)
  return self
end

local function self_check(fname, self)
  if getmetatable(self) ~= Tokenizer then
    check.fail(fname, 1, "self: expected a tokenizer, got %s", check.describe(self))
  end
end

-- Longest known beginnings, one after the other; a character that is not known becomes its bytes.
local function spell(self, piece, ids)
  local chars = words.characters(piece)
  local i = 1
  while i <= #chars do
    local text, best, last = "", nil, nil
    for j = i, #chars do
      text = text .. chars[j]
      if #text > self.longest then break end
      if self.id[text] then best, last = self.id[text], j end
    end
    if best then
      ids[#ids + 1] = best
    else
      last = i
      for b = 1, #chars[i] do ids[#ids + 1] = 4 + chars[i]:byte(b) end
    end
    i = last + 1
  end
end

--- Ids of a text, without start and stop.
-- @tparam string s any bytes; the empty text gives an empty list
-- @treturn {integer,...}
function Tokenizer:encode(s)
  self_check("encode", self)
  check.type("encode", 2, "text", s, "string")
  local ids = {}
  for _, piece in ipairs(words.pieces(words.normalise(s, self.lowercase))) do
    local id = self.id[piece]
    if id then ids[#ids + 1] = id else spell(self, piece, ids) end
  end
  return ids
end

--- The text of a list of ids; padding, start and stop are passed over. `decode(encode(s))` is `normalise(s)`.
-- @tparam {integer,...} ids each from 1 to `size`
-- @treturn string
function Tokenizer:decode(ids)
  self_check("decode", self)
  check.type("decode", 2, "ids", ids, "table")
  local out = {}
  for i = 1, #ids do
    local id = check.integer("decode", 2, "ids[" .. i .. "]", ids[i], 1, self.size)
    if id > FIXED then
      out[#out + 1] = self.words[id - FIXED]
    elseif id > STOP then
      out[#out + 1] = string.char(id - 4)
    end
  end
  return (table.concat(out):gsub("^ ", ""))
end

--- The text as the tokenizer keeps it: single spaces, none at the ends, small letters (unless `lowercase = false`).
-- @tparam string s
-- @treturn string
function Tokenizer:normalise(s)
  self_check("normalise", self)
  return words.normalise(check.type("normalise", 2, "text", s, "string"), self.lowercase)
end

--- All that is needed to build the same tokenizer again, as UTF-8 text: one word a line.
-- @treturn string
function Tokenizer:state()
  self_check("state", self)
  local head = ("%s\nlowercase %s\nwords %d\n"):format(HEADER, self.lowercase and "yes" or "no", #self.words)
  return head .. table.concat(self.words, "\n") .. (#self.words > 0 and "\n" or "")
end

function Tokenizer:__len() return self.size end

function Tokenizer:__tostring() return ("Tokenizer (%d ids, %d words)"):format(self.size, #self.words) end

--- The tokenizer that gave a state. Nothing in the text is executed; what state() did not write is refused.
-- @tparam string text
-- @treturn Tokenizer
function Tokenizer.load(text)
  check.type("load", 1, "state", text, "string")
  local function refuse(...) check.fail("load", 1, "state: " .. select(1, ...), select(2, ...)) end
  local lowercase, n, at = text:match("^" .. HEADER .. "\nlowercase (%a+)\nwords (%d+)\n()")
  if not n or lowercase ~= "yes" and lowercase ~= "no" then refuse("not a tokenizer's") end
  if n:find "^0." then refuse("not a tokenizer's") end
  n = #n <= 7 and math.tointeger(n) or MOST + 1
  if n > MOST then refuse("more than %d words", MOST) end
  local list, known = {}, {}
  for word in text:sub(at):gmatch "([^\n]*)\n" do
    local i = #list + 1
    if word == "" or not storable(word) then refuse("word %d is not one line of UTF-8", i) end
    if known[word] then refuse("word %d is there twice", i) end
    if i > n then refuse("more than the %d words that it announces", n) end
    known[word], list[i] = true, word
  end
  if #list ~= n then refuse("%d words announced, %d found", n, #list) end
  if not text:find "\n$" then refuse("text after the last line") end
  return build(list, lowercase == "yes")
end

--- Trains a tokenizer: `Tokenizer(captions, options)`.
-- @function Tokenizer
-- @tparam {string,...} captions
-- @tparam[opt] table options {vocabulary=8192 (the most ids there may be, 259 of them fixed), lowercase=true}
-- @treturn Tokenizer
return setmetatable(Tokenizer, {
  __index = spelling.methods("a tokenizer", Tokenizer),
  __call = function(_, ...) return train(...) end,
})
