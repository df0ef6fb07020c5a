--- A distribution of codes, p(z | caption): every coordinate of z is one of a few numbers, and is drawn after those
-- before it. Without learning all codes are alike.
--
--   log p(z | caption) = sum_i log p(z_i | z_1..z_{i-1}, caption)
--
-- Noise becomes a code by the inverse of its distribution function, coordinate by coordinate, u -> Phi(u) -> z, so that
-- the same noise makes alike codes under captions alike.
-- @module laterna.prior.codes
local check = require "laterna.check"
local core = require "laterna.core"
local net = require "laterna.prior.net"
local nn = require "laterna.nn"

--- Codes: `Codes(levels, options)`.
-- @function Codes
-- @tparam {integer,...} levels how many numbers each coordinate has, at least 2
-- @tparam[opt] table options {learned=true, text=0 (size of the caption vector), hidden=64}
-- @treturn Codes
local Codes = nn.class("Codes", function(self, levels, options)
  check.type("Codes", 1, "levels", levels, "table")
  local o = net.options("Codes", options, {
    learned = { "boolean", true }, text = { "integer", 0, min = 0 }, condition = { "integer", min = 0 },
    hidden = { "integer", 64, min = 1 },
  })
  self.levels, self.d, self.text_size = {}, rawlen(levels), o.learned and o.text or 0
  if self.d == 0 then check.fail("Codes", 1, "levels: expected at least one") end
  for i = 1, self.d do
    self.levels[i] = check.integer("Codes", 1, "levels", rawget(levels, i), 2, 1024)
  end
  if not o.learned then return end
  self.nets = {}
  for i, count in ipairs(self.levels) do
    local inputs = i - 1 + self.text_size
    self.nets[i] = inputs > 0 and net.mlp(inputs, o.hidden, count) or core.zeros(count)
  end
end)

-- log p of each number of coordinate i, (n,count), given the coordinates before it.
local function scores(self, i, z, c)
  local n, m = z:size(1), self.nets and self.nets[i]
  if not m then return core.full({ n, self.levels[i] }, -math.log(self.levels[i])) end
  if check.is_tensor(m) then return m:view(1, -1):log_softmax(2):expand(n, self.levels[i]) end
  local before = i > 1 and z:narrow(2, 1, i - 1):detach() or nil
  return m(before and net.beside(before, c) or c):log_softmax(2)
end

-- Which of its numbers, from 1, coordinate i has: z = (k - 1 - floor(count / 2)) / floor(count / 2).
local function index(self, i, z)
  local half = self.levels[i] // 2
  return (z:detach():narrow(2, i, 1) * half + half):round():clamp(0, self.levels[i] - 1):view(-1)
end

-- The normal distribution function by its series (Marsaglia 2004), and its inverse by halving.
local function phi(x)
  if x < -8 then return 0 elseif x > 8 then return 1 end
  local sum, term, k = x, x, 1
  while math.abs(term) > 1e-17 * math.abs(sum) do
    k = k + 2
    term = term * x * x / k
    sum = sum + term
  end
  return 0.5 + sum * math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
end

local function quantile(p)
  local lo, hi = -8, 8
  for _ = 1, 50 do
    local mid = (lo + hi) / 2
    if phi(mid) < p then lo = mid else hi = mid end
  end
  return (lo + hi) / 2
end

-- log p of the numbers that coordinate i has, (n); log p of all that it could have; and which it has.
local function picked(self, i, z, c)
  local s, k = scores(self, i, z, c), index(self, i, z)
  return (core.one_hot((k + 1):int(), self.levels[i]) * s):sum(2), s, k
end

--- log p(z | caption) of codes in nats, and no more: what is trained with. Gradients reach the nets and captions alone,
-- for codes have no slope.
-- @tparam Tensor z (n,d), codes
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor (n)
function Codes:bound(z, c)
  net.check("bound", self, "z", z, c)
  local logp = 0
  for i = 1, self.d do logp = logp + (picked(self, i, z, c)) end
  return logp
end

--- The same, and noise that makes these codes: the middle of what does.
-- @tparam Tensor z (n,d), codes
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor (n)
-- @treturn Tensor u (n,d)
function Codes:log_prob(z, c)
  net.check("log_prob", self, "z", z, c)
  local logp, columns = 0, {}
  for i = 1, self.d do
    local one, s, k = picked(self, i, z, c)
    logp = logp + one
    local mass, at, column = s:detach():exp():totable(), k:totable(), {}
    for r, row in ipairs(mass) do
      local below = 0
      for j = 1, math.tointeger(at[r]) do below = below + row[j] end
      column[r] = { quantile(below + row[math.tointeger(at[r]) + 1] / 2) }
    end
    columns[i] = core.tensor(column)
  end
  return logp, core.cat(columns, 2)
end

--- Codes from noise.
-- @tparam Tensor u (n,d)
-- @tparam[opt] Tensor c (n,text)
-- @treturn Tensor z (n,d)
function Codes:inverse(u, c)
  net.check("inverse", self, "u", u, c)
  local z, noise = nil, u:detach():totable()
  for i = 1, self.d do
    local mass = scores(self, i, z or u, c):detach():exp():totable()
    local half, column = self.levels[i] // 2, {}
    for r, row in ipairs(mass) do
      local left, k = phi(noise[r][i]), 1
      while k < self.levels[i] and left >= row[k] do left, k = left - row[k], k + 1 end
      column[r] = { (k - 1 - half) / half }
    end
    column = core.tensor(column)
    z = z and core.cat({ z, column }, 2) or column
  end
  return z
end

return Codes
