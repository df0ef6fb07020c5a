local core = require "laterna.core"

-- background, seed, objects; shape, texture, x, y, radius, angle, red, green, blue (twice)
local function scene(t)
  local row = { t.background or 6, 1, t.objects or 1, t.shape or 1, t.texture or 1, t.x or 0.5, t.y or 0.5,
    t.radius or 0.25, t.angle or 0, 1, 0, 0 }
  for i = #row + 1, 21 do row[i] = 0 end
  return row
end

-- Part of the picture that the object changes clearly: a reddish pixel where there was none.
local function covered(t, size)
  local x = core.draw_scenes(core.tensor { scene(t) }, size or 64):float()
  local red, green = x:narrow(4, 1, 1), x:narrow(4, 2, 1)
  return ((red - green):gt(48)):mean():item()
end

describe("draw_scenes", function()
  it("draws shapes of about the area they should have", function()
    local r = 0.25
    -- In units of r: disc 0.93; box 1.64; triangle of inner radius 0.625; ring between 0.4 and 0.98.
    local expected = { math.pi * 0.93 ^ 2, 1.64 ^ 2, 3 * math.sqrt(3) * 0.625 ^ 2, nil, nil, 4 * 0.68 - 0.68 ^ 2,
      math.pi * (0.98 ^ 2 - 0.4 ^ 2), nil, nil, 2 * math.sqrt(3) * 0.86 ^ 2 }
    for shape, area in pairs(expected) do
      local seen = covered({ shape = shape, radius = r }, 256)
      assert.is_true(math.abs(seen - area * r * r) < 0.12 * area * r * r,
        ("shape %d: %.4f of the picture, not %.4f"):format(shape, seen, area * r * r))
    end
  end)

  it("draws the same area at any size, angle and place", function()
    for shape = 1, 10 do
      local area = covered({ shape = shape, radius = 0.2 }, 128)
      for _, t in ipairs { { angle = 1 }, { x = 0.3, y = 0.6 } } do
        t.shape, t.radius = shape, 0.2
        local at128, at48 = covered(t, 128), covered(t, 48)
        assert.is_true(math.abs(at128 - area) < 0.08 * area, ("shape %d: %.4f, %.4f"):format(shape, at128, area))
        assert.is_true(math.abs(at48 - area) < 0.2 * area, ("shape %d: %.4f, %.4f"):format(shape, at48, area))
      end
    end
  end)

  it("keeps an object inside 1.25 radii, so that nothing is cut off", function()
    for shape = 1, 10 do
      local x = core.draw_scenes(core.tensor { scene { shape = shape, radius = 0.3 } }, 128):float()
      local bare = core.draw_scenes(core.tensor { scene { shape = shape, objects = 0 } }, 128):float()
      local reach = math.ceil((1.25 * 0.3 + 0.08) * 128)
      local changed = (x - bare):abs():sum({ 3, 4 }):gt(0)
      assert.equal(0, changed:narrow(2, 1, 64 - reach):sum():item())
      -- On the last row that is painted there is at most a trace of shadow, never the object.
      local edge = (x - bare):abs():narrow(2, 64 - reach + 1, 1):max():item()
      assert.is_true(edge < 12, ("shape %d: %g"):format(shape, edge))
    end
  end)

  it("is luminance with one channel", function()
    local rows = core.tensor { scene {} }
    local colour, grey = core.draw_scenes(rows, 16):float(), core.draw_scenes(rows, 16, 1):float()
    local weights = core.tensor { 0.299, 0.587, 0.114 }
    local difference = ((colour * weights):sum(4, { keepdim = true }) - grey):abs():max():item()
    assert.is_true(difference <= 1.01)
  end)

  it("draws none", function()
    assert.same({ 0, 8, 8, 3 }, core.draw_scenes(core.zeros(0, 21), 8).shape)
  end)

  it("refuses rows that make no sense, naming scene and column", function()
    local function refused(t, pattern)
      assert.error_matches(function() core.draw_scenes(core.tensor { scene {}, scene(t) }, 16) end,
        "bad argument #1 to 'draw_scenes' %(scenes: scene 2: expected " .. pattern)
    end
    refused({ background = 10 }, "background from 1 to 9, got 10")
    refused({ background = 0 / 0 }, "background from 1 to 9, got %-?nan")
    refused({ objects = 3 }, "objects")
    refused({ shape = 0 }, "shape from 1 to 10, got 0")
    refused({ texture = 5 }, "texture")
    refused({ x = 1 / 0 }, "x")
    refused({ radius = 0 }, "radius")
    refused({ angle = -1e30 }, "angle")
    assert.error_matches(function() core.draw_scenes(core.zeros(2, 20), 16) end, "expected %(n,21%), got %(2,20%)")
    assert.error_matches(function() core.draw_scenes(core.zeros(2, 21, { dtype = "int32" }), 16) end, "scenes")
    assert.error_matches(function() core.draw_scenes(core.tensor { scene {} }, 7) end, "#2 to 'draw_scenes' %(size")
    assert.error_matches(function() core.draw_scenes(core.tensor { scene {} }, 16, 2) end, "#3 to 'draw_scenes'")
  end)
end)
