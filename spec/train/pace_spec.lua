-- Too short a budget for the data set is said once, after a minute. Time is a number here.
local core = require "laterna.core"
local nn = require "laterna.nn"
local numbered = require "spec.support.numbered"
local optim = require "laterna.optim"
local pace = require "laterna.train.pace"
local train = require "laterna.train"

describe("the pace of a run", function()
  -- What stderr gets while a run of so many minutes goes on, a step taking so many seconds; and how many steps it had.
  local function said(minutes, seconds, data, more)
    local time, text, stderr, steps = 0, {}, io.stderr, 0
    local model = nn.Linear(2, 1)
    local opt = optim.SGD(model:parameters(), { lr = 0.1 })
    local options = { steps = train.budget(minutes, { now = function() return time end }), model = model,
      optimizer = opt, data = data }
    for key, v in pairs(more or {}) do options[key] = v end
    local run = train.run(options)
    rawset(io, "stderr", { write = function(_, ...) text[#text + 1] = table.concat { ... } end })
    local ok, err = pcall(function()
      for step in run:steps() do
        steps, time = step, time + seconds
      end
    end)
    rawset(io, "stderr", stderr)
    assert(ok, err)
    return table.concat(text), steps
  end

  local function times(text) return select(2, text:gsub("look: at this pace", "")) end

  it("warns once where a small set would be seen too few times", function()
    local text, steps = said(4, 10, numbered(200):batches(20, { seed = 1 })) -- 24 steps, epochs of 10
    assert.equal(24, steps)
    assert.equal(1, times(text))
    assert.is_truthy(text:find("4 minutes are 24 steps and show each picture 2.4 times; fewer than 10", 1, true))
  end)

  it("is silent where there are passes enough", function()
    assert.equal(0, times((said(20, 1, numbered(200):batches(20, { seed = 1 }))))) -- 120 of 10
    assert.equal(1, times((said(20, 1, numbered(200):batches(1, { seed = 1 })))))  -- 6
  end)

  it("counts what is shown, not what there is: repeats make an epoch longer", function()
    local set = numbered(20)
    set.repeats = {}
    for i = 1, 20 do set.repeats[i] = 30 end
    assert.equal(1, times((said(2, 1, set:batches(10, { seed = 1 })))))                    -- 120 steps, 60 an epoch
    assert.equal(0, times((said(2, 1, set:batches(10, { seed = 1, repeats = false }))))) -- 2 an epoch
  end)

  it("says nothing within the first minute, without a budget, or of data that has no epochs", function()
    local set = numbered(200)
    assert.equal(0, times((said(0.9, 1, set:batches(20, { seed = 1 })))))
    assert.equal(0, times((said(4, 10, set:batches(20, { seed = 1 }), { steps = 5 }))))
    assert.equal(0, times((said(4, 10, function() return {} end))))
    assert.equal(0, times((said(4, 10, { next = function() return {} end }))))
    assert.equal("", (said(4, 10, set:batches(20, { seed = 1 }), { progress = false })))
  end)

  it("knows that large sets are learned in few passes", function()
    local data = { per_epoch = 1000, size = 64 }
    assert.is_nil(pace.warning(data, 4000, 60))                      -- 256,000 pictures in 4 passes
    assert.is_truthy(pace.warning(data, 3999, 60))
    assert.is_nil(pace.warning({ per_epoch = 10, size = 1 }, 100, 60)) -- 10 passes
    assert.is_truthy(pace.warning({ per_epoch = 10, size = 1 }, 99, 60):find("9.9 times", 1, true))
    assert.is_nil(pace.warning(core.zeros(1), 99, 60))
    assert.is_nil(pace.warning({ per_epoch = "10", size = 0 }, 99, 60))
  end)
end)
