-- Muon: against Newton and Schulz written out, against PyTorch, and what orthogonal means.
local close = require "spec.support.close"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local golden = require "spec.golden.muon_torch"
local optim = require "laterna.optim"

local function wave(shape, step)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  local list = {}
  for i = 1, n do list[i] = math.sin(1.7 * i ^ 1.3 + step) end
  return core.tensor(list):view(shape)
end

local function with_gradient(p, g)
  p = p:clone():requires_grad_()
  core.sum(p * g):backward()
  return p
end

-- x -> (a + b x x' + c (x x')^2) x on the matrix itself, five times.
local function orthogonal(g)
  local x = g / (g:square():sum():item() ^ 0.5 + 1e-7)
  for _ = 1, 5 do
    local gram = core.matmul(x, x:transpose(1, 2))
    x = x * 3.4445 + core.matmul(gram * -4.7750 + core.matmul(gram, gram) * 2.0315, x)
  end
  return x
end

-- What one step with lr = 1 takes away, divided by the size that a step has.
local function direction(g)
  local rows = g.shape[1]
  local columns = g:numel() // rows
  local p = with_gradient(core.zeros(g.shape), g)
  core.muon_update({ p }, { core.zeros(g.shape) }, { lr = 1 })
  return p:detach():view { rows, columns } * (-1 / (0.2 * math.sqrt(math.max(rows, columns))))
end

describe("Muon", function()
  for _, shape in ipairs { { 3, 5 }, { 5, 3 }, { 33, 33 }, { 1, 7 }, { 7, 1 }, { 32, 3, 3, 5 }, { 130, 20 },
    { 70, 300 }, { 24, 256 }, { 25, 257 }, { 128, 128 } } do
    it("takes the step that Newton and Schulz give, " .. table.concat(shape, "x"), function()
      core.manual_seed(3)
      local g = core.randn(shape)
      local matrix = g:view { shape[1], g:numel() // shape[1] }
      local tall = matrix.shape[1] > matrix.shape[2]
      local wanted = tall and orthogonal(matrix:transpose(1, 2)):transpose(1, 2) or orthogonal(matrix)
      close(direction(g), wanted, 2e-5)
    end)
  end

  it("brings every singular value near 1, and leaves directions that the gradient lacks alone", function()
    core.manual_seed(4)
    local q = core.qr(core.randn(24, 24))
    local sizes = {}
    for i = 1, 24 do sizes[i] = i <= 16 and 10 ^ (-(i - 1) / 10) or 0 end -- 1 down to 0.03, then nothing
    local u = direction(core.matmul(q * core.tensor(sizes), core.qr(core.randn(24, 24))))
    local values = core.eigh(core.matmul(u, u:transpose(1, 2))):totable()
    for i, v in ipairs(values) do
      local s = math.sqrt(math.max(0, v))
      if i <= 8 then assert.is_true(s < 1e-2, s) else assert.is_true(s > 0.6 and s < 1.3, s) end
    end
  end)

  for _, case in ipairs(golden) do
    it("takes PyTorch's path", function()
      local a, b = wave({ 3, 6 }, 0):requires_grad_(), wave({ 5, 2 }, 0):requires_grad_()
      local opt = optim.Muon({ a, b }, case[1])
      for step = 1, 3 do
        opt:zero_grad()
        local loss = core.sum(a * wave({ 3, 6 }, step)) + core.sum(b * wave({ 5, 2 }, -step))
        loss:backward()
        opt:step()
      end
      close(a:detach():view { 18 }, case.a, 2e-3) -- PyTorch's update is rounded to bfloat16
      close(b:detach():view { 10 }, case.b, 2e-3)
    end)
  end

  it("is the same in every precision and on every number of threads", function()
    local threads, precision = core.threads(), core.precision()
    local function bits()
      core.manual_seed(5)
      local params, momenta = {}, {}
      for i, shape in ipairs { { 40, 70 }, { 70, 40 }, { 8, 3, 3, 4 }, { 2, 300 } } do
        params[i] = with_gradient(core.randn(shape), core.randn(shape))
        momenta[i] = core.randn(shape)
      end
      core.muon_update(params, momenta, { lr = 0.1, weight_decay = 0.1 })
      local words = {}
      for i, p in ipairs(params) do words[i] = p:to_string() .. momenta[i]:to_string() end
      return table.concat(words)
    end
    core.threads(1)
    local one = bits()
    core.threads(2)
    local two = bits()
    core.precision "rounded"
    local rounded = bits()
    core.precision(precision)
    core.threads(threads)
    assert.equal(one, two)
    assert.equal(one, rounded)
  end)

  it("steps what is no matrix by AdamW", function()
    local function both()
      local w, b = wave({ 2, 3 }, 1):requires_grad_(), wave({ 3 }, 2):requires_grad_()
      return w, b, function() core.sum((w * w):sum() + (b * b * b):sum()):backward() end
    end
    local w, b, backward = both()
    local opt = optim.Muon({ w, b }, { lr = 0.1, weight_decay = 0.2 })
    local _, twin, backward_twin = both()
    local adam = optim.AdamW({ twin }, { lr = 0.1, weight_decay = 0.2 })
    for _ = 1, 3 do
      opt:zero_grad()
      backward()
      opt:step()
      adam:zero_grad()
      backward_twin()
      adam:step()
    end
    close(b:detach(), twin:detach():totable(), 0)
    assert.is_nil(opt:state().tensors["0.exp_avg"])
    assert.is_truthy(opt:state().tensors["0.momentum"])
    assert.is_truthy(opt:state().tensors["1.exp_avg_sq"])
  end)

  it("refuses what it cannot take", function()
    local p = with_gradient(core.zeros(3), core.ones(3))
    fails("item 1: expected 2 axes or more, got (3)", core.muon_update, { p }, { core.zeros(3) }, { lr = 1 })
    fails("momenta: item 1", core.muon_update, { with_gradient(core.zeros(2, 2), core.ones(2, 2)) },
      { core.zeros(4) }, { lr = 1 })
    fails("params[2]: expected tensor, got 1", optim.Muon, { core.zeros(2, 2), 1 })
    fails("rule", optim.Muon, { { params = { core.zeros(2, 2) }, rule = "sgd" } })
  end)
end)
