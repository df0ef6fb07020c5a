-- A budget of time: what counts, what does not, and a run that ends and is resumed by it. Time is a number here.

local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local train = require "laterna.train"

describe("a clock", function()
  local time, clock

  before_each(function()
    time = 1000
    clock = train.budget(2, { now = function() return time end })
  end)

  local function pass(seconds) time = time + seconds end

  it("counts while it runs, and not aside", function()
    pass(50)
    assert.equal(0, clock:minutes())
    clock:start()
    pass(30)
    clock:start()
    assert.equal(0.25, clock:done())
    local a, b, n = clock:aside(function(...)
      pass(500)
      return select("#", ...), "b", nil
    end, 1, 2)
    assert.same({ 2, "b", nil }, { a, b, n })
    pass(30)
    clock:stop()
    pass(500)
    assert.equal(1, clock:minutes())
    clock:start()
    pass(9999)
    assert.equal(1, clock:done())
  end)

  it("goes on after what went wrong aside, and stands after it if it stood", function()
    clock:start()
    assert.has_error(function() clock:aside(error, "oh", 0) end, "oh")
    pass(60)
    assert.equal(0.5, clock:done())
    clock:stop()
    clock:aside(function() end)
    pass(60)
    assert.equal(0.5, clock:done())
  end)

  it("ends a run, lowers its rate, and is in its checkpoint", function()
    local folder = os.tmpname()
    os.remove(folder)
    local function run(resume)
      local it = { steps = 0 }
      core.manual_seed(1)
      local model = nn.Linear(2, 1)
      local opt = optim.SGD(model:parameters(), { lr = optim.schedule.linear(8, clock, { warmup = 2 }) })
      it.run = train.run { save = folder, steps = clock, model = model, optimizer = opt, progress = false,
                           resume = resume }
      for step in it.run:steps() do
        it.steps, it.last = it.steps + 1, step
        model(core.ones(1, 2)):sum():backward()
        opt:step()
        pass(15)
        if resume == false and step == 3 then
          it.run:save()
          break
        end
      end
      return it
    end
    local first = run(false)
    assert.equal(3, first.steps)
    assert.equal(0.375, clock:done())
    clock = train.budget(2, { now = function() return time end })
    pass(777)
    local second = run(true)
    assert.equal(5, second.steps)
    assert.equal(8, second.last)
    assert.equal(1, clock:done())
    clock = train.budget(2, { now = function() return time end })
    assert.equal(0, run(true).steps) -- the budget is used up
    for _, name in ipairs { "checkpoint.safetensors", "log.csv" } do os.remove(folder .. "/" .. name) end
    os.remove(folder)
  end)

  it("makes rates that fall with it", function()
    local rate = optim.schedule.linear(8, clock, { warmup = 2, final = 1 })
    clock:start()
    assert.equal(4, rate(1))
    assert.equal(8, rate(2))
    pass(60)
    assert.equal(4.5, rate(900))
    pass(60)
    assert.equal(1, rate(901))
  end)

  it("tells the progress bar how many steps are to be expected", function()
    local lines = {}
    local out = { write = function(_, text) lines[#lines + 1] = text end }
    local progress = require "laterna.show.progress"
    local bar = progress(nil, { out = out, tty = false, clock = function() return time end })
    bar:update(1)
    pass(11)
    bar:update(5, {}, 20)
    bar:finish()
    assert.matches("^step 1", lines[1])
    assert.matches("^ 25%% 5/20", lines[2])
  end)

  it("refuses what is not a time", function()
    fails("bad argument #1 to 'budget' (minutes", train.budget, 0)
    fails("bad argument #1 to 'budget' (minutes", train.budget, math.huge)
    fails("bad argument #1 to 'budget' (minutes", train.budget, "ten")
    local o = { steps = { done = 1 }, model = nn.Linear(1, 1) }
    fails("steps: expected an integer of at least 0, or a budget", train.run, o)
    fails("self: expected a budget", clock.done, {})
    fails("bad argument #2 to 'linear' (total", optim.schedule.linear, 1, {})
  end)
end)
