-- Reductions in the shapes where the kernels change their ways: one line, narrow and wide rows, few and many of them,
-- work that is cut into pieces and work that is not.
local close = require "spec.support.close"
local core = require "laterna.core"

-- f over the middle axis of a nested list (outer, r, inner), as a flat list
local function twin(x, f)
  local out = {}
  for _, slab in ipairs(x) do
    for i = 1, #slab[1] do
      local column = {}
      for r = 1, #slab do column[r] = slab[r][i] end
      out[#out + 1] = f(column)
    end
  end
  return out
end

local function sum(column)
  local s = 0
  for _, v in ipairs(column) do s = s + v end
  return s
end
local function variance(column)
  local m, s = sum(column) / #column, 0
  for _, v in ipairs(column) do s = s + (v - m) ^ 2 end
  return s / #column
end
local function product(column)
  local p = 1
  for _, v in ipairs(column) do p = p * v end
  return p
end
local function extreme(column, better)
  local at = 1
  for i, v in ipairs(column) do
    if (better(v, column[at]) or v ~= v) and column[at] == column[at] then at = i end
  end
  return at
end

local shapes = {
  { 1, 1, 1 }, { 3, 7, 1 }, { 2, 64, 1 }, { 2, 4161, 1 }, { 1, 70001, 1 }, { 5, 3, 2 }, { 1, 200, 3 }, { 1, 30011, 3 },
  { 2, 100, 127 }, { 1, 150, 128 }, { 1, 90, 256 }, { 2, 5, 257 }, { 1, 3, 600 }, { 1, 700, 100 }, { 40, 2, 5 },
}

describe("reductions", function()
  for _, shape in ipairs(shapes) do
    it(("of (%d,%d,%d)"):format(table.unpack(shape)), function()
      core.manual_seed(12)
      local x = core.randn(shape)
      local nested = x:totable()
      close(x:sum(2), twin(nested, sum), 1e-5)
      close(x:var(2, { correction = 0 }), twin(nested, variance), 1e-5)
      local near_one = x * (1 / shape[2]) + 1
      close(near_one:prod(2), twin(near_one:totable(), product), 1e-4)
      for name, better in pairs { max = function(a, b) return a > b end, min = function(a, b) return a < b end } do
        local values, at = core[name](x, 2)
        assert.same(twin(nested, function(c) return extreme(c, better) end), at:view(-1):totable())
        assert.same(twin(nested, function(c) return c[extreme(c, better)] end), values:view(-1):totable())
      end
      local total = x:cumsum(2):narrow(2, shape[2], 1)
      close(total, twin(nested, sum), 1e-5)
    end)
  end

  it("do not lose small numbers beside large ones", function()
    local x = core.full({ 1000001 }, 1e-3)
    x[1] = 1e5
    close({ x:sum():item() }, { 1e5 + 1000 }, 1e-6)
    local y = core.full({ 200003, 4 }, 0.1)
    close(y:sum(1), { 20000.3, 20000.3, 20000.3, 20000.3 }, 1e-6)
  end)

  it("take variances far from zero", function()
    local x = core.arange(1, 999):float() * 0.25 + 65536 -- all exact
    local want = 0.0625 * (999 ^ 2 - 1) / 12
    close({ x:var(1, { correction = 0 }):item() }, { want }, 1e-6)
  end)

  it("see NaN and infinity", function()
    local nan, inf = 0 / 0, math.huge
    for _, n in ipairs { 3, 40, 70000 } do
      local x = core.zeros(n)
      x[n - 1] = nan
      x[n] = inf
      local v, at = x:max(1)
      assert(v:item() ~= v:item())
      assert.equal(n - 1, at:item())
      v, at = x:min(1)
      assert(v:item() ~= v:item())
      assert.equal(n - 1, at:item())
      assert(x:sum():item() ~= x:sum():item())
      x[n - 1] = 0
      v, at = x:max(1)
      assert.same({ inf, n }, { v:item(), at:item() })
      assert.same({ 0, 1 }, { x:min(1):item(), (select(2, x:min(1))):item() }) -- the first of equals
    end
    local wide = core.zeros(3, 5)
    wide[2][4] = nan
    local v, at = wide:max(1)
    assert.same({ 1, 1, 1, 2, 1 }, at:totable())
    assert(v[4]:item() ~= v[4]:item())
  end)

  it("of nothing are 0 and 1", function()
    assert.same({ 0, 0 }, core.zeros(2, 0):sum(2):totable())
    assert.same({ 1, 1 }, core.zeros(0, 2):prod(1):totable())
    assert.same({ 0, 3 }, core.zeros(0, 2, 3):sum(2).shape)
  end)
end)
