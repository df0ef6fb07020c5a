-- The bfloat16 mode: what is rounded, what is not, and that every instruction set does the same.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local naive = require "spec.support.naive"
local precision = require "spec.support.precision_cases"

local function randn(...) return core.randn({ ... }, { generator = core.generator(7) }) end

local every_case = [[
  local core = require "laterna.core"
  for _, case in ipairs(require "spec.support.precision_cases".cases) do
    local difference = case.run()
    print(core.info().isa, difference < case.limit and "fine" or ("%.9g"):format(difference), case.name)
  end
]]

describe("precision #slow", function()
  it("is float32 at first, and can be set and asked for", function()
    assert.equal("float32", core.precision())
    assert.equal("bf16", core.precision "bf16")
    assert.equal("bf16", core.precision())
    assert.equal("rounded", core.precision "rounded")
    assert.equal("float32", core.precision "float32")
    fails("bad argument #1 to 'precision' (name: expected \"float32\", \"bf16\", \"rounded\" or \"auto\", "
      .. 'got "bf17"; did you mean "bf16"?)', core.precision, "bf17")
    fails("bad argument #1 to 'precision' (name: expected string, got number)", core.precision, 16)
    assert.equal("float32", core.precision())
  end)

  for _, case in ipairs(precision.cases) do
    it("rounds the inputs of " .. case.name, function()
      local difference = case.run()
      assert.is_true(difference < case.limit, difference)
    end)
  end

  it("is the same on every instruction set #isas", function()
    local ran = {}
    for _, isa in ipairs { "portable", "avx2", "avx512", "avx512bf16", "amx", "neon", "neonbf16" } do
      local ok, output = child.run(every_case, { env = "LATERNA_ISA=" .. isa })
      if ok then
        local count = 0
        for name, difference in output:gmatch "(%S+)\t(%S+)\t[^\n]*" do
          assert.equal(isa, name)
          assert.equal("fine", difference, isa .. "\n" .. output)
          count = count + 1
        end
        assert.equal(#precision.cases, count)
        ran[#ran + 1] = isa
      else -- only for want of the processor
        assert.is_truthy(output:find("instruction set '" .. isa .. "'", 1, true), output)
      end
    end
    assert.equal("portable", ran[1])
  end)

  it("rounds to nearest, ties to even, and leaves infinities and NaN", function()
    local up, down, huge = 1 + 2 ^ -7 + 2 ^ -8, 1 + 2 ^ -8, 3.4028234e38
    local x = core.tensor { { up, 1 }, { down, 1 }, { -down, 1 }, { 1 + 2 ^ -8 + 2 ^ -20, 1 }, { 1 / 0, 1 },
      { -1 / 0, 1 }, { 0 / 0, 1 }, { huge, 1 }, { 3, 0 / 0 }, { 1 / 0, -1 / 0 } }
    local y = naive.flat(precision.in_rounded(core.matmul, x, core.tensor { { 1 }, { 0.5 } }))
    assert.same({ 1 + 2 ^ -6 + 0.5, 1.5, -0.5, 1 + 2 ^ -7 + 0.5, math.huge, -math.huge }, { table.unpack(y, 1, 6) })
    assert.equal(math.huge, y[8])
    for _, i in ipairs { 7, 9, 10 } do assert.is_true(y[i] ~= y[i], i) end
    local picture = core.zeros(1, 5, 5, 20)
    picture[1][2][2]:fill_(0 / 0)
    local _, shown = precision.in_rounded(function()
      local out = core.conv2d(picture, core.ones(3, 3, 3, 20), nil, { padding = 1 })
      return out, naive.flat(out)
    end)
    for i, v in ipairs(shown) do
      local row, column = (i - 1) // 15, (i - 1) // 3 % 5
      assert.equal(row <= 2 and column <= 2, v ~= v, i)
    end
  end)

  it("gives the same bits on any number of threads", function()
    local before = core.threads()
    for _, size in ipairs { { 700, 200, 300 }, { 40, 5000, 70 }, { 33, 900, 1200 } } do
      local m, k, n = table.unpack(size)
      local x, w = randn(m, k):requires_grad_(true), randn(n, k):requires_grad_(true)
      local pictures, kernel = randn(4, 13, 12, 33):requires_grad_(true), randn(70, 3, 3, 33):requires_grad_(true)
      local results = {}
      for threads = 1, 3 do
        core.threads(threads)
        results[threads] = precision.in_rounded(function()
          local y, z = core.linear(x, w), core.conv2d(pictures, kernel, nil, { padding = 1 })
          local g = core.grad((y * y):sum() + (z * z):sum(), { x, w, pictures, kernel })
          return table.concat { y:to_string(), z:to_string(), g[1]:to_string(), g[2]:to_string(), g[3]:to_string(),
            g[4]:to_string() }
        end)
      end
      core.threads(before)
      assert.is_true(results[1] == results[2] and results[1] == results[3])
    end
  end)

  -- Not where bfloat16 gains: there inputs are rounded.
  it("computes in float32, to the bit, what bf16 gains nothing by", function()
    local function all()
      local x, w = randn(50, 70):requires_grad_(true), randn(60, 70):requires_grad_(true)
      local pictures, kernel = randn(2, 9, 9, 33):requires_grad_(true), randn(40, 3, 3, 33):requires_grad_(true)
      local few, narrow, q = randn(2, 9, 9, 3), randn(40, 3, 3, 3), randn(2, 40, 2, 16)
      local y, z = core.linear(x, w), core.conv2d(pictures, kernel, nil, { padding = 1 })
      local g = core.grad((y * y):sum() + (z * z):sum(), { x, w, pictures, kernel })
      return y, z, g[1], g[2], g[3], g[4], core.attention(q, q, q), core.conv2d(few, narrow),
        core.linear(randn(3, 70), w)
    end
    local function words(...)
      local list = { ... }
      for i, t in ipairs(list) do list[i] = t:to_string() end
      return list
    end
    local full, before = words(all()), core.precision "float32"
    core.precision "bf16"
    local bf16 = words(all())
    core.precision(before)
    local gains = core.info().bf16.faster
    for i, text in ipairs(full) do
      if not gains or i > 7 then assert.is_true(text == bf16[i], i) end
    end
    if gains then assert.is_true(full[1] ~= bf16[1]) end
  end)

  it("auto sets bf16 where the processor gains by it, and float32 elsewhere", function()
    local expected = core.info().bf16.faster and "bf16" or "float32"
    assert.equal(expected, core.precision "auto")
    assert.equal(expected, core.precision())
    assert.equal(expected, core.info().products)
    core.precision "bf16"
    assert.equal(expected, core.info().products)
    core.precision "rounded"
    assert.equal("rounded", core.info().products)
    core.precision "float32"
  end)

  it("leaves float32 mode as it was", function()
    local x, w = randn(50, 70), randn(60, 70)
    local y = core.linear(x, w):to_string()
    precision.in_rounded(core.linear, x, w)
    assert.is_true(y == core.linear(x, w):to_string())
    assert.is_true(y ~= precision.in_rounded(core.linear, x, w):to_string())
  end)

  it("says so when memory is short, and loses none", function()
    local x, w = randn(50, 70), randn(60, 70)
    collectgarbage()
    local before = core.memory().count
    for n = 1, 3 do
      core.debug_fail_allocation(n)
      precision.in_rounded(core.linear, x, w):free()
    end
    core.debug_fail_allocation(0)
    assert.equal(before, core.memory().count)
  end)
end)
