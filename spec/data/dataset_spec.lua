local core = require "laterna.core"
local data = require "laterna.data"
local numbered = require "spec.support.numbered"

describe("Dataset", function()
  local ds = numbered(10)

  it("knows its length, and prints", function()
    assert.equal(10, #ds)
    assert.equal("Dataset: 10 pictures of 2x3x1, 3 classes", tostring(ds))
  end)

  it("gives one picture with all that is known", function()
    local one = ds[4]
    assert.same({ 2, 3, 1 }, one.x.shape)
    assert.is_true(math.abs(one.x[1][1][1]:item() - (4 / 127.5 - 1)) < 1e-7)
    assert.equal("picture 4", one.caption)
    assert.equal(1, one.label)
    assert.equal(4, one.index)
    assert.equal("p4", one.names)
    assert.is_nil(ds[11])
    assert.is_nil(ds[0])
  end)

  it("makes subsets of ranges and lists", function()
    local a = ds:subset(3, 5)
    assert.same({ "picture 3", "picture 4", "picture 5" }, a.captions)
    assert.same({ "p3", "p4", "p5" }, a.names)
    assert.same({ 3, 1, 2 }, a.labels:totable())
    assert.equal(("\3"):rep(6) .. ("\4"):rep(6) .. ("\5"):rep(6), a.images:to_string())
    local b = ds:subset { 9, 2, 9 }
    assert.same({ "picture 9", "picture 2", "picture 9" }, b.captions)
    assert.equal(9, b.images[1][1][1][1]:item())
    assert.equal("p2", ds:subset({ 9, 2 }):subset({ 2 }).names[1])
  end)

  it("splits without losing or doubling one", function()
    local a, b = ds:split(0.3, 5)
    assert.equal(3, #a)
    assert.equal(7, #b)
    local seen = {}
    for _, part in ipairs { a, b } do
      for _, name in ipairs(part.names) do
        assert.is_nil(seen[name])
        seen[name] = true
      end
    end
    assert.same(a.names, (ds:split(0.3, 5)).names)
    local other = false
    for seed = 6, 9 do other = other or table.concat((ds:split(0.3, seed)).names) ~= table.concat(a.names) end
    assert.is_true(other)
    assert.same(a.names, (ds:split(0.3, { seed = 5 })).names)
    assert.same((ds:split(0.3, 0)).names, (ds:split(0.3, {})).names)
  end)

  it("keeps the pictures for which a function says yes", function()
    local even = ds:filter(function(item, i)
      assert.equal("picture " .. i, item.caption)
      return i % 2 == 0 and item.label ~= 2
    end)
    assert.same({ "p4", "p6", "p10" }, even.names)
    assert.same({ 1, 3, 1 }, even.labels:totable())
  end)

  it("maps pictures, captions and labels; what is left alone stays to the byte", function()
    local same = ds:map(function(item) return item end)
    assert.equal(ds.images:to_string(), same.images:to_string())
    assert.same(ds.captions, same.captions)
    assert.same(ds.labels:totable(), same.labels:totable())
    assert.same(ds.names, same.names)
    local other = ds:map(function(item, i)
      return { x = item.x[{ 1, 1 }] * 0 + (i - 5) / 2, caption = item.caption:upper(), label = 2, names = "q" .. i,
        number = i }
    end)
    assert.same({ 10, 1, 3, 1 }, other.images.shape)
    assert.same({ 0, 64, 128, 191, 255 }, { other.images[1][1][1][1]:item(), other.images[4][1][1][1]:item(),
      other.images[5][1][1][1]:item(), other.images[6][1][1][1]:item(), other.images[10][1][1][1]:item() })
    assert.equal("PICTURE 3", other.captions[3])
    assert.same({ "q9", 9, 2 }, { other.names[9], other[9].number, other.labels[9]:item() })
  end)

  it("joins sets: classes by name, lists that all have, several captions and repeats completed", function()
    local a = data.from(core.zeros(2, 2, 3, 1), { "x", { "y", "z" } }, { labels = { 1, 2 }, classes = { "b", "d" } })
    local both = ds:concat(a)
    assert.equal(12, #both)
    assert.same({ "a", "b", "c", "d" }, both.classes)
    assert.same({ 2, 4 }, both:subset(11, 12).labels:totable())
    assert.same({ "picture 10" }, both.all_captions[10])
    assert.same({ "y", "z" }, both.all_captions[12])
    assert.is_nil(rawget(both, "names"))
    assert.equal(ds.images:to_string() .. a.images:to_string(), both.images:to_string())
    assert.same(both.captions, data.concat({ ds, a }).captions)
    assert.same({ "x", "y", "z" }, a:texts())
    assert.same(ds.names, ds:concat().names)
    assert.is_nil(ds:concat(data.from(core.zeros(1, 2, 3, 1))).labels)
  end)

  it("refuses bad arguments", function()
    local bytes = ds.images
    for pattern, f in pairs {
      ["#1 to 'map' %(f: expected callable, got nil"] = function() ds:map() end,
      ["#1 to 'map' %(f: expected a table with x and caption for picture 1, got nil"] = function()
        ds:map(function() end)
      end,
      ["f: expected x %(2,3,1%) as before for picture 2, got %(3,2,1%)"] = function()
        ds:map(function(item, i) return { x = i == 2 and item.x:view(3, 2, 1) or item.x, caption = "", label = 1 } end)
      end,
      ["f: expected numbers for picture 1, got NaN"] = function()
        ds:map(function(item) return { x = item.x * (0 / 0), caption = "", label = 1 } end)
      end,
      ["f: expected a caption for picture 1, got 3"] = function() ds:map(function(o) o.caption = 3 return o end) end,
      ["f: expected a label from 1 to 3 for picture 1, got 4"] = function()
        ds:map(function(o) o.label = 4 return o end)
      end,
      ["f: images is a name of the data set's own"] = function() ds:map(function(o) o.images = 4 return o end) end,
      ["#1 to 'filter' %(f: it left none of the 10"] = function() ds:filter(function() return false end) end,
      ["#1 to 'filter' %(f: expected callable"] = function() ds:filter "x" end,
      ["#1 to 'concat' %(set: expected dataset, got table"] = function() ds:concat {} end,
      ["#1 to 'concat' %(sets%[2%]: expected dataset, got nil"] = function() data.concat { ds, nil, ds } end,
      ["#1 to 'concat' %(sets: expected a list of data sets"] = function() data.concat {} end,
      ["'concat' %(set 2: expected pictures of 2x3x1, got 3x2x1"] = function()
        ds:concat(data.from(core.zeros(1, 3, 2, 1)))
      end,
      ["#2 to 'split' %(unknown option"] = function() ds:split(0.5, { sed = 1 }) end,
      ["#1 to 'from' %(images: expected tensor"] = function() data.from { 1 } end,
      ["#1 to 'from' %(images: expected uint8, or float32.*got int32"] = function() data.from(bytes:int()) end,
      ["#1 to 'from' %(images: expected %(n,h,w,c%) with 1 to 4 channels, got %(2,3%)"] = function()
        data.from(core.ones(2, 3))
      end,
      ["#1 to 'from' %(images: expected numbers from %-1 to 1, got numbers from 0 to 255"] = function()
        data.from(core.tensor({ 0, 255 }):view(1, 2, 1, 1))
      end,
      ["#1 to 'from' %(images: expected numbers from %-1 to 1, got NaN"] = function()
        data.from(core.tensor({ 0, 0 / 0 }):view(1, 2, 1, 1))
      end,
      ["#2 to 'from' %(captions: expected 10, one a picture, got 1"] = function() data.from(bytes, { "x" }) end,
      ["#2 to 'from' %(captions%[1%]: expected string, got 3"] = function() data.from(bytes[{ 1, 1 }], { 3 }) end,
      ["#2 to 'from' %(captions%[1%]: expected text or a list of texts, got an empty list"] = function()
        data.from(bytes[{ 1, 1 }], { {} })
      end,
      ["#3 to 'from' %(labels: expected 1, one a picture, got 2"] = function()
        data.from(bytes[{ 1, 1 }], nil, { labels = { 1, 2 } })
      end,
      ["#3 to 'from' %(labels%[1%]: expected integer from 1 to 2, got 3"] = function()
        data.from(bytes[{ 1, 1 }], nil, { labels = { 3 }, classes = { "a", "b" } })
      end,
      ["#3 to 'from' %(classes: there are no labels"] = function() data.from(bytes, nil, { classes = { "a" } }) end,
      ["#3 to 'from' %(unknown option"] = function() data.from(bytes, nil, { label = 3 }) end,
      ["#1 to 'subset' %(first: expected integer from 1 to 10, got 0"] = function() ds:subset(0, 3) end,
      ["#2 to 'subset' %(last"] = function() ds:subset(3, 11) end,
      ["#2 to 'subset' %(last: expected integer from 3 to 10, got 2"] = function() ds:subset(3, 2) end,
      ["#1 to 'subset' %(index%[2%]"] = function() ds:subset { 1, 11 } end,
      ["#1 to 'subset' %(index: expected at least one"] = function() ds:subset {} end,
      ["#1 to 'split' %(fraction: expected number"] = function() ds:split "half" end,
      ["#1 to 'split' %(fraction: expected number from 0 to 1, got %-?nan"] = function() ds:split(0 / 0) end,
      ["leave one part empty"] = function() ds:split(0.01) end,
      ["#2 to 'split' %(seed"] = function() ds:split(0.5, 1.5) end,
      ["calling 'batches' on bad self"] = function() ds.batches({}, 3) end,
    } do
      assert.error_matches(f, pattern)
    end
  end)
end)

describe("data.from", function()
  it("keeps bytes, rounds numbers, and knows classes by their numbers", function()
    local bytes = core.arange(0, 11):byte():view(2, 2, 3, 1)
    local set = data.from(bytes, { "a", "b" })
    assert.equal(bytes, set.images)
    assert.same({ "a", "b" }, set.captions)
    local floats = data.from(set:batches(2, { shuffle = false }):next().x, nil, { labels = core.tensor { 2, 1 } })
    assert.equal(bytes:to_string(), floats.images:to_string())
    assert.same({ "", "" }, floats.captions)
    assert.same({ "1", "2" }, floats.classes)
    assert.same({ 2, 1 }, floats.labels:totable())
  end)
end)
