--- A progress bar for the terminal; plain lines, now and then, where there is none.
-- The cursor is never hidden and no line but the last is touched, so there is little to put right after an error:
-- `local bar <close> = progress(1000)` ends the line in any case.
-- @module laterna.show.progress
local core = require "laterna.core"
local check = require "laterna.check"
local terminal = require "laterna.show.terminal"

local Progress = {}
Progress.__index = Progress

local REDRAW = 0.1     -- seconds between redraws
local LINE_LONGEST = 10 -- seconds without a plain line
local LINE_SHORTEST = 1 -- seconds between plain lines
local WINDOW = 20      -- seconds that the rate is taken over
local BAR = 30         -- columns of the bar at most
local EIGHTHS = { "▏", "▎", "▍", "▌", "▋", "▊", "▉" }

local function length(text) return utf8.len(text) or #text end

-- One line, whatever a caption holds.
local function clean(text) return (text:gsub("%c", "?")) end

-- "0:07", "12:34", "3:25:45", "4d 04h".
local function duration(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 360000 then return ("%dd %02dh"):format(s // 86400, s % 86400 // 3600) end
  if s >= 3600 then return ("%d:%02d:%02d"):format(s // 3600, s % 3600 // 60, s % 60) end
  return ("%d:%02d"):format(s // 60, s % 60)
end

local function rate_text(rate)
  if rate < 1 then return ("%.3g s/step"):format(1 / rate) end
  return (rate >= 100 and "%.0f steps/s" or rate >= 10 and "%.1f steps/s" or "%.2f steps/s"):format(rate)
end

-- Steps a second over the last seconds; nil while unknown.
local function rate_of(self, now)
  local mark = self.marks[1]
  local steps, seconds = self.step - mark.step, now - mark.time
  return steps > 0 and seconds > 0 and steps / seconds or nil
end

local function bar_text(part, columns, ascii)
  local eighths = math.floor(part * columns * 8 + 1e-9)
  local full, rest = eighths // 8, eighths % 8
  if ascii then return "[" .. ("#"):rep(full) .. ("-"):rep(columns - full) .. "]" end
  local text = ("█"):rep(full) .. (EIGHTHS[rest] or "")
  return "│" .. text .. (" "):rep(columns - length(text)) .. "│"
end

-- The parts after the bar as far as there is room: of time, loss, rate and the other numbers the first ones first.
local function details(self, now, done, room)
  local rate, parts, tail = rate_of(self, now), {}, ""
  local function add(text, want) parts[#parts + 1] = { text = "  " .. text, want = want, place = #parts } end
  if rate then add(rate_text(rate), 3) end
  if done then
    add(duration(now - self.started) .. " in all", 1)
  elseif rate and self.total then
    add(duration(math.max(0, self.total - self.step) / rate) .. " left", 1)
  end
  for k, name in ipairs(self.names) do
    add(("%s %.4g"):format(clean(name), self.values[name]), name == "loss" and 2 or 3 + k)
  end
  table.sort(parts, function(a, b) return a.want < b.want end)
  for _, part in ipairs(parts) do
    part.shown = length(part.text) <= room
    if part.shown then room = room - length(part.text) end
  end
  table.sort(parts, function(a, b) return a.place < b.place end)
  for _, part in ipairs(parts) do tail = tail .. (part.shown and part.text or "") end
  return tail
end

-- The whole line in at most `columns` columns; what does not fit is left out.
local function compose(self, now, columns, with_bar, done)
  local label = self.label and clean(self.label) .. " " or ""
  local count = self.total and ("%d/%d"):format(self.step, self.total) or ("step %d"):format(self.step)
  local part = self.total and math.max(0, math.min(1, self.total > 0 and self.step / self.total or 1))
  if part then label = label .. ("%3d%% "):format(math.floor(part * 100 + 1e-9)) end
  local room = columns - length(label) - #count
  local tail = details(self, now, done, room - (with_bar and part and 11 or 0))
  if with_bar and part then
    if self.columns ~= columns then self.columns, self.wide = columns, BAR end -- a resized window starts anew
    self.wide = math.min(self.wide, room - length(tail) - 3) -- only ever shrinks: a bar that breathes is hard to read
    if self.wide >= 4 then label = label .. bar_text(part, self.wide, self.ascii) .. " " end
  end
  local line = label .. count .. tail
  if length(line) <= columns then return line end
  return line:sub(1, (utf8.offset(line, columns + 1) or columns + 1) - 1)
end

local function write(self, text)
  self.out:write(text)
  if self.out == io.stdout then self.out:flush() end
end

-- Draws over the line that stands; what was longer before is blanked.
local function draw(self, now, done)
  local line = compose(self, now, terminal.size() - 1, true, done)
  local blank = (" "):rep(math.max(0, self.drawn - length(line)))
  write(self, "\r" .. line .. blank)
  self.drawn, self.last = length(line), now
end

local function print_line(self, now, done)
  write(self, compose(self, now, math.huge, false, done) .. "\n")
  self.last, self.last_step = now, self.step
  self.last_twentieth = self.total and self.step * 20 // math.max(1, self.total)
end

-- Whether a plain line is due: at the start, at each 5 % (but not faster than one a second), and after 10 seconds.
-- The last line is finish's.
local function line_is_due(self, now)
  if self.step == self.total then return false end
  if not self.last then return true end
  local waited = now - self.last
  local twentieth = self.total and self.step * 20 // math.max(1, self.total)
  return waited >= LINE_LONGEST or (twentieth ~= self.last_twentieth and waited >= LINE_SHORTEST)
end

--- Notes how far things are.
-- @tparam integer step steps done, 0 or more
-- @tparam[opt] table values numbers to show, `{loss = 1.234}` (or tensors with one number); kept until the next ones
-- @tparam[opt] integer total another number of steps in all than was thought
function Progress:update(step, values, total)
  step = check.integer("update", 1, "step", step, 0)
  if check.type("update", 2, "values", values, "table|nil") then
    local fresh, names = {}, {}
    for name, v in next, values do
      check.type("update", 2, "name", name, "string")
      check.type("update", 2, name, v, "number|tensor")
      if check.is_tensor(v) and v:numel() == 1 then v = v:item() end
      fresh[name] = check.type("update", 2, name, v, "number")
      names[#names + 1] = name
    end
    table.sort(names)
    self.values, self.names = fresh, names
  end
  if total ~= nil then self.total = check.integer("update", 3, "total", total, 0) end
  if self.finished then return end
  local now, marks = self.clock(), self.marks
  self.step, self.updated = step, true
  if now - marks[#marks].time >= WINDOW / 40 then marks[#marks + 1] = { time = now, step = step } end
  while #marks > 2 and marks[2].time <= now - WINDOW do table.remove(marks, 1) end
  if self.tty then
    if not self.last or now - self.last >= REDRAW or step == self.total then draw(self, now) end
  elseif line_is_due(self, now) then
    print_line(self, now)
  end
end

--- Writes a line of text above the bar.
function Progress:note(text)
  check.type("note", 1, "text", text, "string")
  local over = self.tty and not self.finished and self.drawn > 0
  local blank = over and (" "):rep(math.max(0, self.drawn - length(text))) or ""
  write(self, (over and "\r" or "") .. text .. blank .. "\n")
  if over then
    self.drawn = 0
    draw(self, self.clock())
  end
end

--- Ends the line, with the time that all took. More calls do nothing; so do updates after it.
function Progress:finish()
  if self.finished then return end
  self.finished = true
  if not self.updated then return end
  local now = self.clock()
  self.marks = { { time = self.started, step = self.first } }
  if self.tty then
    draw(self, now, true)
    write(self, "\n")
  elseif self.last_step ~= self.step then
    print_line(self, now, true)
  end
end

Progress.__close = Progress.finish
Progress.__gc = function(self) pcall(self.finish, self) end
Progress.__name = "laterna.Progress"

--- Starts a progress bar: `bar:update(step, {loss = 1.2})`, `bar:note(text)`, `bar:finish()`.
-- @tparam[opt] integer total steps in all; nil when nobody knows
-- @tparam[opt] table options `label` (before the bar), `first` (0: steps done before, for the rate of a resumed run),
-- `out` (io.stderr), `tty` (true or false: do not ask whether `out` is a terminal), `ascii`, `clock` (a function that
-- returns seconds)
-- @return the bar; `local bar <close> = progress(n)` finishes it at errors too
-- @function progress
return function(total, options)
  if total ~= nil then total = check.integer("progress", 1, "total", total, 0) end
  local o = check.options("progress", 2, options, {
    label = "string", first = { "integer", 0, min = 0 }, out = { terminal.writer, io.stderr }, tty = "boolean",
    ascii = "boolean", clock = { "callable", core.clock },
  })
  if o.tty == nil then o.tty = terminal.is_terminal(o.out) end
  if o.ascii == nil then o.ascii = not terminal.utf8() end
  local now = o.clock()
  return setmetatable({
    total = total, label = o.label, out = o.out, tty = o.tty, ascii = o.ascii, clock = o.clock,
    step = o.first, first = o.first, started = now, marks = { { time = now, step = o.first } }, drawn = 0,
    values = {}, names = {},
  }, Progress)
end
