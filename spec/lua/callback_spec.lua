-- Functions that the tape refers to: they live as long as anything leads to them, and no longer, whatever they hold.
local autograd = require "laterna.autograd"
local core = require "laterna.core"

local function list(t) return t:view(-1):totable() end

local function blocks()
  collectgarbage() collectgarbage()
  return core.memory().count
end

describe("functions of scripts that hold what they made", function()
  local double = autograd.autograd_function(function(_, x) return x * 2 end, function(_, dy) return dy * 2 end)

  -- Each makes a ring of a tensor and the backward that it leads to, and drops it.
  local rings = {
    ["a closure and its output"] = function()
      local out
      local x = core.ones(100, { requires_grad = true })
      out = core.record_function(function(dy) return dy * out end, { x }, { x:detach() * 2 })[1]
    end,
    ["a closure and what was computed from its output"] = function()
      local loss
      local x = core.ones(100, { requires_grad = true })
      local y = core.record_function(function(dy) return dy * loss end, { x }, { x:detach() * 2 })[1]
      loss = double(y * y):sum()
    end,
    ["ctx and a result"] = function()
      local made = {}
      local f = autograd.autograd_function(function(ctx, x)
        made.ctx = ctx
        return x * 2
      end, function(_, dy) return dy end)
      made.ctx_out = f(core.ones(100, { requires_grad = true }))
      made.ctx.out = made.ctx_out
    end,
    ["two functions and each other's results"] = function()
      local a, b = {}, {}
      local f = autograd.autograd_function(function(_, x) return x * 2 end, function(_, dy) return dy, a end)
      local g = autograd.autograd_function(function(_, x) return x * 3 end, function(_, dy) return dy, b end)
      local x = core.ones(100, { requires_grad = true })
      b[1] = f(x)
      a[1] = g(b[1])
    end,
    ["a function computed again and its result"] = function()
      local held = {}
      held[1] = autograd.recompute(function(x) return x * 2, held and 1 end, core.ones(100, { requires_grad = true }))
    end,
  }
  for what, make in pairs(rings) do
    it("are collected with it: " .. what, function()
      local before = blocks()
      for _ = 1, 40 do make() end
      assert.equal(before, blocks())
    end)
  end

  it("are collected while a later training goes on #slow", function()
    local before = blocks()
    local x = core.ones(100, { requires_grad = true })
    local most = 0
    for i = 1, 200 do
      rings["a closure and what was computed from its output"]()
      double(x):sum():backward()
      if i % 20 == 0 then most = math.max(most, blocks()) end
    end
    assert.is_true(most - before < 400, most - before) -- an era or two of rings, not 200 rings
    x = nil -- luacheck: ignore
    assert.equal(before, blocks())
  end)

  it("stay as long as anything leads to them", function()
    local x = core.ones(3, { requires_grad = true })
    local y = double(x)
    for i = 1, 100 do y = (i % 7 == 0 and double(y) * 0.5 or y + 1)[{ 1, 3 }]:view(3) end
    collectgarbage() collectgarbage()
    local parts = { y:chunk(3, 1) }
    y = nil -- luacheck: ignore
    collectgarbage() collectgarbage()
    local g = core.grad(core.cat(parts, 1):sum(), { x }, { retain_graph = true })[1]
    collectgarbage() collectgarbage()
    assert.same({ 2, 2, 2 }, list(g))
    local again = core.cat(parts, 1):sum()
    parts = nil -- luacheck: ignore
    collectgarbage() collectgarbage()
    again:backward()
    assert.same({ 2, 2, 2 }, list(x.grad))
  end)

  it("stay for a gradient that leads to them", function()
    local x, w = core.ones(3, { requires_grad = true }), core.ones(3, { requires_grad = true })
    local g = core.grad((double(x) * w * w):sum(), { w }, { create_graph = true })[1]
    collectgarbage() collectgarbage()
    g:sum():backward()
    assert.same({ 4, 4, 4 }, list(x.grad))
  end)
end)
