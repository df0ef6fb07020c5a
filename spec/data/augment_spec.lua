local core = require "laterna.core"
local dataset = require "laterna.data.dataset"
local kinds = require "laterna.gan.kinds"
local numbered = require "spec.support.numbered"

-- n pictures of h x w x c, every byte drawn.
local function drawn(n, h, w, c, captions)
  local x, list = core.rand({ n, h, w, c }, { generator = core.generator(8) }) * 255, {}
  for i = 1, n do list[i] = captions and captions[i] or "picture " .. i end
  return dataset.new { images = x:byte(), captions = list }
end

local function first(set, augment, more)
  local options = { seed = 5, shuffle = false, augment = augment }
  for key, v in pairs(more or {}) do options[key] = v end
  return set:batches(#set, options):next().x
end

local function most(x) return x:abs():max():item() end

-- Pictures that are all (side,side) in [0,1], n times.
local function same(n, x)
  local captions, h, w = {}, x:size(1), x:size(2)
  for i = 1, n do captions[i] = "x" end
  return dataset.new { images = (x:view(1, h, w, 1):expand(n, h, w, 1) * 255):byte(), captions = captions }
end

describe("augmentation of batches", function()
  it("changes nothing that it is not asked to", function()
    local set = drawn(6, 5, 5, 3)
    local plain = first(set):to_string()
    assert.equal(plain, first(set, {}):to_string())
    assert.equal(plain, first(set, { shift = 0, scale = 0, rotate = 0, colour = 0, flip = false }):to_string())
    assert.equal(first(set, nil, { flip = true }):to_string(), first(set, { flip = true }):to_string())
    assert.equal(first(set, nil, { flip = true }):to_string(), first(set, { flip = true }, { flip = true }):to_string())
    assert.not_equal(plain, first(set, { flip = true }):to_string())
  end)

  it("moves by at most so much of the sides, each picture its own way", function()
    -- One bright pixel in the middle of each: where it went to is the mean of places, weighted by brightness.
    local n, h, w = 64, 21, 41
    local middle = core.tensor({ 10 * w + 21 }, { dtype = "int32" })
    local y = (first(same(n, core.one_hot(middle, h * w):view(h, w)), { shift = 0.1 }) + 1) / 2
    local across = (y * (core.arange(1, w) - 21):view(1, 1, w, 1)):sum({ 2, 3, 4 }):totable()
    local down = (y * (core.arange(1, h) - 11):view(1, h, 1, 1)):sum({ 2, 3, 4 }):totable()
    local kinds_of_place, far_x, far_y = {}, 0, 0
    for i = 1, n do
      far_x, far_y = math.max(far_x, math.abs(across[i])), math.max(far_y, math.abs(down[i]))
      kinds_of_place[("%.3f"):format(across[i])] = true
    end
    assert.is_true(far_x <= 4.1 + 1e-3 and far_x > 3.5)
    assert.is_true(far_y <= 2.1 + 1e-3 and far_y > 1.8)
    local count = 0
    for _ in pairs(kinds_of_place) do count = count + 1 end
    assert.is_true(count > 50)
  end)

  it("scales within its bounds, and turns without scaling", function()
    -- A round spot: its area tells the factor, and a turn about the middle leaves it as it is.
    local n, side = 48, 33
    local r2 = ((core.arange(1, side) - 17):view(side, 1):square() + (core.arange(1, side) - 17):view(1, side):square())
    local set = same(n, 1 - (r2:sqrt() - 8):clamp(0, 1))
    local function areas(augment) return ((first(set, augment) + 1) / 2):sum({ 2, 3, 4 }):totable() end
    local whole, lo, hi = areas({})[1], math.huge, 0
    for _, area in ipairs(areas { scale = 0.3 }) do
      lo, hi = math.min(lo, area / whole), math.max(hi, area / whole)
    end
    assert.is_true(lo > 0.68 ^ 2 and lo < 0.77 ^ 2, lo)
    assert.is_true(hi < 1.32 ^ 2 and hi > 1.23 ^ 2, hi)
    for _, area in ipairs(areas { rotate = 180 }) do assert.is_true(math.abs(area / whole - 1) < 0.01) end
  end)

  it("turns to either side by at most so many degrees", function()
    local n, side = 40, 41
    local line = core.zeros(side, side)
    line = core.cat({ line:narrow(1, 1, 20), core.ones(1, side), line:narrow(1, 1, 20) }, 1) -- a level line
    local y = (first(same(n, line), { rotate = 20 }) + 1) / 2
    -- its slope, from where the middle of the line lies in the columns 11 and 31
    local function height(column)
      local part = y:narrow(3, column, 1)
      return ((part * core.arange(1, side):view(1, side, 1, 1)):sum({ 2, 3, 4 }) / part:sum({ 2, 3, 4 })):totable()
    end
    local left, right, lo, hi = height(11), height(31), 90, -90
    for i = 1, n do
      local angle = math.deg(math.atan(right[i] - left[i], 20))
      lo, hi = math.min(lo, angle), math.max(hi, angle)
    end
    assert.is_true(lo >= -20.1 and lo < -15, lo)
    assert.is_true(hi <= 20.1 and hi > 15, hi)
  end)

  it("colours as the critic's augmentation does, within -1 .. 1", function()
    for _, c in ipairs { 1, 3 } do
      local set = drawn(9, 4, 4, c)
      local plain, got = first(set), first(set, { colour = 0.6 })
      -- the generator of the batch's colours: seed 5, epoch 1, place 0, kind 3
      local derive = require("laterna.data.seed").derive
      local g = core.generator(derive(derive(derive(5, 1), 1), 3))
      local add = core.rand({ 9, 1, 1, 1 }, { generator = g }) * 0.6 - 0.3
      assert.is_true(most(got) <= 1)
      assert.is_true(most(got - plain) > 0.1)
      if c == 3 then
        g = core.generator(derive(derive(derive(5, 1), 1), 3))
        local want = kinds.colour(0.6)(plain.shape, g)(plain):clamp(-1, 1)
        assert.is_true(most(want - got) < 1e-5)
      else
        local f = core.rand({ 9, 1, 1, 1 }, { generator = g }) -- saturation is drawn for grey pictures too
        f = core.rand({ 9, 1, 1, 1 }, { generator = g }) * 0.6 + 0.7 + 0 * f
        local bright = plain + add
        local mean = bright:mean({ 2, 3, 4 }, { keepdim = true })
        assert.is_true(most(((bright - mean) * f + mean):clamp(-1, 1) - got) < 1e-5)
      end
    end
  end)

  it("leaves alpha and hidden colours alone", function()
    for _, c in ipairs { 2, 4 } do
      -- left half there, right half not; what is hidden behind it is bright in one set, dark in the other
      local function set(hidden)
        local colours = core.rand({ 7, 6, 6, c - 1 }, { generator = core.generator(1) }) * 255
        local seen = core.cat({ core.ones(7, 6, 3, 1), core.zeros(7, 6, 3, 1) }, 3)
        local x, captions = core.cat({ colours * seen + hidden * (1 - seen), seen * 255 }, 4):byte(), {}
        for i = 1, 7 do captions[i] = "x" end
        return dataset.new { images = x, captions = captions }
      end
      local all = { flip = true, shift = 0.2, scale = 0.2, rotate = 30, colour = 0.5 }
      assert.equal(first(set(0), all):to_string(), first(set(255), all):to_string())
      local got, plain = first(set(255), { colour = 0.5 }), first(set(0))
      assert.equal(0, most(got:narrow(4, c, 1) - plain:narrow(4, c, 1)))
      assert.equal(0, most(got:narrow(3, 4, 3) + 1))
      assert.is_true(most(got:narrow(3, 1, 3) - plain:narrow(3, 1, 3)) > 0.1)
      -- where alpha is below half a byte nothing is left
      local moved = first(set(255), all)
      local gone = moved:narrow(4, c, 1):lt(1 / 255 - 1)
      assert.equal(0, most(core.where(gone, moved + 1, core.zeros(1))))
    end
  end)

  it("colours what has alpha about the mean of what is to be seen", function()
    local set, derive = drawn(3, 4, 5, 4), require("laterna.data.seed").derive
    local g = core.generator(derive(derive(derive(5, 1), 1), 3))
    local add, saturation, contrast = core.rand({ 3 }, { generator = g }):totable(),
      core.rand({ 3 }, { generator = g }):totable(), core.rand({ 3 }, { generator = g }):totable()
    local plain, got = first(set):totable(), first(set, { colour = 0.4 }):totable()
    for i = 1, 3 do
      local sum, weight, pixels = 0, 0, {}
      for y = 1, 4 do
        for x = 1, 5 do
          local p, alpha, out = plain[i][y][x], (plain[i][y][x][4] + 1) / 2, {}
          for k = 1, 3 do out[k] = p[k] + 0.4 * (add[i] - 0.5) end
          local grey = (out[1] + out[2] + out[3]) / 3
          for k = 1, 3 do
            out[k] = (out[k] - grey) * (1 + 0.4 * (2 * saturation[i] - 1)) + grey
            sum, weight = sum + alpha * out[k], weight + alpha
          end
          pixels[#pixels + 1] = { out, got[i][y][x], alpha }
        end
      end
      for _, pixel in ipairs(pixels) do
        for k = 1, 3 do
          local v = (pixel[1][k] - sum / weight) * (1 + 0.2 * (2 * contrast[i] - 1)) + sum / weight
          v = pixel[3] < 0.5 / 255 and -1 or math.max(-1, math.min(1, v))
          assert.is_true(math.abs(v - pixel[2][k]) < 1e-5)
        end
      end
    end
  end)

  it("mirrors no picture whose caption says left or right", function()
    local captions, sided = {}, { "go LEFT", "right-hand glove", "the leftmost, please", "arrow:right" }
    for i = 1, 60 do captions[i] = i <= 40 and sided[i % 4 + 1] or "bright copyright leftovers" end
    local set = drawn(60, 3, 4, 1, captions)
    local plain = first(set)
    local function mirrored(augment, more)
      local out, x = {}, first(set, augment, more)
      for i = 1, 60 do
        if plain[i]:to_string() ~= x[i]:to_string() then out[#out + 1] = i end
      end
      return out
    end
    local list = mirrored { flip = true }
    assert.is_true(#list > 3 and list[1] > 40)
    assert.same(list, mirrored(nil, { flip = true }))
    -- the same draws, for other words
    local all = mirrored { flip = true, sides = {} }
    assert.is_true(#all > 18 and #all < 42)
    assert.same(list, table.move(all, #all - #list + 1, #all, 1, {}))
    for _, i in ipairs(mirrored { flip = true, sides = { "Bright" } }) do assert.is_true(i <= 40) end
  end)

  it("draws each kind by itself", function()
    local set = drawn(20, 6, 6, 3)
    local mirrored = first(set, { flip = true })
    assert.equal(mirrored:to_string(), first(set, { flip = true, shift = 0, colour = 0 }):to_string())
    -- where colours change by so little that nothing else can be seen
    local moved = first(set, { flip = true, rotate = 20 })
    local both = first(set, { flip = true, rotate = 20, colour = 1e-6 })
    assert.is_true(most(moved - both) < 1e-5)
    assert.is_true(most(moved - mirrored) > 0.1)
  end)

  it("goes on from a saved place with the same bits", function()
    local set = numbered(10)
    local options = { seed = 3, drop_last = false,
      augment = { flip = true, shift = 0.3, scale = 0.2, rotate = 45, colour = 0.3 } }
    for taken = 0, 7 do
      local it = set:batches(4, options)
      for _ = 1, taken do it:next() end
      local again = set:batches(4, options)
      again:load_state(it:state())
      for _ = 1, 4 do assert.equal(it:next().x:to_string(), again:next().x:to_string()) end
    end
  end)

  it("is part of what a saved place has to agree with", function()
    local set = numbered(10)
    local saved = set:batches(4, { seed = 1, augment = { flip = true, shift = 0.25, colour = 0.5 } }):state()
    assert.is_truthy(saved.make:find(", flipped, shift 0.25, colour 0.5", 1, true))
    for _, augment in ipairs { {}, { flip = true }, { flip = true, shift = 0.2, colour = 0.5 },
      { flip = true, shift = 0.25, colour = 0.5, rotate = 1 },
      { flip = true, shift = 0.25, colour = 0.5, sides = { "links" } } } do
      assert.error_matches(function() set:batches(4, { seed = 1, augment = augment }):load_state(saved) end,
        "shift 0.25, colour 0.5")
    end
    assert.is_truthy(set:batches(4, { augment = { flip = true, sides = { "links", "rechts" } } }):state().make
      :find(", flipped but for links/rechts", 1, true))
  end)

  it("refuses what it does not know", function()
    local set = numbered(10)
    for pattern, augment in pairs {
      ['#2 to \'batches\' %(unknown option "rotat", did you mean "rotate"'] = { rotat = 1 },
      ["shift: expected number from 0 to 0.5, got 0.6"] = { shift = 0.6 },
      ["scale: expected number from 0 to 0.5, got true"] = { scale = true },
      ["rotate: expected number from 0 to 180, got %-1"] = { rotate = -1 },
      ["colour: expected number from 0 to 1, got %-?nan"] = { colour = 0 / 0 },
      ["flip: expected boolean, got 1"] = { flip = 1 },
      ["sides: expected a list of words"] = { sides = { 1 } },
      ["augment: expected a table of changes, or a function, got true"] = true,
    } do
      assert.error_matches(function() set:batches(4, { augment = augment }) end, pattern)
    end
  end)
end)
