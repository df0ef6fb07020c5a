--- Layers one after another, and the multi-scale architecture.
-- @module laterna.flow.container
local check = require "laterna.check"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local nn = require "laterna.nn"
local reversible = require "laterna.flow.reversible"
local watch = require "laterna.flow.watch"

-- The layers of a list, as a list of its own.
local function layers_of(fname, list)
  check.type(fname, 1, "layers", list, "table")
  local out = {}
  for i = 1, rawlen(list) do
    out[i] = rawget(list, i)
    local ok, what = layer.rule(out[i])
    if not ok then check.fail(fname, 1, "layers[%d]: expected %s, got %s", i, what, check.describe(out[i])) end
  end
  if #out == 0 then check.fail(fname, 1, "layers: expected at least one") end
  return out
end

--- Layers one after another: `Sequence { Squeeze(), ActNorm(4), AffineCoupling(4) }`. The i-th is self[i].
-- @function Sequence
-- @tparam table layers
local Sequence = nn.class("Sequence", function(self, layers)
  for i, l in ipairs(layers_of("Sequence", layers)) do self[i] = l end
end)

function Sequence:forward(x, cond)
  layer.check("Sequence", x, cond)
  if self.rebuilds and core.grad_enabled() then return reversible(self, x, cond) end
  local total, logdet
  for i = 1, #self do
    x, logdet = watch.step(self[i], false, x, cond)
    total = total and total + logdet or logdet
  end
  return x, total
end

--- @tparam Tensor y
-- @treturn Tensor
-- @treturn Tensor (n)
function Sequence:inverse(y, cond)
  layer.check("Sequence", y, cond)
  local total, logdet
  for i = #self, 1, -1 do
    y, logdet = watch.step(self[i], true, y, cond)
    total = total and total + logdet or logdet
  end
  return y, total
end

-- From now on backward rebuilds activations from the output, where no Sequence is below that does so.
function Sequence:rebuild_activations()
  for _, below in self:named_modules() do
    if getmetatable(below) == Sequence and not rawequal(below, self) then return end
  end
  self.rebuilds = true
end

-- The size of what comes out; the sizes of the parts that noise has, where a layer cuts it into such.
function Sequence:resized(size)
  for i = 1, #self do size = layer.resized(self[i], size) end
  return size
end

function Sequence:part_sizes()
  for i = #self, 1, -1 do
    if self[i].part_sizes then return self[i]:part_sizes() end
  end
end

local function numbers(size)
  local product = 1
  for _, k in ipairs(size) do product = product * k end
  return product
end

--- Levels; after each but the last the second half of the channels is split off and goes on unchanged (Dinh et al.
-- 2017, arXiv 1605.08803, 3.6). Nothing is lost: the result is (n,d), what the first level split off, then what the
-- second did, and so on to what the last gave, each flattened from (h,w,c).
-- @function MultiScale
-- @tparam table levels layers, each of which gives an even number of channels, but for the last
-- @tparam table options {size = {h,w,c} of a picture}
local MultiScale = nn.class("MultiScale", function(self, levels, options)
  self.levels = layers_of("MultiScale", levels)
  local o = check.options("MultiScale", 2, options, { size = { layer.size_rule, required = true } })
  local size = table.move(o.size, 1, #o.size, 1, {})
  self.size, self.parts = table.move(size, 1, #size, 1, {}), {}
  for i, level in ipairs(self.levels) do
    size = table.move(layer.resized(level, size), 1, #size, 1, {})
    local c = size[#size]
    if i < #self.levels then
      if c < 2 then check.fail("MultiScale", 1, "levels[%d]: a channel cannot be split", i) end
      size[#size] = c // 2
    end
    self.parts[i] = table.move(size, 1, #size, 1, {})
    if i < #self.levels then size[#size] = c - c // 2 end
  end
end)

function MultiScale:resized()
  return { numbers(self.size) }
end

--- The sizes {h,w,c} of the parts that the noise of a picture has, in order.
-- @treturn table
function MultiScale:part_sizes()
  return self.parts
end

function MultiScale:forward(x, cond)
  layer.check("MultiScale", x, cond)
  if table.concat(x.shape, ",", 2) ~= table.concat(self.size, ",") then
    check.fail("MultiScale", 1, "x: expected (n,%s), got (%s)", table.concat(self.size, ","),
      table.concat(x.shape, ","))
  end
  local parts = {}
  local total, logdet
  for i, level in ipairs(self.levels) do
    x, logdet = watch.step(level, false, x, cond)
    total = total and total + logdet or logdet
    if i < #self.levels then
      local c, off = x:size(x:dim()), self.parts[i][#self.parts[i]]
      x, parts[i] = x:split({ c - off, off }, x:dim())
    else
      parts[i] = x
    end
  end
  for i, part in ipairs(parts) do parts[i] = part:flatten(2) end
  return #parts > 1 and core.cat(parts, 2) or parts[1], total
end

--- @tparam Tensor z (n,d)
-- @treturn Tensor (n,h,w,c)
-- @treturn Tensor (n)
function MultiScale:inverse(z, cond)
  layer.check("MultiScale", z, cond, numbers(self.size))
  local parts = layer.cut(z, self.parts)
  local total, logdet, x
  for i = #self.levels, 1, -1 do
    x = x and core.cat({ x, parts[i] }, x:dim()) or parts[i]
    x, logdet = watch.step(self.levels[i], true, x, cond)
    total = total and total + logdet or logdet
  end
  return x, total
end

function MultiScale:describe()
  local words = {}
  for i, size in ipairs(self.parts) do words[i] = table.concat(size, "x") end
  return table.concat(words, " + ")
end

return { Sequence = Sequence, MultiScale = MultiScale }
