local sixel = require "laterna.show.sixel"

-- A reader for what the encoder writes: pixels as "r;g;b" in percent, row by row.
local function decode(text)
  local w, h, body = text:match '^\27P0;1;0q"1;1;(%d+);(%d+)(.*)\27\\\n$'
  w, h = tonumber(w), tonumber(h)
  local palette, out = {}, {}
  local x, top, colour, at = 0, 0, nil, 1
  while at <= #body do
    local n, r, g, b, next_at = body:match("^#(%d+);2;(%d+);(%d+);(%d+)()", at)
    local c = body:sub(at, at)
    if n then
      palette[n] = r .. ";" .. g .. ";" .. b
      at = next_at
    elseif c == "#" then
      colour, at = body:match("^#(%d+)()", at)
    elseif c == "$" then
      x, at = 0, at + 1
    elseif c == "-" then
      x, top, at = 0, top + 6, at + 1
    else
      local count, letter, after = body:match("^!(%d+)(.)()", at)
      if not count then count, letter, after = 1, c, at + 1 end
      local bits = letter:byte() - 63
      assert(bits >= 0 and bits < 64)
      for _ = 1, tonumber(count) do
        for dy = 0, 5 do
          if bits >> dy & 1 == 1 then
            local k = (top + dy) * w + x + 1
            assert(out[k] == nil and x < w and top + dy < h)
            out[k] = palette[colour]
          end
        end
        x = x + 1
      end
      at = after
    end
  end
  return out, w, h, palette
end

local function size(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

local function picture(w, h, c, f)
  local bytes = {}
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      for k = 1, c do bytes[#bytes + 1] = string.char(f(x, y, k)) end
    end
  end
  return { h = h, w = w, c = c, bytes = table.concat(bytes) }
end

describe("sixel", function()
  it("writes a small picture byte by byte", function()
    -- two columns white, one black: one band, two colours
    local p = { h = 1, w = 3, c = 1, bytes = "\255\255\0" }
    assert.equal('\27P0;1;0q"1;1;3;1#0;2;100;100;100#1;2;0;0;0#0@@$#1??@\27\\\n', sixel(p))
  end)

  it("codes runs of more than three", function()
    local p = { h = 6, w = 200, c = 1, bytes = ("\0"):rep(1200) }
    assert.equal('\27P0;1;0q"1;1;200;6#0;2;0;0;0#0!200~\27\\\n', sixel(p))
  end)

  it("keeps every grey level that percents can hold", function()
    local p = picture(16, 16, 1, function(x, y) return y * 16 + x end)
    local out, w, h, palette = decode(sixel(p))
    assert.same({ 16, 16, 101 }, { w, h, size(palette) })
    for k = 1, 256 do
      local v = (p.bytes:byte(k) * 100 + 127) // 255
      assert.equal(("%d;%d;%d"):format(v, v, v), out[k])
    end
  end)

  it("keeps up to 256 colours as they are", function()
    local p = picture(11, 13, 3, function(x, y, c) return ({ x * 20, y * 15, (x + y) % 2 * 255 })[c] end)
    local out = decode(sixel(p))
    for k = 1, 11 * 13 do
      local r, g, b = p.bytes:byte(3 * k - 2, 3 * k)
      assert.equal(("%d;%d;%d"):format((r * 100 + 127) // 255, (g * 100 + 127) // 255, (b * 100 + 127) // 255), out[k])
    end
  end)

  it("dithers more colours onto a cube whose means stay", function()
    local p = picture(64, 64, 3, function(x, y, c) return ({ x * 4, y * 4, (x + y) * 2 })[c] end)
    local out, _, _, palette = decode(sixel(p))
    assert.is_true(size(palette) <= 252)
    local sums, want = { 0, 0, 0 }, { 0, 0, 0 }
    for k = 1, 64 * 64 do
      local c = 0
      for v in out[k]:gmatch "%d+" do
        c = c + 1
        sums[c] = sums[c] + tonumber(v)
        want[c] = want[c] + p.bytes:byte(3 * (k - 1) + c) / 2.55
      end
    end
    for c = 1, 3 do assert.is_true(math.abs(sums[c] - want[c]) / 4096 < 1) end
  end)

  it("covers every pixel of pictures of odd sizes", function()
    for _, s in ipairs { { 1, 1 }, { 1, 13 }, { 7, 6 }, { 5, 11 } } do
      local out = decode(sixel(picture(s[1], s[2], 1, function(x, y) return (x * 7 + y * 3) % 5 * 60 end)))
      assert.equal(s[1] * s[2], #out)
    end
  end)
end)
