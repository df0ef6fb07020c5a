-- A run within a budget of memory.
local core = require "laterna.core"
local lt = require "laterna"
local memory = require "laterna.train.memory"
local nn = require "laterna.nn"

local function net()
  core.manual_seed(5)
  return nn.DiT { size = 16, patch = 2, dim = 128, depth = 6, heads = 2 }
end

-- Trains, and gives the weights, what was printed, and how many blocks are computed again.
local function trained(budget, steps)
  local model, text, stderr = net(), {}, io.stderr
  local opt = lt.optim.AdamW(model:parameters(), { lr = 1e-3 })
  collectgarbage()
  local run = lt.train.run { model = model, optimizer = opt, steps = steps or 5, memory = budget, seed = 2 }
  rawset(io, "stderr", { write = function(_, ...) text[#text + 1] = table.concat { ... } end })
  local ok, err = pcall(function()
    for _ in run:steps() do
      local x = lt.randn(24, 16, 16, 1)
      opt:update((model(x, lt.rand(24)) - x):square():mean())
      collectgarbage()
    end
  end)
  rawset(io, "stderr", stderr)
  assert(ok, err)
  local flat, count = {}, 0
  for i, p in ipairs(model:parameters()) do flat[i] = p:detach():view(-1) end
  for _, block in ipairs(model.blocks) do count = count + (block.recomputed and 1 or 0) end
  return core.cat(flat, 1), table.concat(text), count
end

describe("a run's budget of memory #training", function()
  it("is kept by as many blocks as it takes, and does not change a bit", function()
    local weights = trained(nil)
    collectgarbage()
    local plenty, text, count = trained "4 GB"
    assert.equal(0, count)
    assert.matches("memory: a step takes %d+ MB; no block is computed again in backward", text)
    local most = 1e6 * tonumber(text:match "takes (%d+) MB")
    local least, narrow = trained(1)
    local all = 1e6 * tonumber(narrow:match "takes (%d+) MB")
    assert.matches("more than the 1 MB asked for; 6 of 6 blocks are computed again in backward, about %d+ %% more time",
      narrow)
    assert.is_true(all < 0.7 * most, narrow .. text)
    local half, some, number = trained((most + all) // 2)
    assert.is_true(number > 0 and number < 6, some)
    assert.is_true(1e6 * tonumber(some:match "takes (%d+) MB") <= (most + all) // 2 + 1e6, some)
    for _, other in ipairs { plenty, least, half } do assert.equal(0, (weights - other):abs():max():item()) end
  end)

  it("is written with a unit", function()
    assert.equal(600000000, memory.bytes "600 MB")
    assert.equal(600000000, memory.bytes " 600mb ")
    assert.equal(3 << 29, memory.bytes "1.5 GiB")
    assert.equal(2048, memory.bytes "2 KiB")
    assert.equal(12, memory.bytes(12))
    for _, bad in ipairs { "600", "MB", "600 MX", "-1 MB", "1 MB more", 0, -5, 0 / 0, math.huge, "0 MB", {}, true } do
      assert.is_nil(memory.bytes(bad))
    end
    assert.error_matches(function() lt.train.run { model = net(), steps = 1, memory = "600 MX" } end,
      "bad argument #1 to 'run' %(memory: expected bytes, or a text such as \"600 MB\" .*, got \"600 MX\"%)")
  end)

  it("asks for blocks", function()
    assert.error_matches(function() lt.train.run { model = nn.Linear(2, 2), steps = 1, memory = "1 MB" } end,
      "memory: the model has no blocks that could be computed again")
  end)
end)
