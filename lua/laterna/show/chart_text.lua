--- A figure as text: curves in braille dots with a colour each, bars in eighths of a cell, or all of it in ASCII.
-- @module laterna.show.chart_text
local figure = require "laterna.show.figure"

local DOTS = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } } -- braille bits by column and row
local MARKS = { "*", "+", "o", "x", "#", "@", "%" }
local EIGHTHS = { [0] = " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local FANCY = { vertical = "│", tick_left = "┤", corner = "└", horizontal = "─", tick_below = "┬", sample = "━━" }
local PLAIN = { vertical = "|", tick_left = "+", corner = "+", horizontal = "-", tick_below = "+" }

local function length(text) return utf8.len(text) or #text end

local function paint(text, colour, o)
  return o.colour and text ~= "" and ("\27[38;5;%dm%s\27[0m"):format(colour.xterm, text) or text
end

-- Cells of the plotting area: cells[row][column] = {bits or mark, colour}. Sub-dots are 2x4 a cell, or 1x1 in ASCII.
local function new_cells(columns, rows, o)
  local across, down = o.ascii and 1 or 2, o.ascii and 1 or 4
  local cells = {}
  for r = 1, rows do cells[r] = {} end
  local self = { cells = cells, wide = columns * across, high = rows * down }
  function self.dot(x, y, s) -- from 0, y down
    local row, c = cells[y // down + 1], x // across + 1
    local old = row[c] or {}
    row[c] = { bits = (old.bits or 0) | DOTS[x % across + 1][y % down + 1], colour = s.colour,
      mark = MARKS[(s.number - 1) % #MARKS + 1] }
  end
  return self
end

-- Dots along a run of points of the unit square.
local function draw_run(area, run, s)
  local w, h = area.wide - 1, area.high - 1
  local function at(p) return p[1] * w, (1 - p[2]) * h end
  local x0, y0 = at(run[1])
  for k = 1, #run do
    local x1, y1 = at(run[k])
    local steps = math.max(1, math.ceil(math.max(math.abs(x1 - x0), math.abs(y1 - y0))))
    for j = k == 1 and steps or 0, steps do
      local x, y = x0 + (x1 - x0) * j / steps, y0 + (y1 - y0) * j / steps
      area.dot(math.floor(x + 0.5), math.floor(y + 0.5), s)
    end
    x0, y0 = x1, y1
  end
end

local function curve_rows(fig, columns, rows, o)
  local area = new_cells(columns, rows, o)
  for _, s in ipairs(fig.series) do
    for _, run in ipairs(s.runs) do draw_run(area, run, s) end
  end
  local out = {}
  for r = 1, rows do
    local line, part, colour = {}, "", nil -- neighbours of one colour share their escape codes
    for c = 1, columns do
      local cell = area.cells[r][c]
      if cell and cell.colour ~= colour then
        line[#line + 1] = colour and paint(part, colour, o) or part
        part, colour = "", cell.colour
      elseif not cell and colour then
        line[#line + 1] = paint(part, colour, o)
        part, colour = "", nil
      end
      part = part .. (not cell and " " or o.ascii and cell.mark or utf8.char(0x2800 + cell.bits))
    end
    line[#line + 1] = colour and paint(part, colour, o) or part
    out[r] = table.concat(line):gsub(" +$", "")
  end
  return out
end

local function bar_rows(fig, columns, rows, o)
  local heights = {}
  for c = 1, columns do
    local u = (c - 0.5) / columns
    local bar = fig.bars[math.min(#fig.bars, math.floor(u * #fig.bars) + 1)]
    local eighths = math.floor(bar[3] * rows * 8 + 0.5)
    heights[c] = bar[3] > 0 and math.max(1, eighths) or 0
  end
  local out, colour = {}, figure.colour(1)
  for r = 1, rows do
    local line = {}
    for c = 1, columns do
      local eighths = math.max(0, math.min(8, heights[c] - (rows - r) * 8))
      line[c] = o.ascii and (eighths >= 4 and "#" or eighths > 0 and "." or " ") or EIGHTHS[eighths]
    end
    out[r] = paint(table.concat(line):gsub(" +$", ""), colour, o)
  end
  return out
end

-- Legend entries in lines of at most `width` columns.
local function legend_lines(fig, width, o)
  local lines, used = {}, 0
  for _, entry in ipairs(fig.legend) do
    local sample = o.ascii and MARKS[(entry.number - 1) % #MARKS + 1]
      or fig.kind == "line" and FANCY.sample or fig.kind == "scatter" and "•" or "█"
    local text = paint(sample, entry.colour, o) .. " " .. entry.text
    local size = length(sample) + 1 + length(entry.text)
    if used > 0 and used + 3 + size <= width then
      lines[#lines] = lines[#lines] .. "   " .. text
      used = used + 3 + size
    else
      lines[#lines + 1] = text
      used = size
    end
  end
  return lines
end

-- The numbers under the x axis, centred at their ticks where they do not touch, and the columns of the ticks.
local function x_labels(fig, columns, left)
  local line, taken, marks = {}, 0, {}
  for _, tick in ipairs(fig.x:ticks(math.max(1, columns // 10))) do
    local c = math.floor(tick.at * (columns - 1) + 0.5) + 1
    local from = math.max(1, math.min(left + c - (#tick.text - 1) // 2, left + columns - #tick.text + 1))
    if from > taken + 1 or taken == 0 then
      line[#line + 1] = (" "):rep(from - taken - 1) .. tick.text
      taken = from + #tick.text - 1
      marks[c] = true
    end
  end
  return table.concat(line), marks
end

local function centred(text, width)
  return (" "):rep(math.max(0, (width - length(text)) // 2)) .. text
end

--- Draws a figure as lines of text.
-- @tparam table o `width` (columns in all), `height` (rows of the plotting area), `ascii`, `colour`
return function(fig, o)
  local signs = o.ascii and PLAIN or FANCY
  local rows, labels, left = o.height, {}, #(fig.room or "")
  for _, tick in ipairs(fig.y:ticks(math.max(2, rows * 2 // 5))) do
    labels[rows - math.floor(tick.at * (rows - 1) + 0.5)] = tick.text
    left = math.max(left, #tick.text)
  end
  left = left + 2
  local columns = math.max(4, o.width - left)
  local out = {}
  if fig.title then out[1] = (o.colour and "\27[1m%s\27[0m" or "%s"):format(centred(fig.title, o.width)) end
  for _, line in ipairs(legend_lines(fig, o.width - left, o)) do out[#out + 1] = (" "):rep(left) .. line end
  if fig.ylabel then out[#out + 1] = fig.ylabel end
  for r, line in ipairs((fig.bars and bar_rows or curve_rows)(fig, columns, rows, o)) do
    local text = labels[r] or ""
    out[#out + 1] = (" "):rep(left - 2 - #text) .. text .. " " .. (labels[r] and signs.tick_left or signs.vertical)
      .. line
  end
  local numbers, marks = x_labels(fig, columns, left)
  local bottom = {}
  for c = 1, columns do bottom[c] = marks[c] and signs.tick_below or signs.horizontal end
  out[#out + 1] = (" "):rep(left - 1) .. signs.corner .. table.concat(bottom)
  out[#out + 1] = numbers
  if fig.xlabel then out[#out + 1] = (" "):rep(left) .. centred(fig.xlabel, columns) end
  return table.concat(out, "\n") .. "\n"
end
