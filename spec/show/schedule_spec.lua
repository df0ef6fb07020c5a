-- A noise schedule is known by what it is, and shown whole.
local plot = require "laterna.show.plot"
local schedules = require "laterna.schedule"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local show = require "laterna.show.schedule"

local function late(t) return math.cos(math.pi / 2 * t ^ 1.5), math.sin(math.pi / 2 * t ^ 1.5) end

-- What is written to a terminal of plain text.
local function written(f, options)
  local parts = {}
  local o = { out = { write = function(_, ...) parts[#parts + 1] = table.concat { ... } end }, tty = false, width = 60,
    height = 8 }
  for key, v in pairs(options or {}) do o[key] = v end
  plot(f, o)
  return table.concat(parts)
end

describe("a schedule, plotted", function()
  it("shows alpha and sigma, and log-SNR below", function()
    for _, f in ipairs { late, schedules.cosine(), schedules.flow(), schedules.linear() } do
      local text = written(f)
      local above, below = text:find("alpha", 1, true), text:find("log-SNR", 1, true)
      assert.is_truthy(above and text:find("sigma", 1, true) and below and below > above)
      assert.is_falsy(text:find("nan", 1, true) or text:find("inf", 1, true))
    end
  end)

  it("shows sigma alone where alpha is 1", function()
    local text = written(schedules.edm())
    assert.is_truthy(text:find("sigma (alpha is 1)", 1, true) and text:find("log-SNR", 1, true))
  end)

  -- The curve of a figure as {t, value} for points inside its limits.
  local function points(fig, low, high)
    local list = {}
    for _, run in ipairs(fig.series[1].runs) do
      for _, p in ipairs(run) do
        if p[1] > 0 and p[2] > 0 and p[2] < 1 then list[#list + 1] = { p[1], low + p[2] * (high - low) } end
      end
    end
    return list
  end

  it("has log-SNR at its true height, and no word of the ends where it is infinite", function()
    local below = show.figures({ "plot", 1 }, schedules.flow(), {})[2]
    local list = points(below, -20, 20)
    assert.is_true(#list > 350)
    for _, p in ipairs(list) do assert.near(2 * math.log((1 - p[1]) / p[1]), p[2], 1e-9) end
    assert.same({ "log-SNR" }, { below.legend[1].text, below.legend[2] })
    below = show.figures({ "plot", 1 }, schedules.edm { sigma_max = 80, rho = 7 }, {})[2]
    for _, p in ipairs(points(below, -20, 20)) do
      assert.near(-2 * math.log(80) - 14 * math.log(p[1]), p[2], 1e-9)
    end
  end)

  it("has alpha and sigma at their true heights, and no alpha where it is 1 throughout", function()
    local above = show.figures({ "plot", 1 }, late, { xlim = { 0, 1 } })[1]
    assert.same({ "alpha", "sigma" }, { above.legend[1].text, above.legend[2].text })
    for k, f in ipairs { math.cos, math.sin } do
      for _, p in ipairs(above.series[k].runs[1]) do
        assert.near(above.y:position(f(math.pi / 2 * p[1] ^ 1.5)), p[2], 1e-9)
      end
    end
    above = show.figures({ "plot", 1 }, schedules.edm(), {})[1]
    assert.same({ 1, "sigma (alpha is 1)" }, { #above.series, above.legend[1].text })
  end)

  it("shares one height among both, t above t", function()
    for _, f in ipairs { late, schedules.edm(), schedules.flow() } do
      local rows, corners = 0, {}
      for line in written(f, { height = 14, width = 72 }):gmatch "([^\n]*)\n" do
        rows = rows + 1
        assert.is_true(#line <= 72)
        corners[#corners + 1] = line:find("+-", 1, true) or line:find("++-", 1, true)
      end
      assert.equal(14 + 2 * 3 + 1, rows) -- a legend, the axis and its numbers for each; "t"
      assert.equal(2, #corners)
      assert.equal(corners[1], corners[2])
    end
  end)

  it("shows log-SNR from 20 to -20, though it is infinite at t = 0", function()
    local text = written(schedules.edm(), { height = 30 })
    assert.is_truthy(text:find("\n *20 %+"))
    assert.is_falsy(text:find("\n *[3-9]0 %+", (text:find("log-SNR", 1, true))))
  end)

  it("is any function of two numbers where labels are given, or where it is no schedule #slow", function()
    assert.is_falsy(written(late, { labels = { "a", "b" } }):find("log-SNR", 1, true))
    for _, o in ipairs { { to = 0.5 }, { from = 0.1 }, { ylim = { 0, 1 } }, { logy = true }, { ylabel = "y" } } do
      assert.is_falsy(written(late, o):find("log-SNR", 1, true))
    end
    assert.is_truthy(written(late, { title = "t", xlabel = "time", xlim = { 0, 0.5 } }):find("log-SNR", 1, true))
    assert.is_falsy(written(function(t) return t, 1 - t end):find("log-SNR", 1, true))
    assert.is_falsy(written(math.sin):find("log-SNR", 1, true))
    assert.is_falsy(written(function(t) return 1 - t, t, t end):find("log-SNR", 1, true))
  end)

  it("has its title once", function()
    local _, times = written(late, { title = "late" }):gsub("late", "")
    assert.equal(1, times)
    fails('unknown option "titel"', plot, late, { titel = "late" })
  end)

  it("is two panels in one PNG", function()
    local path = os.tmpname()
    plot.save(path, late, { width = 300, height = 240 })
    local picture = core.load_png(path)
    os.remove(path)
    assert.same({ 240, 300, 3 }, picture.shape)
    -- Something is drawn in both halves: not all of a half is one colour.
    for _, half in ipairs { picture[{ 1, 120 }], picture[{ 121, 240 }] } do
      assert.is_true(half:float():std():item() > 1)
    end
  end)
end)
