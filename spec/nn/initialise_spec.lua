-- Initialisers: bounds, spread, fans.

local core = require "laterna.core"
local init = require("laterna.nn").init

local function spread(t)
  return t:std():item()
end

local function near(expected, got, tolerance)
  assert.is_true(math.abs(expected - got) <= tolerance, ("expected %g, got %g"):format(expected, got))
end

describe("initialisers", function()
  before_each(function() core.manual_seed(11) end)

  it("fill in place, a parameter too, and return it", function()
    local t = core.zeros(3, 2):requires_grad_(true)
    assert.equal(t, init.ones_(t))
    assert.same({ { 1, 1 }, { 1, 1 }, { 1, 1 } }, t:totable())
    assert.is_true(t.requires_grad)
    assert.equal(0, init.zeros_(t):sum():item())
    assert.equal(15, init.constant_(t, 2.5):sum():item())
  end)

  it("count fans as PyTorch does", function()
    assert.same({ 5, 7 }, { init.fans(core.zeros(7, 5)) })
    assert.same({ 4 * 3 * 2, 6 * 3 * 2 }, { init.fans(core.zeros(6, 3, 2, 4)) })
    assert.error_matches(function() init.fans(core.zeros(3)) end, "expected at least 2 axes, got 1")
  end)

  it("have the spread that they promise", function()
    local t = core.zeros(200, 50)
    near(1 / math.sqrt(3), spread(init.uniform_(t, -1, 1)), 0.01)
    assert.is_true(init.uniform_(t, 2, 5):min():item() >= 2 and t:max():item() < 5)
    near(0.3, spread(init.normal_(t, 4, 0.3)), 0.01)
    near(4, t:mean():item(), 0.02)
    near(math.sqrt(2 / 50), spread(init.kaiming_normal_(t)), 0.005)
    near(math.sqrt(2 / 200), spread(init.kaiming_uniform_(t, { mode = "fan_out", nonlinearity = "relu" })), 0.005)
    near(math.sqrt(1 / 3 / 50), spread(init.kaiming_uniform_(t, { a = math.sqrt(5) })), 0.002)
    near(math.sqrt(2 / 250), spread(init.xavier_uniform_(t)), 0.002)
    near(3 * math.sqrt(2 / 250), spread(init.xavier_normal_(t, { gain = 3 })), 0.006)
    near(1 / math.sqrt(50), init.kaiming_uniform_(t, { a = math.sqrt(5) }):abs():max():item(), 0.001)
  end)

  it("know the gains", function()
    assert.equal(math.sqrt(2), init.gain "relu")
    near(math.sqrt(2 / 1.04), init.gain("leaky_relu", 0.2), 1e-12)
    assert.equal(5 / 3, init.gain "tanh")
  end)

  it("refuse what they cannot fill", function()
    assert.error_matches(function() init.uniform_(3) end,
      "bad argument #1 to 'uniform_' %(tensor: expected tensor, got 3")
    assert.error_matches(function() init.uniform_(core.zeros(1), 2, 1) end, "bad argument #3 to 'uniform_'")
    assert.error_matches(function() init.normal_(core.zeros(1), 0, -1) end, "bad argument #3 to 'normal_'")
    assert.error_matches(function() init.normal_(core.zeros(1), 0 / 0) end, "bad argument #2 to 'normal_'")
    assert.error_matches(function() init.kaiming_uniform_(core.zeros(1)) end, "expected at least 2 axes")
    assert.error_matches(function() init.kaiming_normal_(core.zeros(1, 1), { mode = "fan" }) end, "mode: expected")
    assert.error_matches(function() init.xavier_uniform_(core.zeros(1, 1), { gian = 1 }) end, "unknown option")
    assert.error_matches(function() init.gain "cubic" end, "bad argument #1 to 'gain'")
    assert.error_matches(function() init.normal_(core.zeros({ 2 }, { dtype = "int32" })) end,
      "expected float32, got int32")
    assert.has_error(function() init.constant_(core.zeros(1), "1") end)
  end)
end)
