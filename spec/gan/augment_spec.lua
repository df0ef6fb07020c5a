-- Augmentation: what each kind does, that gradients pass through it, and how the adaptive one adapts.
local Augment = require "laterna.gan.augment"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gan = require "laterna.gan"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"
local kinds = Augment.kinds

local function generator(seed) return core.generator(seed or 1) end

local function apply(kind, x, seed)
  return kind(x.shape, generator(seed))(x)
end

local function near(a, b, tolerance)
  assert.same(a.shape, b.shape)
  assert.is_true((a - b):abs():max():item() <= (tolerance or 1e-5))
end

-- Picture i of x moved, pixel by pixel: y[r][c] = x[r + dr][c + dc], 0 outside.
local function moved(x, dr, dc)
  local y = core.zeros(x.shape)
  for r = 1, x:size(1) do
    for c = 1, x:size(2) do
      if r + dr >= 1 and r + dr <= x:size(1) and c + dc >= 1 and c + dc <= x:size(2) then
        y[r][c] = x[r + dr][c + dc]
      end
    end
  end
  return y
end

describe("kinds of augmentation", function()
  local x
  before_each(function() x = core.randn(6, 5, 8, 2, { generator = generator(9) }) end)

  it("brightness adds one number to each picture, from +-1/2", function()
    local d = apply(kinds.brightness(), x) - x
    local seen = {}
    for i = 1, 6 do
      local lo, hi = d[i]:min():item(), d[i]:max():item()
      assert.is_true(hi - lo < 1e-6 and math.abs(hi) <= 0.5)
      seen[("%.4f"):format(hi)] = true
    end
    assert.is_truthy(next(seen, next(seen)))
    local many = apply(kinds.brightness(0.2), core.zeros(2000, 1, 1, 1))
    assert.near(0, many:mean():item(), 0.005)
    assert.near(0.2 / 12 ^ 0.5, many:std():item(), 0.003)
  end)

  it("contrast keeps a picture's mean, saturation a pixel's, and both scale what is left", function()
    for name, axes in pairs { contrast = { 2, 3, 4 }, saturation = 4 } do
      local y = apply(kinds[name](), x)
      local m = x:mean(axes, { keepdim = true })
      near(y:mean(axes, { keepdim = true }), m)
      local f = (y - m):flatten(2):norm(2) / (x - m):flatten(2):norm(2)
      near((x - m) * f:view(6, 1, 1, 1) + m, y, 1e-4)
      assert.is_true(f:max():item() - f:min():item() > 0.05)
    end
    local grey = core.randn(2, 3, 3, 1)
    assert.same(grey:totable(), apply(kinds.saturation(), grey):totable())
  end)

  it("translation moves by whole pixels, as far as it may, and fills with 0 #slow", function()
    local found, far = {}, { 0, 0 }
    for seed = 1, 12 do
      local y = apply(kinds.translation(0.25), x, seed) -- at most 1 row, 2 columns
      for i = 1, 6 do
        local matches = 0
        for dr = -1, 1 do
          for dc = -2, 2 do
            if (moved(x[i], dr, dc) - y[i]):abs():max():item() < 1e-6 then
              matches = matches + 1
              found[dr .. "," .. dc] = true
              far = { math.max(far[1], math.abs(dr)), math.max(far[2], math.abs(dc)) }
            end
          end
        end
        assert.equal(1, matches)
      end
    end
    assert.same({ 1, 2 }, far)
    local count = 0
    for _ in pairs(found) do count = count + 1 end
    assert.is_true(count >= 13, count .. " of 15 ways")
    local grey = x:narrow(4, 1, 1):reshape(6, 5, 8, 1) -- one channel goes another way, to the same end
    near(apply(kinds.translation(0.25), grey, 3), apply(kinds.translation(0.25), x, 3):narrow(4, 1, 1), 1e-6)
  end)

  it("scale leaves the middle where it is and is a translation of nothing at deviation 0", function()
    near(apply(kinds.scale(0), x), x, 1e-6)
    local dot = core.zeros(4, 7, 7, 1)
    for i = 1, 4 do dot[i][4][4] = 1 end
    local y = apply(kinds.scale(0.5), dot)
    for i = 1, 4 do assert.near(1, y[i][4][4]:item(), 1e-5) end
    -- a ramp through the middle is scaled by the factor: values x -> f x
    local ramp = core.arange(-4, 4):view(1, 1, 9, 1):expand(4, 9, 9, 1)
    local wide = apply(kinds.scale(0.3), ramp)
    for i = 1, 4 do
      local f = wide[i][5][6]:item()
      assert.near(-f, wide[i][5][4]:item(), 1e-5)
      assert.is_true(math.abs(f - 1) > 1e-3)
      if f < 1.3 then assert.near(3 * f, wide[i][5][8]:item(), 1e-4) end
    end
  end)

  it("flip swaps left and right in about half of the pictures", function()
    local many = core.randn(200, 2, 3, 1)
    local y, turned = apply(kinds.flip(), many), 0
    local back = many:flip(3)
    for i = 1, 200 do
      local same = (y[i] - many[i]):abs():max():item() == 0
      turned = turned + (same and 0 or 1)
      assert.same((same and many or back)[i]:totable(), y[i]:totable())
    end
    assert.is_true(turned > 70 and turned < 130, turned)
  end)

  it("cutout sets a rectangle of half the sides to 0, at the border a part of it", function()
    local most, least = 0, 100
    for seed = 1, 10 do
      local y = apply(kinds.cutout(), core.ones(6, 6, 8, 2), seed)
      for i = 1, 6 do
        local rows, columns = y[i]:mean({ 2, 3 }):lt(1):sum():item(), y[i]:mean({ 1, 3 }):lt(1):sum():item()
        assert.near(2 * (48 - rows * columns), y[i]:sum():item(), 1e-4)
        most, least = math.max(most, rows * columns), math.min(least, rows * columns)
      end
    end
    assert.equal(12, most)
    assert.is_true(least >= 2 and least < 12)
  end)

  it("let gradients of first and second order through #slow", function()
    for _, c in ipairs { 1, 2 } do
      local small = core.randn(2, 4, 5, c, { generator = generator(4) })
      for _, kind in pairs(kinds) do
        local f = kind()({ 2, 4, 5, c }, generator(2))
        gradcheck.check(f, { small:clone() }, { tolerance = 2e-3 })
        gradcheck.check(function(y) return f(y):square() end, { small:clone() }, { second = true, tolerance = 5e-3 })
      end
    end
  end)
end)

describe("augment", function()
  it("draws anew each time, the same for pictures that are given together", function()
    core.manual_seed(1)
    local augment, x = Augment(), core.randn(4, 6, 6, 3)
    local a, b = augment(x), augment(x)
    assert.is_true((a - b):abs():max():item() > 0.1)
    local c, d = augment(x, x * 0.5)
    assert.is_true((c - d):abs():max():item() > 0.01)
    local e, f = augment(x, x:clone())
    assert.same(e:totable(), f:totable())
    local one, two = Augment { generator = generator(5) }, Augment { generator = generator(5) }
    assert.same(one(x):totable(), two(x):totable())
  end)

  it("does each kind with probability p, and leaves the rest untouched", function()
    core.manual_seed(2)
    local function add(k)
      return function(shape) return function(x) return x + core.full({ shape[1], 1, 1, 1 }, k) end end
    end
    local augment, counts = Augment { p = 0.3, kinds = { add(1), add(2) } }, { [0] = 0, 0, 0, 0 }
    for _, v in augment(core.zeros(2000, 1, 1, 1)):view(2000):rows() do
      counts[math.tointeger(v:item())] = counts[math.tointeger(v:item())] + 1
    end
    for k, part in pairs { [0] = 0.49, 0.21, 0.21, 0.09 } do assert.near(part, counts[k] / 2000, 0.035) end
    local x = core.randn(2, 3, 3, 1)
    assert.equal(x, Augment { p = 0 }(x))
  end)

  it("adapts: p rises while real scores are above 0 too often, falls when they are not, and stays in [0,1]", function()
    local augment = Augment { adaptive = true, length = 100, every = 2, kinds = { "flip" } }
    local sure, unsure = core.ones(10), core.tensor { 1, 1, 1, 1, 1, 1, -1, -1, -1, -1 }
    assert.equal(0, (augment:update(sure)))
    assert.near(0.2, (augment:update(sure)), 1e-6)
    for _ = 1, 4 do augment:update(sure) end
    local p, r = augment:update(unsure)
    assert.near(0.6, p, 1e-6)
    assert.near(0.2, r, 1e-6)
    p, r = augment:update(sure) -- mean of signs (2 + 10) / 20 = target: no way to go
    assert.near(0.6, r, 1e-6)
    assert.near(0.6, p, 1e-6)
    for _ = 1, 20 do augment:update(unsure) end
    assert.equal(0, augment.p:item())
    for _ = 1, 20 do augment:update(sure) end
    assert.equal(1, augment.p:item())
    local fixed = Augment { p = 0.5 }
    for _ = 1, 8 do assert.equal(0.5, (fixed:update(sure))) end
  end)

  it("keeps p in its state", function()
    local augment = Augment { adaptive = true, length = 100, every = 3 }
    for _ = 1, 4 do augment:update(core.ones(7)) end
    local other = Augment { adaptive = true, length = 100, every = 3 }
    other:load_state(augment:state())
    assert.same({ augment:update(core.ones(7)) }, { other:update(core.ones(7)) })
    for _ = 1, 2 do assert.same({ augment:update(core.ones(7)) }, { other:update(core.ones(7)) }) end
    assert.near(0.42, other.p:item(), 1e-6)
    assert.same({}, augment:parameters())
  end)

  it("hears from lt.gan how sure the critic is, and is saved with it", function()
    local Net = nn.class("Net", function(self, sure) self.w, self.sure = core.ones(1), sure end)
    function Net:forward(x) return x:mean { 2, 3, 4 } * self.w * 0.01 + (x:mean():item() > 0 and self.sure or -1) end
    local Painter = nn.class("Painter", function(self) self.w = core.full({ 1 }, -0.5) end)
    function Painter:forward(z) return core.zeros(z:size(1), 2, 2, 1) + self.w end
    local function game(augment)
      return gan { generator = Painter(), critic = gan.Critic { net = Net(1) }, detail = 1, augment = augment,
                   loss = "hinge" }
    end
    local augment = Augment { adaptive = true, every = 2, length = 16, kinds = { "flip" } }
    local model = game(augment)
    for _ = 1, 4 do model:critic_loss(core.ones(4, 2, 2, 1)) end
    assert.equal(1, augment.p:item())
    local other = game(Augment { adaptive = true, kinds = { "flip" } })
    other:load_state(model:state())
    assert.equal(1, other.augmentation.p:item())
  end)

  it("says what it cannot use", function()
    fails("bad argument #1 to 'augment' (kinds: expected a list of kinds", Augment, { kinds = { "colour", "rot" } })
    fails("bad argument #1 to 'augment' (x: expected float32 (n,h,w,c), got float32 (2,3))", Augment(), core.ones(2, 3))
    fails("bad argument #2 to 'augment' (x: expected (1,2,2,1) as before, got (2,2,2,1))", Augment(),
      core.ones(1, 2, 2, 1), core.ones(2, 2, 2, 1))
    fails("bad argument #1 to 'augment' (x: expected float32 (n,h,w,c), got float32 (1))",
      Augment { kinds = { function() return function() return core.ones(1) end end } }, core.ones(1, 2, 2, 1))
    fails("bad argument #1 to 'update' (scores: they are not all finite)", Augment().update, Augment(),
      core.tensor { 0 / 0 })
    fails("bad argument #1 to 'translation' (ratio: expected number from 0 to 1, got 2)", kinds.translation, 2)
  end)
end)
