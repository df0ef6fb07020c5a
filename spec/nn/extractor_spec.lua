-- The extractor net: what it heeds, and what it refuses.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"

local SHAPE = { size = 8, channels = 3, width = 4, levels = 1, detail = 3, text = 4, heads = 2 }

-- Weights away from the zeros that attention begins with.
local function shaken()
  local net = nn.Extractor(SHAPE)
  for _, p in ipairs(net:parameters()) do core.no_grad(p.add_, p, core.randn(p.shape) * 0.2) end
  return net
end

local function told(n)
  local mask = core.ones(n, 5)
  for l = 4, 5 do mask[1][l] = 0 end
  return { tokens = core.randn(n, 5, 4), mask = mask, pooled = core.randn(n, 4) }
end

local function far(a, b) return (a - b):abs():max():item() end

describe("nn.Extractor", function()
  before_each(function() core.manual_seed(2) end)

  it("writes mu and logvar of every coordinate, or as many numbers as asked", function()
    assert.same({ 2, 6 }, nn.Extractor(SHAPE)(core.randn(2, 8, 8, 3), told(2)).shape)
    local plain = nn.Extractor { size = 8, width = 4, levels = 2, detail = 5, outputs = 1 }
    assert.same({ 3, 5 }, plain(core.randn(3, 8, 8, 1)).shape)
  end)

  it("heeds the words, each of them, and the pooled vector, and passes over padding", function()
    local net, x, said = shaken(), core.randn(2, 8, 8, 3), told(2)
    local out = net(x, said)
    local words = { tokens = said.tokens:clone(), mask = said.mask, pooled = said.pooled }
    words.tokens[2][5][1] = 3
    local other = net(x, words)
    assert.is_true(far(other[2], out[2]) > 1e-4)
    assert.equal(0, far(other[1], out[1]))
    words.tokens = said.tokens:clone()
    words.tokens[1][5][1] = 3
    assert.is_true(far(net(x, words), out) < 1e-5)
    assert.is_true(far(net(x, { tokens = said.tokens, mask = said.mask, pooled = said.pooled * 2 }), out) > 1e-4)
  end)

  it("sends gradients to picture and words #slow", function()
    local net, said = shaken(), told(1)
    gradcheck.check(function(x, tokens)
      return net(x, { tokens = tokens, mask = said.mask, pooled = said.pooled })
    end, { core.randn(1, 8, 8, 3), said.tokens })
  end)

  it("refuses what does not fit", function()
    local net = nn.Extractor(SHAPE)
    fails("x: expected (n,8,8,3), got (2,8,8,1)", net, core.randn(2, 8, 8, 1))
    fails("told: expected {tokens, mask, pooled}, got nil", net, core.randn(2, 8, 8, 3))
    fails("cond.pooled: expected (2,4), got (2,3)", net, core.randn(2, 8, 8, 3), { pooled = core.randn(2, 3) })
    fails("option detail is missing", nn.Extractor, {})
    fails("size: 9 cannot be halved 1 times", nn.Extractor, { size = 9, levels = 1, detail = 2 })
    fails("heads: expected a divisor of the last width (8)", nn.Extractor, { size = 8, width = 4, levels = 1,
      detail = 2, heads = 3 })
  end)
end)
