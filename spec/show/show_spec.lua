local core = require "laterna.core"
local show = require "laterna.show"

-- A file that remembers.
local function memory()
  local file = { text = "" }
  function file:write(...)
    self.text = self.text .. table.concat { ... }
    return self
  end
  return file
end

local function shown(picture, options)
  options = options or {}
  options.out = memory()
  show(picture, options)
  return options.out.text
end

local function message(...)
  local ok, err = pcall(show, ...)
  assert.is_false(ok)
  return (err:gsub("^[^:]*:%d+: ", ""))
end

describe("show", function()
  it("writes only a line of text where there is no terminal", function()
    assert.equal("picture 28x28x1 (not shown: output is not a terminal)\n", shown(core.zeros(28, 28, 1)))
    assert.equal("16 pictures 8x8x3 (not shown: output is not a terminal)\n", shown(core.zeros(16, 8, 8, 3)))
    assert.equal("picture 2x3 (not shown: protocol is none)\n",
      shown(core.zeros(2, 3), { protocol = "none", tty = true }))
  end)

  it("shows what it is told to, terminal or not", function()
    assert.equal("\27[48;2;0;0;0m\27[38;2;255;255;255m▀\27[0m\n",
      shown(core.tensor { { 1 }, { -1 } }, { protocol = "halfblock" }))
    assert.equal("\27[48;5;16m\27[38;5;231m▀\27[0m\n", shown(core.tensor { { 1 }, { -1 } }, { protocol = "256" }))
    assert.matches("^\27_Ga=T,f=100,", shown(core.zeros(2, 2), { protocol = "kitty" }))
    assert.matches("^\27%]1337;File=inline=1;", shown(core.zeros(2, 2), { protocol = "iterm2" }))
    assert.matches('^\27P0;1;0q"1;1;400;400#0', shown(core.zeros(2, 2), { protocol = "sixel" }))
  end)

  it("enlarges small pictures for protocols of true pixels, by whole factors", function()
    assert.matches('^\27P0;1;0q"1;1;392;392', shown(core.zeros(28, 28), { protocol = "sixel" }))
    assert.matches('^\27P0;1;0q"1;1;84;84', shown(core.zeros(28, 28), { protocol = "sixel", scale = 3 }))
    assert.matches('^\27P0;1;0q"1;1;56;56', shown(core.zeros(28, 28), { protocol = "sixel", width = 6 }))
  end)

  it("shrinks what is wider than asked", function()
    assert.matches('^\27P0;1;0q"1;1;100;50', shown(core.zeros(400, 800), { protocol = "sixel", width = 10 }))
    local first = shown(core.zeros(64, 64), { protocol = "halfblock", width = 16 }):match "^[^\n]*"
    assert.equal(16, select(2, first:gsub("▀", "")))
  end)

  it("lays pictures with alpha on light and dark squares, or on a grey", function()
    local function cell(top, below)
      return ("\27[48;2;%d;%d;%dm\27[38;2;%d;%d;%dm▀\27[0m\n"):format(below, below, below, top, top, top)
    end
    local clear = core.zeros(2, 1, 4) - 1
    assert.equal(cell(204, 153), shown(clear, { protocol = "halfblock" }))
    assert.equal(cell(128, 128), shown(clear, { protocol = "halfblock", ground = 0 }))
    local batch = core.stack({ clear, clear }, 1)
    assert.equal(cell(204, 153):rep(2), shown(batch, { protocol = "halfblock", pad = 0, columns = 1 }))
    assert.equal(cell(0, 0):rep(2), shown(batch, { protocol = "halfblock", pad = 0, columns = 1, ground = -1 }))
    assert.matches('ground: expected "chequered" or a grey from %-1 to 1, got "none"',
      message(clear, { ground = "none" }))
  end)

  it("makes a grid of several pictures", function()
    local one = shown(core.zeros(2, 4, 4, 1), { protocol = "halfblock", pad = 0, columns = 1 })
    assert.equal(shown(core.zeros(8, 4), { protocol = "halfblock" }), one)
    local list = shown({ core.zeros(4, 4, 1), core.zeros(4, 4, 1) }, { protocol = "halfblock", pad = 0, columns = 1 })
    assert.equal(one, list)
  end)

  it("shows a PNG by its path", function()
    local path = os.tmpname()
    core.save_png(path, core.tensor { { 1 }, { -1 } })
    assert.equal("\27[48;2;0;0;0m\27[38;2;255;255;255m▀\27[0m\n", shown(path, { protocol = "halfblock" }))
    assert.equal("picture " .. path .. " 2x1x1 (not shown: output is not a terminal)\n", shown(path))
    os.remove(path)
    assert.matches(path:gsub("%p", "%%%0"), message(path))
  end)

  it("says how many values are NaN", function()
    assert.equal("picture 1x3 (not shown: output is not a terminal)\n2 of 3 values are NaN (shown black)\n",
      shown(core.tensor { { 0 / 0, 0, 0 / 0 } }))
  end)

  it("names what is wrong", function()
    assert.equal("bad argument #1 to 'show' (picture: expected tensor or table or string, got nil)", message(nil))
    assert.equal("bad argument #1 to 'show' (picture: expected (h,w) or (h,w,c) with 1 to 4 channels, got (7))",
      message(core.zeros(7)))
    assert.matches([[^bad argument #2 to 'show' %(unknown option "protocl"]],
      message(core.zeros(2, 2), { protocl = 1 }))
    assert.matches([[protocol: expected "auto", "kitty".* or "none", got "gif"]],
      message(core.zeros(2, 2), { protocol = "gif" }))
    for _, o in ipairs { { width = 0 }, { width = 1.5 }, { scale = 0 }, { scale = 1e6 }, { out = 3 }, { out = {} },
      { tty = 1 }, 3, { [1] = 2 } } do
      assert.matches("^bad argument #2 to 'show'", message(core.zeros(2, 2), o))
    end
    for _, v in ipairs { 3, true, print, {}, { 1 }, { {} } } do
      assert.matches("^bad argument #1 to '%l+'", message(v))
    end
  end)
end)
