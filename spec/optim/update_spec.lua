-- The native optimizer steps against the same written out in Lua.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"

-- Parameters of a few sizes with gradients; one without a gradient, one frozen, one long enough to be cut into pieces.
local function parameters()
  core.manual_seed(11)
  local list = {}
  for i, n in ipairs { 1, 7, 40000, 64, 3 } do
    list[i] = core.randn(n)
    if i ~= 5 then list[i]:requires_grad_() end
    if i < 4 then (list[i] * core.randn(n)):sum():backward() end
  end
  return list
end

local function like(params, make)
  local out = {}
  for i, p in ipairs(params) do out[i] = (make or core.zeros)(table.unpack(p.shape)) end
  return out
end

local function lists(tensors)
  local out = {}
  for i, t in ipairs(tensors) do out[i] = t:totable() end
  return out
end

-- Runs `step` natively and `twin(p, g, a, b)` -> p, a, b number by number, three times, and compares everything.
local function compare(slots, step, twin, tolerance)
  local params = parameters()
  local state = {}
  for i = 1, slots do state[i] = like(params) end
  local p, a, b = lists(params), state[1] and lists(state[1]), state[2] and lists(state[2])
  for count = 1, 3 do
    step(params, state[1], state[2], count)
    for i, t in ipairs(params) do
      if t.grad then
        local g = t.grad:totable()
        for k = 1, #g do
          local x, y, z = twin(p[i][k], g[k], a and a[i][k], b and b[i][k], count)
          p[i][k] = x
          if a then a[i][k] = y end
          if b then b[i][k] = z end
        end
      end
    end
  end
  for i, t in ipairs(params) do
    close(t, p[i], tolerance or 2e-6)
    if a then close(state[1][i], a[i], tolerance or 2e-6) end
    if b then close(state[2][i], b[i], tolerance or 2e-6) end
  end
end

local sign = function(x) return x > 0 and 1 or x < 0 and -1 or 0 end

describe("optimizer steps", function()
  it("of SGD", function()
    compare(0, function(p) core.sgd_update(p, nil, { lr = 0.1, weight_decay = 0.2 }) end,
      function(p, g) return p - 0.1 * (g + 0.2 * p) end)
    compare(1, function(p, m) core.sgd_update(p, m, { lr = 0.1, momentum = 0.9, dampening = 0.3 }) end,
      function(p, g, m)
        m = 0.9 * m + 0.7 * g
        return p - 0.1 * m, m
      end)
    compare(1, function(p, m)
      core.sgd_update(p, m, { lr = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0.1 })
    end, function(p, g, m)
      g = g + 0.1 * p
      m = 0.9 * m + g
      return p - 0.1 * (g + 0.9 * m), m
    end)
  end)

  for _, decoupled in ipairs { false, true } do
    it("of Adam #slow" .. (decoupled and ", decoupled" or ""), function()
      compare(2, function(p, m, v, count)
        core.adam_update(p, m, v, { lr = 0.01, beta1 = 0.8, beta2 = 0.95, eps = 1e-6, weight_decay = 0.1,
          decoupled = decoupled, step = count })
      end, function(p, g, m, v, count)
        if decoupled then p = p * (1 - 0.01 * 0.1) else g = g + 0.1 * p end
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g * g
        local m_hat, v_hat = m / (1 - 0.8 ^ count), v / (1 - 0.95 ^ count)
        return p - 0.01 * m_hat / (math.sqrt(v_hat) + 1e-6), m, v
      end)
    end)
  end

  it("of RMSprop #slow", function()
    local options = { lr = 0.01, alpha = 0.9, eps = 1e-2, weight_decay = 0.1, momentum = 0.5 }
    compare(1, function(p, v) core.rmsprop_update(p, v, nil, options) end, function(p, g, v)
      g = g + 0.1 * p
      v = 0.9 * v + 0.1 * g * g
      return p - 0.01 * g / (math.sqrt(v) + 1e-2), v
    end, 2e-5) -- where g is small, its rounding is divided by little
    compare(2, function(p, v, m) core.rmsprop_update(p, v, m, options) end, function(p, g, v, m)
      g = g + 0.1 * p
      v = 0.9 * v + 0.1 * g * g
      m = 0.5 * m + g / (math.sqrt(v) + 1e-2)
      return p - 0.01 * m, v, m
    end, 2e-5)
  end)

  it("of Lion", function()
    compare(1, function(p, m) core.lion_update(p, m, { lr = 0.01, beta1 = 0.8, beta2 = 0.9, weight_decay = 0.1 }) end,
      function(p, g, m)
        return p - 0.01 * (sign(0.8 * m + 0.2 * g) + 0.1 * p), 0.9 * m + 0.1 * g
      end)
  end)

  it("of an exponential moving average", function()
    local sources = parameters()
    local targets = like(sources, core.randn)
    local wanted = lists(targets)
    core.ema_update(targets, sources, 0.9)
    for i, s in ipairs(sources) do
      for k, v in ipairs(s:totable()) do wanted[i][k] = 0.9 * wanted[i][k] + 0.1 * v end
      close(targets[i], wanted[i])
    end
  end)

  it("leave alone what has no gradient", function()
    local params = parameters()
    local four, five = params[4]:to_string(), params[5]:to_string()
    local m = like(params, core.randn)
    local before = m[4]:to_string()
    core.sgd_update(params, m, { lr = 1, momentum = 0.9, weight_decay = 1 })
    assert.equal(four, params[4]:to_string())
    assert.equal(five, params[5]:to_string())
    assert.equal(before, m[4]:to_string())
  end)

  it("give the same bits on one thread and on two", function()
    local before = core.threads()
    local function bits(threads)
      core.threads(threads)
      local p = parameters()
      core.adam_update(p, like(p), like(p), { lr = 0.01, step = 1 })
      core.clip_grad_norm(p, 0.1)
      return p[3]:to_string() .. p[3].grad:to_string()
    end
    local one, two = bits(1), bits(2)
    core.threads(before)
    assert(one == two, "the bits differ")
  end)

  it("are seen by backward as edits", function()
    local p = core.ones(3):requires_grad_()
    local y = (p * p):sum()
    y:backward(nil, { retain_graph = true })
    core.sgd_update({ p }, nil, { lr = 0.1 })
    fails("mul", y.backward, y)
  end)

  it("check everything before they touch anything", function()
    local params = parameters()
    local m, v = like(params), like(params)
    local before = lists(params)
    local function refused(text, ...)
      fails(text, ...)
      for i, p in ipairs(params) do assert.same(before[i], p:totable()) end
    end
    local o = { lr = 0.1, step = 1 }
    m[5] = core.zeros(2)
    refused("bad argument #2 to 'adam_update' (exp_avg: item 5: expected float32 (3), got float32 (2))",
      core.adam_update, params, m, v, o)
    m[5] = core.zeros(3, { dtype = "int32" })
    refused("got int32 (3)", core.adam_update, params, m, v, o)
    m[5] = nil
    refused("exp_avg: expected 5 tensors, got 4", core.adam_update, params, m, v, o)
    m[5] = v[5]
    refused("share memory", core.adam_update, params, m, v, o)
    m[5] = params[2]:detach()[{ 1, 3 }]
    refused("share memory", core.adam_update, params, m, v, o)
    m[5] = core.zeros(3)
    refused("lr: expected number", core.adam_update, params, m, v, { step = 1 })
    refused("step: ", core.adam_update, params, m, v, { lr = 1 })
    refused("step: ", core.adam_update, params, m, v, { lr = 1, step = 0 })
    refused("learning_rate", core.adam_update, params, m, v, { learning_rate = 1, step = 1 })
    refused("share memory", core.sgd_update, { params[1], params[1] }, nil, { lr = 1 })
    refused("item 2 is the result of 'mul'", core.sgd_update, { params[1], params[2] * 2 }, nil, { lr = 1 })
    local numbers = core.ones(2, { dtype = "int32" })
    refused("item 2: expected float32", core.sgd_update, { params[1], numbers }, nil, { lr = 1 })
    refused("sources: item 1: expected float32 (1), got float32 (7)", core.ema_update, { params[5][{ 1, 1 }] },
      { params[2] }, 0.5)
    refused("sources: expected 0 tensors, got 1", core.ema_update, {}, { params[2] }, 0.5)
    for _, decay in ipairs { -0.1, 1.1, 0 / 0 } do
      refused("decay: ", core.ema_update, { core.ones(1) }, { params[1] }, decay)
    end
  end)
end)

describe("gradient clipping", function()
  it("scales to a joint norm", function()
    local a, b = core.zeros(2):requires_grad_(), core.zeros(1):requires_grad_();
    (a * core.tensor { 3, 4 }):sum():backward();
    (b * 12):sum():backward()
    close({ core.clip_grad_norm({ a, b }, 100) }, { 13 })
    assert.same({ 3, 4 }, a.grad:totable())
    close({ core.clip_grad_norm({ a, b, core.ones(2) }, 6.5) }, { 13 })
    close(a.grad, { 1.5, 2 })
    close(b.grad, { 6 })
    close({ core.clip_grad_norm({ a, b }, 6.5) }, { 6.5 })
    assert.equal(0, core.clip_grad_norm({}, 1))
    b.grad:fill_(0 / 0)
    local norm = core.clip_grad_norm({ a, b }, 1)
    assert(norm ~= norm)
    fails("bad argument #2 to 'clip_grad_norm'", core.clip_grad_norm, { a }, -1)
    fails("bad argument #2 to 'clip_grad_norm'", core.clip_grad_norm, { a }, 0 / 0)
  end)

  it("clamps by value", function()
    local a = core.zeros(3):requires_grad_();
    (a * core.tensor { -3, 0.5, 3 }):sum():backward()
    core.clip_grad_value({ a }, 1)
    assert.same({ -1, 0.5, 1 }, a.grad:totable())
    fails("bad argument #2 to 'clip_grad_value'", core.clip_grad_value, { a }, -1)
  end)
end)

describe("the gradients of a list", function()
  it("are forgotten together", function()
    local params = parameters()
    core.zero_gradients(params)
    for _, p in ipairs(params) do assert.is_nil(p.grad) end
    core.zero_gradients {}
    local a = core.zeros(2):requires_grad_();
    (a * 2):sum():backward()
    fails("bad argument #1 to 'zero_gradients' (params: item 2: expected tensor, got number)", core.zero_gradients,
      { a, 1 })
    assert.same({ 2, 2 }, a.grad:totable())
  end)

  it("say who moves, in the same list while nothing changes", function()
    local params = parameters()
    local list = core.with_gradients(params)
    assert.equal(3, #list)
    for i = 1, 3 do assert.is_true(rawequal(params[i], list[i])) end
    assert.is_true(rawequal(list, core.with_gradients(params, list)))
    params[2]:zero_grad()
    local fewer = core.with_gradients(params, list)
    assert.is_true(#fewer == 2 and rawequal(fewer[2], params[3]))
    assert.equal(3, #list)
    assert.equal(3, #core.with_gradients(parameters(), fewer))
    assert.equal(0, #core.with_gradients({}, fewer))
    fails("bad argument #1 to 'with_gradients'", core.with_gradients, { 1 })
  end)
end)

describe("clipping many gradients", function()
  local function clipped(threads)
    local before = core.threads()
    core.threads(threads)
    core.manual_seed(4)
    local params = {}
    for i = 1, 40 do
      params[i] = core.randn(1 + i * i * 40 % 30011):requires_grad_()
      if i % 7 > 0 then (params[i] * core.randn(#params[i])):sum():backward() end
    end
    local norm, values = core.clip_grad_norm(params, 3), {}
    for i, p in ipairs(params) do values[i] = p.grad and p.grad:to_string() or "" end
    core.threads(before)
    return norm, values, params
  end

  it("gives the same bits on any number of threads, and the norm of each gradient's square", function()
    local norm, values, params = clipped(1)
    for _, threads in ipairs { 2, 5 } do
      local other, same = clipped(threads)
      assert.equal(norm, other)
      assert.same(values, same)
    end
    local sum = 0
    for _, p in ipairs(params) do sum = sum + (p.grad and p.grad:square():sum():item() or 0) end
    close({ math.sqrt(sum) }, { 3 }, 1e-4)
  end)

  it("scales one that is listed twice two times", function()
    local a = core.zeros(50000):requires_grad_();
    (a * 3):sum():backward()
    local norm = core.clip_grad_norm({ a, a }, 1)
    close({ norm }, { math.sqrt(2 * 9 * 50000) }, 1e-3)
    local scale = 1 / (norm + 1e-6)
    close({ a.grad:min():item() / (3 * scale * scale) }, { 1 }, 1e-5)
  end)
end)
