local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local lfs = require "lfs"

local root

local function write(name, text) child.write(root, name, text) end

local function grey(level, h, w)
  return core.from_string(string.char(level):rep((h or 4) * (w or 4)), { h or 4, w or 4, 1 }, { dtype = "uint8" })
end

local function png(name, level, h, w) core.save_png(root .. "/" .. name, grey(level or 100, h, w)) end

local function load(options)
  options = options or {}
  options.quiet = true
  options.size = options.size or 4
  return data.folder(root, options)
end

-- "name: reason" of a list in a report, sorted.
local function found(list)
  local out = {}
  for i, problem in ipairs(list) do out[i] = problem.name .. ": " .. problem.reason end
  table.sort(out)
  return out
end

describe("data.folder", function()
  before_each(function() root = child.folder() end)
  after_each(function() child.remove(root) end)

  describe("with name.txt", function()
    it("pairs pictures and captions in the order of their names", function()
      for i, name in ipairs { "c", "a", "b" } do
        png(name .. ".png", 10 * i)
        write(name .. ".txt", "\u{feff}  caption of\n" .. name .. " \u{e9}\n")
      end
      local ds = load { channels = 1 }
      assert.same({ "caption of a \u{e9}", "caption of b \u{e9}", "caption of c \u{e9}" }, ds.captions)
      assert.same({ "a.png", "b.png", "c.png" }, ds.names)
      assert.equal(("\20"):rep(16) .. ("\30"):rep(16) .. ("\10"):rep(16), ds.images:to_string())
      assert.is_true(ds.report:complete())
      assert.same({ { what = "nearly blank", names = { "a.png", "b.png", "c.png" } } }, ds.report.warnings)
      assert.equal("folder " .. root .. ": 3 pictures; captions: texts beside the pictures\n" ..
        "  look: 3 nearly blank: a.png, b.png, c.png", tostring(ds.report))
    end)

    it("reports orphans, empty captions and bad files, and skips what it cannot use", function()
      png "good.png"
      write("good.txt", "good")
      png "alone.png"
      write("lost.txt", "no picture")
      png "empty.png"
      write("empty.txt", "")
      write("broken.png", "\x89PNG\r\n\x1a\nnot really")
      write("broken.txt", "broken")
      png "latin.png"
      write("latin.txt", "caf\xe9")
      write("readme.md", "ignored")
      png ".hidden.png"
      local ds = load()
      assert.same({ "", "good" }, ds.captions)
      assert.same({ "alone.png: no alone.txt", "broken.txt: broken.png is bad", "latin.png: latin.txt is bad",
        "lost.txt: no lost.png" }, found(ds.report.orphans))
      assert.same({ "readme.md: neither a picture nor captions" }, found(ds.report.unused))
      assert.same({ ".hidden.png: hidden" }, found(ds.report.apart))
      assert.same({ "empty.txt: an empty caption" }, found(ds.report.empty))
      local bad = found(ds.report.bad)
      assert.equal(2, #bad)
      assert.matches("^broken%.png: .", bad[1])
      assert.equal("latin.txt: caption: not valid UTF-8", bad[2])
      assert.same({ 2, 4, 4, 3 }, ds.images.shape)
    end)

    it("refuses the folder where it is asked to, naming everything", function()
      png "a.png"
      write("a.txt", "a")
      png "alone.png"
      write("broken.png", "")
      write("broken.txt", "broken")
      local ok, message = pcall(load, { bad = "error" })
      assert.is_false(ok)
      assert.matches("alone.png: no alone.txt", message, 1, true)
      assert.matches("broken.png: ", message, 1, true)
    end)

    it("says why a picture is bad in one sentence: no line of a source, and no path a second time", function()
      png "a.png"
      write("a.txt", "a")
      write("cut.png", "\137PNG\r\n\26\n1234")
      write("cut.txt", "cut")
      assert.same({ "cut.png: not a sound PNG file: the file ends too early" }, found(load().report.bad))
    end)

    it("does not pass control characters on to the terminal", function()
      png "a.png"
      write("a.txt", "a")
      write("b\27[2J.txt", "escape")
      assert.matches("b\\027[2J.txt", tostring(load().report), 1, true)
    end)

    it("refuses captions without end", function()
      png "a.png"
      write("a.txt", "a")
      png "b.png"
      write("b.txt", ("b"):rep(70000))
      assert.same({ "b.txt: caption: longer than 65536 bytes" }, found(load().report.bad))
    end)

    it("takes links only where it is asked to", function()
      png "a.png"
      write("a.txt", "a")
      assert(lfs.link("a.png", root .. "/b.png", true))
      write("b.txt", "b")
      assert(lfs.link("gone.png", root .. "/c.png", true))
      local ds = load()
      assert.same({ "a.png" }, ds.names)
      assert.same({ "b.png: a symbolic link; symlinks = true follows it",
        "c.png: a symbolic link that leads nowhere" }, found(ds.report.bad))
      assert.same({ "a.png", "b.png" }, load({ symlinks = true }).names)
    end)
  end)

  describe("with metadata.jsonl", function()
    it("reads file_name and text", function()
      lfs.mkdir(root .. "/sub")
      png("sub/b.png", 20)
      png("a.png", 10)
      write("metadata.jsonl", '{"file_name": "sub/b.png", "text": "a \\"b\\"", "more": [1, {"x": null}]}\n\n' ..
        '{"file_name": "./a.png", "text": "an a"}')
      local ds = load { channels = 1 }
      assert.same({ "a.png", "sub/b.png" }, ds.names)
      assert.same({ "an a", 'a "b"' }, ds.captions)
      assert.same({ {}, { more = { 1, {} } } }, ds.metadata)
      assert.equal(ds.metadata[2], ds:subset({ 2 })[1].metadata)
      assert.is_true(ds.report:complete())
    end)

    it("names the line of every bad row, and refuses to leave the folder #slow", function()
      png "a.png"
      png "b.png"
      png "c.png"
      lfs.mkdir(root .. "/sub")
      assert(lfs.link("/", root .. "/sub/out", true))
      local outside = root .. "-outside.png"
      core.save_png(outside, grey(1))
      local escape = outside:match "[^/]+$"
      local rows = {
        '{"file_name": "a.png", "text": "good"}',
        '{"file_name": "b.png", "text": ',
        "[1, 2]",
        '{"file_name": "b.png"}',
        '{"text": "no name"}',
        '{"file_name": "../' .. escape .. '", "text": "x"}',
        '{"file_name": "sub/../../' .. escape .. '", "text": "x"}',
        '{"file_name": "' .. outside .. '", "text": "x"}',
        '{"file_name": "..\\\\x.png", "text": "x"}',
        '{"file_name": "C:\\\\x.png", "text": "x"}',
        '{"file_name": "sub/out' .. outside .. '", "text": "x"}',
        '{"file_name": "a.png", "text": "again"}',
        '{"file_name": "gone.png", "text": "x"}',
        '{"file_name": "b.png", "text": "x"} {"file_name": "c.png", "text": "x"}',
        '{"file_name": "a\\u0000.png", "text": "x"}',
        '{"file_name": 3, "text": "x"}',
        '{"file_name": "metadata.jsonl", "text": "x"}',
        '{"file_name": "b.png", "text": "caf\xe9"}',
        ("["):rep(100000),
        '{"file_name": "b.png", "text": "' .. ("x"):rep(1 << 20) .. '"}',
        "null",
        '{"file_name": "c.png", "text": "last"}',
      }
      write("metadata.jsonl", table.concat(rows, "\r\n"))
      local ds = load()
      os.remove(outside)
      assert.same({ "a.png", "c.png" }, ds.names)
      assert.same({ "good", "last" }, ds.captions)
      assert.same({ "b.png: not in metadata.jsonl", "metadata.jsonl:13: no picture gone.png" },
        found(ds.report.orphans))
      local reasons = {}
      for _, problem in ipairs(ds.report.bad) do
        reasons[tonumber(problem.name:match "^metadata%.jsonl:(%d+)$") or problem.name] = problem.reason
      end
      for line, pattern in pairs {
        [2] = "not a JSON object: ", [3] = "file_name: expected text, got nil", [4] = "text: expected text, got nil",
        [5] = "file_name: expected text", [6] = "leads out of the folder", [7] = "leads out of the folder",
        [8] = "absolute", [9] = "leads out", [10] = "absolute", [11] = "passes a symbolic link",
        [12] = "a.png is named in line 1 already", [14] = "text after the JSON object", [15] = "zero byte",
        [16] = "file_name: expected text, got number", [17] = "file_name: not a picture", [18] = "not valid UTF%-8",
        [19] = "not ", [20] = "a row longer than", [21] = "not a JSON object", ["sub/out"] = "a symbolic link",
      } do
        assert.matches(pattern, reasons[line], nil, nil, "line " .. line)
        reasons[line] = nil
      end
      assert.same({}, reasons)
    end)
  end)

  describe("with sub-folders", function()
    it("makes them classes", function()
      for i, class in ipairs { "dog", "cat", "empty" } do
        lfs.mkdir(root .. "/" .. class)
        for k = 1, i < 3 and i or 0 do png(class .. "/" .. k .. ".png", 10 * i) end
      end
      png "stray.png"
      local ds = load()
      assert.same({ "cat", "dog" }, ds.classes)
      assert.same({ "cat", "cat", "dog" }, ds.captions)
      assert.same({ 1, 1, 2 }, ds.labels:totable())
      assert.same({ "cat/1.png", "cat/2.png", "dog/1.png" }, ds.names)
      assert.same({ "stray.png: not in a sub-folder" }, found(ds.report.orphans))
    end)
  end)

  it("brings pictures of any shape to one size", function()
    png("wide.png", 50, 3, 40)
    png("tall.png", 60, 90, 7)
    png("tiny.png", 70, 1, 1)
    for _, name in ipairs { "wide", "tall", "tiny" } do write(name .. ".txt", name) end
    local ds = load { size = { 6, 9 }, channels = 1 }
    assert.same({ 3, 6, 9, 1 }, ds.images.shape)
    assert.equal(("\60"):rep(54) .. ("\70"):rep(54) .. ("\50"):rep(54), ds.images:to_string())
  end)

  it("prints its report once, on stderr, unless it is quiet", function()
    png "a.png"
    write("a.txt", "a")
    write("b.txt", "b")
    local printed, real = {}, io.stderr
    io.stderr = { write = function(_, ...) printed[#printed + 1] = table.concat { ... } end } -- luacheck: ignore
    local ok, message = pcall(function()
      data.folder(root, { size = 4 })
      data.folder(root, { size = 4, quiet = true })
    end)
    io.stderr = real -- luacheck: ignore
    assert.is_true(ok, message)
    assert.equal(1, #printed)
    assert.matches(": 1 pictures; captions: texts beside the pictures\n  b.txt: no b.png\n", printed[1], 1, true)
  end)

  it("refuses bad arguments, and folders with nothing in them", function()
    for pattern, f in pairs {
      ["#1 to 'folder' %(path: expected string, got nil"] = function() data.folder() end,
      ["#1 to 'folder' %(path: .*No such file"] = function() data.folder(root .. "/none") end,
      ["#2 to 'folder' %(size: expected an integer from 1 to 4096"] = function() data.folder(root, { size = 0 }) end,
      ["size: expected an integer from 1 to 4096 or {height"] = function() data.folder(root, { size = { 1 } }) end,
      ["captions: expected \"auto\""] = function() data.folder(root, { captions = "xml" }) end,
      ["ignore: expected a list of names"] = function() data.folder(root, { ignore = { 3 } }) end,
      ["split: expected \"train\""] = function() data.folder(root, { split = "training" }) end,
      ["bad: expected \"skip\""] = function() data.folder(root, { bad = true }) end,
      ["unknown option \"sise\""] = function() data.folder(root, { sise = 3 }) end,
      ["there is no picture in it"] = function() data.folder(root, { quiet = true }) end,
      ["no metadata.jsonl: No such file"] = function() data.folder(root, { captions = "jsonl" }) end,
    } do
      assert.error_matches(f, pattern)
    end
    write("file", "")
    assert.error_matches(function() data.folder(root .. "/file") end, "is not a folder")
  end)

  it("names the package where a module is missing", function()
    local preload, loaded = package.preload.lfs, package.loaded.lfs
    package.loaded.lfs, package.preload.lfs = nil, function() error "missing" end
    local ok, message = pcall(data.folder, root)
    package.loaded.lfs, package.preload.lfs = loaded, preload
    assert.is_false(ok)
    assert.matches("'lfs': apt-get install lua-filesystem, or luarocks install luafilesystem", message, 1, true)
  end)
end)
