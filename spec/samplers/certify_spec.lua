-- Orders of convergence on exact Gaussian data: every solver, schedule and kind of prediction.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local lt = require "laterna"
local prediction = require "laterna.prediction"
local samplers = require "laterna.samplers"

local certify, schedule = samplers.certify, lt.schedule

local SCHEDULES = {
  linear = schedule.linear(), scaled_linear = schedule.scaled_linear(), cosine = schedule.cosine(),
  sigmoid = schedule.sigmoid(), log_snr = schedule.log_snr_linear(), edm = schedule.edm(), flow = schedule.flow(),
  zero_terminal = schedule.zero_terminal(schedule.linear()), shift = schedule.shift(schedule.flow(), 0.3),
  from_betas = schedule.from_betas(schedule.betas(schedule.cosine(), 1000)),
}

-- Orders: unipc's predictor alone has 2, with its corrector 3, unless its last step is of order 1; what shows of that
-- step, and of the first one of lms, shows best at much noise and in a short range.
local CASES = {
  { "euler", 1 },
  { "ddim", 1 },
  { "ddim", 1, { eta = 1 }, stochastic = true },
  { "heun", 2 },
  { "dpm2", 2 },
  { "dpmpp_2m", 2 },
  { "lms", 2, { order = 2 } },
  { "lms", 2, { order = 4 }, most = 0.5, least = 0.25, steps = { 16, 32 } },
  { "unipc", 2, { corrector = false } },
  { "unipc", 2, {}, least = 1, steps = { 32, 64 } },
  { "unipc", 3, { lower_order_final = false }, steps = { 32, 64 } },
  { "ddpm", 1, stochastic = true },
  { "euler_ancestral", 1, stochastic = true },
  { "dpmpp_2s_ancestral", 2, stochastic = true },
  { "dpmpp_2m_sde", 2, stochastic = true },
  { "dpmpp_sde", 2, stochastic = true },
}

describe("on Gaussian data #slow", function()
  for _, case in ipairs(CASES) do
    local name, order, options = table.unpack(case)
    local words = {}
    for key, v in pairs(options or {}) do words[#words + 1] = (" %s=%s"):format(key, v) end
    it(("%s%s has order %d"):format(name, table.concat(words), order), function()
      for about, f in pairs(SCHEDULES) do
        for _, kind in ipairs(prediction.kinds) do
          local r = certify(samplers[name], {
            schedule = f, predict = kind, sigma_data = 0.7, options = options, most = case.most, least = case.least,
            steps = case.steps or { 64, 128 },
          })
          assert(r.order and math.abs(r.order - order) <= 0.15,
            ("%s, %s, %s: order %s"):format(name, about, kind, r.order))
          assert.equal(case.stochastic or false, r.stochastic)
        end
      end
    end)
  end

  it("smooth schedules show it in equal steps of t too", function()
    for _, about in ipairs { "linear", "cosine", "edm", "flow", "log_snr", "from_betas" } do
      local r = certify(SCHEDULES[about], { steps = { 64, 128 } })
      for name, report in pairs(r.reports) do
        assert(math.abs(report.order - 2) <= 0.15, ("%s, %s: order %s"):format(name, about, report.order))
      end
      assert.equal(math.min(r.reports.heun.order, r.reports.dpmpp_2m.order), r.order)
    end
  end)
end)

describe("certify", function()
  -- Euler's method, written without laterna's frame, and wrong by a factor if asked.
  local function own(wrong)
    return function(f, times, options)
      local s, i = { t = times[1] }, 1
      function s:step(x, y)
        local alpha, sigma = f(times[i])
        local a, b = prediction.coefficients(options.predict, alpha, sigma, options.sigma_data)
        local x0 = x * a + y * b
        local next_alpha, next_sigma = f(times[i + 1])
        i = i + 1
        self.t = times[i + 1] and times[i]
        return x0 * next_alpha + (x - x0 * alpha) * (next_sigma / sigma) * (wrong or 1)
      end
      return s
    end
  end

  it("judges a sampler of one's own", function()
    local theirs, ours = certify(own()), certify(samplers.euler)
    assert.same({ 16, 32, 64, 128 }, theirs.calls)
    for i = 1, 4 do assert.near(ours.errors[i], theirs.errors[i], 1e-5) end
  end)

  it("sees what does not converge", function()
    assert.is_true(certify(own(0.99)).order < 0.5)
    local noisy = samplers.define("noisy", nil, nil, function(s)
      local x, x0
      for i = 1, s.n do
        x, x0 = s:ask(s.knots[i], x)
        x = core.combine({ samplers.move(x, x0, s.knots[i], s.knots[i + 1]), s:noise() }, { 1, 0.1 })
      end
      return x
    end)
    local r = certify(noisy)
    assert.is_true(r.stochastic and r.order < 0.5)
  end)

  it("prints a line a number of steps #slow", function()
    local text = tostring(certify(samplers.heun, { steps = { 8, 16 } }))
    local error_of = "%d%.%d%de%-0%d"
    assert.is_truthy(text:find("^steps  calls  error\n    8     16  " .. error_of .. "\n   16     32  " .. error_of
      .. "  order  2%.%d%d\n"))
    text = tostring(certify(schedule.flow(), { steps = { 8, 16 } }))
    assert.is_truthy(text:find "^dpmpp_2m\nsteps.*\nheun\nsteps")
    text = tostring(certify(samplers.lms, { steps = { 600, 1200 } }))
    assert.is_truthy(text:find "no order: too near to float32's rounding")
  end)

  it("refuses a schedule in the words of its check", function()
    fails("schedule: ", certify, function(t) return 1 - t / 2, t / 2 end)
    fails("least: expected less than most", certify, samplers.euler, { most = 1, least = 2 })
    fails("steps", certify, samplers.euler, { steps = { 4, 4 } })
    fails("unknown option", certify, samplers.euler, { step = 4 })
  end)
end)
