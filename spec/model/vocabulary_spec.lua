-- The vocabulary belongs to the model: word numbers go by how often words occur, so another one would read every
-- caption as another caption.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local lt = require "laterna"
local nn = lt.nn

local folder, path
setup(function()
  folder = child.folder()
  path = folder .. "/a.safetensors"
end)
teardown(function() child.remove(folder) end)

local BEFORE = { "red cat", "blue dog", "red dog" }
local AFTER = { "red cat", "blue dog", "red dog", "blue cat", "blue cat", "blue dog" } -- three more, no new word

local function encoder(captions, options)
  local o = { dim = 8, depth = 1, heads = 2 }
  for key, v in pairs(options or {}) do o[key] = v end
  return lt.text.Encoder(captions, o)
end

local function bytes_of(module)
  local out = {}
  for name, t in pairs(module:state()) do out[name] = t:to_string() end
  return out
end

-- Loading is refused with these words in the reason, and the module is as it was.
local function refused(module, state, ...)
  local before = bytes_of(module)
  local message = fails("vocabulary", module.load_state, module, state)
  for _, word in ipairs { ... } do assert.is_truthy(message:find(word, 1, true), word .. " is not in " .. message) end
  assert.same(before, bytes_of(module))
  return message
end

-- What f writes to stderr.
local function said(f, ...)
  local err, name = io.stderr, folder .. "/stderr"
  rawset(io, "stderr", assert(io.open(name, "w")))
  local results = table.pack(pcall(f, ...))
  io.stderr:close()
  rawset(io, "stderr", err)
  assert(results[1], results[2])
  local file = assert(io.open(name))
  local text = file:read "a"
  file:close()
  return text
end

describe("another vocabulary", function()
  it("is refused by name, whatever the seed, in memory and from a file", function()
    for seed = 0, 2 do
      core.manual_seed(seed)
      local a, b = encoder(BEFORE), encoder(AFTER)
      refused(b, a:state(), '"blue" would be read as "dog"', "4 of 16 words differ")
      lt.save(path, a:state())
      refused(b, lt.load(path), '"blue" would be read as "dog"', "lt.inspect(path).tokenizers[1]")
      refused(a, b:state(), '"dog" would be read as "blue"')
    end
  end)

  it("is taken from the file by whoever wants it", function()
    local a = encoder(BEFORE)
    lt.save(path, a:state())
    local b = encoder(lt.inspect(path).tokenizers[1])
    b:load_state(lt.load(path))
    assert.equal(a.tokenizer:state(), b.tokenizer:state())
    assert.equal(3, lt.inspect(path).tokenizers[1].captions)
    assert.is_true((a { "red cat" }.pooled - b { "red cat" }.pooled):abs():max():item() == 0)
  end)

  it("differs by words that only one has, and by capitals", function()
    local a = encoder(BEFORE)
    refused(encoder { "red cat", "blue dog", "red fox" }, a:state(), "only in the module: ", '"fox"')
    refused(encoder(BEFORE, { lowercase = false }), a:state(), "makes small letters")
    refused(encoder(BEFORE, { vocabulary = 259 + 3 }), a:state(), "only in the state: ", ", ...")
  end)

  it("is no other when captions are others and words the same", function()
    local a, b = encoder(BEFORE), encoder { "blue dog", "red dog", "red cat" }
    b:load_state(a:state())
  end)

  it("is refused of any encoder below, by its module's name", function()
    local function pair(first, second)
      return nn.Sequential(lt.gan.Critic { net = nn.Linear(2, 1), text = encoder(first) }, encoder(second))
    end
    local model = pair(BEFORE, BEFORE)
    model:load_state(pair(BEFORE, BEFORE):state())
    refused(model, pair(AFTER, BEFORE):state(), "the vocabulary of 0.text is another")
    refused(model, pair(BEFORE, AFTER):state(), "the vocabulary of 1 is another")
    lt.save(path, pair(BEFORE, AFTER):state())
    assert.equal(2, #lt.inspect(path).tokenizers)
    refused(model, lt.load(path), "the vocabulary of 1 is another")
  end)

  it("is refused of an extractor and a generator, each with an encoder of its own #slow", function()
    local function autoencoder(first, second)
      return lt.autoencoder {
        extractor = nn.Extractor { size = 8, width = 8, detail = 2, text = 8 }, text = encoder(first), detail = 2,
        generator = lt.vae { decoder = nn.PictureDecoder(2, 1, { size = 8, width = 8, condition = 8 }), detail = 2,
                             text = encoder(second) },
      }
    end
    local model = autoencoder(BEFORE, AFTER)
    model:load_state(autoencoder(BEFORE, AFTER):state())
    refused(model, autoencoder(AFTER, AFTER):state(), "the vocabulary of text is another")
    refused(model, autoencoder(BEFORE, BEFORE):state(), "the vocabulary of generator.text is another")
    lt.save_model(path, autoencoder(AFTER, BEFORE))
    refused(model, lt.load(path), "another")
    assert.equal(encoder(AFTER).tokenizer:state(), lt.open(path).text.tokenizer:state())
  end)

  it("is refused when a run is resumed, and the model is untouched", function()
    local function run(captions, resume)
      core.manual_seed(3)
      local model = nn.Sequential(encoder(captions))
      local optimizer = lt.optim.Adam(model:parameters(), { lr = 1 })
      return model, function()
        local r = lt.train.run { save = folder .. "/run", steps = 2, model = model, optimizer = optimizer,
                                 resume = resume, progress = false }
        for _ in r:steps() do end
      end
    end
    select(2, run(BEFORE, false))()
    local model, resume = run(AFTER, true)
    local before = bytes_of(model)
    local message = fails("cannot resume from " .. folder .. "/run/checkpoint.safetensors", resume)
    assert.is_truthy(message:find("the vocabulary of 0 is another", 1, true), message)
    assert.same(before, bytes_of(model))
    select(2, run(BEFORE, true))()
  end)
end)

describe("a state without a vocabulary", function()
  it("loads as a plain table, and with one note from a file", function()
    local a, b = encoder(BEFORE), encoder(AFTER)
    local plain = {}
    for name, t in pairs(a:state()) do plain[name] = t end
    assert.equal("", said(b.load_state, b, plain))
    lt.save(path, plain)
    local note = said(b.load_state, b, lt.load(path))
    assert.is_truthy(note:find(path .. " holds no vocabulary", 1, true), note)
    assert.equal("", said(b.load_state, b, lt.load(path)))
    local net = nn.Linear(2, 2)
    lt.save(folder .. "/net.safetensors", net:state())
    assert.equal("", said(net.load_state, net, lt.load(folder .. "/net.safetensors")))
  end)

  it("resumes from a checkpoint of the version before, with a note", function()
    local model = encoder(AFTER)
    local optimizer = lt.optim.Adam(model:parameters(), { lr = 1 })
    local options = { save = folder .. "/old", steps = 1, model = model, optimizer = optimizer, progress = false }
    for _ in lt.train.run(options):steps() do end
    local file = folder .. "/old/checkpoint.safetensors"
    local tensors, metadata = core.load_safetensors(file)
    core.save_safetensors(file, tensors, { format = "laterna training checkpoint 1", step = metadata.step,
      random = metadata.random, numbers = metadata.numbers, data = metadata.place })
    options.resume, options.steps = true, 2
    local run
    local note = said(function() run = lt.train.run(options) end)
    assert.equal(1, run.step)
    assert.is_truthy(note:find("is of an earlier version of laterna and holds no vocabulary", 1, true), note)
    local plain = lt.load(file, { prefix = "model." })
    said(model.load_state, model, plain)
    fails("model:load_state(lt.load(path, { prefix = \"model.\" }))", lt.open, folder .. "/old")
  end)
end)

describe("load and save", function()
  it("give one value, with the metadata inside", function()
    local a = encoder(BEFORE)
    lt.save(path, a:state(), { note = "x" })
    assert.equal(1, select("#", lt.load(path)))
    assert.equal("x", lt.inspect(lt.load(path)).metadata.note)
    local state = lt.load(path)
    for name in pairs(a:state()) do assert.is_truthy(state[name], name) end
    lt.save(path, state) -- and again: the vocabulary goes along
    assert.equal(a.tokenizer:state(), lt.inspect(path).vocabularies[""]:state())
  end)

  it("refuse keys of their own and broken words, by the path", function()
    local state = encoder(BEFORE):state()
    fails("metadata: tokenizers is a key of laterna's own", lt.save, path, state, { tokenizers = "x" })
    core.save_safetensors(path, { a = core.zeros(1) }, { format = "laterna state 1", vocabularies = "{}" })
    fails("cannot load " .. path .. ": metadata tokenizers is missing", lt.load, path)
    core.save_safetensors(path, { a = core.zeros(1) }, { tokenizers = "somebody else's", vocabularies = "too" })
    assert.is_truthy(lt.load(path).a)
    fails("tensors: expected table", lt.save, path, 3)
    fails("metadata: expected table or nil", lt.save, path, {}, 3)
  end)

  it("take a part by its prefix", function()
    lt.save(path, { ["ema.a"] = core.ones(1), ["model.a"] = core.zeros(1), ema = core.zeros(1) })
    local state = lt.load(path, { prefix = "ema." })
    assert.equal(1, state.a:item())
    assert.is_nil(state["model.a"])
    assert.is_nil(state.ema)
  end)
end)

describe("load_state without strictness", function()
  it("loads what fits and gives back what it left out", function()
    local a, b = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1))
    b.more = nn.Linear(1, 1)
    local state = a:state()
    state.other = core.zeros(1)
    local before = b[2].weight:to_string()
    local same, left = b:load_state(state, { strict = false })
    assert.equal(b, same)
    assert.same({ "more.bias (1)", "more.weight (1,1)" }, left.missing)
    assert.same({ "other" }, left.extra)
    assert.same({ "1.weight: expected (1,4), got (1,3)" }, left.misshapen)
    assert.same({}, left.vocabulary)
    assert.equal(a[1].weight:to_string(), b[1].weight:to_string())
    assert.equal(a[2].bias:to_string(), b[2].bias:to_string())
    assert.equal(before, b[2].weight:to_string())
    assert.is_nil((select(2, a:load_state(a:state()))))
  end)

  it("passes over the word vectors of another vocabulary", function()
    local a, b = encoder(BEFORE), encoder(AFTER)
    local words, rest = b.token.weight:to_string(), a.position:to_string()
    local _, left = b:load_state(a:state(), { strict = false })
    assert.same({ "" }, left.vocabulary)
    assert.equal(words, b.token.weight:to_string())
    assert.equal(rest, b.position:to_string())
  end)

  it("takes a prefix off, strict or not", function()
    local a, b = encoder(BEFORE), encoder(BEFORE)
    local state = nn.Sequential(nn.Linear(1, 1), a):state()
    b:load_state(state, { prefix = "1." })
    assert.equal(a.position:to_string(), b.position:to_string())
    fails("missing", b.load_state, b, state, { prefix = "2." })
    local other = encoder(AFTER)
    fails("vocabulary", other.load_state, other, state, { prefix = "1." })
  end)

  it("skips by pattern, list or function, on both sides", function()
    local a, b = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1))
    local before = b[2].bias:to_string()
    for _, skip in ipairs { "^1%.", { "^1%.weight", "^1%.bias" }, function(name) return name:sub(1, 2) == "1." end } do
      b:load_state(a:state(), { skip = skip })
      assert.equal(before, b[2].bias:to_string())
      assert.equal(a[1].weight:to_string(), b[1].weight:to_string())
    end
    fails("skip: expected a Lua pattern", b.load_state, b, a:state(), { skip = "[" })
    fails("skip: expected a Lua pattern", b.load_state, b, a:state(), { skip = 3 })
    fails("unknown option", b.load_state, b, a:state(), { loose = true })
    fails("strict: expected boolean", b.load_state, b, a:state(), { strict = 1 })
  end)
end)

describe("a tensor that is not saved", function()
  local Net = nn.class("Net", function(self)
    self.fc = nn.Linear(2, 2)
    self.mask, self.nonpersistent = lt.ones(2), { mask = true }
  end)

  it("is declared, is no parameter and in no state, and is copied with its module", function()
    local net = Net()
    assert.equal(2, #net:parameters())
    assert.is_false(net.mask.requires_grad)
    assert.is_nil(net:state().mask)
    net:load_state(Net():state())
    local names = {}
    for name in net:named_buffers() do names[#names + 1] = name end
    assert.same({ "mask" }, names)
    local copy = net:clone()
    copy.mask:zero_()
    assert.equal(2, net.mask:sum():item())
    net.mask = net.fc(lt.ones(1, 2)) -- even what an operation gave: it is kept in memory only
    assert.equal(2, #net:parameters())
  end)

  it("may be a list, and one of the class", function()
    local Class = nn.class("Class", function(self) self.tables = { lt.ones(1), lt.ones(2) } end)
    Class.nonpersistent = { tables = true }
    local net = Class()
    assert.same({}, net:parameters())
    assert.is_nil(next(net:state()))
    net.nonpersistent = 3
    fails("nonpersistent: expected table", net.state, net)
  end)
end)
