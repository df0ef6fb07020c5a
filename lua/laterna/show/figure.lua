--- A plot before it is drawn: series placed on axes, in a unit square with (0, 0) at the lower left.
-- @module laterna.show.figure
local axis = require "laterna.show.axis"

local figure = {}

--- Colours that people with any colour vision tell apart (Okabe and Ito 2008), and the nearest of xterm's 256.
figure.colours = {
  { 0, 114, 178, xterm = 32 }, { 213, 94, 0, xterm = 202 }, { 0, 158, 115, xterm = 36 },
  { 204, 121, 167, xterm = 175 }, { 230, 159, 0, xterm = 214 }, { 86, 180, 233, xterm = 117 },
  { 90, 90, 90, xterm = 246 },
}

--- The colour of the k-th series.
function figure.colour(k)
  return figure.colours[(k - 1) % #figure.colours + 1]
end

-- "loss (3 of 100 not finite, 1 not above 0)": what is missing from a curve is said in the legend.
local function legend_text(s, x, y)
  local infinite, negative = 0, 0
  for k = 1, #s.y do
    if not x:scale(s.x[k]) or not y:scale(s.y[k]) then
      if y.log and s.y[k] <= 0 and s.y[k] == s.y[k] then negative = negative + 1 else infinite = infinite + 1 end
    end
  end
  local words = {}
  if infinite > 0 then words[1] = ("%d of %d not finite"):format(infinite, #s.y) end
  if negative > 0 then words[#words + 1] = ("%d of %d not above 0"):format(negative, #s.y) end
  if #words == 0 then return s.label end
  return (s.label and s.label .. " " or "") .. "(" .. table.concat(words, ", ") .. ")"
end

-- Long runs: of the points that share one of `buckets` columns only first, lowest, highest and last are kept.
local function thin(run, buckets)
  if #run <= 4 * buckets then return run end
  for k = 2, #run do
    if run[k][1] < run[k - 1][1] then return run end
  end
  local out, first = {}, 1
  while first <= #run do
    local last, low, high = first, first, first
    local bucket = math.floor(run[first][1] * buckets)
    while last < #run and math.floor(run[last + 1][1] * buckets) == bucket do
      last = last + 1
      if run[last][2] < run[low][2] then low = last end
      if run[last][2] > run[high][2] then high = last end
    end
    local kept = { first, math.min(low, high), math.max(low, high), last }
    for j, k in ipairs(kept) do
      if j == 1 or k > kept[j - 1] then out[#out + 1] = run[k] end
    end
    first = last + 1
  end
  return out
end

-- The part of segment p-q inside the unit square (Liang and Barsky), or nil.
local function clip(p, q)
  local dx, dy = q[1] - p[1], q[2] - p[2]
  local from, to = 0, 1
  for _, edge in ipairs { { -dx, p[1] }, { dx, 1 - p[1] }, { -dy, p[2] }, { dy, 1 - p[2] } } do
    local direction, room = edge[1], edge[2]
    if direction == 0 then
      if room < 0 then return nil end
    elseif direction < 0 then
      from = math.max(from, room / direction)
    else
      to = math.min(to, room / direction)
    end
  end
  if from > to then return nil end
  local a = from == 0 and p or { p[1] + from * dx, p[2] + from * dy }
  return a, to == 1 and q or { p[1] + to * dx, p[2] + to * dy }
end

local function inside(p)
  return p[1] >= 0 and p[1] <= 1 and p[2] >= 0 and p[2] <= 1
end

-- Runs of points without a gap, cut at the edges of the square.
local function clipped(run, out)
  if #run == 1 and inside(run[1]) then out[#out + 1] = run end
  local current
  for k = 2, #run do
    local a, b = clip(run[k - 1], run[k])
    if not a then
      current = nil
    else
      if not current or a ~= current[#current] then
        current = { a }
        out[#out + 1] = current
      end
      current[#current + 1] = b
      if b ~= run[k] then current = nil end
    end
  end
end

-- A curve as runs {{u, v}, ...}; a value that cannot be drawn is a gap.
local function runs_of(s, x, y)
  local out, run = {}, {}
  for k = 1, #s.y + 1 do
    local u, v = s.x[k] and x:position(s.x[k]), s.y[k] and y:position(s.y[k])
    if u and v then
      run[#run + 1] = { u, v }
    elseif #run > 0 then
      clipped(thin(run, 1000), out)
      run = {}
    end
  end
  return out
end

local function points_of(s, x, y)
  local out = {}
  for k = 1, #s.y do
    local u, v = x:position(s.x[k]), y:position(s.y[k])
    if u and v and inside { u, v } then out[#out + 1] = { { u, v } } end
  end
  return out
end

-- The y of what lies between the limits of x.
local function within(s, xlim)
  local out = {}
  for k, v in ipairs(s.y) do
    if s.x[k] >= xlim[1] and s.x[k] <= xlim[2] then out[#out + 1] = v end
  end
  return out
end

--- Curves or clouds of points on axes.
-- @tparam string kind "line" or "scatter"
-- @tparam table list of {label, x = {...}, y = {...}, number = which colour and mark; by default its place}
-- @tparam table o `title`, `xlabel`, `ylabel`, `logy`, `xlim`, `ylim`
-- @return {kind, title, xlabel, ylabel, x = axis, y = axis, series = {{colour, runs}}, legend = {{text, colour}}}; a
-- field room, text that numbers at the y axis leave room for at least, may be added
function figure.curves(kind, list, o)
  local xs, ys = {}, {}
  for k, s in ipairs(list) do xs[k], ys[k] = s.x, o.xlim and within(s, o.xlim) or s.y end
  local x = axis.new(xs, { limits = o.xlim, margin = kind == "scatter" and 0.04 or 0 })
  local y = axis.new(ys, { limits = o.ylim, log = o.logy, margin = 0.05 })
  local self = { kind = kind, title = o.title, xlabel = o.xlabel, ylabel = o.ylabel, x = x, y = y, series = {},
    legend = {} }
  for k, s in ipairs(list) do
    local number = s.number or k
    local colour = figure.colour(number)
    self.series[k] = { colour = colour, number = number, runs = (kind == "scatter" and points_of or runs_of)(s, x, y) }
    local text = legend_text(s, x, y)
    if text then self.legend[#self.legend + 1] = { text = text, colour = colour, number = number } end
  end
  return self
end

-- Lower end, width and number of bins: one for each integer when all values are integers, else after Rice's rule.
local function choose_bins(values, o)
  local lo, hi, whole = math.huge, -math.huge, true
  for _, v in ipairs(values) do
    lo, hi, whole = math.min(lo, v), math.max(hi, v), whole and v == math.floor(v)
  end
  if o.xlim then lo, hi, whole = o.xlim[1], o.xlim[2], false end
  if lo > hi then lo, hi = 0, 1 end
  if whole and not o.bins and hi - lo <= 60 then return lo - 0.5, 1, math.tointeger(hi - lo) + 1 end
  local around = axis.new({ { lo, hi } }, { limits = o.xlim })
  local n = o.bins or math.max(5, math.min(60, math.ceil(2 * (#values) ^ (1 / 3))))
  return around.lo, (around.hi - around.lo) / n, n
end

--- How often values fall into bins of equal width; the highest value counts into the last bin.
-- @return a figure like that of curves, with bars = {{u0, u1, v}} instead of series
function figure.histogram(values, o)
  local finite, scale = {}, axis.new({}, {})
  for _, v in ipairs(values) do
    if scale:scale(v) then finite[#finite + 1] = v end
  end
  local lo, width, n = choose_bins(finite, o)
  local counts = {}
  for k = 1, n do counts[k] = 0 end
  for _, v in ipairs(finite) do
    local k = math.floor((v - lo) / width) + 1
    if k == n + 1 and v <= lo + n * width * (1 + 1e-9) then k = n end
    if k >= 1 and k <= n then counts[k] = counts[k] + 1 end
  end
  local x = axis.new({}, { limits = { lo, lo + n * width } })
  local y = axis.new({ { 0 }, counts }, { log = o.logy, limits = o.ylim, margin = o.logy and 0.05 or 0 })
  if not o.logy and not o.ylim then y = axis.new({}, { limits = { 0, math.max(1, table.unpack(counts)) * 1.05 } }) end
  local self = { kind = "histogram", title = o.title, xlabel = o.xlabel, ylabel = o.ylabel, x = x, y = y, bars = {},
    counts = counts, legend = {} }
  for k = 1, n do
    local v = y:position(counts[k])
    self.bars[k] = { (k - 1) / n, k / n, v and math.max(0, math.min(1, v)) or 0 }
  end
  if #finite < #values then
    self.legend[1] = { text = ("(%d of %d not finite)"):format(#values - #finite, #values), number = 1,
      colour = figure.colour(1) }
  end
  return self
end

return figure
