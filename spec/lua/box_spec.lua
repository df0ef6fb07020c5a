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

describe("tensors that scripts have dropped", function()
  it("are collected by how much of memory they are, not by how much the tape holds", function()
    local x = core.ones(1 << 21):requires_grad_()
    local y = x
    for _ = 1, 24 do y = y:sin() end -- 192 MB are saved
    for _ = 1, 2 do collectgarbage() end
    local before = core.memory(true)
    assert.is_true(before.saved >= 24 << 23)
    local margin = math.max(32 << 20, 8 * 1024 * math.ceil(collectgarbage "count"))
    for _ = 1, 100 do core.ones(1 << 20) end -- 4 MB each
    local most = core.memory().peak - before.live
    assert.is_true(most < margin + (12 << 20), ("%d MB, margin %d"):format(most >> 20, margin >> 20))
    y:backward(core.ones(1 << 21))
    x:zero_grad()
    y:free()
    assert.is_true(core.memory().saved < before.saved - (20 << 23))
  end)

  it("are collected before backward takes more", function()
    local x = core.ones(1 << 20):requires_grad_()
    for _ = 1, 2 do collectgarbage() end
    local y = (x * 2):sum()
    for _ = 1, 5 do core.ones(1 << 20) end -- 20 MB: no reason yet
    local before = core.memory(true).live
    y:backward()
    local margin = math.max(8 << 20, 2 * 1024 * math.ceil(collectgarbage "count"))
    assert.is_true(core.memory().peak < before + (1 << 20) or margin > 20 << 20)
  end)
end)
