-- Code without its text: whether it calls what it reads under a name.
local bytecode = require "laterna.bytecode"

local function calls(text, name)
  return bytecode.calls(assert(load("local x, y, z = ... " .. text, "=stdin")), name or "foo")
end

describe("compiled code", function()
  it("calls what it reads, as a method or as a field", function()
    for _, text in ipairs { "x:foo()", "x.foo()", "x:foo(1, y, { 2 })", "x.foo(x, y.bar, 'text')", "return x:foo()",
      "return x.foo()", "y = z(x:foo())", "x:foo():bar()", "if x:foo() then y() end", "for _ in x.foo(y) do end",
      "local a <const> = 1.5 x:foo(a, 1 << 40, nil, true, ('x'):rep(3))", "x:foo() x:foo()" } do
      assert.is_true(calls(text), text)
    end
  end)

  it("only reads, or reads before it calls", function()
    for _, text in ipairs { "return x.foo", "if x.foo then x:foo() end", "x.foo = 1", "y(x.foo)", "return x.foo.bar",
      "return x.foo and x.foo()", "local f = x.foo f()", "x:bar()", "x['f' .. 'oo']()", "local foo = x foo()", "",
      "return function() x:foo() end" } do
      assert.is_false(calls(text), text)
    end
  end)

  it("of a function within another is its own", function()
    local inner = assert(load("return function(x) x:foo() end", "=stdin"))()
    assert.is_true(bytecode.calls(inner, "foo"))
    assert.is_false(bytecode.calls(inner, "bar"))
  end)

  it("of long texts, many constants and stripped functions is read too", function()
    local list = {}
    for i = 1, 200 do list[i] = ("y.k%d = %d.5"):format(i, i) end
    assert.is_true(calls("x:foo(('" .. ("long"):rep(50) .. "'):len())"))
    assert.is_true(calls("x:foo() " .. table.concat(list, " ")))
    local f = assert(load("local x = ... x:foo()", "=stdin"))
    assert.is_true(bytecode.calls(assert(load(string.dump(f, true))), "foo"))
  end)

  it("in C is not known", function()
    assert.is_false(bytecode.calls(print, "foo"))
    assert.is_false(bytecode.calls(nil, "foo"))
  end)
end)
