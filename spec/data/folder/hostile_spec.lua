-- Folders that somebody made to do harm: names and tables never lead out of the root, nothing is without a bound, and
-- nothing in a name steers a terminal.
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local lfs = require "lfs"

local root

local function write(path, text) child.write(root, path, text) end

local function png(path) write(path, core.encode_png(core.arange(0, 47):byte():view(4, 4, 3))) end

local function load(options)
  options = options or {}
  options.size, options.quiet = 4, true
  return data.folder(root, options)
end

local function reasons(list)
  local out = {}
  for _, problem in ipairs(list) do out[problem.name] = problem.reason end
  return out
end

describe("data.folder and hostile folders:", function()
  before_each(function() root = child.folder() end)
  after_each(function() child.remove(root) end)

  it("rows of a table lead to pictures below the root only", function()
    local outside = root .. "-outside.png"
    core.save_png(outside, core.zeros(2, 2, 3))
    local name = outside:match "[^/]+$"
    png "a.png"
    png "sub/b.png"
    assert(lfs.link("/", root .. "/sub/out", true))
    write("captions.csv", table.concat({ "file,text", "a.png,one", "../" .. name .. ",x", outside .. ",x",
      "sub/../../" .. name .. ",x", "..\\" .. name .. ",x", "C:\\" .. name .. ",x", "sub/out" .. outside .. ",x",
      "a.png\0,x", "captions.csv,x", ",x", "gone.png,x", "sub/./b.png,caf\xe9", "./sub//b.png,two" }, "\n"))
    local set = load()
    os.remove(outside)
    assert.same({ "a.png", "sub/b.png" }, set.names)
    assert.same({ "one", "two" }, set.captions)
    local bad = reasons(set.report.bad)
    for line, pattern in pairs { [3] = "leads out", [4] = "absolute", [5] = "leads out", [6] = "leads out",
      [7] = "absolute", [8] = "passes a symbolic link", [9] = "zero byte", [10] = "not a picture",
      [11] = "expected text, got none", [13] = "not valid UTF%-8" } do
      assert.matches(pattern, bad["captions.csv:" .. line], nil, nil, "line " .. line)
    end
    assert.same({ ["captions.csv:12"] = "no picture gone.png" }, reasons(set.report.orphans))
  end)

  it("so do the names in JSON, of any type", function()
    png "a.png"
    write("captions.json", '{"images": [{"id": 1, "file_name": "../a.png"}, {"id": 2, "file_name": "/a.png"},' ..
      '{"id": 3, "file_name": 7}, {"id": 4, "file_name": "a.png"}, {"id": [], "file_name": "a.png"}, 5, null],' ..
      '"annotations": [{"image_id": 1, "caption": "x"}, {"image_id": 2, "caption": "x"},' ..
      '{"image_id": 3, "caption": "x"}, {"image_id": 4, "caption": "good"}, {"image_id": 4, "caption": 3},' ..
      '{"image_id": 99, "caption": "x"}, {"caption": "x"}, 5, {"image_id": {}, "caption": "x"}]}')
    local set = load()
    assert.same({ "good" }, set.captions)
    assert.same({ ["captions.json:1"] = "file_name: leads out of the folder",
      ["captions.json:2"] = "file_name: absolute paths are refused",
      ["captions.json:3"] = "file_name: expected text, got number" }, reasons(set.report.bad))
  end)

  it("JSON that is broken or nested without end is a reason", function()
    png "a.png"
    write("a.txt", "one")
    write("deep.json", ("["):rep(200000))
    write("cut.json", '{"images": [')
    write("more.json", "{} {}")
    local set = load()
    local bad = reasons(set.report.bad)
    assert.matches("^not ", bad["deep.json"])
    assert.matches("^not a JSON object", bad["cut.json"])
    assert.equal("text after the JSON object", bad["more.json"])
    assert.same({ "one" }, set.captions)
  end)

  it("links that go round in a ring come to an end", function()
    png "cat/a.png"
    png "dog/a.png"
    assert(lfs.link("..", root .. "/cat/up", true))
    assert(lfs.link("../dog", root .. "/cat/other", true))
    assert(lfs.link("loop", root .. "/loop", true))
    local set = load { symlinks = true }
    assert.same({ "cat/a.png", "cat/other/a.png" }, set.names)
    assert.same({ ["cat/up"] = "a link to a folder that is read as .",
      ["dog"] = "a link to a folder that is read as cat/other" }, reasons(set.report.bad))
    assert.same({ loop = "a symbolic link that leads nowhere" }, reasons(set.report.unused))
    assert.same({ ["cat/up"] = "a symbolic link; symlinks = true follows it",
      ["cat/other"] = "a symbolic link; symlinks = true follows it" }, reasons(load().report.bad))
  end)

  it("folders in folders come to an end", function()
    png "a.png"
    write("a.txt", "one")
    local deep = ("d/"):rep(32)
    png(deep .. "in.png")
    write(deep .. "in.txt", "two")
    png(deep .. "d/out.png")
    local set = load()
    assert.same({ "one", "two" }, set.captions)
    assert.same({ [deep .. "d"] = "more than 32 folders deep" }, reasons(set.report.bad))
  end)

  it("what is no file is not opened #child", function()
    png "a.png"
    write("a.txt", "one")
    assert(os.execute("mkfifo " .. child.quote(root .. "/pipe.png") .. " " .. child.quote(root .. "/pipe.json")))
    local set = load()
    assert.same({ ["pipe.png"] = "not a file" }, reasons(set.report.bad))
    assert.same({ ["pipe.json"] = "not a file" }, reasons(set.report.unused))
  end)

  it("no name steers the terminal, wherever it is printed", function()
    local evil = "e\27[2J\u{9b}2J\xff"
    png("cat/" .. evil .. ".png")
    png("dog" .. evil .. "/a.png")
    write("x." .. evil, "")
    write("dog" .. evil .. "/metadata.jsonl", '{"file_name": "' .. "no\\u001b[2J\\u009b" .. '.png", "text": "x"}\n' ..
      '{"file_name": "a.png", "text": "x"}\n\27[2J')
    local report = tostring(load().report)
    assert.matches("\\027", report, 1, true)
    assert.is_nil(report:find "[\0-\9\11-\31\127]")
    assert.is_nil(report:find("\u{9b}", 1, true))
    assert.is_truthy(utf8.len(report))
  end)

  it("a class whose name is no text is no class", function()
    png "caf\xe9/a.png"
    png "dog/a.png"
    local set = load()
    assert.same({ "dog/a.png" }, set.names)
    assert.matches("the folder's name: caption: not valid UTF%-8", reasons(set.report.bad)["caf\xe9/a.png"])
  end)

  it("an epoch of kohya's numbers has a bound #slow", function()
    for i = 1, 40 do png(("9999_cat/%d.png"):format(i)) end
    for i = 1, 1700 do write(("9999_cat/x%d.png"):format(i), core.encode_png(core.zeros(1, 1, 3))) end
    assert.error_matches(function() load():batches(4) end, "an epoch of 17398260 pictures; at most 16777216")
    assert.equal(435, load({ repeats = false }):batches(4).per_epoch)
  end)
end)
