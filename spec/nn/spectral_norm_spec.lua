-- Spectral norm: against the largest eigenvalue of W W', and its gradient against differences.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local gradcheck = require "spec.support.gradcheck"
local nn = require "laterna.nn"
local optim = require "laterna.optim"

-- The largest singular value of a matrix, by eigenvalues.
local function largest(w)
  local values = core.eigh(core.matmul(w, w:transpose())):totable()
  return math.sqrt(values[#values])
end

local function make(kind)
  if kind == "Linear" then return nn.Linear(5, 3), core.randn(4, 5) end
  if kind == "Conv2d" then return nn.Conv2d(4, 6, 3, { padding = 1, groups = 2 }), core.randn(2, 5, 5, 4) end
  return nn.ConvTranspose2d(3, 4, 2, { stride = 2 }), core.randn(2, 3, 3, 3)
end

-- The weight as a matrix whose rows are outputs.
local function matrix(kind, weight)
  if kind ~= "ConvTranspose2d" then return weight:view(weight:size(1), -1) end
  return weight:permute(4, 1, 2, 3):reshape(weight:size(4), -1)
end

describe("spectral norm", function()
  before_each(function() core.manual_seed(3) end)

  for _, kind in ipairs { "Linear", "Conv2d", "ConvTranspose2d" } do
    it("divides the weight of a " .. kind .. " by its largest singular value", function()
      local layer, x = make(kind)
      local weight, plain = layer.weight:detach():clone(), layer:clone()
      assert.equal(layer, nn.spectral_norm(layer, { iterations = 200 }))
      local y = layer(x)
      core.no_grad(function() plain.weight:mul_(1 / largest(matrix(kind, weight))) end)
      assert.is_true((y - plain(x)):abs():max():item() < 1e-5)
      assert.same(weight:totable(), layer.weight:totable())
      assert.truthy(tostring(layer):find("spectral norm", 1, true))
      assert.falsy(tostring(plain):find("spectral norm", 1, true)) -- other layers of the class stay as they were
    end)
  end

  it("has the gradient of W / sigma(W), sigma's own part included", function()
    local layer, x = make "Conv2d"
    nn.spectral_norm(layer, { iterations = 300 })
    layer(x)
    -- u and v stand still: at their limit the slope of sigma is the same as if they moved along
    layer:eval()
    local slope = core.grad(layer(x):sin():sum(), { layer.weight })[1]
    local direction = core.randn(layer.weight.shape)
    local function at(step)
      return core.no_grad(function()
        local moved = layer.weight + direction * step
        local y = core.conv2d(x, moved / largest(moved:view(6, -1)), layer.bias, layer.options)
        return y:sin():sum():item()
      end)
    end
    local h = 0.01
    local along_direction = (4 * (at(h / 2) - at(-h / 2)) / h - (at(h) - at(-h)) / (2 * h)) / 3
    assert.near(along_direction, (slope * direction):sum():item(), 2e-3 * math.max(1, math.abs(along_direction)))
    gradcheck.check(function() return layer(x) end, { layer.weight, layer.bias })
    -- scaling W changes nothing, so the gradient has no part along W
    layer:zero_grad()
    layer(x):square():sum():backward()
    local along = (layer.weight.grad * layer.weight):sum():item()
    assert.is_true(math.abs(along) < 1e-4 * layer.weight.grad:norm():item() * layer.weight:norm():item())
    assert.is_true(layer.weight.grad:norm():item() > 1e-3)
  end)

  it("has second derivatives, for gradient penalties", function()
    local net = nn.spectral_norm(nn.Sequential(nn.Linear(3, 4), core.tanh, nn.Linear(4, 1))):eval()
    local x = core.randn(2, 3)
    gradcheck.check(function() return net(x) end, { net[1].weight, net[3].weight, x }, { second = true })
  end)

  it("steps in training mode only, and follows the weight as it moves", function()
    local layer, x = make "Linear"
    nn.spectral_norm(layer)
    local opt = optim.SGD(layer:parameters(), { lr = 0.05 })
    for _ = 1, 40 do
      layer:zero_grad()
      layer(x):tanh():sum():backward()
      opt:step()
    end
    for _ = 1, 300 do layer(x) end
    layer:eval()
    local before = layer.weight_u:totable()
    local stretched = layer(core.eye(5)) - layer.bias -- rows are columns of the divided weight
    assert.near(1, largest(stretched), 1e-4)
    assert.same(before, layer.weight_u:totable())
    layer:train()
    core.no_grad(function() layer.weight:copy_(core.randn(3, 5)) end)
    layer(x)
    assert.not_same(before, layer.weight_u:totable())
  end)

  it("may be called many times before backward, as critics are", function()
    local layer, x = make "Linear"
    nn.spectral_norm(layer)
    local loss = layer(x):sum() + layer(x * 2):square():sum()
    loss:backward()
    assert.is_true(layer.weight.grad:norm():item() > 0)
  end)

  it("keeps names, saves its vectors, and goes through clone and load_state", function()
    local net = nn.Sequential(nn.Conv2d(1, 2, 3), core.relu, nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2))
    local names = {}
    for name in net:named_parameters() do names[#names + 1] = name end
    nn.spectral_norm(net)
    local after = {}
    for name in net:named_parameters() do after[#after + 1] = name end
    assert.same(names, after)
    local state, vectors = net:state(), 0
    for name in pairs(state) do vectors = vectors + (name:find "weight_[uv]$" and 1 or 0) end
    assert.equal(4, vectors)
    local other = nn.spectral_norm(nn.Sequential(nn.Conv2d(1, 2, 3), core.relu, nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)))
    other:load_state(state)
    local x = core.randn(3, 6, 6, 1)
    local copy = net:clone()
    for _, twin in ipairs { other, copy } do
      local a = twin(x)
      net:load_state(state)
      assert.same(net(x):totable(), a:totable())
    end
    for _, p in ipairs(copy:parameters()) do assert.is_true(p.requires_grad) end
    assert.equal(net, nn.spectral_norm(net)) -- twice is once
    local again = net:state()
    for name in pairs(state) do again[name] = nil end
    assert.is_nil(next(again))
  end)

  it("leaves a weight of zeros, as residual blocks start with, until it is one", function()
    local layer = nn.Linear(3, 2, { bias = false })
    core.no_grad(function() layer.weight:fill_(0) end)
    nn.spectral_norm(layer)
    local y = layer(core.ones(1, 3))
    assert.same({ { 0, 0 } }, y:totable())
    y:sum():backward()
    assert.same({ { 1, 1, 1 }, { 1, 1, 1 } }, layer.weight.grad:totable())
    core.no_grad(function() layer.weight:copy_(core.tensor { { 1e-4, 0, 0 }, { 0, 2e-5, 0 } }) end)
    for _ = 1, 20 do layer(core.eye(3)) end
    assert.near(1, layer(core.eye(3))[1][1]:item(), 1e-5)
    assert.near(0.2, layer(core.eye(3))[2][2]:item(), 1e-5)
  end)

  it("refuses what has no such weight", function()
    fails("bad argument #1 to 'spectral_norm' (module: expected a module, got 3)", nn.spectral_norm, 3)
    fails("bad argument #1 to 'spectral_norm' (module: it has no layer with a weight of two axes or more)",
      nn.spectral_norm, nn.BatchNorm2d(3))
    fails("bad argument #2 to 'spectral_norm' (iterations: expected integer from 1 to 1000, got 0)",
      nn.spectral_norm, nn.Linear(1, 1), { iterations = 0 })
  end)
end)
