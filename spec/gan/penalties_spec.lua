-- Gradient penalties, which have second derivatives in them: against closed forms, and through whole critics against
-- central differences.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local penalties = require "laterna.gan.penalties"
local Critic = require "laterna.gan.critic"
local TextEncoder = require "laterna.text.encoder"

-- Convolutions with strides, norms, a residual block, and the caption by projection (Miyato and Koyama 2018).
local Projection = nn.class("ProjectionCritic", function(self)
  self.first = nn.Conv2d(2, 8, 3, { stride = 2, padding = 1 })
  self.norm = nn.GroupNorm(2, 8, { activation = "silu" })
  self.block = nn.ResBlock(8, 8)
  self.last, self.word = nn.Linear(8, 1), nn.Linear(8, 8)
end)

function Projection:forward(x, cond)
  local h = self.block(self.norm(self.first(x))):silu():mean { 2, 3 }
  return self.last(h):view(-1) + (h * self.word(cond.pooled)):sum(2)
end

-- Attention between places and to the words, after an enlargement and a pooling.
local Attention = nn.class("AttentionCritic", function(self)
  self.first = nn.Conv2d(2, 8, 3, { padding = 1 })
  self.attention = nn.SpatialAttention(8, 2, { context = 8 })
  self.last = nn.Linear(8, 1)
end)

function Attention:forward(x, cond)
  local h = core.avg_pool2d(core.resize_bilinear(self.first(x):silu(), { 8, 8 }), 4)
  return self.last(self.attention(h, cond.tokens, cond.mask):silu():mean { 2, 3 })
end

local captions = { "a red star", "a blue star", "a red disc" }

local function critic(class)
  core.manual_seed(3)
  local made = Critic { net = class(), text = TextEncoder(captions, { dim = 8, depth = 1, heads = 2 }) }
  for _, p in ipairs(made:parameters()) do -- layers that start at zero would hide their derivatives
    core.no_grad(function() p:add_(core.randn(p.shape) * 0.1) end)
  end
  return made
end

local KINDS = {
  r1 = function(judge, x) return penalties.r1(judge, x, { text = captions }) end,
  r2 = function(judge, x) return penalties.r2(judge, x, { text = captions }) end,
  gradient_penalty = function(judge, x)
    return penalties.gradient_penalty(judge, x, x:flip(1), { text = captions, generator = core.generator(9) })
  end,
}

-- The slope of value() along direction v from the parameter p, by central differences without their h^2 error.
local function slope(p, v, value)
  local start = p:detach():clone()
  local function at(step)
    core.no_grad(function() p:copy_(start + v * step) end)
    return value()
  end
  local function central(h) return (at(h) - at(-h)) / (2 * h) end
  local found = (4 * central(0.01) - central(0.02)) / 3
  core.no_grad(function() p:copy_(start) end)
  return found
end

describe("gradient penalties", function()
  for name, class in pairs { projection = Projection, attention = Attention } do
    it("agree with central differences through a whole critic with " .. name, function()
      local judge = critic(class)
      local x = core.randn(3, 6, 6, 2) * 3
      for kind, penalty in pairs(KINDS) do
        judge:zero_grad()
        penalty(judge, x):backward()
        local norms, largest = {}, 0
        for parameter, p in judge:named_parameters() do
          norms[parameter] = p.grad and p.grad:square():sum():sqrt():item() or 0
          largest = math.max(largest, norms[parameter])
        end
        local seen, moved = 0, 0
        for parameter, p in judge:named_parameters() do
          local norm = norms[parameter]
          seen = seen + 1
          if norm > 0.02 * largest then
            -- The direction of steepest ascent, where the slope is the gradient's norm, and nothing cancels.
            local wanted = slope(p, p.grad * (1 / norm), function() return penalty(judge, x):item() end)
            assert.near(1, norm / wanted, 1e-2, ("%s of %s: %g, not %g"):format(kind, parameter, norm, wanted))
            moved = moved + 1
          end
        end
        assert.is_true(moved > seen / 3, kind .. " moves too few parameters")
      end
    end)
  end

  it("of a linear critic are the square of its weights", function()
    local w = core.tensor { { 3, -4 } }
    local function linear(x) return core.linear(x, w) end
    assert.near(25, penalties.r1(linear, core.randn(5, 2)):item(), 1e-5)
    assert.near(25, penalties.r2(linear, core.randn(5, 2)):item(), 1e-5)
    local value, squared = penalties.gradient_penalty(linear, core.randn(5, 2), core.randn(5, 2))
    assert.near((5 - 1) ^ 2, value:item(), 1e-4)
    assert.near(25, squared[5]:item(), 1e-4)
  end)

  -- Of |x|^2 the gradient is 2x: on the line from 0 to (u, 0) the norm is 2 u t, and t is what the generator draws.
  it("look between real and painted pictures", function()
    local t = core.rand({ 4, 1 }, { generator = core.generator(5) })
    local _, squared = penalties.gradient_penalty(function(x) return x:square():sum(2) end, core.zeros(4, 2),
      core.tensor { { 1, 0 }, { 1, 0 }, { 1, 0 }, { 1, 0 } }, { generator = core.generator(5) })
    assert.same((t * 2):square():view(4):totable(), squared:totable())
  end)

  it("leave the pictures alone", function()
    local x = core.randn(2, 2):requires_grad_(true)
    local p = core.ones(1, 2):requires_grad_(true)
    penalties.r2(function(y) return core.linear(y.square and y:square() or y, p) end, x * 2):backward()
    assert.is_nil(x.grad)
    assert.is_truthy(p.grad)
  end)

  it("are an error where there is no gradient", function()
    fails("bad argument #1 to 'r1' (critic: its scores do not depend on x)", penalties.r1,
      function(x) return core.zeros(x:size(1)) end, core.zeros(3, 2))
    fails("the critic's net gave (3,2), expected scores (3)", penalties.r1, function(x) return x end, core.zeros(3, 2))
    fails("x: expected (n,h,w,c) or (n,d), got (3)", penalties.r2, function(x) return x end, core.zeros(3))
    fails("fake: expected (3,2) as real, got (2,2)", penalties.gradient_penalty, print, core.zeros(3, 2),
      core.zeros(2, 2))
  end)
end)
