-- A resumed run is the uninterrupted one, bit for bit, wherever a script keeps the generators that it draws from.
local child = require "spec.support.child"
local dataset = require "laterna.data.dataset"
local generators = require "laterna.train.generators"
local lt = require "laterna"

local folder
before_each(function() folder = child.folder() end)
after_each(function() child.remove(folder) end)

local Net = lt.nn.class("Net", function(self, extra)
  self.fc = lt.nn.Linear(16, 1)
  for key, v in pairs(extra or {}) do self[key] = v end
end)
function Net:forward(x) return self.fc(x:view(-1, 16)) end

local function pictures() return lt.ones(3, 4, 4, 1) end

local function noise(g) return lt.randn(3, 4, 4, 1, { generator = g }) end

-- Each gives extra options of a run, and the pictures of a step, from the step, the batch and the model.
local PLACES = {}

function PLACES.augment_of_a_gan(g)
  return { model = Net { augment = lt.gan.augment { generator = g } } },
    function(_, _, model) return model.augment(pictures()) end
end

function PLACES.field_of_a_module(g)
  return { model = Net { inner = lt.nn.Sequential(Net { generator = g }) } },
    function(_, _, model) return noise(model.inner[1].generator) end
end

function PLACES.time_sampler(g)
  local function times(n) return lt.rand(n, { generator = g }) end
  return { model = Net { times = times } },
    function(_, _, model) return pictures() * model.times(3):view(3, 1, 1, 1) end
end

function PLACES.augmentation_of_data(g)
  local bytes = lt.from_string(("d"):rep(144), { 9, 4, 4, 1 }, { dtype = "uint8" })
  local set = dataset.new { images = bytes, captions = { "", "", "", "", "", "", "", "", "" } }
  return { data = set:batches(3, { seed = 1, augment = function(x) return x + noise(g) end }) },
    function(_, batch) return batch.x end
end

function PLACES.function_of_data(g)
  return { data = function() return noise(g) end }, function(_, batch) return batch end
end

function PLACES.object_of_data(g)
  local data = { generator = g, state = function() return {} end, load_state = function() end }
  function data:next() return noise(self.generator) end
  return { data = data }, function(_, batch) return batch end
end

function PLACES.learning_rate(g)
  return { lr = function() return 0.1 * g:uniform() end }, pictures
end

function PLACES.decay_of_an_average(g)
  return { decay = function() return g:uniform() end }, pictures
end

function PLACES.default_generator() return {}, function() return noise(nil) end end

local function bytes(options)
  local out = {}
  for name, t in pairs(options.model:state()) do out[name] = t:to_string() end
  for name, t in pairs(options.ema:state().tensors) do out["ema." .. name] = t:to_string() end
  return out
end

local function prepared(place, g, steps, resume)
  local o, draw = PLACES[place](g)
  o.model = o.model or Net()
  o.optimizer = lt.optim.SGD(o.model:parameters(), { lr = o.lr or 0.1 })
  o.ema = lt.optim.Ema(o.model, o.decay or 0.9)
  o.lr, o.decay = nil, nil
  o.steps, o.resume, o.progress = steps, resume or false, false
  return o, draw
end

local function learn(run, o, draw)
  for step, batch in run:steps() do
    run:log(o.optimizer:update(o.model(draw(step, batch, o.model)):square():mean()))
    o.ema:update()
  end
  return bytes(o)
end

local function sitting(place, name, steps, resume)
  lt.manual_seed(3)
  local o, draw = prepared(place, lt.generator(17), steps, resume)
  o.save = folder .. "/" .. name
  local run = lt.train.run(o)
  if resume then lt.randn(5) end -- a script that looks at a picture before it goes on
  return learn(run, o, draw)
end

describe("a resumed run", function()
  for place in pairs(PLACES) do
    it("draws what the uninterrupted one does: " .. place, function()
      local whole = sitting(place, "whole", 7)
      sitting(place, "parts", 4)
      assert.same(whole, sitting(place, "parts", 7, true))
    end)
  end

  -- What the condition of a loss gets is a variable of the loop.
  local function before(steps, resume)
    lt.manual_seed(3)
    local g = lt.generator(5)
    local o = prepared("default_generator", nil, steps, resume)
    o.save = folder .. "/before"
    return learn(lt.train.run(o), o, function() return noise(g) end)
  end

  local function after(steps, resume)
    lt.manual_seed(3)
    local o = prepared("default_generator", nil, steps, resume)
    o.save = folder .. "/after"
    local run = lt.train.run(o)
    local g = lt.generator(5)
    for _ in run:steps() do
      run:log(o.optimizer:update(o.model(noise(g)):square():mean()))
    end
    return bytes(o)
  end

  local function global(steps, resume)
    lt.manual_seed(3)
    rawset(_G, "spec_generator", lt.generator(5))
    local o = prepared("default_generator", nil, steps, resume)
    o.save = folder .. "/global"
    return learn(lt.train.run(o), o, function() return noise(rawget(_G, "spec_generator")) end)
  end
  teardown(function() rawset(_G, "spec_generator", nil) end)

  for name, go in pairs { before = before, after = after, global = global } do
    it("draws what the uninterrupted one does: a variable of the script, " .. name, function()
      local whole = go(7)
      child.remove(folder)
      go(4)
      assert.same(whole, go(7, true))
    end)
  end

  it("is refused where its own objects hold other generators than the checkpoint", function()
    local function refused(with, without, words)
      sitting(with, with .. without, 3)
      local o = prepared(without, lt.generator(1), 5, true)
      o.save = folder .. "/" .. with .. without
      local ok, message = pcall(lt.train.run, o)
      assert.is_false(ok)
      assert.equal(("cannot resume from %s/checkpoint.safetensors: %s"):format(o.save, words), message)
    end
    refused("learning_rate", "default_generator",
      "it holds the state of a generator optimizer.lr.g, which this run has not")
    refused("default_generator", "learning_rate", "it holds no state of the generator optimizer.lr.g")
  end)

  it("is refused where a variable of the script is gone", function()
    before(3)
    local o = prepared("default_generator", nil, 5, true)
    o.save = folder .. "/before"
    local run = lt.train.run(o)
    local ok, message = pcall(run.steps, run)
    assert.is_false(ok)
    assert.is_truthy(message:find("it holds the state of a generator g, which this script has not", 1, true), message)
  end)
end)

describe("the search for generators", function()
  local function names(objects, functions)
    local out = {}
    for i, entry in ipairs(generators.find(objects, functions or {})) do
      if entry.own then out[i] = entry.name end
    end
    return out
  end

  it("names each once, by the shortest way, in natural order", function()
    local a, b, c = lt.generator(1), lt.generator(2), lt.generator(3)
    local model = { deep = { er = { a } }, g10 = b, g9 = c, again = { b }, [1] = function() return a end }
    assert.same({ "model.g9", "model.g10", "model.1.a" }, names { { "model", model } })
  end)

  it("goes around in rings, and leaves modules, the globals and the default generator alone", function()
    local ring = { lt = lt, default = lt.default_generator(), globals = _G, loaded = package.loaded }
    ring.ring = ring
    assert.same({}, names { { "x", ring } })
  end)
end)
