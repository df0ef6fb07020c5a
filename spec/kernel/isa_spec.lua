-- Every instruction set of this machine gives the same numbers, to rounding. Each runs in a process of its own.
local child = require "spec.support.child"
local core = require "laterna.core"

local script = [[
local core = require "laterna.core"
print(core.info().isa)
core.manual_seed(5)
local function show(t)
  for _, v in ipairs(t:view(-1):totable()) do print(("%.9g"):format(v)) end
end
local x, w, b = core.randn(3, 5, 7, 6), core.randn(6), core.randn(6)
for _, f in ipairs { "exp", "tanh", "sigmoid", "silu", "gelu", "softplus", "erf", "sin", "cos" } do show(core[f](x)) end
show(x:sum(1)); show(x:sum(4)); show(x:sum { 2, 3 }); show(x:var { 1, 2, 3 }); show(x:max(2)); show(x:cumsum(3))
show(x:softmax(4)); show(x:log_softmax(2))
for _, f in ipairs {
  function(v) return core.group_norm(v, 3, w, b) end, function(v) return core.layer_norm(v, w, b) end,
  function(v) return core.rms_norm(v, w) end,
  function(v) return core.batch_norm(v, w, b, nil, nil, { training = true }) end,
} do
  local v = x:clone():requires_grad_()
  local y = f(v)
  show(y)
  y:backward(x)
  show(v.grad)
end
]]

describe("instruction sets #isas", function()
  it("agree", function()
    local function numbers(isa)
      local ok, output = child.run(script, { env = "LATERNA_ISA=" .. isa })
      assert(ok, output)
      local list = {}
      for line in output:gmatch "[^\n]+" do list[#list + 1] = line end
      assert.equal(isa, list[1])
      return list
    end
    local base = numbers "portable"
    for _, isa in ipairs(core.info().isas) do
      local other = numbers(isa)
      assert.equal(#base, #other)
      for i = 2, #base do
        local a, b = tonumber(base[i]), tonumber(other[i])
        assert(math.abs(a - b) <= 2e-5 * math.max(1, math.abs(a)), ("number %d: %s or %s"):format(i, a, b))
      end
    end
  end)

  it("refuse a name that is none", function()
    local ok, output = child.run('require "laterna.core"', { env = "LATERNA_ISA=mmx" })
    assert.is_false(ok)
    assert(output:find("LATERNA_ISA", 1, true), output)
  end)
end)
