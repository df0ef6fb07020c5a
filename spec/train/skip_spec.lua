-- A batch that is refused leaves no trace: the run ends bit for bit as one that never met it.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local lt = require "laterna"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local train = require "laterna.train"

local NAN, BAD, STEPS = 0 / 0, 3, 6

-- A script's own layer that does not say what it writes down.
local Mean = nn.class("Mean", function(self, d)
  self.mean, self.buffers = core.zeros(d), { mean = true }
end)
function Mean:forward(x)
  if self.training then core.no_grad(function() self.mean:mul_(0.9):add_(x:detach():mean(1) * 0.1) end) end
  return x - self.mean
end

-- Everything that a run has left behind, as one table of numbers.
local function left_by(model, optimizers, ema)
  local out = {}
  local function add(prefix, state)
    for name, t in pairs(state) do out[prefix .. name] = t:totable() end
  end
  add("model.", model:state())
  for name, opt in pairs(optimizers) do
    add(name .. ".", opt:state().tensors)
    out[name .. " step"] = opt:state().numbers.step
  end
  local state = ema:state()
  add("ema.", state.tensors)
  out.updates = state.numbers.updates
  return out
end

-- Runs the body over good batches, with a bad one among them or not. make() gives model, optimizers and the body.
local function run(make, with_bad, options)
  core.manual_seed(2)
  local model, optimizers, body = make()
  local ema, good = optim.Ema(model, 0.9, { warmup = false }), core.generator(7)
  local o = { model = model, optimizer = optimizers, ema = ema, nonfinite = "skip", progress = false,
    steps = with_bad and STEPS or STEPS - 1 }
  for key, v in pairs(options or {}) do o[key] = v end
  local r = train.run(o)
  for step in r:steps() do
    local bad = with_bad and step == BAD
    body(not bad and good or nil, r, ema)
  end
  return left_by(model, optimizers, ema)
end

-- The same without a run: a plain loop, in which the optimizers know to refuse.
local function plain(make, with_bad)
  core.manual_seed(2)
  local model, optimizers, body = make()
  local ema, good = optim.Ema(model, 0.9, { warmup = false }), core.generator(7)
  for _, opt in pairs(optimizers) do opt.skip_nonfinite = true end
  for step = 1, with_bad and STEPS or STEPS - 1 do
    local bad = with_bad and step == BAD
    body(not bad and good or nil, { log = function() return not bad end }, ema)
  end
  return left_by(model, optimizers, ema)
end

-- how(make, bad, options) trains, with a bad batch or without.
local function same_by(how, make, options)
  local with, without = how(make, true, options), how(make, false, options)
  for name, v in pairs(without) do assert.same(v, with[name], name) end
end

local function same(make, options) same_by(run, make, options) end

local function batch(good, ...)
  return good and core.randn({ ... }, { generator = good }) or core.full({ ... }, NAN)
end

-- The usual training of a net of three numbers, for `same`.
local function by_adamw(net)
  local opt = optim.AdamW(net:parameters())
  return net, { main = opt }, function(good, r, ema)
    r:log(opt:update(net(batch(good, 6, 3)):square():mean()))
    ema:update()
  end
end

describe("a refused batch", function()
  it("leaves no trace in norms, spectral vectors, a script's own buffers, optimizer and average", function()
    same(function()
      local net = nn.Sequential(nn.spectral_norm(nn.Linear(3, 4)), nn.BatchNorm2d(4), Mean(4), nn.Linear(4, 1))
      return by_adamw(net)
    end)
  end)

  it("leaves none if the script looks at the loss and takes no step", function()
    same(function()
      local net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm2d(4))
      local opt = optim.SGD(net:parameters())
      return net, { main = opt }, function(good, r, ema)
        local loss = net(batch(good, 6, 3)):square():mean()
        if not r:log { loss = loss } then return end
        opt:update(loss)
        ema:update()
      end
    end)
  end)

  it("is taken back to the last step, where gradients of several are summed", function()
    same(function()
      local net = nn.BatchNorm2d(3)
      local opt = optim.SGD(net:parameters())
      return net, { main = opt }, function(good, _, ema)
        opt:zero_grad()
        local first = good or core.generator(1)
        net(batch(first, 6, 3)):square():mean():backward()
        net(batch(good, 6, 3)):square():mean():backward()
        opt:step()
        ema:update()
      end
    end)
  end)

  it("does not undo what another optimizer's step has settled", function()
    local function make()
      local first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
      local a, b = optim.SGD(first:parameters()), optim.SGD(second:parameters())
      return nn.Sequential(first, second), { a = a, b = b }, function(good, _, ema)
        a:update(first(batch(core.generator(3), 6, 2)):square():mean())
        b:update(second(batch(good, 6, 2)):square():mean())
        ema:update()
      end
    end
    local with, without = run(make, true), run(make, false)
    assert.same(without["model.1.running_mean"], with["model.1.running_mean"])
    assert.same(without["ema.1.weight"], with["ema.1.weight"])
    assert.equal(STEPS, with["a step"])
    assert.equal(STEPS - 1, with["b step"])
    assert.not_same(without["model.0.running_mean"], with["model.0.running_mean"])
  end)

  it("leaves none in a rate's beta, nor in the place of a detail", function()
    same(function()
      local extractor = nn.Sequential(function(x) return x:flatten(2) end, nn.BatchNorm2d(16), nn.Linear(16, 4))
      local ae = lt.autoencoder { extractor = extractor, detail = 2, rate = 3,
        generator = lt.vae { decoder = nn.PictureDecoder(2, 1, { size = 4, width = 4, levels = 1 }), detail = 2 } }
      local opt, draws = optim.Adam(ae:parameters()), core.generator(11)
      return ae, { main = opt }, function(good, r, ema)
        local x = good and core.rand({ 3, 4, 4, 1 }, { generator = good }) or core.full({ 3, 4, 4, 1 }, NAN)
        local loss, log = ae:loss(x, { generator = good and draws or core.generator(1) })
        r:log(opt:update(loss, log))
        ema:update()
      end
    end)
  end)

  it("leaves none in flows and games, whose losses are errors elsewhere", function()
    same(function()
      local net = lt.flow.layers.Sequence { lt.flow.layers.Conv1x1(2, { actnorm = true }),
        lt.flow.layers.AffineCoupling(2, { hidden = 4, kernel = 1 }) }
      local flow = lt.flow { net = net, size = { 2 } }
      local opt = optim.Adam(flow:parameters())
      return flow, { main = opt }, function(good, r, ema)
        r:log(opt:update(flow:loss(batch(good, 8, 2))))
        ema:update()
      end
    end)
    same(function()
      local function small(inputs, outputs) return nn.spectral_norm(nn.Linear(inputs, outputs)) end
      local critic = nn.Sequential(small(2, 4), core.silu, nn.Linear(4, 1), function(x) return x:view(-1) end)
      local gan = lt.gan { generator = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm2d(4), nn.Linear(4, 2)),
        critic = lt.gan.Critic { net = critic }, detail = 2, loss = "non_saturating", penalty_every = 2 }
      local opt, draws = optim.Adam(gan.critic:parameters()), core.generator(5)
      return gan, { critic = opt }, function(good, r, ema)
        local loss, log = gan:critic_loss(batch(good, 6, 2), { generator = good and draws or core.generator(1) })
        r:log(opt:update(loss, log))
        ema:update()
      end
    end)
  end)

  it("may be the first one", function()
    local bn = nn.BatchNorm2d(2)
    local opt = optim.Adam(bn:parameters())
    local r = train.run { model = bn, optimizer = opt, steps = 2, nonfinite = "skip", progress = false }
    for step in r:steps() do
      opt:update(bn(step == 1 and core.full({ 4, 2 }, NAN) or core.ones(4, 2)):sum())
      if step == 1 then assert.same({ 0, 0 }, bn.running_mean:totable()) end
    end
    assert.near(0.1, bn.running_mean[1]:item(), 1e-6)
    assert.equal(1, opt:state().numbers.step)
  end)

  it("leaves clean statistics where the run stops with an error", function()
    local bn = nn.BatchNorm2d(2)
    local opt = optim.Adam(bn:parameters())
    local r = train.run { model = bn, optimizer = opt, steps = 2, progress = false }
    fails("step 2: loss is nan", function()
      for step in r:steps() do
        local loss = bn(core.full({ 4, 2 }, step == 1 and 1 or NAN)):sum()
        r:log { loss = loss }
        opt:update(loss)
      end
    end)
    assert.near(0.1, bn.running_mean[1]:item(), 1e-6)
  end)
end)

describe("a refused batch of a loop without a run", function()
  local function same_in_plain(make) same_by(plain, make) end

  it("leaves no trace in norms, spectral vectors, optimizer and average", function()
    same_in_plain(function()
      local net = nn.Sequential(nn.spectral_norm(nn.Linear(3, 4)), nn.BatchNorm2d(4), nn.Linear(4, 1))
      return by_adamw(net)
    end)
  end)

  it("leaves none in what is computed twice", function()
    same_in_plain(function()
      local net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm2d(4))
      local opt = optim.SGD(net:parameters())
      return net, { main = opt }, function(good, _, ema)
        opt:zero_grad()
        lt.recompute(net, batch(good, 6, 3)):square():mean():backward()
        opt:step()
        ema:update()
      end
    end)
  end)

  it("is taken back to the last step of any optimizer", function()
    local one, other = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    local a, b = optim.SGD(one:parameters()), optim.SGD(other:parameters())
    b.skip_nonfinite = true
    a:update(one(core.ones(4, 2)):sum())
    b:update(other(core.full({ 4, 2 }, NAN)):sum())
    assert.near(0.1, one.running_mean[1]:item(), 1e-6)
    assert.equal(0, other.running_mean[1]:item())
  end)

  it("is none of an optimizer that does not refuse", function()
    local bn = nn.BatchNorm2d(2)
    local opt = optim.SGD(bn:parameters())
    opt:update(bn(core.full({ 4, 2 }, NAN)):sum())
    assert.is_true(bn.running_mean[1]:item() ~= bn.running_mean[1]:item())
  end)
end)

describe("an average", function()
  it("does not move, outside of runs too, when its optimizer has refused", function()
    local net = nn.Linear(1, 1, { bias = false })
    local opt, ema = optim.SGD(net:parameters(), { lr = 0.5 }), optim.Ema(net, 0.5, { warmup = false })
    opt.skip_nonfinite = true
    opt:update(net(core.ones(1, 1)):sum())
    ema:update()
    local before = ema.model.weight:item()
    opt:update(net(core.full({ 1, 1 }, NAN)):sum())
    ema:update()
    assert.equal(before, ema.model.weight:item())
    assert.equal(1, ema.updates)
    opt:update(net(core.ones(1, 1)):sum())
    ema:update()
    assert.not_equal(before, ema.model.weight:item())
  end)
end)

describe("a checkpoint with a number that is not finite #child", function()
  local folder, stderr, lines
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    lines, stderr = {}, io.stderr
    io.stderr = { write = function(_, ...) lines[#lines + 1] = table.concat { ... } end } -- luacheck: ignore
  end)
  after_each(function()
    io.stderr = stderr -- luacheck: ignore
    os.execute("rm -rf '" .. folder .. "'")
  end)

  -- One step after which spoil() has been called.
  local function save(spoil, nonfinite)
    local bn = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm2d(2))
    local opt, ema = optim.Adam(bn:parameters()), optim.Ema(bn, 0.9)
    local r = train.run { model = bn, optimizer = opt, ema = ema, steps = 3, every = 1, progress = false, save = folder,
      nonfinite = nonfinite, resume = false }
    for step in r:steps() do
      opt:update(bn(core.randn(4, 2)):square():sum())
      ema:update()
      if step == 2 then core.no_grad(spoil, bn, opt, ema) end
    end
  end

  it("is refused and names the tensor, where it is NaN", function()
    local function names(name, spoil)
      local message = fails(name .. " has NaN and is not saved", save, spoil)
      assert.matches("^step 2: .*checkpoint.safetensors holds step 1$", message)
      assert.falsy(message:find("\n", 1, true))
    end
    names("model.1.running_mean", function(m) m[2].running_mean:fill_(NAN) end)
    names("ema.0.weight", function(_, _, ema) ema.model[1].weight:fill_(NAN) end)
    names("optimizer.0.exp_avg", function(_, opt) opt.kept[opt:parameters()[1]].exp_avg:fill_(NAN) end)
  end)

  it("is written with one warning, where it is infinite or to be ignored", function()
    save(function(m) m[2].running_var:fill_(math.huge) end)
    assert.matches("^step 2: saved with values that are not finite: model.1.running_var\n$", lines[1])
    local _, count = table.concat(lines):gsub("model%.1%.running_var", "")
    assert.equal(1, count) -- though step 3 saved it, too
    lines = {}
    save(function(m) m[2].running_mean:fill_(NAN) end, "ignore")
    assert.matches("model.1.running_mean", lines[1])
  end)
end)
