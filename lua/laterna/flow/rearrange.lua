--- Layers that move numbers and change none: their log-determinant is 0.
-- @module laterna.flow.rearrange
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local function order_list(fname, channels, order)
  local used, list = {}, {}
  for i = 1, channels do
    local k = rawget(order, i)
    if math.type(k) ~= "integer" or k < 1 or k > channels or used[k] then
      check.fail(fname, 2, "order: expected the integers 1 to %d, each once", channels)
    end
    used[k], list[i] = true, k
  end
  return list
end

--- Channels in another order: channel i of y is channel order[i] of x. Without an order it is a random one; "reverse"
-- turns them round.
-- @function Permute
-- @tparam integer channels
-- @tparam[opt] table|string order a list of the integers 1 to channels, or "reverse"
-- @tparam[opt] table options {generator}
local Permute = nn.class("Permute", function(self, channels, order, options)
  channels = check.integer("Permute", 1, "channels", channels, 1, layer.MOST)
  local o = check.options("Permute", 3, options, { generator = check.is_generator })
  local list = {}
  if order == nil then
    list = core.randperm(channels, { generator = o.generator }):totable()
  elseif order == "reverse" then
    for i = 1, channels do list[i] = channels + 1 - i end
  else
    list = order_list("Permute", channels, check.type("Permute", 2, "order", order, "table"))
  end
  local back = {}
  for i, k in ipairs(list) do back[k] = i end
  self.order, self.back = core.tensor(list, { dtype = "int32" }), core.tensor(back, { dtype = "int32" })
end)

function Permute:forward(x, cond)
  layer.check("Permute", x, cond, self.order:size(1))
  return x:index_select(x:dim(), self.order), layer.none(x)
end

--- @tparam Tensor y like x
-- @treturn Tensor
-- @treturn Tensor (n) zeros
function Permute:inverse(y, cond)
  layer.check("Permute", y, cond, self.order:size(1))
  return y:index_select(y:dim(), self.back), layer.none(y)
end

function Permute:describe()
  return ("%d channels"):format(self.order:size(1))
end

--- Space into channels (Dinh et al. 2017, arXiv 1605.08803, 3.6): (n,h,w,c) -> (n,h/k,w/k,k k c). Channel
-- (a k k + i k + j) of y is channel a of the pixel in row i and column j of a block, all from 0. Sides that k does not
-- divide are refused.
-- @function Squeeze
-- @tparam[opt=2] integer factor k
local Squeeze = nn.class("Squeeze", function(self, factor)
  self.factor = check.integer("Squeeze", 1, "factor", factor == nil and 2 or factor, 1, 1024)
end)

-- {h,w,c} of the result.
function Squeeze:resized(size)
  local known, what = layer.size_rule(size)
  if not known then check.fail("resized", 1, "size: expected %s, got %s", what, check.describe(size)) end
  local k, h, w, c = self.factor, rawget(size, 1), rawget(size, 2), rawget(size, 3)
  if rawlen(size) ~= 3 or h % k ~= 0 or w % k ~= 0 then
    check.fail("Squeeze", 1, "x: expected pictures with sides that %d divides, got (%s)", k,
      w and ("%d,%d,%d"):format(h, w, c) or h)
  end
  return { h // k, w // k, k * k * c }
end

function Squeeze:forward(x, cond)
  layer.check("Squeeze", x, cond)
  local n, k, size = x:size(1), self.factor, self:resized { table.unpack(x.shape, 2) }
  local h, w, c = table.unpack(size)
  x = x:view(n, h, k, w, k, c // (k * k)):permute(1, 2, 4, 6, 3, 5)
  return x:view(n, h, w, c), layer.none(x)
end

--- @tparam Tensor y (n,h/k,w/k,k k c)
-- @treturn Tensor (n,h,w,c)
-- @treturn Tensor (n) zeros
function Squeeze:inverse(y, cond)
  layer.check("Squeeze", y, cond)
  local k = self.factor
  local n, h, w, c = table.unpack(y.shape)
  if y:dim() ~= 4 or c % (k * k) ~= 0 then
    check.fail("inverse", 1, "y: expected pictures with a multiple of %d channels, got (%s)", k * k,
      table.concat(y.shape, ","))
  end
  y = y:view(n, h, w, c // (k * k), k, k):permute(1, 2, 5, 3, 6, 4)
  return y:view(n, h * k, w * k, c // (k * k)), layer.none(y)
end

function Squeeze:describe()
  return ("by %d"):format(self.factor)
end

return { Permute = Permute, Squeeze = Squeeze }
