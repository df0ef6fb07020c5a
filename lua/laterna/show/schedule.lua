--- A noise schedule, seen: alpha and sigma above, log-SNR below.
-- @module laterna.show.schedule
local schedules = require "laterna.schedule"

local schedule = {}

local POINTS = 401
local FARTHEST = 20 -- log-SNR beyond is as good as infinite; no curve goes there

--- Is this a schedule, and nothing said of how to draw it? A function of two numbers that laterna.schedule accepts.
-- @param f
-- @tparam ?table given the caller's options
-- @treturn boolean
function schedule.is(f, given)
  if type(f) ~= "function" and type(f) ~= "table" then return false end
  for _, key in ipairs { "labels", "from", "to", "kind" } do
    if type(given) == "table" and rawget(given, key) ~= nil then return false end
  end
  local ok, n = pcall(function() return select("#", f(0.5)) end)
  return ok and n == 2 and (pcall(schedules.check, f))
end

-- y of t at even times, where it is finite.
local function curve(label, y)
  local c = { x = {}, y = {}, label = label }
  for k = 0, POINTS - 1 do
    local t = k / (POINTS - 1)
    local v = y(t)
    if math.abs(v) < math.huge then
      c.x[#c.x + 1] = t
      c.y[#c.y + 1] = v
    end
  end
  return c
end

--- What to draw, one above the other: a list of {data, options}.
-- @tparam function f a schedule
-- @treturn table
function schedule.panels(f)
  local exploding = (f(0.5)) == 1
  local signal = curve("log-SNR", function(t)
    local v = schedules.log_snr(f, t)
    return math.abs(v) <= FARTHEST and v or math.huge
  end)
  local first = exploding and curve("sigma (alpha is 1)", function(t) return select(2, f(t)) end)
    or { curve("alpha", function(t) return (f(t)) end), curve("sigma", function(t) return select(2, f(t)) end) }
  return {
    { data = first, options = { xlim = { 0, 1 } } },
    { data = signal, options = { xlim = { 0, 1 }, xlabel = "t" } },
  }
end

return schedule
