-- JSON of models' files: strict, and back to the last bit.
local fails = require "spec.support.fails"
local json = require "laterna.model.json"

local function list(...)
  local out = json.list(select("#", ...))
  for i = 1, out.n do out[i] = (select(i, ...)) end
  return out
end

describe("JSON", function()
  it("comes back as it was, to the last bit and kind", function()
    local numbers = list(0.1, 1 / 3, 1e300, 5e-324, -0.0, 1.0, 1, -7, math.maxinteger, math.mininteger, 2 ^ 53, 1e22)
    local value = { numbers = numbers, [""] = "ü \u{1f3a8} \" \\ \n \0 \127 /", yes = true, no = false,
                    nested = list(list(), {}, nil, "x", nil) }
    local text = json.encode(value)
    assert.is_nil(text:find "[%c ]" and text:find "%c")
    local back = json.decode(text)
    assert.same(value, back)
    assert.equal(5, back.nested.n)
    for i = 1, numbers.n do
      assert.equal(math.type(numbers[i]), math.type(back.numbers[i]))
      assert.equal(("%a"):format(numbers[i]), ("%a"):format(back.numbers[i]))
    end
    assert.equal(text, json.encode(back))
  end)

  it("of others is read: white space and escapes", function()
    local expected = { a = list(1, 2.5), ["b/"] = "\u{1f600}é" }
    assert.same(expected, json.decode ' { "a" : [ 1 , 25e-1 ]\n,"b\\/":"\\ud83d\\ude00\\u00E9"} ')
    assert.is_true(json.decode "true")
  end)

  it("is refused with the byte where anything is not as it should be", function()
    local cases = {
      ["a key that is there twice at byte 8"] = '{"a":1,"a":2}', ["nothing more at byte 3"] = "1 2",
      ["',' or ']' at byte 3"] = "[1", ["',' or '}' at byte 7"] = '{"a":1', ["a key at byte 2"] = "{1:2}",
      ["':' at byte 6"] = '{"a" 1}', ["a number at byte 1"] = "nul", ["an integer of 64 bits"] = "9223372036854775808",
      ["a finite number"] = "1e999", ["digits"] = "1.", ["an exponent"] = "1e", ["a value at byte 6"] = '{"a":null}',
      ["the end of a string"] = '"a', ["an escape"] = '"\\x"', ["four hexadecimal digits"] = '"\\u12"',
      ["a pair of surrogates"] = '"\\ud800"', ["not UTF-8"] = '"\255"', ["a number at byte 2"] = "[01]",
    }
    for reason, text in pairs(cases) do fails(reason, json.decode, text) end
    for _, text in ipairs { "", "[,1]", "[1,]", "{,}", '{"a":1,}', "NaN", "Infinity", "+1", ".5", "0x10", "'a'", "tru",
                            "-", '"\n"', "// 1\n1" } do
      assert.is_false((pcall(json.decode, text)), text)
    end
  end)

  it("is refused where it is nested deep, without much ado", function()
    fails("nested deeper than 200", json.decode, ("["):rep(1000000))
    fails("nested deeper than 200", json.decode, ('{"a":'):rep(1000))
    local deep = json.list(0)
    for _ = 1, 300 do deep = list(deep) end
    fails("nested deeper than 200", json.encode, deep)
  end)
end)
