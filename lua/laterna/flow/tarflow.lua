--- TarFlow: an autoregressive flow of transformers (Zhai et al. 2024, arXiv 2412.06329). A picture is a sequence of
-- patches; each block reads it in one direction, and says from the patches before it how a patch is shifted and scaled
-- (eq. 3 and 4); the next block reads in the other direction:
--
--   z_i = (x_i - mu_i) exp(-alpha_i),   mu_i, alpha_i = f(x_1, ..., x_{i-1}),   log |det| = -sum alpha_i
--
-- All patches at once forward; one after another back, with the keys and values of those before kept. Unlike the
-- paper's, the first patch is changed too, by numbers that are learned and follow the caption; and with bins > 0 every
-- number goes on through a rational-quadratic spline (laterna.flow.spline) that is said the same way: what comes next
-- in a picture has no Gaussian density, black beside black least of all.
-- @module laterna.flow.tarflow
local check = require "laterna.check"
local container = require "laterna.flow.container"
local core = require "laterna.core"
local layer = require "laterna.flow.layer"
local logit = require "laterna.flow.logit"
local nn = require "laterna.nn"
local rearrange = require "laterna.flow.rearrange"
local spline = require "laterna.flow.spline"
local transformer = require "laterna.flow.transformer"

local LIMIT = 1e12 -- noise that no picture has runs back to numbers that large at most

local function checked(name, i, options, own)
  local known = { bound = { "number", 1.5, min = 1e-3, max = 10 }, bins = { "integer", 0, min = 0, max = 64 } }
  for key, rule in pairs(transformer.options) do known[key] = rule end
  for key, rule in pairs(own) do known[key] = rule end
  local o = check.options(name, i, options, known)
  if o.dim % o.heads ~= 0 then check.fail(name, i, "heads: expected a divisor of dim (%d), got %d", o.dim, o.heads) end
  if o.caption == "tokens" and o.text == 0 then check.fail(name, i, "caption: tokens need the option text") end
  return o
end

--- One block. Every pixel of pictures (n,h,w,c) is an element, row by row; vectors (n,d) are cut into elements of
-- `width` numbers. The log-scales are bounded, alpha = bound tanh(said / bound): the way back multiplies rounding
-- errors by exp(alpha), block after block; with a bound of 3 pictures of pure noise lose digits that can be seen.
-- Guidance (cond.without, cond.guidance) is that of laterna.flow.condition: mu and alpha = without + guidance (with -
-- without).
-- @function CausalBlock
-- @tparam integer length how many elements
-- @tparam integer width numbers of an element
-- @tparam[opt] table options {reverse=false, read the elements from the last to the first; dim=128, layers=2, heads=4,
-- mlp=4 of the transformer; text=0 and detail=0, sizes of cond.pooled and cond.detail; caption="pooled", or "tokens" to
-- attend to cond.tokens (n,k,text) too; bound=1.5; bins=0 of the splines}
local Block = nn.class("CausalBlock", function(self, length, width, options)
  length = check.integer("CausalBlock", 1, "length", length, 1, 1 << 16)
  width = check.integer("CausalBlock", 2, "width", width, 1, 1 << 16)
  local o = checked("CausalBlock", 3, options, { reverse = { "boolean", false } })
  self.length, self.width, self.reverse, self.bound = length, width, o.reverse, o.bound
  self.bins = o.bins
  self.reader = transformer.Reader(length, width, width * (o.bins > 0 and 3 * o.bins + 1 or 2), o)
end)

-- x as a sequence in the order of reading, and back.
local function sequence(self, x, cond)
  layer.check("CausalBlock", x, cond)
  local n = x:size(1)
  local fits = x:dim() == 2 and x:size(2) == self.length * self.width
    or x:dim() == 4 and x:size(4) == self.width and x:size(2) * x:size(3) == self.length
  if not fits then
    check.fail("CausalBlock", 1, "x: expected %d elements of %d numbers, got (%s)", self.length, self.width,
      table.concat(x.shape, ","))
  end
  x = x:view(n, self.length, self.width)
  return self.reverse and x:flip(2) or x
end

local function unsequence(self, s, shape)
  return (self.reverse and s:flip(2) or s):view(shape)
end

-- What is said with the condition and, under guidance, without it.
local function guided(with, without, cond)
  if not without then return with end
  return without + (with - without) * check.number("flow", 2, "cond.guidance", cond.guidance)
end

-- The numbers of elements 1 to l + 1 from the first l.
local function say(self, seen, n, cond)
  local without = cond and cond.without
  return guided(self.reader:all(seen, n, cond), without and self.reader:all(seen, n, without), cond)
end

-- What was said about elements (..,width): mu, alpha, and the splines' numbers (..,width,3 bins - 1).
local function parts(self, said)
  local w, k = self.width, self.bins
  if k == 0 then
    local mu, alpha = said:chunk(2, -1)
    return mu, layer.bounded(alpha, self.bound)
  end
  local mu, alpha, bends = said:split({ w, w, w * (3 * k - 1) }, -1)
  local shape = mu.shape
  shape[#shape + 1] = 3 * k - 1
  return mu, layer.bounded(alpha, self.bound), bends:view(shape)
end

function Block:forward(x, cond)
  local s = sequence(self, x, cond)
  local mu, alpha, bends = parts(self, say(self, self.length > 1 and s:narrow(2, 1, self.length - 1) or nil, x:size(1),
    cond))
  local z, logs = (s - mu) * (-alpha):exp(), -alpha
  if bends then
    local more
    z, more = spline(z, bends, false)
    logs = logs + more
  end
  return unsequence(self, z, x.shape), layer.total(logs)
end

-- Says the numbers of the next element, when asked for one after another. Where gradients of the inverse may be wanted
-- all before is read again each time; otherwise keys and values are kept.
local function reader_of(self, n, cond)
  if core.grad_enabled() then
    return function(elements)
      local l = #elements
      local said = say(self, l > 0 and core.stack(elements, 2) or nil, n, cond)
      return said:narrow(2, l + 1, 1):squeeze(2)
    end
  end
  local without = cond and cond.without
  local first, second = self.reader:begin(n, cond), without and self.reader:begin(n, without)
  return function(elements)
    local before = elements[#elements]
    return guided(self.reader:next(first, before, n), second and self.reader:next(second, before, n), cond)
  end
end

--- @tparam Tensor y like x
-- @treturn Tensor
-- @treturn Tensor (n)
function Block:inverse(y, cond)
  local z, n = sequence(self, y, cond):permute(2, 1, 3), y:size(1)
  local elements, logs, next_said = {}, {}, reader_of(self, n, cond)
  for t = 1, self.length do
    local mu, alpha, bends = parts(self, next_said(elements))
    local u, more = z[t], nil
    if bends then u, more = spline(u, bends, true) end
    elements[t] = (mu + u * alpha:exp()):hold(-LIMIT, LIMIT)
    logs[t] = more and alpha + more or alpha
  end
  return unsequence(self, core.stack(elements, 2), y.shape), layer.total(core.stack(logs, 2))
end

function Block:describe()
  return ("%d x %d%s"):format(self.length, self.width, self.reverse and ", reverse" or "")
end

local tarflow = { CausalBlock = Block }

--- TarFlow: a net for laterna.flow, of pictures (n,h,w,c) in [-1,1] or vectors (n,d). The noise has the patches'
-- layout, (n,h/patch,w/patch,patch patch c).
-- @tparam table options
--
--  - size: {h,w,c}, or {d}
--  - patch=4: side of a patch, which divides h and w; of vectors how many numbers are an element, dividing d
--  - blocks=6, in directions that take turns; dim=128, layers=2, heads=4, mlp=4 of each
--  - text=0 and detail=0: sizes of cond.pooled and cond.detail; caption="pooled" or "tokens"; bound=1.5; bins=0
--  - logit=false; alpha of a Logit at the front, such as 1e-5, for pictures that are not noised: it takes the black and
--    the white apart, which bins can use
-- @treturn module
function tarflow.TarFlow(options)
  local o = checked("TarFlow", 1, options, {
    size = { layer.size_rule, required = true }, patch = { "integer", 4, min = 1, max = 1024 },
    blocks = { "integer", 6, min = 1, max = 256 }, logit = "number|boolean",
  })
  local list, length, width = {}, nil, o.patch
  if #o.size == 3 then
    if o.logit then list[1] = logit.Logit { alpha = o.logit } end
    local squeeze = rearrange.Squeeze(o.patch)
    list[#list + 1] = squeeze
    local h, w, c = table.unpack(squeeze:resized(o.size))
    length, width = h * w, c
  elseif o.size[1] % o.patch ~= 0 then
    check.fail("TarFlow", 1, "patch: expected a divisor of %d, got %d", o.size[1], o.patch)
  else
    length = o.size[1] // o.patch
  end
  local own = { bound = o.bound, bins = o.bins }
  for key in pairs(transformer.options) do own[key] = o[key] end
  for i = 1, o.blocks do
    own.reverse = i % 2 == 0
    list[#list + 1] = Block(length, width, own)
  end
  return container.Sequence(list)
end

return tarflow
