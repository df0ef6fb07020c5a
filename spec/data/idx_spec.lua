local data = require "laterna.data"

local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

-- An IDX file of bytes.
local function idx_file(path, shape, bytes)
  local header = string.pack(">BBBB", 0, 0, 8, #shape)
  for _, s in ipairs(shape) do header = header .. string.pack(">I4", s) end
  write(path, header .. bytes)
  return path
end

describe("data.idx", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(require("lfs").mkdir(folder))
  end)

  after_each(function()
    for name in require("lfs").dir(folder) do os.remove(folder .. "/" .. name) end
    require("lfs").rmdir(folder)
  end)

  it("reads pictures and labels, which count from 1 here", function()
    local images = idx_file(folder .. "/i", { 3, 2, 2 }, "aaaabbbbcccc")
    local labels = idx_file(folder .. "/l", { 3 }, "\2\0\1")
    local ds = data.idx(images, labels, { "zero", "one", "two" })
    assert.same({ 3, 2, 2, 1 }, ds.images.shape)
    assert.same({ 3, 1, 2 }, ds.labels:totable())
    assert.equal("int32", ds.labels.dtype)
    assert.same({ "two", "zero", "one" }, ds.captions)
    assert.same({ "0", "1", "2" }, data.idx(images, labels).classes)
    assert.same({ "", "", "" }, data.idx(images).captions)
  end)

  it("refuses files that do not fit each other", function()
    local images = idx_file(folder .. "/i", { 2, 2, 2 }, "aaaabbbb")
    local labels = idx_file(folder .. "/l", { 3 }, "\2\0\1")
    local two = idx_file(folder .. "/two", { 2 }, "\0\5")
    assert.error_matches(function() data.idx(images, labels) end, "/l: 3 labels for 2 pictures")
    assert.error_matches(function() data.idx(labels, labels) end, "/l: expected pictures")
    assert.error_matches(function() data.idx(images, images) end, "/i: expected labels")
    assert.error_matches(function() data.idx(images, two, { "a", "b" }) end, "label 5 of picture 2 is not one of 2")
    assert.error_matches(function() data.idx(folder .. "/none") end, "none")
    assert.error_matches(function() data.idx() end, "bad argument #1 to 'idx' %(images_path")
    assert.error_matches(function() data.idx(images, labels, { 1, 2 }) end, "bad argument #3 to 'idx' %(classes%[1%]")
  end)
end)

describe("data.fashion_mnist", function()
  it("names the package and what it tried", function()
    assert.error_matches(function() data.fashion_mnist("train", "/nowhere") end,
      "in /nowhere; install Debian's package dataset%-fashion%-mnist")
    assert.error_matches(function() data.fashion_mnist "validation" end,
      "bad argument #1 to 'fashion_mnist' %(split: expected \"train\" or \"test\"")
    assert.error_matches(function() data.fashion_mnist("test", 3) end, "bad argument #2 to 'fashion_mnist'")
  end)

  it("loads the test set where it is installed", function()
    local ok, ds = pcall(data.fashion_mnist, "test")
    if not ok then
      assert.matches("dataset%-fashion%-mnist", ds)
      return pending "dataset-fashion-mnist is not installed"
    end
    assert.same({ 10000, 28, 28, 1 }, ds.images.shape)
    assert.equal(10, #ds.classes)
    -- The first ten labels of the published file: 9 2 1 1 6 1 4 6 5 7.
    assert.same({ 10, 3, 2, 2, 7, 2, 5, 7, 6, 8 }, ds.labels[{ 1, 10 }]:totable())
    assert.equal("ankle boot", ds.captions[1])
    local count = {}
    for _, c in ipairs(ds.captions) do count[c] = (count[c] or 0) + 1 end
    for _, class in ipairs(ds.classes) do assert.equal(1000, count[class]) end
  end)
end)
