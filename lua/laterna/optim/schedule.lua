--- Learning rates as functions of the step, counted from 1: `lt.optim.AdamW(p, { lr = schedule.cosine(3e-4, 5000) })`.
-- A number of steps in all may be anything with a method done() that gives 0 to 1, such as lt.train.budget(10).
-- @module laterna.optim.schedule
local check = require "laterna.check"

local schedule = {}

local function positive(fname, i, v)
  check.number(fname, i, "lr", v, 0)
  if v == math.huge then check.fail(fname, i, "lr: expected a finite number, got inf") end
  return v
end

--- The same rate at every step.
-- @tparam number lr
-- @treturn function
function schedule.constant(lr)
  positive("constant", 1, lr)
  return function() return lr end
end

--- Grows in equal parts to full rate at step n, then follows lr.
-- @tparam integer n steps
-- @tparam number|function lr
-- @treturn function
function schedule.warmup(n, lr)
  n = check.integer("warmup", 1, "n", n, 0)
  check.type("warmup", 2, "lr", lr, "number|callable")
  if type(lr) == "number" then lr = schedule.constant(positive("warmup", 2, lr)) end
  return function(step) return lr(step) * (step < n and step / n or 1) end
end

local function has_done(v)
  local ok, done = pcall(function() return type(v) == "table" and v.done end)
  return ok and type(done) == "function"
end

-- lr at the end of the warm-up, final at step `total` and after it; shape(p) goes from 1 to 0 as p goes from 0 to 1.
local function decay(fname, lr, total, options, shape)
  positive(fname, 1, lr)
  local budget = has_done(total) and total
  if not budget then total = check.integer(fname, 2, "total", total, 1) end
  local o = check.options(fname, 3, options, {
    warmup = { "integer", 0, min = 0, max = not budget and total - 1 or nil }, final = { "number", 0, min = 0 },
  })
  return function(step)
    if step < o.warmup then return lr * step / o.warmup end
    local p = budget and budget:done() or math.min(1, (step - o.warmup) / (total - o.warmup))
    return o.final + (lr - o.final) * shape(p)
  end
end

--- Half a cosine from lr down to final at step `total` (Loshchilov and Hutter 2017), after a linear warm-up.
-- @tparam number lr
-- @tparam integer|budget total steps, or a budget of time
-- @tparam[opt] table options {warmup=0 steps, final=0}
-- @treturn function
function schedule.cosine(lr, total, options)
  return decay("cosine", lr, total, options, function(p) return (1 + math.cos(math.pi * p)) / 2 end)
end

--- A straight line from lr down to final at step `total`, after a linear warm-up.
-- @tparam number lr
-- @tparam integer|budget total steps, or a budget of time
-- @tparam[opt] table options {warmup=0 steps, final=0}
-- @treturn function
function schedule.linear(lr, total, options)
  return decay("linear", lr, total, options, function(p) return 1 - p end)
end

--- lr, multiplied by factor after every `every` steps.
-- @tparam number lr
-- @tparam integer every steps
-- @tparam[opt=0.1] number factor
-- @treturn function
function schedule.step(lr, every, factor)
  positive("step", 1, lr)
  every = check.integer("step", 2, "every", every, 1)
  factor = check.number("step", 3, "factor", factor == nil and 0.1 or factor, 0)
  return function(step) return lr * factor ^ ((step - 1) // every) end
end

return schedule
