--- Multi-head attention with PyTorch's parameters and names.
-- @module laterna.nn.attention
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local core = require "laterna.core"
local init = require "laterna.nn.initialise"
local Linear = require("laterna.nn.linear").Linear

--- Multi-head attention (Vaswani et al. 2017): y = softmax(q k^T / sqrt(dim / heads)) v, heads joined by `out_proj`.
-- Called as `attention(x [, context] [, mask])`: x (n,l,dim) looks at itself, or at context (n,k,context_dim); mask is
-- (n,k) or (n,heads,l,k), 1 where a position may be looked at and 0 where not. The result is (n,l,dim).
-- Parameters: in_proj_weight (3 dim,dim), rows of q, k and v, one product for all three when x looks at itself;
-- with another context_dim q_proj_weight, k_proj_weight and v_proj_weight; in_proj_bias (3 dim); out_proj.
-- Projections start xavier-uniform, biases zero.
-- @function MultiheadAttention
-- @tparam integer dim
-- @tparam integer heads divides dim
-- @tparam[opt] table options {context_dim=dim, bias=true, causal=false, generator}
local MultiheadAttention = class("MultiheadAttention", function(self, dim, heads, options)
  dim = check.integer("MultiheadAttention", 1, "dim", dim, 1)
  heads = check.integer("MultiheadAttention", 2, "heads", heads, 1)
  if dim % heads ~= 0 then
    check.fail("MultiheadAttention", 2, "heads: expected a divisor of dim (%d), got %d", dim, heads)
  end
  local o = check.options("MultiheadAttention", 3, options, {
    context_dim = { "integer", dim, min = 1 }, bias = { "boolean", true }, causal = { "boolean", false },
    generator = "userdata",
  })
  self.dim, self.heads, self.context_dim, self.causal = dim, heads, o.context_dim, o.causal
  self.out_proj = Linear(dim, dim, { bias = o.bias, generator = o.generator })
  local drawn = { generator = o.generator }
  if o.context_dim == dim then
    self.in_proj_weight = init.xavier_uniform_(core.zeros(3 * dim, dim), drawn)
  else
    self.q_proj_weight = init.xavier_uniform_(core.zeros(dim, dim), drawn)
    self.k_proj_weight = init.xavier_uniform_(core.zeros(dim, o.context_dim), drawn)
    self.v_proj_weight = init.xavier_uniform_(core.zeros(dim, o.context_dim), drawn)
  end
  if o.bias then
    self.in_proj_bias = core.zeros(3 * dim)
    init.zeros_(self.out_proj.bias)
  end
end)

-- Rows of q, k, v in the fused weight or bias: 1, 2, 3. Slices of the leading axis share its memory.
local function rows(t, dim, first, last)
  return t and t:narrow(1, (first - 1) * dim + 1, (last - first + 1) * dim)
end

local function project(self, x, context)
  local dim, bias = self.dim, self.in_proj_bias
  local fused = self.in_proj_weight
  if fused then
    local q = core.linear(x, rows(fused, dim, 1, 1), rows(bias, dim, 1, 1))
    return q, core.linear(context, rows(fused, dim, 2, 3), rows(bias, dim, 2, 3)):chunk(2, -1)
  end
  return core.linear(x, self.q_proj_weight, rows(bias, dim, 1, 1)),
    core.linear(context, self.k_proj_weight, rows(bias, dim, 2, 2)),
    core.linear(context, self.v_proj_weight, rows(bias, dim, 3, 3))
end

function MultiheadAttention:forward(x, context, mask)
  check.type("MultiheadAttention", 1, "x", x, "tensor")
  check.type("MultiheadAttention", 2, "context", context, "tensor|nil")
  check.type("MultiheadAttention", 3, "mask", mask, "tensor|nil")
  if x:dim() ~= 3 then check.fail("MultiheadAttention", 1, "x: expected (n,l,%d), got %d axes", self.dim, x:dim()) end
  if not context and self.context_dim ~= self.dim then
    check.fail("MultiheadAttention", 2, "context: expected (n,k,%d), got nil", self.context_dim)
  end
  context = context or x
  if context:dim() ~= 3 then
    check.fail("MultiheadAttention", 2, "context: expected (n,k,%d), got %d axes", self.context_dim, context:dim())
  end
  local options = { mask = mask, causal = self.causal }
  if self.in_proj_weight and rawequal(x, context) then
    local qkv = core.linear(x, self.in_proj_weight, self.in_proj_bias)
    return self.out_proj(core.attention_qkv(qkv, self.heads, options))
  end
  local q, k, v = project(self, x, context)
  local n, l, d = x:size(1), x:size(2), self.dim // self.heads
  local into_heads = { context:size(1), context:size(2), self.heads, d }
  local y = core.attention(q:view { n, l, self.heads, d }, k:view(into_heads), v:view(into_heads), options)
  return self.out_proj(y:view { n, l, self.dim })
end

function MultiheadAttention:describe()
  local from = self.context_dim ~= self.dim and (", context %d"):format(self.context_dim) or ""
  return ("%d, %d heads%s"):format(self.dim, self.heads, from)
end

return { MultiheadAttention = MultiheadAttention }
