local core = require "laterna.core"
local data = require "laterna.data"
local dataset = require "laterna.data.dataset"
local numbered = require "spec.support.numbered"

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

  -- How often each picture comes in an epoch, by number.
  local function counts(it)
    local out = {}
    for _ = 1, it.per_epoch do
      for _, i in ipairs(it:next().index:totable()) do out[i] = (out[i] or 0) + 1 end
    end
    return out
  end

  local function same_after_loading(set, size, options)
    local it = set:batches(size, options)
    for _ = 1, it.per_epoch + 1 do it:next() end
    local again = set:batches(size, options)
    again:load_state(it:state())
    for _ = 1, it.per_epoch do
      local a, b = it:next(), again:next()
      assert.same(a.index:totable(), b.index:totable())
      assert.same(a.captions, b.captions)
    end
  end

  it("draws one of several captions each time, by its seed", function()
    local set = data.from(ds.images, { { "a", "b", "c" }, "1", "2", "3", "4", "5", "6", "7", "8", "9" })
    local drawn, it = { a = 0, b = 0, c = 0 }, set:batches(5, { seed = 2 })
    for _ = 1, 2 * 300 do
      local batch = it:next()
      for k, i in ipairs(batch.index:totable()) do
        if i == 1 then drawn[batch.captions[k]] = drawn[batch.captions[k]] + 1 end
        if i > 1 then assert.equal(tostring(i - 1), batch.captions[k]) end
      end
    end
    for _, count in pairs(drawn) do assert.is_true(count > 70 and count < 130, count) end -- 100, sigma 8
    same_after_loading(set, 3, { seed = 4, flip = true })
    local plain, several = ds:batches(4, { seed = 6, flip = true }), set:batches(4, { seed = 6, flip = true })
    for _ = 1, 5 do assert.equal(plain:next().x:to_string(), several:next().x:to_string()) end
  end)

  it("shows the pictures of each class equally often", function()
    local set = data.from(ds.images, nil, { labels = { 1, 1, 1, 1, 1, 1, 1, 2, 2, 4 },
      classes = { "a", "b", "c", "d" } })
    local it = set:batches(5, { balanced = true, seed = 1 })
    local whole = {}
    for _ = 1, 30 do
      local by_class, epoch = { 0, 0, 0, 0 }, counts(it)
      for i = 1, 10 do
        local label = set.labels[i]:item()
        by_class[label] = by_class[label] + (epoch[i] or 0)
        whole[i] = (whole[i] or 0) + (epoch[i] or 0)
        assert.is_true(label ~= 1 or (epoch[i] or 0) <= 1)
      end
      table.sort(by_class)
      assert.same({ 0, 3, 3, 4 }, by_class)
    end
    for i = 1, 7 do assert.is_true(whole[i] > 4, "never shown: " .. i) end
    same_after_loading(set, 4, { balanced = true, seed = 3, drop_last = false })
  end)

  it("repeats pictures as often as the set says", function()
    local set = ds:map(function(item, i)
      item.repeats = i == 3 and 0 or i <= 5 and 1 or 2
      return item
    end)
    local it = set:batches(2, { seed = 1 })
    assert.equal(7, it.per_epoch)
    assert.same({ 1, 1, nil, 1, 1, 2, 2, 2, 2, 2 }, counts(it))
    assert.same({ 1, 2, 4, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10 },
      set:batches(14, { seed = 1, shuffle = false }):next().index:totable())
    assert.equal(5, set:batches(2, { repeats = false }).per_epoch)
    assert.error_matches(function() ds:batches(2):load_state(it:state()) end, "repeated to 14")
    same_after_loading(set, 3, { seed = 3 })
    local balanced = counts(set:batches(7, { balanced = true, seed = 1 }))
    assert.is_nil(balanced[3])
    set.repeats[1] = -1
    assert.error_matches(function() set:batches(2) end, "repeats%[1%]: expected integer from 0")
    set.repeats[1] = 1 << 24
    assert.error_matches(function() set:batches(2) end, "an epoch of %d+ pictures; at most 16777216")
  end)

  it("refuses bad arguments", function()
    for pattern, f in pairs {
      ["#1 to 'batches' %(size: expected integer.*got nil"] = function() ds:batches() end,
      ["#1 to 'batches' %(size: expected integer.*got 0"] = function() ds:batches(0) end,
      ["#1 to 'batches' %(size: 11 is more than the 10 pictures"] = function() ds:batches(11) end,
      ["#2 to 'batches' %(unknown option \"suffle\""] = function() ds:batches(2, { suffle = true }) end,
      ["#2 to 'batches' %(epochs"] = function() ds:batches(2, { epochs = 0 }) end,
      ["exclude each other"] = function() ds:batches(2, { seed = 1, generator = core.generator(1) }) end,
      ["balanced excludes shuffle = false"] = function() ds:batches(2, { balanced = true, shuffle = false }) end,
      ["balanced: the data set has no classes"] = function() data.from(ds.images):batches(2, { balanced = true }) end,
    } do
      assert.error_matches(f, pattern)
    end
    assert.equal(11, #ds:batches(11, { drop_last = false }):next().x + 1)
  end)
end)
