-- lt.profile: names, calls and time of what a function does; and nothing of it stays behind.
local core = require "laterna.core"
local profile = require "laterna.profile"

local quiet = { quiet = true }

-- Calls by name of what f did.
local function calls(f)
  local out = {}
  for _, row in ipairs(profile(f, quiet)) do
    assert.is_nil(out[row.name])
    out[row.name] = row.calls
  end
  return out
end

describe("a profile", function()
  local x, w = core.randn(4, 6), core.randn(6, 6):requires_grad_()

  it("counts operations by name, however they are called, and gradients", function()
    local seen = calls(function()
      for _ = 1, 3 do
        local h = core.matmul(x, w) + x
        h = core.add(h, 1):add(2):exp()
        core.add(h, w:sum(1)):sum():backward()
      end
    end)
    assert.equal(3, seen.matmul)
    assert.equal(12, seen.add)
    assert.equal(3, seen.exp)
    assert.equal(6, seen.sum)
    assert.equal(3, seen.backward)
    assert.equal(3, seen["matmul backward"])
    assert.equal(12, seen["add backward"])
    assert.equal(3 + 2, seen["gradient sum"]) -- w is used twice, and .grad is there from the second round on
    assert.is_nil(seen["mul"])
  end)

  it("counts optimizers and random numbers of a generator", function()
    local optimizer = require "laterna.optim".AdamW({ w }, { lr = 1e-3 })
    core.matmul(x, w):sum():backward()
    local g = core.generator(1)
    local seen = calls(function()
      optimizer:step()
      g:uniform()
    end)
    assert.equal(1, seen.adam_update)
    assert.equal(1, seen.uniform)
  end)

  it("adds up: rows to the whole, shares to one, dearest first", function()
    local before = core.clock()
    local p = profile(function() core.matmul(x, w):exp():sum():backward() end, quiet)
    local wall = core.clock() - before
    local seconds, share, last = 0, 0, math.huge
    for _, row in ipairs(p) do
      assert.is_true(row.seconds >= 0 and row.seconds <= last)
      seconds, share, last = seconds + row.seconds, share + row.share, row.seconds
    end
    assert.near(p.seconds, seconds, 1e-9)
    assert.near(1, share, 1e-9)
    assert.is_true(p.seconds > 0 and p.seconds <= wall)
  end)

  it("counts time once: what encloses has only its own", function()
    local p = profile(function()
      core.no_grad(function()
        local stop = core.clock() + 0.02
        while core.clock() < stop do math.sin(1) end
      end)
    end, quiet)
    for _, row in ipairs(p) do
      if row.name == "no_grad" then assert.is_true(row.share < 0.5) end
    end
    assert.is_true(p.seconds >= 0.02)
  end)

  it("sees calls within no_grad and goes on after it", function()
    local seen = calls(function()
      core.no_grad(function() return core.no_grad(function() return x:exp() end):exp() end)
      x:exp()
    end)
    assert.equal(2, seen.no_grad)
    assert.equal(3, seen.exp)
  end)

  it("sees calls of coroutines, those that are older than it too", function()
    local function body()
      for _ = 1, 2 do
        x:exp()
        coroutine.yield()
      end
    end
    local old, wrapped = coroutine.create(body), coroutine.wrap(body)
    local seen = calls(function()
      local new = coroutine.create(body)
      for _ = 1, 2 do
        assert(coroutine.resume(old))
        assert(coroutine.resume(new))
        wrapped()
      end
    end)
    assert.equal(6, seen.exp)
    assert(coroutine.resume(old)) -- its hook finds that nobody listens, and goes
    assert.is_nil((debug.gethook(old)))
  end)

  it("goes on after an error that the function catches", function()
    local seen = calls(function()
      for _ = 1, 2 do
        assert.is_false(pcall(core.matmul, x, x))
        x:exp()
      end
    end)
    assert.equal(2, seen.matmul)
    assert.equal(2, seen.exp)
  end)

  it("passes errors on as they are, and is over then", function()
    local mine = {}
    local ok, err = pcall(profile, function() error(mine) end, quiet)
    assert.is_false(ok)
    assert.equal(mine, err)
    assert.is_nil((debug.gethook()))
    ok, err = pcall(profile, function() x:matmul(x) end, quiet)
    assert.is_false(ok)
    assert.matches("matmul", err)
    assert.equal(1, calls(function() x:exp() end).exp)
  end)

  it("is one at a time", function()
    local ok, err = pcall(profile, function() profile(function() end, quiet) end, quiet)
    assert.is_false(ok)
    assert.matches("a profile is being taken already", err)
    assert.equal(1, calls(function() x:exp() end).exp)
  end)

  it("refuses to be left by a yield, in words", function()
    local ok, err = coroutine.resume(coroutine.create(function() profile(coroutine.yield, quiet) end))
    assert.is_false(ok)
    assert.matches("profile: f cannot yield", err)
    assert.equal(1, calls(function() x:exp() end).exp)
  end)

  it("gives back a debug hook that was there, and leaves one that the function sets", function()
    local lines = 0
    local function count() lines = lines + 1 end
    debug.sethook(count, "l", 7)
    assert.is_false(pcall(profile, error, quiet))
    local hook, mask, n = debug.gethook()
    debug.sethook()
    assert.equal(count, hook)
    assert.equal("l", mask)
    assert.equal(7, n)
    profile(function() debug.sethook(count, "r") end, quiet)
    hook = debug.gethook()
    debug.sethook()
    assert.equal(count, hook)
  end)

  it("prints a table, unless it shall be quiet", function()
    local text
    local print = _G.print
    _G.print = function(...) text = tostring((...)) end -- luacheck: ignore
    local p = profile(function() x:exp() end)
    _G.print = print -- luacheck: ignore
    assert.equal(tostring(p), text)
    assert.matches("^operation +calls +ms +ms a call +share\n", text)
    assert.matches("\nexp +1 +[%d%.]+ +[%d%.]+ +[%d%.]+ %%\n", text)
    assert.matches("\nLua and the rest +[%d%.]+ +[%d%.]+ %%\n", text)
    assert.matches("\ntotal +[%d%.]+$", text)
  end)

  it("says what it cannot take", function()
    assert.has_error(function() profile(3) end, "bad argument #1 to 'profile' (f: expected callable, got 3)")
    assert.has_error(function() profile(print, { loud = true }) end,
      "bad argument #2 to 'profile' (unknown option \"loud\"; known: quiet)")
    assert.has_error(function() core.profile_rows(3) end,
      "bad argument #1 to 'profile_rows' (f: expected function, got number)")
  end)
end)
