-- The extractor and a generator, trained together on pictures that a caption does not settle.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local captions = { "dark", "light" }
local shape = { size = 4, channels = 1, width = 8, levels = 1, condition = 8 }

local function make()
  return Autoencoder {
    extractor = nn.PictureEncoder(4, shape), detail = 2, text = Encoder(captions, { dim = 8, depth = 1, heads = 2 }),
    generator = Vae { decoder = nn.PictureDecoder(2, 1, shape), detail = 2 },
  }
end

-- Left half or right half of a 4x4 picture is painted (which one, no caption says), dark or light (the caption says).
local function batch(n)
  local x, said, side = core.zeros(n, 4, 4, 1), {}, {}
  for i = 1, n do
    local k, right = i % 2 + 1, (i // 2) % 2
    said[i], side[i] = captions[k], right
    for row = 1, 4 do
      for column = 1, 2 do x[i][row][column + 2 * right] = k == 1 and -0.9 or 0.9 end
    end
  end
  return x, said, side
end

describe("the autoencoder", function()
  local model, x, said, side

  setup(function()
    core.manual_seed(4)
    model, x = make(), nil
    x, said, side = batch(32)
    local optimizer = optim.AdamW(model:parameters(), { lr = 3e-3 })
    for step = 1, 250 do
      local loss = model:loss(x, { text = said, beta = math.min(1, step / 100) })
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
  end)

  it("paints a picture again from caption and detail", function()
    local again = model:reconstruct(x, { text = said })
    assert.same(x.shape, again.shape)
    assert.is_true((again - x):abs():mean():item() < 0.1)
  end)

  it("writes into the detail what the caption leaves out: which half", function()
    -- among pictures of one caption: the detail may say it differently under another
    local mu = model:encode(x, { text = said })
    local sum = { [0] = core.zeros(2), [1] = core.zeros(2) }
    for i, row in mu:rows() do
      if said[i] == "light" then sum[side[i]] = sum[side[i]] + row * (1 / 8) end
    end
    assert.is_true((sum[0] - sum[1]):norm():item() > 0.5)
  end)

  it("follows the caption when that changes and the detail stays", function()
    local lit, dark = {}, {}
    for i = 1, 8 do lit[i], dark[i] = "light", "dark" end
    local z = core.randn(8, 2, { generator = core.generator(3) })
    local a, b = model:sample { text = lit, detail = z }, model:sample { text = dark, detail = z }
    assert.is_true(a:mean():item() > 0.3 and b:mean():item() < -0.3)
  end)

  it("draws the rest at random: every picture is as captioned, both halves come", function()
    local many = {}
    for i = 1, 40 do many[i] = "light" end
    local painted = model:sample({ text = many }, { generator = core.generator(1) })
    local right = 0
    for _, p in painted:rows() do
      local halves = { p[{ {}, { 1, 2 }, {} }]:mean():item(), p[{ {}, { 3, 4 }, {} }]:mean():item() }
      assert.is_true(math.max(halves[1], halves[2]) > 0.5)
      if halves[2] > halves[1] then right = right + 1 end
    end
    assert.is_true(right >= 4 and right <= 36, right .. " of 40 to the right") -- one in ten at least
  end)

  it("paints on record for a judge: what is said of the pictures reaches the decoder, not the prior", function()
    model.generator:zero_grad()
    model.extractor:zero_grad()
    local painted = model:rsample({ text = { "light", "dark" } }, { generator = core.generator(2) })
    assert.same({ 2, 4, 4, 1 }, painted.shape)
    painted:sum():backward()
    assert.is_true(model.generator.decoder.out.weight.grad:abs():sum():item() > 0)
    assert.is_nil(model.extractor.out.weight.grad)
    local again = model:sample({ text = { "light", "dark" } }, { generator = core.generator(2) })
    assert.is_true((again - painted):abs():max():item() < 1e-5)
  end)

  it("interpolates between two pictures through their details", function()
    local path = model:interpolate(x[1], x[3], 5, { text = { "light" } })
    assert.same({ 5, 4, 4, 1 }, path.shape)
    local again = model:reconstruct(x[{ 1, 1 }], { text = { "light" } })
    assert.is_true((path[1] - again[1]):abs():max():item() < 1e-4)
  end)

  it("refuses what does not go together", function()
    assert.has_error(function() model:loss(x, { text = { "dark" } }) end,
      "bad argument #2 to 'loss' (cond.text: 1 captions for 32 pictures)")
    assert.has_error(function() model:loss("x") end)
    assert.has_error(function() model:interpolate(x[1], x[2], 1) end)
    local layer = nn.Linear(1, 1)
    assert.has_error(function() Autoencoder { extractor = layer, generator = layer, detail = 1 } end)
  end)
end)
