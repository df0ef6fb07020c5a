local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local torch = require "spec.support.torch_case"

local function twin(row, log)
  local top, sum, out = -math.huge, 0, {}
  for _, v in ipairs(row) do top = math.max(top, v) end
  for _, v in ipairs(row) do sum = sum + math.exp(v - top) end
  for i, v in ipairs(row) do
    out[i] = log and v - top - math.log(sum) or math.exp(v - top) / sum
  end
  return out
end

describe("softmax", function()
  it("is PyTorch's, with its gradient", function()
    torch.check("softmax", function(x) return core.softmax(x, 2) end, torch.wave(0.7, 2, 5, 3))
    torch.check("log_softmax", function(x) return core.log_softmax(x, 2) end, torch.wave(0.7, 2, 5, 3))
  end)

  it("is right for rows of every length", function()
    core.manual_seed(1)
    for _, n in ipairs { 1, 2, 10, 31, 32, 33, 64, 100, 257, 1000 } do
      local x = core.randn(3, n) * 5
      for i, row in x:rows() do
        close(core.softmax(x)[i], twin(row:totable()))
        close(core.log_softmax(x, -1)[i], twin(row:totable(), true), 4e-6)
      end
    end
  end)

  it("goes along any axis", function()
    local x = core.randn(3, 4, 130, { generator = core.generator(3) })
    for axis = 1, 3 do
      local order = axis == 1 and { 2, 3, 1 } or axis == 2 and { 1, 3, 2 } or { 1, 2, 3 }
      close(x:softmax(axis):permute(table.unpack(order)), x:permute(table.unpack(order)):softmax(3))
      close(x:log_softmax(axis):permute(table.unpack(order)), x:permute(table.unpack(order)):log_softmax(3), 4e-6)
    end
  end)

  it("does not overflow", function()
    close(core.softmax(core.tensor { 1000, 1000, -1000 }), { 0.5, 0.5, 0 })
    close(core.log_softmax(core.tensor { 1000, 0 }), { 0, -1000 })
    close(core.softmax(core.tensor { -math.huge, 0 }), { 0, 1 })
    local y = core.softmax(core.tensor { -math.huge, -math.huge }):totable()
    assert(y[1] ~= y[1] and y[2] ~= y[2])
  end)

  it("passes gradcheck, twice", function()
    core.manual_seed(2)
    for _, case in ipairs { { { 3, 5 }, 2 }, { { 5, 1, 3 }, 1 }, { { 2, 1, 3 }, 2 }, { { 4 }, 1 }, { { 2, 33 }, 2 } } do
      for _, f in ipairs { core.softmax, core.log_softmax } do
        assert(gradcheck.check(function(x) return f(x, case[2]) end, { core.randn(case[1]) }, { second = true }))
      end
    end
  end)

  it("takes empty tensors and refuses wrong ones", function()
    assert.same({ 0, 3 }, core.zeros(0, 3):softmax(2).shape)
    assert.same({ 3, 0 }, core.zeros(3, 0):softmax(2).shape)
    fails("bad argument #2 to 'softmax'", core.softmax, core.ones(2, 3), 3)
    fails("bad argument #1 to 'softmax' (x: ", core.softmax, core.ones(2, { dtype = "int32" }))
  end)
end)
