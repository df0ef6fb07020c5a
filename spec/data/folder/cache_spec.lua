-- A folder's set in one file: the same set each time, and never an old one.
local blob = require "laterna.data.folder.blob"
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local fails = require "spec.support.fails"
local lfs = require "lfs"

local top, root, cache

local function write(path, text) child.write(root, path, text) end

local function png(path, seed, c)
  local list = {}
  for i = 1, 6 * 8 * (c or 3) do list[i] = string.char((i * i * 7 + seed * 31) % 256) end
  write(path, core.encode_png(core.from_string(table.concat(list), { 6, 8, c or 3 }, { dtype = "uint8" })))
end

-- A small set with a bit of everything.
local function make_folder()
  for i, name in ipairs { "3_a/1", "3_a/2", "5_b/3", "5_b/4" } do
    png(name .. ".png", i)
    write(name .. ".txt", "picture " .. i)
  end
  write("5_b/bad.png", "\x89PNG\r\n\x1a\nno")
  write("5_b/bad.txt", "bad")
  write("README.md", "about")
end

local function load(options)
  local o = { size = 4, cache = cache, quiet = true }
  for key, v in pairs(options or {}) do o[key] = v end
  return data.folder(root, o)
end

-- All of a set, but for what its report says of the cache.
local function content(set)
  local out = { images = set.images:to_string(), shape = set.images.shape, captions = set.captions,
    classes = set.classes, labels = set.labels and set.labels:totable(), report = set.report:kept(),
    text = set:texts() }
  for name in pairs(set.lists) do out[name] = set[name] end
  return out
end

-- Loads a set that has to be read anew, for a reason; what it holds is what it is without a cache.
local function is_anew(reason, options)
  local set = load(options)
  assert.equal(reason and ("%s is made anew: %s"):format(cache, reason) or "written to " .. cache, set.report.cache)
  local o = { cache = false }
  for key, v in pairs(options or {}) do o[key] = v end
  o.cache = nil
  local plain = { size = 4, quiet = true }
  for key, v in pairs(o) do plain[key] = v end
  assert.same(content(data.folder(root, plain)), content(set))
  return set
end

-- Loads a set that has to come out of the cache.
local function is_cached(options)
  local read = core.load_pictures
  core.load_pictures = function() error "a picture is read" end
  local ok, set = pcall(load, options)
  core.load_pictures = read
  assert(ok, set)
  assert.equal("read from " .. cache, set.report.cache)
  return set
end

-- A file with a time of its own, whatever the clock says.
local function touch(path, seconds) assert(lfs.touch(root .. "/" .. path, seconds, seconds)) end

describe("the cache of a folder", function()
  before_each(function()
    top = child.folder()
    root, cache = top .. "/set", top .. "/set.safetensors"
    lfs.mkdir(root)
  end)
  after_each(function() child.remove(top) end)

  it("holds all that the set has", function()
    make_folder()
    local first = is_anew(nil)
    local second = is_cached()
    assert.same(content(first), content(second))
    assert.same({ 3, 3, 5, 5 }, second.repeats)
    assert.same({ "a", "b" }, second.classes)
    assert.equal(getmetatable(first.report), getmetatable(second.report))
    assert.matches("\n  cache: read from .*set.safetensors$", tostring(second.report))
    assert.equal((tostring(first.report):gsub("\n  cache:.*", "")), (tostring(second.report):gsub("\n  cache:.*", "")))
    assert.is_false(second.report:complete())
    assert.equal(2, child.count(top))
    for _, set in ipairs { first, second } do
      local batch = set:batches(4, { seed = 3, flip = true }):next()
      assert.same({ 4, 4, 4, 3 }, batch.x.shape)
    end
    assert.same(second[3].x:totable(), first[3].x:totable())
  end)

  it("holds metadata, several captions and names of any bytes", function()
    png("a.png", 1, 4)
    png("b\xff.png", 2, 4)
    write("metadata.jsonl", table.concat({
      [[{"file_name": "a.png", "text": ["one", "two"], "n": 0.1, "i": 7, "list": [1, [2, "x"], {}], "yes": true}]],
      '{"file_name": "b\xff.png", "text": "three", "deep": {"a": {"b": "\\u0000"}}}' }, "\n"))
    local first = is_anew(nil, { channels = 4, fit = "pad" })
    local second = is_cached { channels = 4, fit = "pad" }
    assert.same(content(first), content(second))
    assert.same({ { "one", "two" }, { "three" } }, second.all_captions)
    assert.equal(7, second.metadata[1].i)
    assert.equal("integer", math.type(second.metadata[1].i))
  end)

  it("is the same file for the same set", function()
    make_folder()
    load()
    local bytes = child.read(cache)
    os.remove(cache)
    load()
    assert.equal(bytes, child.read(cache))
    assert.equal(4 * 4 * 4 * 3, core.load_safetensors(cache).images:numel())
  end)

  it("is made anew for other options, and says which", function()
    make_folder()
    load()
    is_anew("size is 5x3, was 4x4", { size = { 5, 3 } })
    is_anew("channels is 1, was 3", { size = { 5, 3 }, channels = 1 })
    is_anew("channels is 3, was 1")
    is_anew("fit is pad, was crop", { fit = "pad" })
    is_anew("background is {0,1,0.5}, was 1", { fit = "pad", background = { 0, 1, 0.5 } })
    is_anew("background is 1, was {0,1,0.5}", { fit = "pad" })
    is_anew("captions is folders, was auto", { captions = "folders", fit = "pad" })
    is_anew("captions is auto, was folders")
    is_anew("repeats is false, was true", { repeats = false })
    is_anew("ignore is {README*}, was nil", { repeats = false, ignore = { "README*" } })
    is_anew("max_pixels is 100, was nil", { repeats = false, ignore = { "README*" }, max_pixels = 100 })
    local all = { repeats = false, ignore = { "README*" }, max_pixels = 100, symlinks = true }
    is_anew("symlinks is true, was false", all)
    all.bad = "skip"
    is_cached(all)
  end)

  it("is made anew for changed, new and lost files, and names one", function()
    make_folder()
    load()
    png("3_a/2.png", 77)
    touch("3_a/2.png", 1000)
    is_anew "files: 1 changed (3_a/2.png)"
    touch("3_a/2.png", 1001) -- the same bytes, written again
    is_anew "files: 1 changed (3_a/2.png)"
    write("5_b/3.txt", "another caption")
    touch("5_b/3.txt", 1000)
    assert.equal("another caption", is_anew("files: 1 changed (5_b/3.txt)").captions[3])
    png("3_a/0.png", 5)
    write("3_a/0.txt", "new")
    assert.equal(5, #is_anew "files: 2 new (3_a/0.png, ...)")
    os.remove(root .. "/3_a/1.png")
    assert.equal(4, #is_anew "files: 1 gone (3_a/1.png)")
    os.rename(root .. "/3_a/1.txt", root .. "/3_a/9.txt")
    touch("5_b/4.png", 1000)
    is_anew "files: 1 changed (5_b/4.png), 1 gone (3_a/1.txt), 1 new (3_a/9.txt)"
    write("notes.pdf", "x")
    assert.matches("notes.pdf", tostring(is_anew("files: 1 new (notes.pdf)").report))
    write("notes.pdf", "longer") -- which nobody reads
    is_cached()
    assert(lfs.link("nowhere", root .. "/link", true))
    is_anew "links, or what cannot be listed, are others"
    is_cached()
  end)

  it("is used for a folder that was moved, and not for another one", function()
    make_folder()
    load()
    assert(os.rename(root, top .. "/moved"))
    root = top .. "/moved"
    assert.matches("^folder " .. root:gsub("%p", "%%%0") .. ": 4 pictures", tostring(is_cached().report))
    root = top .. "/other"
    lfs.mkdir(root)
    png("x.png", 1)
    write("x.txt", "x")
    is_anew "files: 11 gone (3_a/1.png, ...), 2 new (x.png, ...)"
  end)

  it("may lie in its own folder", function()
    make_folder()
    cache = root .. "/5_b/cache.safetensors"
    write("5_b/cache.safetensors.tmp-00000000-1-1", "left by a process that was killed")
    local set = load()
    assert.equal("written to " .. cache, set.report.cache)
    assert.equal(11, set.report.files)
    assert.is_nil(tostring(set.report):find("  5_b/cache", 1, true))
    is_cached()
    lfs.chdir(root)
    cache = "5_b/cache.safetensors"
    local ok, message = pcall(is_cached)
    lfs.chdir(child.root)
    assert(ok, message)
    cache = root .. "/5_b/cache.safetensors"
    png("5_b/7.png", 9)
    assert.equal(cache .. " is made anew: files: 1 new (5_b/7.png)", load().report.cache)
  end)

  it("is no place for what is not a cache", function()
    make_folder()
    for _, bytes in ipairs { "", "precious", ("<s8"):pack '{"__metadata__":{"cache":"other 1"}}',
      ("<s8"):pack '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}' .. "x" } do
      child.write(top, "set.safetensors", bytes)
      fails(("cache: %s is there and no cache of a folder; it is left as it is"):format(cache), load)
      assert.equal(bytes, child.read(cache))
    end
    os.remove(cache)
    lfs.mkdir(cache)
    fails("no cache of a folder", load)
    cache = top .. "/none/set.safetensors"
    fails(("cannot write '%s': No such file or directory"):format(cache), load)
    cache = root .. "/README.md/x"
    fails("Not a directory", load)
    fails("cache: expected the path of a file", load, { cache = "a\0b" })
  end)

  it("is made anew when it is damaged or of another version", function()
    make_folder()
    load()
    local good = child.read(cache)
    assert.equal("laterna.data.folder 1", good:match '^........{"__metadata__":{"cache":"([^"]*)"')
    local function is_made_anew(bytes, reason)
      child.write(top, "set.safetensors", bytes)
      local set = load()
      assert.matches("set.safetensors is made anew: " .. reason, set.report.cache)
      assert.equal(good, child.read(cache))
    end
    for n = 60, #good - 1, 97 do is_made_anew(good:sub(1, n), "it is damaged") end
    is_made_anew(good .. "x", "it is damaged: 1 bytes after the last tensor")
    is_made_anew((good:gsub("folder 1", "folder 2", 1)), "another version of laterna wrote it")
    local first = 4096 + 4 * 4 * 4 * 3
    for at = first + 1, #good, 61 do
      local flipped = string.char(good:byte(at) ~ 16)
      is_made_anew(good:sub(1, at - 1) .. flipped .. good:sub(at + 1), "it is damaged")
    end
  end)

  it("never believes what a cache says of itself", function()
    make_folder()
    load()
    local good, t = child.read(cache), core.load_safetensors(cache)
    local rest, files = t.rest:to_string(), t.files:to_string()
    local function forged(change, images)
      local value = blob.decode(rest)
      value = change(value) or value
      local text = blob.encode(value)
      images = images or t.images
      local s <close> = core.begin_stream(cache)
      core.append_stream(s, images)
      core.append_stream(s, files)
      core.append_stream(s, text)
      core.finish_stream(s, { { "images", table.unpack(images.shape) }, { "files", #files }, { "rest", #text } },
        { { "cache", "laterna.data.folder 1" }, { "hash", core.hash_strings { files, text } },
          { "version", require "laterna.version" } })
    end
    for i, change in ipairs {
      function() return {} end, function() return "x" end,
      function(v) v.captions[2] = 7 end, function(v) v.captions[4] = nil end, function(v) v.captions = nil end,
      function(v) v.labels[1] = 3 end, function(v) v.labels[1] = 0 end, function(v) v.labels[1] = 1.0 end,
      function(v) v.labels = nil end, function(v) v.classes = nil end, function(v) v.classes[1] = 1 end,
      function(v) v.lists.names[1] = {} end, function(v) v.lists.images = v.lists.names end,
      function(v) v.lists.repeats[1] = -1 end, function(v) v.lists.all_captions = { {}, {}, {}, {} } end,
      function(v) v.lists.metadata = { 1, 2, 3, 4 } end, function(v) v.report.bad[1].reason = nil end,
      function(v) v.report.warnings = { { what = "x" } } end, function(v) v.report.layout = 1 end,
      function(v) v.report.pictures = "4" end, function(v) v.options = nil end, function(v) v.report = nil end,
    } do
      forged(change)
      local set = load()
      assert.equal(cache .. " is made anew: it is damaged", set.report.cache, "change " .. i)
      assert.equal(good, child.read(cache))
    end
    forged(function() end, core.zeros({ 3, 4, 4, 3 }, { dtype = "uint8" }))
    assert.equal(cache .. " is made anew: it is damaged", load().report.cache)
    forged(function() end)
    is_cached()
  end)

  it("is not written where the folder is refused, or the reading stops", function()
    make_folder()
    fails("5_b/bad.png", load, { bad = "error" })
    assert.is_nil(lfs.attributes(cache))
    load()
    local good = child.read(cache)
    fails("5_b/bad.png", load, { bad = "error" }) -- of the report that the cache keeps
    png("3_a/7.png", 3)
    local read = core.load_pictures
    core.load_pictures = function() error "interrupted by Ctrl-C" end
    fails("interrupted by Ctrl-C", load)
    core.load_pictures = read
    assert.equal(good, child.read(cache))
    assert.equal(2, child.count(top))
  end)

  it("is written piece by piece: no more pictures are in memory than a few", function()
    for i = 1, 9 do png(("%d.png"):format(i), i) end
    local rows, peak = core.picture_rows, 0
    core.picture_rows = function(n, ...)
      local out = rows(n, ...)
      peak = math.max(peak, out:numel())
      return out
    end
    local ok, set = pcall(load, { size = 2048, captions = "none" })
    core.picture_rows = rows
    assert(ok, set)
    assert.is_true(peak > 0 and peak <= 1 << 25, peak)
    assert.equal(9 * 2048 * 2048 * 3, set.images:numel())
    local last = core.fit_picture(core.load_picture(root .. "/9.png", { channels = 3 }), 2048, 2048)
    assert.equal(core.hash_strings { last:to_string() }, core.hash_strings { set.images[9]:to_string() })
  end)

  it("is no worse for a lack of memory", function()
    make_folder()
    load()
    assert(lfs.touch(cache, 1000, 1000))
    fails("not enough memory", core.limit_memory, 64, load)
    assert.equal(1000, lfs.attributes(cache, "modification"))
    is_cached()
  end)

  it("stays what it is while sets that came out of it are changed", function()
    make_folder()
    load()
    local good = child.read(cache)
    local a, b = is_cached(), is_cached()
    a.images:fill_(3)
    assert.equal(("\3"):rep(48), a.images[1]:to_string())
    assert.not_equal(("\3"):rep(48), b.images[1]:to_string())
    assert.equal(good, child.read(cache))
    os.remove(cache)
    png("3_a/7.png", 3)
    is_anew(nil)
    assert.equal(4, #b:subset(1, 4)) -- of a file that has been replaced
  end)

  it("goes on when allocations fail #slow", function()
    make_folder()
    local expected = content(load())
    for n = 1, 60 do
      os.remove(cache)
      core.debug_fail_allocation(n)
      local ok, set = pcall(load)
      core.debug_fail_allocation(0)
      assert(ok or set:find("not enough memory", 1, true), set)
      if ok then assert.same(expected, content(set)) end
      assert.equal(ok and 2 or 1, child.count(top))
      if not ok then load() end
      core.debug_fail_allocation(n)
      local again, cached = pcall(load)
      core.debug_fail_allocation(0)
      assert(again or cached:find("not enough memory", 1, true), cached)
      if again then assert.same(expected, content(cached)) end
    end
  end)
end)
