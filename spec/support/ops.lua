-- The table of operations: what gradcheck runs through. One entry a case: name, function, shapes of its inputs (or a
-- function that makes them), and how it is to be checked. Odd shapes, axes of size 1 and broadcasts on purpose.
local core = require "laterna.core"

local function positive(...) return core.rand(...) + 0.5 end
-- Away from kinks at 0: differences across one mean nothing.
local function off_zero(...)
  local x = core.randn(...)
  return x + x:sign() * 0.2
end
local function spread(...) -- every pair of values at least 0.2 apart, in random order
  local n = 1
  local sizes = { ... }
  for _, s in ipairs(sizes) do n = n * s end
  return (core.randperm(n):float() * 0.2 - 0.1 * n):view(table.unpack(sizes))
end

local ops = {}
local function case(name, f, make, options)
  ops[#ops + 1] = { name = name, f = f, make = make, options = options or {} }
end

local function one(make, ...)
  local sizes = { ... }
  return function() return { make(table.unpack(sizes)) } end
end

for _, name in ipairs { "exp", "square", "sin", "cos", "tanh", "sigmoid", "silu", "softplus", "erf", "neg" } do
  case(name, core[name], one(core.randn, 3, 5, 1))
end
for _, name in ipairs { "log", "log1p", "sqrt", "rsqrt", "reciprocal" } do
  case(name, core[name], one(positive, 2, 7), { tolerance = 3e-3, h = 0.01 })
end
for _, name in ipairs { "abs", "relu", "leaky_relu" } do
  case(name, core[name], one(off_zero, 4, 3))
end
case("gelu", core.gelu, one(core.randn, 5, 3))
case("gelu by tanh", function(x) return core.gelu(x, { approximate = "tanh" }) end, one(core.randn, 5, 3))
case("leaky_relu 0.2", function(x) return core.leaky_relu(x, 0.2) end, one(off_zero, 4, 3))
case("leaky_relu -0.5", function(x) return core.leaky_relu(x, -0.5) end, one(off_zero, 4, 3))
case("leaky_relu 0", function(x) return core.leaky_relu(x, 0) * x end, one(off_zero, 4, 3))
case("clamp", function(x) return x:clamp(-0.5, 0.5) end, function() return { core.tensor { -2, -0.8, -0.2, 0.1, 0.3, 0.9 } } end)
case("hold", function(x) return x:hold(-0.5, 0.5) * x end, function() return { core.tensor { -0.4, -0.2, 0.1, 0.3 } } end)
case("pow 3", function(x) return x ^ 3 end, one(core.randn, 2, 3))
case("pow 1.5", function(x) return x ^ 1.5 end, one(positive, 2, 3))
case("add a number", function(x) return x + 2.5 end, one(core.randn, 3))
case("take from a number", function(x) return 2.5 - x end, one(core.randn, 3))
case("multiply by a number", function(x) return x * -2.5 end, one(core.randn, 3))
case("divide a number", function(x) return 1 / x end, one(positive, 3))

local shapes = {
  { { 3, 4 }, { 3, 4 } }, { { 2, 3, 4 }, { 4 } }, { { 2, 1, 4 }, { 3, 1 } }, { {}, { 2, 3 } }, { { 1 }, { 1 } },
  { { 2, 1, 3, 1 }, { 1, 4, 1, 2 } },
}
for _, pair in ipairs(shapes) do
  local text = ("(%s) and (%s)"):format(table.concat(pair[1], ","), table.concat(pair[2], ","))
  local function make(f, g)
    return function() return { f(pair[1]), (g or f)(pair[2]) } end
  end
  local function above(sizes) return core.rand(sizes) + 0.7 end
  case("add " .. text, core.add, make(core.randn))
  case("sub " .. text, core.sub, make(core.randn))
  case("mul " .. text, core.mul, make(core.randn))
  case("div " .. text, core.div, make(core.randn, above))
  case("pow " .. text, core.pow, make(above))
  case("maximum " .. text, core.maximum, make(core.randn, function(s) return core.randn(s) * 2 end), { h = 1e-3, tolerance = 2e-2 })
  case("minimum " .. text, core.minimum, make(core.randn, function(s) return core.randn(s) * 2 end), { h = 1e-3, tolerance = 2e-2 })
end
case("addcmul", core.addcmul, function() return { core.randn(3, 4), core.randn(3, 4), core.randn(3, 4) } end)
case("addcmul, gated", core.addcmul, function() return { core.randn(2, 3, 4), core.randn(2, 1, 4), core.randn(2, 3, 4) } end)
case("addcmul, stretched", core.addcmul, function() return { core.randn(3, 1), core.randn(2, 1, 4), core.randn(1) } end)
case("where", core.where, function()
  return { core.tensor { { 1, 0, 1 } }, core.randn(2, 3), core.randn(2, 1) }
end, { fixed = { true } })

for _, axes in ipairs { "all", 1, 2, 3, { 1, 3 }, { 2, 3 }, { 1, 2 }, -1 } do
  local text = type(axes) == "table" and table.concat(axes, ",") or tostring(axes)
  local given = axes ~= "all" and axes or nil
  for _, keep in ipairs { true, false } do
    local function over(f) return function(x) return (f(x, given, { keepdim = keep })) end end
    local label = (" over %s%s"):format(text, keep and ", kept" or "")
    case("sum" .. label, over(core.sum), one(core.randn, 3, 1, 4))
    case("mean" .. label, over(core.mean), one(core.randn, 2, 3, 4))
    case("max" .. label, over(core.max), one(spread, 2, 3, 2))
    case("min" .. label, over(core.min), one(spread, 2, 3, 2))
  end
  case("var over " .. text, function(x) return core.var(x, given, { correction = 0 }) end, one(core.randn, 2, 3, 4))
  case("prod over " .. text, function(x) return core.prod(x, given) end, one(positive, 2, 2, 2), { tolerance = 3e-3 })
end
case("std", function(x) return x:std(2) end, one(core.randn, 2, 5), { tolerance = 3e-3 })
case("norm", function(x) return x:norm(2) end, one(core.randn, 2, 5), { tolerance = 3e-3 })
case("cumsum", function(x) return x:cumsum(2) end, one(core.randn, 2, 4, 3))

case("view", function(x) return x:view(4, -1) end, one(core.randn, 2, 6))
case("flatten", function(x) return x:flatten(2) end, one(core.randn, 2, 3, 2))
case("permute", function(x) return x:permute(3, 1, 2) end, one(core.randn, 2, 3, 4))
case("transpose", function(x) return x:transpose() end, one(core.randn, 2, 3, 4))
case("narrow leading", function(x) return x:narrow(1, 2, 2) end, one(core.randn, 4, 3))
case("narrow inner", function(x) return x:narrow(2, 2, 2) end, one(core.randn, 2, 4, 3))
case("row", function(x) return x[2] end, one(core.randn, 3, 2))
case("slice", function(x) return x[{ { 2, 3 }, 1, {} }] end, one(core.randn, 3, 2, 2))
case("pad", function(x) return x:pad({ { 0, 1 }, { 2, 0 } }, 3) end, one(core.randn, 2, 3))
case("flip", function(x) return x:flip { 1, 3 } end, one(core.randn, 2, 3, 2))
case("expand", function(x) return x:expand(4, 2, 3) end, one(core.randn, 2, 1))
case("repeat_interleave", function(x) return x:repeat_interleave(3, 2) end, one(core.randn, 2, 3))
case("clone", function(x) return x:clone() end, one(core.randn, 3))
case("cat", function(a, b) return core.cat({ a, b, a }, 2) end, function() return { core.randn(2, 3), core.randn(2, 1) } end)
case("stack", function(a, b) return core.stack({ a, b }, 2) end, function() return { core.randn(2, 3), core.randn(2, 3) } end)
case("chunk", function(x) local a, b = x:chunk(2, 2) return a * b end, one(core.randn, 2, 4))
case("chunk, used twice, one not", function(x) local a, _, c = x:chunk(3, 2) return a * c + a:exp() end, one(core.randn, 2, 6, 2))
case("chunk, joined", function(x) local a, b = (x * 2):chunk(2, -1) return core.cat({ b, a }, -1) * x end, one(core.randn, 3, 4))
case("chunk of rows", function(x) local a, b = x:chunk(2) return a * b end, one(core.randn, 4, 3))
case("split", function(x) local a, b, c = x:split({ 1, 0, 3 }, 3) return a * c * (1 + b:sum()) end, one(core.randn, 2, 1, 4))
case("squeeze", function(x) return x:squeeze():unsqueeze(1) end, one(core.randn, 2, 1, 3))
case("gather", function(x) return x:gather(2, core.tensor({ { 3, 1 }, { 2, 2 } }, { dtype = "int32" })) end, one(core.randn, 2, 3))
case("index_select", function(x) return x:index_select(2, core.tensor({ 3, 1, 3 }, { dtype = "int32" })) end, one(core.randn, 2, 3, 2))
case("sort", function(x) return (x:sort(2)) end, one(spread, 2, 4))

local function regular(n) return core.randn(n, n) + core.eye(n) * 3 end
case("logdet", function(a) return (a:logdet()) end, one(regular, 3), { tolerance = 3e-3 })
case("inverse", core.inverse, one(regular, 3), { tolerance = 3e-3 })
case("solve", core.solve, function() return { regular(3), core.randn(3, 2) } end, { tolerance = 3e-3 })
case("solve a vector", core.solve, function() return { regular(3), core.randn(3) } end, { tolerance = 3e-3 })

return ops
