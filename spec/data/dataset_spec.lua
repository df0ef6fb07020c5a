local core = require "laterna.core"
local dataset = require "laterna.data.dataset"

-- n pictures of 2x3x1; every byte of picture i is i.
local function numbered(n)
  local bytes, captions, labels, names = {}, {}, {}, {}
  for i = 1, n do
    bytes[i] = string.char(i):rep(6)
    captions[i], labels[i], names[i] = "picture " .. i, (i - 1) % 3 + 1, "p" .. i
  end
  return dataset.new { images = core.from_string(table.concat(bytes), { n, 2, 3, 1 }, { dtype = "uint8" }),
    captions = captions, labels = core.tensor(labels, { dtype = "int32" }), classes = { "a", "b", "c" },
    lists = { names = names } }
end

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
  end)

  it("refuses bad arguments", function()
    for pattern, f in pairs {
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

describe("Dataset:batches", function()
  local ds = numbered(10)

  local function indices(it, count)
    local out = {}
    for _ = 1, count do
      local batch = it:next()
      out[#out + 1] = batch and table.concat(batch.index:totable(), " ") or "end"
    end
    return out
  end

  it("gives pictures, captions, labels and numbers that belong together", function()
    local it = ds:batches(4, { seed = 1 })
    for _ = 1, 6 do
      local batch = it:next()
      assert.same({ 4, 2, 3, 1 }, batch.x.shape)
      assert.equal("float32", batch.x.dtype)
      for k, i in ipairs(batch.index:totable()) do
        assert.equal("picture " .. i, batch.captions[k])
        assert.equal((i - 1) % 3 + 1, batch.labels[k]:item())
        assert.is_true(math.abs(batch.x[k]:mean():item() - (i / 127.5 - 1)) < 1e-6)
      end
    end
  end)

  it("shows every picture once an epoch, in a new order each", function()
    local it = ds:batches(5, { seed = 1 })
    local orders = {}
    for epoch = 1, 4 do
      local seen, order = {}, {}
      for _ = 1, it.per_epoch do
        for _, i in ipairs(it:next().index:totable()) do
          assert.is_nil(seen[i])
          seen[i], order[#order + 1] = true, i
        end
      end
      assert.equal(10, #order)
      assert.equal(epoch, it.epoch)
      order = table.concat(order, " ")
      assert.is_nil(orders[order])
      orders[order] = true
    end
  end)

  it("drops or keeps the last, and stops after its epochs", function()
    local kept, sizes = ds:batches(4, { shuffle = false, drop_last = false, epochs = 2, seed = 0 }), {}
    for batch in kept do sizes[#sizes + 1] = #batch.x end
    assert.same({ 4, 4, 2, 4, 4, 2 }, sizes)
    assert.is_nil(kept:next())
    local dropped = ds:batches(4, { shuffle = false, epochs = 1, seed = 0 })
    assert.same({ "1 2 3 4", "5 6 7 8", "end", "end" }, indices(dropped, 4))
  end)

  it("depends on the seed; without one on the default generator", function()
    assert.same(indices(ds:batches(3, { seed = 4 }), 9), indices(ds:batches(3, { seed = 4 }), 9))
    assert.not_same(indices(ds:batches(3, { seed = 4 }), 9), indices(ds:batches(3, { seed = 5 }), 9))
    core.manual_seed(11)
    local a = indices(ds:batches(3), 9)
    core.manual_seed(11)
    assert.same(a, indices(ds:batches(3), 9))
    assert.same(indices(ds:batches(3, { generator = core.generator(2) }), 9),
      indices(ds:batches(3, { generator = core.generator(2) }), 9))
  end)

  it("continues from a saved place with the same bits", function()
    local options = { seed = 3, flip = true, drop_last = false,
      augment = function(x, g) return x + core.randn(#x, 1, 1, 1, { generator = g }) end }
    for taken = 0, 9 do
      local it = ds:batches(4, options)
      for _ = 1, taken do it:next() end
      local saved = it:state()
      for key, value in pairs(saved) do
        assert.equal("string", type(key))
        assert.equal("string", type(value))
      end
      options.seed = 77 -- the state decides
      local again = ds:batches(4, options)
      options.seed = 3
      again:next()
      again:load_state(saved)
      for _ = 1, 5 do
        local a, b = it:next(), again:next()
        assert.same(a.index:totable(), b.index:totable())
        assert.same(a.captions, b.captions)
        assert.equal(a.x:to_string(), b.x:to_string())
      end
    end
  end)

  it("refuses a place in another sequence", function()
    local it = ds:batches(4, { seed = 3 })
    local state = it:state()
    assert.error_matches(function() ds:batches(5):load_state(state) end, "bad argument #1 to 'load_state'")
    assert.error_matches(function() ds:batches(4, { seed = 3, flip = true }):load_state(state) end, "flipped")
    assert.error_matches(function() ds:subset(1, 9):batches(4):load_state(state) end, "9 pictures")
    assert.error_matches(function() it:load_state() end, "state: expected table, got nil")
    for key, value in pairs { seed = "x", epoch = "0", position = "9", make = "" } do
      local bad = it:state()
      bad[key] = value
      assert.error_matches(function() it:load_state(bad) end, "bad argument #1 to 'load_state' %(state")
    end
  end)

  it("mirrors about half of the pictures", function()
    local bytes = {}
    for i = 1, 200 do bytes[i] = "\1\2\3" end
    local set = dataset.new { images = core.from_string(table.concat(bytes), { 200, 1, 3, 1 }, { dtype = "uint8" }),
      captions = bytes }
    local mirrored = 0
    for _, row in ipairs(set:batches(200, { seed = 1, flip = true }):next().x:totable()) do
      local left, middle, right = row[1][1][1], row[1][2][1], row[1][3][1]
      assert.is_true(math.abs(left + right - 2 * middle) < 1e-6)
      mirrored = mirrored + (left > right and 1 or 0)
    end
    assert.is_true(mirrored > 60 and mirrored < 140)
  end)

  it("checks what augment returns", function()
    local it = ds:batches(4, { seed = 1, augment = function() return nil end })
    assert.error_matches(function() it:next() end, "augment: expected a tensor of 4 pictures, got nil")
    it = ds:batches(4, { seed = 1, augment = function(x) return x[{ 1, 2 }] end })
    assert.error_matches(function() it:next() end, "got shape %(2,2,3,1%)")
  end)

  it("refuses bad arguments", function()
    for pattern, f in pairs {
      ["#1 to 'batches' %(size: expected integer.*got nil"] = function() ds:batches() end,
      ["#1 to 'batches' %(size: expected integer.*got 0"] = function() ds:batches(0) end,
      ["#1 to 'batches' %(size: 11 is more than the 10 pictures"] = function() ds:batches(11) end,
      ["#2 to 'batches' %(unknown option \"suffle\""] = function() ds:batches(2, { suffle = true }) end,
      ["#2 to 'batches' %(epochs"] = function() ds:batches(2, { epochs = 0 }) end,
      ["exclude each other"] = function() ds:batches(2, { seed = 1, generator = core.generator(1) }) end,
    } do
      assert.error_matches(f, pattern)
    end
    assert.equal(11, #ds:batches(11, { drop_last = false }):next().x + 1)
  end)
end)
