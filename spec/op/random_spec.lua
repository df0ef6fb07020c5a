-- Noise of which every picture has a stream of its own.
local core = require "laterna.core"
local fails = require "spec.support.fails"

describe("randn_each", function()
  it("gives each item its generator's numbers", function()
    for _, sizes in ipairs { { 3 }, { 16 }, { 5, 7, 3 } } do
      local generators, wanted = {}, {}
      for i = 1, 5 do
        generators[i] = core.generator(i)
        wanted[i] = core.randn(sizes, { generator = core.generator(i) })
      end
      local got = core.randn_each(generators, sizes)
      assert.equal(core.stack(wanted):to_string(), got:to_string())
      assert.same({ 5, table.unpack(sizes) }, got.shape)
      -- and goes on from there
      assert.is_not.equal(got:to_string(), core.randn_each(generators, table.unpack(sizes)):to_string())
    end
    assert.same({ 0, 2 }, core.randn_each({}, 2).shape)
  end)

  it("does not depend on threads", function()
    local before = core.threads()
    local function bits(threads)
      core.threads(threads)
      local generators = {}
      for i = 1, 9 do generators[i] = core.generator(i) end
      return core.randn_each(generators, 33):to_string()
    end
    local one, two = bits(1), bits(2)
    core.threads(before)
    assert(one == two)
  end)

  it("says what is wrong", function()
    local g = core.generator(1)
    fails("generators: item 2 is item 1 again", core.randn_each, { g, g }, { 2 })
    fails("generators: item 1: expected generator, got number", core.randn_each, { 1 }, { 2 })
    fails("bad argument #2 to 'randn_each' (sizes: expected table or numbers", core.randn_each, { g }, "x")
    fails("sizes: at most 7", core.randn_each, { g }, 1, 1, 1, 1, 1, 1, 1, 1)
    assert.has_error(function() core.randn_each({ g }, -1) end)
  end)
end)
