-- Whatever a user misspells is answered with what was meant: every name of every public table, methods, options, values
-- and keys of conditions. A misspelling is made of each name by a rule, so nothing is forgotten here.
local check = require "laterna.check"
local core = require "laterna.core"
local lt = require "laterna"
local report = require "laterna.data.folder.report"
local resample = require "laterna.diffusion.resample"
local walk = require "laterna.nn.walk"

local function said(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return (tostring(message):gsub("^[^\n]-:%d+: ", ""))
end

local function has(part, whole) assert(whole:find(part, 1, true), whole .. "\n  lacks: " .. part) end

-- The name with two letters swapped; with one doubled where all are the same.
local function misspelt(name)
  for i = #name - 1, 1, -1 do
    local a, b = name:sub(i, i), name:sub(i + 1, i + 1)
    if a ~= b and (a .. b):find "^%a%a$" then return name:sub(1, i - 1) .. b .. a .. name:sub(i + 2) end
  end
  return name .. name:sub(-1)
end

-- Every table of names that is reached from lt, by path, and every class.
local function public_tables()
  local rooms, classes, visited = {}, {}, {}
  local function go(path, t)
    if visited[t] then return end
    visited[t] = true
    local mt = getmetatable(t)
    if walk.is_class(t) then classes[path] = t elseif mt and mt.__index then rooms[path] = t end
    for name, v in pairs(t) do
      if type(name) == "string" and type(v) == "table" and name:sub(1, 2) ~= "__" then go(path .. "." .. name, v) end
    end
  end
  go("lt", lt)
  rooms["lt.text.Tokenizer"] = nil -- a class of its own kind
  return rooms, classes
end

describe("a misspelt name", function()
  local rooms, classes = public_tables()

  it("is an error of every public table, which says the right one", function()
    local tables, names = 0, 0
    for path, t in pairs(rooms) do
      tables = tables + 1
      for name in pairs(t) do
        local wrong = misspelt(name)
        if #name > 2 and rawget(t, wrong) == nil then
          local message = said(function() return t[wrong] end)
          has(('%s has no "%s"; did you mean "'):format(path, wrong), message)
          local meant = message:match '"([^"]*)"%?$'
          assert.is_not_nil(rawget(t, meant), message)
          if meant == name then names = names + 1 end
        end
      end
    end
    assert.is_true(tables >= 20, tables .. " tables")
    assert.is_true(names >= 250, names .. " names")
  end)

  it("reaches every table of functions", function()
    for _, path in ipairs { "lt", "lt.nn", "lt.nn.init", "lt.optim", "lt.optim.schedule", "lt.data", "lt.data.scenes",
      "lt.samplers", "lt.schedule", "lt.schedule.spacing", "lt.text", "lt.train", "lt.prior", "lt.likelihood",
      "lt.metrics", "lt.edit", "lt.plot", "lt.pictures", "lt.condition", "lt.prediction", "lt.flow.layers",
      "lt.diffusion.weight", "lt.gan.losses", "lt.gan.augment.kinds", "lt.autoencoder.regulariser" } do
      assert.is_table(rooms[path], path)
    end
  end)

  it("is an error of every class where it is called", function()
    local count = 0
    for path, class in pairs(classes) do
      for name, v in next, class do
        if type(v) == "function" and name:sub(1, 2) ~= "__" then
          local wrong = misspelt(name)
          local message = said(load("return function(class) class." .. wrong .. "() end")(), class)
          has(('has no "%s"; did you mean "'):format(wrong), message)
          count = count + 1
        end
      end
      assert.is_table(class, path)
    end
    assert.is_true(count > 100, count .. " names")
  end)

  it("points at the user's line", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local _, message = pcall(function() return lt.nn.UNett end)
    has(("spelling_spec.lua:%d: lt.nn has no \"UNett\"; did you mean \"UNet\"?"):format(line), message)
  end)

  it("is looked for in the other tables", function()
    has('lt has no "Linear"; did you mean "linear" or lt.nn.Linear?', said(function() return lt.Linear end))
    has('lt.nn has no "relu"; did you mean lt.relu?', said(function() return lt.nn.relu end))
    has('lt has no "adam_update"', said(function() return lt.adam_update end))
    has('lt.prior has no "Wavelet"; it has: Codes, Diffusion, Flow', said(function() return lt.prior.Wavelet end))
  end)

  it("can be asked for without an error, and what other programs ask of every table is nil", function()
    assert.is_nil(rawget(lt.nn, "UNett"))
    assert.is_nil(lt._NAME)
    assert.is_nil(lt.nn.__name)
    assert.is_nil(lt.nn[1])
    local found = false
    for name in pairs(lt.data) do found = found or name == "scenes" end
    assert.is_true(found)
  end)
end)

-- Each kind of object that has methods: what the error calls it, one of them, and names that are like those of methods.
local function objects()
  local linear = lt.nn.Linear(2, 3)
  local scenes = lt.data.scenes { n = 4, size = 8, seed = 1 }
  local cosine, v = lt.schedule.cosine(), { predict = "v" }
  local churned = lt.samplers.churn(lt.samplers.euler, { churn = 1 })
  return {
    { "a tensor", lt.ones(2), { summ = "sum", bakcward = "backward" } },
    { "a generator", lt.generator(1), { unifrom = "uniform" } },
    { "Linear", linear, { forwrad = "forward", paramters = "parameters", laod_state = "load_state" } },
    { "diffusion", lt.diffusion { net = print, size = { 2, 2, 1 } }, { smaple = "sample", lsos = "loss" } },
    { "an optimizer", lt.optim.AdamW(linear:parameters()), { zero_gard = "zero_grad", stpe = "step" } },
    { "an Ema", lt.optim.Ema(linear), { updaet = "update" } },
    { "a run", lt.train.run { model = linear, steps = 1, progress = false }, { stpes = "steps", svae = "save" } },
    { "a budget", lt.train.budget(1), { mintues = "minutes" } },
    { "a data set", scenes, { bathces = "batches", btaches = "batches", fitler = "filter" } },
    { "batches", scenes:batches(2), { nxet = "next" } },
    { "a sampler", lt.samplers.ddim(cosine, 2, v), { setp = "step" } },
    { "a sampler", churned(cosine, 2, v), { setp = "step" } },
    { "a sampler", resample(lt.samplers.ddim, { repeats = 1, jump = 1 })(cosine, 2, v), { setp = "step" } },
    { "a tokenizer", lt.text.Tokenizer { "a b" }, { encoed = "encode" } },
    { "a condition", lt.condition.read("f", 1, { n = 2 }, lt.condition.keys()), { cpations = "captions" } },
    { "a report", report "x", { complte = "complete" } },
  }
end

-- A function of a text that reads a name of its argument; at a prompt, nobody has the text afterwards.
local function typed(text) return assert(load("local x = ... " .. text, "=stdin")) end

describe("a misspelt method", function()
  local linear = lt.nn.Linear(2, 3)
  local optimizer = lt.optim.AdamW(linear:parameters())

  it("is an error that says the right one", function()
    has('a tensor has no "summ"; did you mean "sum"?', said(function() return lt.ones(2):summ() end))
    has('a generator has no "unifrom"; did you mean "uniform"?', said(function()
      return lt.generator(1):unifrom()
    end))
    has('Linear has no "forwrad"; did you mean "forward"?', said(function() return linear:forwrad(lt.ones(2)) end))
    has('Linear has no "paramters"; did you mean "parameters"?', said(function() return linear:paramters() end))
    has('an optimizer has no "zero_gard"; did you mean "zero_grad"?', said(function() optimizer:zero_gard() end))
    has('a run has no "stpes"; did you mean "steps"?', said(function()
      return lt.train.run { model = linear, steps = 1, progress = false }:stpes()
    end))
    has('an Ema has no "updaet"; did you mean "update"?', said(function() lt.optim.Ema(linear):updaet() end))
  end)

  it("is one of data, batches, samplers and tokenizers too", function()
    local scenes = lt.data.scenes { n = 4, size = 8, seed = 1 }
    has('a data set has no "bathces"; did you mean "batches"?', said(function() return scenes:bathces(2) end))
    has('batches has no "nxet"; did you mean "next"?', said(function() return scenes:batches(2):nxet() end))
    has('a sampler has no "setp"; did you mean "step"?', said(function()
      return lt.samplers.ddim(lt.schedule.cosine(), 2, { predict = "v" }):setp()
    end))
    has('a tokenizer has no "encoed"; did you mean "encode"?', said(function()
      return lt.text.Tokenizer { "a b" }:encoed "a"
    end))
    assert.is_nil(scenes.labels)
  end)

  it("of any object is an error that says the right one, in a script and at a prompt", function()
    for _, entry in ipairs(objects()) do
      local noun, object, names = table.unpack(entry)
      for wrong, right in pairs(names) do
        for _, text in ipairs { "x:%s(1)", "x.%s(x, 1)", "return x:%s()", "print(x:%s(1), x:%s(2))" } do
          text = text:gsub("%%s", wrong)
          local words = ('%s has no "%s"; did you mean "%s"?'):format(noun, wrong, right)
          has(words, said(assert(load("local x = ... " .. text)), object))
          has(words, said(typed(text), object))
        end
      end
    end
  end)

  it("stays nil at a prompt, too, where it is asked for before it is called", function()
    for _, entry in ipairs(objects()) do
      local noun, object, names = table.unpack(entry)
      local wrong = next(names)
      local tensor = noun == "a tensor" or noun == "a generator" -- these have nothing optional
      for _, text in ipairs { "return x.%s", "if x.%s then x:%s(1) end return x.%s", "return type(x.%s) == 'table'",
        "return x.%s and x.%s(1)", "local f = x.%s return f" } do
        local ok, value = pcall(typed((text:gsub("%%s", wrong))), object)
        assert.equal(not tensor, ok, noun .. ": " .. text)
        assert.is_true(tensor or not value, noun .. ": " .. text)
      end
    end
    has("attempt to call a nil value (method 'frobnicate')", said(typed "x:frobnicate()", linear))
  end)

  it("stays nil where a field is only read, and where nothing is like it", function()
    assert.is_nil(linear.forwrad)
    local decode = linear.forwrad and linear.forwrad(1) -- luacheck: ignore
    assert.is_nil(decode)
    has("attempt to call a nil value (method 'frobnicate')", said(function() linear:frobnicate() end))
  end)
end)

describe("a misspelt option", function()
  it("comes before a missing one, and is answered with the right one", function()
    has('unknown option "modle", did you mean "model"? known: data, ema,',
      said(lt.train.run, { modle = lt.nn.Linear(1, 1) }))
    has('unknown option "ent", did you mean "net"?', said(lt.diffusion, { ent = print }))
    has('unknown option "reducton", did you mean "reduction"? known: reduction', said(lt.mse_loss, lt.ones(2),
      lt.ones(2), { reducton = "sum" }))
    has('unknown option "x"; known: peak', said(lt.info, { x = true }))
  end)

  it("and a misspelt value of one", function()
    has('reduction: expected "mean", "sum" or "none", got "summ"; did you mean "sum"?', said(lt.mse_loss, lt.ones(2),
      lt.ones(2), { reduction = "summ" }))
    has('dtype: expected "float32", "uint8" or "int32", got "float"', said(lt.zeros, 2, { dtype = "float" }))
    has('name: expected "float32", "bf16", "rounded" or "auto", got "bf61"; did you mean "bf16"?',
      said(lt.precision, "bf61"))
    has('rule: expected "muon" or "adamw", got "adamww"; did you mean "adamw"?', said(lt.optim.Muon,
      { { params = lt.nn.Linear(2, 2):parameters(), rule = "adamww" } }))
    has('got "cosin"; did you mean "cosine"?', said(lt.diffusion, { net = print, schedule = "cosin" }))
    local model = lt.diffusion { net = function(x) return x end, size = { 2, 2, 1 } }
    has('got "dpmpp2m"; did you mean "dpmpp_2m"?', said(model.sample, model, nil, { sampler = "dpmpp2m" }))
    has('got "hinje"; did you mean "hinge"?', said(check.options, "gan", 1, { loss = "hinje" },
      { loss = require("laterna.gan.check").is_loss }))
    has('"flp" did you mean "flip"?', said(lt.gan.augment, { kinds = { "flp" } }))
  end)

  it("and a misspelt key of a condition", function()
    local model = lt.diffusion { net = function(x) return x end, size = { 2, 2, 1 } }
    has('cond: unknown key "txet", did you mean "text"? known: ', said(model.loss, model, lt.zeros(1, 2, 2, 1),
      { txet = { "a" } }))
    has('cond: unknown key "stesp"; did you mean "steps"? It is an option', said(model.sample, model,
      { n = 1, stesp = 2 }))
  end)
end)

describe("words that are like another", function()
  it("are found by one slip for every three letters", function()
    local words = { "momentum", "lr", "betas", "eps", "weight_decay", "nesterov", "Conv2d", "ConvTranspose2d" }
    for wrong, right in pairs { momentun = "momentum", momntum = "momentum", weightdecay = "weight_decay",
      weigth_decay = "weight_decay", epps = "eps", beta = "betas", LR = "lr", conv2d = "Conv2d", nester = "nesterov",
      weights_decay = "weight_decay" } do
      assert.equal(right, core.nearest(wrong, words), wrong)
    end
    for _, none in ipairs { "x", "dropout", "", "e", "bt", ("m"):rep(1000), "Conv\0", "steps" } do
      assert.is_nil(core.nearest(none, words), none)
    end
  end)

  it("of two that are as like, the first by the alphabet, in any order", function()
    assert.equal("bat", core.nearest("xat", { "cat", "bat" }))
    assert.equal("bat", core.nearest("xat", { "bat", "cat" }))
  end)

  it("begin one word only, when they are cut short", function()
    assert.equal("clip_norm", core.nearest("clip", { "clip_norm", "lr" }))
    assert.is_nil(core.nearest("clip", { "clip_norm", "clip_value" }))
  end)

  it("and nothing that is no word is", function()
    assert.equal("", check.meant(3, { "a" }))
    assert.equal("", check.meant(nil, { "a" }))
  end)
end)
