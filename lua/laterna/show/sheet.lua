--- Pictures cut and pasted as bytes, of floats or of uint8, so that a grid keeps every bit of its pictures.
-- A picture here is {h, w, c, dtype, bytes} with 1 or 3 channels; its unit is the bytes of one pixel.
-- @module laterna.show.sheet
local canvas = require "laterna.show.canvas"
local font = require "laterna.show.font"

local sheet = {}

--- Bytes of one number of each type that pictures have.
sheet.size = { float32 = 4, uint8 = 1 }

-- One value, in [-1, 1] whatever the type, as bytes.
local function pack(v, dtype)
  if dtype == "float32" then return ("<f"):pack(v) end
  return string.char(math.floor((v + 1) * 127.5 + 0.5))
end

-- byte -> bytes of that grey: a table for gsub.
local function greys(dtype, c)
  local to = {}
  for v = 0, 255 do to[string.char(v)] = pack(v / 127.5 - 1, dtype):rep(c) end
  return to
end

--- Makes pictures alike: floats when one is float, three channels when one has three. Returns type and channels.
function sheet.unify(pictures)
  local dtype, c = "uint8", 1
  for _, p in ipairs(pictures) do
    if p.dtype == "float32" then dtype = "float32" end
    c = math.max(c, p.c)
  end
  local to = greys(dtype, 1)
  for _, p in ipairs(pictures) do
    if p.dtype ~= dtype then p.bytes, p.dtype = p.bytes:gsub(".", to), dtype end
    if p.c ~= c then p.bytes, p.c = p.bytes:gsub(("."):rep(sheet.size[dtype]), "%0%0%0"), c end
  end
  return dtype, c
end

--- Lines of text as a picture on a grey `background` in [-1, 1].
-- @tparam string align "center" starts at the top, "right" is centred from top to bottom
function sheet.caption(lines, w, h, style)
  local back = math.floor((style.background + 1) * 127.5 + 0.5)
  local ink = back > 127 and { 30, 30, 30 } or { 235, 235, 235 }
  local page = canvas.new(w, h, { back, back, back })
  local step = style.text * font.line / 10
  local top = style.align == "right" and (h - #lines * step) / 2 or 0
  for k, line in ipairs(lines) do
    page:text(style.align == "right" and w or w / 2, top + (k - 1) * step + style.text * 0.88, line,
      { size = style.text, align = style.align, colour = ink })
  end
  local to = greys(style.dtype, style.c)
  to[string.char(back)] = pack(style.background, style.dtype):rep(style.c)
  return { h = h, w = w, c = style.c, dtype = style.dtype, bytes = (page:bytes():gsub("(.)..", to)) }
end

--- An empty sheet; `put(x, y, picture)` pastes with the upper left corner at column x, row y (from 0), `bytes()` reads.
function sheet.new(w, h, c, dtype, background)
  local unit, pasted = sheet.size[dtype] * c, {}
  local empty = pack(background, dtype):rep(c)
  for y = 1, h do pasted[y] = {} end
  local self = {}
  function self.put(x, y, p)
    for k = 1, p.h do
      table.insert(pasted[y + k], { x = x, w = p.w, bytes = p.bytes:sub((k - 1) * p.w * unit + 1, k * p.w * unit) })
    end
  end
  function self.bytes()
    local out = {}
    for y = 1, h do
      local x = 0
      table.sort(pasted[y], function(a, b) return a.x < b.x end)
      for _, piece in ipairs(pasted[y]) do
        out[#out + 1] = empty:rep(piece.x - x) .. piece.bytes
        x = piece.x + piece.w
      end
      out[#out + 1] = empty:rep(w - x)
    end
    return table.concat(out)
  end
  return self
end

return sheet
