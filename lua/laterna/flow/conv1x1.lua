--- The invertible 1x1 convolution (Kingma and Dhariwal 2018, arXiv 1807.03039, 3.2).
-- @module laterna.flow.conv1x1
local ActNorm = require("laterna.flow.actnorm").ActNorm
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"

local BOUND = 5 -- of the logarithms on the diagonal

--- y = W x at every pixel, W = P L (U + diag(sign exp(logs))): P a permutation that stays, L lower with ones on its
-- diagonal, U strictly upper. log |det W| = sum logs, for each pixel. Starts as a random rotation. On vectors it is a
-- linear map. With the option actnorm there is an ActNorm before it, and both are one product.
-- @function Conv1x1
-- @tparam integer channels
-- @tparam[opt] table options {actnorm=false, generator}
local Conv1x1 = nn.class("Conv1x1", function(self, channels, options)
  channels = check.integer("Conv1x1", 1, "channels", channels, 1, 4096)
  local o = check.options("Conv1x1", 2, options, {
    actnorm = { "boolean", false }, generator = check.is_generator,
  })
  self.norm = o.actnorm and ActNorm(channels) or nil
  local q = core.qr(core.randn(channels, channels, { generator = o.generator }))
  local p, l, u = core.lu(q)
  local diagonal = (u * core.eye(channels)):sum(2)
  self.p, self.sign = p, diagonal:sign()
  self.buffers = { p = true, sign = true }
  self.lower, self.upper = l - core.eye(channels), u * (1 - core.eye(channels))
  self.logs = diagonal:abs():log()
end)

Conv1x1.ranges = { p = { 0, 1 }, sign = { -1, 1 } }

local triangles = setmetatable({}, { __mode = "v" }) -- by size: ones strictly below the diagonal

local function below(c)
  if not triangles[c] then
    local i = core.arange(1, c)
    triangles[c] = core.gt(i:view(c, 1), i)
  end
  return triangles[c]
end

--- W, and log |det W|.
-- @treturn Tensor (channels,channels)
-- @treturn Tensor a scalar
function Conv1x1:matrix()
  local c = self.logs:size(1)
  local mask, eye, logs = below(c), core.eye(c), self.logs:hold(-BOUND, BOUND)
  local l = self.lower * mask + eye
  local u = self.upper * mask:transpose() + eye * (self.sign * logs:exp())
  return self.p:matmul(l:matmul(u)), logs:sum()
end

-- f(...) in float32 whatever lt.precision is: a rounded product has another determinant, and another inverse.
local function exactly(f, ...)
  local was = core.precision()
  if was == "float32" then return f(...) end
  core.precision "float32"
  local results = table.pack(pcall(f, ...))
  core.precision(was)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

-- The matrix of the whole map, what its shift is made of there (w of) and back, and log |det|.
local function terms(self, x)
  local w, logdet = self:matrix()
  if not self.norm then return w, nil, logdet end
  local logs, centre, bias = self.norm:terms(x)
  local scale = logs:exp()
  return w * scale, { w = w, of = bias - centre * scale, back = centre - bias / scale }, logdet + logs:sum()
end

function Conv1x1:forward(x, cond)
  layer.check("Conv1x1", x, cond, self.logs:size(1))
  return exactly(function()
    local weight, shift, logdet = terms(self, x)
    return core.linear(x, weight, shift and shift.w:matmul(shift.of)), layer.alike(x, logdet)
  end)
end

--- @tparam Tensor y like x
-- @treturn Tensor
-- @treturn Tensor (n)
function Conv1x1:inverse(y, cond)
  layer.check("Conv1x1", y, cond, self.logs:size(1))
  return exactly(function()
    local weight, shift, logdet = terms(self, nil)
    return core.linear(y, weight:inverse(), shift and shift.back), layer.alike(y, logdet, -1)
  end)
end

function Conv1x1:describe()
  return ("%d channels"):format(self.logs:size(1))
end

return { Conv1x1 = Conv1x1 }
