-- Every operation of the table at points that generic random ones never meet: zeros, equal values, ties, infinities,
-- subnormals, values whose squares overflow. What holds at all of them:
--
--   the fused backward and the one made of recorded operations give the same, NaN and infinity included;
--   where inputs and results are finite no gradient is NaN, nor is a second one where the first is finite;
--   where an operation is smooth, central differences say the same as the tape, twice.
local core = require "laterna.core"
local gradcheck = require "spec.support.gradcheck"
local ops = require "spec.support.ops"

local INF <const> = math.huge

-- Values by place, of inputs of any shape.
local points = {
  zeros = function() return 0 end,
  ["a zero"] = function(i) return i == 2 and 0 or 0.5 + 0.1 * i end,
  ["two zeros"] = function(i) return (i == 1 or i == 2) and 0 or 0.5 + 0.1 * i end,
  ["equal values"] = function() return 0.5 end,
  ties = function(i) return i % 2 == 0 and 0.25 or 0.75 end,
  ["an infinity"] = function(i) return i == 1 and INF or 0.5 end,
  ["a minus infinity"] = function(i) return i == 1 and -INF or 0.5 end,
  infinities = function(i) return i % 2 == 0 and INF or -INF end,
  subnormals = function(i) return (i % 3 - 1) * 2.0 ^ -140 end,
  ["large squares"] = function(i) return (i % 5 - 2) * 2.0 ^ 67 end,
}

-- Where central differences mean nothing: a kink, a pole, a root, or the border of the domain at these points.
local ROUGH = {}
for word in ("abs relu leaky_relu clamp hold maximum minimum max min sort norm std log sqrt rsqrt reciprocal div "
  .. "divide pow logdet inverse solve"):gmatch "%S+" do ROUGH[word] = true end

-- Operations that the table leaves to specs of their own.
local more = {}
local function add(name, f, ...)
  local shape = { ... }
  more[#more + 1] = { name = name, f = f, options = {}, make = function() return { core.zeros(shape) } end }
end
local row = core.tensor { 1, 2, 4, 3 }
add("layer_norm", function(x) return core.layer_norm(x) end, 3, 4)
add("rms_norm", function(x) return core.rms_norm(x) end, 3, 4)
add("group_norm", function(x) return core.group_norm(x, 2) end, 2, 3, 4)
add("batch_norm", function(x)
  return core.batch_norm(x, row, nil, nil, nil, { training = true, activation = "silu" })
end, 5, 4)
add("softmax", function(x) return x:softmax() end, 3, 4)
add("softmax of columns", function(x) return x:softmax(1) end, 3, 4)
add("log_softmax", function(x) return x:log_softmax() end, 3, 4)
add("mse_loss", function(x) return core.mse_loss(x, core.ones(3)) end, 3)
add("l1_loss", function(x) return core.l1_loss(x, core.full({ 3 }, 7)) end, 3)
add("cross_entropy", function(x) return core.cross_entropy(x, core.tensor({ 1, 4 }, { dtype = "int32" })) end, 2, 4)
add("max_pool2d", function(x) return core.max_pool2d(x, 2) * 2 end, 1, 4, 4, 1)

local cases = {}
for _, list in ipairs { ops, more } do
  for _, op in ipairs(list) do cases[#cases + 1] = op end
end

-- op's inputs with every element of those that are differentiated at the points; the differentiated ones.
local function inputs_at(op, value)
  local inputs, leaves = op.make(), {}
  for k, x in ipairs(inputs) do
    if not (op.options.fixed and op.options.fixed[k]) then
      local list = {}
      for i = 1, x:numel() do list[i] = value(i) end
      inputs[k] = core.tensor(list):view(x.shape):requires_grad_(true)
      leaves[#leaves + 1] = inputs[k]
    end
  end
  return inputs, leaves
end

local function flat(t) return t and t:detach():view(-1):totable() or {} end

local function count(list, is)
  local n = 0
  for _, v in ipairs(list) do n = n + (is(v) and 1 or 0) end
  return n
end
local function is_nan(v) return v ~= v end
local function not_finite(v) return v ~= v or v == INF or v == -INF end

local function finite(tensors)
  for _, t in pairs(tensors) do
    if count(flat(t), not_finite) > 0 then return false end
  end
  return true
end

local function same(what, a, b)
  a, b = flat(a), flat(b)
  for i = 1, math.max(#a, #b) do
    local x, y = a[i] or 0, b[i] or 0
    local equal = x == y or x ~= x and y ~= y or math.abs(x - y) <= 1e-4 * math.max(1e-3, math.abs(x))
    assert.is_true(equal, ("%s: element %d: fused %g, recorded %g"):format(what, i, x, y))
  end
end

local function no_nan(what, tensors)
  for i, t in pairs(tensors) do
    assert.equal(0, count(flat(t), is_nan), ("%s: input %d has a NaN: %s"):format(what, i, tostring(t)))
  end
end

-- The second gradients through every first one that is recorded.
local function second(grads, leaves)
  local total
  for _, g in pairs(grads) do
    if g.requires_grad then
      local part = (g * core.randn(g.shape, { generator = core.generator(4) })):sum()
      total = total and total + part or part
    end
  end
  return total and core.grad(total, leaves) or {}
end

-- Where NaN is right, by operation and point (or all of them). pow: log of a negative number, and infinities of both
-- signs that broadcasting adds up. Lengths: the second derivative at a subnormal is 1 / |x|, which is no float.
local NAN_IS_RIGHT = {
  pow = { all = true }, norm = { subnormals = true }, std = { subnormals = true },
}

local function nan_is_right(op, point)
  local at = NAN_IS_RIGHT[op.name:match "^[%w_]+"]
  return at and (at.all or at[point])
end

local function refused(err) -- as a matrix without an inverse is
  return tostring(err):find "the matrix is singular" or tostring(err):find "its values are not all finite"
end

local function try(op, point, value)
  local inputs, leaves = inputs_at(op, value)
  local y = op.f(table.unpack(inputs))
  local dy = core.randn(y.shape, { generator = core.generator(3) })
  local fused = core.grad(y, leaves, { grad_output = dy, retain_graph = true })
  local recorded = core.grad(y, leaves, { grad_output = dy, create_graph = true })
  for i = 1, #leaves do same("gradient " .. i, fused[i], recorded[i]) end
  if nan_is_right(op, point) or not (finite(leaves) and finite { y }) then return end
  no_nan("first", fused)
  if finite(recorded) then no_nan("second", second(recorded, leaves)) end
end

describe("hostile points", function()
  for _, op in ipairs(cases) do
    it("of " .. op.name, function()
      for name, value in pairs(points) do
        local ok, err = pcall(try, op, name, value)
        assert.is_true(ok or refused(err) ~= nil, ("at %s: %s"):format(name, tostring(err)))
      end
    end)
  end

  for _, op in ipairs(ops) do
    if not ROUGH[op.name:match "^[%w_]+"] then
      it("by differences #slow, of " .. op.name, function()
        for _, name in ipairs { "zeros", "a zero", "two zeros", "equal values", "ties" } do
          local options = { second = true }
          for key, v in pairs(op.options) do options[key] = v end
          local ok, err = pcall(gradcheck.check, op.f, (inputs_at(op, points[name])), options)
          assert.is_true(ok, ("at %s: %s"):format(name, tostring(err)))
        end
      end)
    end
  end
end)
