--- The networks inside couplings. Pooled caption vector and detail shift their hidden layers; where places attend to
-- each other, they look at the caption's tokens too.
-- @module laterna.flow.coupling_net
local check = require "laterna.check"
local flow_condition = require "laterna.flow.condition"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local coupling_net = {}

--- Options of the network that a coupling builds for itself, for check.options.
coupling_net.options = {
  hidden = { "integer", 128, min = 1 }, depth = { "integer", 1, min = 0, max = 64 },
  kernel = { "integer", 3, min = 1 }, text = { "integer", 0, min = 0 }, detail = { "integer", 0, min = 0 },
  heads = { "integer", 0, min = 0 }, dropout = { "number", 0, min = 0, max = 0.99 },
}

-- Linear where the network is for vectors too: the option kernel is 1.
local function convolution(inputs, outputs, kernel, o)
  if o.kernel == 1 then return nn.Linear(inputs, outputs) end
  return nn.Conv2d(inputs, outputs, kernel, { padding = kernel // 2 })
end

--- (n,h,w,inputs) -> (n,h,w,outputs), or with kernel 1 also (n,inputs) -> (n,outputs): a convolution, `depth` hidden
-- layers of 1x1, a convolution that starts at zero; relu between. A coupling so starts as the identity.
-- @function CouplingNet
-- @tparam integer inputs
-- @tparam integer outputs
-- @tparam[opt] table options {hidden=128, depth=1, kernel=3 (odd), text=0 and detail=0 (sizes of cond.pooled and
-- cond.detail), heads=0 (of attention between places and to the caption's tokens, after the first layer), dropout=0}
local CouplingNet = nn.class("CouplingNet", function(self, inputs, outputs, options)
  inputs = check.integer("CouplingNet", 1, "inputs", inputs, 1)
  outputs = check.integer("CouplingNet", 2, "outputs", outputs, 1)
  local o = check.options("CouplingNet", 3, options, coupling_net.options)
  if o.kernel % 2 == 0 then check.fail("CouplingNet", 3, "kernel: expected an odd number, got %d", o.kernel) end
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

function CouplingNet:forward(x, cond)
  layer.check("CouplingNet", x, cond, self.inputs)
  local v = flow_condition.vector(self.widths, x:size(1), cond)
  local shifts = v and { self.film(v):chunk(1 + #self.middle, 2) } or {}
  local h = shifted(self.first, x, shifts[1]):relu()
  if self.attention then h = self.attention(h, cond and cond.tokens, cond and cond.mask) end
  for i, map in ipairs(self.middle) do h = shifted(map, h, shifts[i + 1]):relu() end
  if self.dropout then h = self.dropout(h) end
  return self.last(h)
end

coupling_net.CouplingNet = CouplingNet

return coupling_net
