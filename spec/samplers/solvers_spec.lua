-- What the deterministic solvers have in common: how often they ask and when, finite ends, a linear model's answers.
local close = require "spec.support.close"
local core = require "laterna.core"
local lt = require "laterna"
local samplers = require "laterna.samplers"

local NAMES = { "euler", "ddim", "heun", "dpm2", "dpmpp_2m", "lms", "unipc" }
local schedule = lt.schedule

local function count(name, f, times, options)
  local s = samplers[name](f, times, options or { predict = "v" })
  local asked, last = 0, 2
  local x = samplers.drive(s, core.ones(1), function(x, t)
    assert(t < last or name == "heun" and t <= last, name .. " asks twice at " .. t)
    asked, last = asked + 1, t
    return x
  end)
  assert.equal(s.calls, asked, name)
  local value = x:item()
  assert(value == value and math.abs(value) < 1e4, ("%s: %g"):format(name, value))
  return s
end

describe("solvers", function()
  it("ask as often as they say, at falling times, for every number of steps #slow", function()
    local cosine = schedule.cosine()
    for n = 1, 1000 do
      local s = samplers.dpm2(cosine, n, { predict = "v" }) -- its knots are those of all
      assert.equal(n, #s.knots - 1)
      for i = 1, n do assert(s.knots[i].t > s.knots[i + 1].t) end
      assert.equal(2 * n - 1, s.calls)
      if n <= 30 or n % 111 == 1 then
        for _, name in ipairs(NAMES) do
          s = count(name, cosine, n)
          assert.equal((name == "heun" or name == "dpm2") and 2 * n - 1 or n, s.calls)
        end
      end
    end
  end)

  it("ask twice an interval where it ends in noise, if that is their way", function()
    for _, name in ipairs(NAMES) do
      local s = count(name, schedule.cosine(), { 0.9, 0.5, 0.1 })
      assert.equal((name == "heun" or name == "dpm2") and 4 or 2, s.calls)
    end
  end)

  it("are finite from alpha = 0 to sigma = 0, with every schedule #slow", function()
    local all = {
      cosine = schedule.cosine(), flow = schedule.flow(), linear = schedule.linear(), edm = schedule.edm(),
      scaled = schedule.scaled_linear(), sigmoid = schedule.sigmoid(), log_snr = schedule.log_snr_linear(),
      zero = schedule.zero_terminal(schedule.linear()), shifted = schedule.shift(schedule.flow(), 0.3),
    }
    for _, f in pairs(all) do
      for _, n in ipairs { 1, 2, 3, 10, 50 } do
        for _, name in ipairs(NAMES) do count(name, f, n) end
        count("unipc", f, n, { predict = "v", order = 3, variant = "bh1", lower_order_final = false })
      end
    end
  end)

  it("are exact where x0 is always the same", function()
    local x0 = core.tensor { 0.3, -0.7 }
    for _, name in ipairs(NAMES) do
      for _, times in ipairs { { 1, 0.8, 0.5, 0.45, 0.1 }, { 0.9, 0.6, 0.2, 0.1, 0 } } do
        local f = schedule.flow()
        local eps, alpha, sigma = core.tensor { 1.1, 0.4 }, f(times[1])
        local s = samplers[name](f, times, { predict = "x0" })
        local x = samplers.drive(s, x0 * alpha + eps * sigma, function() return x0 end)
        alpha, sigma = f(times[5])
        close(x, x0 * alpha + eps * sigma, 1e-5)
      end
    end
  end)

  it("do not divide by the gap between knots that almost meet", function()
    local function run(name, times, options)
      core.manual_seed(4)
      options.predict = "v"
      return samplers.drive(samplers[name](schedule.flow(), times, options), core.randn(5),
        function(x, t) return (x * (1 + t)):sin() end)
    end
    for _, name in ipairs(NAMES) do
      local options = name == "unipc" and { order = 3, lower_order_final = false } or {}
      local plain = run(name, { 0.9, 0.6, 0.3, 0.2, 0.1 }, options)
      for _, gap in ipairs { 2.3e-16, 1e-12 } do
        local twice = run(name, { 0.9, 0.6, 0.3 + gap, 0.3, 0.2, 0.1 }, options)
        -- the order of the next step is lower, but nothing is divided by the gap
        close(twice, plain, name == "euler" and 1e-5 or 0.2)
      end
    end
  end)

  it("are one where their orders say so", function()
    local f = schedule.linear()
    local function run(name, options)
      core.manual_seed(4)
      options.predict = "v"
      return samplers.drive(samplers[name](f, 7, options), core.randn(5), function(x, t) return (x * (1 + t)):sin() end)
    end
    local euler = run("euler", {})
    close(run("ddim", {}), euler, 1e-5)
    close(run("ddim", { recompute = false }), euler, 1e-5)
    close(run("lms", { order = 1 }), euler, 1e-5)
    close(run("unipc", { order = 1, corrector = false }), euler, 1e-5)
    -- without a corrector, B(h) = e^-h - 1 and 1/2 in place of the exact weight, order 2 is DPM-Solver++ 2M
    close(run("unipc", { corrector = false, lower_order_final = false }), run("dpmpp_2m", {}), 1e-5)
    close(run("unipc", { corrector = false }), run("dpmpp_2m", { lower_order_final = true }), 1e-5)
  end)

  it("keep what the caller puts into x between the calls of a step", function()
    -- with a guess of 0 everywhere corrections are linear in x: adding 1 to the guess adds to the result
    for _, name in ipairs { "heun", "unipc" } do
      local function last(add)
        local s = samplers[name](schedule.flow(), { 0.8, 0.5, 0.3 }, { predict = "x0" })
        local x = s:step(core.ones(1), core.zeros(1)) + add
        while s.t do x = s:step(x, core.zeros(1)) end
        return x:item()
      end
      assert.is_true(math.abs(last(1) - last(0)) > 0.1, name)
    end
  end)
end)

describe("weights of linear multistep", function()
  local weights = require "laterna.samplers.multistep".weights
  it("are Adams and Bashforth's for equal steps", function()
    close(weights { 0 }, { 1 })
    close(weights { 0, -1 }, { 3 / 2, -1 / 2 })
    close(weights { 0, -1, -2 }, { 23 / 12, -16 / 12, 5 / 12 })
    close(weights { 0, -1, -2, -3 }, { 55 / 24, -59 / 24, 37 / 24, -9 / 24 })
  end)
  it("integrate cubics exactly for any steps", function()
    local nodes = { 0, -0.3, -1.7, -1.9 }
    local sum = 0
    for j, w in ipairs(weights(nodes)) do sum = sum + w * (nodes[j] ^ 3 - 2 * nodes[j] + 1) end
    assert.near(1 / 4 - 1 + 1, sum, 1e-12)
  end)
end)
