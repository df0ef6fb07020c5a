-- Modules: what counts as a parameter, in which order and under which name; modes, copies, printing.

local core = require "laterna.core"
local nn = require "laterna.nn"
local walk = require "laterna.nn.walk"

local function names(iterator)
  local out = {}
  for name in iterator do out[#out + 1] = name end
  return out
end

local Block = nn.class("Block", function(self, d)
  self.fc = nn.Linear(d, d)
  self.scale = core.ones(d)
end)
function Block:forward(x) return self.fc(x) * self.scale end

local Net = nn.class("Net", function(self, depth)
  self.blocks = {}
  for i = 1, depth do self.blocks[i] = Block(2) end
  self.head = nn.Sequential(nn.Linear(2, 3), core.relu, nn.Linear(3, 1, { bias = false }))
  self.position = core.zeros(2)
  self.count = core.zeros(1)
  self.ids = core.tensor({ 1, 2 }, { dtype = "int32" })
  self.buffers = { count = true }
  self.width = 2
end)
function Net:forward(x)
  for _, block in ipairs(self.blocks) do x = block(x) end
  return self.head(x + self.position)
end

describe("a module", function()
  it("is walked as it is now, not as it was before", function()
    local net = Net(1)
    local before = names(net:named_parameters())
    assert.same(before, names(net:named_parameters()))
    net.alpha, net.position = core.zeros(1), nil
    assert.same({ "alpha", "blocks.0.fc.bias", "blocks.0.fc.weight", "blocks.0.scale", "head.0.bias", "head.0.weight",
      "head.2.weight" }, names(net:named_parameters()))
    net.alpha, net.beta = nil, core.zeros(1)
    assert.equal("beta", names(net:named_parameters())[1])
    net.beta, net.position = nil, core.zeros(2)
    assert.same(before, names(net:named_parameters()))
  end)

  it("is found with all below it without their names, too", function()
    local net = Net(3)
    net.again, net.own = net.blocks[2], net -- shared, and leading back
    net.blocks.more = { deeper = { Block(1) } }
    net.other = setmetatable({ Block(1) }, {}) -- an object is not looked into
    local listed, found = {}, {}
    for _, m in net:named_modules() do listed[m] = true end
    local list = walk.modules(net)
    for _, m in ipairs(list) do found[m] = true end
    assert.same(listed, found)
    assert.equal(12, #list)
  end)

  it("names its parameters as PyTorch does", function()
    assert.same({
      "blocks.0.fc.bias", "blocks.0.fc.weight", "blocks.0.scale",
      "blocks.1.fc.bias", "blocks.1.fc.weight", "blocks.1.scale",
      "head.0.bias", "head.0.weight", "head.2.weight", "position",
    }, names(Net(2):named_parameters()))
    assert.same({ "count", "ids" }, names(Net(2):named_buffers()))
    assert.same({ "", "blocks.0", "blocks.0.fc", "head", "head.0", "head.2" }, names(Net(1):named_modules()))
  end)

  it("sorts block10 behind block2", function()
    local found = {}
    for _, name in ipairs(names(Net(11):named_parameters())) do
      local i = name:match "^blocks%.(%d+)%.scale$"
      if i then found[#found + 1] = tonumber(i) end
    end
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, found)
    local m = nn.class("M", function(self)
      for _, key in ipairs { "block10", "block2", "a", "block", "b2c10", "b2c9" } do self[key] = core.zeros(1) end
    end)()
    assert.same({ "a", "b2c9", "b2c10", "block", "block2", "block10" }, names(m:named_parameters()))
  end)

  it("trains what its constructor made, and is called", function()
    local net = Net(1)
    for _, p in ipairs(net:parameters()) do assert.is_true(p.requires_grad) end
    assert.is_false(net.count.requires_grad)
    net(core.ones(4, 2)):sum():backward()
    for name, p in net:named_parameters() do assert.is_truthy(p.grad, name) end
    net:zero_grad()
    for _, p in ipairs(net:parameters()) do
      assert.is_true(p.grad == nil or p.grad:abs():sum():item() == 0)
    end
  end)

  it("counts shared parameters and modules once", function()
    local m = nn.class("Tied", function(self)
      self.a = nn.Linear(2, 2)
      self.b = nn.Linear(2, 2)
      self.b.weight = self.a.weight
      self.c = self.a
    end)()
    assert.same({ "a.bias", "a.weight", "b.bias" }, names(m:named_parameters()))
    assert.equal(3, #m:parameters())
  end)

  it("may lead back to itself", function()
    local m = Net(1)
    m.head.parent = m
    m.list = { m }
    m.list[2] = m.list
    assert.equal(7, #m:parameters())
    assert.is_truthy(tostring(m):find "Net%(")
    assert.is_true(m:clone().head.parent.head.parent ~= m)
  end)

  it("refuses to hold a result", function()
    local m = Net(1)
    m.last = m(core.ones(1, 2))
    assert.has_error(function() m:parameters() end,
      "bad argument to 'parameters' (field last is the result of an operation, not a parameter: "
      .. "modules keep no activations)")
  end)

  it("refuses two fields of one name", function()
    local m = nn.Sequential(nn.Linear(1, 1))
    m["0"] = nn.Linear(1, 1)
    assert.error_matches(function() m:parameters() end, "two fields are called 0%.bias")
  end)

  it("looks into plain tables only", function()
    local m = Net(1)
    m.data = setmetatable({ images = core.zeros(3) }, {})
    m.words = { "a", "b", { c = 1 } }
    assert.equal(7, #m:parameters())
    m.extra = { core.zeros(1), deeper = { core.zeros(1) } }
    local last = names(m:named_parameters())
    assert.same({ "extra.0", "extra.deeper.0" }, { last[4], last[5] })
  end)

  it("switches modes all the way down", function()
    local net = Net(2)
    assert.is_true(net.blocks[2].fc.training)
    assert.equal(net, net:eval())
    assert.is_false(net.blocks[2].fc.training)
    assert.is_true(net:train().head[1].training)
    assert.is_false(net:train(false).head[1].training)
  end)

  it("freezes and unfreezes", function()
    local net = Net(1)
    net.blocks[1]:freeze()
    assert.is_false(net.blocks[1].fc.weight.requires_grad)
    assert.is_true(net.position.requires_grad)
    net(core.ones(1, 2)):sum():backward()
    assert.is_nil(net.blocks[1].fc.weight.grad)
    assert.is_truthy(net.position.grad)
    net:unfreeze()
    assert.is_true(net.blocks[1].fc.weight.requires_grad)
  end)

  it("applies a function, children first", function()
    local seen = {}
    local net = Net(1)
    assert.equal(net, net:apply(function(m) seen[#seen + 1] = getmetatable(m).__name end))
    assert.same({ "Linear", "Linear", "Sequential", "Linear", "Block", "Net" }, seen)
  end)

  it("is copied so that nothing is shared", function()
    local net = Net(2)
    net.head[3].weight = net.head[1].weight
    net.position:requires_grad_(false)
    local copy = nn.clone(net)
    assert.same(names(net:named_parameters()), names(copy:named_parameters()))
    assert.equal(copy.head[1].weight, copy.head[3].weight) -- sharing is kept
    assert.is_false(copy.position.requires_grad)
    assert.is_true(copy.blocks[1].scale.requires_grad)
    for i, p in ipairs(copy:parameters()) do
      assert.is_true(p ~= net:parameters()[i])
      core.no_grad(p.fill_, p, 5)
    end
    core.no_grad(copy.count.fill_, copy.count, 5)
    assert.equal(0, net.count:item())
    assert.equal(1, net.blocks[1].scale[1]:item())
    copy.blocks[3] = Block(2)
    assert.equal(2, #net.blocks)
  end)

  it("is not copied where a function would go on using the original's layers", function()
    local net = nn.Sequential(nn.Linear(2, 2))
    local first = net[1]
    net.hook = function(x) return first(x) end
    assert.error_matches(function() net:clone() end, "'clone' %(hook: a function with first in its scope")
    net.hook = function(own, x) return own[1](x) end
    assert.equal(net.hook, net:clone().hook)
  end)

  it("prints as a tree", function()
    assert.equal([[
Net(
  (blocks): list(
    (0): Block(
      (fc): Linear(2 -> 2)
    )
  )
  (head): Sequential(
    (0): Linear(2 -> 3)
    (1): relu
    (2): Linear(3 -> 1, no bias)
  )
) 22 parameters]], tostring(Net(1)))
    assert.equal("Linear(1000 -> 1000) 1,001,000 parameters", tostring(nn.Linear(1000, 1000)))
    assert.equal("Conv2d(4 -> 6, kernel 3x1, stride 2, padding 1x0, groups 2, no bias) 36 parameters",
      tostring(nn.Conv2d(4, 6, { 3, 1 }, { stride = 2, padding = { 1, 0 }, groups = 2, bias = false })))
    assert.equal("class Net", tostring(Net))
  end)

  it("says what is wrong with a call", function()
    local m = nn.class("Silent", function() end)()
    assert.error_matches(function() m(1) end, "class Silent has no forward function")
    assert.error_matches(function() m.parameters() end, "expected a module, got nil; call it as m:parameters%(%)")
    assert.error_matches(function() m.parameters {} end, "expected a module, got table")
    assert.error_matches(function() m:apply(3) end, "bad argument #1 to 'apply' %(f: expected callable, got 3%)")
    assert.error_matches(function() m:train "yes" end, "bad argument #1 to 'train'")
    assert.error_matches(function() nn.class(1, print) end, "bad argument #1 to 'class' %(name: expected string")
    assert.error_matches(function() nn.class("A") end, "bad argument #2 to 'class'")
    assert.error_matches(function() nn.clone {} end, "bad argument #1 to 'clone' %(module: expected a module")
    m.buffers = 3
    assert.error_matches(function() m:parameters() end, "buffers: expected table, got 3")
  end)
end)
