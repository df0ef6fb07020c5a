-- Plain values as text, and texts that are refused.

local pack = require "laterna.train.pack"

describe("packed values", function()
  it("come back as they were", function()
    for _, v in ipairs { true, false, 0, -7, math.maxinteger, math.mininteger, 0.1, -2.5e-300, 3.0, "", "a;b}{",
      "\0\255\n", math.huge, -math.huge } do
      local back = pack.decode(pack.encode(v))
      assert.equal(v, back)
      assert.equal(math.type(v), math.type(back))
    end
    assert.is_nil(pack.decode(pack.encode(nil)))
    local nan = pack.decode(pack.encode(0 / 0))
    assert.is_true(nan ~= nan)
    local t = { 1, 2.5, { a = { true }, ["b c"] = "x" }, [10] = false, [true] = 1, [0.5] = 2 }
    assert.same(t, pack.decode(pack.encode(t)))
    assert.equal(pack.encode(t), pack.encode(pack.decode(pack.encode(t))))
  end)

  it("are what JSON can hold", function()
    local all = {}
    for byte = 0, 255 do all[byte + 1] = string.char(byte) end
    assert.is_nil(pack.encode(table.concat(all)):find "[^%w:]")
  end)

  it("refuse what is not plain", function()
    for _, v in ipairs { print, io.stderr, coroutine.create(print), setmetatable({}, {}), { { print } } } do
      assert.has_error(function() pack.encode(v) end)
    end
    local loop = {}
    loop[1] = loop
    assert.error_matches(function() pack.encode(loop) end, "nest deeper than 20")
  end)

  it("refuse text that was cut, repeated or made up", function()
    local whole = pack.encode { a = 1, b = { "text", 2.5, true } }
    for n = 0, #whole - 1 do
      assert.error_matches(function() pack.decode(whole:sub(1, n)) end, "broken text at byte")
    end
    for _, text in ipairs { whole .. "t", "i1.5;", "i;", "i99999999999999999999;", "nzzz;", "s3:61", "s1:zz",
      "s99999999999999999999:", "s-1:", "{i1;}", "{zt}", "{nnan;t}", "{i1;ti1;f}", "x", "{i1;z}", ("{"):rep(100000) } do
      assert.error_matches(function() pack.decode(text) end, "broken text at byte")
    end
  end)
end)
