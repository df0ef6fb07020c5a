--- What the terminal can do, found from the environment: no query is sent, so nothing waits for an answer.
-- @module laterna.show.terminal
local core = require "laterna.core"

local terminal = {}

--- The ways to show a picture that can be asked for by name.
terminal.protocols = { "auto", "kitty", "iterm2", "sixel", "halfblock", "256", "none" }

--- For check.options: may text be written to this?
function terminal.writer(v)
  local ok, write = pcall(function() return v.write end)
  return ok and type(write) == "function", "a file or a table with a method write"
end

local function known(name)
  for _, p in ipairs(terminal.protocols) do
    if p == name then return true end
  end
end

--- Is this file a terminal? Only the standard streams can be.
function terminal.is_terminal(out)
  local fd = out == io.stdout and 1 or out == io.stderr and 2
  return fd and core.isatty(fd) or false
end

--- Does the locale ask for something else than UTF-8? No locale at all counts as UTF-8: containers set none.
function terminal.utf8(getenv)
  getenv = getenv or os.getenv
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = getenv(name)
    if value and value ~= "" then return value:lower():find "utf%-?8" ~= nil end
  end
  return true
end

--- Columns and rows of the terminal (COLUMNS decides when it is set); 80 x 24 when nobody knows.
function terminal.size(getenv)
  local columns, rows = core.terminal_size()
  local asked = tonumber((getenv or os.getenv) "COLUMNS")
  if asked and asked >= 1 and math.tointeger(asked) then columns = math.tointeger(asked) end
  return math.max(1, columns or 80), math.max(1, rows or 24)
end

--- Whether text may be coloured: a terminal that is not "dumb", and no NO_COLOR.
function terminal.colour(tty, getenv)
  getenv = getenv or os.getenv
  local refused = getenv "NO_COLOR"
  return tty and getenv "TERM" ~= "dumb" and not (refused and refused ~= "")
end

-- Terminals that draw kitty's or iTerm2's pictures, or sixels, by what they say of themselves.
local function by_name(term, program, getenv)
  if getenv "KITTY_WINDOW_ID" or term:find "kitty" or term:find "ghostty" or program == "ghostty"
    or program == "WezTerm" then
    return "kitty"
  elseif program == "iTerm.app" or program == "mintty" then
    return "iterm2"
  elseif term:find "sixel" or term:find "^mlterm" or term:find "^foot" or term:find "^yaft" or term:find "^contour" then
    return "sixel"
  end
end

--- The best protocol for a terminal, or "none" and why.
-- LATERNA_SHOW names one; an unknown name is an error. Inside tmux and screen pictures do not get through.
function terminal.detect(getenv)
  getenv = getenv or os.getenv
  local forced = getenv "LATERNA_SHOW"
  if forced and forced ~= "" and forced ~= "auto" then
    if not known(forced) then
      error(("environment variable LATERNA_SHOW: expected one of %s, got '%s'")
        :format(table.concat(terminal.protocols, ", "), forced), 0)
    end
    return forced, "LATERNA_SHOW is " .. forced
  end
  local term = getenv "TERM" or ""
  if term == "" or term == "dumb" then return "none", "TERM says that the terminal shows text only" end
  local multiplexed = getenv "TMUX" or getenv "STY" or term:find "^screen" or term:find "^tmux"
  local named = not multiplexed and by_name(term, getenv "TERM_PROGRAM", getenv)
  if named then return named end
  local colours = getenv "COLORTERM"
  if colours == "truecolor" or colours == "24bit" or term:find "direct" then return "halfblock" end
  return "256"
end

return terminal
