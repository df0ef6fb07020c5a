-- What Lua's C interface allows: thousands of values on its stack, deep tables, finalizers that run twice or in any
-- order.
-- `make apicheck` runs this under a Lua that stops at the first thing that is not allowed.
local autograd = require "laterna.autograd"
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"

describe("thousands of values", function()
  it("are returned, and taken", function()
    local parts = table.pack(core.arange(1, 4096):chunk(4096))
    assert.equal(4096, parts.n)
    assert.equal(4095, parts[4095]:item())
    parts.n = nil
    assert.equal(2048 * 4097, core.cat(parts, 1):sum():item())
    local sizes = {}
    for i = 1, 4000 do sizes[i] = i % 2 end
    assert.equal(4000, select("#", core.ones(2000):split(sizes, 1)))
    fails("expected 1 to 4096", function() return core.zeros(2000000):chunk(2000000) end)
  end)

  it("go through functions with a backward of their own", function()
    local n = 3000
    local spread = autograd.autograd_function(
      function(_, x) return x:chunk(n) end,
      function(_, ...) return core.cat({ ... }, 1) end)
    local x = core.ones(n):requires_grad_(true)
    local outputs = table.pack(spread(x))
    assert.equal(n, outputs.n)
    local y = outputs[1] + outputs[n] * 2
    y:backward()
    assert.same({ 1, 0 }, x.grad:narrow(1, 1, 2):totable())
    assert.equal(2, x.grad[n]:item())
  end)

  it("of dimensions, in tables that nest deeper than any shape, are refused", function()
    local deep = 1
    for _ = 1, 100000 do deep = { deep } end
    fails("tensor", core.tensor, deep)
    local sizes = {}
    for i = 1, 1000 do sizes[i] = 1 end
    fails("zeros", core.zeros, sizes)
    fails("zeros", core.zeros, table.unpack(sizes))
  end)

  it("wait in coroutines that are never finished", function()
    for _ = 1, 2000 do
      local x = core.ones(4):requires_grad_(true)
      coroutine.wrap(function()
        local y = x:exp()
        coroutine.yield(y)
        y:sum():backward()
      end)()
    end
    collectgarbage()
    assert.equal(4, core.ones(4):sum():item())
  end)
end)

describe("finalizers", function()
  it("may be called twice, and on what is not theirs", function()
    local t = core.ones(3)
    local gc = assert(debug.getmetatable(t).__gc)
    gc(t)
    gc(t)
    fails("freed", t.sum, t)
    for _, other in ipairs { 1, {}, io.stdout, core.generator(1) } do assert.is_false((pcall(gc, other))) end
    gc = nil -- luacheck: ignore
    t = nil -- luacheck: ignore
    collectgarbage()
  end)

  it("run in any order when a state closes, twice in a process #child", function()
    local ok, output, how = child.run [[
      local lt = require "laterna"
      local holder = setmetatable({}, { __gc = function(h) pcall(function() return (h.t * 2):sum():item() end) end })
      local x = lt.ones(3, { requires_grad = true })
      holder.t = (x:exp() + x):sum()
      holder.t:backward()
      local f = lt.autograd_function(function(ctx, a)
        ctx.a = a
        return a * 2
      end, function(ctx, dy) return dy * ctx.a end)
      kept = { f(x), lt.generator(3), holder, lt.nn.Linear(2, 2), coroutine.wrap(function() coroutine.yield(x) end) }
      kept[5]()
      print "here"
      os.exit(0, true)
    ]]
    assert.is_true(ok, how .. output)
    assert.equal("here\n", output)
  end)
end)
