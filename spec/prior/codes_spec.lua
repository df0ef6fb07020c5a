-- A distribution of codes: probabilities that add up, noise that makes each as often as it should.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local optim = require "laterna.optim"
local support = require "spec.support.prior"
local Codes = require("laterna.prior").Codes

-- All codes of levels {3, 2}: numbers {-1, 0, 1} and {-1, 0}.
local function all()
  local list = {}
  for a = -1, 1 do
    for b = -1, 0 do list[#list + 1] = { a, b } end
  end
  return core.tensor(list)
end

local function shaken(options) return support.shaken(Codes({ 3, 2 }, options), 0.5) end

describe("codes", function()
  before_each(function() core.manual_seed(1) end)

  it("are all alike until they are learned", function()
    for _, learned in ipairs { true, false } do
      local logp = Codes({ 3, 2 }, { learned = learned }):log_prob(all())
      assert.is_true((logp + math.log(6)):abs():max():item() < 1e-5)
    end
  end)

  it("have probabilities that add up to one under every caption, and noise that makes them again", function()
    local codes = shaken { condition = 2, hidden = 8 }
    for k = 1, 3 do
      local c = core.full({ 6, 2 }, k - 2)
      local logp, u = codes:log_prob(all(), c)
      assert.near(1, logp:exp():sum():item(), 1e-5)
      assert.is_true((codes:inverse(u, c) - all()):abs():max():item() < 1e-6)
      assert.is_true((codes:bound(all(), c) - logp):abs():max():item() < 1e-6)
    end
  end)

  it("come as often as is likely", function()
    local codes = shaken { hidden = 8 }
    local drawn = codes:inverse(core.randn(6000, 2))
    local logp, count = codes:log_prob(all()):exp():totable(), {}
    for i = 1, 6 do count[i] = 0 end
    for _, row in ipairs(drawn:totable()) do
      local i = math.floor((row[1] + 1) * 2 + row[2] + 2)
      count[i] = count[i] + 1
    end
    for i = 1, 6 do assert.near(logp[i], count[i] / 6000, 0.025) end
  end)

  it("learn what a caption leaves open", function()
    -- the first number follows the caption, the second follows the first half of the time
    local codes = Codes({ 2, 2 }, { condition = 1, hidden = 8 })
    local optimizer = optim.Adam(codes:parameters(), { lr = 3e-2 })
    local function data(n)
      local a = core.randint(0, 1, { n }):float():view(n, 1) - 1
      local keep = core.randint(0, 1, { n }):float():view(n, 1)
      local b = core.randint(0, 1, { n }):float():view(n, 1) - 1
      return core.cat({ a, keep * a + (1 - keep) * b }, 2), a
    end
    for _ = 1, 150 do
      local z, c = data(128)
      local loss = -codes:bound(z, c):mean()
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    local z, c = data(2000)
    local entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert.near(entropy, -codes:bound(z, c):mean():item(), 0.05)
  end)

  it("are refused where they are none", function()
    fails("levels: expected at least one", Codes, {})
    fails("levels: expected integer from 2 to 1024", Codes, { 1 })
    fails("u: expected (n,2), got (1,3)", function() Codes({ 3, 2 }):inverse(core.randn(1, 3)) end)
  end)
end)
