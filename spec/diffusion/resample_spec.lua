-- Steps walked several times: how often the network is asked, what noise is put back, and what for.
local core = require "laterna.core"
local ideal = require "spec.support.ideal"
local resample = require "laterna.diffusion.resample"
local samplers = require "laterna.samplers"
local schedules = require "laterna.schedule"

describe("resample", function()
  local schedule = schedules.cosine()

  it("walks each stretch as often as asked and the times in between in order", function()
    local times = { 1, 0.8, 0.6, 0.4, 0.2, 0 }
    local s = resample(samplers.ddim, { repeats = 2, jump = 2 })(schedule, times, { predict = "v" })
    local asked, x = {}, core.randn(1, 2, 2, 1)
    while s.t do
      asked[#asked + 1] = s.t
      x = s:step(x, x * 0)
    end
    assert.same({ 1, 0.8, 1, 0.8, 0.6, 0.4, 0.6, 0.4, 0.2, 0.2 }, asked)
    assert.equal(#asked, s.calls)
    assert.same(x.shape, s.x0.shape)
  end)

  it("of once is the sampler itself", function()
    local model, noise = ideal.two_points("cosine", "v"), core.randn(2, 3, 2, 1)
    local a = model:sample(nil, { noise = noise, sampler = samplers.ddim, steps = 6 })
    local b = model:sample(nil, { noise = noise, sampler = resample(samplers.ddim, { repeats = 1 }), steps = 6 })
    assert.same(a:totable(), b:totable())
    local s = resample(samplers.ddim, {})(schedule, 7, { predict = "v" })
    assert.equal(7, s.calls)
  end)

  it("puts noise back as the forward process does", function()
    local drawn = {}
    local options = { predict = "x0", noise = function(shape)
      drawn[#drawn + 1] = shape
      return core.full(shape, 2)
    end }
    local s = resample(samplers.ddim, { repeats = 2 })(schedule, { 0.8, 0.3, 0 }, options)
    local x = core.randn(1, 2, 2, 1)
    local a8, s8 = schedule(0.8)
    local a3, s3 = schedule(0.3)
    local y = s:step(x, x * 0.5)
    -- a step of ddim to 0.3, and from there alpha ratio and what of the variance is missing
    local down = x * (0.5 * a3) + (x - x * (0.5 * a8)) * (s3 / s8)
    local k = a8 / a3
    assert.is_true((down * k + 2 * (s8 ^ 2 - k ^ 2 * s3 ^ 2) ^ 0.5 - y):abs():max():item() < 1e-5)
    assert.equal(0.8, s.t)
    assert.same({ { 1, 2, 2, 1 } }, drawn)
  end)

  it("brings what is painted into agreement with what is known", function()
    -- two pixels, the first one known: the mean of the other is b/a times it
    core.manual_seed(9)
    local a, b, c = 0.3, 0.27, 0.3
    local model, n = ideal.pair("cosine", "v", a, b, c), 400
    local picture, mask = core.full({ n, 1, 2, 1 }, 0.6), core.tensor({ 0, 1 }):view(1, 1, 2, 1)
    local function off(repeats)
      local x = model:sample(nil, { picture = picture, mask = mask, sampler = "ddim", steps = 20, clip = false,
                                    resample = repeats })
      return math.abs(x:narrow(3, 2, 1):mean():item() - 0.6 * b / a)
    end
    local once, often = off(1), off(8)
    assert.is_true(often < 0.5 * once, ("%g, %g"):format(once, often))
  end)

  it("wraps every sampler, with the calls that it announces", function()
    for _, name in ipairs { "ddpm", "euler_ancestral", "heun", "dpm2", "dpmpp_2s_ancestral", "dpmpp_2m", "dpmpp_2m_sde",
                            "dpmpp_sde", "unipc", "lms", "lcm" } do
      local calls, announced = 0, nil
      local model = ideal.gaussian("cosine", "v", 0.1, 0.3)
      local x = model:sample({ n = 2 }, { sampler = name, steps = 7, resample = 3, jump = 3, callback = function(at)
        calls, announced = calls + 1, at.calls
        assert.equal(calls, at.step)
      end })
      assert.equal(announced, calls, name)
      assert.is_true(x:abs():max():item() <= 1, name)
    end
  end)

  it("refuses in words", function()
    assert.has_error(function() resample(5) end, "bad argument #1 to 'resample' (inner: expected callable, got 5)")
    assert.has_error(function() resample(samplers.ddim, { repeats = 0 }) end)
    assert.has_error(function() resample(samplers.ddim, { jumps = 1 }) end)
  end)
end)
