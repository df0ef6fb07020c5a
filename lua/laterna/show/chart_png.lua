--- A figure as pixels: thin grid, thick anti-aliased curves, captions in the stroke font.
-- @module laterna.show.chart_png
local canvas = require "laterna.show.canvas"
local figure = require "laterna.show.figure"

local INK, SOFT, GRID = { 40, 40, 40 }, { 95, 95, 95 }, { 228, 228, 228 }

-- Legend entries placed in rows: {x, y, entry}, and the height they take.
local function place_legend(fig, x0, width, size)
  local out, x, y = {}, x0, 0
  local sample = size * 2
  for _, entry in ipairs(fig.legend) do
    local w = sample + canvas.text_width(entry.text, size) + size * 1.4
    if x > x0 and x + w > x0 + width then x, y = x0, y + size * 1.6 end
    out[#out + 1] = { x = x, y = y, entry = entry }
    x = x + w
  end
  return out, #out > 0 and y + size * 1.8 or 0
end

-- A curve in its series' colour; from where colours come again it is dashed.
local function stroke(page, points, width, series)
  if series.number <= #figure.colours then return page:stroke(points, width, series.colour) end
  local on, gap = 4 * width, 3 * width
  local dash, left, drawn = { points[1] }, on, true
  for k = 2, #points do
    local x, y = points[k - 1][1], points[k - 1][2]
    local length = math.sqrt((points[k][1] - x) ^ 2 + (points[k][2] - y) ^ 2)
    local dx, dy, at = (points[k][1] - x) / length, (points[k][2] - y) / length, 0
    while length > 0 and at + left < length do
      at = at + left
      dash[#dash + 1] = { x + at * dx, y + at * dy }
      if drawn then page:stroke(dash, width, series.colour) end
      drawn = not drawn
      dash, left = { dash[#dash] }, drawn and on or gap
    end
    dash[#dash + 1], left = points[k], left - (length - at)
  end
  if drawn then page:stroke(dash, width, series.colour) end
end

local function draw_legend(page, fig, places, top, size)
  for _, place in ipairs(places) do
    local y, colour = top + place.y + size * 0.85, place.entry.colour
    if fig.kind == "line" then
      stroke(page, { { place.x, y - size * 0.3 }, { place.x + size * 1.4, y - size * 0.3 } }, size / 7, place.entry)
    else
      page:disc(place.x + size * 0.9, y - size * 0.33, size * 0.33, colour)
    end
    page:text(place.x + size * 1.8, y, place.entry.text, { size = size, colour = INK })
  end
end

local function draw_axes(page, fig, box, size)
  local bottom, right = box.y + box.h, box.x + box.w
  for _, tick in ipairs(box.y_ticks) do
    local y = math.floor(bottom - tick.at * box.h)
    page:rect(box.x, y, box.w, 1, GRID)
    page:text(box.x - size * 0.6, y + size * 0.35, tick.text, { size = size, align = "right", colour = SOFT })
  end
  for _, tick in ipairs(box.x_ticks) do
    local x = math.floor(box.x + tick.at * box.w)
    if not fig.bars then page:rect(x, box.y, 1, box.h, GRID) end
    page:rect(x, bottom, 1, size * 0.3, SOFT)
    page:text(x + 0.5, bottom + size * 1.35, tick.text, { size = size, align = "center", colour = SOFT })
  end
  page:rect(box.x, bottom, right - box.x, 1, SOFT)
  page:rect(box.x, box.y, 1, box.h, SOFT)
end

local function draw_data(page, fig, box, size)
  page:clip_to(box.x + 1, box.y - 3, box.w + 3, box.h + 3)
  for _, bar in ipairs(fig.bars or {}) do
    local x0, x1 = box.x + bar[1] * box.w, box.x + bar[2] * box.w
    local gap = x1 - x0 > 5 and 1 or 0
    page:rect(x0 + gap, box.y + box.h * (1 - bar[3]), x1 - x0 - gap, box.h * bar[3], figure.colour(1), 0.9)
  end
  for _, s in ipairs(fig.series or {}) do
    for _, run in ipairs(s.runs) do
      local points = {}
      for k, p in ipairs(run) do points[k] = { box.x + p[1] * box.w, box.y + (1 - p[2]) * box.h } end
      if #points > 1 then
        stroke(page, points, size / 7, s)
      else
        page:disc(points[1][1], points[1][2], size / 5, s.colour, fig.kind == "scatter" and 0.7 or 1)
      end
    end
  end
  page:clip_to()
end

--- Draws a figure.
-- @tparam table o `width`, `height` in pixels, `size` of the letters
-- @treturn canvas
return function(fig, o)
  local page = canvas.new(o.width, o.height)
  local size = o.size
  local box = { y_ticks = fig.y:ticks(math.max(2, math.floor(o.height / (size * 4.5)))) }
  local left = canvas.text_width(fig.room or "", size)
  for _, tick in ipairs(box.y_ticks) do left = math.max(left, canvas.text_width(tick.text, size)) end
  box.x = math.floor(left + size * (fig.ylabel and 3 or 1.3))
  box.w = math.max(8, o.width - box.x - math.floor(size * 1.6))
  local top = size * 1.2
  if fig.title then
    page:text(box.x, top + size * 0.8, fig.title, { size = size * 1.25, bold = true, colour = INK })
    top = top + size * 2.1
  end
  local places, legend_height = place_legend(fig, box.x, box.w, size)
  draw_legend(page, fig, places, top, size)
  box.y = math.floor(top + legend_height)
  box.h = math.max(8, math.floor(o.height - box.y - size * (fig.xlabel and 3.7 or 2.3)))
  box.x_ticks = fig.x:ticks(math.max(1, math.floor(box.w / (size * 5))))
  draw_axes(page, fig, box, size)
  draw_data(page, fig, box, size)
  if fig.xlabel then
    page:text(box.x + box.w / 2, o.height - size * 0.8, fig.xlabel, { size = size, align = "center", colour = INK })
  end
  if fig.ylabel then
    page:text(size * 1.4, box.y + box.h / 2, fig.ylabel, { size = size, align = "center", colour = INK, upward = true })
  end
  return page
end
