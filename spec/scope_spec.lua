-- What holds for a while holds for the coroutine that asked for it: others go on as they did when it yields, and all is
-- as before when it has ended, failed, was closed or dropped.
local autograd = require "laterna.autograd"
local child = require "spec.support.child"
local core = require "laterna.core"
local diffusion = require "laterna.diffusion"
local evaluation = require "laterna.evaluation"
local finite = require "laterna.finite"
local nn = require "laterna.nn"
local profile = require "laterna.profile"
local scope = require "laterna.scope"
local train = require "laterna.train"

local function records()
  local w = core.ones(2, { requires_grad = true })
  assert.equal(core.grad_enabled(), (w * 2).requires_grad)
  return core.grad_enabled()
end

-- Resumes, and hands on what it yields or returns.
local function go(co, ...)
  local results = table.pack(coroutine.resume(co, ...))
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

local function quiet(f) return coroutine.create(function(...) return core.no_grad(f, ...) end) end

describe("recording", function()
  after_each(function() assert.is_true(records()) end)

  it("stays on outside of a coroutine that yields within no_grad", function()
    local co = quiet(function(a)
      assert.equal("a", a)
      assert.is_false(records())
      assert.equal("b", coroutine.yield(1))
      assert.is_false(records())
      coroutine.yield(2)
      return 3, nil
    end)
    assert.equal(1, go(co, "a"))
    assert.is_true(records())
    assert.equal(2, go(co, "b"))
    assert.is_true(records())
    assert.same({ 3, n = 2 }, table.pack(go(co)))
  end)

  it("comes back in the coroutine itself, also after an error and when it is closed", function()
    local log = {}
    local function note(name)
      return setmetatable({}, { __close = function() log[#log + 1] = name .. tostring(records()) end })
    end
    local function body()
      local _ <close> = note "outside "
      core.no_grad(function()
        local _ <close> = note "inside "
        coroutine.yield()
        error("mine", 0)
      end)
    end
    local co = coroutine.create(body)
    go(co)
    assert.is_true(coroutine.close(co))
    assert.same({ "inside false", "outside true" }, log)
    co, log = coroutine.create(function()
      local ok, err = pcall(body)
      return ok, err, records()
    end), {}
    go(co)
    assert.same({ false, "mine", true }, { go(co) })
    assert.same({ "inside false", "outside true" }, log)
    assert.same({ false, "mine" }, { pcall(core.no_grad, error, "mine", 0) })
  end)

  it("is not touched by coroutines that are dropped, however many, at whatever address #slow", function()
    for _ = 1, 40 do
      go(quiet(coroutine.yield))
      local co = coroutine.create(function()
        core.set_grad_enabled(false)
        coroutine.yield()
      end)
      go(co)
      co = nil -- luacheck: ignore
      collectgarbage()
      assert.is_true(go(coroutine.create(records)))
    end
  end)

  it("is taken over from who resumes a new coroutine, through any number of others", function()
    assert.is_false(core.no_grad(function() return go(coroutine.create(records)) end))
    assert.is_false(core.no_grad(function() return coroutine.wrap(records)() end))
    local function through(n, f)
      if n == 0 then return f() end
      return coroutine.wrap(function() return through(n - 1, f) end)()
    end
    assert.is_false(core.no_grad(through, 20, records))
    assert.is_true(through(20, records))
    local other = coroutine.wrap(function()
      core.set_grad_enabled(false)
      coroutine.yield()
    end)
    other() -- used the library last, and is not who resumes the next one
    assert.is_true(coroutine.wrap(records)())
    local co = coroutine.create(function() return core.no_grad(coroutine.wrap(records)) end)
    assert.is_false(go(co))
    co = coroutine.create(function(thread) return records(), thread end)
    assert.is_true((go(co, quiet(records))))
  end)

  it("of an older coroutine is its own", function()
    local co = coroutine.create(function()
      records()
      coroutine.yield()
      return records()
    end)
    go(co)
    assert.is_true(core.no_grad(go, co))
    co = quiet(function()
      coroutine.yield()
      return records()
    end)
    go(co)
    assert.is_false(go(co))
  end)

  it("goes on as it was after the callbacks of C, which may resume others", function()
    local function resume() go(coroutine.create(function() core.set_grad_enabled(false) end)) end
    local f = autograd.autograd_function(function(_, x)
      resume()
      return x * 2
    end, function(_, dy)
      resume()
      return dy * 2
    end)
    local x = core.ones(2, { requires_grad = true })
    f(x):sum():backward()
    assert.same({ 2, 2 }, x.grad:totable())
    assert.is_true(records())
    autograd.recompute(function(t)
      resume()
      return t * 2
    end, x):sum():backward()
    assert.same({ 4, 4 }, x.grad:totable())
    x:zero_grad()
    for i = 1, 300 do -- finalizers run wherever there is garbage
      setmetatable({}, { __gc = resume })
      assert.is_true((x * i).requires_grad)
    end
  end)

  it("stays on when pictures on their way are handed out by a coroutine that is dropped", function()
    local model = diffusion { net = nn.UNet { channels = 1, size = 8, width = 8, multipliers = { 1 }, blocks = 1 } }
    local function modes()
      local on = 0
      for _, m in model:named_modules() do on = on + (m.training and 1 or 0) end
      return on
    end
    local all = modes()
    assert.is_true(all > 0)
    local stream = coroutine.wrap(function()
      model:sample(nil, { steps = 4, size = { 8, 8, 1 }, callback = function(at)
        assert.equal(0, modes())
        assert.is_false(records())
        coroutine.yield(at)
      end })
    end)
    assert.same({ 1, 8, 8, 1 }, stream().x.shape)
    assert.equal(all, modes())
    assert.is_true(records())
    assert.same({ 1, 8, 8, 1 }, stream().x.shape)
    stream = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(all, modes())
  end)
end)

describe("lt.precision and lt.convolution", function()
  it("are of the coroutine that sets them, and those that it resumes for the first time", function()
    local co = coroutine.create(function()
      core.precision "bf16"
      core.convolution "direct"
      coroutine.yield(core.info().precision)
      return coroutine.wrap(function() return core.precision() .. core.convolution() end)()
    end)
    assert.equal("bf16", go(co))
    assert.equal("float32auto", core.precision() .. core.convolution())
    assert.equal("bf16direct", go(co))
    assert.equal("float32auto", core.precision() .. core.convolution())
  end)

  it("reach the threads that help", function()
    local generator = core.generator(1)
    local a, b = core.randn(300, 300, { generator = generator }), core.randn(300, 300, { generator = generator })
    local x = core.randn(4, 32, 32, 32, { generator = generator })
    local w = core.randn(32, 3, 3, 32, { generator = generator })
    local function both() return a:matmul(b):to_string() .. core.conv2d(x, w, nil, { padding = 1 }):to_string() end
    local function rounded()
      core.precision "rounded"
      return both()
    end
    local threads = core.threads()
    core.threads(2)
    local plain, one = both(), coroutine.wrap(rounded)()
    assert.is_true(plain ~= one)
    for _ = 1, 20 do
      assert.is_true(one == coroutine.wrap(rounded)())
      assert.is_true(plain == both())
    end
    core.threads(threads)
  end)
end)

describe("what cannot yield", function()
  local w = core.ones(2, { requires_grad = true })

  local function refused(words, f)
    local co = coroutine.create(f)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.is_truthy(err:find(words, 1, true), err)
    assert.is_true(records())
    assert.is_true((w * 2).requires_grad)
  end

  it("says so", function()
    local function yielding(x)
      coroutine.yield()
      return x * 2
    end
    refused("recompute: f cannot yield", function() autograd.recompute(yielding, w) end)
    refused("profile: f cannot yield", function() profile(function() yielding(w) end, { quiet = true }) end)
    refused("backward: what it calls of a script cannot yield", function()
      autograd.autograd_function(function(_, x) return x * 2 end, function(_, dy) return yielding(dy) end)(w):sum()
        :backward()
    end)
    local loss = (w * 2):sum()
    loss:backward()
    assert.is_true(#profile(function() return w * 2 end, { quiet = true }) > 0)
  end)
end)

describe("scope.run", function()
  it("leaves and enters again around every yield, at errors and at a close", function()
    local inside, log = 0, {}
    local function enter() inside = inside + 1 end
    local function leave() inside = inside - 1 end
    local function body(fail)
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = inside end })
      log[#log + 1] = inside
      log[#log + 1] = coroutine.yield "out"
      log[#log + 1] = inside
      if fail then error "mine" end
      return "end", nil
    end
    local function new() return coroutine.create(function(fail) return scope.run(enter, leave, body, fail) end) end
    local co = new()
    assert.equal("out", go(co))
    assert.equal(0, inside)
    assert.same({ "end", n = 2 }, table.pack(go(co, "in")))
    assert.same({ 1, "in", 1, 1 }, log)
    co, log = new(), {}
    go(co, true)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("mine", err)
    assert.same({ 1, 1, 1 }, log)
    co, log = new(), {}
    go(co)
    assert.is_true(coroutine.close(co))
    assert.same({ 1, 1 }, log)
    assert.equal(0, inside)
    assert.is_false(pcall(scope.run, enter, leave, error))
    assert.equal(7, scope.run(enter, leave, function() return 7 end))
    assert.equal(0, inside)
  end)

  it("holds evaluation mode and a budget that stands", function()
    local m = nn.Linear(1, 1)
    local co = coroutine.create(function() evaluation.run(m, coroutine.yield) end)
    go(co)
    assert.is_true(m.training)
    m:eval()
    go(co)
    assert.is_false(m.training)
    local now = 0
    local budget = train.budget(1, { now = function() return now end })
    budget:start()
    co = coroutine.create(function() budget:aside(coroutine.yield) end)
    go(co)
    now = 30
    assert.equal(0.5, budget:minutes())
    go(co)
    now = 60
    assert.equal(1, budget:minutes())
  end)
end)

describe("a training loop in a coroutine #child", function()
  local function run() return train.run { model = nn.Linear(1, 1), steps = 9, progress = false } end

  it("is the innermost one only while it runs", function()
    local outer, inner = run(), run()
    local co = coroutine.create(function()
      for _ in inner:steps() do
        assert.equal(("step %d: "):format(inner.step), finite.where())
        coroutine.yield()
      end
    end)
    go(co)
    assert.equal("", finite.where())
    for step in outer:steps() do
      assert.equal(("step %d: "):format(step), finite.where())
      if step < 3 then go(co) end
    end
    co = nil -- luacheck: ignore
    assert.equal(3, inner.step)
    local first
    for step in inner:steps() do first = first or step end
    assert.equal(3, first)
  end)

  it("has Ctrl-C to itself only while it runs", function()
    for _, ending in ipairs { "", "co = nil collectgarbage()", "coroutine.close(co)" } do
      local _, output, how = child.run([[
        local lt = require "laterna"
        local run = lt.train.run { model = lt.nn.Linear(1, 1), steps = 9, progress = false }
        local function press() io.popen "kill -INT $PPID":close() end
        local co = coroutine.create(function()
          for step in run:steps() do
            if step == 2 then press() end
            coroutine.yield(lt.ones(1))
          end
          print("stopped", run.step, run.interrupted)
        end)
        for _ = 1, 3 do assert(coroutine.resume(co)) end
        local again = lt.train.run { model = lt.nn.Linear(1, 1), steps = 9, progress = false }
        co = coroutine.create(function()
          for _ in again:steps() do coroutine.yield() end
        end)
        assert(coroutine.resume(co))
        ]] .. ending .. [[
        lt.ones(1)
        print "press" io.stdout:flush()
        press()
        print "not reached"]])
      assert.matches("^stopped\t2\ttrue\npress\n.*: interrupted!\n", output) -- as the interpreter itself says it
      assert.is_nil(output:find("not reached", 1, true))
      assert.equal("exit 1", how)
    end
  end)
end)
