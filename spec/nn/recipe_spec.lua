-- What is kept of how a module was made.
local lt = require "laterna"
local nn = lt.nn
local recipe = require "laterna.nn.recipe"

describe("a recipe", function()
  it("holds class and arguments, apart from the caller's tables", function()
    local options = { bias = false, list = { 1, 2 } }
    local Net = nn.class("Net", function(self, _, o)
      self.fc = nn.Linear(1, 1, { bias = o.bias })
      o.more = self.fc
    end)
    local net = Net(3, options, "more than it takes")
    options.bias, options.list[1] = true, 7
    local class, args, changes = recipe.of(net)
    assert.equal(Net, class)
    assert.same({ n = 2, 3, { bias = false, list = { 1, 2 } } }, { n = args.n, args[1], args[2] })
    assert.same({}, changes)
    local _, more = recipe.of(nn.Sequential(net, lt.silu, net))
    assert.is_true(rawequal(more[1], net) and rawequal(more[3], net))
    assert.equal(lt.silu, more[2])
  end)

  it("is no field: walks, copies of fields and texts do not meet it", function()
    local layer, names = nn.Linear(2, 3), {}
    for key in pairs(layer) do
      if type(key) == "string" then names[#names + 1] = key end
    end
    table.sort(names)
    assert.same({ "bias", "training", "weight" }, names)
    assert.equal(2, #layer:parameters())
    assert.is_nil(tostring(nn.Sequential(layer)):find("ecipe", 1, true))
  end)

  it("of a clone names the clone's modules, those too that only the recipe holds", function()
    local Holder = nn.class("Holder", function(self, net) self.width = net.weight:size(1) end)
    local inner = nn.Linear(1, 2)
    local net = nn.Sequential(nn.Sequential(inner), Holder(inner), Holder(nn.Linear(1, 4)))
    local copy = net:clone()
    local _, args = recipe.of(copy)
    assert.is_true(rawequal(args[1], copy[1]))
    local _, first = recipe.of(copy[1])
    local _, second = recipe.of(copy[2])
    local _, third = recipe.of(copy[3])
    assert.is_true(rawequal(first[1], copy[1][1]) and rawequal(second[1], copy[1][1]))
    local _, kept = recipe.of(net[3])
    assert.is_false(rawequal(third[1], kept[1]))
    assert.same({ 4, 1 }, third[1].weight.shape)
    local _, own = recipe.of(net)
    assert.is_true(rawequal(own[1], net[1]))
  end)

  it("knows makers of functions, and what was done to a module later", function()
    local late = lt.schedule.shift(lt.schedule.cosine(), 3)
    local name, args = recipe.maker_of(late)
    assert.equal("lt.schedule.shift", name)
    assert.equal("lt.schedule.cosine", (recipe.maker_of(args[1])))
    assert.equal(3, args[2])
    assert.is_nil((recipe.maker_of(function() end)))
    assert.equal("lt.gan.losses.hinge", recipe.constant_name(lt.gan.losses.hinge))
    local layer = nn.spectral_norm(nn.Linear(2, 2), { iterations = 2 })
    local class, _, changes = recipe.of(layer)
    assert.equal(nn.Linear, class)
    assert.equal("lt.nn.spectral_norm", changes[1].name)
    assert.same({ iterations = 2 }, changes[1].args[1])
  end)

  it("goes on when a class cannot say what it is called with", function()
    local Odd = nn.class("Odd", function(self) self.fc = nn.Linear(1, 1) end)
    function Odd.arguments() error "no" end
    local _, args = recipe.of(Odd())
    assert.is_true(recipe.is_missing(args[1]))
  end)

  it("lets what it names be collected with the module #slow", function()
    local alive = setmetatable({}, { __mode = "k" })
    do
      local net = nn.Sequential(nn.Linear(2, 2))
      alive[net], alive[net[1]] = true, true
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(alive))
  end)
end)
