--- The networks inside couplings, and what they are told: pooled caption vector and detail, as a shift of their hidden
-- layers; where places attend to each other, the caption's tokens too.
-- @module laterna.flow.told
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local told = {}

--- Options of the network that a coupling builds for itself, for check.options.
told.options = {
  hidden = { "integer", 128, min = 1 }, depth = { "integer", 1, min = 0, max = 64 },
  kernel = { "integer", 3, min = 1 }, text = { "integer", 0, min = 0 }, detail = { "integer", 0, min = 0 },
  heads = { "integer", 0, min = 0 }, dropout = { "number", 0, min = 0, max = 0.99 },
}

-- Linear where the network is for vectors too: the option kernel is 1.
local function convolution(inputs, outputs, kernel, o)
  if o.kernel == 1 then return nn.Linear(inputs, outputs) end
  return nn.Conv2d(inputs, outputs, kernel, { padding = kernel // 2 })
end

--- What an example is to be told, as one vector: pooled caption and detail side by side.
-- @tparam table widths {pooled, detail}, the sizes that are expected; 0: not wanted
-- @tparam integer n examples
-- @tparam[opt] table cond
-- @tparam[opt="flow"] string fname for messages
-- @treturn ?Tensor (n,k); nil where both widths are 0
function told.vector(widths, n, cond, fname)
  check.type("vector", 1, "widths", widths, "table")
  check.type("vector", 3, "cond", cond, "table|nil")
  fname = fname or "flow"
  local parts = {}
  for _, key in ipairs { "pooled", "detail" } do
    local width, v = widths[key], cond and cond[key]
    if width ~= 0 then
      check.type(fname, 2, "cond." .. key, v, "tensor")
      if v:dim() ~= 2 or v:size(1) ~= n or v:size(2) ~= width then
        check.fail(fname, 2, "cond.%s: expected (%d,%d), got (%s)", key, n, width, table.concat(v.shape, ","))
      end
      parts[#parts + 1] = v
    end
  end
  return #parts > 1 and core.cat(parts, 2) or parts[1]
end

--- (n,h,w,inputs) -> (n,h,w,outputs), or with kernel 1 also (n,inputs) -> (n,outputs): a convolution, `depth` hidden
-- layers of 1x1, a convolution that starts at zero; relu between. A coupling so starts as the identity.
-- @function Net
-- @tparam integer inputs
-- @tparam integer outputs
-- @tparam[opt] table options {hidden=128, depth=1, kernel=3 (odd), text=0 and detail=0 (sizes of cond.pooled and
-- cond.detail), heads=0 (of attention between places and to the caption's tokens, after the first layer), dropout=0}
local Net = nn.class("CouplingNet", function(self, inputs, outputs, options)
  inputs = check.integer("Net", 1, "inputs", inputs, 1)
  outputs = check.integer("Net", 2, "outputs", outputs, 1)
  local o = check.options("Net", 3, options, told.options)
  if o.kernel % 2 == 0 then check.fail("Net", 3, "kernel: expected an odd number, got %d", o.kernel) end
  self.inputs, self.widths = inputs, { pooled = o.text, detail = o.detail }
  self.first = convolution(inputs, o.hidden, o.kernel, o)
  self.middle = {}
  for i = 1, o.depth do self.middle[i] = convolution(o.hidden, o.hidden, 1, o) end
  if o.text + o.detail > 0 then self.film = nn.Linear(o.text + o.detail, o.hidden * (1 + o.depth)) end
  if o.heads > 0 then self.attention = nn.SpatialAttention(o.hidden, o.heads, { context = o.text }) end
  if o.dropout > 0 then self.dropout = nn.Dropout(o.dropout) end
  self.last = convolution(o.hidden, outputs, o.kernel, o)
  nn.init.zeros_(self.last.weight)
  nn.init.zeros_(self.last.bias)
end)

-- A linear map or convolution, with a row for each example added.
local function shifted(map, x, shift)
  if not shift then return map(x) end
  if map.options then return map(x, { shift = shift }) end
  local n, k = shift:size(1), shift:size(2)
  return map(x) + (x:dim() == 4 and shift:view(n, 1, 1, k) or shift)
end

function Net:forward(x, cond)
  layer.check("CouplingNet", x, cond, self.inputs)
  local v = told.vector(self.widths, x:size(1), cond)
  local shifts = v and { self.film(v):chunk(1 + #self.middle, 2) } or {}
  local h = shifted(self.first, x, shifts[1]):relu()
  if self.attention then h = self.attention(h, cond and cond.tokens, cond and cond.mask) end
  for i, map in ipairs(self.middle) do h = shifted(map, h, shifts[i + 1]):relu() end
  if self.dropout then h = self.dropout(h) end
  return self.last(h)
end

told.Net = Net

--- What a network says under a condition. With cond.without, another condition, and cond.guidance, a number g, it is
-- asked twice: y = y_without + g (y_with - y_without), classifier-free guidance (Ho and Salimans 2022, arXiv
-- 2207.12598) of the numbers that shift and scale. The map stays invertible, for the numbers depend on the same input.
-- @tparam function net (x, cond) -> Tensor
-- @tparam Tensor x
-- @tparam[opt] table cond
-- @treturn Tensor
function told.ask(net, x, cond)
  check.type("ask", 1, "net", net, "callable")
  check.type("ask", 3, "cond", cond, "table|nil")
  if not cond or not cond.without then return net(x, cond) end
  local amount = check.number("flow", 2, "cond.guidance", cond.guidance)
  local without = net(x, cond.without)
  return without + (net(x, cond) - without) * amount
end

return told
