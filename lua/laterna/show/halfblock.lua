--- Pictures as text: each cell shows two pixels, the upper in the foreground and the lower in the background of "▀".
-- @module laterna.show.halfblock
local pixels = require "laterna.show.pixels"

local UPPER_HALF, RESET = "▀", "\27[0m"

-- The nearest of xterm's 256 colours: the 6x6x6 cube or the 24 greys between.
local LEVELS = { 0, 95, 135, 175, 215, 255 }
local function cube_level(v)
  return v < 48 and 0 or v < 115 and 1 or (v - 35) // 40
end

local function distance(r, g, b, r2, g2, b2)
  return (r - r2) ^ 2 + (g - g2) ^ 2 + (b - b2) ^ 2
end

local function xterm256(r, g, b)
  local i, j, k = cube_level(r), cube_level(g), cube_level(b)
  local grey = math.max(0, math.min(23, ((r + g + b) // 3 - 3) // 10))
  local v = 8 + 10 * grey
  if distance(r, g, b, v, v, v) < distance(r, g, b, LEVELS[i + 1], LEVELS[j + 1], LEVELS[k + 1]) then
    return 232 + grey
  end
  return 16 + 36 * i + 6 * j + k
end

-- Escape codes for a pixel (three bytes) as foreground or background, kept once made.
local function code_maker(mode)
  local made = {}
  return function(pixel, layer)
    local key = layer .. pixel
    if not made[key] then
      local r, g, b = pixel:byte(1, 3)
      made[key] = mode == "256" and ("\27[%d;5;%dm"):format(layer, xterm256(r, g, b))
        or ("\27[%d;2;%d;%d;%dm"):format(layer, r, g, b)
    end
    return made[key]
  end
end

-- One line of cells; `lower` is nil for the last line of an odd number of rows.
local function line(upper, lower, code)
  local out, fore, back = {}, nil, nil
  for k = 1, #upper, 3 do
    local f, b = code(upper:sub(k, k + 2), 38), lower and code(lower:sub(k, k + 2), 48)
    if b and b ~= back then out[#out + 1] = b end
    if f ~= fore then out[#out + 1] = f end
    out[#out + 1] = UPPER_HALF
    fore, back = f, b
  end
  out[#out + 1] = RESET .. "\n"
  return table.concat(out)
end

-- The same without "▀", for locales that have none: two spaces a pixel.
local function plain_line(row, code)
  local out, back = {}, nil
  for k = 1, #row, 3 do
    local b = code(row:sub(k, k + 2), 48)
    if b ~= back then out[#out + 1] = b end
    out[#out + 1], back = "  ", b
  end
  out[#out + 1] = RESET .. "\n"
  return table.concat(out)
end

--- Escape codes and text that show a picture in at most `columns` columns; larger ones are averaged down.
-- @tparam string mode "halfblock" (24-bit colours) or "256"
-- @tparam bool ascii use no "▀"
return function(p, columns, mode, ascii)
  local wide = ascii and math.max(1, columns // 2) or columns
  if p.w > wide then p = pixels.shrink(p, wide, math.max(1, (p.h * wide + p.w // 2) // p.w)) end
  p = pixels.rgb(p)
  local code, out, step = code_maker(mode), {}, p.w * 3
  local function row(y) return y < p.h and p.bytes:sub(y * step + 1, (y + 1) * step) or nil end
  for y = 0, p.h - 1, ascii and 1 or 2 do
    out[#out + 1] = ascii and plain_line(row(y), code) or line(row(y), row(y + 1), code)
  end
  return table.concat(out)
end
