--- Fewer steps: a student, a copy of a trained teacher (`teacher:clone()`), learns to do in one step what the teacher
-- does in many. From x_t the teacher's ODE leads to one picture only, so nothing is averaged, and what a teacher says
-- with guidance the student says with one call. With the step of DDIM (Song et al. 2021, arXiv 2010.02502)
--
--   step(x_t, x0; t, s) = sigma_s/sigma_t x_t + (alpha_s - sigma_s/sigma_t alpha_t) x0
--
-- all of them ask for the x0 whose step lands on a goal at time s. Only who names the goal differs:
--
--   step          anyone: points of a path that was painted before
--   progressive   the teacher, who walks from t to s in many steps (Salimans and Ho 2022, arXiv 2202.00512; with
--                 guidance Meng et al. 2023, arXiv 2210.03142)
--   consistency   the student itself, from a point a little further on the way, where the teacher, or the picture, has
--                 led it (Song et al. 2023, arXiv 2303.01469; Luo et al. 2023, arXiv 2310.04378; in several parts Heek
--                 et al. 2024, arXiv 2403.06807)
--
-- The error is that of what the student predicts, so for v the weight of an error in x0 is SNR + 1. The student is a
-- diffusion model like any other: student:sample(cond, {sampler = "ddim", steps = 4}).
--
-- Reflow (Liu et al. 2022, arXiv 2209.03003) needs nothing of this: `student:loss(x, {text = captions, noise = noise})`
-- with x = teacher:sample({text = captions}, {noise = noise}).
-- @module laterna.diffusion.distil
local check = require "laterna.check"
local columns = require "laterna.diffusion.columns"
local condition = require "laterna.condition"
local core = require "laterna.core"
local ddim = require "laterna.diffusion.ddim"
local evaluation = require "laterna.evaluation"
local guidance = require "laterna.diffusion.guidance"
local latent = require "laterna.diffusion.latent"
local ode = require "laterna.diffusion.ode"

local distil = {}

local PLAIN, KEYS = condition.keys(), condition.keys { generator = check.is_generator }
local HUBER = 0.00054 -- of the root of the number of values: Song and Dhariwal 2023, arXiv 2310.14189, section 3.3

-- The teacher's way from x through lists of times.
local function walk(fname, teacher, x, knots, cond, o)
  return evaluation.quietly(teacher, function()
    local predict = guidance.predictor(fname, 4, teacher, cond, o)
    for k = 1, #knots - 1 do
      x = ddim.advance(teacher, x, predict(x, core.tensor(knots[k])), knots[k], knots[k + 1], o.clip)
    end
    return x
  end)
end

-- How far the student's prediction y at times t is from the one whose step to s lands on the goal, like x:
-- y* = (x0* - a x) / b with x0* = (goal - of_x x) / of_x0.
local function miss(student, x, t, goal, s, inputs)
  local of_goal, of_x = columns(t, function(time, i)
    local a, b = ddim.reading(student, time)
    local r, of_x0 = ddim.factors(student, time, s[i])
    return 1 / (of_x0 * b), -(r / of_x0 + a) / b
  end)
  return student:predict(x, core.tensor(t), inputs) - (goal * of_goal + x * of_x)
end

local function scored(error2, huber)
  local mean = error2:mean()
  local log = { mse = mean:item() }
  if not huber then return mean, log end
  local pixels = error2:flatten(2):size(2)
  local c = HUBER * pixels ^ 0.5
  return ((error2:flatten(2):sum(2) + c * c):sqrt() - c):mean() * pixels ^ -0.5, log
end

-- A time a picture, from a number or a tensor (n).
local function times_of(fname, i, name, t, n)
  check.type(fname, i, name, t, "number|tensor")
  local list = type(t) == "number" and {} or t:totable()
  if type(t) == "number" then
    for k = 1, n do list[k] = t end
  elseif t:dim() ~= 1 or #list ~= n then
    check.fail(fname, i, "%s: expected a number or (%d), got (%s)", name, n, table.concat(t.shape, ","))
  end
  for k = 1, n do check.number(fname, i, name, list[k], 0, 1) end
  return list
end

local function is_model(v)
  return type(v) == "table" and type(v.predict) == "function" and type(v.schedule) ~= "nil", "a diffusion model"
end

-- Both are models of one schedule: points of the teacher's path mean the same to the student.
local function models(fname, student, teacher)
  for i, model in ipairs { { "student", student }, { "teacher", teacher } } do
    if not is_model(model[2]) then
      check.fail(fname, i, "%s: expected a diffusion model, got %s", model[1], check.describe(model[2]))
    end
  end
  for k = 1, 4 do
    local alpha, sigma = student.schedule(k / 4)
    local alpha2, sigma2 = teacher.schedule(k / 4)
    if math.abs(alpha - alpha2) + math.abs(sigma - sigma2) > 1e-6 * (1 + sigma) then
      check.fail(fname, 1, "student: its schedule is not the teacher's; teacher:clone() has the same")
    end
  end
end

--- The student's error in going from x at time t to the goal at time s in one step. For paths that were painted before:
-- a callback of teacher:sample sees x and t at each step.
-- @tparam diffusion student
-- @tparam Tensor x (n,h,w,c), at time t; latents where the student has a space
-- @tparam number|Tensor t in (0,1], or (n) of them
-- @tparam Tensor goal like x, at time s
-- @tparam number|Tensor s less than t
-- @tparam[opt] table cond text, detail
-- @treturn Tensor a scalar
-- @treturn table mse, of what the student predicts
function distil.step(student, x, t, goal, s, cond)
  models("step", student, student)
  condition.pictures("step", x, 2, true)
  local n = x:size(1)
  cond = condition.read("step", 6, cond, PLAIN, n)
  local from, to = times_of("step", 3, "t", t, n), times_of("step", 5, "s", s, n)
  for i = 1, n do
    if to[i] >= from[i] then check.fail("step", 5, "s: expected less than t, %s, got %s", from[i], to[i]) end
  end
  if check.type("step", 4, "goal", goal, "tensor") and table.concat(goal.shape, ",") ~= table.concat(x.shape, ",") then
    check.fail("step", 4, "goal: expected (%s), got (%s)", table.concat(x.shape, ","), table.concat(goal.shape, ","))
  end
  return scored(miss(student, x, from, goal, to, cond:inputs(student.text)):square())
end

local OPTIONS = { steps = { "integer", 4, min = 1, max = 1000 }, clip = "boolean" }
for key, rule in pairs(guidance.options) do OPTIONS[key] = rule end

local function with(more)
  local known = {}
  for key, rule in pairs(OPTIONS) do known[key] = rule end
  for key, rule in pairs(more) do known[key] = rule end
  return known
end

-- A piece of [0, n) for each picture, each picture's in another of as many equal parts.
local function pieces(n, pictures, generator)
  local list = core.rand(pictures, { generator = generator }):totable()
  for i, u in ipairs(list) do list[i] = math.min(n - 1, math.floor((i - 1 + u) / pictures * n)) end
  return list
end

local function map(list, f)
  local out = {}
  for i, v in ipairs(list) do out[i] = f(v, i) end
  return out
end

local function noised(model, x, eps, times)
  local alpha, sigma = columns(times, model.schedule)
  return x * alpha + eps * sigma
end

local function begin(fname, student, x, cond)
  condition.pictures(fname, x, 3, not student.pixels)
  cond = condition.read(fname, 4, cond, KEYS, x:size(1))
  x = latent.encode(fname, student, x, cond)
  return x, cond, core.randn(x.shape, { generator = cond.generator })
end

--- Progressive distillation: the time from 1 to 0 falls into `steps` equal parts, and in each the student learns to do
-- in one step what the teacher does in `substeps`. With two substeps and a student that becomes the next teacher it is
-- the paper's; with many it gets to the goal at once.
-- @tparam diffusion student
-- @tparam diffusion teacher
-- @tparam Tensor x (n,h,w,c) in [-1,1]: noised, they are where the parts begin
-- @tparam[opt] table cond text, detail; generator for the draws
-- @tparam[opt] table options steps=4, substeps=4; guidance=1, interval, rescale, negative as for sample: how the
-- teacher is asked; clip: its guesses into [-1,1], by default except in a latent space
-- @treturn Tensor a scalar
-- @treturn table mse, of what the student predicts
function distil.progressive(student, teacher, x, cond, options)
  local o = check.options("progressive", 5, options, with { substeps = { "integer", 4, min = 1, max = 1000 } })
  models("progressive", student, teacher)
  local eps
  x, cond, eps = begin("progressive", student, x, cond)
  local n, first = x:size(1), ode.first(student, 1)
  local part = pieces(o.steps, n, cond.generator)
  local knots = {}
  for k = 0, o.substeps do
    knots[k + 1] = map(part, function(p) return first * (p + 1 - k / o.substeps) / o.steps end)
  end
  x = noised(student, x, eps, knots[1])
  local goal = walk("progressive", teacher, x, knots, cond, o)
  return scored(miss(student, x, knots[1], goal, knots[#knots], cond:inputs(student.text)):square())
end

--- Consistency: two points of one path lead to the same end. The student at the noisier one is to say what it says
-- itself, or `target` does, at the other, `1 / (steps * pieces)` earlier. There the teacher has walked in one step; or,
-- without a teacher, picture and noise are mixed anew, which is right on average (consistency training). With
-- steps = 1 a path ends at the picture; with more, at the end of its part of [0,1], and the student takes that many
-- steps of ddim. (lcm may paint with any number of steps from a student of one.)
-- @tparam diffusion student
-- @tparam ?diffusion teacher
-- @tparam Tensor x (n,h,w,c) in [-1,1]
-- @tparam[opt] table cond text, detail; generator for the draws
-- @tparam[opt] table options steps=4, pieces=8 of each; target: a diffusion model such as an Ema's; huber=false: the
-- pseudo-Huber loss of Song and Dhariwal instead of squares; the rest as for progressive
-- @treturn Tensor a scalar
-- @treturn table mse, of what the student predicts
function distil.consistency(student, teacher, x, cond, options)
  local o = check.options("consistency", 5, options, with {
    pieces = { "integer", 8, min = 1, max = 100000 }, target = { is_model }, huber = { "boolean", false },
  })
  models("consistency", student, teacher or student)
  local eps
  x, cond, eps = begin("consistency", student, x, cond)
  local n, first, all = x:size(1), ode.first(student, 1), o.steps * o.pieces
  local piece = pieces(all, n, cond.generator)
  local t = map(piece, function(p) return first * (p + 1) / all end)
  local near = map(piece, function(p) return first * p / all end)
  local stop = map(piece, function(p) return first * (p // o.pieces * o.pieces) / all end)
  local noisy, inputs = noised(student, x, eps, t), cond:inputs(student.text)
  local met = teacher and walk("consistency", teacher, noisy, { t, near }, cond, o) or noised(student, x, eps, near)
  local target = o.target or student
  local goal = core.no_grad(function()
    return ddim.advance(target, met, target:predict(met, core.tensor(near), inputs), near, stop, o.clip)
  end)
  return scored(miss(student, noisy, t, goal, stop, inputs):square(), o.huber)
end

return distil
