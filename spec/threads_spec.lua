-- The same bits on any number of threads; nothing hangs when programs are started; memory stays flat over a long
-- training.
local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

-- A few steps of a net with most kinds of layers in it; the bytes of its weights afterwards.
local function train(threads)
  local before = core.threads()
  core.threads(threads)
  core.manual_seed(11)
  local net = nn.Sequential(
    nn.Conv2d(3, 32, 3, { padding = 1 }), nn.GroupNorm(8, 32), core.silu,
    nn.Conv2d(32, 48, 4, { stride = 2, padding = 1 }), nn.BatchNorm2d(48), core.relu, nn.MaxPool2d(2),
    function(h) return h:view(h:size(1), -1, 48) end,
    nn.Residual(nn.MultiheadAttention(48, 4)), nn.LayerNorm(48),
    function(h) return h:view(h:size(1), 4, 4, 48) end,
    nn.ConvTranspose2d(48, 16, 4, { stride = 2, padding = 1 }), core.gelu,
    function(h) return h:flatten(2) end, nn.Dropout(0.1), nn.Linear(8 * 8 * 16, 10))
  local optimizer = optim.AdamW(net:parameters(), { lr = 1e-3 })
  local x, ids = core.randn(33, 16, 16, 3), core.randint(1, 10, { 33 })
  for _ = 1, 3 do
    local loss = core.cross_entropy(net(x), ids)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
  end
  core.threads(before)
  local bytes = {}
  for _, p in ipairs(net:parameters()) do bytes[#bytes + 1] = p:to_string() end
  return table.concat(bytes)
end

local function resident()
  local file = io.open "/proc/self/statm"
  if not file then return end
  local pages = file:read "a":match "%d+ (%d+)"
  file:close()
  return tonumber(pages)
end

describe("threads #child", function()
  it("do not change a bit of a training", function()
    local one = train(1)
    assert.is_true(one == train(2), "one and two threads differ")
    assert.is_true(one == train(5), "one and five threads differ")
  end)

  it("are asked for by number", function()
    local before = core.threads()
    assert.equal(3, core.threads(3))
    assert.equal(3, core.info().threads)
    core.threads(before)
    assert.has_error(function() core.threads(0) end)
    assert.has_error(function() core.threads(1.5) end)
  end)

  it("survive programs that are started while they wait", function()
    for _ = 1, 3 do
      core.matmul(core.randn(300, 300), core.randn(300, 300))
      local pipe = assert(io.popen "echo alive")
      assert.equal("alive", pipe:read "l")
      pipe:close()
    end
  end)
end)

describe("a long training #training", function()
  it("of 10,000 steps grows resident memory by less than 1 %", function()
    if not resident() or os.getenv "LATERNA_SANITIZED" then return end -- sanitizers keep what is freed for a while
    core.manual_seed(1)
    local net = nn.Sequential(nn.Linear(32, 64), core.relu, nn.Linear(64, 8))
    local optimizer = optim.Adam(net:parameters(), { lr = 1e-3 })
    local x, y = core.randn(64, 32), core.randn(64, 8)
    local function step()
      local loss = core.mse_loss(net(x), y)
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
    for _ = 1, 3000 do step() end
    local before = resident()
    for _ = 1, 10000 do step() end
    local after = resident()
    assert.is_true(after <= before * 1.01, ("%d pages grew to %d"):format(before, after))
  end)
end)
