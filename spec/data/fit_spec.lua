-- A picture brought to a size, against a twin that takes the definition at its word.
local bytes = require "spec.support.bytes"
local core = require "laterna.core"

-- Weights of the source places of an axis for place i of the result, which begins at `start`, at `scale` places each.
local function weights(i, start, scale, size)
  local w = {}
  if scale < 1 then
    local at = math.min(math.max(start + (i + 0.5) * scale - 0.5, 0), size - 1)
    local low = math.floor(at)
    w[low] = 1 - (at - low)
    if low + 1 < size then w[low + 1] = at - low end
    return w
  end
  local from, to = start + i * scale, start + (i + 1) * scale
  for k = 0, size - 1 do
    local part = math.min(k + 1, to) - math.max(k, from)
    if part > 0 then w[k] = part / scale end
  end
  return w
end

-- Where a picture lies in the result: first place, number of places, start and scale.
local function axis(size, out, scale, pads)
  if not pads then return 0, out, (size - scale * out) / 2, scale end
  local count = math.min(math.max(math.floor(size / scale + 0.5), 1), out)
  return (out - count) // 2, count, 0, size / count
end

local function one_pixel(x, wy, wx, c)
  local sums, cover, alpha = {}, 0, c % 2 == 0
  for k = 1, c do sums[k] = 0 end
  for y, a in pairs(wy) do
    for column, b in pairs(wx) do
      local p = x[y + 1][column + 1]
      local w = a * b * (alpha and p[c] or 1)
      cover = cover + w
      for k = 1, alpha and c - 1 or c do sums[k] = sums[k] + w * p[k] end
    end
  end
  for k = 1, alpha and c - 1 or c do sums[k] = cover > 0 and sums[k] / cover or 0 end
  if alpha then sums[c] = cover end
  return sums
end

-- The numbers of a result, not rounded.
local function twin(x, height, width, pads, background)
  local h, w, c = table.unpack(x.shape)
  local list, out = x:totable(), {}
  local scale = (pads and math.max or math.min)(h / height, w / width)
  local top, rows, y0, sy = axis(h, height, scale, pads)
  local left, columns, x0, sx = axis(w, width, scale, pads)
  for y = 0, height - 1 do
    for column = 0, width - 1 do
      local p = background
      if y >= top and y < top + rows and column >= left and column < left + columns then
        p = one_pixel(list, weights(y - top, y0, sy, h), weights(column - left, x0, sx, w), c)
      end
      for k = 1, c do out[#out + 1] = p[k] end
    end
  end
  return out
end

local SIZES = { { 7, 7 }, { 5, 9 }, { 9, 4 }, { 1, 1 }, { 3, 16 }, { 16, 3 }, { 20, 24 }, { 12, 10 } }

-- A sprite: a disc of alpha with soft edges, and other colours where nobody sees them.
local function sprite(h, w, c)
  return bytes({ h, w, c }, function(at)
    local k, column, y = at % c, at // c % w, at // c // w
    local r = ((column - w / 2) ^ 2 + (y - h / 2) ^ 2) ^ 0.5
    local alpha = r < h / 3 and 255 or r < h / 2 and (column * 40 + y * 70) % 256 or 0
    return c % 2 == 0 and k == c - 1 and alpha or (column * 31 + y * 57 + k * 83) % 256
  end)
end

describe("fit_picture", function()
  for _, fit in ipairs { "crop", "pad" } do
    it("is its twin: " .. fit, function()
      local colour = { 0.2, -1, 1 }
      local grey = 0.2 + 0.587 * (-1 - 0.2) + 0.114 * (1 - 0.2)
      for c = 1, 4 do
        local x = sprite(12, 10, c)
        local around = ({ { grey * 127.5 + 127.5 }, { 0, 0 }, { 153, 0, 255 }, { 0, 0, 0, 0 } })[c]
        for _, size in ipairs(SIZES) do
          local height, width = table.unpack(size)
          local y = core.fit_picture(x, height, width, { fit = fit, background = colour }):view(-1):totable()
          local exact = twin(x, height, width, fit == "pad", around)
          assert.equal(#exact, #y)
          for i, v in ipairs(y) do
            local last = (i - 1) // c * c + c
            local hidden = c % 2 == 0 and y[last] == 0
            local right = hidden and i ~= last and 0 or exact[i]
            assert(math.abs(v - right) <= 0.502, ("c %d, %dx%d, number %d: %d in place of %g"):format(c, height,
              width, i, v, right))
          end
        end
      end
    end)
  end

  it("pads with what is left over on both sides, one more below and to the right", function()
    local x = bytes({ 2, 4, 1 }, function(i) return 10 + i end)
    assert.equal("\255\255\255\255\10\11\12\13\14\15\16\17\255\255\255\255\255\255\255\255",
      core.fit_picture(x, 5, 4, { fit = "pad" }):to_string())
    local tall = bytes({ 2, 1, 3 }, function() return 7 end)
    assert.equal(("\0\64\255\7\7\7\0\64\255\0\64\255"):rep(2),
      core.fit_picture(tall, 2, 4, { fit = "pad", background = { -1, -0.5, 1 } }):to_string())
    assert.equal("\0\0\0\0\9\9\9\9\0\0\0\0", core.fit_picture(bytes({ 1, 1, 4 }, function() return 9 end), 1, 3,
      { fit = "pad", background = 1 }):to_string())
  end)

  it("keeps what is thinner than a place of the result", function()
    local line = bytes({ 1, 100, 1 }, function() return 50 end)
    assert.equal(("\0"):rep(8) .. ("\50"):rep(8) .. ("\0"):rep(8),
      core.fit_picture(line, 3, 8, { fit = "pad", background = -1 }):to_string())
  end)

  it("refuses what is no way to fit and no background", function()
    local x = bytes({ 2, 2, 3 }, function() return 0 end)
    for pattern, options in pairs {
      ["#4 to 'fit_picture' %(fit: expected \"crop\" or \"pad\", got \"stretch\""] = { fit = "stretch" },
      ["background: expected %-1.0 to 1.0, got 255.0"] = { background = 255 },
      ["background: expected %-1.0 to 1.0, got %-?nan"] = { background = 0 / 0 },
      ["background: expected %-1.0 to 1.0, got 2.0"] = { background = { 0, 0, 2 } },
      ["background: expected number or {red, green, blue}"] = { background = { 0, 0 } },
      ["background: expected number, got string"] = { background = "white" },
      ["background: expected number, got nil"] = { background = { nil, 0, 0 } },
      ["unknown option"] = { colour = 1 },
    } do
      assert.error_matches(function() core.fit_picture(x, 2, 2, options) end, pattern)
    end
  end)
end)

describe("the background of load_picture", function()
  it("may be a colour, and is grey where the picture is", function()
    local pixels = { 200, 100, 50, 0, 200, 100, 50, 255 }
    local png = core.encode_png(bytes({ 1, 2, 4 }, function(i) return pixels[i + 1] end))
    local function as(channels, background)
      return core.decode_png(png, { channels = channels, background = background }):to_string()
    end
    assert.equal("\255\255\255\200\100\50", as(3))
    assert.equal("\0\255\64\200\100\50", as(3, { -1, 1, -0.5 }))
    assert.equal("\128\128\128\200\100\50", as(3, 0))
    -- 0.299 x 0 + 0.587 x 255 + 0.114 x 63.75 = 156.95
    assert.equal("\157\124", as(1, { -1, 1, -0.5 }))
  end)
end)
