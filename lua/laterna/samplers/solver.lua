--- What all samplers share: times and knots, predictions turned into pictures, noise, and the change of hands.
--
-- A solver is written as straight code, its body, which runs in a coroutine: where the paper evaluates the network the
-- body asks, and the caller of `step` answers.
--
--     local euler = solver.define("euler", nil, nil, function(s)
--       local x, x0
--       for i = 1, s.n do
--         x, x0 = s:ask(s.knots[i], x)
--         x = solver.move(x, x0, s.knots[i], s.knots[i + 1])
--       end
--       return x
--     end)
--
-- A knot is a time with the schedule's numbers there, {t=, alpha=, sigma=, ratio=}; ratio = sigma / alpha, which may be
-- infinite. Solvers from the literature are written for x / alpha and sigma / alpha, where every schedule is one.
-- @module laterna.samplers.solver
local check = require "laterna.check"
local core = require "laterna.core"
local prediction = require "laterna.prediction"
local schedules = require "laterna.schedule"
local spelling = require "laterna.spelling"

local solver = {}

--- Of a step, the least part by which an earlier knot must be away to be worth remembering: what float32 rounds is
-- divided by that distance.
solver.NEAR = 1e-4
local combine = core.combine
local NOTHING_LEFT = 1e-12 -- an alpha of cos(pi / 2) is 0 to the eye of the one who wrote it

local Sampler = {}
Sampler.__index = Sampler
setmetatable(Sampler, { __index = spelling.methods("a sampler", Sampler) })

local function is_noise(v)
  if type(v) ~= "table" then
    return check.is_generator(v) or type(v) == "function", "a generator, a list of generators or a function"
  end
  for _, g in ipairs(v) do
    if not check.is_generator(g) then return false, "a list of generators only" end
  end
  return #v > 0, "at least one generator"
end

local COMMON = {
  predict = { "string", "eps", one_of = prediction.kinds },
  sigma_data = { "number", 1, min = 1e-6, max = 1e6 },
  clip = "boolean|callable",
  noise = is_noise,
}

-- A table with the four numbers of a knot.
local function is_knot(fname, i, name, v)
  local ok = type(v) == "table"
  for _, key in ipairs { "t", "alpha", "sigma", "ratio" } do ok = ok and type(rawget(v, key)) == "number" end
  if not ok then check.fail(fname, i, "%s: expected a knot, got %s", name, check.describe(v)) end
end

-- ---- times and knots ----------------------------------------------------------------------------------------------

local function read_times(name, schedule, times)
  if type(times) == "number" then
    return schedules.spacing.uniform(schedule, check.integer(name, 2, "times", times, 1, 100000))
  end
  check.type(name, 2, "times", times, "table|integer")
  local list = {}
  for i = 1, rawlen(times) do
    list[i] = check.number(name, 2, ("times[%d]"):format(i), times[i], 0, 1)
    if i > 1 and list[i] >= list[i - 1] then
      check.fail(name, 2, "times[%d]: times must fall, but %g follows %g", i, list[i], list[i - 1])
    end
  end
  if #list < 2 then check.fail(name, 2, "times: expected two or more, a beginning and an end, got %d", #list) end
  return list
end

local function is_amount(v)
  return type(v) == "number" and v >= 0 and v < math.huge
end

local function make_knot(name, schedule, t)
  local alpha, sigma = schedule(t)
  local function refuse(what, v)
    check.fail(name, 1, "schedule: expected %s of at least 0 at t = %g, got %s", what, t, check.describe(v))
  end
  if not is_amount(alpha) then refuse("alpha", alpha) end
  if not is_amount(sigma) then refuse("sigma", sigma) end
  if alpha + sigma == 0 then check.fail(name, 1, "schedule: alpha and sigma are both 0 at t = %g", t) end
  if alpha <= NOTHING_LEFT * sigma then alpha = 0 end
  return { t = t, alpha = alpha, sigma = sigma, ratio = alpha > 0 and sigma / alpha or math.huge }
end

local function make_knots(name, schedule, times, predict)
  local knots = {}
  for i, t in ipairs(times) do
    knots[i] = make_knot(name, schedule, t)
    if i > 1 and knots[i].ratio >= knots[i - 1].ratio then
      check.fail(name, 1, "schedule: sigma / alpha must fall with t, but is %g at t = %g and %g at t = %g",
        knots[i - 1].ratio, times[i - 1], knots[i].ratio, t)
    end
  end
  if predict == "eps" and knots[1].alpha == 0 then
    check.fail(name, 1, "schedule: alpha is 0 at t = %g, where eps says nothing about the picture; "
      .. "predict v or x0, or begin at an earlier time", times[1])
  end
  return knots
end

--- The knot of any time.
-- @tparam number t in [0,1]
-- @treturn table t, alpha, sigma, ratio
function Sampler:knot_at(t)
  return make_knot("knot_at", self.schedule, check.number("knot_at", 1, "t", t, 0, 1))
end

--- The knot between two others at which sigma / alpha is what is wanted.
-- @tparam table a a knot
-- @tparam table b a later one
-- @tparam number ratio finite, from b's to a's
-- @treturn table a knot
function Sampler:knot_with(a, b, ratio)
  is_knot("knot_with", 1, "a", a)
  is_knot("knot_with", 2, "b", b)
  check.number("knot_with", 3, "ratio", ratio, 0)
  local t = ratio < math.huge and schedules.invert(self.schedule, ratio)
  if not t or t < b.t or t > a.t then
    check.fail(self.name, 1, "schedule: sigma / alpha is not %g between t = %g and t = %g", ratio, a.t, b.t)
  end
  return make_knot(self.name, self.schedule, t)
end

--- The knot between two others where log(sigma / alpha), or sigma / alpha itself, is a fraction of the way from a to b.
-- @tparam table a a knot; its ratio must be finite
-- @tparam table b a later one; its ratio must not be 0 where logarithms are meant
-- @tparam number fraction 0 at a, 1 at b
-- @tparam[opt="log"] string scale "log" or "ratio"
-- @treturn table a knot
function Sampler:knot_between(a, b, fraction, scale)
  is_knot("knot_between", 1, "a", a)
  is_knot("knot_between", 2, "b", b)
  check.number("knot_between", 3, "fraction", fraction, 0, 1)
  check.one_of("knot_between", 4, "scale", scale or "log", { "log", "ratio" })
  if scale == "ratio" then return self:knot_with(a, b, a.ratio + fraction * (b.ratio - a.ratio)) end
  return self:knot_with(a, b, a.ratio ^ (1 - fraction) * b.ratio ^ fraction)
end

-- ---- the body's side ----------------------------------------------------------------------------------------------

--- Asks the network at a knot; only a body may. The caller may hand back another x than it got (inpainting), so
-- the body goes on with the one that returns.
-- @tparam table knot
-- @tparam[opt] Tensor x what the network is to look at; none in the first call of all: the caller brings it
-- @treturn Tensor x
-- @treturn Tensor x0 the picture that the network sees in x, clipped if the option says so
-- @treturn Tensor the same before it was clipped
function Sampler:ask(knot, x)
  if coroutine.running() ~= self.thread then check.fail("ask", nil, "only the body of a sampler asks; call step") end
  is_knot("ask", 1, "knot", knot)
  self.asked = knot
  return coroutine.yield(x or self.x)
end

--- Standard normal noise, shaped like x, from what the option noise says.
-- @treturn Tensor
function Sampler:noise()
  local source, shape = self.options.noise, self.shape
  if type(source) == "function" then
    local z = source(table.move(shape, 1, #shape, 1, {}))
    if not check.is_tensor(z) or z.dtype ~= "float32" or table.concat(z.shape, ",") ~= table.concat(shape, ",") then
      check.fail(self.name, 3, "noise: expected float32 (%s) from the function, got %s", table.concat(shape, ","),
        check.is_tensor(z) and ("%s (%s)"):format(z.dtype, table.concat(z.shape, ",")) or check.describe(z))
    end
    return z
  end
  if type(source) ~= "table" then return core.randn(shape, { generator = source }) end
  if #source ~= shape[1] then
    check.fail(self.name, 3, "noise: %d generators for %s pictures", #source, shape[1] or "no")
  end
  return core.randn_each(source, table.move(shape, 2, #shape, 1, {}))
end

-- Lets the body run until it asks again or ends; gives what it hands out.
local function run(s, ...)
  s.asked = nil
  local ok, x = coroutine.resume(s.thread, ...)
  local ended = coroutine.status(s.thread) == "dead"
  local knot = s.asked
  s.knot, s.t = knot, knot and not ended and knot.t or nil
  if not ok then
    s.broken = true
    error(x, 0)
  end
  if not ended and not knot then
    s.broken = true
    check.fail(s.name, nil, "a function among the sampler's arguments yields")
  end
  return x
end

-- ---- the caller's side --------------------------------------------------------------------------------------------

--- One step: takes x at time s.t and the network's output for it, gives x at the next s.t (nil: done).
-- `s.x0` is then the picture that the network saw.
-- @tparam Tensor x float32, of one shape in all steps
-- @tparam Tensor prediction of the same shape, read as the option predict says
-- @treturn Tensor
function Sampler:step(x, y)
  if getmetatable(self) ~= Sampler then check.fail("step", nil, "expected a sampler, got %s", check.describe(self)) end
  if not self.t then
    check.fail("step", nil, self.broken and "this %s has failed before" or "this %s has ended after %d network calls",
      self.name, self.done)
  end
  check.type("step", 1, "x", x, "tensor")
  check.type("step", 2, "prediction", y, "tensor")
  local shape = self.shape or x.shape
  local wanted = table.concat(shape, ",")
  for i, t in ipairs { x, y } do
    local got = table.concat(t.shape, ",")
    if t.dtype ~= "float32" or got ~= wanted then
      local argument = i == 1 and "x" or "prediction"
      check.fail("step", i, "%s: expected float32 (%s), got %s (%s)", argument, wanted, t.dtype, got)
    end
  end
  local o, knot = self.options, self.knot
  local a, b = prediction.coefficients(o.predict, knot.alpha, knot.sigma, o.sigma_data)
  local unclipped = combine({ x, y }, { a, b })
  local x0 = unclipped
  if o.clip == true then
    x0 = unclipped:clamp(-1, 1)
  elseif o.clip then
    x0 = o.clip(unclipped)
    if not check.is_tensor(x0) or x0.dtype ~= "float32" or table.concat(x0.shape, ",") ~= wanted then
      check.fail(self.name, 3, "clip: expected float32 (%s) from the function, got %s", wanted, check.describe(x0))
    end
  end
  self.shape, self.x, self.x0, self.done = shape, x, x0, self.done + 1
  self.x = run(self, x, x0, unclipped)
  return self.x
end

--- Asks `predict` until the sampler is done. Turn recording off around it (`lt.no_grad`) where no gradient is wanted.
-- @tparam table s a sampler
-- @tparam Tensor x where to begin
-- @tparam function predict (x, t) -> what the network says; t is a number
-- @tparam[opt] function callback ({i, calls, t, x, x0, sampler}) after every call of the network: x is at time t, which
-- is nil at the end. A tensor that it returns takes the place of x.
-- @treturn Tensor
function solver.drive(s, x, predict, callback)
  check.type("drive", 1, "s", s, "table")
  if type(s.step) ~= "function" then check.fail("drive", 1, "s: expected a sampler, got a table without step") end
  check.type("drive", 2, "x", x, "tensor")
  check.type("drive", 3, "predict", predict, "callable")
  check.type("drive", 4, "callback", callback, "callable|nil")
  local i = 0
  while s.t do
    x = s:step(x, predict(x, s.t))
    i = i + 1
    if callback then x = callback { i = i, calls = s.calls, t = s.t, x = x, x0 = s.x0, sampler = s } or x end
  end
  return x
end

--- Makes a sampler, a function (schedule, times, options) -> s, from its body.
--
-- The s that it gives: `t`, the time at which the network must be asked next, nil when done; `calls`, how many times in
-- all; `done`, how many were made; `x0`, the last guess of the picture; `n`, the number of intervals; `knots`, n + 1 of
-- them; `s:step(x, prediction)`. Options of all samplers: predict="eps" (a kind of laterna.prediction), sigma_data=1,
-- clip (true: x0 to [-1,1]; or a function of x0), noise (a generator, one for each picture, or a function (shape) ->
-- tensor; by default the default generator). A body that goes on from x0 of earlier intervals says so before it first
-- asks, `s.remembers = true`: wrappers that add noise between steps, as churn does, then refuse it.
-- @tparam string name for messages
-- @tparam[opt] table known options of its own, as for check.options
-- @tparam[opt] function calls (s, options) -> number of network calls; one an interval by default
-- @tparam function body (s, options) -> the last x
-- @treturn function a sampler
function solver.define(name, known, calls, body)
  check.type("define", 1, "name", name, "string")
  check.type("define", 2, "known", known, "table|nil")
  check.type("define", 3, "calls", calls, "function|nil")
  check.type("define", 4, "body", body, "function")
  local all = {}
  for key, rule in pairs(known or {}) do all[key] = rule end
  for key, rule in pairs(COMMON) do all[key] = rule end
  return function(schedule, times, options)
    check.type(name, 1, "schedule", schedule, "callable")
    times = read_times(name, schedule, times)
    local o = check.options(name, 3, options, all)
    local s = setmetatable({ name = name, schedule = schedule, options = o, n = #times - 1, done = 0 }, Sampler)
    s.knots = make_knots(name, schedule, times, o.predict)
    s.calls = calls and calls(s, o) or s.n
    s.thread = coroutine.create(function() return body(s, o) end)
    run(s)
    return s
  end
end

--- From one knot to another along the straight line through x and x0, which is exact where x0 does not change:
-- x' = alpha' x0 + sigma' eps with eps = (x - alpha x0) / sigma.
-- @tparam Tensor x
-- @tparam Tensor x0
-- @tparam table from a knot
-- @tparam table to a knot
-- @treturn Tensor
function solver.move(x, x0, from, to)
  is_knot("move", 3, "from", from)
  is_knot("move", 4, "to", to)
  local c = to.sigma / from.sigma
  return combine({ x, x0 }, { c, to.alpha - c * from.alpha })
end

return solver
