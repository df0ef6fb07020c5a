--- An axis: limits, where a value lies between them, and ticks at round numbers.
-- @module laterna.show.axis
local axis = {}
axis.__index = axis
local floor, ceil, abs, log10 = math.floor, math.ceil, math.abs, function(v) return math.log(v, 10) end

local LARGEST = 1e300 -- beyond, differences overflow: such values count as infinite

-- Room around values that are (nearly) all the same.
local function widen(lo, hi)
  if hi - lo > 1e-9 * math.max(abs(lo), abs(hi)) and hi - lo > 1e-290 then return lo, hi end
  local room = abs(lo) > 1e-280 and abs(lo) * 0.1 or 1
  return lo - room, hi + room
end

--- An axis for the values of some lists.
-- @tparam table lists of numbers; what is not drawable is passed over
-- @tparam table o `log`, `limits` = {lo, hi} (taken as they are), `margin` (part of the range left free at both ends)
function axis.new(lists, o)
  local self = setmetatable({ log = o.log or false }, axis)
  local lo, hi = math.huge, -math.huge
  for _, list in ipairs(lists) do
    for k = 1, #list do
      local v = self:scale(list[k])
      if v then lo, hi = v < lo and v or lo, v > hi and v or hi end
    end
  end
  if lo > hi then lo, hi = 0, 1 end
  if self.log and hi - lo < 1e-9 then lo, hi = lo - 0.5, hi + 0.5 end
  lo, hi = widen(lo, hi)
  local room = (hi - lo) * (o.margin or 0)
  self.lo, self.hi = lo - room, hi + room
  if o.limits then self.lo, self.hi = self:scale(o.limits[1]), self:scale(o.limits[2]) end
  return self
end

--- The value on the axis's own scale (its logarithm on a logarithmic axis), or nil when it cannot be drawn.
function axis:scale(v)
  if v ~= v or v > LARGEST or v < -LARGEST then return nil end
  if self.log then return v > 0 and log10(v) or nil end
  return v
end

--- Where a value lies: 0 at the lower end, 1 at the upper, beyond them outside; nil when it cannot be drawn.
function axis:position(v)
  local s = self:scale(v)
  return s and (s - self.lo) / (self.hi - self.lo)
end

-- The round step (1, 2 or 5 times a power of ten) that gives at most n steps.
local function round_step(span, n)
  local power = 10.0 ^ floor(log10(span / n))
  for _, m in ipairs { 1, 2, 5, 10 } do
    if span / (m * power) <= n + 1e-9 then return m * power end
  end
  return 20 * power
end

-- "1.5e-5" rather than "1.5e-05".
local function exponent(digits, v)
  return (("%." .. digits .. "e"):format(v):gsub("e([-+])0*(%d)", function(sign, digit)
    return "e" .. (sign == "-" and "-" or "") .. digit
  end))
end

-- Ticks at multiples of a round step, all with the same number of digits.
local function linear_ticks(lo, hi, n)
  local step = round_step(hi - lo, n)
  local largest, out = math.max(abs(lo), abs(hi)), {}
  local decimals = math.max(0, ceil(-log10(step) - 1e-9))
  local plain = largest < 1e6 and step >= 1e-4
  local digits = math.min(15, math.max(0, floor(log10(largest) + 1e-9) - floor(log10(step) + 1e-9)))
  for k = ceil(lo / step - 1e-9), floor(hi / step + 1e-9) do
    local v = k * step
    local text = v == 0 and "0" or plain and ("%." .. decimals .. "f"):format(v) or exponent(digits, v)
    out[#out + 1] = { value = v, text = v == 0 and plain and ("%." .. decimals .. "f"):format(0) or text }
  end
  return out
end

local function power_text(v)
  return (v >= 1e-4 and v < 1e5) and ("%.10g"):format(v) or exponent(0, v)
end

-- Decades from one tick to the next, at most n ticks.
local function decade_step(decades, n)
  for _, every in ipairs { 1, 2, 5, 10, 20, 50, 100 } do
    if decades <= every * n then return every end
  end
  return 200
end

-- Ticks at powers of ten, with 2 and 5 between when there are few; linear ones within less than a decade.
local function log_ticks(lo, hi, n)
  local first, last, out = ceil(lo - 1e-9), floor(hi + 1e-9), {}
  local every = decade_step(last - first + 1, n)
  local between = every == 1 and (last - first + 1) * 3 <= n and { 1, 2, 5 } or { 1 }
  for decade = first - 1, last do
    for _, m in ipairs(between) do
      local s = decade + log10(m)
      if decade % every == 0 and s >= lo - 1e-9 and s <= hi + 1e-9 then
        out[#out + 1] = { value = m * 10.0 ^ decade, text = power_text(m * 10.0 ^ decade) }
      end
    end
  end
  if #out >= 2 or 10.0 ^ hi - 10.0 ^ lo < 1e-290 then return out end
  out = {}
  for _, tick in ipairs(linear_ticks(10.0 ^ lo, 10.0 ^ hi, n)) do
    if tick.value > 0 then out[#out + 1] = tick end
  end
  return out
end

--- At most about n ticks {value, text, at}, `at` from 0 to 1.
function axis:ticks(n)
  local ticks = (self.log and log_ticks or linear_ticks)(self.lo, self.hi, math.max(1, n))
  local out = {}
  for _, tick in ipairs(ticks) do
    tick.at = self:position(tick.value)
    if tick.at and tick.at >= -1e-6 and tick.at <= 1 + 1e-6 then out[#out + 1] = tick end
  end
  return out
end

return axis
