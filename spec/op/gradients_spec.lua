-- Every operation of the table, first and second order, against central differences.
local core = require "laterna.core"
local gradcheck = require "spec.support.gradcheck"
local ops = require "spec.support.ops"

describe("gradients", function()
  for _, op in ipairs(ops) do
    it(op.name, function()
      core.manual_seed(3)
      local options = { second = true }
      for key, value in pairs(op.options) do options[key] = value end
      assert.is_true(gradcheck.check(op.f, op.make(), options))
    end)
  end

  it("gradcheck sees a wrong gradient", function()
    -- relu at a place where the step crosses its kink: the difference is 1/2, the tape says 0 or 1
    assert.has_error(function() gradcheck.check(core.relu, { core.tensor { 1e-6 } }) end)
    assert.has_error(function()
      gradcheck.check(function(x) return x * x:detach() end, { core.tensor { 1, 2 } })
    end)
  end)
end)
