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

  it("pass gradcheck, twice #slow", function()
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

  -- What the fused forms stand for, of plain operations.
  local function after(y, o)
    local middle = { o.scale and o.scale:size(1) or o.shift and o.shift:size(1) }
    for i = 2, y:dim() - 1 do middle[i] = 1 end
    middle[#middle + 1] = y:size(-1)
    if o.scale then y = y * (o.scale:view(middle) + 1) end
    if o.shift then y = y + o.shift:view(middle) end
    if o.activation == "gelu_tanh" then return core.gelu(y, { approximate = "tanh" }) end
    if o.activation == "leaky_relu" then return core.leaky_relu(y, o.slope or 0.01) end
    return o.activation and o.activation ~= "none" and core[o.activation](y) or y
  end
  local ACTIVATIONS = { "none", "relu", "leaky_relu", "silu", "gelu", "gelu_tanh" }

  -- Result and gradients of f against those of the plain form.
  local function same_as_plain(f, plain, leaves, tolerance)
    for _, x in ipairs(leaves) do x:requires_grad_() end
    local y, want = f(), plain()
    close(y, want, tolerance)
    local dy = core.randn(y.shape)
    local got, expected = core.grad(y, leaves, { grad_output = dy }), core.grad(want, leaves, { grad_output = dy })
    for i in ipairs(leaves) do close(got[i], expected[i], tolerance) end
  end

  it("do what follows them in the same pass #slow", function()
    core.manual_seed(11)
    -- narrow and wide rows, several chunks a picture, few and many pictures, one pixel, no middle axis
    local shapes = { { 2, 5, 7, 6 }, { 9, 40, 3, 30 }, { 8, 1, 1, 12 }, { 11, 6 }, { 2, 70, 10, 48 }, { 9, 3, 270 } }
    for k, shape in ipairs(shapes) do
      local n, c = shape[1], shape[#shape]
      for i, activation in ipairs(ACTIVATIONS) do
        local x, w, b = core.randn(shape) * 2 + 1, core.randn(c), core.randn(c)
        local o = { activation = activation, slope = 0.2, eps = 1e-3 }
        if (i + k) % 3 > 0 then o.scale = core.randn(n, c) end
        if (i + k) % 3 ~= 1 then o.shift = core.randn(n, c) end
        local leaves = { x, w, b, o.scale or o.shift, o.shift }
        local eps = { eps = o.eps }
        same_as_plain(function() return core.group_norm(x, 3, w, b, o) end,
          function() return after(core.group_norm(x, 3, w, b, eps), o) end, leaves, 2e-4)
        same_as_plain(function() return core.layer_norm(x, w, b, o) end,
          function() return after(core.layer_norm(x, w, b, eps), o) end, leaves, 2e-4)
        same_as_plain(function() return core.layer_norm(x, nil, nil, o) end,
          function() return after(core.layer_norm(x, nil, nil, eps), o) end, { x, o.scale or o.shift }, 2e-4)
        local function batch(options)
          options.training, options.eps = true, o.eps
          return core.batch_norm(x, w, b, nil, nil, options)
        end
        same_as_plain(function() return batch { activation = activation, slope = 0.2 } end,
          function() return after(batch {}, { activation = activation, slope = 0.2 }) end, { x, w, b }, 2e-4)
        local mean, var = core.randn(c), core.rand(c) + 0.5
        local function settled(options) return core.batch_norm(x, w, b, mean, var, options) end
        local want = after(settled {}, { activation = activation, slope = 0.2 })
        close(settled { activation = activation, slope = 0.2 }, want, 2e-4)
        core.no_grad(function() close(settled { activation = activation, slope = 0.2 }, want, 2e-4) end)
      end
    end
  end)

  it("pass gradcheck with what follows, twice #slow", function()
    core.manual_seed(12)
    local o = { second = true, tolerance = 3e-3, second_tolerance = 1.5e-2 }
    for _, activation in ipairs { "none", "silu", "gelu", "gelu_tanh" } do
      local function inputs()
        return { core.randn(2, 3, 4), core.randn(4), core.randn(4), core.randn(2, 4), core.randn(2, 4) }
      end
      local function options(s, t) return { scale = s, shift = t, activation = activation, eps = 0.1 } end
      assert(gradcheck.check(function(x, w, b, s, t)
        return core.group_norm(x, 2, w, b, options(s, t))
      end, inputs(), o))
      assert(gradcheck.check(function(x, w, b, s, t) return core.layer_norm(x, w, b, options(s, t)) end, inputs(), o))
      assert(gradcheck.check(function(x, s) return core.layer_norm(x, nil, nil, options(s)) end,
        { core.randn(2, 3, 4), core.randn(2, 4) }, o))
      assert(gradcheck.check(function(x, w, b)
        return core.batch_norm(x, w, b, nil, nil, { training = true, activation = activation, eps = 0.1 })
      end, { core.randn(3, 2, 4), core.randn(4), core.randn(4) }, o))
    end
  end)

  it("add what else flows into x to their own gradient of it #slow", function()
    local options = { activation = "silu" }
    for _, shape in ipairs { { 2, 3, 4, 6 }, { 9, 16, 16, 40 }, { 2, 70, 70, 3 } } do -- small, by sample, in chunks
      local c = shape[4]
      for _, norm in ipairs {
        function(x, w, b) return core.group_norm(x, 1, w, b, options) end,
        function(x, w, b) return core.group_norm(x, c, w, b) end,
        function(x, w, b) return core.layer_norm(x, w, b, options) end,
        function(x, w) return core.rms_norm(x, w) end,
        function(x, w, b) return core.batch_norm(x, w, b, nil, nil, { training = true, activation = "relu" }) end,
      } do
        local x, w, b = core.randn(shape):requires_grad_(true), core.randn(c), core.randn(c)
        local dy, k = core.randn(shape), core.randn(shape)
        local alone = core.grad(norm(x, w, b), { x }, { grad_output = dy })[1]
        local inner = x * 1 -- not a leaf
        local y = norm(inner, w, b) + inner * k
        close(core.grad(y, { x }, { grad_output = dy })[1], alone + k * dy, 1e-5)
        x:zero_grad();
        (norm(x, w, b) + x * k):backward(dy)
        close(x.grad, alone + k * dy, 1e-5)
        x:backward(dy) -- into a gradient that is there already
        close(x.grad, alone + k * dy + dy, 1e-5)
      end
    end
  end)

  it("need no gradient of x to give the others", function()
    local x, w, t = core.randn(9, 5, 6), core.ones(6):requires_grad_(), core.zeros(9, 6):requires_grad_()
    for _, f in ipairs {
      function() return core.group_norm(x, 2, w, nil, { shift = t, activation = "silu" }) end,
      function() return core.layer_norm(x, w, nil, { shift = t, activation = "silu" }) end,
    } do
      local fused = core.grad(f():sum(), { w, t })
      local composed = core.grad(f():sum(), { w, t }, { create_graph = true })
      close(fused[1], composed[1], 1e-4)
      close(fused[2], composed[2], 1e-4)
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
      local s = core.randn(12, 24)
      local many = x:view(12, 400, 24)
      local out = {}
      for _, f in ipairs {
        function() return core.group_norm(x, 6, w) end, function() return core.layer_norm(x, w) end,
        function() return core.batch_norm(x, w, nil, nil, nil, { training = true, activation = "relu" }) end,
        function() return core.group_norm(many, 2, nil, nil, { scale = s, activation = "silu" }):sum(3) end,
        function() return core.layer_norm(x, w, nil, { shift = s[{ { 1, 3 } }], activation = "gelu" }) end,
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
    for _, activation in ipairs(ACTIVATIONS) do
      y = core.group_norm(x, 2, nil, nil, { activation = activation }):sum { 2, 3 }:totable()
      assert(y[1] == 0 and y[2] ~= y[2], activation)
      y = core.layer_norm(x, nil, nil, { activation = activation }):sum { 2, 3 }:totable()
      assert(y[1] == 0 and y[2] ~= y[2], activation)
    end
  end)

  it("take empty batches", function()
    local w = core.ones(4):requires_grad_()
    core.group_norm(core.zeros(0, 3, 4), 2, w):sum():backward()
    assert.same({ 0, 0, 0, 0 }, w.grad:totable())
    local t = core.ones(0, 4):requires_grad_()
    core.layer_norm(core.zeros(0, 3, 4), w, nil, { shift = t, activation = "silu" }):sum():backward()
    assert.same({ 0, 0, 0, 0 }, w.grad:totable())
    t = core.ones(2, 4):requires_grad_()
    core.layer_norm(core.zeros(2, 0, 4), nil, nil, { scale = t }):sum():backward()
    core.group_norm(core.zeros(2, 0, 4), 2, nil, nil, { scale = t, activation = "gelu" }):sum():backward()
    assert.same({ 0, 0, 0, 0, 0, 0, 0, 0 }, t.grad:flatten():totable())
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
    fails('(activation: expected "none", "relu", "leaky_relu", "silu", "gelu" or "gelu_tanh", got "swish"',
      core.group_norm, x, 2, nil, nil, { activation = "swish" })
    fails("bad argument #5 to 'group_norm' (scale: expected (2,6), a row a picture, got (6))", core.group_norm, x, 2,
      nil, nil, { scale = core.ones(6) })
    fails("bad argument #4 to 'layer_norm' (shift: expected (2,6), a row a picture, got (2,3,6))", core.layer_norm,
      x, nil, nil, { shift = x })
    fails("bad argument #1 to 'layer_norm' (x: expected at least 2 axes, got (6))", core.layer_norm, core.ones(6), nil,
      nil, { shift = x })
    fails("bad argument #6 to 'batch_norm' (activation: ", core.batch_norm, x, nil, nil, core.ones(6), core.ones(6),
      { activation = "" })
    fails("bad argument #2 to 'layer_norm' (weight: expected (6), got (3))", core.layer_norm, x, core.ones(3))
    fails("bad argument #1 to 'layer_norm' (x: ", core.layer_norm, core.tensor(1))
    fails("bad argument #4 to 'batch_norm' (running_mean: needed", core.batch_norm, x)
    fails("both or neither", core.batch_norm, x, nil, nil, core.ones(6))
    fails("at least 2 values", core.batch_norm, core.ones(1, 6), nil, nil, nil, nil, { training = true })
    fails("momentum", core.batch_norm, x, nil, nil, core.ones(6), core.ones(6), { momentum = 2 })
    fails("eps", core.rms_norm, x, nil, { eps = -1 })
  end)
end)
