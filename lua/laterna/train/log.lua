--- The CSV file of a run: a column `step`, then one for each logged name, in natural order as they first appear.
--
-- The log is as safe as the checkpoint. Rows are added by one write each, and a row that cannot be written waits for
-- the next one, with a note; before a checkpoint is written, `sync` puts all rows of its steps on the disk, or is an
-- error.
-- @module laterna.train.log
local check = require "laterna.check"
local core = require "laterna.core"
local folder = require "laterna.train.folder"

local Log = {}
Log.__index = Log

-- f(path, ...) of the core, whose errors become a sentence without the place in the library.
local function try(f, path, ...)
  local ok, why = pcall(f, path, ...)
  if not ok then error(check.reason(why), 0) end
end

local function split(line)
  local out = {}
  for cell in (line .. ","):gmatch "([^,]*)," do out[#out + 1] = cell end
  return out
end

local function refuse(path, why)
  error(("cannot read %s: %s"):format(path, why), 0)
end

-- The text of a file; nil where there is none. One that cannot be read is an error: it would be lost otherwise.
local function read_text(path)
  if not folder.exists(path) then return nil end
  local file, why = io.open(path, "rb")
  if not file then refuse(path, (why:gsub("^.*: ", ""))) end
  local text
  text, why = file:read "a"
  file:close()
  if not text then refuse(path, why) end
  return text
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

local function text_of(lines)
  return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

-- Rows up to a step: what a resumed run has not done is cut off, and so is a line that was never finished.
local function keep(path, text, step)
  local lines, out = lines_of(text), {}
  if #lines == 0 then return { "step" }, out end
  local columns = split(lines[1])
  if columns[1] ~= "step" then refuse(path, "it is not the log of a run, whose first column is step") end
  out[1] = lines[1]
  for i = 2, #lines do
    local cells = split(lines[i])
    local at = math.tointeger(tonumber(cells[1]))
    if #cells == #columns and at and at <= step then out[#out + 1] = lines[i] end
  end
  return columns, out
end

--- Opens a log that keeps the rows up to `step`; 0 begins a new one. Nothing of the file is lost when this is an error.
-- @tparam string path
-- @tparam integer step
-- @tparam[opt] function say say(text) tells the user what went wrong and is tried again
function Log.open(path, step, say)
  local self = setmetatable({ path = path, say = say or function() end, waiting = {}, columns = { "step" } }, Log)
  local text, lines = step > 0 and read_text(path), {}
  if text then self.columns, lines = keep(path, text, step) end
  if text ~= text_of(lines) then try(core.replace_file, path, text_of(lines)) end
  try(core.append_file, path, "") -- an error now is better than one after a step
  self.empty = #lines == 0
  return self
end

-- The rows in the file and those that wait.
local function all_lines(self)
  local lines = lines_of(read_text(self.path) or "")
  return table.move(self.waiting, 1, #self.waiting, #lines + 1, lines)
end

-- Writes what waits. On failure it goes on waiting.
-- @treturn ?string why not
local function flush(self)
  if #self.waiting == 0 then return nil end
  local ok, why = pcall(try, core.append_file, self.path, text_of(self.waiting))
  if not ok then return why end
  self.waiting = {}
end

-- Puts other lines in the file's place; nothing waits then.
local function rewrite(self, lines)
  try(core.replace_file, self.path, text_of(lines))
  self.waiting = {}
end

-- New names become new columns, empty in the rows so far.
local function widen(self, names)
  local known, missing = {}, {}
  for _, name in ipairs(self.columns) do known[name] = true end
  for _, name in ipairs(names) do
    if not known[name] then missing[#missing + 1] = name end
  end
  if #missing == 0 and not self.empty then return end
  local lines = all_lines(self)
  local columns = table.move(self.columns, 1, #self.columns, 1, {})
  table.move(missing, 1, #missing, #columns + 1, columns)
  if self.empty then table.insert(lines, 1, "") end
  lines[1] = table.concat(columns, ",")
  for i = 2, #lines do lines[i] = lines[i] .. (","):rep(#missing) end
  rewrite(self, lines)
  self.columns, self.empty = columns, false
end

local function row_of(self, step, values)
  local cells = { tostring(step) }
  for i = 2, #self.columns do
    local v = values[self.columns[i]]
    cells[i] = v and ("%.9g"):format(v) or ""
  end
  return table.concat(cells, ",")
end

-- A step's second row takes the place of its first: run:save within a step writes what is known until then.
local function replace_last(self, row)
  if row == self.last_row then return end
  local lines = all_lines(self)
  lines[#lines] = row
  rewrite(self, lines)
  self.last_row = row
end

local function add(self, step, row)
  self.waiting[#self.waiting + 1] = row
  self.last_step, self.last_row = step, row
  local why = flush(self)
  if why and not self.noted then
    self.noted = true
    self.say(("step %d: %s; the row is kept and tried again, at the latest with the next checkpoint"):format(step, why))
  end
end

--- Writes a row. A second one of the same step replaces the first. A row that cannot be written waits for the next one.
-- @tparam integer step
-- @tparam {string,...} names in order
-- @tparam table values number by name
function Log:write(step, names, values)
  widen(self, names)
  local row = row_of(self, step, values)
  if self.last_step == step then replace_last(self, row) else add(self, step, row) end
end

--- All rows are on the disk when this returns; an error if they could not be written.
function Log:sync()
  local why = flush(self)
  if why then error(why, 0) end
  try(core.sync_file, self.path)
end

--- Ends the log; an error if the last rows could not be written.
function Log:close()
  local why = flush(self)
  if why then error(why, 0) end
end

return Log
