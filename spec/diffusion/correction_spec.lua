-- What is done to guesses of the picture.
local core = require "laterna.core"
local correction = require "laterna.diffusion.correction"

describe("correction", function()
  local x = core.tensor({ -3, -0.5, 0.25, 2 }):view(1, 2, 2, 1)

  it("clips, but not latents unless asked", function()
    assert.same({ -1, -0.5, 0.25, 1 }, correction.range("f", 2, {}, false)(x):flatten():totable())
    assert.same({ -1, -0.5, 0.25, 1 }, correction.range("f", 2, { clip = true }, true)(x):flatten():totable())
    assert.is_nil(correction.range("f", 2, {}, true))
    assert.is_nil(correction.range("f", 2, { clip = false }, false))
  end)

  it("divides by a quantile of the absolute values where that is over 1", function()
    local threshold = correction.range("f", 2, { threshold = 1 }, false)
    local got = threshold(core.cat { x, x * 0.25 }):flatten():totable()
    for i, v in ipairs { -1, -0.5 / 3, 0.25 / 3, 2 / 3, -0.75, -0.125, 0.0625, 0.5 } do assert.near(v, got[i], 1e-6) end
    assert.has_error(function() correction.range("f", 2, { threshold = 1, clip = true }, false) end,
      "bad argument #2 to 'f' (clip: expected false or nil beside threshold)")
  end)

  it("puts the known part in its place", function()
    local mask, picture = core.tensor({ 1, 0, 0, 1 }):view(1, 2, 2, 1), core.full({ 1, 2, 2, 1 }, 0.1)
    local keep = correction.known(mask, picture)
    assert.same((x * mask + picture * (1 - mask)):totable(), keep(x):totable())
    local clip = correction.range("f", 2, {}, false)
    assert.same(keep(x:clamp(-1, 1)):totable(), correction.both(clip, keep)(x):totable())
    assert.equal(keep, correction.both(nil, keep))
    assert.equal(keep, correction.both(keep, nil))
  end)

  it("shrinks a mask so that every hole stays open", function()
    local mask = core.zeros(1, 4, 4, 1)
    mask[1][2][3][1] = 1
    assert.same({ { { { 0 }, { 1 } }, { { 0 }, { 0 } } } }, correction.shrink("f", mask, 2, 2):totable())
    assert.equal(mask, correction.shrink("f", mask, 4, 4))
    assert.has_error(function() correction.shrink("f", mask, 3, 2) end)
    assert.has_error(function() correction.shrink("f", mask, 8, 8) end)
  end)
end)
