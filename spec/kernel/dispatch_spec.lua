-- One instruction set is chosen at load; LATERNA_ISA forces it. All of them compute the same.
local child = require "spec.support.child"
local core = require "laterna.core"

local work = [[
  local core = require "laterna.core"
  local g = core.generator(3)
  local function randn(...) return core.randn({ ... }, { generator = g }):requires_grad_(true) end
  local x, w, b = randn(2, 7, 6, 20), randn(33, 3, 3, 20), randn(33)
  local q = core.conv2d(x, w, b, { stride = 2, padding = 1 }):view(2, 4 * 3, 3, 11)
  local y = core.attention(q, q, q):view(24, 33)
  y = core.linear(y, randn(70, 33)):silu()
  y:sum():backward()
  print(core.info().isa, y:norm():item(), x.grad:norm():item(), w.grad:norm():item(), b.grad:norm():item())
]]

describe("instruction sets in products, convolution and attention #isas", function()
  it("agree", function()
    local reference
    for _, isa in ipairs(core.info().isas) do
      local ok, output = child.run(work, { env = "LATERNA_ISA=" .. isa })
      assert.is_true(ok, output)
      local name, rest = output:match("^(%S+)%s+(.*)$")
      assert.equal(isa, name)
      local values = {}
      for v in rest:gmatch("%S+") do values[#values + 1] = tonumber(v) end
      assert.equal(4, #values, output)
      reference = reference or values
      for i, v in ipairs(values) do
        assert.is_true(math.abs(v / reference[i] - 1) < 1e-5, ("%s: %s"):format(isa, output))
      end
    end
  end)

  it("are the best that there are, unless one is forced", function()
    local isas = core.info().isas
    local ok, output = child.run(work, { env = "LATERNA_ISA=" })
    assert.is_true(ok, output)
    assert.equal(isas[1], output:match "%S+")
    local here = {}
    for _, isa in ipairs(isas) do here[isa] = true end
    for _, isa in ipairs { "avx2", "avx512", "avx512bf16", "amx", "neon", "neonbf16" } do
      ok, output = child.run(work, { env = "LATERNA_ISA=" .. isa })
      assert.equal(here[isa] or false, ok)
      if not ok then assert.matches("LATERNA_ISA: .*instruction set '" .. isa .. "'", output) end
    end
  end)

  it("are refused where they are unknown", function()
    local ok, output = child.run(work, { env = "LATERNA_ISA=mmx" })
    assert.is_false(ok)
    assert.is_truthy(output:find("LATERNA_ISA: unknown instruction set 'mmx'", 1, true), output)
  end)
end)
