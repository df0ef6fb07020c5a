-- Schedules: the numbers of the papers, what every schedule must be, and what is refused, with its time.
local fails = require "spec.support.fails"
local schedule = require "laterna.schedule"

local builtin = {
  linear = schedule.linear(), scaled_linear = schedule.scaled_linear(), cosine = schedule.cosine(),
  sigmoid = schedule.sigmoid(), log_snr_linear = schedule.log_snr_linear(), edm = schedule.edm(),
  flow = schedule.flow(),
  zero_terminal = schedule.zero_terminal(schedule.linear()), shifted = schedule.shift(schedule.cosine(), 2),
}

local function late(t) return math.cos(math.pi / 2 * t ^ 1.5), math.sin(math.pi / 2 * t ^ 1.5) end

describe("schedules", function()
  it("pass their own check, and so does a function of one's own", function()
    for name, f in pairs(builtin) do assert.equal(f, schedule.check(f), name) end
    schedule.check(late)
    schedule.check(setmetatable({}, { __call = function(_, t) return late(t) end }))
  end)

  it("have the numbers of the papers", function()
    local alpha = schedule.linear()(1)
    assert.near(4.03583e-5, alpha ^ 2, 1e-10)
    local betas = schedule.betas(schedule.cosine(), 1000)
    assert.near(4.12842e-5, betas[1], 1e-10)
    assert.near(0.00314589, betas[500], 1e-8)
    assert.equal(0.999, betas[1000])
    local a, s = schedule.flow()(0.3)
    assert.same({ 0.7, 0.3 }, { a, s })
    a, s = schedule.edm()(1)
    assert.same({ 1, 80 }, { a, s })
    a = schedule.sigmoid()(0.5) -- symmetric about the middle
    assert.near(0.5, a ^ 2, 1e-12)
    assert.near(1, schedule.log_snr(schedule.log_snr_linear(), 0.5), 1e-12)
    assert.near(-10, schedule.log_snr(schedule.log_snr_linear(), 1), 1e-9)
  end)

  it("give betas back", function()
    local betas = {}
    for i = 1, 50 do betas[i] = 0.001 + 0.01 * i end
    for i, beta in ipairs(schedule.betas(schedule.from_betas(betas), 50)) do assert.near(betas[i], beta, 1e-12) end
  end)

  it("are straight in sigma / alpha between the entries of a list", function()
    local f = schedule.from_alpha_bar { 0.8, 0.2 }
    local mean = (schedule.ratio(f, 0.5) + schedule.ratio(f, 1)) / 2
    assert.near(mean, schedule.ratio(f, 0.75), 1e-12)
    assert.equal(0, schedule.ratio(f, 0))
    local alpha = (schedule.from_alpha_bar { 0.64, 0 })(0.75) -- no straight line to infinity: alpha is straight
    assert.near(0.4, alpha, 1e-12)
  end)

  it("invert", function()
    for name, f in pairs(builtin) do
      for _, t in ipairs { 0.003, 0.1, 0.5, 0.77, 0.999 } do
        assert.near(t, schedule.invert(f, schedule.ratio(f, t)), 1e-7, name)
      end
      assert.equal(0, schedule.invert(f, 0))
      assert.equal(1, schedule.invert(f, math.huge))
    end
  end)
end)

describe("changed schedules", function()
  it("end in noise alone", function()
    local alpha, sigma = builtin.zero_terminal(1)
    assert.same({ 0, 1 }, { alpha, sigma })
    assert.near(1, (builtin.zero_terminal(0)), 1e-12)
    -- alpha = (alpha - alpha(1)) / (1 - alpha(1))
    local a, last = builtin.linear(0.4), builtin.linear(1)
    assert.near((a - last) / (1 - last), (builtin.zero_terminal(0.4)), 1e-12)
    fails("preserves the variance", schedule.zero_terminal, schedule.flow())
  end)

  it("have more noise by a factor", function()
    for _, name in ipairs { "linear", "edm", "flow" } do
      local f, shifted = builtin[name], schedule.shift(builtin[name], 3)
      assert.near(schedule.log_snr(f, 0.4) - 2 * math.log(3), schedule.log_snr(shifted, 0.4), 1e-9)
    end
    local _, sigma = schedule.shift(schedule.flow(), 3)(0.4)
    assert.near(3 * 0.4 / (1 + 2 * 0.4), sigma, 1e-12)
    local a, s = builtin.shifted(0.6)
    assert.near(1, a * a + s * s, 1e-12)
    assert.equal(1, (schedule.shift(schedule.edm(), 3)(0.4)))
    fails("expected it to fall", schedule.zero_terminal, function() return 0.8, 0.6 end)
    fails("expected alpha^2 + sigma^2 = 1", schedule.shift, function(t) return 1 - t, t * t end, 2)
  end)
end)

describe("what is no schedule", function()
  local cases = {
    { "alpha is -", function(t) return math.cos(math.pi * t), math.sin(math.pi / 2 * t) end, "t = 0.501" },
    { "sigma is 1.", function(t) return 1 - t, 1.5 * t end, "t = 0.667" },
    { "sigma is -", function(t) return 1 - t, t - 1e-6 end, "t = 0" },
    { "no more noise than at t = 0.5", function(t) local u = math.min(t, 0.5) return 1 - u, u end, "t = 0.501" },
    { "never destroyed", function(t) return 1 - 0.5 * t, 0.5 * t end, "t = 1" },
    { "noise already", function(t) return 1 - t, 0.1 + 0.9 * t end, "t = 0" },
    { "NaN", function(t) return 1 - t, t > 0.3 and 0 / 0 or t end, "t = 0.301" },
    { "sigma is infinite", function(t) return 1, t / (1 - t) end, "t = 1" },
    { "sigma is missing", function(t) return 1 - t end, "t = 0" },
    { "alpha is a string", function(t) return "1", t end, "t = 0" },
    { "raises an error", function(t) if t > 0.2 then error "oh" end return 1 - t, t end, "t = 0.201" },
  }
  for _, case in ipairs(cases) do
    it("says: " .. case[1], function()
      local message = fails(case[1], schedule.check, case[2])
      assert.is_truthy(message:find("at " .. case[3], 1, true), message)
    end)
  end

  it("is said of arguments too", function()
    fails("expected a function of t", schedule.check, 3)
    fails("alpha_bar[2]", schedule.from_alpha_bar, { 0.5, 0.6 })
    fails("betas[1]", schedule.from_betas, { 0, 0.1 })
    fails("unknown option \"last2\"", schedule.linear, { last2 = 1 })
    fails("steps: expected integer", schedule.linear, { steps = 1.5 })
    fails("t: expected number from 0 to 1", schedule.ratio, schedule.flow(), 1.5)
    fails("alpha is a string", schedule.betas, function() return "1", 0 end, 10)
    fails("raises an error, a table, at t = 0.5", schedule.invert, function(t)
      if t > 0 and t < 1 then error {} end
      return 1 - t, t
    end, 1)
    fails("ratio: expected number", schedule.invert, schedule.flow(), 0 / 0)
  end)
end)
