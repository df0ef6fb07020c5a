-- Editing by noise: between, along, across; with anything that encodes and decodes.
local core = require "laterna.core"
local edit = require "laterna.edit"

local function far(a, b) return (a - b):abs():max():item() end
local function length(t) return t:flatten(2):square():sum(2):sqrt() end
local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

-- A generator whose noise is twice the picture.
local double = {
  encode = function(_, x) return (x * 2):flatten(2) end,
  sample = function(_, cond, o)
    return core.randn({ cond.n, 2, 2, 1 }, { generator = core.generator(o.seed) }) * o.temperature
  end,
  parts = function(_, z) return { z:narrow(2, 1, 1), z:narrow(2, 2, 2), z:narrow(2, 4, 1) } end,
  join = function(_, list) return core.cat(list, 2) end,
}

describe("edit.interpolate", function()
  before_each(function() core.manual_seed(4) end)

  it("starts at one and ends at the other, row by row", function()
    local a, b = core.randn(3, 2, 5), core.randn(3, 2, 5)
    for _, kind in ipairs { "spherical", "linear" } do
      local between = edit.interpolate(a, b, 4, { kind = kind })
      assert.same({ 12, 2, 5 }, between.shape)
      for i = 1, 3 do
        assert.is_true(far(between[4 * i - 3], a[i]) < 1e-5)
        assert.is_true(far(between[4 * i], b[i]) < 1e-5)
      end
    end
  end)

  it("keeps the length and the pace of the arc when spherical, not when linear", function()
    local a, b = core.tensor { { 3, 0, 0 } }, core.tensor { { 0, 3, 0 } }
    local arc = edit.interpolate(a, b, 4)
    assert.is_true(far(length(arc), core.full({ 4 }, 3)) < 1e-5)
    assert.near(3 * math.cos(math.pi / 6), arc[2][1]:item(), 1e-5)
    assert.near(3 * math.sqrt(0.5), length(edit.interpolate(a, b, 3, { kind = "linear" }))[2]:item(), 1e-5)
  end)

  it("goes straight where there is no arc", function()
    local a = core.randn(2, 6)
    assert.is_true(far(edit.interpolate(a, a * 3, 3)[2], a[1] * 2) < 1e-4)
    local opposite = edit.interpolate(a, -a, 5)
    assert.is_true((opposite - opposite):abs():max():item() == 0)
    assert.same({ 0, 0, 0, 0, 0, 0 }, edit.interpolate(a * 0, a * 0, 2)[1]:totable())
  end)
end)

describe("edit", function()
  before_each(function() core.manual_seed(4) end)

  it("finds what a word means, in any batch", function()
    local x = core.randn(40, 2, 2, 1) * 0.1
    local captions, want = {}, 0
    for i = 1, 40 do
      local red = i % 3 == 0
      captions[i] = red and "A Red, round star" or "a redder star"
      if red then
        want = want + 1
        x[i] = x[i] + core.tensor { { { 1 }, { 0 } }, { { 0 }, { 0 } } }
      end
    end
    local direction, count = edit.attribute(double, x, captions, "red", { batch = 7 })
    assert.equal(want, count)
    assert.same({ 1, 4 }, direction.shape)
    assert.is_true(far(direction, core.tensor { { 2, 0, 0, 0 } }) < 0.3)
    local with, without = {}, {}
    for i, caption in ipairs(captions) do
      local list = caption:find "Red" and with or without
      list[#list + 1] = x[i] * 2
    end
    local same = edit.direction(core.stack(with, 1):flatten(2), core.stack(without, 1):flatten(2))
    assert.is_true(far(direction, same) < 1e-5)
    assert.matches('word: no captions have "blue"', message(edit.attribute, double, x, captions, "blue"))
    assert.matches('word: all captions have "star"', message(edit.attribute, double, x, captions, "Star"))
  end)

  it("walks", function()
    local z, direction = core.randn(2, 3), core.randn(1, 3)
    local steps = edit.walk(z, direction, { -1, 0, 2 })
    assert.same({ 6, 3 }, steps.shape)
    assert.is_true(far(steps[1], z[1] - direction[1]) < 1e-6)
    assert.equal(0, far(steps[5], z[2]))
    assert.is_true(far(steps[6], z[2] + direction[1] * 2) < 1e-6)
  end)

  it("swaps parts", function()
    local a, b = core.tensor { { 1, 2, 3, 4 } }, core.tensor { { 5, 6, 7, 8 } }
    assert.same({ 1, 6, 7, 4 }, edit.swap(double, a, b, { 2 })[1]:totable())
    assert.same({ 5, 2, 3, 8 }, edit.swap(double, a, b, { 1, 3 })[1]:totable())
    assert.matches("which: expected integer from 1 to 3, got 4", message(edit.swap, double, a, b, { 4 }))
  end)

  it("sweeps temperatures with the same noise", function()
    local x = edit.temperatures(double, { n = 2 }, { 0, 1, 2 }, { seed = 5 })
    assert.same({ 6, 2, 2, 1 }, x.shape)
    assert.equal(0, x[4]:abs():max():item())
    assert.is_true(far(x[2] * 2, x[3]) < 1e-6)
    assert.is_true(far(x[2], x[5]) > 0.1)
  end)

  it("works with a flow, whose noise is the picture", function()
    local flow = require "laterna.flow"
    local size = { 4, 4, 1 }
    local model = flow { net = flow.Glow { size = size, hidden = 8, steps = 1 }, size = size }
    local x = ((core.rand(2, 4, 4, 1) * 255):floor() * (2 / 255)) - 1
    local z = model:encode(x)
    assert.is_true(far(model:decode(edit.swap(model, z, z, { 1 })), x) < 1e-5)
    local between = model:decode(edit.interpolate(z[{ 1, 1 }], z[{ 2, 2 }], 3))
    assert.is_true(far(between[1], x[1]) < 1e-5)
    assert.same({ 4, 4, 4, 1 }, edit.temperatures(model, { n = 2 }, { 0.5, 1 }).shape)
  end)

  it("says what does not fit", function()
    assert.matches("generator: expected a model with encode, got 3", message(edit.attribute, 3, core.ones(1, 2)))
    local one, two = core.ones(1, 2), core.ones(2, 2)
    assert.matches("generator: expected a model with parts, got table", message(edit.swap, {}, one, one, { 1 }))
    assert.matches("z2: expected %(1,2%), got %(1,3%)", message(edit.interpolate, core.ones(1, 2), core.ones(1, 3)))
    assert.matches("direction: expected %(1,2%), got %(3,2%)", message(edit.walk, two, core.ones(3, 2), { 1 }))
    assert.matches("amounts: expected at least one", message(edit.walk, two, one, {}))
    assert.matches("without: expected %(m,2%)", message(edit.direction, core.ones(2, 2), core.ones(1, 3)))
  end)

  it("says what a model of one's own returns in place of a tensor", function()
    local function nothing() end
    local mine = { sample = nothing, encode = nothing, parts = nothing, join = nothing }
    local two, words = core.ones(2, 2), { "a", "b" }
    assert.matches("generator:sample returns: expected tensor, got nil", message(edit.temperatures, mine, {}, { 1 }))
    assert.matches("generator:encode returns: expected tensor, got nil", message(edit.attribute, mine, two, words, "a"))
    assert.matches("flow:parts returns: expected table, got nil", message(edit.swap, mine, two, two, { 1 }))
    mine.encode = function(_, x) return x[{ 1, 1 }] end
    assert.matches("generator:encode returns: expected 2 rows, got 1", message(edit.attribute, mine, two, words, "a"))
  end)
end)
