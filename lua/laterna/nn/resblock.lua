--- The residual block of picture networks, scaled and shifted by a vector (FiLM, Perez et al. 2018, arXiv 1709.07871).
-- @module laterna.nn.resblock
local check = require "laterna.check"
local class = require("laterna.nn.module").class
local conv = require "laterna.nn.conv"
local init = require "laterna.nn.initialise"
local linear = require "laterna.nn.linear"
local norm = require "laterna.nn.norm"
local pool = require "laterna.nn.pool"

--- The most groups, at most 8, that divide the channels.
-- @tparam integer channels
-- @treturn integer
local function groups_of(channels)
  check.integer("groups_of", 1, "channels", channels, 1)
  for groups = 8, 1, -1 do
    if channels % groups == 0 then return groups end
  end
end

--- (n,h,w,inputs) -> (n,h,w,outputs): x + conv(silu(norm(conv(silu(norm(x)))))), where the second norm is scaled and
-- shifted by a linear function of the condition, if there is one. The last convolution starts at zero, so that a block
-- starts as the identity.
-- @function ResBlock
-- @tparam integer inputs channels
-- @tparam integer outputs channels
-- @tparam[opt] table options {condition = size of the condition vector, none by default; dropout=0, before the last
-- convolution, in training mode}
local ResBlock = class("ResBlock", function(self, inputs, outputs, options)
  inputs = check.integer("ResBlock", 1, "inputs", inputs, 1)
  outputs = check.integer("ResBlock", 2, "outputs", outputs, 1)
  local o = check.options("ResBlock", 3, options, {
    condition = { "integer", min = 1 }, dropout = { "number", 0, min = 0, max = 1 },
  })
  self.norm1 = norm.GroupNorm(groups_of(inputs), inputs, { activation = "silu" })
  self.conv1 = conv.Conv2d(inputs, outputs, 3, { padding = 1 })
  self.norm2 = norm.GroupNorm(groups_of(outputs), outputs, { activation = "silu" })
  self.conv2 = conv.Conv2d(outputs, outputs, 3, { padding = 1 })
  init.zeros_(self.conv2.weight)
  if o.dropout > 0 then self.dropout = pool.Dropout(o.dropout) end
  if o.condition then
    self.film = linear.Linear(o.condition, 2 * outputs)
    init.zeros_(self.film.weight)
  end
  if inputs ~= outputs then self.skip = conv.Conv2d(inputs, outputs, 1) end
end)

ResBlock.is_block = true

--- @tparam Tensor x (n,h,w,inputs)
-- @tparam[opt] Tensor c (n,condition)
function ResBlock:forward(x, c)
  local h, film = self.conv1(self.norm1(x)), nil
  if self.film then
    local scale, shift = self.film(c):chunk(2, -1)
    film = { scale = scale, shift = shift }
  end
  h = self.norm2(h, film)
  if self.dropout then h = self.dropout(h) end
  return self.conv2(h, { add = self.skip and self.skip(x) or x })
end

return { ResBlock = ResBlock, groups_of = groups_of }
