-- What is watched while a gan is trained.
local core = require "laterna.core"
local fails = require "spec.support.fails"
local Gan = require "laterna.gan"
local nn = require "laterna.nn"
local watch = require "laterna.gan.watch"

describe("limits of a game", function()
  it("end a run when a number stays beyond them, with step and reason", function()
    local limits = watch.limits({ accuracy_painted = { most = 0.99 }, modes = { least = 3 } }, { patience = 3 })
    for _ = 1, 2 do limits { accuracy_painted = 1, modes = 4 } end
    limits { accuracy_painted = 0.5 }
    for _ = 1, 2 do limits { accuracy_painted = 1 } end
    limits { modes = 2 } -- what is not logged neither counts nor clears
    fails("step 7: gan: accuracy_painted is 1, above 0.99 for 3 steps", limits, { accuracy_painted = 1 })
    limits { modes = 2 }
    fails("step 9: gan: modes is 0, below 3 for 3 steps", limits, { modes = 0 })
    local now = watch.limits({ gradient_real = { most = 10 } }, { patience = 1 })
    fails("is not a number for 1 steps", now, { gradient_real = 0 / 0 })
  end)

  it("are checked", function()
    fails("a: expected a table with most or least", watch.limits, { a = {} })
    fails("bad argument #1 to 'limits' (a: expected number", watch.limits({ a = { most = 1 } }), { a = "x" })
  end)
end)

describe("accuracies", function()
  it("count scores above the boundary, or above the middle of both means", function()
    local real, fake = core.tensor { 3, 1, -1 }, core.tensor { -3, -1, 0 }
    assert.near(2 / 3, watch.above(real, watch.boundary(0, real, fake)), 1e-6)
    assert.near((1 - 4 / 3) / 2, watch.boundary("middle", real, fake), 1e-6)
    assert.equal(0, watch.above(core.tensor { 0.5 }, 0.5))
  end)

  it("on held-out pictures change nothing", function()
    local net = nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5))
    net[1].weight:detach():copy_(core.tensor { { 1, 0 } })
    net[1].bias:detach():fill_(0)
    local generator = nn.Sequential(nn.Linear(1, 2))
    generator[1].weight:detach():fill_(0)
    generator[1].bias:detach():fill_(-1)
    local gan = Gan { generator = generator, critic = Gan.Critic { net = net }, detail = 1, loss = "non_saturating" }
    local found = watch.held_out(gan, core.tensor { { 1, 0 }, { 2, 0 }, { 3, 0 }, { -1, 0 } })
    assert.same({ held_real = 0.75, held_painted = 1 }, found)
    assert.is_true(gan.training and net.training)
    assert.equal(0, gan.calls:item())
    fails("bad argument #1 to 'held_out' (gan: expected a gan, got table)", watch.held_out, {}, core.zeros(1, 2))
  end)
end)

describe("the gradient norm", function()
  it("is of all parameters together", function()
    local a, b = core.zeros(1):requires_grad_(true), core.zeros(2):requires_grad_(true)
    local c = core.zeros(1):requires_grad_(true);
    (a * 3 + (b * core.tensor { 4, 12 }):sum()):sum():backward()
    assert.near(13, watch.gradient_norm { a, b, c }, 1e-5)
  end)
end)
