-- The allocator: large blocks are cut from one another and joined again, and nothing is written where something lives.
local core = require "laterna.core"

local MB = 1 << 20

-- A tensor of about `bytes` bytes that holds one value everywhere.
local function filled(bytes, value) return core.full({ bytes // 4 }, value) end

local function settled()
  collectgarbage()
  collectgarbage()
  return core.memory()
end

describe("memory", function()
  it("keeps blocks apart, whatever their sizes and the order in which they go", function()
    local g = core.generator(11)
    local before, held = settled().live, {}
    for round = 1, 600 do
      local pick = g:integer(1, 40)
      if held[pick] then
        local t = held[pick].tensor
        assert.equal(held[pick].value, t:min():item())
        assert.equal(held[pick].value, t:max():item())
        t:free()
        held[pick] = nil
      else
        local bytes = 4 << g:integer(0, 19) -- 4 bytes to 2 MB, and odd lengths
        held[pick] = { tensor = filled(bytes + 4 * g:integer(0, 999), round), value = round }
      end
    end
    for _, h in pairs(held) do
      assert.equal(h.value, h.tensor:min():item())
      assert.equal(h.value, h.tensor:max():item())
      h.tensor:free()
    end
    assert.equal(before, settled().live)
  end)

  it("makes large blocks out of freed neighbours, and small ones out of large #slow", function()
    if os.getenv "LATERNA_SANITIZED" then return pending("nothing is kept under a sanitizer") end
    local parts = {}
    for i = 1, 16 do parts[i] = filled(4 * MB, i) end
    for _, t in ipairs(parts) do t:free() end
    local kept = settled().cached
    assert.is_true(kept >= 64 * MB)
    local whole = filled(40 * MB, 1) -- no freed block was as large
    local left = settled().cached
    assert.is_true(kept - left >= 40 * MB and kept - left < 41 * MB, ("%d -> %d"):format(kept, left))
    whole:free()
    assert.is_true(settled().cached >= kept)
  end)

  it("counts what lives, and remembers the most", function()
    local start = settled()
    core.memory(true)
    local t = filled(32 * MB, 0)
    assert.is_true(core.memory().live - start.live >= 32 * MB)
    t:free()
    local now = settled()
    assert.equal(start.live, now.live)
    assert.is_true(now.peak >= start.live + 32 * MB)
  end)
end)
