local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local golden = require "spec.golden.norm_torch"
local gradcheck = require "spec.support.gradcheck"
local torch = require "spec.support.torch_case"

local function wbx()
  return torch.wave(0.7, 2, 3, 1, 6), torch.wave(1.3, 6), torch.wave(2.1, 6)
end

describe("norms", function()
  it("are PyTorch's, with their gradients", function()
    torch.check("group_norm", function(x, w, b) return core.group_norm(x, 3, w, b) end, wbx())
    torch.check("layer_norm", core.layer_norm, wbx())
    local mean, var = core.full({ 6 }, 0.25), core.full({ 6 }, 2)
    torch.check("batch_norm", function(x, w, b)
      return core.batch_norm(x, w, b, mean, var, { training = true })
    end, wbx())
    close(mean, golden.running.mean)
    close(var, golden.running.var)
    torch.check("batch_norm eval", function(x, w, b) return core.batch_norm(x, w, b, mean, var) end, wbx())
    local x, w, b = wbx() -- without a tape it is another kernel
    close(core.batch_norm(x, w, b, mean, var), golden["batch_norm eval"].y)
  end)

  it("agree with their formulas on large and odd shapes", function()
    core.manual_seed(4)
    local eps = 1e-5
    local shapes = { { 2, 17, 19, 3 }, { 3, 5, 1 }, { 1, 300, 64 }, { 2, 9, 130 }, { 5, 257 }, { 3, 70, 40, 2 } }
    for _, shape in ipairs(shapes) do
      local c = shape[#shape]
      local x, w, b = core.randn(shape) * 3 + 2, core.randn(c), core.randn(c)
      for _, groups in ipairs { 1, c } do
        local v = x:view(shape[1], -1, groups, c // groups)
        local d = v - v:mean({ 2, 4 }, { keepdim = true })
        local y = d * (d:square():mean({ 2, 4 }, { keepdim = true }) + eps):rsqrt()
        close(core.group_norm(x, groups, w, b), y:view(shape) * w + b, 2e-5)
      end
      local d = x - x:mean(-1, { keepdim = true })
      local y = d * (d:square():mean(-1, { keepdim = true }) + eps):rsqrt()
      close(core.layer_norm(x), y, 2e-5)
      close(core.layer_norm(x, w, b), y * w + b, 2e-5)
      close(core.rms_norm(x, w), x * (x:square():mean(-1, { keepdim = true }) + 1e-6):rsqrt() * w, 2e-5)
    end
  end)

  it("keep their precision far from zero", function()
    local x = core.randn(4, 50, 8, { generator = core.generator(9) })
    local far = x + 1000
    local exact = far - 1000 -- what is left of x after rounding
    for _, f in ipairs {
      function(v) return core.group_norm(v, 2) end,
      function(v) return core.layer_norm(v) end,
      function(v) return core.batch_norm(v, nil, nil, nil, nil, { training = true }) end,
    } do
      close(f(far), f(exact), 2e-4)
    end
  end)

  it("pass gradcheck, twice", function()
    core.manual_seed(5)
    local o = { second = true, tolerance = 3e-3, second_tolerance = 1.5e-2 }
    for _, shape in ipairs { { 2, 3, 2, 4 }, { 1, 1, 1, 4 }, { 3, 4 }, { 2, 2, 1, 2, 4 } } do
      local function inputs() return { core.randn(shape), core.randn(4), core.randn(4) } end
      assert(gradcheck.check(function(x, w, b) return core.group_norm(x, 2, w, b) end, inputs(), o))
      assert(gradcheck.check(function(x) return core.group_norm(x, 1) end, { core.randn(shape) }, o))
      assert(gradcheck.check(core.layer_norm, inputs(), o))
      local function two() return { core.randn(shape), core.randn(4) } end
      assert(gradcheck.check(function(x, b) return core.layer_norm(x, nil, b) end, two(), o))
      assert(gradcheck.check(core.rms_norm, two(), o))
      assert(gradcheck.check(function(x) return core.rms_norm(x) end, { core.randn(shape) }, o))
    end
    for _, shape in ipairs { { 3, 2, 1, 4 }, { 5, 4 }, { 5, 4, 1 } } do
      local c = shape[#shape]
      local function inputs() return { core.randn(shape), core.randn(c), core.randn(c) } end
      assert(gradcheck.check(function(x, w, b)
        return core.batch_norm(x, w, b, nil, nil, { training = true })
      end, inputs(), o))
      local mean, var = core.randn(c), core.rand(c) + 0.5
      assert(gradcheck.check(function(x, w, b) return core.batch_norm(x, w, b, mean, var) end, inputs(), o))
    end
  end)

  it("give gradients on shapes that are cut into pieces", function()
    -- the sum over everything of a normalised x does not change with x; with weights the gradient is the formula's
    core.manual_seed(6)
    local x, dy = core.randn(2, 600, 48):requires_grad_(), core.randn(2, 600, 48)
    local w = core.randn(48):requires_grad_()
    core.group_norm(x, 4, w):backward(dy)
    local composed = core.grad(core.group_norm(x, 4, w), { x, w }, { grad_output = dy, create_graph = true })
    close(x.grad, composed[1], 1e-4)
    close(w.grad, composed[2], 1e-4)
    local v, u = core.randn(3000, 40):requires_grad_(), core.randn(40):requires_grad_()
    local g = core.randn(3000, 40)
    core.layer_norm(v, u):backward(g)
    composed = core.grad(core.layer_norm(v, u), { v, u }, { grad_output = g, create_graph = true })
    close(v.grad, composed[1], 1e-4)
    close(u.grad, composed[2], 1e-4)
  end)

  it("give the same bits on one thread and on two", function()
    local before = core.threads()
    local function bits()
      core.manual_seed(7)
      local x, w = core.randn(3, 40, 40, 24):requires_grad_(), core.randn(24):requires_grad_()
      local out = {}
      for _, f in ipairs {
        function() return core.group_norm(x, 6, w) end, function() return core.layer_norm(x, w) end,
        function() return core.batch_norm(x, w, nil, nil, nil, { training = true }) end,
        function() return x:softmax(2) end, function() return core.mse_loss(x, x:detach() * 2) end,
        function() return x:sum { 1, 2, 3 } end, function() return x:sum() end, function() return x:var { 1, 3 } end,
      } do
        local y = f()
        local g = core.grad(y, { x }, { grad_output = y:detach() })
        out[#out + 1] = y:detach():to_string() .. g[1]:to_string()
      end
      return table.concat(out)
    end
    core.threads(1)
    local one = bits()
    core.threads(2)
    local two = bits()
    core.threads(before)
    assert(one == two, "the bits differ")
  end)

  it("let NaN be seen", function()
    local x = core.ones(2, 3, 4)
    x[2]:fill_(0 / 0)
    local y = core.group_norm(x, 2):sum { 2, 3 }:totable()
    assert(y[1] == 0 and y[2] ~= y[2])
    y = core.layer_norm(x):sum { 2, 3 }:totable()
    assert(y[1] == 0 and y[2] ~= y[2])
  end)

  it("take empty batches", function()
    local w = core.ones(4):requires_grad_()
    core.group_norm(core.zeros(0, 3, 4), 2, w):sum():backward()
    assert.same({ 0, 0, 0, 0 }, w.grad:totable())
    assert.same({ 0, 4 }, core.layer_norm(core.zeros(0, 4)).shape)
    assert.same({ 3, 0 }, core.rms_norm(core.zeros(3, 0)).shape)
  end)

  it("refuse what does not fit", function()
    local x = core.ones(2, 3, 6)
    fails("bad argument #2 to 'group_norm' (groups: 4 does not divide 6 channels)", core.group_norm, x, 4)
    fails("bad argument #2 to 'group_norm' (groups: ", core.group_norm, x, 0)
    fails("bad argument #3 to 'group_norm' (weight: expected (6), got (5))", core.group_norm, x, 2, core.ones(5))
    fails("bad argument #4 to 'group_norm' (bias: expected (6), got (1,6))", core.group_norm, x, 2, nil,
      core.ones(1, 6))
    fails("bad argument #1 to 'group_norm' (x: ", core.group_norm, core.ones(6), 2)
    fails("bad argument #5 to 'group_norm'", core.group_norm, x, 2, nil, nil, { epsilon = 1 })
    fails("bad argument #2 to 'layer_norm' (weight: expected (6), got (3))", core.layer_norm, x, core.ones(3))
    fails("bad argument #1 to 'layer_norm' (x: ", core.layer_norm, core.tensor(1))
    fails("bad argument #4 to 'batch_norm' (running_mean: needed", core.batch_norm, x)
    fails("both or neither", core.batch_norm, x, nil, nil, core.ones(6))
    fails("at least 2 values", core.batch_norm, core.ones(1, 6), nil, nil, nil, nil, { training = true })
    fails("momentum", core.batch_norm, x, nil, nil, core.ones(6), core.ones(6), { momentum = 2 })
    fails("eps", core.rms_norm, x, nil, { eps = -1 })
  end)
end)
