-- The frame of all samplers: knots, steps by hand, predictions read, noise, what is refused.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local prediction = require "laterna.prediction"
local samplers = require "laterna.samplers"

local function vp(t) return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t) end

describe("a sampler", function()
  it("knows its times before it begins", function()
    local s = samplers.euler(vp, 4, { predict = "v" })
    assert.equal(1, s.t)
    assert.equal(4, s.n)
    assert.equal(4, s.calls)
    assert.equal(5, #s.knots)
    assert.equal(0, s.knots[1].alpha) -- though cos(pi / 2) is not
    assert.equal(math.huge, s.knots[1].ratio)
    assert.near(1, s.knots[3].ratio, 1e-12)
    assert.equal(0, s.knots[5].sigma)
    local listed = samplers.euler(vp, { 0.7, 0.2, 0.1 })
    assert.equal(0.7, listed.t)
    assert.equal(2, listed.calls)
  end)

  it("is driven by hand, and ends", function()
    local s = samplers.euler(vp, { 0.8, 0.3, 0 }, { predict = "x0" })
    local x, x0, seen = core.randn(2, 3), core.randn(2, 3), {}
    local alpha, sigma = vp(0.8)
    local eps = (x - x0 * alpha) / sigma
    for i, t in ipairs { 0.8, 0.3 } do
      assert.equal(t, s.t)
      seen[i] = s:step(i == 1 and x or seen[1], x0)
      close(s.x0, x0)
      assert.equal(i, s.done)
    end
    alpha, sigma = vp(0.3)
    close(seen[1], x0 * alpha + eps * sigma)
    close(seen[2], x0)
    assert.is_nil(s.t)
    fails("bad argument to 'step' (this euler has ended after 2 network calls)", s.step, s, x, x0)
  end)

  it("goes on from the x that it is given", function()
    local function last(change)
      local s = samplers.dpmpp_2m(vp, { 0.8, 0.5, 0.3 }, { predict = "x0" })
      local x = s:step(core.ones(1), core.zeros(1))
      return s:step(change and core.zeros(1) or x, core.zeros(1)):item()
    end
    assert.equal(0, last(true))
    assert.is_true(math.abs(last(false)) > 0.1)
  end)

  it("reads every kind of prediction", function()
    local x0, eps = core.randn(3), core.randn(3)
    for _, kind in ipairs(prediction.kinds) do
      local s = samplers.euler(vp, { 0.6, 0.2 }, { predict = kind, sigma_data = 0.5 })
      local alpha, sigma = vp(0.6)
      local p, q = prediction.target(kind, alpha, sigma, 0.5)
      s:step(x0 * alpha + eps * sigma, x0 * p + eps * q)
      close(s.x0, x0, 1e-5)
    end
  end)

  it("clips the guess", function()
    local x, y = core.tensor { 1, 2, 3 }, core.tensor { 0.5, 2, -3 }
    local s = samplers.euler(vp, { 0.6, 0 }, { predict = "x0", clip = true })
    close(s:step(x, y), { 0.5, 1, -1 })
    close(s.x0, { 0.5, 1, -1 })
    s = samplers.euler(vp, { 0.6, 0 }, { predict = "x0", clip = function(x0) return x0 * 2 end })
    close(s:step(x, y), { 1, 4, -6 })
    s = samplers.euler(vp, { 0.6, 0 }, { predict = "x0", clip = function() return 7 end })
    fails("bad argument #3 to 'euler' (clip: expected float32 (3) from the function, got 7)", s.step, s, x, y)
  end)

  it("carries gradients", function()
    local s = samplers.heun(vp, 3, { predict = "v" })
    local w = core.ones(2):requires_grad_()
    local x = samplers.drive(s, core.ones(2), function(x) return x * w end)
    x:sum():backward()
    assert.is_true(w.grad:abs():sum():item() > 0.01)
  end)

  it("refuses other shapes, and is as before", function()
    local s = samplers.ddim(vp, { 0.9, 0.5, 0 })
    local x = core.ones(2, 3)
    fails("bad argument #1 to 'step' (x: expected tensor, got nil)", s.step, s)
    fails("bad argument #2 to 'step' (prediction: expected tensor, got 3)", s.step, s, x, 3)
    fails("bad argument #2 to 'step' (prediction: expected float32 (2,3), got float32 (3))", s.step, s, x, core.ones(3))
    fails("prediction: expected float32 (2,3), got uint8 (2,3)", s.step, s, x, x:byte())
    x = s:step(x, x)
    fails("bad argument #1 to 'step' (x: expected float32 (2,3), got float32 (3))", s.step, s, core.ones(3), x)
    s:step(x, x)
    assert.is_nil(s.t)
  end)

  it("refuses times and schedules that make no sense", function()
    fails("bad argument #2 to 'euler' (times: expected integer from 1", samplers.euler, vp, 0)
    fails("times: expected two or more", samplers.euler, vp, { 1 })
    fails("times[3]: times must fall, but 0.5 follows 0.5", samplers.euler, vp, { 0.9, 0.5, 0.5 })
    fails("times[1]: expected number from 0 to 1, got 1.1", samplers.euler, vp, { 1.1, 0 })
    fails("bad argument #1 to 'euler' (schedule: alpha is 0 at t = 1, where eps says nothing", samplers.euler, vp, 3)
    fails("schedule: expected sigma of at least 0 at t = 1, got nil", samplers.euler, function() return 1 end, 3)
    fails("alpha of at least 0 at t = 1, got ", samplers.euler, function() return 0 / 0, 1 end, 3)
    fails("schedule: sigma / alpha must fall with t, but is 1 at t = 1 and 1 at t = 0.5", samplers.euler,
      function() return 1, 1 end, { 1, 0.5 })
    fails("unknown option \"order\"", samplers.euler, vp, 3, { order = 2 })
    fails("expected \"eps\"", samplers.euler, vp, 3, { predict = "noise" })
    fails("noise: expected a list of generators only", samplers.ddim, vp, { 0.9, 0 }, { noise = { 1 } })
  end)
end)

describe("noise", function()
  local function sample(noise, n)
    core.manual_seed(5)
    local s = samplers.ddim(vp, { 0.9, 0.5, 0.1 }, { eta = 1, noise = noise })
    return samplers.drive(s, core.ones(n or 2, 4, 5, 3), function(x) return x end)
  end
  local function generators(...)
    local list = {}
    for i, seed in ipairs { ... } do list[i] = core.generator(seed) end
    return list
  end

  it("comes from where it is told", function()
    assert.equal(sample():to_string(), sample(core.generator(5)):to_string())
    assert.is_not.equal(sample():to_string(), sample(core.generator(6)):to_string())
    local shape
    assert.equal(sample():to_string(), sample(function(s)
      shape = s
      return core.randn(s)
    end):to_string())
    assert.same({ 2, 4, 5, 3 }, shape)
  end)

  it("of one picture does not depend on the others", function()
    local three = sample(generators(7, 8, 9), 3)
    for i = 1, 3 do assert.equal(three[i]:to_string(), sample(generators(6 + i), 1):to_string()) end
  end)

  it("must fit", function()
    fails("bad argument #3 to 'ddim' (noise: 3 generators for 2 pictures)", sample, generators(1, 2, 3))
    fails("noise: expected float32 (2,4,5,3) from the function, got float32 (2)", sample, function()
      return core.ones(2)
    end)
    fails("a function among the sampler's arguments yields", sample, function() coroutine.yield(1) end)
    local s = samplers.ddim(vp, { 0.9, 0.5, 0 }, { eta = 1, noise = function() error("my own trouble", 0) end })
    fails("my own trouble", s.step, s, core.ones(2), core.ones(2))
    fails("this ddim has failed before", s.step, s, core.ones(2), core.ones(2))
  end)
end)

describe("drive", function()
  it("tells the callback what there is, and takes what it gives", function()
    local seen = {}
    local s = samplers.euler(vp, { 0.8, 0.3, 0 }, { predict = "x0" })
    local x = samplers.drive(s, core.ones(2), function(x, t)
      assert.equal("number", type(t))
      return x * 0 + 1
    end, function(step)
      seen[#seen + 1] = step
      return step.i == 2 and step.x * 0 or nil
    end)
    close(x, { 0, 0 })
    assert.same({ 1, 2 }, { seen[1].i, seen[2].i })
    assert.equal(0.3, seen[1].t)
    assert.is_nil(seen[2].t)
    close(seen[1].x0, { 1, 1 })
    assert.equal(2, seen[1].calls)
  end)
end)

describe("a sampler of one's own", function()
  it("is made of a body", function()
    local halfway = samplers.define("halfway", { by = { "number", 0.5 } }, function(s) return 2 * s.n end,
      function(s, o)
        local x, x0
        for i = 1, s.n do
          x, x0 = s:ask(s.knots[i], x)
          local middle = s:knot_between(s.knots[i], s.knots[i + 1], o.by, "ratio")
          x, x0 = s:ask(middle, samplers.move(x, x0, s.knots[i], middle))
          x = samplers.move(x, x0, middle, s.knots[i + 1])
        end
        return x
      end)
    local s = halfway(vp, { 0.5, 0.2 })
    assert.equal(2, s.calls)
    s:step(core.ones(2), core.ones(2))
    local alpha, sigma = vp(s.t)
    assert.near((1 + math.tan(math.pi / 2 * 0.2)) / 2, sigma / alpha, 1e-9)
    s:step(core.ones(2), core.ones(2))
    assert.is_nil(s.t)
    fails("unknown option \"to\"", halfway, vp, 3, { to = 1 })
    fails("only the body of a sampler asks", s.ask, s, s.knots[1])
  end)

  it("finds knots by sigma / alpha", function()
    local s = samplers.euler(vp, { 0.8, 0.2 })
    local a, b = s.knots[1], s.knots[2]
    local middle = s:knot_between(a, b, 0.25)
    assert.near(0.75 * math.log(a.ratio) + 0.25 * math.log(b.ratio), math.log(middle.ratio), 1e-9)
    assert.near(0.5, s:knot_with(a, b, 1).t, 1e-12)
    assert.near(0.5, s:knot_at(0.5).t, 0)
    fails("bad argument #1 to 'euler' (schedule: sigma / alpha is not 100", s.knot_with, s, a, b, 100)
  end)
end)
