local blob = require "laterna.data.folder.blob"
local fails = require "spec.support.fails"

describe("blob", function()
  it("gives back what it was made of", function()
    local nan = blob.decode(blob.encode(0 / 0))
    assert.is_true(nan ~= nan)
    for _, v in ipairs { "", "a\0\255", 0, -1, math.mininteger, 0.1, -0.0, math.huge, true, false, {},
      { 1, "b", { {} } }, { [3] = "x", y = { z = 1.5 }, [1] = false }, { [1] = 1, [2] = 2, [4] = 4, x = 4 } } do
      local again = blob.decode(blob.encode(v))
      assert.same(v, again)
      assert.equal(math.type(v), math.type(again))
    end
    assert.equal(-math.huge, 1 / blob.decode(blob.encode(-0.0)))
  end)

  it("is the same for the same, whatever the order in which it came", function()
    local a, b = {}, {}
    for i = 1, 50 do a["k" .. i], b["k" .. 51 - i] = i, 51 - i end
    assert.equal(blob.encode(a), blob.encode(b))
  end)

  it("refuses what cannot be kept", function()
    fails("a function cannot be kept", blob.encode, { print })
    fails("a boolean cannot be a key", blob.encode, { [true] = 1 })
    local deep = {}
    for _ = 1, 101 do deep = { deep } end
    fails("deeper than 100", blob.encode, deep)
  end)

  it("takes nothing that it did not write", function()
    local good = blob.encode { "abc", { 1, 2.5, x = { true } }, key = "v" }
    assert.is_table(blob.decode(good))
    for n = 0, #good - 1 do assert.is_nil(blob.decode(good:sub(1, n))) end
    assert.is_nil(blob.decode(good .. "t"))
    assert.is_nil(blob.decode "x")
    assert.is_nil(blob.decode("l\255\255\255\255"))
    assert.is_nil(blob.decode("m\1\0\0\0tt"))
    assert.is_nil(blob.decode(("l\1\0\0\0"):rep(5000) .. "t"))
    for at = 1, #good do
      for _, byte in ipairs { "\0", "\255", "l" } do blob.decode(good:sub(1, at - 1) .. byte .. good:sub(at + 1)) end
    end
  end)
end)
