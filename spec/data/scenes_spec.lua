local core = require "laterna.core"
local scenes = require "laterna.data.scenes"
local words = scenes.words

local KINDS = { shape = "shapes", colour = "colours", size = "sizes", texture = "textures", position = "positions" }

-- Every word of a caption that is a shape, colour, size or texture, in groups of one object each: a group ends with a
-- shape or the word "shape".
local function groups(text)
  local kind_of = { shape = "shape" }
  for kind, list in pairs(KINDS) do
    for _, w in ipairs(kind ~= "position" and words[list] or {}) do kind_of[w] = kind end
  end
  local out, group = {}, {}
  for w in text:gsub("brick wall", ""):gmatch "%a+" do
    local kind = kind_of[w]
    if kind then group[kind] = w end
    if kind == "shape" then
      if w == "shape" then group.shape = nil end
      out[#out + 1], group = group, {}
    end
  end
  return out
end

local function fits(group, object)
  for kind, w in pairs(group) do
    if object[kind] ~= w then return false end
  end
  return true
end

describe("data.scenes", function()
  local ds = scenes { n = 1200, seed = 7 }

  it("gives pictures, captions and attributes for each", function()
    assert.equal(1200, #ds)
    assert.same({ 1200, 32, 32, 3 }, ds.images.shape)
    assert.equal("uint8", ds.images.dtype)
    assert.equal(1200, #ds.captions)
    assert.equal(1200, #ds.attributes)
    assert.equal(1200, #ds.mentions)
  end)

  it("comes out of the seed bit for bit, and another seed gives others", function()
    local a, b, c = scenes { n = 50, seed = 7 }, scenes { n = 50, seed = 7 }, scenes { n = 50, seed = 8 }
    assert.equal(a.images:to_string(), b.images:to_string())
    assert.same(a.captions, b.captions)
    for i = 1, 50 do assert.same(a.attributes[i], b.attributes[i]) end
    assert.not_equal(a.images:to_string(), c.images:to_string())
    assert.not_same(a.captions, c.captions)
  end)

  it("makes what is known of a scene when it is asked for, and keeps it", function()
    local some = scenes { n = 20, seed = 7 }
    assert.is_nil(next(some.attributes))
    local scene = some.attributes[12]
    assert.equal(scene, some.attributes[12])
    assert.is_nil(some.attributes[21])
    assert.is_nil(some.attributes[0])
    assert.is_nil(some.attributes.x)
    local loose, its = some.mentions(7)
    assert.same(some.mentions[7], loose)
    assert.same(some.attributes(7), its)
    assert.is_nil(rawget(some.attributes, 7))
    assert.error_matches(function() some.attributes(21) end, "i: expected integer from 1 to 20")
    local count = 0
    for i, m in ipairs(some.mentions) do count = count + (m == some.mentions[i] and 1 or 0) end
    assert.equal(20, count)
    scene.background = scene.background == "sea" and "sand" or "sea"
    assert.not_equal(some.images:to_string(), scenes.draw(some.attributes):to_string())
  end)

  it("makes scene i out of seed and i alone", function()
    local whole, part = scenes { n = 40, seed = 3 }, scenes { n = 10, seed = 3, first = 31 }
    assert.same(whole.attributes[31], part.attributes[1])
    assert.equal(whole.captions[40], part.captions[10])
    assert.equal(whole.images[{ 31, 40 }]:to_string(), part.images:to_string())
  end)

  it("does not depend on the number of threads, nor on the default generator", function()
    local before = core.threads()
    core.threads(1)
    local one = scenes { n = 30, seed = 1 }
    core.threads(2)
    core.manual_seed(99)
    local two = scenes { n = 30, seed = 1 }
    core.threads(before)
    assert.equal(one.images:to_string(), two.images:to_string())
  end)

  it("shows the same scenes at any size, in colour and grey", function()
    for _, size in ipairs { 8, 33, 128, 512 } do
      local t = scenes { n = 2, size = size, seed = 7 }
      assert.same({ 2, size, size, 3 }, t.images.shape)
      assert.same(ds.attributes[2], t.attributes[2])
    end
    assert.same({ 2, 16, 16, 1 }, scenes({ n = 2, size = 16, channels = 1 }).images.shape)
    -- The mean colour of a scene is about the same at 32 and at 128 pixels.
    local small = scenes({ n = 40, seed = 7 }).images:float()
    local large = scenes({ n = 40, size = 128, seed = 7 }).images:float()
    local difference = (small:mean({ 2, 3 }) - large:mean({ 2, 3 })):abs():max():item()
    assert.is_true(difference < 4, "mean colours differ by " .. difference)
  end)

  it("has every value of every attribute, none rare", function()
    local seen, objects = {}, 0
    local function count(kind, value) seen[kind .. ":" .. value] = (seen[kind .. ":" .. value] or 0) + 1 end
    for _, scene in ipairs(ds.attributes) do
      count("background", scene.background)
      if scene.relation then count("relation", scene.relation) end
      for _, o in ipairs(scene.objects) do
        objects = objects + 1
        for kind in pairs(KINDS) do count(kind, o[kind]) end
      end
    end
    for kind, list in pairs(KINDS) do
      for _, w in ipairs(words[list]) do
        local n = seen[kind .. ":" .. w] or 0
        assert.is_true(n > 0.4 * objects / #words[list], kind .. " " .. w .. ": " .. n)
      end
    end
    for _, w in ipairs(words.backgrounds) do assert.is_true(seen["background:" .. w] > 60, w) end
    for _, w in ipairs(words.relations) do assert.is_true(seen["relation:" .. w] > 60, w) end
  end)

  it("places objects inside the picture, and as position and relation say", function()
    for _, scene in ipairs(ds.attributes) do
      for _, o in ipairs(scene.objects) do
        assert.is_true(o.x > 0.1 and o.x < 0.9 and o.y > 0.1 and o.y < 0.9 and
          o.position == words.position(o.x, o.y))
      end
      local a, b = scene.objects[1], scene.objects[2]
      if b then
        local dx, dy = b.x - a.x, b.y - a.y
        local along = ({ ["left of"] = dx, ["right of"] = -dx, above = dy, below = -dy })[scene.relation]
        local aside = scene.relation:find " of$" and dy or dx
        assert.is_true(along > 0 and math.abs(aside) <= along)
        assert.is_true(math.sqrt(dx * dx + dy * dy) > 0.9 * (a.radius + b.radius))
      end
    end
  end)

  it("writes captions that are true and incomplete #slow", function()
    local partial, distinct, kinds = 0, {}, 0
    for i, scene in ipairs(ds.attributes) do
      local text = ds.captions[i]
      assert.not_equal("", text)
      local found = groups(text)
      assert.is_true(#found <= #scene.objects, text)
      for _, group in ipairs(found) do
        assert.is_true(fits(group, scene.objects[1]) or (scene.objects[2] ~= nil and fits(group, scene.objects[2])),
          text)
      end
      for _, background in ipairs(words.backgrounds) do
        local says = text:find(background, 1, true) ~= nil
        if says ~= (background == scene.background and ds.mentions[i].background) then error(text) end
      end
      for _, relation in ipairs(words.relations) do
        if text:find(relation, 1, true) then
          assert.equal(relation, scene.relation, text)
          assert.is_true(fits(found[1], scene.objects[1]) and fits(found[2], scene.objects[2]), text)
        end
      end
      local all = scenes.caption(scene)
      if #text < #all then partial = partial + 1 end
      if not distinct[text] then kinds = kinds + 1 end
      distinct[text] = true
    end
    assert.is_true(partial > 1160)
    assert.is_true(kinds > 900)
  end)

  it("keeps with each caption what it mentions", function()
    for i = 1, 500 do
      local scene, m = ds.attributes[i], ds.mentions[i]
      local text, again = scenes.caption(scene, { mention = m })
      assert.same(m.background, again.background)
      local found = groups(text)
      local told = {}
      for k, o in ipairs(scene.objects) do
        local group = {}
        for _, kind in ipairs { "shape", "colour", "size", "texture" } do
          if m.objects[k][kind] then group[kind] = o[kind] end
        end
        if next(m.objects[k]) and (next(group) or m.objects[k].position or m.relation) then told[#told + 1] = group end
      end
      assert.same(told, found, text)
    end
  end)

  it("leaves out some of each attribute, and tells some of each", function()
    local told, of = {}, {}
    for i, scene in ipairs(ds.attributes) do
      for k in ipairs(scene.objects) do
        for kind in pairs(KINDS) do
          of[kind] = (of[kind] or 0) + 1
          told[kind] = (told[kind] or 0) + (ds.mentions[i].objects[k][kind] and 1 or 0)
        end
      end
    end
    for kind in pairs(KINDS) do
      local part = told[kind] / of[kind]
      assert.is_true(part > 0.05 and part < 0.95, kind .. ": " .. part)
    end
  end)
end)

describe("scenes.caption", function()
  local scene = { background = "night sky", relation = "above", seed = 1, objects = {
    { shape = "circle", colour = "orange", size = "large", texture = "striped", x = 0.5, y = 0.3, position = "top" },
    { shape = "square", colour = "blue", size = "small", texture = "plain", x = 0.5, y = 0.8, position = "bottom" },
  } }

  it("mentions what it is told to", function()
    assert.equal("a large striped orange circle at the top above a small plain blue square at the bottom, night sky",
      scenes.caption(scene, { mention = "all" }))
    assert.equal("", scenes.caption(scene, { mention = "none" }))
    assert.equal("a circle and a square", scenes.caption(scene, { mention = "shape" }))
    assert.equal("an orange circle and a blue square", scenes.caption(scene, { mention = { "colour", "shape" } }))
    assert.equal("night sky", scenes.caption(scene, { mention = "background" }))
    assert.equal("a shape above a shape", scenes.caption(scene, { mention = "relation" }))
    assert.equal("a square", scenes.caption(scene, { mention = { objects = { {}, { shape = true } } } }))
  end)

  it("varies with a generator", function()
    local g, seen, n = core.generator(1), {}, 0
    for _ = 1, 100 do
      local text = scenes.caption(scene, { mention = "random", generator = g })
      if not seen[text] then n = n + 1 end
      seen[text] = true
    end
    assert.is_true(n > 20)
  end)

  it("refuses what is not a scene or not an attribute", function()
    assert.error_matches(function() scenes.caption() end, "bad argument #1 to 'caption'")
    assert.error_matches(function() scenes.caption { background = "moon base", objects = {} } end, "background")
    assert.error_matches(function() scenes.caption(scene, { mention = "taste" }) end, "taste")
    assert.error_matches(function() scenes.caption(scene, { mention = { "taste" } }) end, "taste")
    assert.error_matches(function() scenes.caption(scene, { mention = { objects = 3 } }) end, "objects")
    assert.error_matches(function() scenes.caption(scene, { mention = { shape = true } }) end, "mention")
    assert.error_matches(function() scenes.caption(scene, { mention = "random" }) end, "generator")
    assert.error_matches(function() scenes.caption(scene, { mentions = "all" }) end, "unknown option")
  end)
end)

describe("scenes.draw", function()
  it("draws again what a data set holds", function()
    local ds = scenes { n = 20, seed = 5, size = 24 }
    assert.equal(ds.images:to_string(), scenes.draw(ds.attributes, { size = 24 }):to_string())
  end)

  it("draws another picture for every word that is changed", function()
    local function scene(change)
      local o = { shape = "circle", colour = "red", size = "large", texture = "plain", x = 0.5, y = 0.5 }
      local s = { background = "sand", objects = { o } }
      for key, value in pairs(change) do
        if key == "background" then s[key] = value else o[key] = value end
      end
      return s
    end
    local seen = {}
    for key, list in pairs { shape = "shapes", colour = "colours", size = "sizes", texture = "textures",
      background = "backgrounds" } do
      for _, w in ipairs(words[list]) do
        local bytes = scenes.draw({ scene { [key] = w } }):to_string()
        if w ~= "circle" and w ~= "red" and w ~= "large" and w ~= "plain" and w ~= "sand" then
          assert.is_nil(seen[bytes], w)
        end
        seen[bytes] = w
      end
    end
  end)

  it("refuses what cannot be drawn", function()
    local function refused(change, pattern)
      local o = { shape = "circle", colour = "red", size = "large", texture = "plain", x = 0.5, y = 0.5 }
      local s = { background = "sand", objects = { o } }
      for key, value in pairs(change) do
        if s[key] then s[key] = value else o[key] = value end
      end
      assert.error_matches(function() scenes.draw { s } end, "bad argument #1 to 'draw' %(scenes%[1%].*" .. pattern)
    end
    refused({ shape = "blob" }, "shape")
    refused({ colour = "ultraviolet" }, "colour")
    refused({ x = 0 / 0 }, "x: expected number")
    refused({ radius = 1e300 }, "radius")
    refused({ rgb = { 1, 2, 3 } }, "rgb")
    refused({ background = 3 }, "background")
    refused({ objects = { 1 } }, "objects")
    refused({ objects = { {}, {}, {} } }, "at most 2")
    assert.error_matches(function() scenes.draw {} end, "empty")
    assert.error_matches(function() scenes.draw(3) end, "bad argument #1")
  end)
end)

describe("data.scenes options", function()
  it("restricts the choice of words", function()
    local ds = scenes { n = 60, objects = 1, shapes = { "star", "ring" }, colours = { "blue" },
      backgrounds = { "snow" } }
    for _, scene in ipairs(ds.attributes) do
      assert.equal(1, #scene.objects)
      assert.is_nil(scene.relation)
      assert.equal("blue", scene.objects[1].colour)
      assert.equal("snow", scene.background)
      assert.is_true(scene.objects[1].shape == "star" or scene.objects[1].shape == "ring")
    end
    for _, scene in ipairs(scenes({ n = 20, objects = 2 }).attributes) do assert.equal(2, #scene.objects) end
  end)

  it("refuses bad ones by name", function()
    for pattern, options in pairs {
      ["option n is missing"] = {}, ["n: expected integer"] = { n = 0 }, ["got 1.5"] = { n = 1.5 },
      ["size: expected integer from 8 to 512, got 7"] = { n = 1, size = 7 }, ["got 513"] = { n = 1, size = 513 },
      ["channels: expected 1 or 3"] = { n = 1, channels = 2 }, ["seed: expected integer"] = { n = 1, seed = 0 / 0 },
      ["objects: expected integer"] = { n = 1, objects = 3 }, ["shapes: expected a list"] = { n = 1, shapes = {} },
      ["colours: expected a list out of red"] = { n = 1, colours = { "infrared" } },
      ["unknown option \"colour\""] = { n = 1, colour = "red" },
    } do
      assert.error_matches(function() scenes(options) end, "bad argument #1 to 'scenes' %(.*" .. pattern)
    end
    assert.error_matches(function() scenes "many" end, "bad argument #1 to 'scenes'")
  end)
end)
