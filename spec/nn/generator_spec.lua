-- Generators of a GAN: shapes for any sides and options, the scale they start with, and what they hear.

local core = require "laterna.core"
local denoiser = require "spec.support.denoiser"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"

local function tiny(o)
  local all = { size = 8, channels = 1, width = 4, multipliers = { 1, 2 }, heads = 2, detail = 3 }
  for key, value in pairs(o or {}) do all[key] = value end
  return nn.Generator(all)
end

local function noise(n, d) return core.randn(n, d or 3, { generator = core.generator(1) }) end

-- As denoisers are called, for the helpers.
local function called(net)
  return setmetatable({}, {
    __call = function(_, z, _, cond) return net(z, cond) end,
    __index = function(_, name) return function(_, ...) return net[name](net, ...) end end,
  })
end

describe("nn.Generator", function()
  before_each(function() core.manual_seed(31) end)

  it("paints pictures of any size", function()
    for _, case in ipairs {
      { {}, 8, 8, 1 }, { { size = 28, multipliers = { 1, 2, 4 }, channels = 3 }, 28, 28, 3 },
      { { size = 32 }, 32, 32, 1 },
      { { size = { 7, 10 }, blocks = { 0, 2 } }, 7, 10, 1 }, { { size = 1, multipliers = { 2 } }, 1, 1, 1 },
      { { caption = "concat" }, 8, 8, 1 }, { { block = "dcgan" }, 8, 8, 1 },
      { { block = "dcgan", size = { 9, 7 }, channels = 3 }, 9, 7, 3 }, { { block = "dcgan", size = 28 }, 28, 28, 1 },
    } do
      local o, h, w, c = table.unpack(case)
      assert.same({ 2, h, w, c }, denoiser.shake(tiny(o))(noise(2)).shape)
    end
  end)

  it("starts with pictures about as bright as those in [-1,1] #slow", function()
    for _, o in ipairs { { width = 16, size = 28, multipliers = { 1, 2, 4 }, blocks = 1 },
      { width = 16, size = 28, multipliers = { 1, 2, 4 }, blocks = 4 }, { width = 32, size = 32, text = 6 } } do
      local scale = tiny(o)(noise(64), o.text and denoiser.condition(64, 3, 6) or nil):square():mean():sqrt():item()
      assert.is_true(scale > 0.2 and scale < 1.5, scale)
    end
    local y = tiny { block = "dcgan", size = 28 }(noise(64))
    assert.is_true(y:abs():max():item() < 1)
  end)

  it("has as many parameters as its layers need", function()
    local function count(o)
      local n = 0
      for _, p in ipairs(tiny(o):parameters()) do n = n + p:numel() end
      return n
    end
    -- hidden 3 -> 8; start 8 -> 8; basis 4 x 4 x 8; blocks as the critic's; narrowing 8 -> 4; output 4 -> 1
    local blocks = (4 * 8 + 8) + (9 * 8 * 8 + 8) + 8 * 4 + (8 * 16 + 16) + (9 * 16 * 16 + 16) + 16 * 8
    local all = (3 * 8 + 8) + 8 * 8 + 4 * 4 * 8 + blocks + 8 * 4 + 4
    assert.equal(all, count { caption = "concat" })
    assert.equal(all + (8 + 1) * 2 * 8 + (8 + 1) * 2 * 16, count())
    -- hidden; start 8 -> 2 x 2 x 8; norms; 4 x 4 convolutions 8 -> 4 -> 1 and the last one's bias
    assert.equal((3 * 8 + 8) + 8 * 32 + 2 * 8 + 16 * 8 * 4 + 2 * 4 + 16 * 4 + 1, count { block = "dcgan" })
  end)

  it("trains every parameter", function()
    local cond = denoiser.condition(3, 4, 6)
    assert.same({}, denoiser.dead(called(tiny { text = 6, caption = "cross" }), noise(3), nil, cond))
    assert.same({}, denoiser.dead(called(tiny { caption = "concat" }), noise(3)))
    assert.same({}, denoiser.dead(called(tiny { text = 6, block = "dcgan" }), noise(3), nil, cond))
    assert.same({}, denoiser.dead(called(tiny { text = 6, detail = 0 }), nil, nil, cond))
  end)

  it("hears the noise, the caption's vector, and with cross-attention its tokens", function()
    local cond, other = denoiser.condition(2, 3, 6), denoiser.condition(2, 3, 6, { seed = 4 })
    for _, o in ipairs { { text = 6 }, { text = 6, caption = "concat" }, { text = 6, caption = "cross" },
      { text = 6, block = "dcgan" } } do
      local net = denoiser.shake(tiny(o))
      local y = net(noise(2), cond)
      assert.is_true(denoiser.apart(y, net(noise(2) * 0.5, cond)) > 1e-4)
      assert.is_true(denoiser.apart(y, net(noise(2), { pooled = other.pooled, tokens = cond.tokens })) > 1e-4)
      local heard = denoiser.apart(y, net(noise(2), { pooled = cond.pooled, tokens = other.tokens }))
      assert.equal(o.caption == "cross", heard > 1e-6)
      assert.equal(0, denoiser.apart(net(noise(2)), net(noise(2), { pooled = core.zeros(2, 6) })))
    end
  end)

  it("modulates every block, and with concat only the start hears", function()
    local function told(o)
      local n = 0
      for name in tiny(o):named_parameters() do n = n + (name:find "film.weight" and 1 or 0) end
      return n
    end
    assert.equal(5, told { blocks = { 2, 3 } })
    assert.equal(0, told { blocks = { 2, 3 }, caption = "concat" })
  end)

  it("paints without noise, from the caption alone", function()
    local net, cond = denoiser.shake(tiny { detail = 0, text = 6 }), denoiser.condition(2, 3, 6)
    local y = net(nil, cond)
    assert.same({ 2, 8, 8, 1 }, y.shape)
    assert.equal(0, denoiser.apart(y, net(nil, cond)))
    assert.is_true(denoiser.apart(y[1], y[2]) > 1e-4)
    fails("bad argument #1 to 'Generator' (z: expected nil, for detail is 0, got tensor)", net, noise(2), cond)
    fails("bad argument #2 to 'Generator' (cond.pooled: this generator paints from the caption alone)", net)
    fails("there is nothing to paint from", tiny, { detail = 0 })
  end)

  it("passes over padding, and each picture hears its own caption", function()
    denoiser.passes_over_padding(called(denoiser.shake(tiny { text = 6, caption = "cross" })), noise(2), nil, 1e-5)
  end)

  it("has the gradients that differences show", function()
    local net = denoiser.shake(tiny { text = 3, caption = "cross", size = { 4, 3 }, width = 2, heads = 1 })
    local cond = denoiser.condition(2, 2, 3)
    assert.is_true(gradcheck.check(function(z, tokens, pooled)
      return net(z, { tokens = tokens, mask = cond.mask, pooled = pooled })
    end, { noise(2), cond.tokens, cond.pooled }, { tolerance = 4e-3, h = 0.004 }))
  end)

  it("is all in its state", function()
    denoiser.is_in_its_state(function(o)
      o.caption = "cross"
      return called(tiny(o))
    end, noise(2))
  end)

  it("refuses in words", function()
    local net = tiny { text = 6 }
    fails("bad argument #1 to 'Generator' (z: expected (n,3), got (2,4))", net, noise(2, 4))
    fails("bad argument #1 to 'Generator' (z: expected tensor, got nil)", net, nil, denoiser.condition(2, 3, 6))
    fails("bad argument #2 to 'Generator' (cond.pooled: expected (2,6), got (3,6))", net, noise(2),
      denoiser.condition(3, 3, 6))
    fails("cond: expected table or nil", net, noise(2), "a bag")
    fails("caption: dcgan takes it at the start only, \"concat\", got \"cross\"", tiny,
      { block = "dcgan", text = 6, caption = "cross" })
    fails("caption: \"cross\" needs the option text", tiny, { caption = "cross" })
    fails("heads: expected a divisor", tiny, { text = 6, caption = "cross", heads = 3 })
    fails("size: 2 cannot be halved 2 times", tiny, { size = 2, multipliers = { 1, 1, 1 } })
    fails("unknown option \"levels\"", tiny, { levels = 1 })
  end)
end)
