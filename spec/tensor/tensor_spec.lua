-- Tensors at the prompt: made, shown, indexed, sliced, changed.
local core = require "laterna.core"

local function same(expected, t) assert.same(expected, t:totable()) end

describe("a tensor", function()
  it("comes from tables, numbers, sizes and bytes", function()
    same({ { 1, 2 }, { 3, 4 } }, core.tensor { { 1, 2 }, { 3, 4 } })
    assert.equal(5, core.tensor(5):totable())
    same({ 7, 255 }, core.tensor({ 7, 255 }, { dtype = "uint8" }))
    same({ { 0, 0 } }, core.zeros(1, 2))
    same({ { 1, 1 } }, core.ones { 1, 2 })
    same({ 2, 2 }, core.full({ 2 }, 2))
    same({ 1, 3, 5 }, core.arange(1, 5, 2))
    same({ 0, 0.5, 1 }, core.linspace(0, 1, 3))
    same({ { 1, 0 }, { 0, 1 } }, core.eye(2))
    same({ 1.5, -2 }, core.from_string(string.pack("<ff", 1.5, -2), { 2 }))
    assert.equal(string.pack("<i4", 9), core.tensor({ 9 }, { dtype = "int32" }):to_string())
    same({}, core.zeros(0))
  end)

  it("refuses tables that are not full, and what does not fit the type", function()
    for _, bad in ipairs { { { 1, 2 }, { 3 } }, { { 1 }, 2 }, { 1, { 2 } }, { "a" }, { true } } do
      assert.has_error(function() core.tensor(bad) end)
    end
    assert.has_error(function() core.tensor({ 256 }, { dtype = "uint8" }) end)
    assert.has_error(function() core.tensor({ 0.5 }, { dtype = "int32" }) end)
    assert.has_error(function() core.from_string("abc", { 1 }) end)
    assert.has_error(function() core.zeros(2, { dtpye = "uint8" }) end)
    assert.has_error(function() core.zeros { 2, 3, dtype = "uint8" } end,
      "bad argument #1 to 'zeros' (sizes: expected a list of numbers, got a table with other keys too)")
  end)

  it("refuses impossible sizes before memory is taken #slow", function()
    local nine = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }
    for _, sizes in ipairs { { -1 }, { 2 ^ 62, 2 ^ 62 }, { 0.5 }, { 0 / 0 }, { 1e300 }, nine } do
      assert.has_error(function() core.zeros(sizes) end)
    end
    local ok, message = pcall(core.zeros, 2 ^ 40, 2 ^ 10)
    assert.is_false(ok)
    assert.matches("not enough memory: %d+ bytes needed, %d+ bytes live", message)
    same({ 0 }, core.zeros(1))
  end)

  it("knows its shape", function()
    local x = core.zeros(2, 3, 4)
    assert.same({ 2, 3, 4 }, x.shape)
    assert.same({ 2, 3, 4 }, x:size())
    assert.equal(4, x:size(-1))
    assert.equal(2, #x)
    assert.equal(3, x:dim())
    assert.equal(24, x:numel())
    assert.equal("float32", x.dtype)
    assert.has_error(function() x:size(4) end)
    assert.has_error(function() return x.nothing end)
    assert.has_error(function() x.shape = 1 end)
  end)

  it("is indexed from 1 and from the end; rows are views", function()
    local x = core.tensor { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }
    same({ 4, 5, 6 }, x[2])
    same({ 7, 8, 9 }, x[-1])
    assert.equal(6, x[2][3]:item())
    same({ { 4, 5, 6 }, { 7, 8, 9 } }, x[{ 2, 3 }])
    same({ { 2, 3 }, { 5, 6 } }, x[{ { 1, 2 }, { 2, 3 } }])
    same({ 2, 5, 8 }, x[{ {}, 2 }])
    x[1][2] = 20
    x[{ 2, 3 }] = core.tensor { 0, 1, 2 }
    same({ { 1, 20, 3 }, { 0, 1, 2 }, { 0, 1, 2 } }, x)
    for _, bad in ipairs { 0, 4, -4, 1.5, { 3, 1 }, { 0, 1 }, { 1, 2, 3 }, { { 1, 2 }, 1, 1 }, {} } do
      if type(bad) ~= "table" or #bad > 0 then assert.has_error(function() return x[bad] end) end
    end
    assert.has_error(function() x[1][1][1] = 0 end)
    assert.has_error(function() x[{ {}, 2 }] = 0 end)
  end)

  it("gives rows in order", function()
    local seen = {}
    for i, row in core.tensor({ { 1, 2 }, { 3, 4 } }):rows() do seen[i] = row:totable() end
    assert.same({ { 1, 2 }, { 3, 4 } }, seen)
    assert.has_error(function() core.tensor(1):rows() end)
  end)

  it("turns into other types", function()
    same({ 0, 255, 2, 0 }, core.tensor({ -5, 300, 1.6, 0 / 0 }):byte())
    same({ -5, 1 }, core.tensor({ -5.9, 1.9 }):int())
    same({ 3, 250 }, core.tensor({ 3, 250 }, { dtype = "uint8" }):float())
    same({ 3, 250 }, core.tensor({ 3, 250 }, { dtype = "uint8" }):int())
  end)

  it("is changed in place, from views of itself too", function()
    local x = core.tensor { 1, 2, 3, 4 }
    x[{ 1, 3 }]:add_(x[{ 2, 4 }])
    same({ 3, 5, 7, 4 }, x)
    x:add_(x[1], 2):mul_(2)
    same({ 18, 22, 26, 20 }, x)
    x:copy_(core.tensor(1))
    same({ 1, 1, 1, 1 }, x)
    x:copy_(core.tensor({ 1, 2, 3, 4 }, { dtype = "uint8" }))
    same({ 1, 2, 3, 4 }, x)
    assert.has_error(function() x:add_(core.ones(2, 4)) end)
  end)

  it("is shown with shape, then values, long ones cut", function()
    assert.equal("float32 tensor (2,2)\n[[1, 2],\n [3, 4]]", tostring(core.tensor { { 1, 2 }, { 3, 4 } }))
    assert.equal("float32 tensor (2)\n[0.5000, -1.2500]", tostring(core.tensor { 0.5, -1.25 }):gsub("%[ ", "["), nil)
    assert.equal("int32 tensor ()\n5", tostring(core.tensor(5, { dtype = "int32" })))
    assert.equal("float32 tensor (0,3)\n[]", tostring(core.zeros(0, 3)))
    assert.matches("nan", tostring(core.tensor { 0 / 0 }))
    local long = tostring(core.arange(1, 5000))
    assert.matches("%.%.%.", long)
    assert.is_true(#long < 200)
  end)

  it("freed ones are refused by name, views of them live on", function()
    local x = core.ones(3)
    local row = x[1]
    x:free()
    x:free()
    assert.equal(1, row:item())
    assert.has_error(function() return x + 1 end)
    assert.equal("freed tensor", tostring(x))
    local ok, message = pcall(function() return row + x end)
    assert.is_false(ok)
    assert.matches("bad argument #2 to 'add' %(b: this tensor was freed%)", message)
    do local y <close> = core.ones(2) end -- luacheck: ignore y
  end)

  it("names function and argument in every refusal", function()
    local function message(f, ...) return (select(2, pcall(f, ...)):gsub("^.-:%d+: ", "")) end
    assert.equal("bad argument #1 to 'exp' (x: expected tensor, got nil)", message(core.exp, nil))
    assert.equal("bad argument #2 to 'add' (shapes do not broadcast: (2) and (3))",
      message(core.add, core.ones(2), core.ones(3)))
    assert.equal("bad argument #1 to 'view' (sizes: (4) does not fit a tensor of shape (3))",
      message(function() core.ones(3):view(4) end))
    assert.equal("bad argument #1 to 'log' (x: expected a float32 tensor, got uint8; lt.pictures.from_bytes(x) makes "
      .. "pictures in [-1,1] of bytes, x:float() keeps their values)",
      message(core.log, core.zeros(1, { dtype = "uint8" })))
  end)
end)

describe("memory", function()
  it("stays flat in a loop that drops its tensors, without collectgarbage #slow", function()
    local x = core.ones(256, 256)
    local function step() return (x * 2 + 1):exp():sum() end
    local function highest(steps)
      local most = 0
      for _ = 1, steps do
        step()
        most = math.max(most, core.memory().live)
      end
      return most
    end
    collectgarbage() -- what other specs left is not this loop's
    local after = highest(300)
    local later = highest(3000)
    assert.is_true(later <= after + (1 << 20), after .. " grew to " .. later)
  end)

  it("survives a failed allocation: collects, tries again, then says so #slow", function()
    local x = core.ones(10)
    core.debug_fail_allocation(1)
    local y = x + 1 -- the second try succeeds
    core.debug_fail_allocation(0)
    assert.equal(2, y[1]:item())
  end)
end)
