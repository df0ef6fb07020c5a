-- What forward passes write down, and how it is taken back.
local autograd = require "laterna.autograd"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local journal = require "laterna.journal"
local nn = require "laterna.nn"

local function write(t, v)
  journal.note(t)
  core.no_grad(t.fill_, t, v)
end

describe("a journal", function()
  local a, b
  before_each(function() a, b = core.tensor { 1 }, core.tensor({ 1 }, { dtype = "int32" }) end)

  it("puts back what was written, unless it is kept", function()
    do
      local scope <close> = journal.open() -- luacheck: ignore
      write(a, 2)
      write(a, 3)
      write(b, 4)
      assert.equal(3, a:item())
    end
    assert.same({ 1, 1 }, { a:item(), b:item() })
    local function kept()
      local scope <close> = journal.open() -- luacheck: ignore
      write(a, 2)
      return scope:keep("x", nil, 7)
    end
    assert.same({ n = 3, "x", nil, 7 }, table.pack(kept()))
    assert.equal(2, a:item())
    write(a, 5) -- no scope is open: nothing is noted
    assert.equal(5, a:item())
  end)

  it("hands what was kept to the scope around it", function()
    local ok = pcall(journal.whole(function()
      write(a, 2)
      journal.whole(function() write(a, 3) write(b, 3) end)()
      error "late"
    end))
    assert.is_false(ok)
    assert.same({ 1, 1 }, { a:item(), b:item() })
  end)

  it("leaves results and errors as they are", function()
    assert.same({ 1, 2 }, { journal.whole(function(...) return ... end)(1, 2) })
    local err = setmetatable({}, {})
    local _, got = pcall(journal.whole(function() error(err) end))
    assert.equal(err, got)
    fails("t: expected", function()
      local scope <close> = journal.open() -- luacheck: ignore
      journal.note(3)
    end)
  end)

  it("belongs to a coroutine, and ends with it", function()
    local thread = coroutine.create(journal.whole(function()
      write(a, 2)
      coroutine.yield()
    end))
    coroutine.resume(thread)
    write(b, 9) -- not the coroutine's
    assert.equal(2, a:item())
    coroutine.close(thread)
    assert.same({ 1, 9 }, { a:item(), b:item() })
    coroutine.wrap(journal.whole(function() -- dropped while it waits
      write(a, 2)
      coroutine.yield()
    end))()
    collectgarbage()
    write(b, 10)
    assert.equal(10, b:item())
  end)

  it("goes back to the last step of a loop, and there too for what nobody noted", function()
    local loop = journal.loop { b }
    write(a, 2)
    core.no_grad(b.fill_, b, 2)
    loop:commit()
    write(a, 3)
    core.no_grad(b.fill_, b, 3)
    loop:undo()
    assert.same({ 2, 2 }, { a:item(), b:item() })
    write(a, 4)
    core.no_grad(b.fill_, b, 4)
    loop:undo()
    assert.same({ 2, 2 }, { a:item(), b:item() })
    loop:leave()
    write(a, 5)
    assert.equal(5, a:item())
  end)

  it("of a loop is written by what its steps call, and by nobody while it waits", function()
    local scope
    local loop = coroutine.create(function()
      scope = journal.loop {}
      coroutine.yield()
      coroutine.wrap(write)(a, 3)
      scope:undo()
    end)
    coroutine.resume(loop)
    write(a, 2)
    scope:undo()
    assert.equal(2, a:item())
    coroutine.resume(loop)
    assert.equal(2, a:item())
    write(a, 4) -- the loop was not left, but its coroutine has ended
    scope:undo()
    assert.equal(4, a:item())
  end)

  it("of a loop that is dropped half-way goes with it", function()
    local made = setmetatable({}, { __mode = "k" })
    for _ = 1, 3 do
      coroutine.wrap(function()
        made[journal.loop { core.zeros(2) }] = true
        coroutine.yield()
      end)()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(made))
  end)

  it("is written once for a function that is computed again", function()
    local function train(run)
      core.manual_seed(1)
      local net = nn.Sequential(nn.spectral_norm(nn.Linear(3, 4)), nn.BatchNorm2d(4), nn.Linear(4, 1))
      for _ = 1, 3 do run(net, core.randn(6, 3)):square():mean():backward() end
      local state = net:state()
      for name, p in net:named_parameters() do state["gradient of " .. name] = p.grad end
      return state
    end
    local plain = train(function(net, x) return net(x) end)
    local again = train(function(net, x) return autograd.recompute(net, x) end)
    for name, t in pairs(plain) do assert.same(t:totable(), again[name]:totable(), name) end
  end)
end)
