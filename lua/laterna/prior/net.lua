--- What learned distributions of details share: small nets, what a caption does to a whole vector, and checks.
-- @module laterna.prior.net
local bounded = require "laterna.bounded"
local check = require "laterna.check"
local core = require "laterna.core"
local nn = require "laterna.nn"

local net = {}

local BOUND = 2 -- of the log-scales

--- A linear layer that starts at zero.
-- @tparam integer inputs
-- @tparam integer outputs
-- @treturn module
function net.silent(inputs, outputs)
  local last = nn.Linear(inputs, outputs)
  nn.init.zeros_(last.weight)
  nn.init.zeros_(last.bias)
  return last
end

--- A small net whose last layer starts at zero.
-- @tparam integer inputs
-- @tparam integer hidden
-- @tparam integer outputs
-- @treturn module
function net.mlp(inputs, hidden, outputs)
  local last = net.silent(hidden, outputs)
  return nn.Sequential(nn.Linear(inputs, hidden), core.silu, nn.Linear(hidden, hidden), core.silu, last)
end

--- What a net says of a vector: a bounded log-scale, and a shift.
-- @tparam module m (n,k) -> (n,2d)
-- @tparam Tensor x (n,k)
-- @treturn Tensor (n,d)
-- @treturn Tensor (n,d)
function net.scale_and_shift(m, x)
  local s, t = m(x):chunk(2, -1)
  return bounded.smooth(s, BOUND), t
end

local FAR = 1e4 -- products of details further out, in the gradients of weights, would leave float32

--- Details as a density takes them: held within 1e4, and beyond it the gradient that leads back passes.
-- @tparam Tensor z (n,d)
-- @treturn Tensor (n,d)
function net.within_reach(z)
  return z:hold(-FAR, FAR)
end

--- A vector, and beside it what the caption says.
-- @tparam Tensor x (n,d)
-- @tparam ?Tensor c (n,k)
-- @treturn Tensor (n,d+k)
function net.beside(x, c)
  return c and core.cat({ x, c }, 2) or x
end

--- The options of a distribution of details, checked; `condition` is an older name of `text`.
-- @tparam string fname
-- @tparam ?table options
-- @tparam table known as for check.options
-- @treturn table
function net.options(fname, options, known)
  local o = check.options(fname, 2, options, known)
  o.text, o.condition = o.condition or o.text, nil
  return o
end

--- Checks what a distribution of vectors of size d is asked about.
-- @tparam string fname
-- @tparam table self d; text_size: of the caption vector, 0 for none
-- @tparam string name of the first argument
-- @param z to be (n,d)
-- @param c to be (n,text_size), or nil where that is 0
function net.check(fname, self, name, z, c)
  check.type(fname, 1, name, z, "tensor")
  check.type(fname, 2, "c", c, "tensor|nil")
  if z:dim() ~= 2 or z:size(2) ~= self.d then
    check.fail(fname, 1, "%s: expected (n,%d), got (%s)", name, self.d, table.concat(z.shape, ","))
  end
  if self.text_size > 0 and not c then check.fail(fname, 2, "c: expected the captions' vectors, got nil") end
  if self.text_size > 0 and (c:dim() ~= 2 or c:size(1) ~= z:size(1) or c:size(2) ~= self.text_size) then
    check.fail(fname, 2, "c: expected (%d,%d), got (%s)", z:size(1), self.text_size, table.concat(c.shape, ","))
  end
end

return net
