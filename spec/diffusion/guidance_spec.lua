-- What a network hears and how its answers are weighed, against the formulas, with networks that say what they heard.
local core = require "laterna.core"
local condition = require "laterna.condition"
local guidance = require "laterna.diffusion.guidance"
local Letters = require "spec.support.letters"
local Diffusion = require "laterna.diffusion"

-- A network that says x times the number of letters, plus the detail; it notes how many pictures each call had.
local function listener(calls)
  return Diffusion {
    text = Letters(), size = { 2, 2, 1 }, predict = "x0",
    net = function(x, t, cond)
      calls[#calls + 1] = { n = x:size(1), t = t:totable() }
      local y = x * cond.pooled:view(-1, 1, 1, 1)
      return cond.detail and y + cond.detail:view(-1, 1, 1, 1) or y
    end,
  }
end

local function predictor(model, cond, o)
  local all = { guidance = 1, interval = { 0, 1 }, rescale = 0 }
  for key, v in pairs(o) do all[key] = v end
  return guidance.predictor("sample", 1, model, condition.read("sample", 1, cond, condition.keys(), 2), all)
end

local function near(expected, got, tolerance)
  assert.same(expected.shape, got.shape)
  assert.is_true((expected - got):abs():max():item() <= (tolerance or 1e-6))
end

describe("guidance", function()
  local x, calls, model
  before_each(function()
    core.manual_seed(5)
    x, calls = core.randn(2, 2, 2, 1), {}
    model = listener(calls)
  end)

  it("exaggerates what the caption changes, in one call of twice the batch", function()
    local y = predictor(model, { text = { "abc", "a" } }, { guidance = 2.5 })(x, 0.5)
    near(x * core.tensor({ 7.5, 2.5 }):view(2, 1, 1, 1), y)
    assert.same({ { n = 4, t = { 0.5, 0.5, 0.5, 0.5 } } }, calls)
  end)

  it("asks whoever has read the captions, where the model reads none", function()
    local cond = condition.read("sample", 1, { text = { "abc", "a" } }, condition.keys()):read_by(Letters())
    local deaf = Diffusion { net = model.net, size = { 2, 2, 1 }, predict = "x0" }
    near(x * core.tensor({ 7.5, 2.5 }):view(2, 1, 1, 1), predictor(deaf, cond, { guidance = 2.5 })(x, 0.5))
  end)

  it("of 1 is none at all, and of 0 leaves the caption out, for one call", function()
    local cond = { text = { "abc", "a" } }
    assert.same((x * core.tensor({ 3, 1 }):view(2, 1, 1, 1)):totable(), predictor(model, cond, {})(x, 0.5):totable())
    assert.same((x * 0):totable(), predictor(model, cond, { guidance = 0 })(x, 0.5):totable())
    assert.same((x * 2):totable(), predictor(model, cond, { guidance = 0, negative = "no" })(x, 0.5):totable())
    assert.same({ 2, 2, 2 }, { calls[1].n, calls[2].n, calls[3].n })
  end)

  it("sets captions against what is not wanted, one for all or one each", function()
    local cond = { text = { "abc", "a" } }
    local y = predictor(model, cond, { guidance = 2, negative = "ab" })(x, 0.5)
    near(x * core.tensor({ 2 + 2 * 1, 2 + 2 * -1 }):view(2, 1, 1, 1), y)
    y = predictor(model, cond, { guidance = 2, negative = { "", "abcd" } })(x, 0.5)
    near(x * core.tensor({ 6, 4 + 2 * -3 }):view(2, 1, 1, 1), y)
  end)

  it("holds within an interval of times", function()
    local predict = predictor(model, { text = { "abc", "a" } }, { guidance = 3, interval = { 0.25, 0.75 } })
    local plain, guided = x * core.tensor({ 3, 1 }):view(2, 1, 1, 1), x * core.tensor({ 9, 3 }):view(2, 1, 1, 1)
    for t, expected in pairs { [0.2] = plain, [0.25] = guided, [0.75] = guided, [0.8] = plain } do
      near(expected, predict(x, t))
    end
    local sizes = {}
    for i, call in ipairs(calls) do sizes[i] = call.n end
    table.sort(sizes)
    assert.same({ 2, 2, 4, 4 }, sizes)
  end)

  it("rescaled has the deviation that the caption alone would have, as far as asked", function()
    local cond = { text = { "abc", "a" } }
    local plain = predictor(model, cond, {})(x, 0.5)
    for _, amount in ipairs { 0.3, 1 } do
      local y = predictor(model, cond, { guidance = 4, negative = "ab", rescale = amount })(x, 0.5)
      local guided = predictor(model, cond, { guidance = 4, negative = "ab" })(x, 0.5)
      for i = 1, 2 do
        local ratio = plain[i]:std():item() / guided[i]:std():item()
        near(guided[i] * (amount * ratio + 1 - amount), y[i], 1e-5)
      end
    end
    local flat = predictor(model, cond, { guidance = 4, rescale = 1 })(x * 0, 0.5)
    assert.same({ 0 }, { flat:abs():max():item() })
  end)

  it("tells both halves the detail", function()
    local detail = core.tensor { { 1 }, { -1 } }
    local y = predictor(model, { text = { "abc", "a" }, detail = detail }, { guidance = 2 })(x, 0.5)
    near(x * core.tensor({ 6, 2 }):view(2, 1, 1, 1) + detail:view(2, 1, 1, 1), y)
  end)

  it("takes a condition without captions for empty ones", function()
    near(-x, predictor(model, nil, { guidance = 2, negative = "a" })(x, 0.5))
  end)

  it("refuses in words", function()
    local cond_of_two = { text = { "abc", "a" } }
    local function fails(message, cond, options, with)
      local ok, err = pcall(function() (with or model):sample(cond, options) end)
      assert.is_false(ok)
      assert.is_truthy(err:find(message, 1, true), err)
    end
    fails("guidance: expected number from 0 to 10000.0, got -1", cond_of_two, { guidance = -1 })
    fails("interval: expected {from, to}, two times of [0,1], got table", cond_of_two, { interval = { 0.5, 0.2 } })
    fails("interval: expected {from, to}, two times of [0,1], got table", cond_of_two, { interval = { 0.5 } })
    fails("rescale: expected number from 0 to 1", cond_of_two, { guidance = 2, rescale = 2 })
    fails("negative: 1 captions for 2 pictures", cond_of_two, { guidance = 2, negative = { "a" } })
    fails("negative: expected string, got 5", cond_of_two, { guidance = 2, negative = { "a", 5 } })
    fails("cond.text: expected a list of captions", { text = Letters() { "a", "b" } }, { guidance = 2 })
    local silent = Diffusion { net = function(a) return a end, size = { 2, 2, 1 } }
    fails("guidance: this model reads no captions", { n = 2 }, { guidance = 2 }, silent)
  end)
end)
