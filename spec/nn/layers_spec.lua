-- Layers: shapes, options, modes, gradients into every parameter, and arguments that are refused.

local core = require "laterna.core"
local nn = require "laterna.nn"

describe("layers", function()
  local x = core.randn(2, 4, 6, 8, { generator = core.generator(1) })

  local function shape_of(layer, ...)
    local y = layer(...)
    y:sum():backward()
    for name, p in layer:named_parameters() do
      assert.is_truthy(p.grad, name)
      assert.same(p.shape, p.grad.shape)
    end
    return y.shape
  end

  it("have the shapes they should", function()
    assert.same({ 2, 4, 6, 5 }, shape_of(nn.Linear(8, 5), x))
    assert.same({ 2, 2, 3, 5 }, shape_of(nn.Conv2d(8, 5, 3, { stride = 2, padding = 1 }), x))
    assert.same({ 2, 8, 12, 5 }, shape_of(nn.ConvTranspose2d(8, 5, 4, { stride = 2, padding = 1 }), x))
    assert.same({ 2, 4, 6, 8 }, shape_of(nn.GroupNorm(2, 8), x))
    assert.same({ 2, 4, 6, 8 }, shape_of(nn.LayerNorm(8), x))
    assert.same({ 2, 4, 6, 8 }, shape_of(nn.RMSNorm(8), x))
    assert.same({ 2, 4, 6, 8 }, shape_of(nn.BatchNorm2d(8), x))
    local ids = core.tensor({ { 1, 2, 5 }, { 3, 3, 1 } }, { dtype = "int32" })
    assert.same({ 2, 3, 4 }, shape_of(nn.Embedding(5, 4), ids))
    assert.same({ 2, 2, 3, 8 }, nn.AvgPool2d(2)(x).shape)
    assert.same({ 2, 4, 6, 8 }, nn.AvgPool2d(3, { stride = 1, padding = 1 })(x).shape)
    assert.same({ 2, 2, 2, 8 }, nn.MaxPool2d({ 2, 3 })(x).shape)
    assert.same({ 2, 8, 12, 8 }, nn.Upsample { scale = 2 }(x).shape)
    assert.same({ 2, 12, 18, 8 }, nn.Upsample { scale = 3, mode = "bilinear" }(x).shape)
    assert.same({ 2, 5, 8 }, shape_of(nn.MultiheadAttention(8, 4, { context_dim = 3 }), core.ones(2, 5, 8),
      core.randn(2, 7, 3)))
  end)

  it("leave out what is not wanted", function()
    assert.equal(1, #nn.Linear(2, 2, { bias = false }):parameters())
    assert.equal(1, #nn.Conv2d(2, 2, 1, { bias = false }):parameters())
    assert.equal(0, #nn.LayerNorm(2, { affine = false }):parameters())
    assert.equal(1, #nn.LayerNorm(2, { bias = false }):parameters())
    assert.equal(0, #nn.GroupNorm(1, 2, { affine = false }):parameters())
    assert.equal(2, #nn.MultiheadAttention(2, 1, { bias = false }):parameters())
    assert.same({ 2, 4, 6, 8 }, nn.LayerNorm(8, { affine = false })(x).shape)
  end)

  it("normalise to mean 0 and variance 1", function()
    local y = nn.LayerNorm(8)(x)
    assert.is_true(y:mean(4):abs():max():item() < 1e-5)
    assert.is_true((y:square():mean(4) - 1):abs():max():item() < 1e-3)
    assert.is_true((nn.RMSNorm(8)(x):square():mean(4) - 1):abs():max():item() < 1e-4)
  end)

  it("go on from a norm to what follows", function()
    local scale, shift = core.randn(2, 8), core.randn(2, 8)
    local function wide(t) return t:view(2, 1, 1, 8) end
    for _, make in ipairs {
      function(o) return nn.GroupNorm(2, 8, o) end, function(o) return nn.LayerNorm(8, o) end,
    } do
      local plain, silu = make(), make { activation = "silu" }
      assert.is_true((silu(x) - plain(x):silu()):abs():max():item() < 1e-5)
      local leaky = make { activation = "leaky_relu", slope = 0.2 }
      local want = (plain(x) * (wide(scale) + 1) + wide(shift)):leaky_relu(0.2)
      assert.is_true((leaky(x, { scale = scale, shift = shift }) - want):abs():max():item() < 1e-5)
      assert.is_truthy(tostring(silu):find "then silu")
    end
    local plain, relu = nn.BatchNorm2d(8), nn.BatchNorm2d(8, { activation = "relu" })
    assert.is_true((relu(x) - plain(x):relu()):abs():max():item() < 1e-5)
    plain:eval()
    relu:eval()
    assert.is_true((relu(x) - plain(x):relu()):abs():max():item() < 1e-5)
    assert.has_error(function() nn.GroupNorm(2, 8, { activation = "swish" }) end)
    assert.has_error(function() nn.GroupNorm(2, 8)(x, { gate = shift }) end)
  end)

  it("follow the batches in batch normalisation", function()
    local bn = nn.BatchNorm2d(8, { momentum = 0.5 })
    local y = bn(x)
    assert.is_true(y:mean({ 1, 2, 3 }):abs():max():item() < 1e-5)
    local mean = x:mean({ 1, 2, 3 })
    assert.is_true((bn.running_mean - mean * 0.5):abs():max():item() < 1e-6)
    bn:eval()
    local kept = bn.running_mean:to_string()
    local expected = (x - bn.running_mean) / (bn.running_var + 1e-5):sqrt()
    assert.is_true((bn(x) - expected):abs():max():item() < 1e-4)
    assert.equal(kept, bn.running_mean:to_string())
    assert.equal(2, #bn:parameters())
  end)

  it("drop in training only, from the default generator", function()
    local drop = nn.Dropout(0.25)
    core.manual_seed(3)
    local a = drop(core.ones(1000))
    core.manual_seed(3)
    assert.equal(a:to_string(), drop(core.ones(1000)):to_string())
    local kept = a:gt(0):sum():item()
    assert.is_true(kept > 690 and kept < 810)
    assert.is_true(math.abs(a:max():item() - 4 / 3) < 1e-6)
    drop:eval()
    assert.equal(x, drop(x))
    assert.equal(0, nn.Dropout(1)(core.ones(10)):sum():item())
  end)

  it("chain and add", function()
    local seq = nn.Sequential(nn.Linear(8, 8), core.relu)
    assert.equal(seq[1](x):relu():to_string(), seq(x):to_string())
    local residual = nn.Residual(seq)
    assert.equal((x + seq(x)):to_string(), residual(x):to_string())
    assert.same({ "module.0.bias", "module.0.weight" }, (function()
      local names = {}
      for name in residual:named_parameters() do names[#names + 1] = name end
      return names
    end)())
    local wider = nn.Residual(nn.Linear(8, 3), { skip = nn.Linear(8, 3) })
    assert.same({ 2, 4, 6, 3 }, wider(x).shape)
    assert.equal(x, nn.Sequential()(x))
  end)

  it("look only back in causal attention", function()
    local attention = nn.MultiheadAttention(8, 2, { causal = true })
    local a = core.randn(1, 5, 8)
    local b = a:clone()
    b[1][{ 4, 5 }]:fill_(9)
    local ya, yb = attention(a), attention(b)
    assert.equal(ya[1][{ 1, 3 }]:to_string(), yb[1][{ 1, 3 }]:to_string())
    assert.is_false(ya[1][4]:to_string() == yb[1][4]:to_string())
  end)

  it("draw their first weights from a generator if one is given", function()
    local function draw(seed)
      local o = { generator = core.generator(seed) }
      local m = nn.Sequential(nn.Linear(2, 2, o), nn.Conv2d(2, 2, 3, o), nn.Embedding(3, 2, o),
        nn.MultiheadAttention(2, 1, o), nn.ConvTranspose2d(2, 2, 2, o))
      local bytes = {}
      for i, p in ipairs(m:parameters()) do bytes[i] = p:to_string() end
      return table.concat(bytes)
    end
    assert.equal(draw(1), draw(1))
    assert.is_false(draw(1) == draw(2))
  end)
end)

describe("layers refuse", function()
  local function refuses(message, f, ...)
    local ok, text = pcall(f, ...)
    assert.is_false(ok)
    assert.is_truthy(tostring(text):find(message, 1, true), text)
  end

  it("sizes that make no sense", function()
    refuses("bad argument #1 to 'Linear' (inputs: expected integer of at least 1, got nil)", nn.Linear)
    refuses("bad argument #2 to 'Linear' (outputs: expected integer of at least 1, got 0)", nn.Linear, 1, 0)
    refuses("bad argument #1 to 'Linear' (inputs: expected integer of at least 1, got 2.5)", nn.Linear, 2.5, 1)
    refuses("bad argument #3 to 'Conv2d' (kernel: expected an integer of at least 1, or a pair", nn.Conv2d, 1, 1, 0)
    refuses("kernel: expected", nn.Conv2d, 1, 1, { 3 })
    refuses("kernel: expected", nn.Conv2d, 1, 1, { 3, 3, 3 })
    refuses("stride: expected an integer of at least 1", nn.Conv2d, 1, 1, 3, { stride = 0 })
    refuses("padding: expected an integer of at least 0", nn.Conv2d, 1, 1, 3, { padding = { 0, -1 } })
    refuses("bad argument #2 to 'Conv2d' (outputs: expected a multiple of groups (2), got 3)",
      nn.Conv2d, 2, 3, 1, { groups = 2 })
    refuses("bad argument #2 to 'GroupNorm' (channels: expected a multiple of groups (3), got 4)", nn.GroupNorm, 3, 4)
    refuses("bad argument #2 to 'MultiheadAttention' (heads: expected a divisor of dim (6), got 4)",
      nn.MultiheadAttention, 6, 4)
    refuses("bad argument #1 to 'Dropout' (p: expected number from 0 to 1, got 2)", nn.Dropout, 2)
    refuses("p: expected number from 0 to 1", nn.Dropout, 0 / 0)
    for _, huge in ipairs { 2 ^ 31, 2 ^ 40, math.maxinteger } do
      assert.has_error(function() nn.Linear(huge, huge) end)
      assert.has_error(function() nn.Conv2d(huge, 8, huge) end)
    end
  end)

  it("options they do not know", function()
    refuses("unknown option \"bais\"", nn.Linear, 1, 1, { bais = true })
    refuses("unknown option \"strides\"", nn.Conv2d, 1, 1, 1, { strides = 2 })
    refuses("bias: expected boolean, got 1", nn.Linear, 1, 1, { bias = 1 })
    refuses("mode: expected \"nearest\" or \"bilinear\", got \"cubic\"", nn.Upsample, { mode = "cubic" })
    refuses("options: expected table or nil, got 3", nn.LayerNorm, 4, 3)
    refuses("bad argument #2 to 'Sequential' (layer: expected callable, got 3)", nn.Sequential, core.relu, 3)
    refuses("bad argument #1 to 'Residual'", nn.Residual)
  end)

  it("inputs of another kind", function()
    local kinds = { false, 3, "text", {}, print, core.ones(2), core.tensor({ 1 }, { dtype = "int32" }) }
    local layers = { nn.Linear(3, 3), nn.Conv2d(3, 3, 3), nn.ConvTranspose2d(3, 3, 3), nn.GroupNorm(1, 3),
      nn.LayerNorm(3), nn.RMSNorm(3), nn.BatchNorm2d(3), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.Upsample(),
      nn.Upsample { mode = "bilinear" }, nn.MultiheadAttention(3, 1) }
    for _, layer in ipairs(layers) do
      for _, kind in ipairs(kinds) do
        assert.has_error(function() layer(kind) end, nil, tostring(layer))
      end
      assert.has_error(function() layer() end)
    end
    refuses("context: expected (n,k,4), got nil", nn.MultiheadAttention(2, 1, { context_dim = 4 }), core.ones(1, 2, 2))
  end)
end)
