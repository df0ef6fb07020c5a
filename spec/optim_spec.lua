-- Optimizers: PyTorch's paths, groups, rates, state; averages; clipping; learning rate schedules.

local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local golden = require "spec.golden.nn_torch"

local function wave(...)
  local n = 1
  for _, size in ipairs { ... } do n = n * size end
  return core.sin(core.arange(1, n)):view { ... }
end

local function parameter(t)
  return t:clone():requires_grad_(true)
end

local function near(expected, t, tolerance, what)
  local got = t:view { t:numel() }:totable()
  for i, v in ipairs(expected) do
    assert.is_true(math.abs(v - got[i]) <= tolerance, ("%s[%d]: expected %.9g, got %.9g"):format(what, i, v, got[i]))
  end
end

-- One step along the gradient of sum(g p), which is g.
local function step(opt, p, g)
  opt:zero_grad()
  core.sum(p * g):backward()
  return opt:step()
end

describe("optimizers", function()
  for _, case in ipairs(golden.optim) do
    local name, options = case[1], case[2]
    local words = {}
    for key in pairs(options) do words[#words + 1] = key end
    table.sort(words)
    it(name .. " takes PyTorch's path with " .. table.concat(words, ", "), function()
      local a, b = parameter(wave(2, 3)), parameter(wave(5) * 2)
      local opt = optim[name]({ a, b }, options)
      for i = 1, 6 do
        opt:zero_grad()
        local loss = (a * a * a * a):sum() * (0.1 * i)
        if i > 2 then loss = loss + (b * b):sum() end
        loss:backward()
        assert.is_true(opt:step())
      end
      near(case.a, a, 2e-6, "a")
      near(case.b, b, 2e-6, "b")
    end)
  end

  it("Lion steps by the sign of a mean", function()
    local p = parameter(core.tensor { 1, -1 })
    local opt = optim.Lion({ p }, { lr = 0.1, betas = { 0.5, 0.9 }, weight_decay = 0.2 })
    step(opt, p, core.tensor { 2, -3 })     -- p = p - lr (sign(.5 m + .5 g) + wd p), m = .9 m + .1 g
    near({ 1 - 0.1 * (1 + 0.2), -1 - 0.1 * (-1 - 0.2) }, p, 1e-6, "p")
    step(opt, p, core.tensor { -0.1, 3 })   -- m = .2, -.3: signs of .05 and 1.35
    near({ 0.88 - 0.1 * (1 + 0.176), -0.88 - 0.1 * (1 - 0.176) }, p, 1e-6, "p")
  end)

  it("leave frozen parameters and those without a gradient alone", function()
    local a, b, c = parameter(core.ones(2)), parameter(core.ones(2)), parameter(core.ones(2))
    local opt = optim.AdamW({ a, b, c }, { lr = 0.1, weight_decay = 0.5 })
    core.sum(a + b):backward()
    b:requires_grad_(false)
    opt:step()
    assert.is_true(a[1]:item() < 1)
    assert.same({ 1, 1 }, b:totable())
    assert.same({ 1, 1 }, c:totable())
  end)

  it("take groups with options of their own", function()
    local a, b = parameter(core.zeros(1)), parameter(core.zeros(1))
    local opt = optim.SGD({ { params = { a }, lr = 0.5 }, { params = { b } } }, { lr = 2 })
    opt:zero_grad()
    core.sum(a + b):backward()
    opt:step()
    assert.equal(-0.5, a:item())
    assert.equal(-2, b:item())
    assert.equal(2, #opt:parameters())
    assert.equal(0.5, opt:rate())
  end)

  it("ask a function for the rate, from step 1", function()
    local p = parameter(core.zeros(1))
    local seen = {}
    local opt = optim.SGD({ p }, { lr = function(s)
      seen[#seen + 1] = s
      return s
    end })
    for _ = 1, 3 do step(opt, p, core.ones(1)) end
    assert.same({ 1, 2, 3 }, seen)
    assert.equal(-6, p:item())
    assert.equal(4, opt:rate())
    opt.lr = 1
    step(opt, p, core.ones(1))
    assert.equal(-7, p:item())
  end)

  it("leave everything as it is when a rate makes no sense", function()
    local p = parameter(core.zeros(1))
    local rate
    local opt = optim.Adam({ p }, { lr = function() return rate end })
    p:sum():backward()
    for _, bad in ipairs { -1, 0 / 0, math.huge, "1", false } do
      rate = bad
      assert.error_matches(function() opt:step() end, "'Adam' %(lr at step 1: expected")
    end
    assert.equal(0, p:item())
    assert.equal(0, opt:state().numbers.step)
  end)

  it("refuse a new field that is like an option", function()
    local opt = optim.AdamW({ parameter(core.ones(2)) })
    for wrong, right in pairs { weigth_decay = "weight_decay", beta = "betas", LR = "lr", skip_non_finite =
      "skip_nonfinite", epss = "eps" } do
      local ok, text = pcall(function() opt[wrong] = 1 end)
      assert.is_false(ok)
      assert.matches(('AdamW has no option "%s"; did you mean "%s"%%?$'):format(wrong, right), text)
      assert.is_nil(rawget(opt, wrong))
    end
    opt.note, opt.lr, opt.skip_nonfinite = "mine", 0.5, false
    assert.same({ "mine", 0.5, false }, { opt.note, opt.lr, opt.skip_nonfinite })
  end)

  it("skip gradients that are not finite if asked", function()
    local p = parameter(core.ones(2))
    local opt = optim.SGD({ p }, { lr = 1 })
    opt.skip_nonfinite = true
    for _, bad in ipairs { 0 / 0, math.huge, -math.huge } do
      assert.is_false(step(opt, p, core.tensor { 1, bad }))
    end
    assert.same({ 1, 1 }, p:totable())
    assert.is_true(step(opt, p, core.tensor { 1, 2 }))
    assert.same({ 0, -1 }, p:totable())
  end)

  it("refuse what they cannot move", function()
    local p = parameter(core.ones(2))
    local function refuses(message, params, options)
      local ok, text = pcall(optim.Adam, params, options)
      assert.is_false(ok)
      assert.is_truthy(tostring(text):find(message, 1, true), text)
    end
    refuses("bad argument #1 to 'Adam' (params: expected a list of tensors, as of m:parameters(), got nil)")
    refuses("params: expected a list of tensors", nn.Linear(1, 1))
    refuses("params: expected a list of tensors", p)
    refuses("params: expected at least one parameter, got none", {})
    refuses("params[2]: expected tensor, got 3", { p, 3 })
    refuses("params[2]: this parameter is in the list already", { p, p })
    refuses("this parameter is in the list already", { { params = { p } }, { params = { p } } })
    refuses("params[1]: expected a leaf", { p * 2 })
    refuses("params[1]: expected float32, got int32", { core.tensor({ 1 }, { dtype = "int32" }) })
    refuses("option params is missing", { { lr = 1 } })
    refuses("unknown option \"lrr\"", { { params = { p }, lrr = 1 } })
    refuses("unknown option \"momentum\"", { p }, { momentum = 1 })
    refuses("lr: expected a finite number of at least 0, got -1", { p }, { lr = -1 })
    refuses("lr: expected a finite number of at least 0", { p }, { lr = 0 / 0 })
    refuses("lr: expected a number or a function of the step, got \"1\"", { p }, { lr = "1" })
    refuses("betas: expected two numbers in [0, 1)", { p }, { betas = { 0.9, 1 } })
    refuses("betas: expected two numbers in [0, 1)", { p }, { betas = { 0.9 } })
    refuses("betas: expected two numbers in [0, 1)", { p }, { betas = 0.9 })
    refuses("eps: expected number of at least 0", { p }, { eps = -1 })
    local opt = optim.SGD { p }
    opt.momentum = "much"
    assert.error_matches(function() opt:step() end, "bad argument to 'SGD' %(momentum: expected number of at least 0")
    assert.error_matches(function() opt.step() end,
      "bad argument to 'step' %(self: expected an optimizer, got nil; call it as x:step%(%)%)")
    assert.error_matches(function() opt.state(p) end, "self: expected an optimizer, got tensor")
  end)
end)

describe("an optimizer's state", function()
  local function trained(steps, from)
    local a, b = parameter(wave(2, 3)), parameter(wave(5))
    local opt = optim.RMSprop({ a, b }, { momentum = 0.5 })
    if from then
      core.no_grad(a.copy_, a, from.a)
      core.no_grad(b.copy_, b, from.b)
      opt:load_state(from.state)
    end
    for i = 1, steps do
      opt:zero_grad()
      local loss = (a * a):sum()
      if from or i > 1 then loss = loss + (b * b * b):sum() end
      loss:backward()
      opt:step()
    end
    return { a = a, b = b, state = opt:state(), opt = opt }
  end

  it("goes on bit for bit", function()
    local whole, rest = trained(7), trained(4, trained(3))
    assert.equal(whole.a:to_string(), rest.a:to_string())
    assert.equal(whole.b:to_string(), rest.b:to_string())
    assert.same({ 7, 6 }, rest.state.tensors.steps:totable())
    assert.equal(7, rest.state.numbers.step)
    for name, t in pairs(whole.state.tensors) do
      assert.equal(t:to_string(), rest.state.tensors[name]:to_string(), name)
    end
    assert.same({ 2, 3 }, rest.state.tensors["0.square_avg"].shape)
    assert.same({ 5 }, rest.state.tensors["1.momentum"].shape)
  end)

  it("has nothing for parameters that never moved", function()
    local one = trained(1)
    assert.is_nil(one.state.tensors["1.momentum"])
    assert.equal(2, select("#", one.opt:load_state(one.state), 1))
  end)

  it("is refused when it does not fit", function()
    local run = trained(2)
    local before = run.opt:state()
    local state = trained(2).state
    state.tensors["0.momentum"] = nil
    state.tensors["1.momentum"] = core.zeros(4)
    state.tensors["2.momentum"] = core.zeros(4)
    local ok, text = pcall(run.opt.load_state, run.opt, state)
    assert.is_false(ok)
    for _, words in ipairs { "does not fit this RMSprop", "0.momentum: missing",
      "1.momentum: expected float32 (5), got float32 (4)", "2.momentum: belongs to no parameter" } do
      assert.is_truthy(text:find(words, 1, true), text)
    end
    for name, t in pairs(run.opt:state().tensors) do assert.equal(before.tensors[name]:to_string(), t:to_string()) end
    assert.has_error(function() run.opt:load_state() end)
    local function refused(message, tensors, numbers)
      local changed = trained(2).state
      for name, t in pairs(tensors) do changed.tensors[name] = t end
      for name, v in pairs(numbers or {}) do changed.numbers[name] = v end
      assert.error_matches(function() run.opt:load_state(changed) end, message)
    end
    local function steps(a, b) return { steps = core.tensor({ a, b }, { dtype = "int32" }) } end
    refused("parameter 0 has taken %-1 of", steps(-1, 1))
    refused("parameter 1 has taken 1073741824 of", steps(1, 1 << 30))
    refused("expected int32, got float32", { steps = core.tensor { 1, 1 } })
    refused("expected int32, got uint8", { steps = core.tensor({ 1, 1 }, { dtype = "uint8" }) })
    refused("a count, an integer from 0 to 2%^53, got 2.0", {}, { step = 2.0 })
    refused("a count, an integer from 0 to 2%^53, got %-1", {}, { step = -1 })
    refused("a count, an integer from 0 to 2%^53, got 36028797018963968", {}, { step = 1 << 55 })
    refused("unknown key \"stp\"", {}, { stp = 1 })
    refused("0.square_avg: a mean of squares cannot be below 0", { ["0.square_avg"] = core.full({ 2, 3 }, -1) })
    refused("0.square_avg: it holds numbers that are not finite", { ["0.square_avg"] = core.full({ 2, 3 }, 0 / 0) })
    for name, t in pairs(run.opt:state().tensors) do assert.equal(before.tensors[name]:to_string(), t:to_string()) end
    assert.has_error(function() run.opt:load_state { tensors = {}, numbers = {} } end)
    assert.has_error(function() run.opt:load_state { tensors = {}, numbers = { step = 1 } } end)
    assert.error_matches(function()
      run.opt:load_state { tensors = { steps = core.zeros(3) }, numbers = { step = 1 } }
    end, "steps: expected %(2%), got %(3%)")
  end)
end)

describe("clipping", function()
  local function with_gradient(g)
    local p = parameter(core.zeros(#g))
    core.sum(p * core.tensor(g)):backward()
    return p
  end

  it("scales all gradients by their joint norm", function()
    local a, b, c = with_gradient { 3, 0 }, with_gradient { 4 }, parameter(core.zeros(2))
    local norm = optim.clip_norm({ a, b, c }, 1)
    assert.is_true(math.abs(norm - 5) < 1e-6)
    near({ 0.6, 0 }, a.grad, 1e-5, "a")
    near({ 0.8 }, b.grad, 1e-5, "b")
    assert.is_true(math.abs(optim.clip_norm({ a, b }, 10) - 1) < 1e-5)
    near({ 0.6, 0 }, a.grad, 1e-5, "a")
  end)

  it("clamps values", function()
    local p = with_gradient { -3, 0.5, 2 }
    optim.clip_value({ p }, 1)
    assert.same({ -1, 0.5, 1 }, p.grad:totable())
  end)

  it("refuses", function()
    assert.error_matches(function() optim.clip_norm(nil, 1) end, "bad argument #1 to 'clip_norm'")
    local p = parameter(core.zeros(1))
    assert.error_matches(function() optim.clip_norm({ p }, -1) end, "bad argument #2 to 'clip_norm'")
    assert.error_matches(function() optim.clip_value({ p }) end, "bad argument #2 to 'clip_value'")
  end)
end)

describe("learning rates", function()
  local schedule = optim.schedule

  it("go as they say", function()
    assert.equal(0.5, schedule.constant(0.5)(100))
    local warm = schedule.warmup(4, 2)
    assert.same({ 0.5, 1, 1.5, 2, 2 }, { warm(1), warm(2), warm(3), warm(4), warm(50) })
    local line = schedule.linear(1, 10, { final = 0.5 })
    assert.is_true(math.abs(line(5) - 0.75) < 1e-12)
    assert.equal(0.5, line(10))
    assert.equal(0.5, line(99))
    local wave_down = schedule.cosine(1, 12, { warmup = 2, final = 0.1 })
    assert.equal(0.5, wave_down(1))
    assert.equal(1, wave_down(2))
    assert.is_true(math.abs(wave_down(7) - 0.55) < 1e-12)
    assert.is_true(math.abs(wave_down(12) - 0.1) < 1e-12)
    local stairs = schedule.step(8, 10, 0.5)
    assert.same({ 8, 8, 4, 2 }, { stairs(1), stairs(10), stairs(11), stairs(21) })
    assert.equal(1, schedule.warmup(2, schedule.step(2, 1, 0.5))(1))
  end)

  it("refuse", function()
    assert.error_matches(function() schedule.cosine(-1, 10) end, "bad argument #1 to 'cosine' %(lr: expected")
    assert.error_matches(function() schedule.cosine(math.huge, 10) end, "expected a finite number")
    assert.error_matches(function() schedule.cosine(1, 0) end, "bad argument #2 to 'cosine' %(total: expected")
    assert.error_matches(function() schedule.linear(1, 10, { warmup = 10 }) end, "warmup: expected integer from 0 to 9")
    assert.error_matches(function() schedule.linear(1, 10, { warm = 1 }) end, "unknown option \"warm\"")
    assert.error_matches(function() schedule.warmup(2, "x") end, "bad argument #2 to 'warmup'")
    assert.error_matches(function() schedule.step(1, 0) end, "bad argument #2 to 'step'")
  end)
end)
