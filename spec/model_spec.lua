-- A model file paints by itself: every kind of model, from a file and from a run's folder, in a process that has seen
-- neither the data nor the script.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local lt = require "laterna"
local models = require "spec.support.models"
local nn = lt.nn

local folder
setup(function() folder = child.folder() end)
teardown(function() child.remove(folder) end)

local names = {}
for name in pairs(models.made) do names[#names + 1] = name end
table.sort(names)

-- Opens what is at each path, in another process, and gives its pictures back by name.
local function painted_elsewhere(paths)
  local list = {}
  for name, path in pairs(paths) do list[#list + 1] = ("[%q] = %q"):format(name, path) end
  local out = folder .. "/painted.safetensors"
  local ok, output = child.run(([[
    local lt = require "laterna"
    local pictures = {}
    local cond = { text = { "a red star", "a blue circle" } }
    for name, path in pairs { %s } do
      local before = lt.default_generator():state()
      local model = lt.open(path)
      assert(lt.default_generator():state() == before, "the random state has moved")
      assert(not model.training)
      pictures[name] = model:sample(cond, model.schedule and { sampler = "ddim", steps = 3, seed = 5 } or { seed = 5 })
    end
    lt.save(%q, pictures)
  ]]):format(table.concat(list, ", "), out))
  assert.is_true(ok, output)
  return lt.load(out)
end

local function same(expected, got, what)
  assert.same(expected.shape, got.shape, what)
  assert.is_true(expected:to_string() == got:to_string(), what .. " differs")
end

describe("a model's file", function()
  it("paints the same pictures in a process that has never seen its data #child", function()
    local paths, pictures = {}, {}
    for _, name in ipairs(names) do
      local model, options = models.make(name)
      paths[name] = ("%s/%s.safetensors"):format(folder, name)
      lt.save_model(paths[name], model)
      pictures[name] = models.sample(model, options)
    end
    local painted = painted_elsewhere(paths)
    for _, name in ipairs(names) do same(pictures[name], painted[name], name) end
  end)

  it("is the same file when what was opened is saved again #slow", function()
    for _, name in ipairs(names) do
      local path, again = ("%s/%s.safetensors"):format(folder, name), folder .. "/again.safetensors"
      lt.save_model(path, (models.make(name)))
      lt.save_model(again, lt.open(path))
      local a, b = assert(io.open(path, "rb")), assert(io.open(again, "rb"))
      assert.is_true(a:read "a" == b:read "a", name)
      a:close()
      b:close()
    end
  end)

  it("opens from a run's folder with its averaged weights, or without them #child", function()
    local paths, pictures = {}, {}
    for _, averaged in ipairs { true, false } do
      local name = averaged and "averaged" or "plain"
      local model, options = models.make "diffusion"
      local ema = averaged and lt.optim.Ema(model, 0.5) or nil
      local opt = lt.optim.Adam(model:parameters(), { lr = 1e-2 })
      paths[name] = folder .. "/" .. name
      local run = lt.train.run { save = paths[name], steps = 2, model = model, optimizer = opt, ema = ema,
                                 progress = false }
      for _ in run:steps() do
        local loss = model:loss(lt.rand(2, 8, 8, 3), { text = { "a red star", "" } })
        opt:zero_grad()
        loss:backward()
        opt:step()
        if ema then ema:update() end
      end
      pictures[name] = models.sample(averaged and ema.model or model, options)
      assert.equal(averaged or nil, lt.inspect(paths[name]).averaged)
    end
    local painted = painted_elsewhere(paths)
    for name, x in pairs(pictures) do same(x, painted[name], name) end
    same(pictures.plain, models.sample(lt.open(paths.plain .. "/checkpoint.safetensors"), { sampler = "ddim", steps = 3,
      seed = 5 }), "the checkpoint by its own name")
  end)

  it("holds modules that a clone was given, not the original's", function()
    local model, options = models.make "latent"
    local copy = model:clone()
    lt.no_grad(function()
      for _, p in ipairs(model:parameters()) do p:zero_() end
    end)
    local path = folder .. "/copy.safetensors"
    lt.save_model(path, copy)
    same(models.sample(copy, options), models.sample(lt.open(path), options), "the copy")
  end)

  it("keeps a module that stands twice one", function()
    local model = models.make "shared"
    local path = folder .. "/shared.safetensors"
    lt.save_model(path, model)
    local opened = lt.open(path)
    assert.is_true(rawequal(opened.text, opened.generator.text))
    assert.equal(#model:parameters(), #opened:parameters())
  end)

  it("of half the size opens with the values rounded to bfloat16", function()
    local model = models.make "vae"
    local whole, half = folder .. "/whole.safetensors", folder .. "/half.safetensors"
    lt.save_model(whole, model)
    lt.save_model(half, model, { dtype = "bfloat16" })
    assert.is_true(lt.inspect(half).bytes < 0.55 * lt.inspect(whole).bytes)
    local got, expected = lt.open(half):state(), model:state()
    for name, t in pairs(expected) do
      local most = t:dim() >= 2 and t:abs():max():item() / 256 or 0
      assert.is_true((got[name] - t):abs():max():item() <= most, name)
    end
  end)

  it("is in evaluation mode and trains on", function()
    local path = folder .. "/on.safetensors"
    lt.save_model(path, (models.make "vae"))
    local model = lt.open(path)
    assert.is_false(model.training)
    assert.is_false(model.decoder.training)
    local loss = model:train():loss(lt.rand(2, 8, 8, 3), { text = { "a red star", "" } })
    loss:backward()
    assert.is_truthy(model:parameters()[1].grad)
  end)
end)

describe("classes of a script's own", function()
  local Net = nn.class("Net", function(self, width, options)
    self.fc = nn.Linear(4, width)
    self.scale = options.scale
    self.text = options.text
  end)
  function Net:forward(x) return self.fc(x) * self.scale end

  local path
  before_each(function() path = folder .. "/net.safetensors" end)

  it("are found in what the caller gives, and nowhere else", function()
    local text = lt.text.Encoder(models.captions, { dim = 8, depth = 1, heads = 2 })
    local options = { scale = 0.1, text = text }
    local net = Net(3, options)
    options.scale = 7 -- the file says what the constructor was called with
    lt.save_model(path, nn.Sequential(net, lt.silu, nn.spectral_norm(nn.Linear(3, 2))))
    local message = fails("class Net is the script's own", lt.open, path)
    assert.is_truthy(message:find("lt.open(path, { classes = { Net = Net } })", 1, true))
    local opened = lt.open(path, { classes = { Net = Net } })
    assert.equal(0.1, opened[1].scale)
    local x = lt.ones(1, 4)
    assert.same((net(x)):totable(), opened[1](x):totable())
    assert.is_truthy(opened[3].weight_u)
    fails("classes: expected a table of classes by name", lt.open, path, { classes = { Net = function() end } })
  end)

  it("say themselves what they are called with", function()
    local made = 0
    local Own = nn.class("Own", function(self, width)
      made = made + 1
      self.fc = nn.Linear(width, 1)
    end)
    function Own:arguments() return self.fc.weight:size(2) end
    lt.save_model(path, Own(5))
    assert.equal(5, lt.open(path, { classes = { Own = Own } }).fc.weight:size(2))
    assert.equal(2, made)
  end)

  it("of one name twice cannot be told apart", function()
    local Other = nn.class("Net", function(self) self.fc = nn.Linear(1, 1) end)
    lt.save_model(path, nn.Sequential(Net(3, {}), Other()))
    fails("one of several classes Net", lt.open, path, { classes = { Net = Net } })
  end)
end)

describe("what a file cannot hold", function()
  local path
  before_each(function() path = folder .. "/late.safetensors" end)
  local function late(t) return math.cos(math.pi / 2 * t ^ 1.5), math.sin(math.pi / 2 * t ^ 1.5) end

  local function diffusion(options)
    local o = { net = nn.UNet { channels = 1, size = 8, width = 8, multipliers = { 1 }, blocks = 1 }, schedule = late,
                size = { 8, 8, 1 } }
    for key, v in pairs(options or {}) do o[key] = v end
    return lt.diffusion(o)
  end

  it("is named, and taken from the caller", function()
    local model = diffusion()
    lt.save_model(path, model)
    local message = fails("cannot open " .. path .. ": option schedule of lt.diffusion was a function", lt.open, path)
    assert.is_truthy(message:find("give it: lt.open(path, { schedule = ... })", 1, true))
    local opened = lt.open(path, { schedule = late })
    local steps = { steps = 2, seed = 1 }
    same(model:eval():sample({ n = 2 }, steps), opened:sample({ n = 2 }, steps), "late")
    assert.is_truthy(tostring(lt.inspect(path)):find("schedule = (a function, for lt.open to get)", 1, true))
  end)

  it("goes by its path where a name stands twice", function()
    local space = setmetatable({ encode = function() end, decode = function() end }, {})
    local inner = diffusion { net = nn.Sequential(lt.relu, function(x) return x end), weight = function() return 1 end }
    lt.save_model(path, lt.gan.Critic { net = nn.Sequential(inner, diffusion { space = space }) })
    local message = fails('lt.open(path, { ["net.1.schedule"] = ... })', lt.open, path)
    assert.is_truthy(message:find('["net.2.schedule"]', 1, true))
    assert.is_truthy(message:find("{ weight = ... }", 1, true))
    assert.is_truthy(message:find('["net.1.net.2"]', 1, true))
    local function one() return 1 end
    local rest = { space = space, weight = one, ["net.1.net.2"] = lt.silu }
    rest.schedule = late
    fails("option schedule stands in several places; give it by its path", lt.open, path, rest)
    rest.schedule, rest["net.1.schedule"], rest["net.2.schedule"] = nil, late, late
    assert.equal(one, lt.open(path, rest).net[1].snr_weight)
    rest.sigma = 3
    fails('nothing that is called "sigma" is missing in this file', lt.open, path, rest)
  end)

  it("is checked by the constructor that gets it", function()
    lt.save_model(path, diffusion())
    fails("lt.diffusion: bad argument #1 to 'diffusion' (schedule:", lt.open, path, { schedule = 3 })
  end)

  it("never keeps a model or a run from being saved", function()
    local Odd = nn.class("Odd", function(self, tensor, object)
      self.weight, self.object = lt.zeros(2), object
      assert(tensor)
    end)
    local loop = {}
    loop.loop = loop
    local many = {}
    for i = 1, 20000 do many[i] = "a caption" end
    lt.save_model(path, nn.Sequential(Odd(lt.zeros(3), setmetatable({}, {})), Odd(loop, coroutine.create(print)),
      Odd(many, 0 / 0), Odd(("\255"), math.huge)))
    local message = fails("was a tensor", lt.open, path, { classes = { Odd = Odd } })
    for _, what in ipairs { "table with a metatable", "table that is nested too deep", "thread",
                            "table of more than 10000 values", "string that is not UTF-8" } do
      assert.is_truthy(message:find(what, 1, true), what)
    end
  end)

  it("leaves out generators, which drew first weights only", function()
    lt.save_model(path, nn.Linear(3, 2, { generator = core.generator(3) }))
    assert.equal(2, lt.open(path).weight:size(1))
  end)

  it("does not keep a tensor alive #slow", function()
    local Keeper = nn.class("Keeper", function(self) self.fc = nn.Linear(1, 1) end)
    local kept = setmetatable({}, { __mode = "k" })
    local module
    do
      local t = lt.zeros(3)
      kept[t] = true
      module = Keeper(t, { t })
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(kept))
    assert.is_truthy(module.fc)
  end)
end)

describe("save_model", function()
  local path
  before_each(function() path = folder .. "/a.safetensors" end)

  it("keeps how many captions there were and their hash, not the captions", function()
    local secret = { "a secret caption", "another one" }
    lt.save_model(path, nn.Linear(1, 1), { data = secret, metadata = { note = "mine" } })
    local report = lt.inspect(path)
    assert.same({ captions = 2, hash = core.hash_strings(secret) }, report.data)
    assert.equal("mine", report.metadata.note)
    local file = assert(io.open(path, "rb"))
    assert.is_nil(file:read("a"):find("secret", 1, true))
    file:close()
    local set = lt.data.scenes { n = 4, size = 8, seed = 1 }
    lt.save_model(path, nn.Linear(1, 1), { data = set })
    assert.same({ captions = 4, hash = core.hash_strings(set.captions) }, lt.inspect(path).data)
  end)

  it("keeps the size of the pictures where the model says it", function()
    local Sized = nn.class("Sized", function(self) self.fc = nn.Linear(1, 1) end)
    function Sized.picture_size() return { 8, 6, 3 } end
    lt.save_model(path, Sized())
    assert.same({ 8, 6, 3 }, lt.inspect(path).size)
    assert.is_truthy(tostring(lt.inspect(path)):find("pictures of 8x6x3", 1, true))
  end)

  it("refuses what it cannot write", function()
    fails("model: expected a module", lt.save_model, path, {})
    fails("dtype: expected", lt.save_model, path, nn.Linear(1, 1), { dtype = "float16" })
    fails("data: expected a data set", lt.save_model, path, nn.Linear(1, 1), { data = {} })
    for _, key in ipairs { "model", "data", "size" } do
      local options = { metadata = { [key] = "" } }
      fails(("metadata: %s is a key of laterna's own"):format(key), lt.save_model, path, nn.Linear(1, 1), options)
    end
  end)
end)

describe("open", function()
  it("says what a file is that holds no model", function()
    local path = folder .. "/other.safetensors"
    fails("expected string", lt.open, nil)
    fails("No such file", lt.open, folder .. "/nothing")
    core.save_safetensors(path, { a = core.zeros(1) })
    fails("it is not a model that laterna saved", lt.open, path)
    lt.save(path, lt.text.Encoder(models.captions, { dim = 8, heads = 2 }):state())
    fails("it holds a state, not what its model is", lt.open, path)
    core.save_safetensors(path, { ["model.a"] = core.zeros(1) }, { format = "laterna training checkpoint 1" })
    local message = fails("a checkpoint of an earlier version", lt.open, path)
    assert.is_truthy(message:find("load_state", 1, true) and message:find("save_model", 1, true))
    core.save_safetensors(path, { a = core.zeros(1) }, { format = "laterna model 2" })
    fails("of another version of laterna", lt.open, path)
  end)
end)

describe("inspect", function()
  it("says what a file is, from its header", function()
    local path = folder .. "/run"
    local model = models.make "latent"
    local budget = lt.train.budget(1e9)
    local set = lt.data.scenes { n = 8, size = 8, seed = 1 }
    local run = lt.train.run { save = path, steps = budget, data = set:batches(4), model = model, every = 2,
                               progress = false }
    for step in run:steps() do
      if step == 3 then break end
    end
    local report = lt.inspect(path)
    assert.equal(2, report.step)
    assert.is_true(report.minutes >= 0)
    assert.same({ captions = 8, hash = core.hash_strings(set.captions) }, report.data)
    assert.equal(#model.text.tokenizer.words, #report.tokenizers[1].words)
    assert.equal(report.tokenizers[1], report.vocabularies.text)
    local text = tostring(report)
    for _, part in ipairs { "laterna training checkpoint 2, by laterna scm-1", "lt.diffusion(", "net: lt.nn.UNet(",
                            "space: lt.vae(", "width = 8", "from 5 captions (hash ", "trained 2 steps, 0.0 minutes",
                            "8 captions (hash " } do
      assert.is_truthy(text:find(part, 1, true), part .. " is not in\n" .. text)
    end
  end)

  it("takes what load gave, and files of others", function()
    local path = folder .. "/plain.safetensors"
    lt.save(path, { a = lt.zeros(2, 3), b = lt.zeros(4) }, { note = "x" })
    local report = lt.inspect(path)
    assert.same({ dtype = "F32", shape = { 2, 3 }, numbers = 6 }, report.tensors.a)
    assert.equal(10, report.numbers)
    local loaded = lt.inspect(lt.load(path))
    assert.equal("x", loaded.metadata.note)
    assert.equal(10, loaded.numbers)
    assert.is_truthy(tostring(loaded):find("2 tensors, 10 numbers", 1, true))
    local state = models.make("vae"):state()
    assert.is_truthy(tostring(lt.inspect(state)):find("words of text", 1, true))
    fails("expected string or table", lt.inspect, 3)
  end)

  it("says of a model that stands twice where it stood first", function()
    local path = folder .. "/twice.safetensors"
    lt.save_model(path, (models.make "shared"))
    assert.is_truthy(tostring(lt.inspect(path)):find("(the lt.text.Encoder that stands above)", 1, true))
  end)
end)
