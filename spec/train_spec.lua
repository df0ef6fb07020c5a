-- Training runs: files, resuming bit for bit, Ctrl-C, numbers that are not finite, hostile arguments.

local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local train = require "laterna.train"

local folder

local function read(name)
  local file = io.open(folder .. "/" .. name, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

-- Batches whose place can be saved: noise from a generator, and a count.
local Batches = {}
Batches.__index = Batches
local function batches(seed)
  return setmetatable({ generator = core.generator(seed), count = 0 }, Batches)
end
function Batches:next()
  self.count = self.count + 1
  return { x = core.randn(8, 3, { generator = self.generator }), number = self.count }
end
function Batches:state() return { random = self.generator:state(), count = self.count } end
function Batches:load_state(state)
  self.generator:set_state(state.random)
  self.count = state.count
end

-- Everything that a resumed run has to bring back: batch norm's buffers, dropout's and the body's random numbers, a
-- rate that depends on the step, an average, a place in the data.
local function setup(options, twins)
  core.manual_seed(5)
  local it = { model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm2d(8), core.silu, nn.Dropout(0.3), nn.Linear(8, 1)) }
  it.opt = optim.AdamW(it.model:parameters(), { lr = optim.schedule.cosine(0.05, 20, { warmup = 3 }) })
  if twins then
    it.opt = { a = optim.Adam(it.model[1]:parameters()), b = optim.SGD(it.model[5]:parameters(), { momentum = 0.9 }) }
  end
  it.ema = optim.Ema(it.model, 0.9)
  it.data = batches(9)
  local o = { model = it.model, optimizer = it.opt, ema = it.ema, data = it.data, steps = 20, progress = false }
  for key, v in pairs(options or {}) do o[key] = v end
  it.run = train.run(o)
  return it
end

local function go(it, body)
  it.numbers = {}
  for step, batch in it.run:steps() do
    it.numbers[#it.numbers + 1] = batch.number
    local x = batch.x + core.randn(8, 3) * 0.1
    local loss = (it.model(x) - x:sum(2, { keepdim = true })):square():mean()
    it.model:zero_grad()
    loss:backward()
    for _, opt in pairs(optim.is_optimizer(it.opt) and { it.opt } or it.opt) do opt:step() end
    it.ema:update()
    it.run:log { loss = loss, constant = 0.5 }
    if body then body(step, it.run) end
  end
  return it
end

local function bytes(it)
  local out = { random = core.default_generator():state() }
  local function add(prefix, tensors)
    for name, t in pairs(tensors) do out[prefix .. name] = t:to_string() end
  end
  add("model.", it.model:state())
  add("ema.", it.ema:state().tensors)
  for key, opt in pairs(optim.is_optimizer(it.opt) and { it.opt } or it.opt) do add(key .. ".", opt:state().tensors) end
  return out
end

local function same(a, b)
  for name, text in pairs(a) do assert.is_true(text == b[name], name .. " differs") end
  for name in pairs(b) do assert.is_truthy(a[name], name) end
end

describe("a run #child", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(function()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  it("goes through its steps and writes nothing without a folder", function()
    local it = go(setup { steps = 4 })
    assert.same({ 1, 2, 3, 4 }, it.numbers)
    assert.equal(4, it.run.step)
    assert.is_false(it.run.interrupted)
    assert.is_nil(read "log.csv")
    assert.error_matches(function() it.run:save() end, "this run has no folder")
    assert.error_matches(function() it.run:steps() end, "this run has had its loop")
  end)

  it("makes its folder, a checkpoint and a log", function()
    go(setup { steps = 5, save = folder .. "/deep/er", every = 2 })
    local tensors, metadata = core.load_safetensors(folder .. "/deep/er/checkpoint.safetensors")
    assert.equal("5", metadata.step)
    assert.same({ 8, 3 }, tensors["model.0.weight"].shape)
    assert.same({ 8 }, tensors["ema.1.running_mean"].shape)
    assert.is_truthy(tensors["optimizer.0.exp_avg"])
    local log = read "deep/er/log.csv"
    assert.equal("step,constant,loss\n1,0.5,", log:sub(1, 25))
    assert.equal(6, select(2, log:gsub("\n", "")))
  end)

  it("goes on bit for bit", function()
    local whole = go(setup { save = folder .. "/whole", every = 7 })
    local all, log = bytes(whole), read "whole/log.csv"
    go(setup { save = folder .. "/parts", steps = 10 })
    core.manual_seed(1234)
    local rest = go(setup { save = folder .. "/parts", resume = true })
    same(all, bytes(rest))
    assert.same({ 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 }, rest.numbers)
    assert.equal(log, read "parts/log.csv")
    assert.equal(read "whole/checkpoint.safetensors", read "parts/checkpoint.safetensors")
    assert.same({}, go(setup { save = folder .. "/parts", resume = true }).numbers) -- it is done
  end)

  it("goes on bit for bit from a checkpoint on the way, with two optimizers", function()
    local all = bytes(go(setup(nil, true)))
    local first = setup({ save = folder, every = 6 }, true)
    assert.error_matches(function()
      go(first, function(step) if step == 15 then error "power is gone" end end)
    end, "power is gone")
    assert.equal(15, select(2, read "log.csv":gsub("\n", "")))
    local rest = setup({ save = folder, resume = true }, true)
    assert.equal(12, rest.run.step)
    assert.equal(13, select(2, read "log.csv":gsub("\n", "")))
    same(all, bytes(go(rest)))
    assert.equal(21, select(2, read "log.csv":gsub("\n", "")))
  end)

  it("begins anew without --resume, and keeps what was there", function()
    go(setup { steps = 3, save = folder })
    local before = read "checkpoint.safetensors"
    assert.equal(0, setup { steps = 3, save = folder }.run.step)
    assert.equal(before, read "checkpoint.safetensors.previous")
    assert.is_nil(read "checkpoint.safetensors")
    assert.equal("", read "log.csv")
    assert.equal(4, select(2, read "log.csv.previous":gsub("\n", "")))
  end)

  it("looks for --resume on the command line", function()
    go(setup { steps = 3, save = folder })
    local before = rawget(_G, "arg")
    rawset(_G, "arg", { [0] = "x.lua", "--resume" })
    local it = setup { steps = 3, save = folder }
    rawset(_G, "arg", before)
    assert.equal(3, it.run.step)
  end)

  it("ends with the data, saves when told, and calls back", function()
    local left, called = 3, {}
    local it = setup { save = folder, data = function(step)
      left = left - 1
      if left >= 0 then return { x = core.ones(8, 3), number = step } end
    end, on_step = function(step, run)
      called[#called + 1] = step
      assert.equal(step, run.step)
    end }
    go(it)
    assert.same({ 1, 2, 3 }, it.numbers)
    assert.same({ 1, 2, 3 }, called)
    local _, metadata = core.load_safetensors(folder .. "/checkpoint.safetensors")
    assert.equal("3", metadata.step)
    local other = setup { save = folder .. "/b" }
    for step in other.run:steps() do
      if step == 2 then
        other.run:save()
        break
      end
    end
    _, metadata = core.load_safetensors(folder .. "/b/checkpoint.safetensors")
    assert.equal("2", metadata.step)
  end)

  it("draws from its seed when it begins", function()
    setup { seed = 77 }
    local a = core.rand(1):item()
    core.manual_seed(77)
    assert.equal(a, core.rand(1):item())
  end)

  it("stops at Ctrl-C, saved, and can go on", function()
    local all = bytes(go(setup { save = folder .. "/whole" }))
    local it = go(setup { save = folder .. "/parts" }, function(step)
      if step == 6 then io.popen "kill -INT $PPID":close() end
    end)
    assert.is_true(it.run.interrupted)
    assert.equal(6, it.run.step)
    local rest = setup { save = folder .. "/parts", resume = true }
    assert.equal(6, rest.run.step)
    same(all, bytes(go(rest)))
    assert.is_false(rest.run.interrupted)
  end)

  it("names step, value and parameter when a loss is not finite, and keeps the good checkpoint", function()
    local it = setup { save = folder, every = 2 }
    local ok, text = pcall(go, it, function(step, run)
      if step == 3 then
        core.no_grad(it.model[5].weight.fill_, it.model[5].weight, math.huge)
        run:log { loss = 0 / 0 }
      end
    end)
    assert.is_false(ok)
    assert.is_truthy(text:find("step 3: loss is nan; parameter 4.weight is not finite; ", 1, true), text)
    assert.is_truthy(text:find("checkpoint.safetensors holds step 2", 1, true), text)
    local again = setup { save = folder, resume = true }
    assert.equal(2, again.run.step)
    assert.is_false(it.run.running)
  end)

  it("names the loss before what suffers from it", function()
    local function message(values)
      local run = train.run { model = nn.Linear(1, 1), steps = 1, progress = false }
      local ok, text = pcall(run.log, run, values)
      assert.is_false(ok)
      return text
    end
    assert.matches("loss is inf;", message { grad_norm = 0 / 0, loss = math.huge, mse = 1 })
    assert.matches("grad_norm is nan;", message { grad_norm = 0 / 0, loss = 1, mse = 0 / 0 })
  end)

  it("never writes bad weights over good ones", function()
    local it = setup { save = folder, every = 2 }
    assert.error_matches(function()
      go(it, function(step)
        if step == 4 then core.no_grad(it.model[1].bias.fill_, it.model[1].bias, 0 / 0) end
      end)
    end, "step 4: parameter 0.bias is not finite; .* holds step 2")
    local _, metadata = core.load_safetensors(folder .. "/checkpoint.safetensors")
    assert.equal("2", metadata.step)
  end)

  it("skips or ignores such numbers if asked", function()
    local it = setup { steps = 3, nonfinite = "skip" }
    local seen = {}
    for step, batch in it.run:steps() do
      local loss = it.model(batch.x):sum() * (step == 2 and 0 / 0 or 1)
      it.opt:zero_grad()
      loss:backward()
      it.opt:step()
      seen[step] = it.run:log { loss = loss }
    end
    assert.same({ true, false, true }, seen)
    for _, p in ipairs(it.model:parameters()) do assert.is_true((p - p):sum():item() == 0) end
    it = setup { steps = 2, nonfinite = "ignore", save = folder }
    for _ in it.run:steps() do assert.is_false(it.run:log { loss = math.huge }) end
    assert.equal("step,loss\n1,inf\n2,inf\n", read "log.csv")
  end)

  it("logs new names in new columns, and rows as often as asked", function()
    local it = setup { steps = 5, save = folder, log_every = 2, every = 3 }
    for step in it.run:steps() do
      it.run:log { loss = step }
      if step == 4 then it.run:log { accuracy = 0.25 } end
    end
    assert.equal("step,loss,accuracy\n2,2,\n4,4,0.25\n5,5,\n", read "log.csv")
  end)

  it("refuses what it cannot run", function()
    local function refuses(message, options, keep)
      local o = keep and {} or { model = nn.Linear(1, 1), steps = 1, progress = false }
      for key, v in pairs(options) do o[key] = v end
      local ok, text = pcall(train.run, o)
      assert.is_false(ok)
      assert.is_truthy(tostring(text):find(message, 1, true), text)
    end
    refuses("option model is missing", { steps = 1 }, true)
    refuses("option steps is missing", { model = nn.Linear(1, 1) }, true)
    refuses("unknown option \"stpes\"", { stpes = 3 })
    refuses("steps: expected an integer of at least 0, or a budget of time from train.budget, got -1", { steps = -1 })
    refuses("steps: expected an integer of at least 0, or a budget of time from train.budget, got 1.5", { steps = 1.5 })
    refuses("model: expected a module, got table", { model = {} })
    refuses("optimizer: expected an optimizer, or a table of them by name, got table", { optimizer = {} })
    refuses("optimizer: expected an optimizer", { optimizer = { g = 3 } })
    refuses("optimizer: expected an optimizer", { optimizer = { ["a.b"] = optim.SGD({ core.zeros(1) }) } })
    refuses("ema: expected an Ema, got true", { ema = true })
    refuses("data: expected an object with a function next", { data = 3 })
    refuses("data: expected an object with a function next", { data = {} })
    refuses("every: expected integer of at least 1", { every = 0 })
    refuses("nonfinite: expected \"stop\", \"skip\" or \"ignore\"", { nonfinite = "go" })
    refuses("on_step: expected callable", { on_step = 3 })
    refuses("cannot make the folder", { save = "/dev/null/x" })
    assert.has_error(function() train.run() end)
    local run = train.run { model = nn.Linear(1, 1), steps = 1, progress = false }
    for _, bad in ipairs { 3, { loss = "1" }, { 1 }, { ["a,b"] = 1 }, { step = 1 }, { loss = core.ones(2) } } do
      assert.has_error(function() run:log(bad) end)
    end
    assert.has_error(function() run:log() end)
  end)

  it("refuses a checkpoint of something else, and names what does not fit", function()
    go(setup { steps = 2, save = folder })
    local other = nn.Linear(3, 8)
    local function resume(options)
      options.save, options.steps, options.resume, options.progress = folder, 3, true, false
      local ok, text = pcall(train.run, options)
      assert.is_false(ok)
      return text
    end
    local text = resume { model = other }
    assert.is_truthy(text:find("cannot resume from " .. folder .. "/checkpoint.safetensors", 1, true), text)
    assert.is_truthy(text:find("nothing in this run takes:\n    ema.0.bias", 1, true), text)
    text = resume { model = other, ema = optim.Ema(other), optimizer = optim.AdamW(other:parameters()) }
    assert.is_truthy(text:find("missing:\n    bias (8)", 1, true), text)
    core.save_safetensors(folder .. "/checkpoint.safetensors", { x = core.ones(1) }, {})
    assert.is_truthy(resume { model = other }:find("this is not a checkpoint of a training run", 1, true))
    local file = io.open(folder .. "/checkpoint.safetensors", "wb")
    file:write "no checkpoint"
    file:close()
    assert.is_truthy(resume { model = other }:find("cannot resume from", 1, true))
  end)
end)

describe("a script's arguments", function()
  local defaults = { steps = 100, rate = 0.5, out = "runs/x", fast = false, log_every = 1 }

  it("are the defaults, and what the command line says", function()
    assert.same({ steps = 100, rate = 0.5, out = "runs/x", fast = false, log_every = 1, resume = false },
      train.arguments(defaults, {}))
    assert.same({ steps = 7, rate = 2, out = "y", fast = true, log_every = 5, resume = true }, train.arguments(defaults,
      { [0] = "s.lua", "--steps", "7", "--rate", "2", "--out=y", "--fast", "--log-every", "5", "--resume" }))
    assert.is_false(train.arguments({ fast = true }, { "--fast", "false" }).fast)
    assert.is_true(train.arguments({ fast = true }, {}).fast)
  end)

  it("must be of a kind that a command line can say", function()
    assert.error_matches(function() train.arguments { steps = print } end, "bad argument #1 to 'arguments'")
    assert.error_matches(function() train.arguments { 3 } end, "bad argument #1 to 'arguments'")
    assert.has_error(function() train.arguments() end)
  end)
end)
