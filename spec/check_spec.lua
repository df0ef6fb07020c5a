local check = require "laterna.check"

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return (err:gsub("^[^:]*:%d+: ", ""))
end

describe("laterna.check", function()
  it("returns what it was given", function()
    assert.equal("x", check.type("f", 1, "a", "x", "string"))
    assert.is_nil(check.type("f", 1, "a", nil, "table|nil"))
    assert.equal(0.5, check.number("f", 1, "a", 0.5, 0, 1))
    local three = check.integer("f", 1, "a", 3.0)
    assert.equal("integer", math.type(three))
    assert.equal(print, check.type("f", 1, "a", print, "callable"))
    local called = setmetatable({}, { __call = print })
    assert.equal(called, check.type("f", 1, "a", called, "callable"))
    assert.equal("b", check.one_of("f", 1, "a", "b", { "a", "b" }))
  end)

  it("names function, argument, what was expected and what came", function()
    assert.equal("bad argument #2 to 'f' (x: expected number, got nil)",
      message(check.type, "f", 2, "x", nil, "number"))
    assert.equal("bad argument #1 to 'f' (x: expected string or table, got true)",
      message(check.type, "f", 1, "x", true, "string|table"))
    assert.equal('bad argument #1 to \'f\' (x: expected tensor, got "laterna.Tensor")',
      message(check.type, "f", 1, "x", "laterna.Tensor", "tensor"))
    assert.equal("bad argument #1 to 'f' (x: expected number, got nan)", (message(check.number, "f", 1, "x", 0 / 0)
      :gsub("%-nan", "nan")))
    assert.equal("bad argument #1 to 'f' (x: expected number from 0 to 1, got 2)",
      message(check.number, "f", 1, "x", 2, 0, 1))
    assert.equal("bad argument #1 to 'f' (x: expected number of at most 1, got 1.5)",
      message(check.number, "f", 1, "x", 1.5, nil, 1))
    assert.equal("bad argument #1 to 'f' (x: expected integer of at least 1, got 0)",
      message(check.integer, "f", 1, "x", 0, 1))
    assert.equal('bad argument #1 to \'f\' (x: expected integer, got "3")', message(check.integer, "f", 1, "x", "3"))
    assert.equal('bad argument #1 to \'f\' (x: expected "a", "b" or 3, got "c")',
      message(check.one_of, "f", 1, "x", "c", { "a", "b", 3 }))
  end)

  it("refuses a table that claims to be a tensor", function()
    local fake = setmetatable({}, { __name = "laterna.Tensor" })
    assert.is_false(check.is_tensor(fake))
    assert.is_false(check.is_tensor(io.stdout))
  end)

  it("refuses a freed tensor", function()
    local t = require "laterna.core".zeros(2)
    assert.equal(t, check.type("f", 1, "x", t, "number|tensor"))
    t:free()
    assert.is_true(check.is_tensor(t))
    assert.equal("bad argument #1 to 'f' (x: expected tensor, got freed tensor)",
      message(check.type, "f", 1, "x", t, "tensor"))
  end)

  for _, v in ipairs { 0 / 0, 1e300, 2.5, 1 / 0, "1", {}, print } do
    it("refuses as an integer: " .. type(v) .. " " .. tostring(v):sub(1, 5), function()
      assert.matches("x: expected integer", message(check.integer, "f", 1, "x", v))
    end)
  end

  it("cuts long strings and keeps control characters out of the terminal", function()
    local err = message(check.type, "f", 1, "x", ("\27"):rep(1000), "number")
    assert.is_true(#err < 250)
    assert.is_nil(err:find "\27")
  end)

  it("fills defaults and copies", function()
    local given = { pad = 0 }
    local known = { pad = { "integer", 2, min = 0 }, title = "string", fast = { "boolean", false } }
    local out = check.options("f", 2, given, known)
    assert.same({ pad = 0, fast = false }, out)
    assert.are_not.equal(given, out)
    assert.same({ pad = 2 }, check.options("f", 2, nil, { pad = { "integer", 2 } }))
  end)

  it("refuses unknown, missing and wrong options", function()
    local known = { pad = { "integer", 2, min = 0 }, mode = { one_of = { "a", "b" } }, tint = function(v)
      return v == "red", "a colour"
    end }
    local function refused(t) return message(check.options, "f", 2, t, known) end
    assert.equal(
      [[bad argument #2 to 'f' (unknown option "pat", did you mean "pad"? known: mode, pad, tint)]],
      refused { pat = 1 })
    assert.equal("bad argument #2 to 'f' (unknown option 1; known: mode, pad, tint)", refused { 5 })
    assert.equal("bad argument #2 to 'f' (pad: expected integer of at least 0, got -1)", refused { pad = -1 })
    assert.equal("bad argument #2 to 'f' (pad: expected integer of at least 0, got false)", refused { pad = false })
    assert.equal([[bad argument #2 to 'f' (mode: expected "a" or "b", got 1)]], refused { mode = 1 })
    assert.equal("bad argument #2 to 'f' (tint: expected a colour, got 7)", refused { tint = 7 })
    assert.equal("bad argument #2 to 'f' (options: expected table or nil, got 3)", refused(3))
    assert.equal("bad argument #1 to 'f' (option n is missing)",
      message(check.options, "f", 1, {}, { n = { "integer", required = true } }))
  end)

  it("does not run metamethods of an option table", function()
    local t = setmetatable({}, { __index = error, __pairs = error, __len = error })
    assert.same({}, check.options("f", 1, t, { a = "string" }))
  end)

  it("takes lists as they are stored, whatever their metatables say of their length", function()
    local known = { list = { function(v) return type(v) == "table", "a list" end } }
    local list = setmetatable({ 1, 2 }, { __len = function() return "x" end })
    assert.equal(2, #check.options("f", 1, { list = list }, known).list)
    local object = setmetatable({ 1, 2 }, { __len = function() return 7 end, __index = {} })
    assert.equal(object, check.options("f", 1, { list = object }, known).list)
  end)

  it("asks the length of a list once: where it is no number, nobody counts to it", function()
    local function odd(...) return setmetatable({ ... }, { __len = function() return "x" end }) end
    assert.equal("bad argument #1 to 'f' (x: expected table, got one whose length is \"x\")",
      message(check.type, "f", 1, "x", odd(1), "string|table"))
    local lt = require "laterna"
    local set = lt.data.from(lt.rand(2, 2, 2, 1), { "a", "b" })
    for name, f in pairs {
      captions = function() lt.text.Tokenizer(odd "a") end,
      ids = function() lt.text.Tokenizer { "a" }:decode(odd(5)) end,
      repeated = function() lt.text.repeated(odd "a", 2) end,
      from = function() lt.data.from(lt.rand(1, 2, 2, 1), odd "a") end,
      several = function() lt.data.from(lt.rand(1, 2, 2, 1), { odd "a" }) end,
      subset = function() set:subset(odd(1)) end,
      concat = function() lt.data.concat(odd(set)) end,
      Adam = function() lt.optim.Adam(odd(lt.zeros(2)), {}) end,
      Muon = function() lt.optim.Muon(odd(lt.zeros(2)), {}) end,
      clip = function() lt.optim.clip_norm(odd(lt.zeros(2)), 1) end,
      spearman = function() lt.metrics.spearman(odd(1), { 1 }) end,
      plot = function() lt.plot(odd(1)) end,
      sequential = function() lt.nn.Sequential(odd(lt.nn.Linear(1, 1))) end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok, name)
      assert.matches("bad argument #%d to '[%w_]+' %(.*: expected .*, got ", err, name)
    end
  end)

  it("points at the user's line", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local _, err = pcall(function() check.type("f", 1, "x", nil, "number") return 1 end)
    assert.matches("check_spec%.lua:" .. line .. ": bad argument #1", err)
  end)
end)
