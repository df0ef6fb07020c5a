local terminal = require "laterna.show.terminal"

local function env(t) return function(name) return t[name] end end

describe("terminal", function()
  local cases = {
    { "kitty", { TERM = "xterm-kitty" } },
    { "kitty", { TERM = "xterm-256color", KITTY_WINDOW_ID = "1" } },
    { "kitty", { TERM = "xterm-ghostty", TERM_PROGRAM = "ghostty" } },
    { "kitty", { TERM = "xterm-256color", TERM_PROGRAM = "WezTerm", COLORTERM = "truecolor" } },
    { "iterm2", { TERM = "xterm-256color", TERM_PROGRAM = "iTerm.app", COLORTERM = "truecolor" } },
    { "sixel", { TERM = "foot" } },
    { "sixel", { TERM = "mlterm-256color" } },
    { "sixel", { TERM = "xterm-sixel" } },
    { "halfblock", { TERM = "xterm-256color", COLORTERM = "truecolor" } },
    { "halfblock", { TERM = "xterm-direct" } },
    { "256", { TERM = "xterm-256color" } },
    { "256", { TERM = "xterm" } },
    { "none", { TERM = "dumb" } },
    { "none", {} },
    { "sixel", { TERM = "xterm-kitty", LATERNA_SHOW = "sixel" } },
    { "kitty", { TERM = "xterm-kitty", LATERNA_SHOW = "auto" } },
    { "kitty", { TERM = "xterm-kitty", LATERNA_SHOW = "" } },
  }
  for _, case in ipairs(cases) do
    local words = {}
    for k, v in pairs(case[2]) do words[#words + 1] = k .. "=" .. v end
    table.sort(words)
    it("finds " .. case[1] .. " from " .. table.concat(words, " "), function()
      assert.equal(case[1], (terminal.detect(env(case[2]))))
    end)
  end

  it("trusts no picture protocol inside tmux and screen", function()
    local inside = { TERM = "tmux-256color", KITTY_WINDOW_ID = "1", COLORTERM = "24bit" }
    assert.equal("halfblock", (terminal.detect(env(inside))))
    assert.equal("256", (terminal.detect(env { TERM = "xterm-kitty", TMUX = "/tmp/x" })))
  end)

  it("refuses an unknown LATERNA_SHOW by name", function()
    local ok, err = pcall(terminal.detect, env { LATERNA_SHOW = "gif" })
    assert.is_false(ok)
    assert.equal("environment variable LATERNA_SHOW: expected one of auto, kitty, iterm2, sixel, halfblock, 256, none, "
      .. "got 'gif'", err)
  end)

  it("reads the locale as C libraries do: LC_ALL, then LC_CTYPE, then LANG", function()
    assert.is_true(terminal.utf8(env { LANG = "de_DE.UTF-8" }))
    assert.is_true(terminal.utf8(env { LANG = "C.utf8" }))
    assert.is_false(terminal.utf8(env { LANG = "de_DE.UTF-8", LC_ALL = "C" }))
    assert.is_false(terminal.utf8(env { LC_CTYPE = "POSIX", LANG = "en_US.UTF-8" }))
    assert.is_true(terminal.utf8(env { LC_ALL = "", LANG = "en_US.UTF-8" }))
    assert.is_true(terminal.utf8(env {}))
  end)

  it("takes COLUMNS when it makes sense", function()
    assert.equal(132, (terminal.size(env { COLUMNS = "132" })))
    for _, odd in ipairs { "0", "-4", "wide", "1e400", "3.5", "nan" } do
      local columns = terminal.size(env { COLUMNS = odd })
      assert.is_true(columns >= 1 and math.type(columns) == "integer")
    end
  end)

  it("colours text only where somebody sees it", function()
    assert.is_true(terminal.colour(true, env { TERM = "xterm" }))
    assert.is_false(terminal.colour(false, env { TERM = "xterm" }))
    assert.is_false(terminal.colour(true, env { TERM = "dumb" }))
    assert.is_false(terminal.colour(true, env { TERM = "xterm", NO_COLOR = "1" }))
  end)

  it("takes other files for no terminal", function()
    local f = io.tmpfile()
    assert.is_false(terminal.is_terminal(f))
    f:close()
    assert.is_false(terminal.is_terminal({ write = print }))
  end)
end)
