-- Attention against loops and against PyTorch.
local agrees = require "spec.support.agrees"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local golden = require "spec.golden.picture_ops_torch"
local gradcheck = require "spec.support.gradcheck"
local naive = require "spec.support.naive"
local wave = require "spec.support.wave"

local generator = core.generator(51)
local function randn(...) return core.randn({ ... }, { generator = generator }) end

local function qkv(n, lq, lk, heads, d)
  return randn(n, lq, heads, d), randn(n, lk, heads, d), randn(n, lk, heads, d)
end

local function everything() return true end

describe("attention", function()
  it("is softmax(scale q k') v, for any sizes", function()
    for _, a in ipairs { { 1, 1, 1, 1, 1 }, { 2, 5, 7, 3, 8 }, { 1, 70, 33, 2, 17 }, { 1, 130, 130, 1, 5 },
      { 1, 3, 700, 1, 4 }, { 3, 6, 2, 2, 64 } } do
      local n, lq, lk, heads, d = table.unpack(a)
      local q, k, v = qkv(n, lq, lk, heads, d)
      local s = { n = n, lq = lq, lk = lk, heads = heads, d = d }
      local expected = naive.attention(s, naive.flat(q), naive.flat(k), naive.flat(v), d ^ -0.5, everything)
      assert.is_true(naive.difference(core.attention(q, k, v), expected) < 1e-5)
      expected = naive.attention(s, naive.flat(q), naive.flat(k), naive.flat(v), 0.2, everything)
      assert.is_true(naive.difference(core.attention(q, k, v, { scale = 0.2 }), expected) < 1e-5)
    end
  end)

  it("sees what the mask and causality let it see, and gives zeros where that is nothing", function()
    local n, lq, lk, heads, d = 2, 6, 4, 2, 3
    local q, k, v = qkv(n, lq, lk, heads, d)
    local s = { n = n, lq = lq, lk = lk, heads = heads, d = d }
    local keys = core.tensor { { 1, 0, 1, 1 }, { 0, 0, 0, 0 } }
    local pairs_seen = core.rand({ n, heads, lq, lk }, { generator = generator }):gt(0.4)
    local cases = {
      { { mask = keys }, function(b, _, _, j) return keys[b][j]:item() ~= 0 end },
      { { mask = pairs_seen }, function(b, h, i, j) return pairs_seen[b][h][i][j]:item() ~= 0 end },
      { { causal = true }, function(_, _, i, j) return j <= i + lk - lq end },
      { { causal = true, mask = keys }, function(b, _, i, j) return j <= i + lk - lq and keys[b][j]:item() ~= 0 end },
    }
    for i, case in ipairs(cases) do
      local expected = naive.attention(s, naive.flat(q), naive.flat(k), naive.flat(v), d ^ -0.5, case[2])
      assert.is_true(naive.difference(core.attention(q, k, v, case[1]), expected) < 1e-5, "case " .. i)
    end
    assert.equal(0, core.attention(q, k, v, { mask = keys })[2]:abs():max():item())
  end)

  it("stays finite for large scores, and shows NaN", function()
    local q, k, v = qkv(1, 3, 20, 1, 2)
    local y = core.attention(q * 1e4, k * 1e4, v)
    assert.is_true(y:abs():max():item() < 10)
    k[1][5] = 0 / 0
    y = core.attention(q, k, v):abs():sum():item()
    assert.is_true(y ~= y)
  end)

  it("gives PyTorch's numbers", function()
    local function inputs(lq, lk)
      return { wave({ 2, lq, 2, 4 }, 0), wave({ 2, lk, 2, 4 }, 100), wave({ 2, lk, 2, 4 }, 200) }
    end
    agrees(golden.attention, core.attention, inputs(3, 5))
    agrees(golden.causal, function(q, k, v) return core.attention(q, k, v, { causal = true }) end, inputs(3, 3))
    local mask = core.tensor { { 1, 0, 1 }, { 0, 1, 1 } }
    agrees(golden.masked, function(q, k, v) return core.attention(q, k, v, { mask = mask }) end, inputs(2, 3))
  end)

  it("has gradients of first and second order", function()
    local second = { second = true }
    gradcheck.check(core.attention, { qkv(2, 3, 4, 2, 3) }, second)
    gradcheck.check(core.attention, { qkv(1, 1, 1, 1, 1) }, second)
    gradcheck.check(function(q, k, v) return core.attention(q, k, v, { causal = true, scale = 0.7 }) end,
      { qkv(1, 4, 3, 1, 2) }, second)
    local mask = core.tensor { { 1, 0, 1 }, { 0, 0, 0 } }
    gradcheck.check(function(q, k, v) return core.attention(q, k, v, { mask = mask }) end, { qkv(2, 2, 3, 2, 2) },
      second)
    local each = core.tensor { 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1 }:view(1, 2, 2, 3)
    gradcheck.check(function(q, k, v) return core.attention(q, k, v, { mask = each, causal = true }) end,
      { qkv(1, 2, 3, 2, 2) }, second)
  end)

  it("has the same results from kernels and from products, over several blocks of queries and of keys #slow", function()
    for _, a in ipairs { { 2, 150, 101, 2, 20, true }, { 1, 101, 1100, 1, 20, false }, { 1, 1300, 1210, 1, 8, true },
      { 1, 60, 1030, 2, 33, true }, { 9, 30, 530, 2, 4, true }, { 1, 700, 600, 1, 3, "mask" } } do
      local n, lq, lk, heads, d, causal = table.unpack(a)
      local q, k, v = qkv(n, lq, lk, heads, d)
      local dy, o = randn(n, lq, heads, d), { causal = causal == true }
      if causal == "mask" then o.mask = core.rand({ n, lk }, { generator = generator }):gt(0.7) end
      for _, t in ipairs { q, k, v } do t:requires_grad_(true) end
      local y = core.attention(q, k, v, o)
      local one = core.grad(y, { q, k, v }, { grad_output = dy, retain_graph = true })
      local other = core.grad(y, { q, k, v }, { grad_output = dy, create_graph = true })
      for i = 1, 3 do assert.is_true(naive.difference(one[i], naive.flat(other[i])) < 1e-5) end
      local heads_first = { 1, 3, 2, 4 }
      local s = core.matmul(q:permute(heads_first), k:permute { 1, 3, 4, 2 }) * d ^ -0.5
      if causal == true then
        local i, j = core.arange(1, lq):float():view(lq, 1), core.arange(1, lk):float():view(1, lk)
        s = s + (j - i):gt(lk - lq) * -1e30
      elseif o.mask then
        s = s + (1 - o.mask):view(n, 1, 1, lk) * -1e30
      end
      local expected = core.matmul(s:softmax(-1), v:permute(heads_first)):permute(heads_first)
      if causal == true and lq > lk then -- queries that see nothing
        expected = core.cat({ core.zeros(n, lq - lk, heads, d), expected:narrow(2, lq - lk + 1, lk) }, 2)
      end
      assert.is_true(naive.difference(y, naive.flat(expected)) < 1e-5)
    end
  end)

  it("gives the same bits on one thread and on two", function()
    local before = core.threads()
    for _, a in ipairs { { 2, 150, 70, 3, 24 }, { 1, 40, 1600, 2, 8 } } do
      local n, lq, lk, heads, d = table.unpack(a)
      local q, k, v = qkv(n, lq, lk, heads, d)
      local dy, results = randn(n, lq, heads, d), {}
      for _, t in ipairs { q, k, v } do t:requires_grad_(true) end
      for threads = 1, 2 do
        core.threads(threads)
        local y = core.attention(q, k, v)
        local g = core.grad(y, { q, k, v }, { grad_output = dy })
        results[threads] = y:to_string() .. g[1]:to_string() .. g[2]:to_string() .. g[3]:to_string()
      end
      core.threads(before)
      assert.is_true(results[1] == results[2])
    end
  end)

  it("never holds the scores: memory is that of its tensors and a few blocks #slow", function()
    local l, d, before = 4096, 16, core.threads()
    core.threads(1)
    local x = randn(1, l, 3 * d):requires_grad_(true)
    local dy = randn(1, l, d)
    collectgarbage()
    local live = core.memory(true).live
    core.grad(core.attention_qkv(x, 1), { x }, { grad_output = dy })
    core.threads(before)
    assert.is_true(core.memory().peak - live < 6 * 2 ^ 20) -- the scores alone are 64 MB
  end)

  it("takes no samples, no queries, no keys", function()
    assert.same({ 0, 2, 1, 4 }, core.attention(core.zeros(0, 2, 1, 4), core.zeros(0, 3, 1, 4),
      core.zeros(0, 3, 1, 4)).shape)
    assert.same({ 1, 0, 1, 4 }, core.attention(core.zeros(1, 0, 1, 4), core.zeros(1, 3, 1, 4),
      core.zeros(1, 3, 1, 4)).shape)
    local y = core.attention(core.ones(1, 2, 1, 4), core.zeros(1, 0, 1, 4), core.zeros(1, 0, 1, 4))
    assert.equal(0, y:abs():max():item())
  end)

  it("refuses what does not fit", function()
    local q = core.ones(2, 3, 2, 4)
    fails("bad argument #1 to 'attention' (q: expected (n,length,heads,d), got (3,2,4))", core.attention,
      core.ones(3, 2, 4), q, q)
    fails("bad argument #2 to 'attention' (k: expected (2,length,2,4) for q (2,3,2,4), got (2,3,1,4))", core.attention,
      q, core.ones(2, 3, 1, 4), q)
    fails("bad argument #3 to 'attention' (v: expected (2,3,2,4) as k has, got (2,5,2,4))", core.attention, q, q,
      core.ones(2, 5, 2, 4))
    fails("bad argument #4 to 'attention' (mask: expected (2,3) or (2,2,3,3), got (3,3))", core.attention, q, q, q,
      { mask = core.ones(3, 3) })
    fails("bad argument #4 to 'attention' (scale", core.attention, q, q, q, { scale = 0 / 0 })
    fails('unknown option "dropout"', core.attention, q, q, q, { dropout = 0.1 })
  end)

  describe("of q, k and v in one tensor", function()
    local function parts(x, heads)
      return x:view(x:size(1), x:size(2), 3 * heads, x:size(3) // 3 // heads):chunk(3, 3)
    end

    it("is attention on the parts, gradients too", function()
      for _, a in ipairs { { 2, 5, 3, 8 }, { 1, 130, 1, 17 }, { 1, 530, 2, 4 } } do
        local n, l, heads, d = table.unpack(a)
        local x, dy = randn(n, l, 3 * heads * d):requires_grad_(true), randn(n, l, heads * d)
        local mask = core.rand({ n, l }, { generator = generator }):gt(0.3)
        for _, o in ipairs { {}, { causal = true }, { mask = mask, scale = 0.3 } } do
          local y = core.attention_qkv(x, heads, o)
          local q, k, v = parts(x, heads)
          local expected = core.attention(q, k, v, o):view(n, l, heads * d)
          assert.is_true(naive.difference(y, naive.flat(expected)) < 1e-6)
          local dx = core.grad(y, { x }, { grad_output = dy, retain_graph = true })[1]
          assert.is_true(naive.difference(dx, naive.flat(core.grad(expected, { x }, { grad_output = dy })[1])) < 1e-5)
          dx = core.grad(y, { x }, { grad_output = dy, create_graph = true })[1]
          expected = core.grad(y, { x }, { grad_output = dy })[1]
          assert.is_true(naive.difference(dx, naive.flat(expected)) < 1e-5)
        end
      end
    end)

    it("has gradients of first and second order", function()
      gradcheck.check(function(x) return core.attention_qkv(x, 2) end, { randn(2, 3, 12) }, { second = true })
      local mask = core.tensor { { 1, 0, 1 } }
      gradcheck.check(function(x) return core.attention_qkv(x, 1, { causal = true, mask = mask, scale = 0.7 }) end,
        { randn(1, 3, 6) }, { second = true })
    end)

    it("takes no samples and no positions, and refuses what does not fit", function()
      assert.same({ 0, 2, 4 }, core.attention_qkv(core.zeros(0, 2, 12), 2).shape)
      assert.same({ 1, 0, 4 }, core.attention_qkv(core.zeros(1, 0, 12), 2).shape)
      assert.same({ 1, 2, 0 }, core.attention_qkv(core.zeros(1, 2, 0), 2).shape)
      for _, shape in ipairs { { 2, 12 }, { 1, 2, 10 }, { 1, 2, 9 } } do
        fails("bad argument #1 to 'attention_qkv' (qkv: expected (n,length,3*heads*d) with 2 heads, got",
          core.attention_qkv, core.ones(shape), 2)
      end
      fails("bad argument #2 to 'attention_qkv' (heads", core.attention_qkv, core.ones(1, 2, 12), 0)
      fails("bad argument #3 to 'attention_qkv' (mask: expected (1,2) or (1,2,2,2), got (2,2))", core.attention_qkv,
        core.ones(1, 2, 12), 2, { mask = core.ones(2, 2) })
    end)
  end)
end)
