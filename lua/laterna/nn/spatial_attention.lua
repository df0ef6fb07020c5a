--- Attention between the places of a picture, and from them to the words of a caption.
-- @module laterna.nn.spatial_attention
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local core = require "laterna.core"
local init = require "laterna.nn.initialise"
local Linear = require("laterna.nn.linear").Linear
local norm = require "laterna.nn.norm"
local groups_of = require("laterna.nn.resblock").groups_of

--- x + out(attention(norm(x))): (n,h,w,channels) -> same; every place looks at every place and then, with the option
-- context, at the vectors of a context (Rombach et al. 2022, arXiv 2112.10752). Both output projections start at zero,
-- so that the layer starts as the identity.
-- @function SpatialAttention
-- @tparam integer channels
-- @tparam integer heads divides channels
-- @tparam[opt] table options {context=0}: width of the context's vectors, 0 for none
local SpatialAttention = class("SpatialAttention", function(self, channels, heads, options)
  channels = check.integer("SpatialAttention", 1, "channels", channels, 1)
  self.heads = check.integer("SpatialAttention", 2, "heads", heads, 1)
  if channels % self.heads ~= 0 then
    check.fail("SpatialAttention", 2, "heads: expected a divisor of channels (%d), got %d", channels, self.heads)
  end
  local o = check.options("SpatialAttention", 3, options, { context = { "integer", 0, min = 0 } })
  self.norm = norm.GroupNorm(groups_of(channels), channels)
  self.qkv, self.out = Linear(channels, 3 * channels), conv.Conv2d(channels, channels, 1)
  init.zeros_(self.out.weight)
  if o.context > 0 then
    self.context_norm = norm.GroupNorm(groups_of(channels), channels)
    self.q, self.kv = Linear(channels, channels), Linear(o.context, 2 * channels)
    self.context_out = conv.Conv2d(channels, channels, 1)
    init.zeros_(self.context_out.weight)
  end
end)

-- x looks at context (n,l,d), where mask (n,l) is not 0
local function look(self, x, context, mask)
  local n, h, w, c = table.unpack(x.shape)
  local l, heads = context:size(2), self.heads
  local q = self.q(self.context_norm(x)):view(n, h * w, heads, c // heads)
  local k, v = self.kv(context):chunk(2, -1)
  k, v = k:view(n, l, heads, c // heads), v:view(n, l, heads, c // heads)
  return self.context_out(core.attention(q, k, v, { mask = mask }):view(n, h, w, c), { add = x })
end

--- @tparam Tensor x (n,h,w,channels)
-- @tparam[opt] Tensor context (n,l,d); without one there is nothing to look at but x
-- @tparam[opt] Tensor mask (n,l), 0 where the context is padding
function SpatialAttention:forward(x, context, mask)
  if check.type("SpatialAttention", 1, "x", x, "tensor"):dim() ~= 4 then
    check.fail("SpatialAttention", 1, "x: expected (n,h,w,c), got %d axes", x:dim())
  end
  if check.type("SpatialAttention", 2, "context", context, "tensor|nil") and context:dim() ~= 3 then
    check.fail("SpatialAttention", 2, "context: expected (n,l,d), got %d axes", context:dim())
  end
  local n, h, w, c = table.unpack(x.shape)
  local qkv = self.qkv(self.norm(x):view(n, h * w, c))
  x = self.out(core.attention_qkv(qkv, self.heads):view(n, h, w, c), { add = x })
  return self.kv and context and look(self, x, context, mask) or x
end

function SpatialAttention:describe()
  return ("%d heads"):format(self.heads)
end

return { SpatialAttention = SpatialAttention }
