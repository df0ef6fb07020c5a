--- A progress bar for what may be over before anybody wonders: it is shown on a terminal, after half a second.
-- @module laterna.data.folder.bar
local core = require "laterna.core"
local progress = require "laterna.show.progress"
local terminal = require "laterna.show.terminal"

local PATIENCE <const> = 0.5

local Bar = { __name = "laterna.folder.Bar" }

function Bar:__call(done)
  if not self.shown then return end
  if not self.bar and self.clock() - self.started >= PATIENCE and done < self.total then
    self.bar = progress(self.total, { label = self.label, first = done, out = self.out, tty = true })
  end
  if self.bar then self.bar:update(done) end
end

function Bar:__close()
  if self.bar then self.bar:finish() end
end

--- `local bar <close> = new(n, o)`, and `bar(i)` as often as one likes.
-- @function bar
-- @tparam integer total
-- @tparam table o `label`; `quiet`: never show it; `out` (io.stderr), `tty` (whether it is a terminal), `clock`
-- @treturn table
return function(total, o)
  local out, clock, tty = o.out or io.stderr, o.clock or core.clock, o.tty
  if tty == nil then tty = terminal.is_terminal(out) end
  return setmetatable({ total = total, label = o.label, out = out, clock = clock, started = clock(),
    shown = tty and not o.quiet }, Bar)
end
