--- What an invertible layer is, and what all of them share.
--
-- A layer is a module with two functions that undo each other. Each also gives, for every example, the logarithm of
-- the absolute determinant of the Jacobian of the map that was applied, (n), so that the two cancel:
--
--     y, logdet = layer(x, cond)
--     x, logdet = layer:inverse(y, cond)
--
-- x is pictures (n,h,w,c) or vectors (n,c). cond is nil or {tokens, mask, pooled, detail}, the encoded condition, with
-- `without` and `guidance` for laterna.flow.condition. A layer that changes the size of an example has
-- layer:resized({h,w,c}), the size of the result.
-- @module laterna.flow.layer
local bounded = require "laterna.bounded"
local check = require "laterna.check"
local core = require "laterna.core"
local nn = require "laterna.nn"

local layer = { MOST = 1 << 16 } -- channels

--- For check.options and lists: an invertible layer.
-- @param v anything
-- @treturn boolean
-- @treturn string what was expected
function layer.rule(v)
  return nn.is_module(v) and type(v.inverse) == "function", "an invertible layer"
end

--- Checks what a layer was called with.
-- @tparam string fname the layer, for the message
-- @param x to be (n,h,w,c) or (n,c)
-- @param cond to be a table or nil
-- @tparam[opt] integer c channels
-- @treturn Tensor x
function layer.check(fname, x, cond, c)
  check.type(fname, 1, "x", x, "tensor")
  check.type(fname, 2, "cond", cond, "table|nil")
  local axes = x:dim()
  if axes ~= 4 and axes ~= 2 or x:numel() == 0 or c and x:size(axes) ~= c then
    check.fail(fname, 1, "x: expected pictures (n,h,w,%s) or vectors (n,%s), got (%s)", c or "c", c or "d",
      table.concat(x.shape, ","))
  end
  if x.dtype ~= "float32" then check.fail(fname, 1, "x: expected float32, got %s", x.dtype) end
  return x
end

--- The log-determinant of a map that keeps volumes.
-- @tparam Tensor x (n,...)
-- @treturn Tensor (n) zeros
function layer.none(x)
  return core.zeros(x:size(1))
end

--- The same log-determinant for all examples.
-- @tparam Tensor x (n,...)
-- @tparam Tensor value a scalar, that of one pixel
-- @tparam[opt] number sign 1 or -1
-- @treturn Tensor (n)
function layer.alike(x, value, sign)
  return (value * (layer.pixels(x) * (sign or 1))):expand(x:size(1))
end

--- Sums the log-derivatives of an example.
-- @tparam Tensor t (n,...)
-- @treturn Tensor (n)
function layer.total(t)
  return t:flatten(2):sum(2)
end

--- Pixels of a picture; a vector is one.
-- @tparam Tensor x
-- @treturn integer
function layer.pixels(x)
  return x:dim() == 4 and x:size(2) * x:size(3) or 1
end

--- The size of a layer's result.
-- @tparam module of
-- @tparam table size {h,w,c}, or {d}
-- @treturn table
function layer.resized(of, size)
  return of.resized and of:resized(size) or size
end

--- For check.options: the size of an example, {h,w,c} or {d}.
-- @param v anything
-- @treturn boolean
-- @treturn string what was expected
function layer.size_rule(v)
  local ok = type(v) == "table" and (rawlen(v) == 3 or rawlen(v) == 1)
  for i = 1, ok and rawlen(v) or 0 do
    local k = rawget(v, i)
    ok = ok and math.type(k) == "integer" and k >= 1 and k <= 1 << 16
  end
  return ok, "{height, width, channels}, or {d} for vectors"
end

--- The parts of noise as they came.
-- @tparam Tensor z (n,d)
-- @tparam table sizes a list of {h,w,c}
-- @treturn table a list of tensors (n,h,w,c)
function layer.cut(z, sizes)
  local counts, n = {}, z:size(1)
  for i, size in ipairs(sizes) do
    counts[i] = 1
    for _, k in ipairs(size) do counts[i] = counts[i] * k end
  end
  local parts = #sizes > 1 and { z:split(counts, 2) } or { z }
  for i, part in ipairs(parts) do parts[i] = part:view(n, table.unpack(sizes[i])) end
  return parts
end

--- A log-scale between -bound and bound; about the identity near 0 (laterna.bounded).
-- @function bounded
-- @tparam Tensor s
-- @tparam number bound
-- @treturn Tensor
layer.bounded = bounded.smooth

return layer
