-- Which times are visited: as many as asked for, none twice, those of the papers and of diffusers.
local fails = require "spec.support.fails"
local schedule = require "laterna.schedule"
local spacing = schedule.spacing

local schedules = {
  linear = schedule.linear(), scaled_linear = schedule.scaled_linear(), cosine = schedule.cosine(),
  sigmoid = schedule.sigmoid(), log_snr_linear = schedule.log_snr_linear(), edm = schedule.edm(),
  flow = schedule.flow(),
}
local spacings = {
  uniform = spacing.uniform, trailing = spacing.trailing(), leading = spacing.leading(), linspace = spacing.linspace(),
  rounded = spacing.linspace { round = true }, karras = spacing.karras(), log_snr = spacing.log_snr(),
}

local function falls(times, n, where)
  assert.equal(n + 1, #times, where)
  assert.equal(0, times[n + 1], where)
  assert.is_true(times[1] <= 1, where)
  for i = 2, #times do
    if times[i] >= times[i - 1] then error(("%s: time %d, %g after %g"):format(where, i, times[i], times[i - 1])) end
  end
end

-- As diffusers counts: step k of 1000 is our (k + 1) / 1000.
local function steps(times)
  local list = {}
  for i = 1, #times - 1 do list[i] = math.floor(times[i] * 1000 - 1 + 0.5) end
  return list
end

describe("spacing", function()
  it("gives n + 1 falling times for every n from 1 to 1000 #slow", function()
    local by_bisection = { karras = true, log_snr = true } -- slow: some of the numbers will do
    for name, space in pairs(spacings) do
      for n = 1, 1000 do
        if n < 30 or not by_bisection[name] or n % 97 == 0 or n == 1000 then
          falls(space(schedules.flow, n), n, name .. " " .. n)
        end
      end
    end
  end)

  it("does so for every schedule, and from any first time #slow", function()
    for schedule_name, f in pairs(schedules) do
      for name, space in pairs(spacings) do
        for _, n in ipairs { 1, 2, 18, 300 } do
          local where = ("%s %s %d"):format(schedule_name, name, n)
          falls(space(f, n), n, where)
          local from_middle = space(f, n, 0.6)
          falls(from_middle, n, where)
          assert.is_true(from_middle[1] <= 0.6 + 1e-12, where)
        end
      end
    end
  end)

  it("is diffusers' for whole steps #slow", function()
    assert.same({ 900, 800, 700, 600, 500, 400, 300, 200, 100, 0 }, steps(spacings.leading(schedules.linear, 10)))
    assert.same({ 999, 899, 799, 699, 599, 499, 399, 299, 199, 99 }, steps(spacings.trailing(schedules.linear, 10)))
    assert.same({ 999, 856, 713, 570, 428, 285, 142 }, steps(spacings.trailing(schedules.linear, 7)))
    assert.same({ 999, 666, 333, 0 }, steps(spacings.rounded(schedules.linear, 4)))
    assert.same({ 901 }, steps(spacing.leading { offset = 901 } (schedules.linear, 1)))
    assert.same({ 751, 501, 251, 1 }, steps(spacing.leading { offset = 1 } (schedules.linear, 4)))
    for n = 1, 1000 do falls(spacing.leading { offset = 1 } (schedules.flow, n), n, "leading from 1") end
  end)

  -- NumPy 2 says, as diffusers asks it: linspace(0, 999, n).round(), arange(1000, 0, -1000 / n).round() - 1 (which is
  -- one number too long for 62 of the n: the first n count), arange(n) * (1000 // n). All of them for n = 1..1000
  -- (2..1000 of linspace, which for n = 1 gives 0, where nothing can begin), falling, h = (31 h + step) mod (2^31 - 1).
  it("rounds as NumPy does, for every n #slow", function()
    for name, want in pairs { rounded = 328834378, trailing = 173175107, leading = 1628150008 } do
      local h = 0
      for n = name == "rounded" and 2 or 1, 1000 do
        for _, step in ipairs(steps(spacings[name](schedules.flow, n))) do h = (31 * h + step) % 2147483647 end
      end
      assert.equal(want, h, name)
    end
  end)

  it("is Karras's list of sigmas", function()
    local want = { 80, 57.586, 40.7856, 28.3746, 19.3525, 12.9101, 8.4009, 5.3152, 3.2568, 1.9233, 1.0882, 0.5853,
      0.2964, 0.1395, 0.0599, 0.0229, 0.0075, 0.002 }
    local times = spacings.karras(schedules.edm, 18)
    for i, sigma in ipairs(want) do assert.near(sigma, schedule.ratio(schedules.edm, times[i]), 6e-4 * sigma + 5e-5) end
  end)

  it("is even in log-SNR", function()
    local times = spacings.log_snr(schedules.log_snr_linear, 5)
    for i = 2, 4 do assert.near(times[i - 1] - times[i], times[i] - times[i + 1], 1e-9) end
  end)

  it("is any list", function()
    local list = spacing.list { 1, 0.4, 0 }
    assert.same({ 1, 0.4, 0 }, list(schedules.flow, 2))
    fails("times[3]", spacing.list, { 1, 0.4, 0.5 })
  end)

  it("refuses in words", function()
    fails("n: expected integer", spacing.uniform, schedules.flow, 0)
    fails("n: expected at most 10 steps", spacing.trailing { steps = 10 }, schedules.flow, 11)
    fails("first: expected number", spacing.uniform, schedules.flow, 3, 2)
    fails("sigma_min: expected less", spacing.karras { sigma_min = 90 }, schedules.edm, 3)
    fails("unknown option \"rho2\"", spacing.karras, { rho2 = 1 })
    fails("rho: expected number", spacing.karras, { rho = "7" })
    fails("offset: expected integer", spacing.leading, { offset = 0.5 })
    fails("round: expected boolean", spacing.linspace, { round = 1 })
  end)
end)
