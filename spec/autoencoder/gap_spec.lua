-- The caption-gap meter, where the answer is known in closed form, and on pictures that captions say more and less of.
local Autoencoder = require "laterna.autoencoder"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local nn = require "laterna.nn"
local optim = require "laterna.optim"
local prior = require "laterna.prior"
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local SIGMA = 0.5

-- The posterior of z ~ N(0, I), x = z + SIGMA noise: N(x / (1 + SIGMA^2), SIGMA^2 / (1 + SIGMA^2)).
local Exact = nn.class("Exact", function() end)
function Exact.forward(_, x)
  x = x:flatten(2)
  local s2 = SIGMA * SIGMA
  return core.cat({ x * (1 / (1 + s2)), core.full(x.shape, math.log(s2 / (1 + s2))) }, 2)
end
local Silent = nn.class("Silent", function() end)
function Silent.loss() end
function Silent.sample() end

-- N(1, 4) in every coordinate.
local Wide = nn.class("Wide", function() end)
function Wide.log_prob(_, z)
  local u = (z - 1) * 0.5
  return ((u:square() + math.log(2 * math.pi)) * -0.5 - math.log(2)):sum(2), u
end
function Wide.inverse(_, u) return u * 2 + 1 end

describe("the gap, in closed form", function()
  it("is the mutual information of picture and detail for a linear gaussian model", function()
    local ae = Autoencoder { extractor = Exact(), generator = Silent(), detail = 4 }
    local g = core.generator(3)
    local z = core.randn(20000, 4, { generator = g })
    local x = (z + core.randn(z.shape, { generator = g }) * SIGMA):view(-1, 2, 2, 1)
    local gaps = ae:gap(x, nil, { batch = 7000 })
    assert.same({ 20000 }, gaps.shape)
    assert.near(4 / 2 * math.log(1 + 1 / SIGMA ^ 2), gaps:mean():item(), 0.02)
  end)

  it("is the divergence of two gaussians, picture by picture, under a prior", function()
    local ae = Autoencoder { extractor = Exact(), generator = Silent(), detail = 4, prior = Wide() }
    local x = core.tensor { { 0, 1, 2, 3 }, { -1, 0, 0, 0 } }:view(2, 2, 2, 1)
    local got = ae:gap(x, nil, { draws = 4000, generator = core.generator(1) }):totable()
    local s2 = SIGMA ^ 2 / (1 + SIGMA ^ 2)
    for i, row in ipairs(x:view(2, 4):totable()) do
      local want = 0
      for _, v in ipairs(row) do
        local mu = v / (1 + SIGMA ^ 2)
        want = want + math.log(2) - math.log(s2) / 2 + (s2 + (mu - 1) ^ 2) / (2 * 4) - 0.5
      end
      assert.near(want, got[i], 0.03)
    end
  end)
end)

-- Dark or light, left or right: captions say none, one or both.
local SHAPE = { size = 4, channels = 1, width = 8, levels = 1, condition = 8 }
local function batch(n)
  local x, said = core.zeros(n, 4, 4, 1), { {}, {}, {} }
  for i = 1, n do
    local light, right = i % 2, i // 2 % 2
    local words = { light == 1 and "light" or "dark", right == 1 and "right" or "left" }
    said[1][i], said[2][i], said[3][i] = "", words[1], words[1] .. " " .. words[2]
    for column = 1, 2 do
      for row = 1, 4 do x[i][row][column + 2 * right] = light == 1 and 0.9 or -0.9 end
    end
  end
  return x, said
end

describe("the gap of captions", function()
  local model, x, said

  setup(function()
    core.manual_seed(4)
    x, said = batch(32)
    model = Autoencoder {
      extractor = nn.Extractor { size = 4, width = 8, levels = 1, detail = 2, text = 8, heads = 2 }, detail = 2,
      text = Encoder({ "dark left", "light right" }, { dim = 8, depth = 1, heads = 2 }),
      generator = Vae { decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 },
      prior = prior.Flow(2, { condition = 8, layers = 4, hidden = 32 }),
    }
    local optimizer = optim.AdamW(model:parameters(), { lr = optim.schedule.cosine(4e-3, 1200) })
    local g = core.generator(5)
    for step = 1, 1200 do
      local captions = {}
      for i = 1, 32 do captions[i] = said[g:integer(1, 3)][i] end
      local loss = model:loss(x, { text = captions, beta = math.min(1, step / 100) })
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end
  end)

  it("falls with every word that is added", function()
    local mean = {}
    for k = 1, 3 do
      mean[k] = model:gap(x, { text = said[k] }, { draws = 16, generator = core.generator(1) }):mean():item()
    end
    assert.is_true(mean[1] > mean[2] + 0.4 and mean[2] > mean[3] + 0.4, table.concat(mean, " "))
    assert.is_true(mean[3] < mean[1] / 3, table.concat(mean, " "))
  end)

  it("is the same in batches", function()
    local plain = Autoencoder { extractor = model.extractor, generator = model.generator, detail = 2,
                                text = model.text } -- no learned prior, so nothing is drawn
    local whole = plain:gap(x, { text = said[2] })
    assert.is_true((plain:gap(x, { text = said[2] }, { batch = 5 }) - whole):abs():max():item() < 1e-4)
    assert.is_false(whole.requires_grad)
    assert.is_true(plain.training)
  end)

  it("ranks captions by what they leave out", function()
    local captions = {}
    for i = 1, 32 do captions[i] = said[i % 3 + 1][i] end
    local report = model:report(x, captions, { generator = core.generator(1) })
    local n = 0
    for i, row in ipairs(report) do
      assert.is_true(i == 1 or row.gap <= report[i - 1].gap)
      n = n + row.n
    end
    assert.equal(32, n)
    assert.equal("", report[1].caption)
    assert.truthy(report[#report].caption:find " ")
    assert.truthy(tostring(report):find("(no caption)", 1, true))
  end)

  it("edits: the new caption holds, one half is painted, and under its own caption a picture stays", function()
    local other = {}
    for i = 1, 32 do other[i] = said[2][i] == "dark" and "light" or "dark" end
    local got, z = model:edit(x, { text = said[2] }, { text = other })
    assert.same({ 32, 2 }, z.shape)
    assert.near(0.45, got:abs():mean():item(), 0.05)
    for i, p in got:rows() do
      assert.near(other[i] == "light" and 0.45 or -0.45, p:mean():item(), 0.1)
    end
    for _, keep in ipairs { "noise", "detail" } do
      local same = model:edit(x, { text = said[2] }, { text = said[2] }, { keep = keep })
      assert.is_true((same - model:reconstruct(x, { text = said[2] })):abs():max():item() < 1e-2)
    end
    local light = model:edit(x, { text = said[2] }, { text = { "light" } })
    assert.is_true(light:mean():item() > 0.4)
  end)

  it("says what does not fit", function()
    fails("cond.text: 3 captions for 32 pictures", function() model:gap(x, { text = { "a", "b", "c" } }) end)
    fails("draws", function() model:gap(x, nil, { draws = 0 }) end)
    fails("keep: expected", function() model:edit(x, nil, nil, { keep = "all" }) end)
  end)
end)
