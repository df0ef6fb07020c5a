local core = require "laterna.core"
local progress = require "laterna.show.progress"

-- A terminal of one line: what is seen after everything written so far, and how often the line was drawn.
local function screen()
  local file = { lines = { "" }, draws = 0, text = "" }
  function file:write(text)
    self.text = self.text .. text
    for char in text:gmatch(utf8.charpattern) do
      if char == "\r" then
        self.column, self.draws = 0, self.draws + 1
      elseif char == "\n" then
        self.lines[#self.lines + 1], self.column = "", 0
      else
        local cells = {}
        for c in self.lines[#self.lines]:gmatch(utf8.charpattern) do cells[#cells + 1] = c end
        self.column = (self.column or 0) + 1
        cells[self.column] = char
        self.lines[#self.lines] = table.concat(cells)
      end
    end
    return self
  end
  function file:seen() return (self.lines[#self.lines]:gsub(" +$", "")) end
  return file
end

local now

local function bar(total, options)
  now = 0
  local out = screen()
  local o = { out = out, clock = function() return now end, tty = true, ascii = true }
  for k, v in pairs(options or {}) do o[k] = v end
  return progress(total, o), out
end

local function message(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return (err:gsub("^[^:]*:%d+: ", ""))
end

describe("progress", function()
  it("shows part, count, rate, time left and numbers", function()
    local p, out = bar(1000, { label = "late" })
    now = 10
    p:update(250, { loss = 1.23456, acc = core.tensor(0.5) })
    assert.matches("^late  25%% %[#+%-+%] 250/1000  25%.0 steps/s  0:30 left", out:seen())
    local hashes, dashes = out:seen():match "%[(#+)(%-+)%]"
    assert.is_true(math.abs(#hashes / (#hashes + #dashes) - 0.25) < 0.1)
    p:finish()
    assert.equal("", out.lines[2])
    assert.matches("250/1000  25%.0 steps/s  0:10 in all", out.lines[1])
  end)

  it("shows numbers in the order of their names, as long as they fit", function()
    local p, out = bar(nil)
    now = 1
    p:update(3, { b = 0 / 0, a = 1e-7, c = 1 / 0 })
    assert.matches("^step 3  3%.00 steps/s  a 1e%-07  b %-?nan  c inf$", out:seen())
  end)

  it("draws in eighths where there is UTF-8", function()
    local p, out = bar(1000, { ascii = false })
    now = 1
    p:update(500)
    assert.matches("│" .. ("█"):rep(15) .. (" "):rep(15) .. "│", out:seen())
    now = 2
    p:update(505)
    assert.matches("│" .. ("█"):rep(15) .. "▏" .. (" "):rep(14) .. "│", out:seen())
  end)

  it("redraws ten times a second at most, and always at the end", function()
    local p, out = bar(10000)
    for step = 1, 10000 do
      now = step / 10000 -- one second in all
      p:update(step)
    end
    assert.is_true(out.draws <= 12)
    assert.matches("10000/10000", out:seen())
  end)

  it("leaves nothing behind of a longer line", function()
    local p, out = bar(100)
    now = 1
    p:update(1, { likelihood = 0.12345 })
    local long = #out:seen()
    now = 2
    p:update(2, {})
    assert.is_true(#out:seen() < long)
    assert.matches("left$", out:seen())
    p:finish()
    assert.is_nil(out.text:find "\27")
  end)

  it("fits every width #slow", function()
    for columns = 1, 120, 7 do
      local p, out = bar(1000, { label = "a label with ümlauts", ascii = false })
      local real = os.getenv
      os.getenv = function(name) -- luacheck: ignore
        if name == "COLUMNS" then return tostring(columns) end
        return real(name)
      end
      local ok, err = pcall(function()
        for step = 100, 1000, 100 do
          now = step
          p:update(step, { loss = 1 / step })
          assert(utf8.len(out.lines[1]) <= math.max(0, columns - 1))
        end
      end)
      os.getenv = real -- luacheck: ignore
      assert.is_true(ok, err)
    end
  end)

  it("takes the rate over the last seconds, not over everything #slow", function()
    local p, out = bar(100000)
    for step = 1, 100 do now = step p:update(step) end -- one a second for 100 seconds
    for step = 200, 6000, 100 do now = now + 1 p:update(step) end -- a hundred a second for a minute
    assert.matches("100 steps/s", out:seen())
  end)

  it("counts the rate of a resumed run from where it resumed", function()
    local p, out = bar(1000, { first = 900 })
    now = 10
    p:update(950)
    assert.matches("5%.00 steps/s  0:10 left", out:seen())
    p:finish()
    assert.matches("5%.00 steps/s", out.lines[1])
  end)

  it("writes slow rates and long times so that they can be read", function()
    local p, out = bar(1000)
    now = 20
    p:update(5)
    assert.matches("4 s/step  1:06:20 left", out:seen())
    p, out = bar(1000000)
    now = 20
    p:update(5)
    assert.matches("46d 07h left", out:seen())
  end)

  it("writes plain lines where there is no terminal: each 5 %, at most one a second", function()
    local p, out = bar(1000, { tty = false })
    for step = 1, 1000 do
      now = step * 0.1
      p:update(step, { loss = 1 })
    end
    p:finish()
    assert.equal(21, #out.lines - 1) -- the first step, 5 to 95 %, the end
    assert.equal("  0% 1/1000  10.0 steps/s  1:40 left  loss 1", out.lines[1])
    assert.equal("  5% 50/1000  10.0 steps/s  1:35 left  loss 1", out.lines[2])
    assert.equal("100% 1000/1000  10.0 steps/s  1:40 in all  loss 1", out.lines[#out.lines - 1])
    assert.is_nil(out.text:find "[\r\27]")
    p, out = bar(1000, { tty = false })
    for step = 1, 1000 do
      now = step * 0.001
      p:update(step)
    end
    p:finish()
    assert.equal(2, #out.lines - 1)
  end)

  it("writes a plain line after ten seconds anyway", function()
    local p, out = bar(1000000, { tty = false })
    for step = 1, 35 do
      now = step
      p:update(step)
    end
    assert.equal(4, #out.lines - 1)
  end)

  it("writes notes above the bar", function()
    local p, out = bar(100)
    now = 1
    p:update(10, { loss = 1 })
    p:note "saved"
    assert.equal("saved", (out.lines[1]:gsub(" +$", "")))
    assert.matches("10/100", out:seen())
    p:finish()
    p:note "after"
    assert.equal("after", out.lines[3])
  end)

  it("ends the line at an error, with <close>", function()
    local out
    local ok, err = pcall(function()
      local p <close>, o = bar(100)
      out, now = o, 1
      p:update(10)
      error "in the loop"
    end)
    assert.is_false(ok)
    assert.matches("in the loop$", err)
    assert.equal("", out.lines[#out.lines])
    assert.equal(2, #out.lines)
  end)

  it("writes nothing when there was nothing, and one end only", function()
    local p, out = bar(100)
    p:finish()
    assert.equal("", out.text)
    p, out = bar(100)
    now = 1
    p:update(1)
    p:finish()
    local text = out.text
    p:finish()
    p:update(50)
    assert.equal(text, out.text)
  end)

  it("copes with a clock that stands still or goes back, and with steps out of range", function()
    local p, out = bar(10)
    p:update(1)
    now = -5
    p:update(2)
    now = 1
    p:update(50)
    assert.matches("100%% .* 50/10", out:seen())
    now = 2
    p:update(3)
    p:finish()
    p, out = bar(0)
    p:update(0)
    p:finish()
    assert.matches("100%%", out.lines[1])
  end)

  it("lets no escape code through", function()
    local p, out = bar(10, { label = "a\27[2J\n" })
    now = 1
    p:update(1, { ["x\27\r\n"] = 1 })
    assert.is_nil(out.text:find "[\27\n]")
  end)

  it("names what is wrong", function()
    assert.equal('bad argument #1 to \'progress\' (total: expected integer of at least 0, got "x")',
      message(progress, "x"))
    for _, total in ipairs { -1, 1.5, 0 / 0, 1e300, true } do
      assert.matches("^bad argument #1 to 'progress'", message(progress, total))
    end
    for _, o in ipairs { { labl = 1 }, { label = 1 }, { out = 1 }, { clock = 1 }, { first = -1 }, { tty = 1 }, 3 } do
      assert.matches("^bad argument #2 to 'progress'", message(progress, 10, o))
    end
    local p = bar(10)
    for _, step in ipairs { -1, 1.5, 0 / 0, "1", {} } do
      assert.matches("^bad argument #1 to 'update' %(step: expected integer", message(p.update, p, step))
    end
    assert.equal("bad argument #2 to 'update' (loss: expected number or tensor, got table)",
      message(p.update, p, 1, { loss = {} }))
    assert.equal("bad argument #2 to 'update' (loss: expected number, got tensor)",
      message(p.update, p, 1, { loss = core.zeros(2) }))
    assert.equal("bad argument #2 to 'update' (name: expected string, got 1)", message(p.update, p, 1, { 5 }))
    assert.equal("bad argument #2 to 'update' (values: expected table or nil, got 3)", message(p.update, p, 1, 3))
    assert.equal("bad argument #1 to 'note' (text: expected string, got nil)", message(p.note, p))
  end)
end)
