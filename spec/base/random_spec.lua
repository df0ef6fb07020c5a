-- PyTorch's CPU streams, number by number. Derivation: torch.manual_seed(0), then the call named; PyTorch 1.13.1. The
-- four-digit values are those that PyTorch prints.
local core = require "laterna.core"

local function near(expected, t)
  local got = t:view(-1):totable()
  for i, v in ipairs(expected) do assert.near(v, got[i], 6e-5, "number " .. i) end
end

describe("random numbers", function()
  before_each(function() core.manual_seed(0) end)

  it("rand is the low 24 bits of mt19937's words", function()
    local words = { 2357136044, 2546248239, 3071714933 }
    local got = core.rand(3):totable()
    for i, w in ipairs(words) do assert.equal((w & 0xFFFFFF) / 2 ^ 24, got[i]) end
    core.manual_seed(0)
    near({ .4963, .7682, .0885, .1320, .3074, .6341, .4901, .8964 }, core.rand(8))
  end)

  it("randn of 16 and more", function()
    near({ -1.1258, -1.1524, -.2506, -.4339, .8487, .6920, -.3160, -2.1152, .3223, -1.2633, .3500, .3081, .1198, 1.2377,
           1.1168, -.2473 }, core.randn(16))
  end)

  it("randn whose length is no multiple of 16 draws its last block afresh", function()
    local x = core.randn(20)
    core.manual_seed(0)
    local u = core.rand(36) -- 20 uniforms, then 16 more for the last block
    local d = u[{ 21, 36 }]:totable()
    local got = x:totable()
    for j = 1, 8 do
      local r = math.sqrt(-2 * math.log(1 - d[j]))
      assert.near(r * math.cos(2 * math.pi * d[j + 8]), got[4 + j], 1e-5)
      assert.near(r * math.sin(2 * math.pi * d[j + 8]), got[12 + j], 1e-5)
    end
  end)

  it("randn of fewer than 16 takes the double path and keeps one value", function()
    near({ 1.5410, -.2934, -2.1788 }, core.randn(3))
    near({ .5684 }, core.randn(1)) -- the kept one: torch.randn(3), torch.randn(1)
  end)

  it("randperm and randint", function()
    assert.same({ 5, 1, 8, 4, 3, 6, 2, 7 }, core.randperm(8):totable()) -- torch.randperm(8) + 1
    core.manual_seed(0)
    near({ 4, 9, 3, 0, 3 }, core.randint(0, 9, { 5 })) -- torch.randint(0, 10, (5,))
  end)

  it("generators are independent, and continue from a saved state", function()
    local g, h = core.generator(0), core.generator(0)
    near({ .4963, .7682 }, core.rand(2, { generator = g }))
    core.rand(100)
    assert.near(.4963, h:uniform(), 6e-5)
    core.randn(3, { generator = g })
    local state = g:state()
    local a = core.randn(5, { generator = g }):totable()
    assert.same(a, core.randn(5, { generator = core.generator(9):set_state(state) }):totable())
    assert.has_error(function() g:set_state("short") end)
    assert.has_error(function() g:set_state(("\255"):rep(#state)) end)
    assert.has_error(function() g:set_state(("\0"):rep(#state)) end) -- from which nothing but zeros would come
    assert.has_error(function() g:set_state(state:sub(1, -9) .. string.pack("d", 0 / 0)) end)
    assert.has_error(function() g:set_state(state:sub(1, -9) .. string.pack("d", 1e9)) end)
  end)

  it("integer covers its range and no more", function()
    local g, seen = core.generator(1), {}
    for _ = 1, 200 do seen[g:integer(-1, 1)] = true end
    assert.same({ [-1] = true, [0] = true, [1] = true }, seen)
    assert.has_error(function() g:integer(2, 1) end)
  end)
end)
