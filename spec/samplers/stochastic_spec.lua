-- Samplers that draw noise: what they leave on Gaussian data, how often they ask, and what they may begin with.
local core = require "laterna.core"
local samplers = require "laterna.samplers"
local schedule = require "laterna.schedule"
local fails = require "spec.support.fails"

local NAMES = { "ddpm", "euler_ancestral", "dpmpp_2s_ancestral", "dpmpp_2m_sde", "dpmpp_sde", "lcm" }

local function cosine(t) -- alpha is 0 at t = 1, to the last bit
  if t == 1 then return 0, 1 end
  return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
end

-- What a perfect network says of data N(0, s^2): x0 = alpha s^2 / (alpha^2 s^2 + sigma^2) x.
local function ideal(f, s, x, t)
  local alpha, sigma = f(t)
  return x * (alpha * s * s / (alpha * alpha * s * s + sigma * sigma))
end

local function last(make, f, times, x, options, s)
  options.predict = "x0"
  local sampler = make(f, times, options)
  while sampler.t do x = sampler:step(x, ideal(f, s, x, sampler.t)) end
  return x
end

local DEVIATION = 0.5
local SCHEDULES = { cosine = cosine, flow = schedule.flow(), edm = schedule.edm() }

local function times_of(kind, steps)
  return kind == "edm" and schedule.spacing.karras()(SCHEDULES.edm, steps) or steps
end

-- The variance that a sampler leaves, over that of the data, exactly: with the ideal network the end is a linear
-- function of the start and of every draw, so picture 1 begins with sigma at t = 1 and no draws, picture k + 1 has the
-- k-th draw alone, and their squares add up.
local function variance(make, kind, steps)
  local f, count, draws = SCHEDULES[kind], 2 * steps + 1, 0
  local start = { select(2, f(1)) }
  for k = 2, count do start[k] = 0 end
  local function unit()
    local z = {}
    draws = draws + 1
    for k = 1, count do z[k] = k == draws + 1 and 1 or 0 end
    return core.tensor(z):view(count, 1, 1, 1)
  end
  local x = last(make, f, times_of(kind, steps), core.tensor(start):view(count, 1, 1, 1), { noise = unit }, DEVIATION)
  assert.is_true(draws < count)
  return (x * x):sum():item() / DEVIATION ^ 2
end

-- Twice the steps: what is wrong with the variance falls to this part of it.
local FIRST, SECOND = { 0.45, 0.6 }, { 0.18, 0.38 }

local function converges(make, kind, bounds)
  local coarse, fine = variance(make, kind, 80) - 1, variance(make, kind, 160) - 1
  local part = fine / coarse
  assert.is_true(part > bounds[1] and part < bounds[2], ("from %g to %g"):format(coarse, fine))
end

-- 1e5 values from a generator have the variance that they should have: the deviation of such a one is sqrt(2 / 1e5).
local function holds_in_fact(make, kind)
  local f, generator = SCHEDULES[kind], core.generator(7)
  local x = core.randn(10, 100, 100, 1, { generator = generator }) * select(2, f(1))
  x = last(make, f, times_of(kind, 20), x, { noise = generator }, DEVIATION)
  local wanted = variance(make, kind, 20)
  assert.near(0, x:mean():item(), 5 * (wanted / 100000) ^ 0.5 * DEVIATION)
  assert.near(1, (x * x):mean():item() / DEVIATION ^ 2 / wanted, 5 * (2 / 100000) ^ 0.5)
end

describe("samplers with noise", function()
  local ORDERS = { ddpm = FIRST, euler_ancestral = FIRST, dpmpp_2s_ancestral = SECOND, dpmpp_2m_sde = SECOND,
    dpmpp_sde = SECOND }
  for name, order in pairs(ORDERS) do
    for kind in pairs(SCHEDULES) do
      it(("leave Gaussian data its variance: %s, %s #slow"):format(name, kind), function()
        converges(samplers[name], kind, order)
        holds_in_fact(samplers[name], kind)
      end)
    end
  end

  it("leave it so with part of the noise, too #slow", function()
    for _, name in ipairs { "dpmpp_2s_ancestral", "dpmpp_2m_sde", "dpmpp_sde" } do
      local function half(f, times, options)
        options.eta = 0.5
        return samplers[name](f, times, options)
      end
      for kind in pairs(SCHEDULES) do
        local wrong = variance(half, kind, 80) - 1
        assert.is_true(math.abs(wrong) < 0.02, ("%s, %s: %g"):format(name, kind, wrong))
        assert.is_true(math.abs(variance(half, kind, 160) - 1) < 0.45 * math.abs(wrong), name .. ", " .. kind)
      end
    end
  end)

  it("ask as often as they say, at falling times, for any number of steps, finite from alpha = 0 #slow", function()
    for _, name in ipairs(NAMES) do
      for _, steps in ipairs { 1, 2, 3, 7, 50, 1000 } do
        for _, f in ipairs { cosine, steps < 1000 and schedule.flow() or nil } do
          local s = samplers[name](f, steps, { predict = "v", noise = core.generator(1) })
          local x, calls, previous, said = core.randn(1, 2, 2, 1), 0, math.huge, s.calls
          while s.t do
            assert.is_true(s.t <= previous and s.t > 0)
            assert.is_true(s.t < previous or name == "dpmpp_2s_ancestral")
            calls, previous = calls + 1, s.t
            x = s:step(x, x * 0.3)
          end
          assert.equal(said, calls, name)
          assert.is_true(x:abs():max():item() < 1e6, name) -- NaN and inf fail
        end
      end
    end
  end)

  it("stay finite where two times almost meet", function()
    for _, name in ipairs(NAMES) do
      local times = { 1, 0.5, 0.5 - 1e-16, 0.5 - 2e-16, 0.2, 0 }
      local s = samplers[name](cosine, times, { predict = "v", noise = core.generator(1) })
      local x = core.randn(1, 2, 2, 1)
      while s.t do x = s:step(x, x * 0.3) end
      assert.is_true(x:abs():max():item() < 1e30, name) -- dpmpp_2m_sde divides by that distance
    end
  end)

  it("give the same picture to a generator, alone and in any batch", function()
    for _, name in ipairs(NAMES) do
      local function paint(...)
        local noise, parts = {}, {}
        for k, seed in ipairs { ... } do
          noise[k] = core.generator(seed)
          parts[k] = core.randn(1, 3, 3, 2, { generator = core.generator(seed + 100) })
        end
        return last(samplers[name], cosine, 6, core.cat(parts, 1), { noise = noise }, 0.5)
      end
      local three, two, one = paint(5, 8, 2), paint(2, 8), paint(8)
      assert.same(one:totable()[1], three:totable()[2], name)
      assert.same(one:totable()[1], two:totable()[2], name)
      assert.same(three:totable()[3], two:totable()[1], name)
    end
  end)

  it("are deterministic solvers where eta is 0", function()
    local x = core.randn(2, 3, 3, 1, { generator = core.generator(3) })
    local none = function() error "noise was asked for" end
    local function path(name, options)
      options.noise = none
      return last(samplers[name], cosine, 9, x, options, 0.5)
    end
    local euler = path("euler", {})
    assert.is_true((path("euler_ancestral", { eta = 0 }) - euler):abs():max():item() < 1e-6)
    assert.is_true((path("dpmpp_2s_ancestral", { eta = 0 }) - path("dpmpp_sde", { eta = 0 })):abs():max():item() < 1e-6)
    assert.is_true((path("dpmpp_2m_sde", { eta = 0 }) - path("dpmpp_2m", {})):abs():max():item() < 1e-6)
  end)

  it("know what they take", function()
    fails("unknown option", samplers.ddpm, cosine, 5, { eta = 1 })
    fails("variance: expected", samplers.ddpm, cosine, 5, { variance = "huge" })
    fails("eta: expected number of at least 0", samplers.euler_ancestral, cosine, 5, { eta = -1 })
    fails("solver_type: expected", samplers.dpmpp_2m_sde, cosine, 5, { solver_type = "euler" })
    fails("r: expected", samplers.dpmpp_sde, cosine, 5, { r = 0 })
    fails("boundary: expected boolean", samplers.lcm, cosine, 5, { boundary = 1 })
  end)

  it("ddpm's large variance is that of a step of the diffusion, and the last step adds none", function()
    local ones = function(shape) return core.ones(table.unpack(shape)) end
    local x = core.zeros(1, 1, 1, 1)
    local function step(kind, from, to)
      local s = samplers.ddpm(cosine, { from, to }, { predict = "x0", variance = kind, noise = ones })
      return s:step(x, x):item()
    end
    local a, sigma = cosine(0.6)
    local b, after = cosine(0.4)
    local q = after * a / (b * sigma)
    assert.near(after * (1 - q * q) ^ 0.5, step("small", 0.6, 0.4), 1e-6)
    assert.near((sigma ^ 2 - (a / b * after) ^ 2) ^ 0.5, step("large", 0.6, 0.4), 1e-6)
    assert.equal(0, step("large", 0.6, 0))
  end)

  it("lcm: the boundary condition hands over from x to x0 near t = 0", function()
    local x, x0 = core.full({ 1, 1, 1, 1 }, 3), core.full({ 1, 1, 1, 1 }, 5)
    local function f(t, options)
      options.predict = "x0"
      return samplers.lcm(cosine, { t, 0 }, options):step(x, x0):item()
    end
    local u = 10 * 1000 * 5e-5
    assert.near(0.25 / (u * u + 0.25) * 3 + u / (u * u + 0.25) ^ 0.5 * 5, f(5e-5, {}), 1e-5)
    assert.near(5, f(0.9, {}), 1e-5)
    assert.equal(5, f(5e-5, { boundary = false }))
  end)
end)

describe("churn", function()
  it("leaves Gaussian data its variance, around any solver of single steps #slow", function()
    for name, order in pairs { euler = FIRST, heun = SECOND, dpm2 = SECOND } do
      for _, kind in ipairs { "cosine", "edm" } do
        local make = samplers.churn(samplers[name], { churn = 15, tmax = 0.9 })
        converges(make, kind, order)
        holds_in_fact(make, kind)
      end
    end
  end)

  it("asks as often as it says, of lifted times, no later than 1", function()
    for _, inner in ipairs { "euler", "heun" } do
      local s = samplers.churn(samplers[inner], { churn = 100 })(cosine, { 0.999, 0.998, 0.3, 0 }, { predict = "x0" })
      local x, asked, said = core.randn(1, 2, 2, 1), {}, s.calls
      while s.t do
        asked[#asked + 1] = s.t
        x = s:step(x, x * 0.1)
      end
      assert.equal(said, #asked)
      assert.equal(inner == "euler" and 3 or 5, said)
      assert.equal(0.999, asked[1])
      local second, third = asked[inner == "euler" and 2 or 3], asked[#asked]
      assert.near(schedule.ratio(cosine, 0.998) * 2 ^ 0.5, schedule.ratio(cosine, second), 1e-6)
      assert.near(schedule.ratio(cosine, 0.3) * 2 ^ 0.5, schedule.ratio(cosine, third), 1e-9)
    end
    local linear = schedule.linear()
    local s = samplers.churn(samplers.euler, { churn = 100 })(linear, { 1, 0.999, 0 })
    s:step(core.zeros(1, 1, 1, 1), core.zeros(1, 1, 1, 1))
    assert.equal(1, s.t)
  end)

  it("of 0 is the solver itself", function()
    local x = core.randn(1, 3, 3, 1, { generator = core.generator(3) })
    for _, name in ipairs { "euler", "heun", "dpm2" } do
      local plain = samplers[name](cosine, 5, { predict = "x0" })
      local churned = samplers.churn(samplers[name], { churn = 0 })
      local s = churned(cosine, 5, { predict = "x0", noise = function() error "noise was asked for" end })
      local a, b = x, x
      assert.equal(plain.calls, s.calls)
      while plain.t do
        assert.equal(plain.t, s.t)
        a, b = plain:step(a, ideal(cosine, 0.5, a, plain.t)), s:step(b, ideal(cosine, 0.5, b, s.t))
        assert.same(plain.x0:totable(), s.x0:totable())
      end
      assert.is_nil(s.t)
      assert.same(a:totable(), b:totable())
    end
  end)

  it("refuses solvers that remember earlier steps, and what it does not know", function()
    local own = samplers.define("own", nil, nil, function(s)
      s.remembers = true
      return (s:ask(s.knots[1]))
    end)
    fails("own goes on from x0 of earlier steps", samplers.churn(own, { churn = 1 }), schedule.flow(), 2,
      { predict = "v" })
    for _, name in ipairs { "dpmpp_2m", "dpmpp_2m_sde", "lms", "unipc" } do
      fails("single steps", samplers.churn(samplers[name], { churn = 10 }), cosine, 5, { predict = "v" })
    end
    fails("inner: expected", samplers.churn, "euler", { churn = 10 })
    fails("option churn is missing", samplers.churn, samplers.euler, {})
    fails("unknown option", samplers.churn, samplers.euler, { churn = 1, s_tmin = 0 })
  end)
end)
