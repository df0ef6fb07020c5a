-- Windows of arrays against their naive twin: runs of every short length, forwards, backwards, apart and repeated, of
-- four bytes and of one; and conversions and fills over their whole range.
local core = require "laterna.core"
local naive = require "spec.support.naive"

-- 1 .. n, or bytes of it.
local function numbers(dtype, ...)
  local n, list = 1, {}
  for _, size in ipairs { ... } do n = n * size end
  for i = 1, n do list[i] = dtype == "uint8" and i * 7 % 256 or i end
  return core.tensor(list, { dtype = dtype }):view(...), list
end

local lengths = { 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33, 47, 48, 63, 64, 65, 80, 83, 300 }

local function same(wanted, got) assert.same(wanted, got:view(-1):totable()) end

describe("windows", function()
  for _, dtype in ipairs { "float32", "int32", "uint8" } do
    it("of " .. dtype .. " are what their steps say", function()
      for _, n in ipairs(lengths) do
        local x, list = numbers(dtype, 3, 2, n)
        same(naive.window(list, 1, { 2, 3, n }, { n, 2 * n, 1 }), x:permute(2, 1, 3))
        same(naive.window(list, 1, { n, 3, 2 }, { 1, 2 * n, n }), x:permute(3, 1, 2))
        same(naive.window(list, n, { 3, 2, n }, { 2 * n, n, -1 }), x:flip(3))
        same(naive.window(list, 5 * n + 1, { 3, 2, n }, { -2 * n, -n, 1 }), x:flip { 1, 2 })
        same(naive.window(list, 6 * n, { 3, 2, n }, { -2 * n, -n, -1 }), x:flip { 1, 2, 3 })
        same(naive.window(list, 1, { 5, 3, 2, n }, { 0, 2 * n, n, 1 }), x:expand(5, 3, 2, n))
        local column, few = numbers(dtype, 3, 1)
        same(naive.window(few, 1, { 3, n }, { 1, 0 }), column:expand(3, n))
        if n > 2 then same(naive.window(list, 2, { 3, 2, n - 2 }, { 2 * n, n, 1 }), x:narrow(3, 2, n - 2)) end
      end
    end)

    it("of " .. dtype .. " are written where they are read", function()
      for _, n in ipairs(lengths) do
        local x, list = numbers(dtype, 4, n)
        local y = x:pad({ { 1, 0 }, { 2, 3 } }, 9)
        same(list, y:narrow(1, 2, 4):narrow(2, 3, n))
        local border = {}
        for i, v in ipairs(y:view(-1):totable()) do
          local row, column = (i - 1) // (n + 5), (i - 1) % (n + 5)
          if row == 0 or column < 2 or column >= n + 2 then border[#border + 1] = v end
        end
        assert.equal(5 * (n + 5) - 4 * n, #border)
        for _, v in ipairs(border) do assert.equal(9, v) end
        same(list, core.cat({ x:narrow(2, 1, n // 2), x:narrow(2, n // 2 + 1, n - n // 2) }, 2))
        same(naive.window(list, 1, { n, 4 }, { 1, n }), core.stack({ x[1], x[2], x[3], x[4] }, 2))
      end
    end)
  end

  it("are the same on any number of threads #slow", function()
    local x, list = numbers("float32", 300, 7, 90)
    local before = core.threads()
    for threads = 1, 3 do
      core.threads(threads)
      same(naive.window(list, 1, { 7, 300, 90 }, { 90, 630, 1 }), x:permute(2, 1, 3))
      same(naive.window(list, 1, { 90, 300, 7 }, { 1, 630, 90 }), x:permute(3, 1, 2))
    end
    core.threads(before)
  end)
end)

describe("conversions", function()
  it("between integers keep what fits and clamp the rest", function()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = i end
    same(bytes, core.tensor(bytes, { dtype = "uint8" }):int())
    same(bytes, core.tensor(bytes, { dtype = "int32" }):byte())
    local wide = core.tensor({ -2147483648, -1, 0, 255, 256, 2147483647 }, { dtype = "int32" })
    same({ 0, 0, 0, 255, 255, 255 }, wide:byte())
  end)
end)

describe("where", function()
  it("chooses by element, whatever is stretched and however long runs are #slow", function()
    local generator = core.generator(5)
    local function randn(...) return core.randn({ ... }, { generator = generator }) end
    for _, n in ipairs { 1, 3, 511, 512, 513, 1030, 40000 } do
      for mask = 0, 7 do -- which of the three is one value along the last axis
        local function operand(bit) return randn(2, mask & bit ~= 0 and 1 or n) end
        local c, a, b = operand(1):gt(core.zeros(1)), operand(2), operand(4)
        local y, wanted = core.where(c, a, b):expand(2, n), {}
        local cs, as, bs = naive.flat(c:expand(2, n)), naive.flat(a:expand(2, n)), naive.flat(b:expand(2, n))
        for i = 1, 2 * n do wanted[i] = cs[i] ~= 0 and as[i] or bs[i] end
        same(wanted, y)
      end
    end
    local nan = core.tensor { 0 / 0, 1 }
    same({ 1, 1 }, core.where(core.tensor { 0, 1 }, nan, core.ones(1)))
    assert.equal("nan", (tostring(core.where(core.ones(1), nan, core.ones(1)):view(-1):totable()[1]):gsub("-", "")))
  end)
end)
