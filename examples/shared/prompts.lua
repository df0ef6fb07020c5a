-- What to ask of a model of scenes, and how to say what was asked. A prompt is a caption that names some attributes and
-- leaves the others open; `wanted` says which it names: "shape=star,colour=red,background=night sky".
local lt = require "laterna"
local words = lt.data.scenes.words
local prompts = {}

-- The attributes of a scene of one object, and their words.
prompts.parts = {
  { attribute = "shape", words = words.shapes }, { attribute = "colour", words = words.colours },
  { attribute = "background", words = words.backgrounds }, { attribute = "size", words = words.sizes },
  { attribute = "position", words = words.positions }, { attribute = "texture", words = words.textures },
}

prompts.attributes = {}
for i, part in ipairs(prompts.parts) do prompts.attributes[i] = part.attribute end

-- The number of the word that says what a scene shows.
function prompts.id(scene, part)
  local shown = prompts.word(scene, part.attribute)
  for i, word in ipairs(part.words) do if word == shown then return i end end
end

-- A scene's word for an attribute, and the scene with another word there.
function prompts.word(scene, attribute)
  return attribute == "background" and scene.background or scene.objects[1][attribute]
end

function prompts.changed(scene, attribute, word)
  local object, copy = {}, {}
  for key, v in pairs(scene.objects[1]) do object[key] = v end
  for key, v in pairs(scene) do copy[key] = v end
  copy.objects = { object }
  if attribute == "background" then copy.background = word else object[attribute] = word end
  return copy
end

-- The parts that a mention says.
function prompts.said(mention)
  local said = {}
  for _, part in ipairs(prompts.parts) do
    local a = part.attribute
    if a == "background" and mention.background or mention.objects[1][a] then said[#said + 1] = part end
  end
  return said
end

-- Another word for an attribute of a scene, at random.
function prompts.other(scene, part, generator)
  return part.words[(prompts.id(scene, part) + generator:integer(0, #part.words - 2)) % #part.words + 1]
end

-- Hard negatives: captions of a data set's scenes with one word wrong, k lists of them, each wrong about something else
-- while there is something left. A critic that is to tell them from the right ones has to look closely.
function prompts.negatives(data, index, k, generator)
  local lists = {}
  for j = 1, k do lists[j] = {} end
  for row, i in ipairs(index:totable()) do
    local mention, scene = data.mentions(i), data.attributes(i)
    local said = prompts.said(mention)
    local first = generator:integer(1, #said)
    for j = 1, k do
      local part = said[(first + j) % #said + 1]
      lists[j][row] = lt.data.scenes.caption(
        prompts.changed(scene, part.attribute, prompts.other(scene, part, generator)), { mention = mention })
    end
  end
  return lists
end

-- What a scene shows of some attributes, as `wanted` says it.
local function wanted_of(scene, attributes)
  local says = {}
  for i, attribute in ipairs(attributes) do says[i] = attribute .. "=" .. prompts.word(scene, attribute) end
  return table.concat(says, ",")
end

-- Everything that a scene shows, as `wanted` says it.
function prompts.all(scene) return wanted_of(scene, prompts.attributes) end

-- n captions of random scenes of one object that name these attributes and no others, and their `wanted`.
function prompts.naming(named, n, seed)
  local m, g = { objects = { {} } }, lt.generator(seed)
  for _, attribute in ipairs(named) do
    if attribute == "background" then m.background = true else m.objects[1][attribute] = true end
  end
  local captions, wanted = {}, {}
  for i, scene in ipairs(lt.data.scenes { n = n, objects = 1, seed = seed }.attributes) do
    captions[i] = lt.data.scenes.caption(scene, { mention = m, generator = g })
    wanted[i] = wanted_of(scene, named)
  end
  return captions, wanted
end

-- The whole test: n captions that name shape, colour and background, then n / 2 for each of these three left open.
-- Two lists, captions and wanted; a samples file keeps both in its metadata, one a line.
function prompts.test(n, seed)
  local captions, wanted = {}, {}
  for i, named in ipairs { { "shape", "colour", "background" }, { "colour", "background" }, { "shape", "background" },
    { "shape", "colour" } } do
    local said, means = prompts.naming(named, i == 1 and n or n // 2, seed + i)
    table.move(said, 1, #said, #captions + 1, captions)
    table.move(means, 1, #means, #wanted + 1, wanted)
  end
  return captions, wanted
end

-- A grid with a row of eight pictures a caption; paint(captions, guidance, seed) makes them.
function prompts.show(captions, guidance, paint, rows, labels)
  rows, labels = rows or {}, labels or {}
  for _, caption in ipairs(captions) do
    rows[#rows + 1] = paint(lt.text.repeated(caption, 8), caption == "" and 1 or guidance, 1)
    labels[#labels + 1] = caption == "" and "(no caption)" or caption
  end
  return lt.grid(rows, { row_labels = labels })
end

-- Paints the whole test and writes it as a samples file for judge_scenes.lua.
function prompts.save(path, n, seed, guidance, paint)
  local asked, wanted = prompts.test(n, seed)
  local pictures = {}
  for first = 1, #asked, 50 do
    local part = table.move(asked, first, math.min(first + 49, #asked), 1, {})
    pictures[#pictures + 1] = lt.pictures.to_bytes(paint(part, guidance, 1000 + first))
  end
  lt.save(path, { pictures = lt.cat(pictures) },
    { captions = table.concat(asked, "\n"), wanted = table.concat(wanted, "\n") })
end

-- Captions to look at, some of which leave much open.
prompts.shown = {
  "a large red heart on the grass", "a small yellow star, night sky", "a large striped blue ring, snow",
  "a checked purple diamond on the sand", "a white moon at the top, sunset", "a brown hexagon in front of a brick wall",
  "an orange triangle", "a black cross, tiles", "",
}

-- "shape=star,colour=red" -> { shape = "star", colour = "red" }
function prompts.read(line)
  local wanted = {}
  for attribute, word in line:gmatch "(%a+)=([^,]+)" do wanted[attribute] = word end
  return wanted
end

-- A samples file: for each picture what was wanted, and the pictures with whatever else the file has.
function prompts.load(path)
  local painted = lt.load(path)
  local about = lt.inspect(painted).metadata
  local wanted = {}
  for line in (about.wanted .. "\n"):gmatch "(.-)\n" do wanted[#wanted + 1] = prompts.read(line) end
  assert(#wanted >= #painted.pictures, "fewer lines of `wanted` than pictures")
  return wanted, painted
end

return prompts
