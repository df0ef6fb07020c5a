-- The U-Net: shapes for any sides and options, a start at zero, no dead parameter, and that what it is told matters.

local core = require "laterna.core"
local denoiser = require "spec.support.denoiser"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"

local function tiny(o)
  local all = { channels = 1, width = 4, multipliers = { 1, 2 }, blocks = 1, heads = 2 }
  for key, value in pairs(o or {}) do all[key] = value end
  return nn.UNet(all)
end

local pictures = denoiser.pictures

describe("nn.UNet", function()
  before_each(function() core.manual_seed(11) end)

  it("gives pictures of the size it gets, odd sides too", function()
    for _, case in ipairs {
      { {}, 8, 8, 1 }, { {}, 7, 10, 1 }, { { channels = 3 }, 9, 5, 3 }, { { blocks = 2, width = 6 }, 8, 8, 1 },
      { { multipliers = { 2 } }, 5, 5, 1 }, { { multipliers = { 1, 2, 3, 1 } }, 27, 9, 1 },
      { { size = 8, attention = { 8, 4 } }, 8, 8, 1 }, { { attention = {} }, 8, 8, 1 }, { { dropout = 0.5 }, 8, 8, 1 },
    } do
      local o, h, w, c = table.unpack(case)
      local net = denoiser.shake(tiny(o))
      local y = net(pictures(2, h, w, c))
      assert.same({ 2, h, w, c }, y.shape)
      assert.is_true(y:abs():max():item() < 1e4)
    end
    local x, t = pictures(2, 8, 8, 3)
    assert.same({ 2, 8, 8, 6 }, tiny { channels = 3, out_channels = 6 }(x, t).shape)
  end)

  it("starts with zeros for an answer", function()
    local x, t = pictures(2, 8, 8, 1)
    local y = tiny { text = 6 }(x, t, denoiser.condition(2, 3, 6))
    assert.equal(0, y:abs():max():item())
  end)

  it("trains every parameter", function()
    local x, t = pictures(3, 8, 8, 1)
    local net = tiny { text = 6, detail = 2, size = 8, attention = { 4, 8 } }
    assert.same({}, denoiser.dead(net, x, t, denoiser.condition(3, 4, 6, { detail = 2 })))
    assert.same({}, denoiser.dead(tiny(), x, t))
  end)

  it("hears the time, the caption's vector and tokens, and the detail", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = denoiser.shake(tiny { text = 6, detail = 2 })
    local cond = denoiser.condition(2, 3, 6, { detail = 2 })
    local other = denoiser.condition(2, 3, 6, { detail = 2, seed = 10 })
    local y = net(x, t, cond)
    assert.is_true(denoiser.apart(y, net(x, t * 0.5, cond)) > 1e-3)
    for _, key in ipairs { "tokens", "pooled", "detail" } do
      local changed = {}
      for k, v in pairs(cond) do changed[k] = k == key and other[k] or v end
      assert.is_true(denoiser.apart(y, net(x, t, changed)) > 1e-4, key)
      changed[key] = nil
      assert.is_true(denoiser.apart(y, net(x, t, changed)) > 1e-4, "no " .. key)
    end
  end)

  it("looks at no token without cross-attention", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = denoiser.shake(tiny { text = 6, cross = false })
    local cond = denoiser.condition(2, 3, 6)
    assert.equal(0, denoiser.apart(net(x, t, cond), net(x, t, { pooled = cond.pooled })))
  end)

  it("passes over padding, and each picture hears its own caption", function()
    local x, t = pictures(2, 8, 8, 1)
    denoiser.passes_over_padding(denoiser.shake(tiny { text = 6 }), x, t, 1e-6)
  end)

  it("takes no condition for a condition that says nothing", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = denoiser.shake(tiny { text = 6, detail = 2 })
    local y = net(x, t)
    assert.equal(0, denoiser.apart(y, net(x, t, {})))
    assert.equal(0, denoiser.apart(y, net(x, t, { pooled = core.zeros(2, 6), detail = core.zeros(2, 2) })))
  end)

  it("has attention where it was asked for", function()
    local function count(o)
      local n = 0
      for _, m in tiny(o):named_modules() do n = n + (getmetatable(m).__name == "SpatialAttention" and 1 or 0) end
      return n
    end
    assert.equal(3, count())                                              -- down, middle, up of the last level
    assert.equal(1, count { attention = {} })
    assert.equal(3, count { size = 9, attention = { 9 } })
    assert.equal(5, count { size = 9, attention = { 9, 5 } })
  end)

  it("drops in training only", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = denoiser.shake(tiny { dropout = 0.5 })
    assert.is_true(denoiser.apart(net(x, t), net(x, t)) > 1e-3)
    net:eval()
    assert.equal(0, denoiser.apart(net(x, t), net(x, t)))
  end)

  it("has the gradients that differences show #slow", function()
    local x, t = pictures(2, 4, 3, 1)
    local net = denoiser.shake(tiny { width = 2, heads = 1, text = 3 })
    local cond = denoiser.condition(2, 2, 3)
    assert.is_true(gradcheck.check(function(z, tokens, pooled)
      return net(z, t, { tokens = tokens, mask = cond.mask, pooled = pooled })
    end, { x, cond.tokens, cond.pooled }, { tolerance = 2e-3 }))
  end)

  it("is all in its state", function()
    denoiser.is_in_its_state(tiny, pictures(2, 8, 8, 1))
  end)

  it("refuses in words", function()
    local x, t = pictures(2, 8, 8, 1)
    local net = tiny { text = 6, multipliers = { 1, 1, 1 } }
    fails("bad argument #1 to 'UNet' (x: expected (n,h,w,1), got (2,8,8,3))", net, core.zeros(2, 8, 8, 3), t)
    fails("bad argument #1 to 'UNet' (x: sides of at least 4 for 3 levels, got (2,8,3,1))", net,
      core.zeros(2, 8, 3, 1), t)
    fails("bad argument #2 to 'UNet' (t: expected (2), a time a picture, got (3))", net, x, core.zeros(3))
    fails("t: expected tensor, got 0.5", net, x, 0.5)
    fails("bad argument #3 to 'UNet' (cond.pooled: expected (2,6), got (2,5))", net, x, t,
      { pooled = core.zeros(2, 5) })
    fails("cond.tokens: expected (2,l,6), got (2,6)", net, x, t, { tokens = core.zeros(2, 6) })
    fails("cond.mask: expected (2,3), got (2,4)", net, x, t, { tokens = core.zeros(2, 3, 6), mask = core.zeros(2, 4) })
    fails("cond.detail: this network was made without the option detail", net, x, t, { detail = core.zeros(2, 1) })
    fails("cond.pooled: this network was made without the option text", tiny(), x, t, { pooled = core.zeros(2, 6) })
    fails("cond: expected table or nil", net, x, t, "a bag")
    fails("attention: no feature map has side 8; with size 28 the sides are 28, 14", tiny, { attention = { 8 } })
    fails("heads: expected a divisor of the channels at attention (8), got 3", tiny, { heads = 3 })
    fails("multipliers: expected 1 to 12 levels, got 0", tiny, { multipliers = {} })
    fails("multipliers: expected a list of integers from 1", tiny, { multipliers = { 1, 0 } })
    fails("unknown option \"attn\"", tiny, { attn = true })
  end)
end)
