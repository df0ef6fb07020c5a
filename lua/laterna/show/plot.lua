--- Curves, histograms and clouds of points, in the terminal or as PNG.
-- @module laterna.show.plot
local core = require "laterna.core"
local check = require "laterna.check"
local chart_png = require "laterna.show.chart_png"
local chart_text = require "laterna.show.chart_text"
local figure = require "laterna.show.figure"
local schedule = require "laterna.show.schedule"
local series = require "laterna.show.series"
local terminal = require "laterna.show.terminal"

local plot = {}

local function limits(v)
  local words = "{lowest, highest}, two finite numbers in this order"
  if type(v) ~= "table" then return false, words end
  local lo, hi = rawget(v, 1), rawget(v, 2)
  if type(lo) ~= "number" or type(hi) ~= "number" then return false, words end
  return hi - lo > 1e-290 and math.max(-lo, hi) <= 1e300, words
end

local function names(v)
  if type(v) ~= "table" then return false, "a list of strings" end
  for k = 1, rawlen(v) do
    if type(rawget(v, k)) ~= "string" then return false, "a list of strings" end
  end
  return true
end

local EVERYWHERE = { title = "string", xlabel = "string", ylabel = "string", logy = "boolean", xlim = limits,
  ylim = limits }
local ON_TEXT = { width = { "integer", min = 20, max = 1000 }, height = { "integer", min = 3, max = 500 },
  out = terminal.writer, tty = "boolean", ascii = "boolean" }
local AS_PNG = { width = { "integer", 900, min = 120, max = 8192 }, height = { "integer", 540, min = 80, max = 8192 },
  kind = { "string", "line", one_of = { "line", "scatter", "histogram" } } }
local BY_KIND = {
  line = { from = { "number", 0, min = -1e300, max = 1e300 }, to = { "number", 1, min = -1e300, max = 1e300 },
    labels = names },
  scatter = { labels = names },
  histogram = { bins = { "integer", min = 1, max = 10000 } },
}

local function read_options(fname, i, options, kind, where)
  local known = {}
  for _, part in ipairs { EVERYWHERE, where, BY_KIND[kind] } do
    for key, rule in pairs(part) do known[key] = rule end
  end
  local o = check.options(fname, i, options, known)
  if kind == "line" and o.from >= o.to then
    check.fail(fname, i, "from: expected less than to (%g), got %g", o.to, o.from)
  end
  for _, key in ipairs { "xlim", "ylim" } do
    if o[key] then o[key] = { rawget(o[key], 1), rawget(o[key], 2) } end
  end
  if o.logy and o.ylim and o.ylim[1] <= 0 then
    check.fail(fname, i, "ylim: expected limits above 0 on a logarithmic axis, got %g", o.ylim[1])
  end
  return o
end

-- Names may be anything that a table has as keys: no escape code of theirs reaches the terminal.
local function clean(text) return text and text:gsub("%c", "?") .. "" end

-- One figure, or the two of a noise schedule. `options` are as they came, without defaults.
local function figures_of(at, kind, what, o, options)
  for _, key in ipairs { "title", "xlabel", "ylabel" } do o[key] = clean(o[key]) end
  if kind == "histogram" then return { figure.histogram(series.flat(at, "values", what), o) } end
  if kind == "line" and schedule.is(what, options) then return schedule.figures(at, what, o) end
  local list = kind == "scatter" and series.read_points(at, what) or series.read(at, what, o)
  for k, s in ipairs(list) do s.label = clean(o.labels and rawget(o.labels, k) or s.label) end
  return { figure.curves(kind, list, o) }
end

local function in_terminal(fname, kind, what, options)
  local o = read_options(fname, 2, options, kind, ON_TEXT)
  local out = o.out or io.stdout
  if o.tty == nil then o.tty = terminal.is_terminal(out) end
  if o.ascii == nil then o.ascii = not o.tty or not terminal.utf8() end
  local columns, rows = terminal.size()
  o.width = o.width or (o.tty and math.max(20, math.min(100, columns - 1)) or 72)
  o.colour = terminal.colour(o.tty) and not o.ascii
  local figures = figures_of({ fname, 1 }, kind, what, o, options)
  local height = o.height or math.max(5, math.min(16, rows - 4 - 3 * #figures))
  local heights = #figures == 1 and { height } or schedule.split(height, 3)
  for k, fig in ipairs(figures) do
    o.height = heights[k]
    out:write(chart_text(fig, o))
  end
end

--- Draws curves in the terminal: braille dots in colours, or ASCII where the output is no terminal or no UTF-8.
-- @tparam function|table|tensor data a function of one number (as many curves as it returns numbers, drawn from 0 to
-- 1); a list of numbers or a tensor (n), drawn over 1..n; `{x = numbers, y = numbers, label = "loss"}`; a list of
-- these; or a table of named ones, `{loss = {...}, lr = {...}}`. NaN and infinity are gaps, and the legend says so.
-- A noise schedule, which is a function that returns two numbers and passes `lt.schedule.check`, is drawn as alpha and
-- sigma, and below them its log-SNR, from 20 to -20; not so with `labels`, `from`, `to`, `ylim`, `logy` or
-- `ylabel`, which make it a function like any other. The two share the height.
-- @tparam[opt] table options `from`, `to` (0 and 1: where functions are drawn), `labels` (names of the curves),
-- `title`, `xlabel`, `ylabel`, `logy`, `xlim`, `ylim` ({lowest, highest}), `width` (columns), `height` (rows of the
-- plot itself), `ascii`, `out` (io.stdout), `tty` (true or false: do not ask whether `out` is a terminal)
-- @raise empty data, what is no number (named with its place), unknown options
-- @function plot
local function line(_, data, options)
  in_terminal("plot", "line", data, options)
end

--- Draws how often values occur.
-- @tparam table|tensor values a list of numbers, or a tensor of any shape
-- @tparam[opt] table options `bins` (after Rice's rule; one an integer for integers), and the options of plot
-- @raise empty values, what is no number, unknown options
function plot.histogram(values, options)
  in_terminal("plot.histogram", "histogram", values, options)
end

--- Draws points.
-- @tparam table|tensor points a tensor (n,2) or a list of pairs {x, y}; a list of such clouds, or a table of named ones
-- @tparam[opt] table options the options of plot, without from and to
-- @raise empty clouds, what is no pair of numbers, unknown options
function plot.scatter(points, options)
  in_terminal("plot.scatter", "scatter", points, options)
end

--- Writes the same plots as a PNG.
-- @tparam string path where to
-- @tparam function|table|tensor data as for plot, plot.histogram or plot.scatter
-- @tparam[opt] table options `kind` ("line", "histogram", "scatter"), `width`, `height` (900 x 540 pixels), and the
-- options of that kind that do not concern a terminal
-- @raise what the kind raises, and what writing the file raises
function plot.save(path, data, options)
  check.type("plot.save", 1, "path", path, "string")
  local kind = type(options) == "table" and rawget(options, "kind") or "line"
  check.one_of("plot.save", 3, "kind", kind, { "line", "scatter", "histogram" })
  local o = read_options("plot.save", 3, options, kind, AS_PNG)
  local figures = figures_of({ "plot.save", 2 }, kind, data, o, options)
  local heights = #figures == 1 and { o.height } or schedule.split(o.height, 40)
  -- Letters of one size in both.
  local size = math.max(9, math.min(18, o.width / 36, o.height / (24 + 6 * (#figures - 1))))
  local pages, height = {}, 0
  for k, fig in ipairs(figures) do
    pages[k] = chart_png(fig, { width = o.width, height = heights[k], size = size }):bytes()
    height = height + heights[k]
  end
  core.save_png(path, core.from_string(table.concat(pages), { height, o.width, 3 }, { dtype = "uint8" }))
end

return setmetatable(plot, { __call = line })
