local core = require "laterna.core"
local plot = require "laterna.show.plot"

local function memory()
  local file = { text = "" }
  function file:write(text)
    self.text = self.text .. text
    return self
  end
  return file
end

local function drawn(f, what, options)
  options = options or {}
  options.out = memory()
  f(what, options)
  return options.out.text
end

local function lines(text)
  local out = {}
  for line in text:gmatch "([^\n]*)\n" do out[#out + 1] = line end
  return out
end

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return (err:gsub("^[^:]*:%d+: ", ""))
end

describe("plot", function()
  it("draws ASCII where there is no terminal", function()
    local text = drawn(plot, { x = { 0.1, 2 }, y = { 0, 2 } }, { width = 30, height = 6, ylim = { 0, 2 } })
    assert.same({
      "2 +                        ***",
      "  |                   *****",
      "1 +              *****",
      "  |        ******",
      "  |   *****",
      "0 +***",
      "  +------------+-------------+",
      "               1             2",
    }, lines(text))
  end)

  it("draws braille and colours in a terminal", function()
    local text = drawn(plot, { 0, 1 }, { width = 22, height = 3, ylim = { 0, 1 }, tty = true, ascii = false })
    local plain = text:gsub("\27%[[%d;]*m", "")
    for _, line in ipairs(lines(plain)) do assert.is_true(utf8.len(line) <= 22) end
    assert.is_truthy(plain:find "\u{2800}" == nil)
    assert.is_truthy(plain:find "[⠀-⣿]")
  end)

  it("draws one curve a value of a function", function()
    local text = drawn(plot, function(t) return t, 1 - t end, { labels = { "alpha", "sigma" }, title = "linear" })
    assert.matches("linear\n", text)
    assert.matches("%* alpha   %+ sigma\n", text)
    assert.matches("0%.0 +0%.2", text)
    text = drawn(plot, function(t) return t, t end)
    assert.matches("%* curve 1   %+ curve 2\n", text)
  end)

  it("draws functions between from and to", function()
    local seen = {}
    drawn(plot, function(t) seen[#seen + 1] = t return t end, { from = -2, to = 3 })
    assert.equal(-2, seen[1])
    assert.equal(3, seen[#seen])
  end)

  it("takes every shape of data", function()
    local x, y = { 1, 2, 3 }, { 3, 1, 2 }
    local one = drawn(plot, y)
    assert.equal(one, drawn(plot, core.tensor(y)))
    assert.equal(one, drawn(plot, core.tensor(y, { dtype = "int32" })))
    assert.equal(one, drawn(plot, { x = x, y = y }))
    assert.equal(one, drawn(plot, { core.tensor(3), core.tensor { 1 }, 2 }))
    local named = drawn(plot, { loss = y, lr = { x = core.tensor(x), y = x } })
    assert.matches("%* loss   %+ lr\n", named)
    assert.equal(named, drawn(plot, { { y = y, label = "loss" }, { x = x, y = x, label = "lr" } }))
    assert.matches("%* 1   %+ 2   o 3\n", drawn(plot, { y, core.tensor(y), function(t) return t end }))
    assert.matches("%* x   %+ y   o z\n", drawn(plot, { y = y, x = x, z = x }))
  end)

  it("copes with one point, equal values, and nothing that can be drawn", function()
    local lists = { { 5 }, { 5, 5, 5 }, { 0 }, { 0 / 0 }, { 1 / 0, -1 / 0 }, { 1e300, -1e300 }, { 1e-310, 2e-310 } }
    for _, y in ipairs(lists) do
      for _, o in ipairs { {}, { logy = true }, { tty = true, ascii = false } } do
        assert.is_true(#lines(drawn(plot, y, o)) > 5)
      end
    end
    assert.matches("%* %(1 of 3 not finite%)\n", drawn(plot, { 1, 0 / 0, 2 }))
    assert.matches("loss %(2 of 4 not finite, 1 of 4 not above 0%)\n",
      drawn(plot, { loss = { 1, 0 / 0, -2, 1 / 0 } }, { logy = true }))
  end)

  it("keeps to its width, whatever it is #slow", function()
    for _, width in ipairs { 20, 21, 40, 79, 200 } do
      for _, o in ipairs { { ascii = true }, { ascii = false, tty = true } } do
        o.width, o.title, o.xlabel = width, "title", "x"
        local text = drawn(plot, function(t) return math.sin(9 * t), t end, o):gsub("\27%[[%d;]*m", "")
        for _, line in ipairs(lines(text)) do assert.is_true(utf8.len(line) <= width) end
      end
    end
  end)

  it("has as many rows as asked for", function()
    assert.equal(7 + 2, #lines(drawn(plot, { 1, 2 }, { height = 7 })))
    assert.equal(7 + 6, #lines(drawn(plot, { a = { 1, 2 } }, { height = 7, title = "t", xlabel = "x", ylabel = "y" })))
  end)

  it("lets no escape code of a name through", function()
    local text = drawn(plot, { ["\27[31mred\n"] = { 1, 2 } }, { title = "a\27b" })
    assert.is_nil(text:find "\27")
    assert.matches("%?%[31mred%?\n", text)
  end)

  it("names what is wrong", function()
    assert.equal("bad argument #1 to 'plot' (data: expected function or table or tensor, got nil)", message(plot))
    assert.equal("bad argument #1 to 'plot' (data: expected something to plot, got an empty table)", message(plot, {}))
    assert.equal("bad argument #1 to 'plot' (loss: expected at least one number, got none)",
      message(plot, { loss = {} }))
    assert.equal([[bad argument #1 to 'plot' (data[2]: expected number, got "2")]], message(plot, { 1, "2" }))
    assert.equal("bad argument #1 to 'plot' (loss[3]: expected number, got table)",
      message(plot, { loss = { 1, 2, {} } }))
    local freed = core.zeros(2)
    freed:free()
    assert.equal("bad argument #1 to 'plot' (data: expected function or table or tensor, got freed tensor)",
      message(plot, freed))
    assert.equal("bad argument #1 to 'plot' (data[1]: expected tensor, got freed tensor)", message(plot, { freed }))
    assert.equal("bad argument #1 to 'plot' (data: expected a tensor (n), got (2,3))", message(plot, core.zeros(2, 3)))
    assert.equal("bad argument #1 to 'plot' (data: x has 1 numbers, y 2)", message(plot, { x = { 1 }, y = { 1, 2 } }))
    assert.equal([[bad argument #1 to 'plot' (data[1]: unknown key "labl", did you mean "label"? known: label, x, y)]],
      message(plot, { { y = { 1 }, labl = "a" } }))
    assert.equal("bad argument #1 to 'plot' (f: expected a function that returns 1 to 64 numbers, got 0 at 0)",
      message(plot, function() end))
    assert.equal("bad argument #1 to 'plot' (f(0): expected number, got nil)", message(plot, function() return nil end))
    assert.matches("f: returned 2 values at 0.5.*, 1 before", message(plot, function(t)
      if t > 0.5 then return 1, 2 end
      return 1
    end))
    assert.equal("bad argument #2 to 'plot' (from: expected less than to (1), got 1)",
      message(plot, print, { from = 1 }))
    assert.equal("bad argument #2 to 'plot' (ylim: expected limits above 0 on a logarithmic axis, got 0)",
      message(plot, { 1 }, { logy = true, ylim = { 0, 1 } }))
    assert.matches([[unknown option "colour"; known: ascii, from, height, ]], message(plot, { 1 }, { colour = 1 }))
    for _, o in ipairs { { width = 0 }, { width = 1e9 }, { height = 0.5 }, { xlim = { 1, 1 } }, { xlim = { 1 } },
      { ylim = { 0 / 0, 1 } }, { ylim = { 0, 1 / 0 } }, { ylim = 3 }, { from = 0 / 0 }, { to = 1 / 0 }, { title = 3 },
      { logy = 1 }, { out = 3 }, { labels = { 1 } }, { labels = "a" }, { bins = 3 }, 7, "x" } do
      assert.matches("^bad argument #2 to 'plot'", message(plot, { 1, 2 }, o))
    end
  end)

  it("runs no metamethod of a table that it draws", function()
    local mt = { __index = error, __len = function() return math.maxinteger end, __pairs = error, __metatable = "no" }
    assert.is_true(#drawn(plot, setmetatable({ 1, 2, 3 }, mt)) > 0)
    assert.matches("data%[1%]: expected at least one number", message(plot, { setmetatable({}, mt) }))
    local labels = setmetatable({ "a" }, { __index = function() return "b" end })
    assert.matches("%* a\n", drawn(plot, { 1, 2 }, { labels = labels }))
  end)

  it("passes on the errors of a function that it draws", function()
    local problem = {}
    local ok, err = pcall(plot, function() error(problem) end)
    assert.is_false(ok)
    assert.equal(problem, err)
  end)
end)

describe("plot.histogram", function()
  it("draws bars as high as the counts", function()
    local out = lines(drawn(plot.histogram, { 1, 2, 2, 3, 3, 3 }, { width = 23, height = 6, ylim = { 0, 3 } }))
    local heights = {}
    for r = 1, 6 do
      for c = 3, 23 do
        if out[r]:sub(c, c) == "#" then heights[c] = (heights[c] or 0) + 1 end
      end
    end
    assert.same({ 2, 4, 6 }, { heights[6], heights[13], heights[20] })
  end)

  it("takes lists and tensors of any shape", function()
    local t = core.tensor { { 1, 2 }, { 2, 3 } }
    assert.equal(drawn(plot.histogram, { 1, 2, 2, 3 }), drawn(plot.histogram, t))
    assert.is_true(#drawn(plot.histogram, core.randn(100), { bins = 7, tty = true, ascii = false }) > 0)
  end)

  it("names what is wrong", function()
    assert.equal("bad argument #1 to 'plot.histogram' (values: expected at least one number, got none)",
      message(plot.histogram, {}))
    assert.equal("bad argument #1 to 'plot.histogram' (values: expected table or tensor, got 3)",
      message(plot.histogram, 3))
    for _, o in ipairs { { bins = 0 }, { bins = 2.5 }, { bins = 1e9 }, { from = 1 } } do
      assert.matches("^bad argument #2 to 'plot.histogram'", message(plot.histogram, { 1, 2 }, o))
    end
  end)
end)

describe("plot.scatter", function()
  it("draws a mark for each point", function()
    local text = drawn(plot.scatter, { { 0, 0 }, { 1, 1 }, { 2, 0 } }, { width = 40, height = 8 })
    assert.equal(3, select(2, text:gsub("%*", "")))
    assert.equal(text, drawn(plot.scatter, core.tensor { { 0, 0 }, { 1, 1 }, { 2, 0 } }, { width = 40, height = 8 }))
  end)

  it("takes several clouds", function()
    local a, b = core.tensor { { 0, 0 } }, { { 1, 1 }, { 2, 2 } }
    local text = drawn(plot.scatter, { a, b })
    assert.matches("%* 1   %+ 2\n", text)
    assert.matches("%* real   %+ samples\n", drawn(plot.scatter, { real = a, samples = b }))
  end)

  it("names what is wrong", function()
    assert.equal("bad argument #1 to 'plot.scatter' (points: expected a tensor (n,2), got (3))",
      message(plot.scatter, core.zeros(3)))
    assert.equal("bad argument #1 to 'plot.scatter' (points[2]: expected table, got 5)",
      message(plot.scatter, { { 1, 2 }, 5 }))
    assert.equal("bad argument #1 to 'plot.scatter' (points[1][2]: expected number, got nil)",
      message(plot.scatter, { { 1 } }))
    assert.equal("bad argument #1 to 'plot.scatter' (points: expected at least one point, got an empty table)",
      message(plot.scatter, {}))
    assert.equal("bad argument #1 to 'plot.scatter' (a: expected at least one point, got none)",
      message(plot.scatter, { a = {} }))
  end)
end)

describe("plot.save", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  -- The saved picture as a table of colours "r,g,b" -> pixels.
  local function colours(what, options)
    plot.save(path, what, options)
    local t = core.load_png(path)
    local out = {}
    for pixel in t:to_string():gmatch "..." do
      local key = ("%d,%d,%d"):format(pixel:byte(1, 3))
      out[key] = (out[key] or 0) + 1
    end
    return out, t.shape
  end

  it("writes a PNG of the size asked for, with a colour a series #slow", function()
    local found, shape = colours({ a = { 1, 2, 3 }, b = { 3, 2, 1 } }, { width = 600, height = 400, title = "t" })
    assert.same({ 400, 600, 3 }, shape)
    assert.is_true(found["0,114,178"] > 100 and found["213,94,0"] > 100)
    assert.is_true(found["255,255,255"] > 100000)
  end)

  it("dashes curves from where colours come again #slow", function()
    local function blue(curves)
      return colours(curves, { width = 600, height = 400, ylim = { 0, 9 } })["0,114,178"]
    end
    local level, curves = { x = { 0, 1 }, y = { 4.5, 4.5 } }, {}
    for k = 1, 7 do curves[k] = { x = { 0, 1 }, y = { 9 - k / 2, 9 - k / 2 } } end
    local first, seven = blue { level }, blue(curves)
    curves[8] = level
    local eighth = blue(curves) - seven
    assert.is_true(eighth > 0.4 * first and eighth < 0.75 * first, first .. " " .. eighth)
  end)

  it("is 900 x 540 by default #slow", function()
    local _, shape = colours(function(t) return t end)
    assert.same({ 540, 900, 3 }, shape)
  end)

  it("writes histograms and clouds of points #slow", function()
    local small = { width = 300, height = 200 }
    local function with(kind) return { kind = kind, width = small.width, height = small.height } end
    local bars = colours({ 1, 2, 2, 3 }, with "histogram")
    local most = 0
    for key, n in pairs(bars) do
      if key ~= "255,255,255" then most = math.max(most, n) end
    end
    assert.is_true(most > 3000)
    local cloud = colours(core.tensor { { 0, 0 }, { 1, 1 } }, with "scatter")
    assert.is_true(cloud["77,156,201"] > 0) -- discs of 70 % ink
  end)

  it("copes with the smallest size, and with nothing to draw", function()
    local o = { width = 120, height = 80, title = ("long "):rep(20), xlabel = "x", ylabel = "y" }
    local _, shape = colours({ ["a very long name of a series"] = { 0 / 0 } }, o)
    assert.same({ 80, 120, 3 }, shape)
  end)

  it("names what is wrong", function()
    assert.equal("bad argument #1 to 'plot.save' (path: expected string, got nil)", message(plot.save))
    assert.equal([[bad argument #3 to 'plot.save' (kind: expected "line", "scatter" or "histogram", got "pie")]],
      message(plot.save, path, { 1 }, { kind = "pie" }))
    assert.matches("^bad argument #2 to 'plot.save' %(data: expected function or table or tensor, got nil%)$",
      message(plot.save, path))
    assert.matches("^bad argument #3 to 'plot.save'", message(plot.save, path, { 1 }, { width = 3 }))
    assert.matches("^bad argument #3 to 'plot.save'", message(plot.save, path, { 1 }, { out = io.stdout }))
    assert.matches("no/such/folder", message(plot.save, "/no/such/folder/x.png", { 1 }, { width = 120, height = 80 }))
  end)
end)
