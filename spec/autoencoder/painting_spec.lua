-- How an autoencoder paints: seeds and guidance, with a generator that says what it was told.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local Letters = require "spec.support.letters"
local nn = require "laterna.nn"
local Diffusion = require "laterna.diffusion"
local Flow = require "laterna.flow"
local Vae = require "laterna.vae"

-- A tenth of the letters and the detail: in every pixel, (n,2,2,1).
local function heard(pooled, detail) return (pooled * 0.1 + detail):view(-1, 1, 1, 1):expand(#pooled, 2, 2, 1) end

local function autoencoder(generator)
  return Autoencoder { extractor = nn.Linear(1, 2), detail = 1, text = Letters(), generator = generator }
end

local function denoiser()
  return Diffusion { size = { 2, 2, 1 }, predict = "x0",
    net = function(_, _, cond) return heard(cond.pooled, cond.detail) end }
end

local function far(a, b) return (a - b):abs():max():item() end

describe("an autoencoder's pictures", function()
  local captions, detail = { "abc", "a" }, core.tensor { { 0.1 }, { -0.2 } }

  it("are guided away from what the detail shows without a caption", function()
    local ae, cond = autoencoder(denoiser()), { text = captions, detail = detail }
    local letters = core.tensor { { 3 }, { 1 } }
    assert.is_true(far(heard(letters, detail), ae:sample(cond, { steps = 2 })) < 1e-5)
    assert.is_true(far(heard(letters * 2.5, detail), ae:sample(cond, { steps = 2, guidance = 2.5 })) < 1e-5)
    assert.is_true(far(heard(letters * 0, detail), ae:sample(cond, { steps = 2, guidance = 0 })) < 1e-5)
  end)

  it("are guided by a flow too, which asks the encoder of the autoencoder what nothing said would be", function()
    local says = nn.Sequential(function(told)
      local y = heard(told:narrow(2, 1, 1), told:narrow(2, 2, 1))
      return core.cat({ y, y * 0 }, 4)
    end)
    local ae = autoencoder(Flow { size = { 2, 2, 1 }, temperature = 0,
      net = Flow.layers.ConditionalAffine(4, { text = 1, detail = 1, net = says }) })
    local function paint(guidance)
      return ae:sample({ text = captions, detail = detail }, { guidance = guidance, generator = core.generator(1) })
    end
    local with, without, guided = paint(1), paint(0), paint(3)
    assert.is_true(far(with, without) > 0.05)
    assert.is_true(far(without + (with - without) * 3, guided) < 0.02) -- grey levels
  end)

  it("depend on their seeds, not on their batch", function()
    local decoder = function(z) return z:view(-1, 1, 1, 1) * core.ones(1, 2, 2, 1) end
    for _, generator in ipairs { denoiser(), Vae { decoder = nn.Sequential(decoder), detail = 1 } } do
      local ae = autoencoder(generator)
      local both = ae:sample({ text = captions }, { seed = 7 })
      assert.is_true(far(both[{ 2, 2 }], ae:sample({ text = { "a" } }, { seeds = { 8 } })) < 1e-6)
      assert.is_true(far(both, ae:sample({ text = captions }, { seeds = { 7, 8 } })) == 0)
      assert.is_true(far(both, ae:sample({ text = captions }, { seed = 9 })) > 1e-3)
    end
  end)

  it("take other numbers for the detail than for the generator's own noise", function()
    local began, Listener = {}, nn.class("Listener", function() end)
    function Listener.loss() end
    function Listener.sample(_, cond, o)
      for i, seed in ipairs(o.seeds) do began[i] = core.randn(1, { generator = core.generator(seed) }):item() end
      return cond.detail
    end
    local z = autoencoder(Listener()):sample({ n = 2 }, { seed = 3 })
    assert.is_true(math.abs(began[1] - z[1]:item()) > 1e-3 and math.abs(began[2] - z[2]:item()) > 1e-3)
    assert.near(core.randn(1, { generator = core.generator(3) }):item(), z[1]:item(), 1e-6)
  end)

  it("need options that say something", function()
    local ae = autoencoder(denoiser())
    for _, o in ipairs { { seed = "x" }, { temperature = -1 }, { seeds = { 1 } }, { seed = 1, seeds = { 1, 2 } } } do
      assert.has_error(function() ae:sample({ n = 2 }, o) end)
    end
  end)
end)
