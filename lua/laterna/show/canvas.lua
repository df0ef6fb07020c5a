--- A small raster in plain Lua for plots and captions: rectangles, anti-aliased strokes, discs, text.
-- x runs right, y runs down, in pixels; the centre of the first pixel is (0.5, 0.5). Colours are {r, g, b} of 0 to 255.
-- Coverage is the distance from the stroke's centre line, so one rule draws lines, round joins, discs and letters.
-- @module laterna.show.canvas
local font = require "laterna.show.font"

local canvas = {}
canvas.__index = canvas
local floor, ceil, min, max, sqrt = math.floor, math.ceil, math.min, math.max, math.sqrt

--- A new canvas of w x h pixels of one colour (white).
function canvas.new(w, h, colour)
  local r, g, b = table.unpack(colour or { 255, 255, 255 })
  local data = {}
  for k = 1, w * h * 3, 3 do data[k], data[k + 1], data[k + 2] = r, g, b end
  return setmetatable({ w = w, h = h, data = data, clip = { 0, 0, w, h } }, canvas)
end

--- What is drawn from now on shows only inside this rectangle; without arguments: everywhere.
function canvas:clip_to(x, y, w, h)
  if not x then x, y, w, h = 0, 0, self.w, self.h end
  self.clip = { max(0, floor(x)), max(0, floor(y)), min(self.w, ceil(x + w)), min(self.h, ceil(y + h)) }
end

local function blend(data, k, colour, a)
  for c = 0, 2 do
    local old = data[k + c]
    data[k + c] = floor(old + (colour[c + 1] - old) * a + 0.5)
  end
end

-- The part of pixel [p, p + 1] that lies in [a, b].
local function cover(p, a, b)
  return max(0, min(p + 1, b) - max(p, a))
end

--- Fills a rectangle; edges between pixels are blended.
function canvas:rect(x, y, w, h, colour, alpha)
  local clip = self.clip
  for py = max(clip[2], floor(y)), min(clip[4], ceil(y + h)) - 1 do
    local cy = cover(py, y, y + h) * (alpha or 1)
    for px = max(clip[1], floor(x)), min(clip[3], ceil(x + w)) - 1 do
      local a = cy * cover(px, x, x + w)
      if a > 0 then blend(self.data, (py * self.w + px) * 3 + 1, colour, a) end
    end
  end
end

-- Raises the coverage in `mask` (pixel number -> 0..1) to that of a round-capped segment.
local function segment(self, mask, x0, y0, x1, y1, r)
  local clip, w = self.clip, self.w
  local dx, dy = x1 - x0, y1 - y0
  local length2 = dx * dx + dy * dy
  local reach = r + 0.5
  for py = max(clip[2], floor(min(y0, y1) - reach)), min(clip[4] - 1, floor(max(y0, y1) + reach)) do
    for px = max(clip[1], floor(min(x0, x1) - reach)), min(clip[3] - 1, floor(max(x0, x1) + reach)) do
      local ox, oy = px + 0.5 - x0, py + 0.5 - y0
      local t = length2 > 0 and max(0, min(1, (ox * dx + oy * dy) / length2)) or 0
      ox, oy = ox - t * dx, oy - t * dy
      local a = reach - sqrt(ox * ox + oy * oy)
      if a > 0 then
        local k = py * w + px
        a = min(1, a)
        if a > (mask[k] or 0) then mask[k] = a end
      end
    end
  end
end

local function paint(self, mask, colour, alpha)
  for k, a in pairs(mask) do blend(self.data, k * 3 + 1, colour, a * (alpha or 1)) end
end

-- Long segments go in short pieces, so that a diagonal does not visit its whole bounding box.
local function strokes_mask(self, points, r, mask)
  local limit = 4 * (self.w + self.h)
  local function near(v) return max(-limit, min(limit, v)) end
  for k = 2, max(2, #points) do
    local p, q = points[k - 1], points[k] or points[k - 1]
    local x0, y0, x1, y1 = near(p[1]), near(p[2]), near(q[1]), near(q[2])
    local pieces = max(1, ceil(min(math.abs(x1 - x0), math.abs(y1 - y0)) / 12))
    for s = 1, pieces do
      local a, b = (s - 1) / pieces, s / pieces
      segment(self, mask, x0 + (x1 - x0) * a, y0 + (y1 - y0) * a, x0 + (x1 - x0) * b, y0 + (y1 - y0) * b, r)
    end
  end
end

--- Draws a line through a list of points {x, y} with round joins and ends.
function canvas:stroke(points, width, colour, alpha)
  if #points == 0 then return end
  local mask = {}
  strokes_mask(self, points, width / 2, mask)
  paint(self, mask, colour, alpha)
end

--- Draws a filled disc.
function canvas:disc(x, y, radius, colour, alpha)
  local mask = {}
  segment(self, mask, x, y, x, y, radius)
  paint(self, mask, colour, alpha)
end

--- Width in pixels of a line of text of this size (size = 10 units of the font; capitals are 0.7 of it).
function canvas.text_width(text, size)
  return font.width(text) * size / 10 + size / 10
end

--- Writes a line of text; (x, y) is on its baseline.
-- @tparam table style size (14), colour (black), align ("left", "center", "right"), bold, upward (turned by 90 degrees)
function canvas:text(x, y, text, style)
  style = style or {}
  local size = style.size or 14
  local unit = size / 10
  local shift = { left = 0.5 * unit, center = -font.width(text) * unit / 2, right = -(font.width(text) + 0.5) * unit }
  local from = shift[style.align or "left"]
  local mask = {}
  for _, stroke in ipairs(font.strokes(text)) do
    for k, p in ipairs(stroke) do
      local u, v = from + p[1] * unit, p[2] * unit
      stroke[k] = style.upward and { x - v, y - u } or { x + u, y - v }
    end
    strokes_mask(self, stroke, unit * (style.bold and 1.25 or 0.92) / 2, mask)
  end
  paint(self, mask, style.colour or { 0, 0, 0 })
end

--- The picture's bytes, row by row, three a pixel.
function canvas:bytes()
  local rows, step = {}, self.w * 3
  for y = 0, self.h - 1 do
    local pieces = {}
    for k = y * step + 1, (y + 1) * step, 3000 do
      pieces[#pieces + 1] = string.char(table.unpack(self.data, k, min(k + 2999, (y + 1) * step)))
    end
    rows[y + 1] = table.concat(pieces)
  end
  return table.concat(rows)
end

return canvas
