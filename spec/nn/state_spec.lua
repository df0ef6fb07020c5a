-- States in PyTorch's names and layouts: first weights, loading, and loads that are refused.

local core = require "laterna.core"
local nn = require "laterna.nn"
local golden = require "spec.golden.nn_torch"

local Net = nn.class("Net", function(self)
  self.stem = nn.Conv2d(3, 4, 3, { stride = 2, padding = 1 })
  self.blocks = {}
  for i = 1, 2 do
    local conv = nn.Conv2d(4, 4, { 3, 1 }, { groups = 2, bias = false })
    self.blocks[i] = nn.Sequential(nn.GroupNorm(2, 4), core.silu, conv)
  end
  self.norm = nn.BatchNorm2d(4)
  self.up = nn.ConvTranspose2d(4, 2, 2, { stride = 2, groups = 2 })
  self.words = nn.Embedding(5, 6)
  self.ln = nn.LayerNorm(6)
  self.attention = nn.MultiheadAttention(6, 2)
  self.cross = nn.MultiheadAttention(6, 2, { context_dim = 4 })
  self.out = nn.Linear(6, 3)
end)

local function flat(t)
  return t:view { t:numel() }:totable()
end

local function load(lines)
  local out = {}
  for name, entry in pairs(lines) do out[name] = core.tensor(entry):view(entry.shape) end
  return out
end

local function near(expected, got, tolerance, what)
  assert.equal(#expected, #got, what)
  for i, v in ipairs(expected) do
    assert.is_true(math.abs(v - got[i]) <= tolerance, ("%s[%d]: expected %.9g, got %.9g"):format(what, i, v, got[i]))
  end
end

describe("a state", function()
  it("has PyTorch's names, layouts and first weights for a seed", function()
    core.manual_seed(7)
    local state = Net():state()
    for name, expected in pairs(golden.net) do
      assert.is_truthy(state[name], name)
      assert.same(expected.shape, state[name].shape, name)
      near(expected, flat(state[name]), 2e-7, name)
    end
    for name in pairs(state) do assert.is_truthy(golden.net[name], name) end
  end)

  it("comes back bit for bit, and is a copy", function()
    local a, b = Net(), Net()
    local state = a:state()
    assert.equal(b, b:load_state(state))
    local copy = b:state()
    for name, t in pairs(state) do assert.equal(t:to_string(), copy[name]:to_string(), name) end
    core.no_grad(a.out.weight.zero_, a.out.weight)
    assert.is_true(state["out.weight"]:abs():sum():item() > 0)
    assert.is_true(b.out.weight.requires_grad)
    for _, t in pairs(state) do assert.is_false(t.requires_grad) end
  end)

  it("takes PyTorch's counters of batches and the other names of a shared tensor", function()
    local net = Net()
    net.again = net.words.weight
    local state = net:state()
    assert.is_truthy(state.again)
    assert.is_nil(state["words.weight"])
    state["norm.num_batches_tracked"] = core.tensor({ 3 }, { dtype = "int32" })
    state["words.weight"], state.again = state.again, nil
    net:load_state(state)
  end)

  it("lists everything that does not fit, and then changes nothing", function()
    local m = nn.class("M", function(self)
      self.fc = nn.Linear(2, 3)
      self.conv = nn.Conv2d(1, 2, 3)
    end)()
    local before = m:state()
    local message = select(2, pcall(m.load_state, m, {
      ["fc.weight"] = core.zeros(2, 3), ["fc.bias"] = core.zeros(3), ["conv.weight"] = core.zeros(2, 3, 3, 1),
      ["conv.bias"] = core.tensor({ 1, 2 }, { dtype = "int32" }), b10 = core.zeros(1), b9 = "text", [1] = core.zeros(1),
    }))
    assert.is_truthy(message:find([[
bad argument #1 to 'load_state' (state: does not fit M:
  extra:
    1
    b9
    b10
  misshapen:
    conv.bias: expected float32, got int32
    conv.weight: expected (2,1,3,3), got (2,3,3,1)
    fc.weight: expected (3,2), got (2,3)]], 1, true), message)
    message = select(2, pcall(m.load_state, m, { ["fc.bias"] = 7 }))
    assert.is_truthy(message:find([[
  missing:
    conv.bias (2)
    conv.weight (2,1,3,3)
    fc.weight (3,2)
  misshapen:
    fc.bias: expected tensor, got 7]], 1, true), message)
    local after = m:state()
    for name, t in pairs(before) do assert.equal(t:to_string(), after[name]:to_string()) end
    assert.error_matches(function() m:load_state "file" end, "state: expected table, got \"file\"")
    assert.has_error(function() m:load_state() end)
  end)
end)

describe("weights from PyTorch", function()
  local function layer_case(name, layer)
    local case = golden.forward[name]
    layer:load_state(load(case.state))
    return layer, case
  end

  it("convolve", function()
    local conv, case = layer_case("conv", nn.Conv2d(4, 6, { 3, 2 },
      { stride = { 2, 1 }, padding = { 1, 0 }, dilation = { 1, 2 }, groups = 2 }))
    local y = conv(core.tensor(case.x):view { 2, 5, 6, 4 })
    assert.same(case.shape, y.shape)
    near(case.y, flat(y), 1e-6, "y")
  end)

  it("convolve the other way", function()
    local conv, case = layer_case("transposed", nn.ConvTranspose2d(4, 6, { 3, 2 },
      { stride = 2, padding = 1, output_padding = 1, groups = 2 }))
    local y = conv(core.tensor(case.x):view { 2, 3, 4, 4 })
    assert.same(case.shape, y.shape)
    near(case.y, flat(y), 1e-6, "y")
  end)

  local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read "a"
    file:close()
    return text
  end

  -- spec/golden/conv_state.py: written by Python's safetensors from a PyTorch net in evaluation mode.
  it("come in a file, and go into the same file", function()
    local path = debug.getinfo(1, "S").source:match "^@(.*)nn/state_spec%.lua$" .. "golden/conv_state.safetensors"
    local values = core.load_safetensors(path)
    local x, y = values["input.x"], values["output.y"]
    values["input.x"], values["output.y"] = nil, nil
    local net = require "spec.support.conv_net" ()
    net:load_state(values):eval()
    near(flat(y), flat(net(x)), 1e-6, "y")
    local state = net:state()
    state["input.x"], state["output.y"] = x, y
    local copy = os.tmpname()
    core.save_safetensors(copy, state)
    local text = read(copy)
    os.remove(copy)
    assert.equal(read(path), text)
  end)

  local function wave(...)
    local n = 1
    for _, size in ipairs { ... } do n = n * size end
    return core.sin(core.arange(1, n)):view { ... }
  end

  it("attend to themselves and to others", function()
    local attention, case = layer_case("attention", nn.MultiheadAttention(6, 2))
    local x = wave(2, 3, 6)
    near(case.y, flat(attention(x)), 2e-6, "y")
    near(case.y, flat(attention(x, x)), 2e-6, "y")
    near(case.masked, flat(attention(x, nil, core.tensor { { 1, 1, 0 }, { 1, 1, 1 } })), 2e-6, "masked")
    near(case.other, flat(attention(x, wave(2, 4, 6))), 2e-6, "other")
    local cross
    cross, case = layer_case("cross", nn.MultiheadAttention(6, 2, { context_dim = 4 }))
    local keep = core.tensor { { 1, 1, 1, 1, 0 }, { 1, 0, 0, 0, 0 } }
    near(case.y, flat(cross(x, wave(2, 5, 4), keep)), 2e-6, "cross")
  end)
end)

describe("a field that has been renamed", function()
  local function class(formerly)
    local Inner = nn.class("Inner", function(self) self.since = core.zeros(2) end)
    local Outer = nn.class("Outer", function(self) self.inner, self.list = nn.Linear(2, 1), { Inner(), Inner() } end)
    if formerly then Inner.formerly, Outer.formerly = { since = "told" }, { inner = "core" } end
    return Outer()
  end

  it("loads from a state of then, at any depth, and from one of now; what is saved has the new name", function()
    local net, old = class(true), {}
    for name, t in pairs(net:state()) do
      old[(name:gsub("^inner", "core"):gsub("since$", "told"))] = t + 1
    end
    assert.is_truthy(old["core.weight"] and old["list.1.told"])
    net:load_state(old)
    assert.same({ 1, 1 }, net.list[2].since:totable())
    assert.same(old["core.weight"]:totable(), net.inner.weight:totable())
    local state = net:state()
    assert.is_truthy(state["inner.weight"] and state["list.0.since"])
    assert.is_nil(state["core.weight"])
    net:load_state(state)
    local other = class(false)
    assert.has_error(function() other:load_state(old) end)
  end)
end)
