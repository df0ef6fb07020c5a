--- Pictures as bytes: what a terminal can take. A picture here is {h, w, c, bytes}, rows first, 1 or 3 channels.
-- @module laterna.show.pixels
local check = require "laterna.check"
local core = require "laterna.core"
local ground = require "laterna.show.ground"

local pixels = {}
local floor, char = math.floor, string.char

-- Little-endian floats in [-1, 1] -> bytes of 0 to 255 (clamped, rounded), and how many were NaN (they become 0).
local function quantise(raw)
  local out, nans = {}, 0
  local formats = {}
  for first = 1, #raw, 800 do
    local n = math.min(800, #raw - first + 1) // 4
    formats[n] = formats[n] or "<" .. ("f"):rep(n)
    local v = { formats[n]:unpack(raw, first) }
    for k = 1, n do
      local x = v[k]
      if x ~= x then
        x, nans = 0, nans + 1
      else
        x = x <= -1 and 0 or x >= 1 and 255 or floor((x + 1) * 127.5 + 0.5)
      end
      v[k] = x
    end
    out[#out + 1] = char(table.unpack(v, 1, n))
  end
  return table.concat(out), nans
end

--- "28x28x1" for a list of sizes.
function pixels.size_text(shape)
  return table.concat(shape, "x")
end

--- Reads a tensor (h,w) or (h,w,c), c = 1 to 4, uint8 or float32 in [-1,1].
-- @tparam string|number kind what alpha (the last of 2 or 4 channels) is laid on: see laterna.show.ground
-- @return {h=, w=, c= 1 or 3, bytes=, nans=, shape= text}
function pixels.read(fname, i, name, t, kind)
  check.type(fname, i, name, t, "tensor")
  local shape = t.shape
  local h, w, c = shape[1], shape[2], shape[3] or 1
  if #shape < 2 or #shape > 3 or c < 1 or c > 4 or h < 1 or w < 1 then
    check.fail(fname, i, "%s: expected (h,w) or (h,w,c) with 1 to 4 channels, got (%s)", name, table.concat(shape, ","))
  end
  local bytes, nans = t:to_string(), 0
  if t.dtype == "float32" then
    bytes, nans = quantise(bytes)
  elseif t.dtype ~= "uint8" then
    check.fail(fname, i, "%s: expected float32 or uint8, got %s", name, t.dtype)
  end
  if c == 2 or c == 4 then
    bytes, c = ground.lay(core.from_string(bytes, { h, w, c }, { dtype = "uint8" }), kind):to_string(), c - 1
  end
  return { h = h, w = w, c = c, bytes = bytes, nans = nans, shape = pixels.size_text(shape) }
end

--- Three channels: grey is repeated.
function pixels.rgb(p)
  if p.c == 3 then return p end
  return { h = p.h, w = p.w, c = 3, bytes = (p.bytes:gsub(".", "%0%0%0")), nans = p.nans, shape = p.shape }
end

--- Every pixel becomes factor x factor pixels; `unit` is the bytes of a pixel (as many as channels).
function pixels.enlarge(p, factor, unit)
  if factor == 1 then return p end
  unit = unit or p.c
  local rows, step, pixel = {}, p.w * unit, ("."):rep(unit)
  local again = setmetatable({}, { __index = function(t, key) t[key] = key:rep(factor) return t[key] end })
  for y = 0, p.h - 1 do
    rows[y + 1] = p.bytes:sub(y * step + 1, (y + 1) * step):gsub(pixel, again):rep(factor)
  end
  return { h = p.h * factor, w = p.w * factor, c = p.c, bytes = table.concat(rows), nans = p.nans, shape = p.shape }
end

-- Sums over boxes of `w2` columns of the rows y0 .. y1 - 1, added up in `sums`.
local function sum_rows(p, y0, y1, w2, sums)
  local c = p.c
  for k = 1, w2 * c do sums[k] = 0 end
  for y = y0, y1 - 1 do
    for x2 = 0, w2 - 1 do
      local first, last = x2 * p.w // w2, (x2 + 1) * p.w // w2 - 1
      for x = first, last do
        local at = (y * p.w + x) * c
        for k = 1, c do
          sums[x2 * c + k] = sums[x2 * c + k] + p.bytes:byte(at + k)
        end
      end
    end
  end
end

--- A smaller picture, each pixel the mean of the box that it covers.
function pixels.shrink(p, w2, h2)
  w2, h2 = math.min(w2, p.w), math.min(h2, p.h)
  if w2 == p.w and h2 == p.h then return p end
  local rows, sums, c = {}, {}, p.c
  for y2 = 0, h2 - 1 do
    local y0, y1 = y2 * p.h // h2, (y2 + 1) * p.h // h2
    sum_rows(p, y0, y1, w2, sums)
    local row = {}
    for x2 = 0, w2 - 1 do
      local area = ((x2 + 1) * p.w // w2 - x2 * p.w // w2) * (y1 - y0)
      for k = x2 * c + 1, x2 * c + c do row[k] = char((sums[k] + area // 2) // area) end
    end
    rows[y2 + 1] = table.concat(row)
  end
  return { h = h2, w = w2, c = c, bytes = table.concat(rows), nans = p.nans, shape = p.shape }
end

return pixels
