--- A noise schedule as two figures: alpha and sigma, and below them log-SNR, whose numbers are on a scale of their own.
-- @module laterna.show.schedule
local figure = require "laterna.show.figure"
local schedules = require "laterna.schedule.tools"
local series = require "laterna.show.series"

local schedule = {}

-- At the ends log-SNR tends to infinity. The same limits for all schedules, so that they can be compared.
local LIMITS = { -20, 20 }
local UPPER = 0.55 -- alpha's and sigma's part of the height

-- Whoever asks for one of these means a function of two values like any other.
local PLAIN = { "labels", "from", "to", "ylim", "logy", "ylabel" }

--- Is this a noise schedule, to be drawn as one? A function that returns two numbers, is what laterna.schedule.check
-- demands, and comes without options that say what else to make of it.
-- @param what anything
-- @tparam[opt] table options options of plot
-- @treturn boolean
function schedule.is(what, options)
  for _, key in ipairs(PLAIN) do
    if type(options) == "table" and rawget(options, key) ~= nil then return false end
  end
  local results = table.pack(pcall(what, 0))
  return results.n == 3 and not schedules.fault(what)
end

-- log-SNR where it is a finite number.
local function log_snr(alpha, sigma)
  local curve = { x = {}, y = {}, label = "log-SNR", number = 3 }
  for k, t in ipairs(alpha.x) do
    local v = 2 * math.log(alpha.y[k] / sigma.y[k])
    if math.abs(v) < math.huge then curve.x[#curve.x + 1], curve.y[#curve.y + 1] = t, v end
  end
  return curve
end

--- The two figures.
-- @tparam table at {function, number of the argument}: what errors are about
-- @tparam function what a schedule
-- @tparam table o `title`, `xlabel` (t), `xlim`
-- @treturn {figure,figure}
function schedule.figures(at, what, o)
  local alpha, sigma = table.unpack(series.read(at, what, { from = 0, to = 1 }))
  alpha.label, sigma.label, sigma.number = "alpha", "sigma", 2
  local snr = log_snr(alpha, sigma)
  local above = { alpha, sigma }
  if math.max(table.unpack(sigma.y)) > 1 + 1e-6 then -- then alpha is 1 throughout
    above, sigma.label = { sigma }, "sigma (alpha is 1)"
  end
  local xlim = o.xlim or { 0, 1 }
  local figures = {
    figure.curves("line", above, { title = o.title, xlim = xlim }),
    figure.curves("line", { snr }, { xlabel = o.xlabel or "t", xlim = xlim, ylim = LIMITS }),
  }
  for _, fig in ipairs(figures) do fig.room = "-10.0" end -- one below the other, t above t
  return figures
end

--- The heights of the two figures in a height.
-- @tparam integer height
-- @tparam integer least of each
-- @treturn {integer,integer}
function schedule.split(height, least)
  local upper = math.max(least, math.floor(height * UPPER + 0.5))
  return { upper, math.max(least, height - upper) }
end

return schedule
