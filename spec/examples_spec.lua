-- What the example scripts share: prompts for models of scenes, and the classifiers that judge them.
local child = require "spec.support.child"
local face = require "spec.support.face"
local lt = require "laterna"
local sources = require "spec.support.sources"

local prompts = dofile(sources.root .. "/examples/shared/prompts.lua")
local judges = dofile(sources.root .. "/examples/shared/judges.lua")
local painter = dofile(sources.root .. "/examples/shared/scene_painter.lua")

describe("an example", function()
  -- Paths of a script and of all that it loads; judges and what they load apart, for they look at what others painted.
  local function loaded(path, list)
    list = list or {}
    if list[path] or path:find "judges" then return list end
    list[path] = true
    for name in sources.read(path):gmatch 'dofile%([^\n]-([%w_]+)%.lua"%)' do
      loaded("examples/shared/" .. name .. ".lua", list)
    end
    return list
  end

  it("is read in one sitting: 250 lines with all that it loads", function()
    assert.same({ ["examples/gan.lua"] = true, ["examples/shared/garments.lua"] = true }, loaded "examples/gan.lua")
    local long, scripts = {}, 0
    for _, script in ipairs(sources.files("examples", "lua")) do
      local list, n = loaded(script), 0
      for path in pairs(list) do n = n + #sources.lines(sources.read(path)) end
      -- the method of painters and reader is to leave the examples
      local excepted = list["examples/shared/painters.lua"] or list["examples/shared/reader.lua"]
      local is_script = not script:find "shared"
      if is_script and not excepted and n > 250 then long[#long + 1] = ("%s: %d lines"):format(script, n) end
      scripts = scripts + (is_script and 1 or 0)
    end
    assert.is_true(scripts > 20)
    assert.same({}, long)
  end)
end)

describe("the prompts of scenes", function()
  it("name what they say they name, and nothing else", function()
    local captions, wanted = prompts.test(20, 3)
    assert.equal(50, #captions)
    assert.equal(50, #wanted)
    for i, caption in ipairs(captions) do
      local says = prompts.read(wanted[i])
      for _, part in ipairs(prompts.parts) do
        local a = part.attribute
        local open = i > 20 and (i <= 30 and "shape" or i <= 40 and "colour" or "background")
        local named = (a == "shape" or a == "colour" or a == "background") and a ~= open
        assert.equal(named, says[a] ~= nil)
        for _, word in ipairs(part.words) do
          local said = (" " .. caption .. " "):gsub(",", " "):find(" " .. word .. " ", 1, true)
          if word == says[a] then assert.is_truthy(said, caption) end
          if not named and a ~= "position" and a ~= "shape" then assert.is_falsy(said, caption .. ": " .. word) end
        end
      end
    end
    assert.same({ captions, wanted }, { prompts.test(20, 3) })
  end)

  it("number every word of every attribute", function()
    for _, scene in ipairs(lt.data.scenes({ n = 50, objects = 1, size = 8 }).attributes) do
      for _, part in ipairs(prompts.parts) do
        local shown = part.attribute == "background" and scene.background or scene.objects[1][part.attribute]
        assert.equal(shown, part.words[prompts.id(scene, part)])
      end
    end
  end)
end)

describe("a judge #training", function()
  local folder
  setup(function() folder = child.folder() end)
  teardown(function() child.remove(folder) end)

  it("is trained once and comes back from its file", function()
    local keep = folder .. "/a/scenes.safetensors"
    local function judge(seed)
      return judges.scenes({ seed = seed, steps = 1, keep = keep, quiet = true }, prompts.parts, prompts.id)
    end
    local first, second, other = judge(1), judge(1), judge(2)
    local pictures = lt.data.scenes({ n = 3, objects = 1 }).images
    local logits = first:logits(pictures)
    assert.same(logits:totable(), second:logits(pictures):totable())
    assert.not_same(logits:totable(), other:logits(pictures):totable()) -- made otherwise, so trained anew
    assert.same({ 3, 128 }, first:features(pictures).shape)
    local sizes = {}
    for i, part in ipairs(first:split(logits)) do sizes[i] = part:size(2) end
    assert.same({ 10, 10, 9, 3, 9, 4 }, sizes)
  end)
end)

describe("the painter of scenes #training", function()
  it("says any part of what there is to say, and no more", function()
    local g, scene = lt.generator(2), lt.data.scenes({ n = 1, objects = 1, size = 8 }).attributes[1]
    local counts = {}
    for _ = 1, 300 do
      local caption, n = painter.some(scene, g), 0
      for _, a in ipairs(painter.attributes) do
        local word = painter.word(scene, a)
        local said = (" " .. caption:gsub(",", "") .. " "):find(" " .. word .. " ", 1, true)
        n = n + (said and 1 or 0)
      end
      counts[n] = (counts[n] or 0) + 1
    end
    for n = 0, #painter.attributes do assert.is_true(counts[n] > 15, ("%d said"):format(n)) end
  end)

  it("changes one attribute of a copy", function()
    local scene = lt.data.scenes({ n = 1, objects = 1, size = 8 }).attributes[1]
    local before = painter.caption(scene, painter.attributes)
    for _, part in ipairs(painter.parts) do
      for _, word in ipairs(part.words) do
        local other = painter.changed(scene, part.attribute, word)
        for _, a in ipairs(painter.attributes) do
          assert.equal(a == part.attribute and word or painter.word(scene, a), painter.word(other, a))
        end
      end
    end
    assert.equal(before, painter.caption(scene, painter.attributes))
  end)

  it("knows what a word tells: at most the logarithm of their number, nearly so where all are as likely", function()
    local entropy = painter.entropies(4000, 1)
    for _, part in ipairs(painter.parts) do
      local most = math.log(#part.words)
      assert.is_true(entropy[part.attribute] <= most + 1e-9 and entropy[part.attribute] > 0.95 * most, part.attribute)
    end
  end)

  it("comes back from its file", function()
    local folder = child.folder()
    local o = { width = 4, detail = 3, rate = 5.5, prior = "flow" }
    local model = painter.new(o)
    painter.save(folder .. "/model.safetensors", model, o)
    local again = painter.load(folder .. "/model.safetensors")
    child.remove(folder)
    local x = painter.fresh(2, 1)
    local cond = { text = { "a red star", "" } }
    assert.same(model:encode(x, cond):totable(), again:encode(x, cond):totable())
    assert.equal(5.5, again.regulariser.rate)
    assert.is_truthy(again.prior)
  end)
end)

describe("the painters #training", function()
  local painters = dofile(sources.root .. "/examples/shared/painters.lua")
  local lessons = dofile(sources.root .. "/examples/shared/lessons.lua")
  local scenes = lt.data.scenes { n = 8, objects = 1, size = 8 }
  local o = { size = 8, channels = 3, width = 4, text = 8, detail = 4, rate = 4, nll_weight = 1, from_prior = 0.5,
    drop = 0.1, captions = scenes.captions, feature_part = 0.7, tell = 3, edit = 1 }
  setup(function()
    local folder = os.tmpname()
    os.remove(folder)
    local reader, how = dofile(sources.root .. "/examples/shared/reader.lua"),
      { reading = 0.001, seed = 1, quiet = true, keep = folder .. "/reader.safetensors" }
    o.reader = reader.learned(scenes, how)
    local again = reader.learned(scenes, how) -- from the file
    child.remove(folder)
    local x, said = lt.pictures.from_bytes(scenes.images), scenes.captions
    assert.same(o.reader.critic(x, { text = said }):totable(), again.critic(x, { text = said }):totable())
  end)

  -- One lesson: what it logs, and by how much each named module has moved.
  local function lesson(names, extractor)
    lt.manual_seed(2)
    o.extractor = extractor
    local model = painters.Model(names, o)
    local before = {}
    for name, p in model:named_parameters() do before[name] = p:clone():detach() end
    local taught, log = lessons(model, names, 10), nil
    for i = 1, 3 do log = taught:step(i, scenes:batches(8):next(), o, scenes) end
    local moved = {}
    for name, p in model:named_parameters() do
      local top = name:match "^[^.]+%.[^.]+"
      moved[top] = (moved[top] or 0) + (p - before[name]):abs():max():item()
    end
    return log, moved, model
  end

  it("are taught together by one extractor, and paint from caption and detail", function()
    local log, moved, model = lesson(painters.names, true)
    for _, key in ipairs { "kl", "beta", "untold", "misread", "vae_nll", "flow_bits", "diffusion_mse", "gan_loss",
      "critic_loss" } do
      assert.is_truthy(log[key], key)
    end
    for part, far in pairs(moved) do assert.is_true(far > 0, part) end
    local x, said = lt.pictures.from_bytes(scenes.images), scenes.captions
    for _, name in ipairs(painters.names) do
      assert.is_true(rawequal(model[name].extractor, model.vae.extractor))
      local how = { generator = lt.generator(1), steps = name == "diffusion" and 2 or nil }
      assert.same(x.shape, model[name]:reconstruct(x, { text = said }, how).shape)
      local a = model[name]:sample({ text = said, detail = lt.zeros(8, 4) }, how)
      how.generator = lt.generator(1)
      local b = model[name]:sample({ text = said, detail = lt.ones(8, 4) * 3 }, how)
      assert.is_true((a - b):abs():max():item() > 1e-4, name .. " hears no detail")
    end
  end)

  it("have the face of a generator, before an extractor and behind one", function()
    local x, cond = lt.pictures.from_bytes(scenes.images), { text = scenes.captions }
    local few = { steps = 2 }
    for _, extractor in ipairs { true, false } do
      for _, name in ipairs(painters.names) do
        local _, _, model = lesson({ name }, extractor)
        local how = name == "diffusion" and few or nil
        face.check(name, model[name], { x = x, cond = cond, sample = how, rsample = how,
          has = name == "gan" and "rsample critic_loss generator_parameters" or "rsample" })
      end
    end
  end)

  it("paint with the weights of the copy that is asked, not with those it was copied from", function()
    local _, _, model = lesson(painters.names, true)
    local copy = lt.optim.Ema(painters.Model(painters.names, o), 0.9).model
    copy:load_state(model:state())
    local cond = { text = scenes.captions, detail = lt.ones(8, 4) }
    for _, name in ipairs(painters.names) do
      local function paint(by)
        by:eval()
        local how = { generator = lt.generator(1), steps = name == "diffusion" and 2 or nil }
        return by[name]:sample(cond, how):totable()
      end
      assert.same(paint(model), paint(copy), name)
    end
  end)

  it("come back from a file with the options they were made with", function()
    local folder = os.tmpname()
    os.remove(folder)
    local how = { data = "scenes", pictures = 8, samples = 4, seed = 1, reading = 0.001, out = folder, width = 4,
      text = 8, detail = 4, rate = 4.5, nll_weight = 1, drop = 0.1, prior = "flow", extractor = true, tell = 3,
      quiet = true }
    local _, test = painters.study(how)
    lt.manual_seed(3)
    local model = painters.Model({ "vae", "gan" }, how)
    painters.save(folder .. "/model.safetensors", model, { "vae", "gan" }, how)
    local again = painters.load(folder .. "/model.safetensors", "gan")
    local x, said = lt.pictures.from_bytes(test.images), { text = test.captions }
    assert.same(model.gan:eval():encode(x, said):totable(), again:encode(x, said):totable())
    assert.equal(4.5, again.regulariser.rate)
    assert.has_error(function() painters.load(folder .. "/model.safetensors", "flow") end)
    child.remove(folder)
  end)

  it("have an extractor whose eyes are not trained, and a teller that learns words", function()
    local train = lt.data.scenes { n = 8, objects = 1, size = 8 }
    local teller, index = o.reader.teller(8 + 4), lt.arange(1, 8, { dtype = "int32" })
    local pooled = lt.randn(8, 8)
    local extracted = { cond = { pooled = function() return pooled end }, z = lt.randn(8, 4) }
    local optimizer = lt.optim.Adam(teller:parameters(), { lr = 1e-2 })
    local first, last
    for _ = 1, 30 do
      local untold = teller:loss(extracted, train, index)
      first, last = first or untold:item(), untold:item()
      optimizer:zero_grad()
      untold:backward()
      optimizer:step()
    end
    assert.is_true(first > 8 and last < first / 2) -- words by chance: the logarithms of how many there are, 11.3 in all
    local _, moved, model = lesson({ "vae" }, true)
    assert.is_true(moved["shared.0"] > 0)
    assert.same(o.reader.critic.net.body.levels[1][1].weight:totable(),
      model.vae.extractor.eyes.body.levels[1][1].weight:totable())
  end)

  it("are asked to keep to captions that they have not seen: one word changed", function()
    local promises = dofile(sources.root .. "/examples/shared/promises.lua")
    local _, _, model = lesson({ "vae" }, true)
    local x, index, asked = lt.pictures.from_bytes(scenes.images), lt.arange(1, 8, { dtype = "int32" }), nil
    local extracted = model.vae:extract(x, { text = scenes.captions })
    local function misread(_, list)
      asked = list
      return lt.zeros(1)
    end
    promises(model.vae, extracted, misread, scenes, index, lt.generator(1))
    assert.equal(4, #asked)
    for row, scene in ipairs(asked) do
      local changes, mention = {}, scenes.mentions(row)
      for _, part in ipairs(prompts.parts) do
        local a = part.attribute
        if prompts.word(scene, a) ~= prompts.word(scenes.attributes(row), a) then changes[#changes + 1] = a end
      end
      local one, kept = changes[1], extracted.cond.text[row] == ""
      assert.equal(kept and 0 or 1, #changes)
      assert.is_true(kept or one == "background" and mention.background or mention.objects[1][one])
    end
  end)

  it("draw details again of which the teller is not sure", function()
    local resample = dofile(sources.root .. "/examples/shared/resample.lua")
    local _, _, model = lesson({ "vae" }, true)
    model:eval():freeze()
    local ae, said = model.vae, scenes.captions
    local pooled = ae.text(said).pooled
    local first = ae.prior:inverse(lt.randn({ 8, 4 }, { generator = lt.generator(1) }), pooled)
    local z = resample(ae, model.teller, said, lt.generator(1))
    local sure, before = model.teller:sure(pooled, z):totable(), model.teller:sure(pooled, first):totable()
    local words = 0
    for _, part in ipairs(prompts.parts) do words = math.max(words, #part.words) end
    for i = 1, 8 do assert.is_true(sure[i] >= before[i] and sure[i] > 1 / words and sure[i] <= 1) end
    assert.is_true(model.teller:sure(pooled, z):mean():item() > model.teller:sure(pooled, first):mean():item())
    assert.same(z:totable(), resample(ae, model.teller, said, lt.generator(1)):totable())
  end)

  it("have a prior that is fitted last: what the extractor writes is likelier under it", function()
    local fit_prior = dofile(sources.root .. "/examples/shared/fit_prior.lua")
    local _, _, model = lesson({ "vae" }, true)
    model:eval():freeze()
    local x, said = lt.pictures.from_bytes(scenes.images), { text = scenes.captions }
    local function gap() return model.vae:gap(x, said, { generator = lt.generator(1), draws = 4 }):mean():item() end
    local before, written = gap(), model.vae:encode(x, said):totable()
    fit_prior(model.vae, scenes, { fit_prior = 60, drop = 0, seed = 1, quiet = true })
    assert.is_true(gap() < before - 0.01)
    assert.same(written, model.vae:encode(x, said):totable())
  end)

  for _, name in ipairs(painters.names) do
    it("are taught alone, without an extractor: " .. name, function()
      local log, moved, model = lesson({ name }, false)
      assert.is_nil(log.kl)
      local parts = 0
      for part, far in pairs(moved) do
        parts = parts + 1
        assert.is_true(far > 0, part)
      end
      assert.is_true(parts > 0)
      assert.same({ 2, 8, 8, 3 }, model[name]:sample({ text = { "a star", "snow" } }).shape)
    end)
  end
end)
