-- Times for training: within (0,1], as they are said to be spread, the same from the same generator.
local core = require "laterna.core"
local time_sampler = require "laterna.diffusion.time_sampler"
local fails = require "spec.support.fails"
local schedules = require "laterna.schedule"

local flow = schedules.flow()
local all = { uniform = time_sampler.uniform(), stratified = time_sampler.stratified(),
              log_normal = time_sampler.log_normal(),
              logit_normal = time_sampler.logit_normal() }

describe("draw", function()
  it("gives n times in (0,1], the same from the same seed", function()
    for name, f in pairs(all) do
      local t = f(1000, core.generator(3), flow)
      assert.same({ 1000 }, t.shape, name)
      assert.is_true(t:min():item() > 0 and t:max():item() <= 1, name)
      assert.same(t:totable(), f(1000, core.generator(3), flow):totable(), name)
      assert.not_same(t:totable(), f(1000, core.generator(4), flow):totable(), name)
      assert.same({ 1 }, f(1, core.generator(1), flow).shape)
    end
  end)

  it("is uniform", function()
    for _, name in ipairs { "uniform", "stratified" } do
      local t = all[name](10000, core.generator(1), flow)
      assert.near(0.5, t:mean():item(), 0.01, name)
      assert.near(1 / 12, t:var():item(), 0.003, name)
    end
  end)

  it("is stratified: one in each part, all as far along in theirs, by a draw for each batch #slow", function()
    local generator, firsts = core.generator(5), {}
    for batch = 1, 200 do
      local list = all.stratified(16, generator, flow):totable()
      for i, t in ipairs(list) do
        assert.equal(i - 1, math.floor(t * 16))
        if i > 1 then assert.near(1 / 16, t - list[i - 1], 1e-4) end
      end
      firsts[batch] = list[1] * 16
    end
    local t = core.tensor(firsts)
    assert.near(0.5, t:mean():item(), 0.06)
    assert.near(1 / 12, t:var():item(), 0.015)
  end)

  it("has the papers' numbers where none are given #slow", function()
    local edm = schedules.edm()
    local ratios = (all.log_normal(10000, core.generator(6), edm):log() * 7 + math.log(80)) -- log(80 t^7)
    assert.near(-1.2, ratios:mean():item(), 0.04)
    assert.near(1.2, ratios:std():item(), 0.04)
    local t = all.logit_normal(10000, core.generator(6))
    local z = (t / (1 - t)):log()
    assert.near(0, z:mean():item(), 0.04)
    assert.near(1, z:std():item(), 0.04)
  end)

  it("never comes nearer to the clean picture than 1e-4, nor beyond noise #slow", function()
    local least = 1e-4 - 1e-9
    for _, name in ipairs { "log_normal", "logit_normal" } do
      local t = time_sampler[name] { mean = -40 }(50, core.generator(1), flow)
      assert.is_true(t:min():item() >= least and t:max():item() < 1.1e-4, name)
      assert.equal(1, time_sampler[name] { mean = 40 }(50, core.generator(1), schedules.edm()):max():item(), name)
    end
    assert.is_true(all.uniform(200000, core.generator(1)):min():item() >= least)
    assert.is_true(all.log_normal(20000, core.generator(1), flow):min():item() < 0.005)
  end)

  it("is normal in log(sigma / alpha), whatever the schedule #slow", function()
    for _, f in ipairs { schedules.edm(), flow, schedules.cosine() } do
      local list = time_sampler.log_normal { mean = -0.5, std = 0.8 }(4000, core.generator(2), f):totable()
      local sum, square = 0, 0
      for _, t in ipairs(list) do
        local z = math.log(schedules.ratio(f, t))
        sum, square = sum + z, square + z * z
      end
      local mean = sum / #list
      assert.near(-0.5, mean, 0.05)
      assert.near(0.8, (square / #list - mean * mean) ^ 0.5, 0.04)
    end
  end)

  it("is normal in the logit of t", function()
    local t = time_sampler.logit_normal { mean = 0.3, std = 0.7 }(10000, core.generator(2))
    local z = (t / (1 - t)):log()
    assert.near(0.3, z:mean():item(), 0.03)
    assert.near(0.7, z:std():item(), 0.03)
  end)

  it("refuses in words", function()
    fails("std", time_sampler.log_normal, { std = 0 })
    fails('unknown option "sigma"', time_sampler.logit_normal, { sigma = 1 })
  end)
end)
