--- Pictures as sixels (DEC STD 070): bands of six rows, in each band one run-length coded line a colour.
-- Up to 256 colours are kept as they are; more are dithered (4x4 ordered) onto a 6x7x6 cube; grey has 101 levels.
-- @module laterna.show.sixel
local pixels = require "laterna.show.pixels"

-- Bayer's 4x4 matrix as offsets in [-0.5, 0.5).
local BAYER = {}
for k, v in ipairs { 0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5 } do BAYER[k] = (v + 0.5) / 16 - 0.5 end

local function percent(v) return (v * 100 + 127) // 255 end

-- Palette entries by their colour "r;g;b" in percent, numbered as they come.
local function new_palette()
  local palette = { numbers = {}, colours = {} }
  function palette.number(r, g, b)
    local key = (r << 16) | (g << 8) | b
    local n = palette.numbers[key]
    if not n then
      n = #palette.colours
      palette.numbers[key] = n
      palette.colours[n + 1] = ("#%d;2;%d;%d;%d"):format(n, r, g, b)
    end
    return n
  end
  return palette
end

-- Colour numbers of every pixel, without loss beyond sixel's percents; nil when there are more than 256 colours.
local function exact(p)
  local palette, known, out, step = new_palette(), {}, {}, p.c
  for k = 1, #p.bytes, step do
    local pixel = p.bytes:sub(k, k + step - 1)
    local n = known[pixel]
    if not n then
      local r, g, b = pixel:byte(1, step)
      n = palette.number(percent(r), percent(g or r), percent(b or r))
      if n > 255 then return nil end
      known[pixel] = n
    end
    out[#out + 1] = n
  end
  return out, palette
end

local function dithered(p)
  local palette, out = new_palette(), {}
  local function level(v, steps, offset)
    local l = math.floor(v * steps / 255 + offset + 0.5)
    l = l < 0 and 0 or l > steps and steps or l
    return (l * 100 + steps // 2) // steps
  end
  for k = 1, #p.bytes, 3 do
    local at = (k - 1) // 3
    local offset = BAYER[(at // p.w) % 4 * 4 + at % p.w % 4 + 1]
    local r, g, b = p.bytes:byte(k, k + 2)
    out[at + 1] = palette.number(level(r, 5, offset), level(g, 6, offset), level(b, 5, offset))
  end
  return out, palette
end

-- Sixel bits of one band: colour number -> {column -> bits}, and the colours in order.
local function band_bits(numbers, w, h, top)
  local bits, order = {}, {}
  for dy = 0, math.min(5, h - top - 1) do
    local at, bit = (top + dy) * w, 1 << dy
    for x = 1, w do
      local n = numbers[at + x]
      local columns = bits[n]
      if not columns then
        columns = {}
        bits[n], order[#order + 1] = columns, n
      end
      columns[x] = (columns[x] or 0) | bit
    end
  end
  table.sort(order)
  return bits, order
end

-- Columns as characters, runs of more than three as "!count"; empty columns at the end are left out.
local function run_lengths(columns, w)
  local out, x = {}, 1
  while x <= w do
    local value, first = columns[x] or 0, x
    while x <= w and (columns[x] or 0) == value do x = x + 1 end
    local run, letter = x - first, string.char(63 + value)
    if value ~= 0 or x <= w then out[#out + 1] = run > 3 and "!" .. run .. letter or letter:rep(run) end
  end
  return table.concat(out)
end

--- The escape sequence that shows a picture.
return function(p)
  local numbers, palette = exact(p)
  if not numbers then numbers, palette = dithered(pixels.rgb(p)) end
  local out = { ('\27P0;1;0q"1;1;%d;%d'):format(p.w, p.h), table.concat(palette.colours) }
  for top = 0, p.h - 1, 6 do
    local bits, order = band_bits(numbers, p.w, p.h, top)
    local lines = {}
    for k, n in ipairs(order) do lines[k] = "#" .. n .. run_lengths(bits[n], p.w) end
    out[#out + 1] = table.concat(lines, "$") .. (top + 6 < p.h and "-" or "")
  end
  out[#out + 1] = "\27\\\n"
  return table.concat(out)
end
