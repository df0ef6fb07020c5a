-- Many pictures out of files: by any number of threads, with whatever lies between them.
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local fails = require "spec.support.fails"
local new_bar = require "laterna.data.folder.bar"

local root

local function write(path, text) child.write(root, path, text) end

local function bytes(h, w, c, seed)
  local list = {}
  for i = 1, h * w * c do list[i] = string.char((i * i * 7 + seed * 31 + i * seed) % 256) end
  return core.from_string(table.concat(list), { h, w, c }, { dtype = "uint8" })
end

-- Pictures of many sizes and channels; every 7th is damaged.
local function mixed(n)
  local paths = {}
  for i = 1, n do
    local png = core.encode_png(bytes(3 + i % 9, 4 + i % 5, 1 + i % 4, i))
    paths[i] = ("%03d.png"):format(i)
    write(paths[i], i % 7 == 3 and png:sub(1, #png - 20) or png)
  end
  return paths
end

-- The same by the functions for one picture.
local function one_by_one(paths, h, w, c, options)
  local rows, reasons = {}, {}
  for i, path in ipairs(paths) do
    local ok, x = pcall(core.load_picture, root .. "/" .. path, { channels = c, background = options.background })
    if ok then rows[#rows + 1] = core.fit_picture(x, h, w, options):to_string() end
    reasons[i] = not ok and x:gsub("^.-:%d+: ", ""):gsub("^load_picture: ", "") or false
  end
  return table.concat(rows), #rows, reasons
end

describe("load_pictures", function()
  before_each(function() root = child.folder() end)
  after_each(function() child.remove(root) end)

  it("gives what load_picture and fit_picture give, at any number of threads", function()
    local paths, before = mixed(60), core.threads()
    for c = 1, 4 do
      local options = { fit = c % 2 == 0 and "pad" or "crop", background = { 0.5, -0.25, 0 } }
      local expected, count, reasons = one_by_one(paths, 6, 5, c, options)
      assert.equal(51, count)
      for _, threads in ipairs { 1, 2, 5 } do
        core.threads(threads)
        local out = core.picture_rows(#paths + 2, 6, 5, c)
        out:fill_(9)
        local n, found = core.load_pictures(out, 2, root, paths, options)
        core.threads(before)
        assert.equal(count, n)
        assert.equal(expected, out[{ 2, n + 1 }]:to_string())
        assert.equal(("\9"):rep(30 * c), out[1]:to_string())
        assert.equal(("\9"):rep(30 * c), out[#paths + 2]:to_string())
        for i, reason in ipairs(reasons) do
          assert.equal(reason, found.reason[i])
          assert.equal(reason and 0 or 3 + i % 9, found.height[i])
          assert.equal(reason and 0 or 4 + i % 5, found.width[i])
        end
      end
    end
  end)

  it("tells which rows are the same, and which are blank", function()
    local levels = { 7, 7, 100, 7 }
    for i, level in ipairs(levels) do
      write(i .. ".png", core.encode_png(core.full({ 8, 8, 3 }, level):byte()))
    end
    local dot = core.full({ 40, 40, 3 }, 7):byte()
    dot[40][40][3]:fill_(255) -- the variance of the last channel: 248^2 / 1600 = 38
    write("5.png", core.encode_png(dot))
    local faint = core.full({ 40, 40, 3 }, 7):byte()
    for i = 1, 40, 2 do faint[i]:fill_(10) end -- 1.5^2, and a little more
    write("6.png", core.encode_png(faint))
    for i = 1, 40, 2 do faint[i]:fill_(11) end -- 2^2 1600 / 1599
    write("7.png", core.encode_png(faint))
    local out = core.picture_rows(7, 40, 40, 3)
    local n, found = core.load_pictures(out, 1, root, { "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png" })
    assert.equal(7, n)
    assert.same({ true, true, true, true, false, true, false }, found.blank)
    assert.equal(found.hash[1], found.hash[2])
    assert.equal(found.hash[1], found.hash[4])
    local different = {}
    for _, i in ipairs { 1, 3, 5, 6, 7 } do different[found.hash[i]] = true end
    local count = 0
    for _ in pairs(different) do count = count + 1 end
    assert.equal(5, count)
  end)

  it("says of each file why it could not be read", function()
    write("good.png", core.encode_png(bytes(4, 4, 3, 1)))
    write("empty.png", "")
    write("text.png", "no picture")
    write("folder/x.txt", "")
    local out = core.picture_rows(5, 2, 2, 3)
    local n, found = core.load_pictures(out, 1, root, { "gone.png", "empty.png", "good.png", "text.png", "folder" })
    assert.equal(1, n)
    assert.equal(("cannot open '%s/gone.png': No such file or directory"):format(root), found.reason[1])
    assert.matches("not a picture: it is empty", found.reason[2], 1, true)
    assert.is_false(found.reason[3])
    assert.matches("not a picture of a format", found.reason[4], 1, true)
    assert.matches("it is a directory", found.reason[5], 1, true)
    local m = select(2, core.load_pictures(out, 1, root, { "good.png" }, { max_pixels = 15 }))
    assert.matches("larger than max_pixels = 15", m.reason[1], 1, true)
  end)

  it("reads nothing of no paths, and nobody else's rows", function()
    local out = core.picture_rows(2, 2, 2, 1)
    assert.equal(0, (core.load_pictures(out, 2, root, {})))
    fails("paths: more than the 1 rows that are left", core.load_pictures, out, 2, root, { "a", "b" })
    fails("first: expected 1 to 2, got 3", core.load_pictures, out, 3, root, {})
    fails("first: expected 1 to 2, got 0", core.load_pictures, out, 0, root, {})
    fails("paths[2]: expected string, got number", core.load_pictures, out, 1, root, { "a", 7 })
    fails("paths[1]: a zero byte inside", core.load_pictures, out, 1, root, { "a\0b" })
    fails("paths: expected table, got nil", core.load_pictures, out, 1, root, nil)
    fails("path: a zero byte inside", core.load_pictures, out, 1, "x\0", {})
    fails("out: expected a uint8 tensor", core.load_pictures, core.zeros(1, 2, 2, 1), 1, root, {})
    fails("out: expected 4 axes", core.load_pictures, out[1], 1, root, {})
    fails("1 to 4 channels", core.load_pictures, core.zeros({ 1, 2, 2, 5 }, { dtype = "uint8" }), 1, root, {})
    fails('unknown option "channels"', core.load_pictures, out, 1, root, {}, { channels = 3 })
    fails("channels: expected 1 to 4, got 5", core.picture_rows, 1, 2, 2, 5)
  end)

  it("is the same when any allocation fails, and loses nothing #slow", function()
    local paths, before = mixed(12), core.threads()
    local options = { fit = "pad" }
    local expected, count = one_by_one(paths, 6, 5, 3, options)
    local out = core.picture_rows(#paths, 6, 5, 3)
    for _, threads in ipairs { 1, 2 } do
      core.threads(threads)
      core.load_pictures(out, 1, root, paths, options)
      collectgarbage()
      local blocks = core.memory().count
      for n = 1, 150 do
        core.debug_fail_allocation(n)
        local kept, found = core.load_pictures(out, 1, root, paths, options)
        core.debug_fail_allocation(0)
        assert.equal(count, kept)
        assert.equal(expected, out[{ 1, kept }]:to_string())
        assert.matches("ends too early", found.reason[3], 1, true)
      end
      collectgarbage()
      assert.equal(blocks, core.memory().count)
      core.threads(before)
    end
  end)
end)

describe("data.folder", function()
  before_each(function() root = child.folder() end)
  after_each(function() child.remove(root) end)

  it("is the same at 1, 2 and 5 threads, with damaged pictures in the middle", function()
    mixed(50)
    local before, all, text = core.threads(), nil, nil
    for _, threads in ipairs { 1, 2, 5 } do
      core.threads(threads)
      local set = data.folder(root, { size = { 5, 6 }, captions = "names", fit = "pad", background = -1, quiet = true })
      core.threads(before)
      assert.equal(43, #set)
      assert.equal(7, #set.report.bad)
      all, text = all or set.images:to_string(), text or tostring(set.report)
      assert.equal(all, set.images:to_string())
      assert.equal(text, tostring(set.report))
      local x = core.fit_picture(core.load_picture(root .. "/050.png", { channels = 3, background = -1 }), 5, 6,
        { fit = "pad", background = -1 })
      assert.equal(x:to_string(), set.images[43]:to_string())
    end
  end)

  it("reports a file that vanishes before it is read", function()
    for i = 1, 5 do write(i .. ".png", core.encode_png(bytes(4, 4, 3, i))) end
    local load = core.load_pictures
    core.load_pictures = function(...)
      os.remove(root .. "/3.png")
      return load(...)
    end
    local ok, set = pcall(data.folder, root, { size = 4, captions = "none", quiet = true })
    core.load_pictures = load
    assert(ok, set)
    assert.same({ "1.png", "2.png", "4.png", "5.png" }, set.names)
    assert.equal("3.png", set.report.bad[1].name)
    assert.matches("No such file", set.report.bad[1].reason, 1, true)
  end)

  it("says of long pictures what becomes of them", function()
    write("long.png", core.encode_png(bytes(4, 16, 3, 1)))
    for fit, what in pairs { crop = "cut away", pad = "padding" } do
      local set = data.folder(root, { size = 4, captions = "none", fit = fit, quiet = true })
      assert.matches("of which most is " .. what, tostring(set.report), 1, true)
    end
  end)

  it("refuses other ways to fit and other backgrounds before it reads anything", function()
    for pattern, options in pairs {
      ['fit: expected "crop" or "pad", got "stretch"'] = { fit = "stretch" },
      ["background: expected a number from -1 to 1 or {red, green, blue}, got 2"] = { background = 2 },
      ["background: expected a number from -1 to 1 or {red, green, blue}, got table"] = { background = { 0, 0 } },
      ["{red, green, blue}, got table"] = { background = { 0, 0, 0, 0 } },
      ["background: expected a number from -1 to 1 or {red, green, blue}, got "] = { background = 0 / 0 },
      ["{red, green, blue}, got \"white\""] = { background = "white" },
      ["cache: expected the path of a file, got \"\""] = { cache = "" },
      ["cache: expected the path of a file, got true"] = { cache = true },
    } do
      fails(pattern, data.folder, root .. "/", options)
    end
  end)

  it("says what to do where there is not memory enough for all", function()
    for i = 1, 3 do write(i .. ".png", core.encode_png(bytes(4, 4, 3, i))) end
    local rows = core.picture_rows
    core.picture_rows = function() return rows(1 << 30, 1 << 10, 1 << 10, 3) end
    local ok, message = pcall(data.folder, root, { size = 4, captions = "none", quiet = true })
    core.picture_rows = rows
    assert.is_false(ok)
    assert.matches("folder: 3 pictures of 4x4x3: .*with the option cache they are kept in a file", message)
  end)
end)

describe("the bar of a folder", function()
  local function run(o)
    local now, lines = 0, {}
    o.clock = function() return now end
    o.out = { write = function(_, ...) lines[#lines + 1] = table.concat { ... } end, flush = function() end }
    do
      local bar <close> = new_bar(100, o)
      for i = 1, 100 do
        now = now + 0.02
        bar(i)
      end
    end
    return table.concat(lines)
  end

  it("is shown on a terminal, after half a second", function()
    local text = run { label = "pictures", tty = true }
    assert.matches("pictures", text, 1, true)
    assert.matches("100/100", text, 1, true)
    assert.matches("2[5-9]/100", text)
    assert.is_nil(text:find(" 10/100", 1, true))
    assert.matches("\n$", text)
  end)

  it("is not shown elsewhere, nor where nothing is to be said", function()
    assert.equal("", run { label = "pictures", tty = false })
    assert.equal("", run { label = "pictures", tty = true, quiet = true })
  end)
end)
