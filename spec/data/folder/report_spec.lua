-- The words of a report: counts by reason, and a look at what may spoil a training.
local child = require "spec.support.child"
local core = require "laterna.core"
local data = require "laterna.data"
local new_report = require "laterna.data.folder.report"

local root

local function write(name, text) child.write(root, name, text) end

-- A picture that is like no other, with its caption.
local function pair(name, h, w, caption, picture)
  local g = core.generator(#name * 31 + name:byte(1))
  picture = picture or core.rand(h, w, 3, { generator = g }):mul(255):byte()
  write(name .. ".png", core.encode_png(picture))
  write(name .. ".txt", caption)
end

local function warnings(options)
  options = options or {}
  options.size, options.quiet = options.size or 8, true
  local out = {}
  for _, warning in ipairs(data.folder(root, options).report.warnings) do
    out[warning.what] = table.concat(warning.names, " ")
  end
  return out
end

describe("the report of a folder", function()
  it("counts by ending and reason, and names the first", function()
    local report = new_report "photos"
    for i = 1, 312 do report:add("bad", i .. ".jpg", "not a JPEG file", "unreadable: not a JPEG file") end
    for i = 1, 5 do report:add("bad", "w" .. i .. ".webp", "a header of " .. i .. " bytes") end
    for i = 1, 40 do report:add("orphans", i .. ".txt", "no " .. i .. ".png", "no picture of that name") end
    report:add("unused", "README.txt", "not a caption")
    report:add("orphans", "metadata.jsonl:3", "no picture a.png", "no such picture")
    report:add("orphans", "metadata.jsonl:9", "no picture b.png", "no such picture")
    report.pictures, report.layout = 7, "texts"
    report:warn("nearly blank", { "a.png", "b.png", "c.png", "d.png", "e.png" })
    report:warn("exact doubles of others", {})
    assert.equal(table.concat({ "folder photos: 7 pictures; captions: texts",
      "  312 .jpg: unreadable: not a JPEG file (1.jpg, 2.jpg, 3.jpg and 309 more)",
      "  5 .webp: a header of 1 bytes (w1.webp, w2.webp, w3.webp and 2 more)",
      "  40 .txt: no picture of that name (1.txt, 2.txt, 3.txt and 37 more)",
      "  2 rows of metadata.jsonl: no such picture (metadata.jsonl:3, metadata.jsonl:9)",
      "  README.txt: not a caption",
      "  look: 5 nearly blank: a.png, b.png, c.png and 2 more" }, "\n"), tostring(report))
    assert.is_false(report:complete())
  end)

  it("is complete where nothing is left but bystanders and empty captions", function()
    local report = new_report "x"
    report:add("apart", ".DS_Store", "hidden")
    report:add("empty", "a.txt", "an empty caption")
    assert.is_true(report:complete())
    report:add("unused", "LICENSE", "neither a picture nor captions")
    assert.is_false(report:complete())
  end)

  it("has an end", function()
    local report = new_report "x"
    for i = 1, 300 do report:add("unused", "f", ("r"):rep(i)) end
    assert.matches("and 270 more reasons, in dataset.report.unused", tostring(report), 1, true)
  end)
end)

describe("a look at a folder", function()
  before_each(function() root = child.folder() end)
  after_each(function() child.remove(root) end)

  it("has nothing to say of sound pictures", function()
    for _, name in ipairs { "a", "bb", "ccc" } do pair(name, 20, 24, "the " .. name) end
    assert.same({}, warnings())
  end)

  it("sees blank, tiny and long pictures, and doubles", function()
    pair("a", 8, 8, "the a")
    pair("blank", 8, 8, "the blank one", core.tensor({ 200, 40, 40 }):view(1, 1, 3):add(core.zeros(8, 8, 3)):byte())
    local dot = core.zeros(8, 8, 3)
    dot[1][1]:fill_(255)
    pair("dot", 8, 8, "the dot", dot:byte())
    pair("tiny", 3, 8, "the tiny one")
    pair("long", 8, 30, "the long one")
    pair("less", 8, 24, "the less long one")
    pair("copy", 8, 8, "the copy", core.load_png(root .. "/a.png"))
    pair("more", 8, 8, "the copy again", core.load_png(root .. "/a.png"))
    assert.same({ ["nearly blank"] = "blank.png", ["smaller than half of 8x8"] = "tiny.png",
      ["longer than 3 times their width, of which most is cut away"] = "long.png",
      ["exact doubles of others"] = "copy.png more.png" }, warnings())
  end)

  it("looks at all of a picture before it calls it blank, and at every one of many #slow", function()
    local line = core.zeros(64, 4, 3)
    line[1]:fill_(255)
    pair("line", 64, 4, "a line", line:byte())
    pair("none", 64, 4, "a void", core.zeros(64, 4, 3, { dtype = "uint8" }))
    for i = 1, 300 do pair("n" .. i, 4, 4, "a number " .. i, core.full({ 4, 4, 3 }, i % 250):byte()) end
    local set = data.folder(root, { size = { 64, 4 }, quiet = true })
    local blank = set.report.warnings[1]
    assert.equal("nearly blank", blank.what)
    assert.equal(301, #blank.names)
    assert.is_nil((" " .. table.concat(blank.names, " ") .. " "):find(" line.png ", 1, true))
  end)

  it("sees captions that are all the same, or share no word", function()
    for i = 1, 12 do pair("p" .. ("x"):rep(i), 8, 8, "same") end
    assert.is_truthy(warnings()["captions, all the same"])
    for i = 1, 12 do write("p" .. ("x"):rep(i) .. ".txt", "word" .. i .. " other" .. i) end
    assert.is_truthy(warnings()["captions without a word that two of them share"])
    write("px.txt", "word1 Other2")
    assert.same({}, warnings())
    assert.same({}, warnings { captions = "none" }, "no captions, no words about them")
  end)
end)

describe("bad = \"error\"", function()
  before_each(function() root = child.folder() end)
  after_each(function() child.remove(root) end)

  it("passes hidden files and what is named in ignore, and nothing else", function()
    pair("a", 8, 8, "the a")
    write(".DS_Store", "x")
    assert.equal(1, #data.folder(root, { bad = "error", quiet = true }))
    write("README.txt", "x")
    write("LICENSE", "x")
    write("notes.md", "x")
    assert.error_matches(function() data.folder(root, { bad = "error", ignore = { "LICENSE", "*.md" } }) end,
      "README.txt: not a caption")
    local set = data.folder(root, { bad = "error", quiet = true, ignore = { "LICENSE", "*.md", "README*" } })
    assert.equal(4, #set.report.apart)
    assert.equal(6, set.report.files)
  end)
end)
