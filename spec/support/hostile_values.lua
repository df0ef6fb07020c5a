-- Every kind of value that a script may pass by mistake or in malice. A list of {name, make}: made anew for each call,
-- because some functions change or free what they are given.

local core = require "laterna.core"

local values = {}

local function add(name, make)
  if type(make) ~= "function" then
    local constant = make
    make = function() return constant end
  end
  values[#values + 1] = { name = name, make = make }
end

add("nil", nil)
add("true", true)
add("false", false)
for name, n in pairs{
  ["0"] = 0, ["-1"] = -1, ["1"] = 1, ["2"] = 2, ["7"] = 7, ["0.5"] = 0.5, ["3.0"] = 3.0, ["2^31"] = 1 << 31,
  ["2^32+1"] = (1 << 32) + 1, ["2.0^53"] = 2.0 ^ 53, ["maxinteger"] = math.maxinteger,
  ["mininteger"] = math.mininteger, ["NaN"] = 0 / 0, ["inf"] = 1 / 0, ["-inf"] = -1 / 0, ["1e300"] = 1e300,
  ["1e-300"] = 1e-300,
} do add(name, n) end
for name, s in pairs{
  ["empty string"] = "", ["'1'"] = "1", ["'abc'"] = "abc", ["'a\\0b'"] = "a\0b", ["bytes"] = "\xff\xfe\x00\x80",
  ["format"] = "%s%n%d", ["long string"] = ("x"):rep(100000), ["absent path"] = "/absent/folder/file",
} do add(name, s) end

add("{}", function() return {} end)
add("{2,3}", function() return { 2, 3 } end)
add("{1,'a'}", function() return { 1, "a" } end)
add("{-1,0}", function() return { -1, 0 } end)
add("{0,3}", function() return { 0, 3 } end)
add("{2^31,2^31}", function() return { 1 << 31, 1 << 31 } end)
add("{maxinteger,2}", function() return { math.maxinteger, 2 } end)
add("{NaN,inf}", function() return { 0 / 0, 1 / 0 } end)
add("{{}}", function() return { {} } end)
add("{{1,2},{3}}", function() return { { 1, 2 }, { 3 } } end)
add("holes", function() return { 1, nil, 3, n = 3, [1 << 40] = 1 } end)
add("strings", function() return { "a", "", "b" } end)
add("odd keys", function() return { [true] = 1, [0.5] = 2, [{}] = 3, dtype = "float64", axis = 0 / 0, x = print } end)
add("nine axes", function() return { 1, 1, 1, 1, 1, 1, 1, 1, 1 } end)
add("deep table", function()
  local t = {}
  for _ = 1, 20000 do t = { t } end
  return t
end)
add("cyclic table", function()
  local t = {}
  t[1], t.x = t, t
  return t
end)
add("table that lies", function()
  return setmetatable({}, {
    __len = function() return 1 << 40 end,
    __index = function() error "hostile metamethod" end,
    __pairs = function() error "hostile metamethod" end,
    __name = "laterna.Tensor",
  })
end)
add("table of odd length", function() return setmetatable({ 1 }, { __len = function() return "x" end }) end)
add("function", function() return function() end end)
add("failing function", function() return function() error "hostile function" end end)
add("yielding function", function() return coroutine.yield end)
add("coroutine", function() return coroutine.create(function() end) end)
add("file", function() return io.stdout end)

local function tensor(name, make) add(name, make) end
tensor("freed tensor", function()
  local t = core.ones(2, 3)
  t:free()
  return t
end)
tensor("(2,3)", function() return core.ones(2, 3) end)
tensor("(2,3) with gradient", function() return core.ones(2, 3, { requires_grad = true }) end)
tensor("result", function() return core.ones(2, 3, { requires_grad = true }) * 2 end)
tensor("(0,3)", function() return core.zeros(0, 3) end)
tensor("(0)", function() return core.zeros(0) end)
tensor("empty (0,2^40)", function() return core.zeros(0, 1 << 40) end)
tensor("empty (2^40,0)", function() return core.zeros(1 << 40, 0) end)
tensor("empty (0,0,3)", function() return core.zeros(0, 0, 3) end)
tensor("scalar", function() return core.tensor(1) end)
tensor("(1,1,1,1,1)", function() return core.ones(1, 1, 1, 1, 1) end)
tensor("(2,4,4,3)", function() return core.ones(2, 4, 4, 3) end)
tensor("(4,4)", function() return core.ones(4, 4) end)
tensor("NaN tensor", function() return core.full({ 2, 3 }, 0 / 0) end)
tensor("uint8 (2,3)", function() return core.zeros(2, 3, { dtype = "uint8" }) end)
tensor("uint8 (4,4,3)", function() return core.zeros(4, 4, 3, { dtype = "uint8" }) end)
tensor("int32 (2)", function() return core.tensor({ 1, 2 }, { dtype = "int32" }) end)
tensor("int32 out of range", function()
  return core.tensor({ 0, -5, (1 << 31) - 1, -(1 << 31) }, { dtype = "int32" })
end)
tensor("int32 (0)", function() return core.zeros(0, { dtype = "int32" }) end)
tensor("generator", function() return core.generator(1) end)
add("{tensor}", function() return { core.ones(2, 3) } end)
add("{tensor, freed}", function()
  local t = core.ones(2, 3)
  t:free()
  return { core.ones(2, 3), t }
end)
add("{int32, 'a'}", function() return { core.zeros(2, { dtype = "int32" }), "a" } end)
add("{name = tensor}", function() return { a = core.ones(2), [""] = core.ones(0), [1] = core.ones(1) } end)

return values
