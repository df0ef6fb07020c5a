--- A budget of time in the place of a number of steps. The same object ends the run and lowers the learning rate:
--
--     local budget = lt.train.budget(10)                                    -- minutes
--     local opt = lt.optim.AdamW(model:parameters(), { lr = lt.optim.schedule.cosine(1e-3, budget) })
--     local run = lt.train.run { steps = budget, model = model, optimizer = opt }
--
-- It runs while the run's loop does; what a script does for itself in there can be kept out by budget:aside.
-- @module laterna.train.budget
local check = require "laterna.check"
local core = require "laterna.core"
local guard = require "laterna.guard"
local scope = require "laterna.scope"

local MOST_MINUTES = 1e9 -- in a state: some 1900 years

local Budget = {}
Budget.__index = Budget
Budget.__name = "budget"

--- Minutes that have been used up, those of earlier sittings of a resumed run included.
-- @treturn number
function Budget:minutes()
  return (self.spent + (self.since and self.now() - self.since or 0)) / 60
end

--- How much of the budget is used up.
-- @treturn number from 0 to 1
function Budget:done()
  return math.min(1, self:minutes() / self.total)
end

--- Lets it run; nothing when it runs.
function Budget:start()
  self.since = self.since or self.now()
end

--- Holds it; nothing when it stands.
function Budget:stop()
  self.spent, self.since = 60 * self:minutes(), nil
end

--- Runs f(...) while the budget stands: for test pictures and plots on the way.
-- @tparam function f
-- @return what f returns
function Budget:aside(f, ...)
  check.type("aside", 1, "f", f, "callable")
  local ran
  return scope.run(function()
    ran = self.since
    self:stop()
  end, function()
    if ran then self:start() end
  end, f, ...)
end

--- @treturn table what a checkpoint keeps
function Budget:state()
  return { minutes = self:minutes() }
end

--- The first half of load_state: checks a state and changes nothing.
-- @tparam table state from state
-- @treturn function that puts it in place, and cannot fail
function Budget:prepare_state(state)
  check.type("load_state", 1, "state", state, "table")
  check.only("load_state", 1, "state", state, "minutes")
  local minutes = check.number("load_state", 1, "minutes", rawget(state, "minutes"), 0, MOST_MINUTES)
  return function()
    self.spent = 60 * minutes
    self.since = self.since and self.now()
  end
end

--- @tparam table state from state
function Budget:load_state(state)
  self:prepare_state(state)()
end

guard(Budget, "a budget")

local budget = {}

--- @tparam number minutes the budget, more than 0
-- @tparam[opt] table options now: a function that gives seconds, the system's by default
-- @treturn budget with done, minutes, aside, start, stop
-- @function train.budget
function budget.new(minutes, options)
  minutes = check.number("budget", 1, "minutes", minutes, 0)
  if minutes == 0 or minutes == math.huge then check.fail("budget", 1, "minutes: more than 0 and finite, please") end
  local o = check.options("budget", 2, options, { now = { "callable", core.clock } })
  return setmetatable({ total = minutes, spent = 0, now = o.now }, Budget)
end

--- Is v a budget of time?
function budget.is(v)
  return type(v) == "table" and getmetatable(v) == Budget
end

return budget
