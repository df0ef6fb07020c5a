-- The diffusion family: what is asked of the network in training, at which price, and that it learns.
local core = require "laterna.core"
local Diffusion = require "laterna.diffusion"
local fails = require "spec.support.fails"
local ideal = require "spec.support.ideal"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local prediction = require "laterna.prediction"

-- A network that remembers what it saw and says 0.
local function mute(seen)
  return function(x, t, cond)
    seen[#seen + 1] = { x = x, t = t:totable(), cond = cond }
    return x * 0
  end
end

-- Training times that are always these.
local function at(...)
  local times = core.tensor { ... }
  return function() return times end
end

local Captions = nn.class("Captions", function(self) self.heard = {} end)
function Captions:forward(captions)
  self.heard[#self.heard + 1] = captions
  local n = #captions
  return { tokens = core.zeros(n, 1, 2), mask = core.ones(n, 1), pooled = core.zeros(n, 2) }
end

describe("diffusion", function()
  local x, eps
  before_each(function()
    core.manual_seed(12)
    x, eps = core.rand(2, 3, 2, 1) * 2 - 1, core.randn(2, 3, 2, 1)
  end)

  it("asks for what each prediction is, of pictures noised to their times", function()
    for _, schedule in ipairs { "cosine", "linear", "flow", "edm" } do
      for _, kind in ipairs(prediction.kinds) do
        local seen = {}
        local model = Diffusion { net = mute(seen), schedule = schedule, predict = kind, sigma_data = 0.5,
                                  time_sampler = at(0.25, 0.75) }
        local loss, log = model:loss(x, { noise = eps })
        local sum = 0
        for i, t in ipairs { 0.25, 0.75 } do
          local alpha, sigma = model.schedule(t)
          local p, q = prediction.target(kind, alpha, sigma, 0.5)
          sum = sum + (x[i] * p + eps[i] * q):square():mean():item() / 2
          local d = kind == "edm" and 0.5 or 1
          local scaled = (x[i] * alpha + eps[i] * sigma) * (alpha ^ 2 * d ^ 2 + sigma ^ 2) ^ -0.5
          assert.is_true((scaled - seen[1].x[i]):abs():max():item() < 1e-5, schedule .. " " .. kind)
        end
        assert.near(sum, loss:item(), 1e-4 * math.max(1, sum))
        assert.near(sum, log.mse, 1e-4 * math.max(1, sum))
        assert.same({ 0.25, 0.75 }, seen[1].t)
      end
    end
  end)

  it("prices errors in the picture, whatever is predicted", function()
    for _, kind in ipairs(prediction.kinds) do
      local asked, seen = {}, {}
      local model = Diffusion { net = mute(seen), predict = kind, time_sampler = at(0.25, 0.75),
                                weight = function(snr, t)
        asked[#asked + 1] = { snr, t }
        return 2 * t
      end }
      local loss = model:loss(x, { noise = eps })
      local sum = 0
      for i, t in ipairs { 0.25, 0.75 } do
        local alpha, sigma = model.schedule(t)
        local a = prediction.coefficients(kind, alpha, sigma) -- the guess of a network that says 0
        local guess = (x[i] * alpha + eps[i] * sigma) * a
        sum = sum + 2 * t * (guess - x[i]):square():mean():item() / 2
        assert.near(1, asked[i][1] / (alpha / sigma) ^ 2, 1e-9)
        assert.equal(t, asked[i][2])
      end
      assert.near(1, loss:item() / sum, 1e-4, kind)
    end
  end)

  it("has weights under which the loss is finite where all is noise, and where none is", function()
    for _, schedule in ipairs { "cosine", "flow", "edm" } do
      for name, weight in pairs { constant = Diffusion.weight.constant(), snr = Diffusion.weight.snr(),
                                  min_snr = Diffusion.weight.min_snr(5), edm = Diffusion.weight.edm(0.5) } do
        for _, kind in ipairs(prediction.kinds) do
          local model = Diffusion { net = mute {}, schedule = schedule, predict = kind, weight = weight,
                                    time_sampler = at(1, 1e-5) }
          local loss = model:loss(x):item()
          assert.is_true(loss == loss and loss < math.huge, ("%s %s %s"):format(schedule, name, kind))
        end
      end
    end
  end)

  it("leaves captions out in training, as often as told", function()
    local text = Captions()
    local model = Diffusion { net = mute {}, text = text, drop = 0.25 }
    local captions = {}
    for i = 1, 1000 do captions[i] = "a" .. i end
    local many = core.zeros(1000, 1, 1, 1)
    local function left_out()
      local count, heard = 0, text.heard[#text.heard]
      for i, caption in ipairs(heard) do
        assert.is_true(caption == "" or caption == captions[i])
        count = count + (caption == "" and 1 or 0)
      end
      return count
    end
    model:loss(many, { text = captions })
    assert.near(250, left_out(), 60)
    model:eval():loss(many, { text = captions })
    assert.equal(0, left_out())
    model:train():loss(many)
    assert.equal(1000, left_out())
    assert.equal("a1", captions[1])
    local keep = Diffusion { net = mute {}, text = text, drop = 0 }
    keep:loss(many, { text = captions })
    assert.equal(0, left_out())
  end)

  it("tells the network captions and details", function()
    local seen, detail = {}, core.randn(2, 3)
    local model = Diffusion { net = mute(seen), text = Captions() }
    model:loss(x, { text = { "a", "b" }, detail = detail })
    assert.same({ 2, 2 }, seen[1].cond.pooled.shape)
    assert.equal(detail, seen[1].cond.detail)
    Diffusion({ net = mute(seen) }):loss(x)
    assert.is_nil(seen[2].cond)
  end)

  it("draws from the generator that it is given", function()
    local model = Diffusion { net = mute {}, drop = 0.5, text = Captions() }
    local function loss()
      return model:loss(x, { text = { "a", "b" }, generator = core.generator(4) }):item()
    end
    assert.equal(loss(), loss())
    local asked
    model = Diffusion { net = mute {}, schedule = "flow", time_sampler = function(n, generator, schedule)
      asked = { n, generator, schedule }
      return core.full({ n }, 0.5)
    end }
    local generator = core.generator(1)
    model:loss(x, { generator = generator })
    assert.same({ 2, generator, model.schedule }, asked)
  end)

  it("learns two pictures and paints no others, with every prediction #training", function()
    -- pictures (a, a) and (b, b): a small network of x, t
    local Net = nn.class("Net", function(self)
      self.fc1, self.fc2, self.fc3 = nn.Linear(4, 48), nn.Linear(48, 48), nn.Linear(48, 2)
    end)
    function Net:forward(v, t)
      t = t:view(-1, 1)
      local h = core.silu(self.fc1(core.cat({ v:flatten(2), t, t:square() }, 2)))
      return self.fc3(core.silu(self.fc2(h))):view(v.shape)
    end
    for _, case in ipairs { { "cosine", "eps" }, { "flow", "eps" }, { "cosine", "v" }, { "flow", "velocity" } } do
      core.manual_seed(3)
      local model = Diffusion { net = Net(), schedule = case[1], predict = case[2] }
      local optimizer = optim.Adam(model:parameters(), { lr = optim.schedule.cosine(1e-2, 400) })
      for _ = 1, 400 do
        local side = core.randint(0, 1, { 128 }):float() * 2 - 1
        local loss = model:loss((side * 0.6):view(-1, 1, 1, 1):expand(128, 1, 2, 1))
        optimizer:zero_grad()
        loss:backward()
        optimizer:step()
      end
      local y = model:sample({ n = 200 }, { seed = 1, steps = 20 })
      local name = table.concat(case, " ")
      assert.is_true((y:abs() - 0.6):abs():mean():item() < 0.2, name) -- 0.29 if it were normal
      assert.near(0, y:mean():item(), 0.2, name)
      local both = y:narrow(3, 1, 1) - y:narrow(3, 2, 1)
      assert.is_true(both:abs():mean():item() < 0.12, name)
      local z = model:encode(y)
      local back = model:sample(nil, { noise = z, sampler = "heun", steps = 100 })
      assert.is_true((back - y):abs():mean():item() < 0.02, name)
    end
  end)

  it("guesses the picture in a noised one", function()
    local model = ideal.gaussian("cosine", "v", 0.1, 0.5)
    local alpha, sigma = model.schedule(0.4)
    local noised = x * alpha + eps * sigma
    local k = alpha * 0.25 / (alpha * alpha * 0.25 + sigma * sigma)
    local expected = (noised - alpha * 0.1) * k + 0.1
    assert.is_true((expected - model:denoise(noised, 0.4)):abs():max():item() < 1e-5)
    fails("(t: expected number from 0 to 1, got 2)", model.denoise, model, x, 2)
    fails("(x: expected pictures (n,h,w,c), got 3 axes)", model.denoise, model, x[1], 0.5)
  end)

  it("takes a schedule by name or as a function, and refuses what is none", function()
    local function own(t) return math.cos(math.pi / 2 * t ^ 1.5), math.sin(math.pi / 2 * t ^ 1.5) end
    assert.equal(own, Diffusion({ net = mute {}, schedule = own }).schedule)
    assert.near(0.5, (Diffusion({ net = mute {}, schedule = "flow" }).schedule(0.5)), 1e-12)
    fails("(schedule: expected a schedule's name or function, got \"cosin\"; did you mean \"cosine\"?)", Diffusion,
      { net = mute {}, schedule = "cosin" })
    fails("(schedule:", Diffusion, { net = mute {}, schedule = 3 })
    fails("t = ", Diffusion, { net = mute {}, schedule = function(t) return 1 - 0.5 * t, 0.5 * t end })
  end)

  it("refuses in words", function()
    fails("option net is missing", Diffusion, {})
    fails("net: expected a module or a function, got 3", Diffusion, { net = 3 })
    fails("predict: expected", Diffusion, { net = mute {}, predict = "noise" })
    fails("unknown option \"network\"", Diffusion, { net = mute {}, network = 1 })
    fails("text: expected a module", Diffusion, { net = mute {}, text = { "a" } })
    fails("space: expected something with encode and decode", Diffusion, { net = mute {}, space = {} })
    fails("size: expected {height, width, channels}", Diffusion, { net = mute {}, size = { 28, 28 } })
    local model = Diffusion { net = mute {}, text = Captions() }
    fails("bad argument #1 to 'loss' (x: expected pictures (n,h,w,c), got 3 axes)", model.loss, model, x[1])
    fails("bad argument #2 to 'loss' (cond: expected table or nil, got 3)", model.loss, model, x, 3)
    fails("bad argument #2 to 'loss' (cond.text: 1 captions for 2 pictures)", model.loss, model, x, { text = { "a" } })
    fails("cond.noise: expected (2,3,2,1), got (1)", model.loss, model, x, { noise = core.zeros(1) })
  end)
end)
