-- Metadata that nobody may trust: each damaged block is refused with a reason, or opens as what it says.
local child = require "spec.support.child"
local core = require "laterna.core"
local fails = require "spec.support.fails"
local json = require "laterna.model.json"
local lt = require "laterna"
local models = require "spec.support.models"
local mutate = require "spec.support.mutate"
local write = require "laterna.model.write"

local folder, path, err
setup(function()
  folder = child.folder()
  path = folder .. "/a.safetensors"
end)
teardown(function() child.remove(folder) end)

-- Notes on stderr are of no interest here.
before_each(function()
  err = io.stderr
  rawset(io, "stderr", assert(io.open("/dev/null", "w")))
end)
after_each(function()
  io.stderr:close()
  rawset(io, "stderr", err)
end)

local function saved(model)
  lt.save_model(path, model)
  return core.load_safetensors(path)
end

-- Does b say all that a says? An encoder names all of its options, so b may say more. Tokenizers count by their text:
-- of, {a's, b's}.
local function says(a, b, of)
  if type(a) == "table" and a["$tokenizer"] and type(b) == "table" and b["$tokenizer"] then
    return of[1][a["$tokenizer"]].text == of[2][b["$tokenizer"]].text
  end
  if type(a) ~= "table" then return a == b and math.type(a) == math.type(b) end
  if type(b) ~= "table" then return false end
  if next(a) == nil or json.is_list(a) and a.n == 0 then return true end -- an empty list is an empty table in Lua
  if json.is_list(a) ~= json.is_list(b) or json.is_list(a) and a.n ~= b.n then return false end
  for key, v in next, a do
    if not says(v, b[key], of) then return false end
  end
  return true
end

-- Opens the file; an error must be words, and little memory may have been taken.
local function refused_or_true(metadata)
  core.memory(true)
  local before = core.memory().live
  local ok, result = pcall(lt.open, path)
  assert.is_true(core.memory().peak - before < 100e6, "it took much memory")
  assert.is_string(tostring(lt.inspect(path)))
  if ok then
    local again = write.model(result)
    local tokenizers = { json.decode(metadata.tokenizers), json.decode(again.tokenizers) }
    assert.is_true(says(json.decode(metadata.model), json.decode(again.model), tokenizers), metadata.model)
    for name, m in result:named_modules() do
      local n = m.tokenizer and json.decode(metadata.vocabularies)[name]
      if m.tokenizer then assert.equal(tokenizers[1][n].text, m.tokenizer:state()) end
    end
    return true
  end
  assert.is_string(result)
  assert.is_truthy(result:find("cannot open " .. path .. ": ", 1, true), result)
  for _, word in ipairs { "attempt to", "traceback", ".lua:" } do assert.is_nil(result:find(word, 1, true), result) end
  return false
end

describe("damaged metadata", function()
  it("is refused with a reason, or opens as what it says: 240 blocks #slow", function()
    local opened, count = 0, 0
    for _, name in ipairs { "diffusion", "gan", "autoencoder_codes", "shared" } do
      local tensors, metadata = saved((models.make(name)))
      for i = 1, 60 do
        local generator = core.generator(1000 * #name + i)
        local damaged = mutate.metadata(metadata, function(n) return generator:integer(1, n) end)
        core.save_safetensors(path, tensors, damaged)
        count = count + 1
        if refused_or_true(damaged) then opened = opened + 1 end
      end
    end
    assert.equal(240, count)
    assert.is_true(opened > 10 and opened < 120, ("%d opened"):format(opened))
  end)

  it("is refused where bytes of the header are others: 100 files #slow", function()
    saved((models.make "vae"))
    local file = assert(io.open(path, "rb"))
    local bytes = file:read "a"
    file:close()
    local length = string.unpack("<I8", bytes)
    local generator = core.generator(3)
    for _ = 1, 100 do
      local at = 8 + generator:integer(1, length)
      file = assert(io.open(path, "wb"))
      file:write(bytes:sub(1, at - 1), string.char(generator:integer(0, 255)), bytes:sub(at + 1))
      file:close()
      local ok, metadata = pcall(function() return select(2, core.inspect_safetensors(path)) end)
      if ok then refused_or_true(metadata) else assert.is_string(fails("", lt.open, path)) end
    end
  end)
end)

describe("a file that lies", function()
  local tensors, metadata
  before_each(function() tensors, metadata = saved(lt.nn.Sequential(lt.nn.Linear(2, 3), lt.silu)) end)

  local function opens(tree, changes)
    metadata.model = json.encode { tree = tree, changes = changes or json.list() }
    core.save_safetensors(path, tensors, metadata)
    return lt.open(path)
  end

  local function list(...)
    local out = json.list(select("#", ...))
    for i = 1, out.n do out[i] = (select(i, ...)) end
    return out
  end

  local function linear(...) return { ["$class"] = "lt.nn.Linear", ["$args"] = list(...) } end

  local function sequential(...) return { ["$class"] = "lt.nn.Sequential", ["$args"] = list(...) } end

  it("about its size is refused before memory is taken #slow", function()
    core.memory(true)
    local before = core.memory().live
    for _, width in ipairs { 1000000000, 1 << 40, math.maxinteger } do
      fails("cannot open", opens, sequential(linear(2, width)))
    end
    local message = fails("it describes more than the file's tensors hold", opens, sequential(linear(100000, 10000)))
    assert.is_truthy(message:find("4000000000 bytes", 1, true), message)
    assert.is_true(core.memory().peak - before < 1e6)
    local t = lt.zeros(1 << 24) -- the limit is gone
    t:free()
  end)

  it("about its shapes is refused by their names", function()
    fails("0.weight: expected (3,3), got (3,2)", opens, sequential(linear(3, 3)))
    fails("missing:\n    1.bias", opens, sequential(linear(2, 3), linear(1, 1)))
    fails("0.weight_u", opens, sequential(linear(2, 3)),
      list { module = "0", ["function"] = "lt.nn.spectral_norm", args = list() })
  end)

  it("cannot name what is not public", function()
    for _, name in ipairs { "laterna.core", "os", "lt.nn", "lt.nn.class", "lt.nn.clone", "lt.nn.init.zeros_",
                            "lt.gan.watch", "lt.data.folder", "lt", "", "lt.nn.UNet.forward", "string.rep" } do
      fails("unknown class", opens, { ["$class"] = name, ["$args"] = list() })
    end
    for _, name in ipairs { "lt.save", "lt.load", "lt.zero_", "lt.nn.Linear", "lt.manual_seed", "print",
                            "lt.gan.losses.hinge.boundary", "lt.gan.losses", "lt.gan.losses.none" } do
      fails("unknown function", opens, sequential(linear(2, 3), { ["$value"] = name }))
    end
    for _, name in ipairs { "lt.schedule.check", "lt.schedule.invert", "lt.data.scenes", "lt.open", "lt.schedule",
                            "lt.diffusion.weight", "lt.diffusion.weight.nothing", "load" } do
      fails("unknown function", opens, sequential(linear(2, 3), { ["$function"] = name, ["$args"] = list() }))
    end
    fails("unknown function", opens, sequential(linear(2, 3)),
      list { module = "0", ["function"] = "lt.nn.clone", args = list() })
    fails("class Net is the script's own", opens, { ["$own"] = "Net", ["$args"] = list() })
  end)

  it("about its structure is refused", function()
    fails("expected a class", opens, 3)
    fails("expected a class", opens, list())
    fails("expected a list of arguments", opens, { ["$class"] = "lt.nn.Linear" })
    fails("an object with", opens, { ["$class"] = "lt.nn.Linear", ["$own"] = "Net", ["$args"] = list() })
    fails('unknown key "$sudo"', opens, { ["$class"] = "lt.nn.Linear", ["$args"] = list(), ["$sudo"] = 1 })
    fails('unknown key "$sudo"', opens, sequential { ["$sudo"] = 1 })
    fails("a reference to 1, which no module before it is", opens, sequential({ ["$ref"] = 1 }))
    local first = linear(2, 3)
    first["$id"] = 1
    local second = linear(2, 3)
    second["$id"] = 1
    fails("an id of its own", opens, sequential(first, second))
    fails("no tokenizer 4", opens, sequential { ["$tokenizer"] = 4 })
    fails("unknown number", opens, sequential { ["$number"] = "many" })
    fails("pairs of a key and a value", opens, sequential { ["$pairs"] = list(1) })
    fails("there twice", opens, sequential { ["$pairs"] = list(list(1, 2), list(1, 3)) })
    fails("there is no module", opens, sequential(linear(2, 3)),
      list { module = "7", ["function"] = "lt.nn.spectral_norm", args = list() })
    fails("bad argument #1 to 'Linear'", opens, sequential(linear("2", 3)))
    local many = { ["$class"] = "lt.nn.Sequential", ["$args"] = json.list(300) }
    for i = 1, 300 do many["$args"][i] = { ["$function"] = "lt.schedule.flow", ["$args"] = list() } end
    fails("more than 256 functions", opens, many)
  end)

  it("about its words is refused", function()
    local function with(key, text)
      local copy = { model = metadata.model, tokenizers = metadata.tokenizers, vocabularies = metadata.vocabularies,
                     format = metadata.format }
      copy[key] = text
      core.save_safetensors(path, tensors, copy)
      return lt.open(path)
    end
    local text = json.encode(lt.text.Tokenizer({ "a b" }):state())
    fails("metadata tokenizers: expected a list", with, "tokenizers", "{}")
    fails("metadata tokenizers: 1: expected a text", with, "tokenizers", '[{"text":3}]')
    fails("metadata tokenizers: 1: bad argument", with, "tokenizers", '[{"text":"words 3"}]')
    fails("captions: expected a count", with, "tokenizers", ('[{"text":%s,"captions":-1}]'):format(text))
    fails("hash: expected hexadecimal", with, "tokenizers", ('[{"text":%s,"hash":"xyz"}]'):format(text))
    fails('unknown key "code"', with, "tokenizers", ('[{"text":%s,"code":"xyz"}]'):format(text))
    fails("null among them", with, "tokenizers", "[null]")
    fails("expected the number of a tokenizer", with, "vocabularies", '{"0":1}')
    core.save_safetensors(path, tensors, { format = metadata.format, model = metadata.model, vocabularies = '{"0":1}',
      tokenizers = ('[{"text":%s}]'):format(text) })
    fails('metadata vocabularies: "0" reads no words', lt.open, path)
    fails("metadata model is missing", with, "model", nil)
  end)
end)
