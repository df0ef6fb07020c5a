--- A text encoder: a small transformer over the words of a caption, trained with the generator it serves.
--
--     local encoder = Encoder({ "a red star", "a blue star" }, { dim = 64 })
--     local e = encoder{ "a blue star", "" }
--     e.tokens   -- (2,5,64), one vector a token: start, a, blue, star, stop
--     e.mask     -- (2,5), 1 where there is a token and 0 where the shorter caption is padded
--     e.pooled   -- (2,64), the mean of the tokens
--
-- Every caption begins with the start token; the empty caption is that token alone, which so becomes what the
-- generator learns for "no caption". Pre-norm blocks (Xiong et al. 2020, https://arxiv.org/abs/2002.04745):
-- x + attention(norm(x)), then x + mlp(norm(x)) with gelu; learned positions.
-- @module laterna.text.encoder
local check = require "laterna.check"
local core = require "laterna.core"
local nn = require "laterna.nn"
local Tokenizer = require "laterna.text.tokenizer"

local MOST_CACHED = 100000

local Block = nn.class("TextBlock", function(self, dim, heads, options)
  self.norm1 = nn.LayerNorm(dim)
  self.attention = nn.MultiheadAttention(dim, heads, options)
  self.norm2 = nn.LayerNorm(dim)
  self.fc1 = nn.Linear(dim, 4 * dim, options)
  self.fc2 = nn.Linear(4 * dim, dim, options)
end)

Block.is_block = true

-- x (n,l,d), mask (n,l)
function Block:forward(x, mask)
  x = x + self.attention(self.norm1(x), nil, mask)
  return x + self.fc2(core.gelu(self.fc1(self.norm2(x))))
end

-- A caption's ids as little-endian int32, ready to be joined into a batch. Captions come again every epoch, so they
-- are kept, by tokenizer and length; when there are very many, all are forgotten at once.
local cache = setmetatable({}, { __mode = "k" })

local function cache_of(tokenizer, length)
  local of = cache[tokenizer]
  if not of or of.length ~= length or of.n >= MOST_CACHED then
    of = { length = length, n = 0, ids = {} }
    cache[tokenizer] = of
  end
  return of
end

local function packed_ids(tokenizer, length, caption)
  local of = cache_of(tokenizer, length)
  local ids = tokenizer:encode(caption)
  local n = math.min(#ids, length - 2)
  local packed
  if n == 0 then
    packed = string.pack("<i4", tokenizer.start)
  else
    ids[n + 1] = tokenizer.stop
    packed = string.pack("<i4" .. ("i4"):rep(n + 1), tokenizer.start, table.unpack(ids, 1, n + 1))
  end
  of.ids[caption], of.n = packed, of.n + 1
  return packed
end

--- A text encoder, an nn module that is called on a list of strings: `Encoder(captions, options)`.
-- Captions longer than `length` tokens (start and stop among them) are cut. A batch is as wide as its longest caption.
-- Called as `encoder(list)`: {tokens = (n,l,dim), mask = (n,l) of 1 and 0, pooled = (n,dim)}.
-- @function Encoder
-- @tparam {string,...}|Tokenizer captions to train a tokenizer from, or a tokenizer, as Tokenizer.load gives it back
-- @tparam[opt] table options {dim=64, depth=2, heads=4, length=32, vocabulary=8192, lowercase=true, generator}
-- @treturn Encoder
local Encoder = nn.class("TextEncoder", function(self, captions, options)
  local is_tokenizer = type(captions) == "table" and getmetatable(captions) == Tokenizer
  check.type("Encoder", 1, "captions", captions, "table")
  local o = check.options("Encoder", 2, options, {
    dim = { "integer", 64, min = 1, max = 65536 }, depth = { "integer", 2, min = 0, max = 256 },
    heads = { "integer", 4, min = 1 }, length = { "integer", 32, min = 3, max = 4096 },
    vocabulary = "integer", lowercase = "boolean", generator = "userdata",
  })
  if is_tokenizer and (o.vocabulary or o.lowercase ~= nil) then
    check.fail("Encoder", 2, "options: vocabulary and lowercase belong to the tokenizer that is there")
  end
  if o.dim % o.heads ~= 0 then
    check.fail("Encoder", 2, "heads: expected a divisor of dim (%d), got %d", o.dim, o.heads)
  end
  self.tokenizer = is_tokenizer and captions or
                   Tokenizer(captions, { vocabulary = o.vocabulary, lowercase = o.lowercase })
  self.dim, self.length, self.heads = o.dim, o.length, o.heads
  local drawn = { generator = o.generator }
  self.token = nn.Embedding(self.tokenizer.size, o.dim, drawn)
  self.position = nn.init.normal_(core.zeros(o.length, o.dim), 0, 0.02, drawn)
  self.blocks = {}
  for i = 1, o.depth do self.blocks[i] = Block(o.dim, o.heads, drawn) end
  self.norm = nn.LayerNorm(o.dim)
end)

-- The tensors that have a row for each word: they mean nothing under another vocabulary.
Encoder.by_word = { "token.weight" }

--- What the constructor is to be called with to make this encoder again: its tokenizer, not the captions.
-- @treturn Tokenizer
-- @treturn table options
function Encoder:arguments()
  return self.tokenizer, { dim = self.dim, depth = #self.blocks, heads = self.heads, length = self.length }
end

--- Ids and mask of a batch of captions.
-- @tparam {string,...} captions
-- @treturn Tensor ids (n,l) int32, padded with the tokenizer's padding
-- @treturn Tensor mask (n,l) float32
function Encoder:batch(captions)
  check.type("Encoder", 1, "captions", captions, "table")
  local n = #captions
  if n == 0 then check.fail("Encoder", 1, "captions: expected at least one string") end
  local ids, longest, known = {}, 0, cache_of(self.tokenizer, self.length).ids
  for i = 1, n do
    local caption = captions[i]
    if type(caption) ~= "string" then
      check.fail("Encoder", 1, "captions: expected strings, got %s at %d", check.describe(caption), i)
    end
    local own = known[caption] or packed_ids(self.tokenizer, self.length, caption)
    ids[i] = own
    if #own > longest then longest = #own end
  end
  local padding, one = string.pack("<i4", self.tokenizer.padding), string.pack("<f", 1)
  local mask, padded, masks = {}, {}, {} -- the last two: by what comes again in a batch
  for i = 1, n do
    local own = ids[i]
    if not padded[own] then
      local present = #own // 4
      local absent = longest // 4 - present
      padded[own] = own .. padding:rep(absent)
      masks[own] = one:rep(present) .. ("\0\0\0\0"):rep(absent)
    end
    ids[i], mask[i] = padded[own], masks[own]
  end
  local shape = { n, longest // 4 }
  return core.from_string(table.concat(ids), shape, { dtype = "int32" }), core.from_string(table.concat(mask), shape)
end

-- The captions of a batch without repetition, and for each of the batch its place among them; nil where more than half
-- are different, or some are no strings.
local function distinct(captions)
  local list, place, places = {}, {}, {}
  for i = 1, type(captions) == "table" and #captions or 0 do
    local caption = captions[i]
    if type(caption) ~= "string" then return nil end
    if not place[caption] then
      list[#list + 1] = caption
      place[caption] = #list
    end
    places[i] = place[caption]
  end
  if #places == 0 or 2 * #list > #places then return nil end
  return list, core.tensor(places, { dtype = "int32" })
end

local function encode(self, captions)
  local ids, mask = self:batch(captions)
  local n, l = ids:size(1), ids:size(2)
  local x = self.token(ids) + self.position[{ 1, l }]             -- (n,l,d) + (l,d)
  for _, block in ipairs(self.blocks) do x = block(x, mask) end
  x = self.norm(x)
  local present = mask:view{ n, l, 1 }
  local pooled = (x * present):sum(2) / mask:sum(2, { keepdim = true })
  return { tokens = x, mask = mask, pooled = pooled }
end

-- Captions are read independently of each other, so that one that comes again need not be read again: where there are
-- ten kinds of pictures, ten captions stand for a batch.
function Encoder:forward(captions)
  local list, rows = distinct(captions)
  if not list then return encode(self, captions) end
  local out = encode(self, list)
  for key, t in pairs(out) do out[key] = t:index_select(1, rows) end
  return out
end

function Encoder:describe()
  return ("%d words, %d tokens at most"):format(#self.tokenizer.words, self.length)
end

return Encoder
