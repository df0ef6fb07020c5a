-- A naive PNG writer, every kind of picture and nothing clever: stored deflate blocks, no filters. The oracle of the
-- specs, and what hostile files are cut from.

local png = {}

local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and 0xEDB88320 ~ c >> 1 or c >> 1 end
  crc_table[i] = c
end

function png.crc32(s)
  local c = 0xFFFFFFFF
  for i = 1, #s do c = crc_table[(c ~ s:byte(i)) & 255] ~ c >> 8 end
  return c ~ 0xFFFFFFFF
end

local function adler32(s)
  local a, b = 1, 0
  for i = 1, #s do
    a = (a + s:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b << 16 | a
end

function png.zlib(s)
  local out = { "\x78\x01" }
  for at = 1, math.max(#s, 1), 65535 do
    local block = s:sub(at, at + 65534)
    out[#out + 1] = string.pack("<BI2I2", at + 65535 > #s and 1 or 0, #block, ~#block & 0xFFFF) .. block
  end
  return table.concat(out) .. string.pack(">I4", adler32(s))
end

function png.chunk(type, data) return string.pack(">s4", data):sub(1, 4) .. type .. data ..
  string.pack(">I4", png.crc32(type .. data)) end

png.SIGNATURE = "\x89PNG\r\n\x1A\n"
png.CHANNELS = { [0] = 1, [2] = 3, [3] = 1, [4] = 2, [6] = 4 } -- samples of a pixel, by colour type

function png.header(width, height, depth, colour, interlace)
  return png.chunk("IHDR", string.pack(">I4I4BBBBB", width, height, depth, colour, 0, 0, interlace and 1 or 0))
end

-- Samples of one row, packed from the high bit down, behind a filter byte of 0.
local function pack_row(samples, depth)
  local bytes = { "\0" }
  if depth == 16 then
    for _, v in ipairs(samples) do bytes[#bytes + 1] = string.pack(">I2", v) end
    return table.concat(bytes)
  end
  local bits, held = 0, 0
  for _, v in ipairs(samples) do
    bits, held = bits << depth | v, held + depth
    if held == 8 then
      bytes[#bytes + 1] = string.char(bits)
      bits, held = 0, 0
    end
  end
  if held > 0 then bytes[#bytes + 1] = string.char(bits << (8 - held)) end
  return table.concat(bytes)
end

local WHOLE = { { 0, 0, 1, 1 } }
local ADAM7 = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 }, { 0, 2, 2, 4 }, { 1, 0, 2, 2 },
                { 0, 1, 1, 2 } } -- first column and row, steps

-- p = { width, height, depth, colour, interlace = bool, rows = { {samples of row 1}, ... }, palette = bytes,
-- transparency = bytes, extra = chunks before the data }
function png.encode(p)
  local per, data = png.CHANNELS[p.colour], {}
  for _, pass in ipairs(p.interlace and ADAM7 or WHOLE) do
    for y = pass[2], p.height - 1, pass[4] do
      local samples = {}
      for x = pass[1], p.width - 1, pass[3] do
        table.move(p.rows[y + 1], x * per + 1, x * per + per, #samples + 1, samples)
      end
      if #samples > 0 then data[#data + 1] = pack_row(samples, p.depth) end
    end
  end
  return png.SIGNATURE .. png.header(p.width, p.height, p.depth, p.colour, p.interlace)
    .. (p.palette and png.chunk("PLTE", p.palette) or "")
    .. (p.transparency and png.chunk("tRNS", p.transparency) or "")
    .. (p.extra or "") .. png.chunk("IDAT", png.zlib(table.concat(data))) .. png.chunk("IEND", "")
end

return png
