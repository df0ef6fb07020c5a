local bytes = require "spec.support.bytes"
local core = require "laterna.core"
local pillow = require "spec.golden.fit_pillow"

local function ints(list) return core.tensor(list, { dtype = "int32" }) end

describe("gather_pictures", function()
  local pictures = bytes({ 5, 2, 3, 2 }, function(i) return (i * 37) % 256 end)
  local plain = pictures:totable()

  it("turns bytes into -1 .. 1, in the order asked for", function()
    local index = { 4, 1, 4 }
    local x = core.gather_pictures(pictures, ints(index))
    assert.same({ 3, 2, 3, 2 }, x.shape)
    for b, row in ipairs(x:totable()) do
      for y = 1, 2 do
        for w = 1, 3 do
          for c = 1, 2 do
            assert.is_true(math.abs(row[y][w][c] - (plain[index[b]][y][w][c] / 127.5 - 1)) < 1e-6)
          end
        end
      end
    end
  end)

  it("reaches both ends exactly", function()
    local x = core.gather_pictures(bytes({ 1, 1, 2, 1 }, function(i) return i * 255 end), ints { 1 })
    assert.same({ { { { -1 }, { 1 } } } }, x:totable())
  end)

  it("mirrors where it is told to", function()
    local flip = core.from_string("\0\1", { 2 }, { dtype = "uint8" })
    local x = core.gather_pictures(pictures, ints { 2, 2 }, flip):totable()
    for y = 1, 2 do
      for w = 1, 3 do assert.same(x[1][y][w], x[2][y][4 - w]) end
    end
  end)

  it("takes none", function()
    assert.same({ 0, 2, 3, 2 }, core.gather_pictures(pictures, core.zeros(0, { dtype = "int32" })).shape)
  end)

  it("refuses other types, shapes and numbers out of range", function()
    for pattern, f in pairs {
      ["#1 to 'gather_pictures' %(pictures"] = function() core.gather_pictures(pictures:float(), ints { 1 }) end,
      ["#2 to 'gather_pictures' %(index"] = function() core.gather_pictures(pictures, { 1 }) end,
      ["index: expected 1 to 5, got 0 at place 2"] = function() core.gather_pictures(pictures, ints { 1, 0 }) end,
      ["index: expected 1 to 5, got 6 at place 1"] = function() core.take_pictures(pictures, ints { 6 }) end,
      ["#3 to 'gather_pictures' %(flip: expected %(1%), got %(2%)"] = function()
        core.gather_pictures(pictures, ints { 1 }, core.from_string("\0\0", { 2 }, { dtype = "uint8" }))
      end,
    } do
      assert.error_matches(f, pattern)
    end
  end)
end)

describe("take_pictures", function()
  it("copies rows", function()
    local pictures = bytes({ 3, 1, 2, 1 }, function(i) return i end)
    assert.equal("\4\5\0\1", core.take_pictures(pictures, ints { 3, 1 }):to_string())
  end)
end)

describe("fit_picture", function()
  it("keeps a picture of the right size as it is", function()
    local x = bytes({ 4, 5, 3 }, function(i) return (i * 91) % 256 end)
    assert.equal(x:to_string(), core.fit_picture(x, 4, 5):to_string())
  end)

  it("averages over areas where it shrinks", function()
    local x = bytes({ 4, 4, 1 }, function(i) return i * 10 end)
    -- Means of 2x2 blocks: (0 + 10 + 40 + 50) / 4 and so on.
    assert.same({ { { 25 }, { 45 } }, { { 105 }, { 125 } } }, core.fit_picture(x, 2, 2):totable())
    -- 3 -> 2: each result covers one and a half places.
    local y = bytes({ 3, 3, 1 }, function(i) return (i % 3) * 90 end)
    assert.same({ { { 30 }, { 150 } }, { { 30 }, { 150 } } }, core.fit_picture(y, 2, 2):totable())
  end)

  it("interpolates where it grows", function()
    local x = bytes({ 2, 2, 1 }, function(i) return (i % 2) * 100 end)
    local row = { { 0 }, { 25 }, { 75 }, { 100 } }
    assert.same({ row, row, row, row }, core.fit_picture(x, 4, 4):totable())
  end)

  it("cuts the middle out of other proportions", function()
    local wide = bytes({ 2, 6, 1 }, function(i) return (i % 6) * 10 end)
    assert.same({ { { 20 }, { 30 } }, { { 20 }, { 30 } } }, core.fit_picture(wide, 2, 2):totable())
    local tall = bytes({ 6, 2, 1 }, function(i) return (i // 2) * 10 end)
    assert.same({ { { 20 }, { 20 } }, { { 30 }, { 30 } } }, core.fit_picture(tall, 2, 2):totable())
  end)

  it("keeps one colour one colour at any size", function()
    for _, s in ipairs { { 1, 1 }, { 7, 3 }, { 3, 7 }, { 100, 1 }, { 13, 64 } } do
      local x = bytes({ s[1], s[2], 3 }, function(i) return ({ 200, 3, 255 })[i % 3 + 1] end)
      for _, t in ipairs { { 1, 1 }, { 5, 9 }, { 64, 64 }, { 1, 33 } } do
        local y = core.fit_picture(x, t[1], t[2])
        assert.same({ t[1], t[2], 3 }, y.shape)
        assert.equal(("\200\3\255"):rep(t[1] * t[2]), y:to_string())
      end
    end
  end)

  it("weighs colours by alpha: what is transparent lends its colour to no edge", function()
    local function columns(c, left, right) -- 2 x 2
      return bytes({ 2, 2, c }, function(i) return (i // c % 2 == 0 and left or right)[i % c + 1] end)
    end
    local pair = columns(4, { 255, 0, 0, 255 }, { 0, 255, 0, 0 })
    assert.same({ { { 255, 0, 0, 128 } } }, core.fit_picture(pair, 1, 1):totable())
    local row = { { 200, 255 }, { 200, 191 }, { 200, 64 }, { 0, 0 } }
    assert.same({ row, row, row, row }, core.fit_picture(columns(2, { 200, 255 }, { 7, 0 }), 4, 4):totable())
    -- Weights are area x alpha: (10 x 64 + 200 x 192) / 256.
    assert.same({ { { 153, 128 } } }, core.fit_picture(columns(2, { 10, 64 }, { 200, 192 }), 1, 1):totable())
  end)

  it("gives Pillow's pictures with alpha", function()
    for _, case in ipairs(pillow) do
      local h, w, c = table.unpack(case.shape)
      local x = bytes({ h, w, c }, function(at)
        local i, k = at // c, at % c
        return k < c - 1 and (i * 91 + k * 83) % 256 or i % 3 == 0 and 0 or i % 5 == 0 and 255 or i * 67 % 256
      end)
      local y = core.fit_picture(x, case.size[1], case.size[2]):view(-1):totable()
      assert.equal(#case.exact, #y)
      for i, v in ipairs(y) do
        local alpha = y[(i - 1) // c * c + c]
        assert(math.abs(v - case.exact[i]) <= 0.501, ("number %d: %d in place of %g"):format(i, v, case.exact[i]))
        -- Pillow's own 8 bits between the steps
        local room = i % c == 0 and 1 or alpha == 0 and 255 or 1 + 255 / alpha
        assert(math.abs(v - case.bytes[i]) <= room, ("number %d: %d, Pillow %d"):format(i, v, case.bytes[i]))
      end
    end
  end)

  it("takes no colour of a transparent pixel, at any size", function()
    for _, c in ipairs { 2, 4 } do
      local hidden = {}
      for turn = 1, 2 do -- the same picture with other colours where nobody sees them
        local x = bytes({ 11, 7, c }, function(at)
          local i, k = at // c, at % c
          local alpha = i * i % 5 == 1 and 0 or i * 37 % 256
          return k == c - 1 and alpha or alpha == 0 and turn * 100 or (i * 53 + k * 29) % 256
        end)
        for n, size in ipairs { { 11, 7 }, { 5, 3 }, { 1, 1 }, { 4, 7 }, { 23, 30 } } do
          local y = core.fit_picture(x, size[1], size[2])
          assert.equal(hidden[n] or y:to_string(), y:to_string())
          hidden[n] = y:to_string()
          for _, pixel in ipairs(y:view(-1, c):totable()) do
            for k = 1, c - 1 do assert(pixel[c] > 0 or pixel[k] == 0) end
          end
        end
      end
    end
  end)

  it("treats an opaque picture as one without alpha, and other numbers of channels as no alpha", function()
    local function value(i, k) return (i * 91 + k * 17) % 256 end
    for _, colours in ipairs { 1, 3 } do
      local plain = bytes({ 9, 13, colours }, function(at) return value(at // colours, at % colours) end)
      local c = colours + 1
      local opaque = bytes({ 9, 13, c }, function(at) return at % c == c - 1 and 255 or value(at // c, at % c) end)
      for _, size in ipairs { { 4, 5 }, { 20, 30 }, { 9, 13 }, { 1, 2 } } do
        local y = core.fit_picture(opaque, size[1], size[2])
        assert.equal(core.fit_picture(plain, size[1], size[2]):to_string(), y:narrow(3, 1, colours):clone():to_string())
        assert.equal(255, y:narrow(3, c, 1):float():min():item())
      end
    end
    local six = bytes({ 2, 2, 6 }, function(i) return i % 12 < 6 and 100 or 0 end)
    assert.equal(("\50"):rep(6), core.fit_picture(six, 1, 1):to_string())
  end)

  it("survives a failed allocation, and loses nothing #slow", function()
    local x = bytes({ 9, 9, 3 }, function(i) return i % 256 end)
    local expected = core.fit_picture(x, 4, 4):to_string()
    collectgarbage()
    local before = core.memory().count
    for n = 1, 4 do
      core.debug_fail_allocation(n)
      assert.equal(expected, core.fit_picture(x, 4, 4):to_string())
      core.debug_fail_allocation(0)
    end
    collectgarbage()
    assert.equal(before, core.memory().count)
  end)

  it("refuses other types and sizes", function()
    local x = bytes({ 2, 2, 1 }, function() return 0 end)
    for pattern, f in pairs {
      ["#1 to 'fit_picture' %(picture"] = function() core.fit_picture(x:float(), 2, 2) end,
      ["#2 to 'fit_picture' %(height"] = function() core.fit_picture(x, 0, 2) end,
      ["#3 to 'fit_picture' %(width"] = function() core.fit_picture(x, 2, 2 ^ 31) end,
      ["at least one pixel"] = function() core.fit_picture(core.zeros(0, 3, 1, { dtype = "uint8" }), 2, 2) end,
    } do
      assert.error_matches(f, pattern)
    end
  end)
end)
