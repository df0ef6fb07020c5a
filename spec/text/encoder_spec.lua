local core = require "laterna.core"
local Encoder = require "laterna.text.encoder"
local Tokenizer = require "laterna.text.tokenizer"

local CAPTIONS = { "a red star", "a blue star", "a large circle above a square", "night sky" }

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

local function near(a, b, tolerance)
  assert.same(a.shape, b.shape)
  assert.is_true((a - b):abs():max():item() <= (tolerance or 1e-5))
end

describe("the text encoder", function()
  local encoder
  before_each(function()
    encoder = Encoder(CAPTIONS, { dim = 16, heads = 2, generator = core.generator(1) })
  end)

  it("gives tokens, mask and pooled vectors, as wide as the longest caption", function()
    local e = encoder{ "a red star", "", "a large circle above a square" }
    assert.same({ 3, 8, 16 }, e.tokens.shape)
    assert.same({ 3, 16 }, e.pooled.shape)
    local five, one, eight = { 1, 1, 1, 1, 1, 0, 0, 0 }, { 1, 0, 0, 0, 0, 0, 0, 0 }, { 1, 1, 1, 1, 1, 1, 1, 1 }
    assert.same({ five, one, eight }, e.mask:totable())
  end)

  it("makes ids that begin with start and end with stop, padded", function()
    local tok = encoder.tokenizer
    local ids, mask = encoder:batch{ "a star", "" }
    assert.equal("int32", ids.dtype)
    local words = tok:encode "a star"
    assert.same({ { tok.start, words[1], words[2], tok.stop }, { tok.start, tok.padding, tok.padding, tok.padding } },
      ids:totable())
    assert.same({ { 1, 1, 1, 1 }, { 1, 0, 0, 0 } }, mask:totable())
  end)

  it("does not let padding or neighbours change a caption's vectors", function()
    local alone = encoder{ "a red star" }
    local beside = encoder{ "a large circle above a square", "a red star" }
    near(alone.pooled[1], beside.pooled[2])
    near(alone.tokens[1], beside.tokens[2][{ 1, 5 }])
  end)

  it("reads a caption that comes again once, with the same vectors and gradients", function()
    local batch = { "a red star", "", "a red star", "night sky", "", "a red star", "night sky", "a red star" }
    local weight = core.randn(#batch, 16)
    -- of the parameters, when the captions are read in batches of these sizes
    local function gradients(sizes)
      for _, p in ipairs(encoder:parameters()) do p:zero_grad() end
      local parts, at = {}, 0
      for i, size in ipairs(sizes) do
        parts[i] = encoder(table.move(batch, at + 1, at + size, 1, {})).pooled
        at = at + size
      end
      local pooled = core.cat(parts, 1);
      (pooled * weight):sum():backward()
      local list = {}
      for i, p in ipairs(encoder:parameters()) do list[i] = p.grad:clone() end
      return pooled:detach(), list
    end
    local pooled, together = gradients { 8 }
    local alone, apart = gradients { 2, 2, 2, 2 }
    near(pooled, alone)
    for i, g in ipairs(together) do near(g, apart[i], 1e-4) end
    local read = 0
    local own = encoder.norm.forward
    encoder.norm.forward = function(self, x)
      read = x:size(1)
      return own(self, x)
    end
    assert.equal(8, encoder(batch).tokens:size(1))
    assert.equal(3, read)
    encoder { "a", "red", "star", "a", "a red" }
    assert.equal(5, read) -- most are different
  end)

  it("pools the mean over the tokens that are there", function()
    local e = encoder{ "a red star", "night sky" }
    near(e.tokens[2][{ 1, 4 }]:mean(1), e.pooled[2])
  end)

  it("tells captions and their order apart", function()
    local e = encoder{ "a red star", "a blue star", "star red a", "" }
    for i = 1, 4 do
      for j = i + 1, 4 do
        assert.is_true((e.pooled[i] - e.pooled[j]):abs():max():item() > 1e-3)
      end
    end
  end)

  it("cuts long captions to its length, stop included", function()
    local short = Encoder(CAPTIONS, { dim = 8, heads = 2, length = 4 })
    local ids = short:batch{ "a large circle above a square", "a star" }
    assert.same({ 2, 4 }, ids.shape)
    assert.equal(short.tokenizer.stop, ids:totable()[1][4])
    assert.equal(short.tokenizer.stop, ids:totable()[2][4])
  end)

  it("gives a gradient to every parameter", function()
    local pooled = encoder{ "a red star", "" }.pooled
    local y = pooled * core.randn({ 2, 16 }, { generator = core.generator(2) })
    y:sum():backward()
    for name, p in encoder:named_parameters() do
      assert.is_true(p.grad:abs():sum():item() > 0, name)
    end
    local start = encoder.token.weight.grad[encoder.tokenizer.start]
    assert.is_true(start:abs():sum():item() > 0)
    assert.equal(0, encoder.token.weight.grad[encoder.tokenizer.padding]:abs():sum():item())
  end)

  it("learns: a linear reading of the pooled vector names the colour", function()
    local weight = core.zeros(2, 16, { requires_grad = true })
    local parameters = encoder:parameters()
    parameters[#parameters + 1] = weight
    local texts = { "a red star", "a blue star", "a red circle", "a blue square above a star" }
    local colour = core.tensor({ 1, 2, 1, 2 }, { dtype = "int32" })
    local first, last
    for _ = 1, 60 do
      local loss = core.cross_entropy(core.linear(encoder(texts).pooled, weight), colour)
      loss:backward()
      core.sgd_update(parameters, nil, { lr = 0.1 })
      for _, p in ipairs(parameters) do p:zero_grad() end
      first, last = first or loss:item(), loss:item()
    end
    assert.is_true(first > 0.69 and last < 0.2, last)
  end)

  it("names its parameters in a stable order and loads its own state", function()
    local names = {}
    for name in encoder:named_parameters() do names[#names + 1] = name end
    assert.equal("blocks.0.attention.in_proj_bias", names[1])
    assert.equal("token.weight", names[#names])
    local other = Encoder(Tokenizer.load(encoder.tokenizer:state()), { dim = 16, heads = 2 })
    other:load_state(encoder:state())
    near(encoder{ "a blue star" }.pooled, other{ "a blue star" }.pooled, 0)
  end)

  it("says what is wrong with its arguments", function()
    assert.matches("at least one string", message(encoder, {}))
    assert.matches("captions: expected table", message(encoder, "a red star"))
    assert.matches("expected strings, got 3 at 2", message(encoder, { "a", 3 }))
    assert.matches("captions: expected table", message(Encoder, nil))
    assert.matches("heads: expected a divisor of dim %(16%), got 3",
      message(Encoder, CAPTIONS, { dim = 16, heads = 3 }))
    assert.matches("unknown option", message(Encoder, CAPTIONS, { width = 3 }))
    assert.matches("belong to the tokenizer", message(Encoder, encoder.tokenizer, { vocabulary = 300 }))
  end)
end)
