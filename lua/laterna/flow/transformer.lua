--- A causal transformer (Vaswani et al. 2017, arXiv 1706.03762; norms first) that says numbers about each element of a
-- sequence from the elements before it, and from the condition: pooled caption vector and detail are added to every
-- element; the caption's tokens may be attended to.
--
-- It reads all at once, `all`, or one element after another, `next`, with the keys and values of those before at hand.
-- @module laterna.flow.transformer
local core = require "laterna.core"
local nn = require "laterna.nn"
local vector_of = require("laterna.flow.condition").vector

local TANH = { approximate = "tanh" }
local CAUSAL = { causal = true }

-- A linear layer as the transformers of this library start: Xavier, or zero; no bias.
local function linear(from, to, zero)
  local l = nn.Linear(from, to)
  if zero then nn.init.zeros_(l.weight) else nn.init.xavier_uniform_(l.weight) end
  nn.init.zeros_(l.bias)
  return l
end

local Layer = nn.class("CausalLayer", function(self, o)
  local d = o.dim
  self.heads = o.heads
  self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
  self.qkv, self.proj = linear(d, 3 * d), linear(d, d)
  self.fc1, self.fc2 = linear(d, o.mlp * d), linear(o.mlp * d, d)
  if o.caption == "tokens" then
    self.context_norm, self.context_q = nn.LayerNorm(d), linear(d, d)
    self.context_kv, self.context_proj = linear(o.text, 2 * d), linear(d, d, true)
  end
end)

-- Keys and values of the caption's tokens, the same for all elements.
local function caption(self, cond)
  if not self.context_kv or not cond.tokens then return nil end
  local n, l, d = cond.tokens:size(1), cond.tokens:size(2), self.context_q.weight:size(1)
  local k, v = self.context_kv(cond.tokens):chunk(2, -1)
  local shape = { n, l, self.heads, d // self.heads }
  return { k = k:view(shape), v = v:view(shape), options = { mask = cond.mask } }
end

-- The rest of a layer, after attention to the elements before: h (n,l,d).
local function think(self, h, said)
  if said then
    local n, l, d = h:size(1), h:size(2), h:size(3)
    local q = self.context_q(self.context_norm(h)):view { n, l, self.heads, d // self.heads }
    h = h + self.context_proj(core.attention(q, said.k, said.v, said.options):view { n, l, d })
  end
  return h + self.fc2(self.fc1(self.norm2(h)):gelu(TANH))
end

function Layer:forward(h, heard)
  h = h + self.proj(core.attention_qkv(self.qkv(self.norm1(h)), self.heads, CAUSAL))
  return think(self, h, caption(self, heard))
end

-- One element h (n,1,d), the t-th. Keys and values lie by time, then by example and head: those of times 1 to t are
-- one piece of memory, that attention reads as the heads of one example.
function Layer:step(h, t, memory)
  local n, d = h:size(1), h:size(3)
  local q, k, v = self.qkv(self.norm1(h)):chunk(3, -1)
  memory.k[t], memory.v[t] = k:view(n * d), v:view(n * d)
  local heads = { 1, t, n * self.heads, d // self.heads }
  local y = core.attention(q:view { 1, 1, n * self.heads, d // self.heads }, memory.k:narrow(1, 1, t):view(heads),
    memory.v:narrow(1, 1, t):view(heads))
  return think(self, h + self.proj(y:view { n, 1, d }), memory.said)
end

--- Options, for check.options.
local options = {
  dim = { "integer", 128, min = 1 }, layers = { "integer", 2, min = 1, max = 256 },
  heads = { "integer", 4, min = 1 }, mlp = { "integer", 4, min = 1, max = 64 }, text = { "integer", 0, min = 0 },
  detail = { "integer", 0, min = 0 }, caption = { "string", "pooled", one_of = { "pooled", "tokens" } },
}

--- Reads sequences of `length` elements of `width` numbers. The last layer starts at zero.
-- @function Reader
-- @tparam integer length
-- @tparam integer width
-- @tparam integer outputs how many numbers to say about an element
-- @tparam table o dim, layers, heads, mlp, text, detail, caption, as checked by the caller
local Reader = nn.class("CausalTransformer", function(self, length, width, outputs, o)
  local d = o.dim
  self.length, self.width, self.dim, self.sizes = length, width, d, { pooled = o.text, detail = o.detail }
  self.embed = linear(width, d)
  self.first = core.randn(d) * 0.02
  self.places = core.randn(length, d) * 0.02
  if o.text + o.detail > 0 then self.film = linear(o.text + o.detail, d) end
  self.layers = {}
  for i = 1, o.layers do self.layers[i] = Layer(o) end
  self.norm, self.out = nn.LayerNorm(d), linear(d, outputs, true)
end)

-- The condition as the reader uses it: a vector for every element, tokens and their mask.
local function heard_by(self, n, cond)
  local vector = vector_of(self.sizes, n, cond, "TarFlow")
  vector = vector and self.film(vector):unsqueeze(2)
  return { vector = vector, tokens = cond and cond.tokens, mask = cond and cond.mask }
end

--- The numbers of elements 1 to l + 1 from the first l.
-- @tparam ?Tensor seen (n,l,width); nil for none
-- @tparam integer n
-- @tparam[opt] table cond {tokens, mask, pooled, detail}
-- @treturn Tensor (n,l+1,outputs)
function Reader:all(seen, n, cond)
  local heard = heard_by(self, n, cond)
  local h = self.first:view(1, 1, self.dim):expand(n, 1, self.dim)
  if seen then h = core.cat({ h, self.embed(seen) }, 2) end
  h = h + self.places:narrow(1, 1, h:size(2))
  if heard.vector then h = h + heard.vector end
  for _, l in ipairs(self.layers) do h = l(h, heard) end
  return self.out(self.norm(h))
end

--- A reading that has seen nothing yet, for `next`.
-- @tparam integer n
-- @tparam[opt] table cond
-- @treturn table
function Reader:begin(n, cond)
  local reading = { t = 0, heard = heard_by(self, n, cond), memory = {} }
  for i, l in ipairs(self.layers) do
    local room = { self.length, n * self.dim }
    reading.memory[i] = { k = core.zeros(room), v = core.zeros(room), said = caption(l, reading.heard) }
  end
  return reading
end

--- The numbers of the next element; nothing may be recorded meanwhile.
-- @tparam table reading
-- @tparam ?Tensor before (n,width), the element before it; nil at the first
-- @tparam integer n
-- @treturn Tensor (n,outputs)
function Reader:next(reading, before, n)
  local t = reading.t + 1
  reading.t = t
  local h = before and self.embed(before):unsqueeze(2) or self.first:view(1, 1, self.dim):expand(n, 1, self.dim)
  h = h + self.places:narrow(1, t, 1)
  if reading.heard.vector then h = h + reading.heard.vector end
  for i, l in ipairs(self.layers) do h = l:step(h, t, reading.memory[i]) end
  return self.out(self.norm(h)):squeeze(2)
end

return { Reader = Reader, options = options }
