-- Fewer steps, on data whose exact paths are known. Pictures are N(0, S^2), so E[x0 | x_t] = alpha S^2 / D^2 x_t with
-- D(t)^2 = alpha^2 S^2 + sigma^2, and the ODE leads from x_t to D(s)/D(t) x_t.
local core = require "laterna.core"
local diffusion = require "laterna.diffusion"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local prediction = require "laterna.prediction"

local S = 0.25
local distil = diffusion.distil

local function schedule(t)
  return math.max(0, math.cos(math.pi / 2 * t)), math.sin(math.pi / 2 * t)
end

local function deviation(t)
  local alpha, sigma = schedule(t)
  return (alpha * alpha * S * S + sigma * sigma) ^ 0.5
end

-- A network that says x * factor(t).
local function linear(factor)
  return function(x, t)
    local list = t:totable()
    for i, time in ipairs(list) do list[i] = factor(time) end
    return x * core.tensor(list):view(-1, 1, 1, 1)
  end
end

-- The prediction that means x0 = c x.
local function says(kind, t, c)
  local a, b = prediction.coefficients(kind, schedule(t))
  return (c - a) / b
end

local function exact_teacher(kind)
  return diffusion { size = { 1, 2, 1 }, schedule = schedule, predict = kind, net = linear(function(t)
    local alpha = schedule(t)
    return says(kind, t, alpha * S * S / deviation(t) ^ 2)
  end) }
end

-- The student that is right: its step of DDIM from t to the end of its part lands where the ODE does.
local function exact_student(kind, steps)
  return diffusion { size = { 1, 2, 1 }, schedule = schedule, predict = kind, net = linear(function(t)
    local s = (math.ceil(t * steps - 1e-4) - 1) / steps
    local alpha, sigma = schedule(t)
    local alpha_s, sigma_s = schedule(s)
    if t == 0 then return 0 end
    return says(kind, t, (deviation(s) / deviation(t) - sigma_s / sigma) / (alpha_s - sigma_s / sigma * alpha))
  end) }
end

-- A student that has a number for each two-hundredth of the time.
local Table = nn.class("Table", function(self) self.rows = core.zeros(201, 1) end)
function Table:forward(x, t)
  local places = (t * 200 + 1.5):floor():int()
  return x * self.rows:index_select(1, places):view(-1, 1, 1, 1)
end

local function pictures(n)
  return core.randn(n, 1, 2, 1) * S
end

local function train(student, steps, lr, loss)
  local optimizer = optim.Adam(student:parameters(), { lr = optim.schedule.cosine(lr, steps) })
  for _ = 1, steps do
    local value = loss()
    optimizer:zero_grad()
    value:backward()
    optimizer:step()
  end
end

-- What a model paints from noise, as a multiple of it.
local function gain(model, steps)
  local noise = core.full({ 1, 1, 2, 1 }, 1)
  local x = model:sample(nil, { sampler = "ddim", steps = steps, noise = noise, clip = false })
  return x:mean():item()
end

describe("fewer steps #training", function()
  it("cost nothing when the student is right", function()
    core.manual_seed(1)
    for _, kind in ipairs { "v", "velocity" } do
      local teacher, student, x = exact_teacher(kind), exact_student(kind, 4), pictures(32)
      local loss, log = distil.progressive(student, teacher, x, nil, { substeps = 200, clip = false })
      assert.is_true(loss:item() < 1e-4, kind .. " progressive " .. loss:item())
      assert.near(loss:item(), log.mse, 1e-9)
      loss = distil.consistency(student, teacher, x, nil, { pieces = 100, clip = false })
      assert.is_true(loss:item() < 1e-3, kind .. " consistency " .. loss:item())
      local t = core.full({ 32 }, 0.75)
      local z = core.randn(32, 1, 2, 1)
      loss = distil.step(student, z, t, z * (deviation(0.5) / deviation(0.75)), 0.5)
      assert.is_true(loss:item() < 1e-9, kind .. " step " .. loss:item())
      assert.is_true(distil.step(student, z, t, z * 0.9, 0.5):item() > 1e-2)
    end
  end)

  local function student_of(kind)
    return diffusion { size = { 1, 2, 1 }, schedule = schedule, predict = kind, net = Table() }
  end

  it("lead a student of four steps where the teacher's many go", function()
    core.manual_seed(2)
    local teacher, student = exact_teacher "v", student_of "v"
    train(student, 150, 0.1, function()
      return (distil.progressive(student, teacher, pictures(16), nil, { substeps = 8, clip = false }))
    end)
    local many = gain(teacher, 32)
    assert.near(S, many, 0.1 * S)
    assert.near(many, gain(student, 4), 0.01 * S)
    assert.is_true(math.abs(many - gain(teacher, 4)) > 0.2 * S)
  end)

  it("are one from a consistent student that a teacher led", function()
    core.manual_seed(3)
    local teacher = exact_teacher "v"
    for steps = 1, 2 do
      local student = student_of "v"
      train(student, 300, 0.1, function()
        local options = { steps = steps, pieces = 8 // steps, clip = false }
        return (distil.consistency(student, teacher, pictures(16), nil, options))
      end)
      assert.near(gain(teacher, 8), gain(student, steps), 0.01 * S)
    end
  end)

  -- Without a teacher the picture and its noise say where the path goes on. What the student says at s, c_s x_s, is
  -- regressed on x_t: c_t = c_s E[x_s x_t] / E[x_t^2].
  it("are one from a consistent student that had no teacher", function()
    core.manual_seed(4)
    local student, pieces, c = student_of "v", 8, 1
    train(student, 400, 0.05, function()
      return (distil.consistency(student, nil, pictures(64), nil, { steps = 1, pieces = pieces, clip = false }))
    end)
    for k = 1, pieces do
      local alpha, sigma = schedule(k / pieces)
      local alpha_s, sigma_s = schedule((k - 1) / pieces)
      c = c * (alpha_s * alpha * S * S + sigma_s * sigma) / deviation(k / pieces) ^ 2
    end
    assert.near(c, gain(student, 1), 0.04 * S)
    assert.is_true(c > 0.5 * S)
  end)

  it("are straight after reflow", function()
    core.manual_seed(4)
    local teacher, student = exact_teacher "v", student_of "v"
    student.times = function(n) return core.randint(1, 8, { n }):float() * (1 / 8) end
    train(student, 150, 0.1, function()
      local eps = core.randn(32, 1, 2, 1)
      local x = teacher:sample({ n = 32 }, { sampler = "ddim", steps = 16, noise = eps, clip = false })
      return (student:loss(x, { noise = eps }))
    end)
    for _, steps in ipairs { 1, 2, 4 } do assert.near(gain(teacher, 16), gain(student, steps), 0.01 * S) end
    assert.is_true(gain(teacher, 1) < 0.1 * S)
    fails("cond.noise: expected (2,1,2,1), got (1,1,2,1)", student.loss, student, pictures(2), { noise = pictures(1) })
  end)

  -- A reader that says 1 for a caption and 0 for none, and pictures that are flat.
  local Reader = nn.class("Reader", function() end)
  function Reader:forward(captions)
    local list = {}
    for i, caption in ipairs(captions) do list[i] = { caption == "" and 0 or 1 } end
    return { pooled = core.tensor(list) }
  end
  local function flat(with, without)
    return diffusion { schedule = schedule, predict = "x0", text = Reader(), net = function(x, _, told)
      return core.zeros_like(x) + (told.pooled * (with - without) + without):view(-1, 1, 1, 1)
    end }
  end

  it("fold the teacher's guidance in", function()
    core.manual_seed(5)
    local teacher, x, cond = flat(0.4, 0.2), pictures(4), { text = { "a", "b", "c", "d" } }
    local student = flat(0.6, 0.2)
    for _, kind in ipairs { "progressive", "consistency" } do
      assert.near(0, distil[kind](student, teacher, x, cond, { guidance = 2 }):item(), 1e-6)
      assert.is_true(distil[kind](student, teacher, x, cond, { guidance = 1 }):item() > 1e-3)
    end
    assert.near(0.2 ^ 2, distil.progressive(student, teacher, x, cond):item(), 1e-5)
    -- In the four parts the only substep is taken at 1/4, 2/4, 3/4 and 1; guidance at two of them.
    local half = distil.progressive(student, teacher, x, cond, { guidance = 2, interval = { 0.4, 0.9 }, substeps = 1 })
    assert.near(0.2 ^ 2 / 2, half:item(), 1e-5)
  end)

  it("may be priced by the pseudo-Huber loss", function()
    core.manual_seed(6)
    local loss, log = distil.consistency(student_of "v", exact_teacher "v", pictures(1), nil, { huber = true })
    local c = 0.00054 * 2 ^ 0.5
    assert.near(((2 * log.mse + c * c) ^ 0.5 - c) / 2 ^ 0.5, loss:item(), 1e-5)
  end)

  it("refuse what they do not know", function()
    local model, x, half = student_of "v", pictures(2), core.full({ 2 }, 0.5)
    fails("student: expected a diffusion model, got nil", distil.progressive, nil, model, x)
    fails("teacher: expected a diffusion model, got nil", distil.progressive, model, nil, x)
    fails("schedule is not the teacher's", distil.consistency, model,
      diffusion { schedule = "flow", net = Table() }, x)
    fails("#3 to 'progressive' (x: expected pictures", distil.progressive, model, model, half)
    fails("unknown option \"substep\"", distil.progressive, model, model, x, nil, { substep = 2 })
    fails("s: expected less than t", distil.step, model, x, half, x, 0.5)
    fails("t: expected a number or (2), got (1)", distil.step, model, x, core.ones(1), x, 0)
    fails("goal: expected (2,1,2,1), got (1,1,2,1)", distil.step, model, x, half, pictures(1), 0)
  end)
end)
