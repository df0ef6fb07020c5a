-- Gradients where a formula divides by its input or its output: at 0, at equal values, at ties and bounds, beside
-- infinity. What is right is worked out by hand from the product rule, or is the subgradient that PyTorch takes
-- (FunctionsManual.cpp and derivatives.yaml of PyTorch 2: norm_backward, std_backward, prod_backward, pow_backward,
-- threshold_backward, clamp_backward, maximum, evenly_distribute_backward).
local core = require "laterna.core"

local INF <const>, NAN <const> = math.huge, 0 / 0
local TINY <const> = 2.0 ^ -140 -- a subnormal

local function flat(t) return t:detach():view(-1):totable() end

-- Equal up to rounding; infinities and NaN exactly.
local function same(what, want, got)
  assert.equal(#want, #got, what)
  for i, v in ipairs(want) do
    local g = got[i]
    local equal = v == g or v ~= v and g ~= g or math.abs(v - g) <= 1e-6 * math.max(1, math.abs(v))
    assert.is_true(equal, ("%s: element %d: expected %g, got %g"):format(what, i, v, g))
  end
end

local function leaf(v) return core.tensor(v):requires_grad_(true) end

-- d sum f(x) / dx, and that of its sum.
local function first(f, v, create_graph)
  local x = leaf(v)
  return core.grad(f(x):sum(), { x }, { create_graph = create_graph })[1], x
end

local function second(f, v)
  local g, x = first(f, v, true)
  return g.requires_grad and core.grad(g:sum(), { x })[1]
end

local function gradient_is(what, f, v, want)
  for _, create_graph in ipairs { false, true } do
    same(what .. (create_graph and ", recorded" or ""), want, flat((first(f, v, create_graph))))
  end
end

local function second_is(what, f, v, want)
  same(what .. ", second", want, flat(assert(second(f, v), what .. ": the gradient is not recorded")))
end

describe("the gradient at zero", function()
  it("of norm and std is 0, also twice", function()
    local norms = {
      norm = function(x) return x:norm() end,
      ["norm over an axis"] = function(x) return x:view(1, -1):norm(2) end,
      ["norm over columns"] = function(x) return x:view(-1, 1):norm(1) end,
      ["norm, kept"] = function(x) return x:view(1, -1, 1):norm({ 1, 3 }, { keepdim = true }) end,
      std = function(x) return x:std() end,
      ["std, biased"] = function(x) return x:std(1, { correction = 0 }) end,
      ["std over distant axes"] = function(x) return x:view(1, -1, 1):std({ 1, 2, 3 }) end,
    }
    for name, f in pairs(norms) do
      gradient_is(name, f, { 0, 0, 0 }, { 0, 0, 0 })
      second_is(name, f, { 0, 0, 0 }, { 0, 0, 0 })
    end
    gradient_is("std of equal values", norms.std, { 1, 1, 1 }, { 0, 0, 0 })
    gradient_is("some rows of nothing", function(x) return x:view(2, 2):norm(2) end, { 0, 0, 3, 4 }, { 0, 0, 0.6, 0.8 })
    gradient_is("the norm of one value", norms.norm, { -2 }, { -1 })
    gradient_is("the norm of subnormals", norms.norm, { TINY, 0 }, { 1, 0 })
    gradient_is("the norm of infinity", norms.norm, { INF, 1 }, { NAN, 0 })
    gradient_is("the std of one value", norms.std, { 3 }, { NAN })
  end)

  it("of prod is the product rule's, twice", function()
    local function prod(x) return x:prod() end
    for _, case in ipairs {
      { { 0, 2, 3 }, { 6, 0, 0 }, { 5, 3, 2 } },
      { { 2, 0, 3 }, { 0, 6, 0 }, { 3, 5, 2 } },
      { { 0, 0, 3 }, { 0, 0, 0 }, { 3, 3, 0 } },
      { { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 } },
      { { 2, 3, 4 }, { 12, 8, 6 }, { 7, 6, 5 } },
      { { 0, 5 }, { 5, 0 }, { 1, 1 } },
      { { 0 }, { 1 }, { 0 } },
      { { -0.0, -2, 3 }, { -6, 0, 0 }, { 1, 3, -2 } },
      { { 2.0 ^ -100, 2.0 ^ 100, 2.0 ^ 100 }, { INF, 1, 1 } },
    } do
      gradient_is("prod", prod, case[1], case[2])
      if case[3] then second_is("prod", prod, case[1], case[3]) end
    end
    gradient_is("prod of columns", function(x) return x:view(3, 2):prod(1) end, { 0, 1, 2, 0, 3, 0 },
                { 6, 0, 0, 0, 0, 0 })
    gradient_is("prod of distant axes", function(x) return x:view(2, 1, 2, 2):prod { 1, 4 } end,
                { 0, 2, 3, 4, 5, 6, 0, 0 }, { 60, 0, 0, 0, 0, 0, 0, 0 })
  end)

  it("of prod is that of a product written out, on longer lines and with every number of zeros #slow", function()
    core.manual_seed(2)
    for zeros = 0, 3 do
      for _, shape in ipairs { { 2, 7, 1 }, { 1, 5, 3 }, { 3, 12, 2 } } do
        local values = core.randn(shape)
        for i = 1, zeros do values:view(-1)[i] = 0 end
        local dy = core.randn(shape[1], shape[3])
        local function twice(f)
          local x = values:clone():requires_grad_(true)
          local g = core.grad((f(x) * dy):sum(), { x }, { create_graph = true })[1]
          return g, core.grad((g * values:cos()):sum(), { x })[1]
        end
        local g, h = twice(function(x) return x:prod(2) end)
        local own_g, own_h = twice(function(x)
          local p = x:narrow(2, 1, 1)
          for i = 2, shape[2] do p = p * x:narrow(2, i, 1) end
          return p:squeeze(2)
        end)
        assert.is_true((g - own_g):abs():max():item() < 1e-5)
        assert.is_true((h - own_h):abs():max():item() < 1e-4)
      end
    end
  end)

  it("of var is exact where values are equal", function()
    local function var(x) return (x:var() * x):sum() end
    gradient_is("var", function(x) return x:var() end, { 2, 2, 2 }, { 0, 0, 0 })
    gradient_is("var of two", function(x) return x:var() end, { 1, 3 }, { -2, 2 })
    second_is("var times x", var, { 2, 2 }, { 0, 0 })
    gradient_is("var of one value", function(x) return x:var() end, { 3 }, { NAN })
    same("var of nothing", { NAN }, flat(core.zeros(0):var()))
    same("std of nothing", { NAN }, flat(core.zeros(0):std()))
  end)

  it("of powers is PyTorch's", function()
    for _, case in ipairs {
      { 0.5, 0, INF }, { 1, 0, 1 }, { 2, 0, 0 }, { 3, 0, 0 }, { 0, 0, 0 }, { -1, 0, -INF }, { 2, -3, -6 }, { 0, 5, 0 },
    } do
      local b, a, want = table.unpack(case)
      gradient_is("x ^ " .. b, function(x) return x ^ b end, { a }, { want })
      gradient_is("pow by a tensor " .. b, function(x) return core.pow(x, core.tensor { b }) end, { a }, { want })
    end
    local function exponent(a) return function(b) return core.pow(core.tensor { a }, b) end end
    gradient_is("0 ^ b, b > 0", exponent(0), { 2 }, { 0 })
    gradient_is("0 ^ 0", exponent(0), { 0 }, { 0 })
    gradient_is("0 ^ b, b < 0", exponent(0), { -1 }, { -INF })
    gradient_is("1 ^ b", exponent(1), { 2 }, { 0 })
  end)

  it("of roots and logarithms is infinite, as in PyTorch", function()
    gradient_is("sqrt", core.sqrt, { 0, 4, INF }, { INF, 0.25, 0 })
    gradient_is("rsqrt", core.rsqrt, { 0, 4, INF }, { -INF, -0.0625, 0 })
    gradient_is("log", core.log, { 0, 4, INF }, { INF, 0.25, 0 })
    gradient_is("log1p", core.log1p, { -1, 0 }, { INF, 1 })
    gradient_is("reciprocal", core.reciprocal, { 0, 2, INF }, { -INF, -0.25, 0 })
    gradient_is("division", function(x) return 1 / x end, { 0, 2, -INF }, { -INF, -0.25, 0 })
    gradient_is("division by a tensor", function(x) return core.ones(3) / x end, { 0, 2, -INF }, { -INF, -0.25, 0 })
  end)

  it("ends at a closed gate, however steep what follows is", function()
    gradient_is("sqrt of relu", function(x) return x:relu():sqrt() end, { -1, 0, 4 }, { 0, 0, 0.25 })
    gradient_is("sqrt of clamp", function(x) return x:clamp(0, 9):sqrt() end, { -1, 0, 4, 16 }, { 0, INF, 0.25, 0 })
    gradient_is("sqrt of maximum", function(x) return core.maximum(x, core.zeros(3)):sqrt() end, { -1, 0, 4 },
                { 0, INF, 0.25 })
    gradient_is("sqrt of minimum", function(x) return core.minimum(x, core.zeros(2)):sqrt() end, { 1, 2 }, { 0, 0 })
    gradient_is("sqrt of max", function(x) return x:max():sqrt() end, { -1, 0, -2 }, { 0, INF, 0 })
    gradient_is("sqrt of max over an axis", function(x) return (x:view(3, 1):max(1)):sqrt() end, { -1, 0, -2 },
                { 0, INF, 0 })
    local zero = core.tensor(0)
    gradient_is("sqrt of where", function(x) return core.where(core.gt(x, zero), x, zero):sqrt() end, { -1, 4 },
                { 0, 0.25 })
    gradient_is("log of leaky relu", function(x) return core.leaky_relu(x, 0.5):log() end, { 4 }, { 0.25 })
  end)

  it("is shared by ties and passes at a bound", function()
    gradient_is("max", function(x) return x:max() end, { 2, 2, 1, 2 }, { 1 / 3, 1 / 3, 0, 1 / 3 })
    gradient_is("min over an axis", function(x) return (x:view(2, 2):min(2)) end, { 0, 0, 5, 1 }, { 0.5, 0.5, 0, 1 })
    gradient_is("max of infinities", function(x) return x:max() end, { INF, 1, INF }, { 0.5, 0, 0.5 })
    gradient_is("max of minus infinities", function(x) return x:max() end, { -INF, -INF }, { 0.5, 0.5 })
    gradient_is("maximum", function(x) return core.maximum(x, core.tensor { 1, 0, 0 }) end, { 1, 1, -1 }, { 0.5, 1, 0 })
    gradient_is("clamp", function(x) return x:clamp(-1, 1) end, { -1, 1, -2, 2, 0, INF }, { 1, 1, 0, 0, 1, 0 })
    gradient_is("abs", core.abs, { 0, -0.0, TINY, -TINY, -INF }, { 0, 0, 1, -1, -1 })
    gradient_is("relu", core.relu, { 0, -0.0, TINY, INF, -INF }, { 0, 0, 1, 1, 0 })
    gradient_is("leaky_relu", function(x) return core.leaky_relu(x, 0.5) end, { 0, TINY, -TINY }, { 0.5, 1, 0.5 })
    gradient_is("sort", function(x) return (x:sort(1)) * core.tensor { 1, 2, 3 } end, { 1, 1, 0 }, { 2, 3, 1 })
  end)

  it("of softmax and its like beside infinity is finite where PyTorch's is", function()
    gradient_is("softmax", function(x) return x:softmax() * core.tensor { 1, 2, 4 } end, { 0, -INF, 0 },
                { -0.75, 0, 0.75 })
    gradient_is("log_softmax", function(x) return x:log_softmax():narrow(1, 1, 1) end, { 0, -INF, 0 }, { 0.5, 0, -0.5 })
    local label = core.tensor({ 1 }, { dtype = "int32" })
    gradient_is("cross_entropy", function(x) return core.cross_entropy(x:view(1, 3), label) end, { 0, -INF, 0 },
                { -0.5, 0, 0.5 })
    for name, f in pairs { softmax = core.softmax, log_softmax = core.log_softmax } do
      same(name, { NAN, NAN }, flat(f(core.tensor { -INF, -INF })))
    end
    for _, f in ipairs { core.sigmoid, core.tanh, core.silu, core.gelu, core.softplus, core.erf, core.exp } do
      for _, v in ipairs(flat((first(f, { -INF, INF, 0, TINY }, true)))) do assert.equal(v, v) end
    end
  end)
end)
