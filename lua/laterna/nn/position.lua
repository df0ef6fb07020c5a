--- Where a patch of a picture is: fixed waves that are added to it, or a rotation of what attention compares.
-- Places are counted from 0, row by row; an axis of `count` places may be measured in steps of another length, so that
-- a network made for one size reads another (Chen et al. 2023, arXiv 2310.00426, section 3.2).
-- @module laterna.nn.position
local check = require "laterna.check"
local core = require "laterna.core"

local position = {}

local FIXED_BASE = 10000
-- Pictures have few patches a side, so slower waves would tell nothing apart (Heo et al. 2024, arXiv 2403.13298).
local ROTARY_BASE = 100

-- base^(-k / n), k = 0 ... n - 1, as a row.
local function frequencies(n, base)
  return (core.arange(0, n - 1):float() * (-math.log(base) / n)):exp():view(1, n)
end

-- The row and the column of every place, each (h w,1).
local function places(h, w, steps)
  local rows = (core.arange(0, h - 1):float() * steps[1]):view(h, 1, 1):expand(h, w, 1)
  local columns = (core.arange(0, w - 1):float() * steps[2]):view(1, w, 1):expand(h, w, 1)
  return rows:reshape(h * w, 1), columns:reshape(h * w, 1)
end

local function arguments(fname, h, w, d, steps)
  check.integer(fname, 1, "h", h, 1)
  check.integer(fname, 2, "w", w, 1)
  check.integer(fname, 3, "d", d, 4)
  if d % 4 ~= 0 then check.fail(fname, 3, "d: expected a multiple of 4, got %d", d) end
  check.type(fname, 4, "steps", steps, "table|nil")
  steps = steps or { 1, 1 }
  check.number(fname, 4, "steps[1]", steps[1])
  check.number(fname, 4, "steps[2]", steps[2])
  return steps
end

--- Fixed positions (Peebles and Xie 2022, arXiv 2212.09748, as in He et al. 2021, arXiv 2111.06377): for row i and
-- column j sin(j f), cos(j f), sin(i f), cos(i f), a quarter of d each, f_k = 10000^(-k / (d/4)).
-- @tparam integer h
-- @tparam integer w
-- @tparam integer d a multiple of 4
-- @tparam[opt] {number,number} steps length of a step down and to the right, {1,1}
-- @treturn Tensor (h w,d)
function position.fixed(h, w, d, steps)
  steps = arguments("fixed", h, w, d, steps)
  local f = frequencies(d // 4, FIXED_BASE)
  local rows, columns = places(h, w, steps)
  local i, j = rows * f, columns * f
  return core.cat({ j:sin(), j:cos(), i:sin(), i:cos() }, 2)
end

--- The angles of rotary positions (Su et al. 2021, arXiv 2104.09864, on two axes): half of them grow down, half to the
-- right, f_k = 100^(-k / (d/4)). What `rotate` needs of them is their cosine and sine.
-- @tparam integer h
-- @tparam integer w
-- @tparam integer d size of a head, a multiple of 4
-- @tparam[opt] {number,number} steps as for fixed
-- @tparam[opt=0] integer before how many tokens that have no place, and are not turned, come before the first
-- @treturn table {cos = (before + h w,1,d), sin = likewise, swap = (d,d)}; 1 may be the number of heads
function position.rotary(h, w, d, steps, before)
  steps = arguments("rotary", h, w, d, steps)
  before = check.integer("rotary", 5, "before", before or 0, 0)
  local f = frequencies(d // 4, ROTARY_BASE)
  local rows, columns = places(h, w, steps)
  local angle = core.cat({ rows * f, columns * f }, 2)
  if before > 0 then angle = core.cat({ core.zeros(before, d // 2), angle }, 1) end
  local cos, sin = angle:cos(), angle:sin()
  local half, none = core.eye(d // 2), core.zeros(d // 2, d // 2)
  return {
    cos = core.cat({ cos, cos }, 2):unsqueeze(2), sin = core.cat({ -sin, sin }, 2):unsqueeze(2),
    swap = core.cat({ core.cat({ none, half }, 2), core.cat({ half, none }, 2) }, 1),
  }
end

--- Turns the pairs (x_k, x_{k + d/2}) of every head by the angles of its place. The products of two turned vectors
-- depend on where they are only by the difference of their places.
-- @tparam Tensor x (n,l,heads,d)
-- @tparam table angles of position.rotary
-- @treturn Tensor (n,l,heads,d)
function position.rotate(x, angles)
  check.type("rotate", 1, "x", x, "tensor")
  check.type("rotate", 2, "angles", angles, "table")
  -- A product with a permutation costs one pass over memory; cutting and joining the halves would cost three.
  return core.addcmul(x * angles.cos, core.matmul(x, angles.swap), angles.sin)
end

return position
