local core = require "laterna.core"

describe("a tensor's finalizer", function()
  it("cannot free what a function is working on #slow", function()
    local seen = 0
    for _ = 1, 3000 do
      local t = core.ones(3, 3)
      setmetatable({}, { __gc = function()
        seen = seen + 1
        t:free()
        local _ <close> = t
      end })
      assert(#core.encode_png(t) > 50 and (t + t):numel() == 9) -- under a sanitizer: nothing read after it was freed
    end
    collectgarbage()
    assert.equal(3000, seen)
    local t = core.ones(3)
    t:free()
    assert.is_false((pcall(t.sum, t)))
    do local _ <close> = core.ones(3) end
  end)
end)
