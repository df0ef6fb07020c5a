-- DDIM and DPM-Solver++ 2M against figures from outside: sum and mean of |x| after sampling with the dummy model of the
-- scheduler tests of Hugging Face's diffusers (tests/schedulers), as its tests assert them. The picture is
-- sample[b][c][h][w] = (((8 c + h) 8 + w) 4 + b) / 768, 4x3x8x8; the model says x n / (n + 1) of x at step n of
-- T = 1000; betas go linearly from 1e-4 to .02, alpha_bar is the product of 1 - beta. Step n is our t = (n + 1) / T.
-- Tolerances are those of the tests, 1e-2 and 1e-3.
local core = require "laterna.core"
local lt = require "laterna"
local ancestral = require "laterna.samplers.ancestral"

local T = 1000
local schedule = lt.schedule.linear()

-- f of the index that the picture's definition counts, as (4,8,8,3).
local function picture(f)
  local rows = {}
  for b = 0, 3 do
    rows[b + 1] = {}
    for h = 0, 7 do
      rows[b + 1][h + 1] = {}
      for w = 0, 7 do
        local pixel = {}
        for c = 0, 2 do pixel[c + 1] = f(((c * 8 + h) * 8 + w) * 4 + b) end
        rows[b + 1][h + 1][w + 1] = pixel
      end
    end
  end
  return core.tensor(rows)
end

local sample = picture(function(index) return index / 768 end)
local noise = picture(function(index) return (767 - index) / 768 end)

local function times(steps, last)
  local list = {}
  for i, n in ipairs(steps) do list[i] = (n + 1) / T end
  list[#list + 1] = last
  return list
end

local function run(name, list, options, x)
  local s = lt.samplers[name](schedule, list, options)
  return lt.samplers.drive(s, x, function(y, t)
    local n = t * T - 1
    return y * (n / (n + 1))
  end)
end

local function figures(x, sum, mean)
  x = x:abs()
  if sum then assert.near(sum, x:sum():item(), 1e-2) end
  assert.near(mean, x:mean():item(), 1e-3)
end

describe("outside figures:", function()
  local tens = { 900, 800, 700, 600, 500, 400, 300, 200, 100, 0 }
  -- There eps stays what the model said where x0 is clipped.
  local clipped = { clip = true, recompute = false }
  local function with(more)
    for key, v in pairs(clipped) do more[key] = v end
    return more
  end

  it("the picture", function()
    assert.near(383.5, sample:sum():item(), 1e-3)
  end)

  it("DDIM", function()
    figures(run("ddim", times(tens, 0), with {}, sample), 172.0067, .223967)
    figures(run("ddim", times(tens, 0), with { predict = "v" }, sample), 52.5302, .0684)
  end)

  it("DDIM from a picture with noise", function()
    local alpha, sigma = schedule(101 / T)
    figures(run("ddim", times({ 100, 0 }, 0), with {}, sample * alpha + noise * sigma), 354.5418, .4616)
  end)

  it("DDIM's variance", function()
    local function variance(from, to)
      local a, b = schedule((from + 1) / T)
      local c, d = schedule((to + 1) / T)
      local _, up = ancestral.split({ alpha = a, sigma = b }, { alpha = c, sigma = d }, 1)
      return up ^ 2
    end
    assert.near(.14771, variance(420, 400), 1e-5)
    assert.near(.32460, variance(980, 960), 1e-5)
    assert.near(.00979, variance(487, 486), 1e-5)
  end)

  it("DPM-Solver++ 2M", function()
    -- round(linspace(0, 999, 11)), halves to even; it ends at sigma of step 0, and there with order 2
    local list = times({ 999, 899, 799, 699, 599, 500, 400, 300, 200, 100, 0 })
    figures(run("dpmpp_2m", list, {}, sample), nil, .3301)
    figures(run("dpmpp_2m", list, { predict = "v" }, sample), nil, .2251)
  end)
end)
