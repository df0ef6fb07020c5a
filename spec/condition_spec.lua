-- Conditions: what each family refuses and in which words, and that captions are read once.
local Autoencoder = require "laterna.autoencoder"
local condition = require "laterna.condition"
local core = require "laterna.core"
local Diffusion = require "laterna.diffusion"
local fails = require "spec.support.fails"
local Flow = require "laterna.flow"
local Gan = require "laterna.gan"
local nn = require "laterna.nn"
local Letters = require "spec.support.letters"
local Encoder = require("laterna.text").Encoder
local Vae = require "laterna.vae"

local SHAPE = { size = 4, channels = 1, width = 4, levels = 1, condition = 4 }
local function text() return Encoder({ "a red star", "blue" }, { dim = 4, depth = 1, heads = 1 }) end

local function vae()
  return Vae { encoder = nn.PictureEncoder(4, SHAPE), decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2,
               text = text() }
end

local function gan()
  local net = nn.Critic { size = 4, width = 4, multipliers = { 1 }, text = 4, group = 4 }
  return Gan { generator = nn.Generator { size = 4, width = 4, multipliers = { 1 }, detail = 2, text = 4, group = 4 },
               critic = Gan.Critic { net = net, text = text() }, text = text(), detail = 2 }
end

local FAMILIES = {
  vae = vae, gan = gan,
  flow = function()
    return Flow { net = Flow.Glow { size = { 4, 4, 1 }, levels = 1, steps = 1, hidden = 4, text = 4 },
                  size = { 4, 4, 1 }, text = text() }
  end,
  diffusion = function()
    return Diffusion { net = nn.UNet { size = 4, width = 4, multipliers = { 1 }, blocks = 1, heads = 1, text = 4 },
                       text = text(), size = { 4, 4, 1 } }
  end,
  autoencoder = function()
    return Autoencoder { extractor = nn.PictureEncoder(4, SHAPE), detail = 2, text = text(),
                         generator = Vae { decoder = nn.PictureDecoder(2, 1, SHAPE), detail = 2 } }
  end,
  judge = function() return Gan.judge(vae(), { critic = gan().critic }) end,
}

local function pictures(n) return core.rand({ n, 4, 4, 1 }, { generator = core.generator(3) }) * 2 - 1 end

-- What each kind of mistake is answered with; %s stands for the function.
local MISTAKES = {
  { { captions = { "a", "b" } }, 'unknown key "captions"; known: ', "captions are written { text = " },
  { { prompt = "a" }, 'unknown key "prompt"; known: ', "text" },
  { { txet = { "a", "b" } }, 'unknown key "txet", did you mean "text"? known: ', "detail", "n", "text" },
  { { "a red star", "blue" }, "captions go by name: { text = " },
  { "a red star", "expected a table such as { text = ", 'got "a red star"' },
  { { text = "a red star" },
    'cond.text: expected a list of captions, got "a red star"; write text = { "a red star" }' },
  { { text = { "a", 2 } }, "cond.text: expected strings, got 2 at 2" },
  { { text = { first = "a" } }, "cond.text: expected a list of captions" },
  { { detail = 3 }, "cond.detail: expected tensor, got 3" },
  { { n = "2" }, 'cond.n: expected integer, got "2"' },
}

local function refused(message, f, ...)
  local ok, text_of = pcall(f, ...)
  assert.is_false(ok, message[2])
  for i = 2, #message do assert.is_truthy(text_of:find(message[i], 1, true), text_of) end
end

describe("a condition", function()
  for name, make in pairs(FAMILIES) do
    it("that the " .. name .. " does not know is refused in words", function()
      core.manual_seed(1)
      local model, x = make(), pictures(2)
      for _, mistake in ipairs(MISTAKES) do
        refused(mistake, model.loss, model, x, mistake[1])
        if model.critic_loss and name ~= "autoencoder" then
          refused(mistake, model.critic_loss, model, x, mistake[1])
        end
        if model.sample then refused(mistake, model.sample, model, mistake[1]) end
        if model.rsample then refused(mistake, model.rsample, model, mistake[1]) end
        if model.encode then refused(mistake, model.encode, model, x, mistake[1]) end
      end
      fails("cond.text: 1 captions for 2 pictures", model.loss, model, x, { text = { "a" } })
      if not model.sample then return end
      local how = name == "diffusion" and { steps = 2 } or { temperature = 1 }
      local option = next(how)
      local cond = { text = { "a", "b" }, [option] = how[option] }
      local words = "cond.%s: this is an option, not a part of the condition: sample(cond, { %s = ... })"
      fails(words:format(option, option), model.sample, model, cond)
      if name ~= "diffusion" then return end
      fails("cond.steps: this is an option", model.sample, model, { steps = 2 })
    end)

    it("and its pictures: the " .. name .. " takes float pictures in [-1,1]", function()
      core.manual_seed(1)
      local model = make()
      local bytes = core.zeros({ 2, 4, 4, 1 }, { dtype = "uint8" })
      for _, method in ipairs { "loss", "encode", "critic_loss", "log_prob" } do
        if model[method] and (method ~= "critic_loss" or name ~= "autoencoder") then
          fails("x: expected float", model[method], model, bytes)
          local _, message = pcall(model[method], model, bytes)
          assert.is_truthy(message:find("lt.pictures.from_bytes", 1, true), message)
        end
      end
      fails("x: expected pictures in [-1,1], got a value of 255", model.loss, model, bytes:float() + 255)
      fails("x: expected pictures in [-1,1], got a value of -3", model.loss, model, bytes:float() - 3)
      model:loss(pictures(2), { text = { "a", "b" } })
    end)
  end

  it("lets a diffusion of latents, and a flow of numbers, have any", function()
    core.manual_seed(2)
    local x = core.full({ 2, 4, 4, 1 }, 7)
    local net = nn.UNet { size = 4, width = 4, multipliers = { 1 }, blocks = 1, heads = 1 }
    local model = Diffusion { net = net, pixels = false }
    assert.is_true(model:loss(x):item() > 0)
    assert.is_true(model:sample({ n = 2 }, { steps = 2, noise = x }):abs():max():item() > 1) -- nothing is clipped
    local flow = Flow { net = Flow.layers.ActNorm(1), size = { 4, 4, 1 }, dequantise = "none" }
    assert.is_true(flow:loss(x + core.randn(x.shape)):item() > 0)
  end)
end)

local function read(cond, keys, n) return condition.read("f", 1, cond, condition.keys(keys), n) end

-- An encoder that counts how often it is asked, and for how many captions.
local function counting()
  local Counting = nn.class("Counting", function(self) self.letters, self.asked = Letters(), {} end)
  function Counting:forward(captions)
    self.asked[#self.asked + 1] = #captions
    return self.letters(captions)
  end
  return Counting()
end

describe("the object of a condition", function()
  it("counts its pictures: as many as x, captions, details, or n", function()
    assert.equal(1, read(nil).n)
    assert.equal(5, read { n = 5 }.n)
    assert.equal(2, read { text = { "a", "b" } }.n)
    assert.equal(3, read { detail = core.zeros(3, 2) }.n)
    assert.equal(4, read(nil, nil, 4).n)
    assert.same({ "", "" }, read { n = 2 }:captions())
    fails("cond.n: 3 does not go with 2 captions or details", read, { n = 3, text = { "a", "b" } })
    fails("cond.text: 2 captions for 3 details", read, { text = { "a", "b" }, detail = core.zeros(3, 1) })
    fails("cond.detail: 3 details for 2 pictures", read, { detail = core.zeros(3, 1) }, nil, 2)
    fails("cond.n: 3 does not go with 2 pictures", read, { n = 3 }, nil, 2)
    fails("cond.n: expected integer from 1", read, { n = 0 })
  end)

  it("asks an encoder once, and again where gradients are wanted that nobody recorded", function()
    local cond, encoder = read { text = { "ab", "" } }, counting()
    local first = core.no_grad(cond.encode, cond, encoder)
    assert.is_true(rawequal(first, core.no_grad(cond.encode, cond, encoder)))
    local recorded = cond:encode(encoder)
    assert.is_false(rawequal(first, recorded))
    assert.is_true(rawequal(recorded, core.no_grad(cond.encode, cond, encoder)))
    assert.same({ 2, 2 }, encoder.asked)
    local other = counting()
    cond:encode(other)
    assert.same({ 2 }, other.asked)
    assert.is_nil(cond:encode(nil))
    assert.is_true(rawequal(recorded, cond:read_by(encoder):encode(nil)))
    assert.is_true(rawequal(recorded, cond:with({ detail = core.zeros(2, 1) }):encode(encoder)))
    assert.same({ 2, 2 }, encoder.asked)
  end)

  it("reads nothing twice for some of its rows, and anew for other captions", function()
    local cond, encoder = read { text = { "abc", "a", "ab" }, detail = core.tensor { { 1 }, { 2 }, { 3 } } }, counting()
    local rows = cond:rows { 3, 1 }
    assert.same({ "ab", "abc" }, rows.text)
    assert.same({ { 3 }, { 1 } }, rows.detail:totable())
    assert.same({ { 2 }, { 3 } }, rows:pooled(encoder):totable())
    assert.same({ { 3 }, { 1 } }, cond:first(2):pooled(encoder):totable())
    assert.same({ 3 }, encoder.asked)
    assert.same({ "", "", "" }, cond:without().text)
    assert.same({ { 0 }, { 0 }, { 0 } }, cond:without():pooled(encoder):totable())
    local both = cond:above(cond:without { "x", "xy", "" })
    assert.equal(6, both.n)
    assert.same({ "abc", "a", "ab", "x", "xy", "" }, both.text)
    assert.same({ 6, 1 }, both.detail.shape)
    assert.same({ 3, 3 }, encoder.asked)
  end)

  it("leaves captions out in training, as often as the model says", function()
    local cond = read({ text = { "a", "b", "c", "d" } }, { generator = "userdata" })
    assert.is_true(rawequal(cond, cond:dropped { training = false, drop = 1 }))
    assert.is_true(rawequal(cond, cond:dropped { training = true, drop = 0 }))
    assert.same({ "", "", "", "" }, cond:dropped({ training = true, drop = 1 }).text)
    assert.same({ "a", "b", "c", "d" }, cond.text)
  end)

  it("keeps to the keys that a function names, and to nothing else for a critic", function()
    local cond = read({ text = { "a" }, detail = core.zeros(1, 1), beta = 2, extra = 3 },
      { beta = "number", extra = "number" })
    local limited = cond:limited(condition.keys { beta = "number" })
    assert.equal(2, limited.beta)
    assert.is_nil(limited.extra)
    local bare = cond:read_by(counting()):bare()
    assert.is_nil(bare.detail)
    assert.is_nil(bare.beta)
    assert.is_nil(bare:encode(nil))
    assert.same({ "a" }, bare.text)
  end)

  it("is checked like a table where it comes from elsewhere", function()
    local cond = read({ text = { "a" }, beta = 2 }, { beta = "number" })
    assert.equal(2, read(cond, { beta = "number" }).beta)
    fails('unknown key "beta"', read, cond)
    assert.same({ "a" }, read(cond:with { beta = false }).text)
  end)
end)

describe("an extractor and a generator", function()
  it("read captions once between them where one encoder serves both", function()
    core.manual_seed(3)
    local encoder = counting()
    local o = { size = 4, channels = 1, width = 4, levels = 1, condition = 1 }
    local ae = Autoencoder { extractor = nn.PictureEncoder(4, o), detail = 2, text = encoder,
                             generator = Vae { decoder = nn.PictureDecoder(2, 1, o), detail = 2 } }
    ae:loss(pictures(2), { text = { "a", "bc" } })
    assert.same({ 2 }, encoder.asked)
  end)

  it("may have encoders of their own, and each is asked for its own net", function()
    core.manual_seed(3)
    local mine, its = counting(), counting()
    local o = { size = 4, channels = 1, width = 4, levels = 1, condition = 1 }
    local ae = Autoencoder { extractor = nn.PictureEncoder(4, o), detail = 2, text = mine,
                             generator = Vae { decoder = nn.PictureDecoder(2, 1, o), detail = 2, text = its } }
    ae:loss(pictures(2), { text = { "a", "bc" } })
    assert.same({ { 2 }, { 2 } }, { mine.asked, its.asked })
    ae:sample { text = { "a", "b", "c" } }
    assert.same({ { 2 }, { 2, 3 } }, { mine.asked, its.asked }) -- without a learned prior only the painter reads
  end)
end)
