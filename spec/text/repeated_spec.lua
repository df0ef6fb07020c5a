-- Captions several times over.

local repeated = require("laterna.text").repeated

describe("captions repeated", function()
  it("come n times in a row each, in a list of their own", function()
    assert.same({ "a", "a", "a" }, repeated("a", 3))
    assert.same({ "a", "a", "", "", "b", "b" }, repeated({ "a", "", "b" }, 2))
    local list = { "a", "b" }
    local same = repeated(list, 1)
    assert.same(list, same)
    assert.is_false(rawequal(list, same))
    assert.same({}, repeated({}, 4))
  end)

  it("are refused where they are none", function()
    assert.error_matches(function() repeated() end,
      "bad argument #1 to 'repeated' %(captions: expected string or table, got nil%)")
    assert.error_matches(function() repeated({ "a", 2 }, 1) end, "captions%[2%]: expected string, got 2")
    assert.error_matches(function() repeated("a") end, "argument #2 to 'repeated' %(n: expected integer of at least 1")
    assert.error_matches(function() repeated("a", 0) end, "n: expected integer of at least 1, got 0")
    assert.error_matches(function() repeated("a", 1.5) end, "n: expected integer")
  end)
end)
