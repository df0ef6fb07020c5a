-- Positions of patches and times, against their formulas.

local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local position = nn.position

describe("positions", function()
  -- The paper's code for d = 8: get_2d_sincos_pos_embed(8, 2) has one frequency of 1 and one of 1/100 an axis, and the
  -- column first.
  it("that are fixed have the paper's numbers", function()
    local s, c, s2, c2 = 0.8414709848, 0.5403023059, 0.0099998333, 0.9999500004 -- sin 1, cos 1, sin 0.01, cos 0.01
    close(position.fixed(2, 2, 8), {
      0, 0, 1, 1, 0, 0, 1, 1,
      s, s2, c, c2, 0, 0, 1, 1,
      0, 0, 1, 1, s, s2, c, c2,
      s, s2, c, c2, s, s2, c, c2,
    }, 1e-6)
    assert.same({ 6, 12 }, position.fixed(2, 3, 12).shape)
  end)

  it("are spread by the steps", function()
    local fine = position.fixed(4, 6, 8, { 0.5, 0.5 })
    local coarse = position.fixed(2, 3, 8)
    for i = 0, 1 do
      for j = 0, 2 do close(fine[12 * i + 2 * j + 1], coarse[3 * i + j + 1]) end
    end
  end)

  local function turned(v, h, w)
    local x = v:view(1, 1, 1, 8):expand(1, h * w, 1, 8)
    return position.rotate(x:reshape(1, h * w, 1, 8), position.rotary(h, w, 8)):view(h, w, 8)
  end

  it("that are rotary leave the first place and every length as they are", function()
    local v = core.randn(8, { generator = core.generator(1) })
    local y = turned(v, 3, 4)
    close(y[1][1], v)
    local length = v:square():sum():item()
    for i = 1, 3 do
      for j = 1, 4 do assert.is_true(math.abs(y[i][j]:square():sum():item() - length) < 1e-4) end
    end
  end)

  it("that are rotary turn pairs by row and column", function()
    -- d = 8: pairs (k, k + 4); frequencies 1 and 1/10 of the row, then of the column
    local y = turned(core.tensor { 1, 1, 1, 1, 0, 0, 0, 0 }, 3, 4)[3][2]
    local angles = { 2, 0.2, 1, 0.1 }
    local want = {}
    for k, a in ipairs(angles) do want[k], want[k + 4] = math.cos(a), math.sin(a) end
    close(y, want, 1e-6)
  end)

  it("that are rotary show in scores by their difference only", function()
    local q = turned(core.randn(8, { generator = core.generator(1) }), 4, 5)
    local k = turned(core.randn(8, { generator = core.generator(2) }), 4, 5)
    local function score(i, j, a, b) return (q[i][j] * k[a][b]):sum():item() end
    assert.is_true(math.abs(score(1, 1, 2, 3) - score(3, 3, 4, 5)) < 1e-5)
    assert.is_true(math.abs(score(4, 2, 1, 5) - score(4, 1, 1, 4)) < 1e-5)
    assert.is_true(math.abs(score(1, 1, 2, 3) - score(1, 1, 3, 2)) > 1e-2) -- rows are not columns
    assert.is_true(math.abs(score(1, 1, 2, 3) - score(2, 3, 1, 1)) > 1e-2) -- nor is forth back
  end)

  it("pass over tokens that have none", function()
    local x = core.randn(2, 5, 3, 4, { generator = core.generator(1) })
    local y = position.rotate(x, position.rotary(1, 3, 4, nil, 2))
    close(y:narrow(2, 1, 2), x:narrow(2, 1, 2))
    close(y:narrow(2, 3, 3), position.rotate(x:narrow(2, 3, 3), position.rotary(1, 3, 4)))
  end)

  it("are refused where they make no sense", function()
    fails("bad argument #3 to 'fixed' (d: expected a multiple of 4, got 6)", position.fixed, 2, 2, 6)
    fails("bad argument #1 to 'rotary' (h: expected integer of at least 1, got 0)", position.rotary, 0, 2, 8)
    fails("steps: expected table or nil", position.fixed, 2, 2, 8, 3)
    fails("steps[2]: expected number, got nil", position.fixed, 2, 2, 8, { 1 })
  end)
end)

describe("nn.time_waves", function()
  it("are the cosines and sines of 1000 t", function()
    local want = {}
    for _, t in ipairs { 0, 0.25, 1 } do
      for _, wave in ipairs { math.cos, math.sin } do
        for k = 0, 2 do want[#want + 1] = wave(1000 * t * 10000 ^ (-k / 3)) end
      end
    end
    close(nn.time_waves(core.tensor { 0, 0.25, 1 }, 6), want, 1e-4)
  end)

  it("are refused where they make no sense", function()
    fails("d: expected an even number, got 3", nn.time_waves, core.zeros(2), 3)
    fails("t: expected (n), got 2 axes", nn.time_waves, core.zeros(2, 2), 4)
    fails("waves: expected an even number, got 5", nn.TimeEmbedding, 4, { waves = 5 })
  end)
end)
